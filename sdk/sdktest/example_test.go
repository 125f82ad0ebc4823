package sdktest_test

import (
	"fmt"
	"time"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

type order struct {
	Customer string
	Amount   int64
	At       time.Time `millrace:",rowtime"`
}

type revenue struct {
	Customer string
	Amount   int64
}

// ordersPerMinute is the job: what each customer has spent in a minute.
func ordersPerMinute(env *sdk.Env) {
	orders := sdk.From[order](env, "orders", sdk.Kafka{Topic: "orders"}, sdk.Watermark(5*time.Second))
	minutes := sdk.Windows(sdk.KeyByFields[string](orders, "customer"), sdk.Tumble(time.Minute))
	sdk.Aggregate(minutes, "revenue", sdk.Aggregator[string, order, int64, revenue]{
		Add: func(sum *int64, o *order) error {
			*sum += o.Amount
			return nil
		},
		Result: func(w sdk.WindowOf[string], sum *int64) (revenue, error) { return revenue{w.Key, *sum}, nil },
	}).To("revenue-out", sdk.Kafka{Topic: "revenue"})
}

func Example() {
	t := tester{} // the *testing.T of a test
	p := sdktest.Start(t, ordersPerMinute, sdktest.Options{Parallelism: 2})

	noon := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	sdktest.Push(p, "orders", order{"ann", 20, noon}, order{"bob", 5, noon.Add(10 * time.Second)})
	p.Checkpoint()
	sdktest.Push(p, "orders", order{"ann", 30, noon.Add(20 * time.Second)})
	p.Crash() // the second row of ann is read again, and counted once
	fmt.Println("before the minute is over:", sdktest.Take[revenue](p, "revenue-out"))

	p.Watermark("orders", noon.Add(time.Minute))
	for _, r := range sdktest.Take[revenue](p, "revenue-out") {
		fmt.Println(r.Customer, r.Amount)
	}
	p.End()
	fmt.Println("committed:", len(sdktest.Committed[revenue](p, "revenue-out")))
	// Unordered output:
	// before the minute is over: []
	// ann 50
	// bob 5
	// committed: 2
}
