package sdk_test

import (
	"fmt"
	"time"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// A delivery belongs to an order if it comes within four hours of it. The order of none is given once none can come any more.
func ExampleJoin() {
	type Order struct {
		ID int64
		At time.Time `millrace:",rowtime"`
	}
	type Delivery struct {
		Order   int64
		Courier string
		At      time.Time `millrace:",rowtime"`
	}
	type Delivered struct {
		Order   int64
		Courier *string
		Took    time.Duration
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.KeyByFields[int64](sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}), "id")
		deliveries := sdk.KeyByFields[int64](sdk.From[Delivery](env, "deliveries", sdk.Kafka{Topic: "deliveries"}), "order")
		delivered := sdk.Join(sdk.LeftJoin, orders, deliveries, "delivered", sdk.Within(0, 4*time.Hour), func(o *Order, d *Delivery) (Delivered, error) {
			if d == nil {
				return Delivered{Order: o.ID}, nil
			}
			courier := d.Courier // both rows are borrowed
			return Delivered{o.ID, &courier, d.At.Sub(o.At)}, nil
		})
		delivered.To("out", sdk.Kafka{Topic: "delivered"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{1, noon}, Order{2, noon})
	sdktest.Push(p, "deliveries", Delivery{1, "bob", noon.Add(time.Hour)}, Delivery{2, "cy", noon.Add(5 * time.Hour)})
	p.End()
	for _, d := range sdktest.Rows[Delivered](p, "out") {
		if d.Courier == nil {
			fmt.Println("order", d.Order, "is not there in time")
		} else {
			fmt.Println("order", d.Order, "was brought by", *d.Courier, "in", d.Took)
		}
	}
	// Output:
	// order 1 was brought by bob in 1h0m0s
	// order 2 is not there in time
}

// Rows of all times meet. An outer join takes back what it gave of a row that had no partner: its stream has updates.
func ExampleEver() {
	type Order struct {
		Customer string
		Amount   int64
	}
	type Customer struct{ Name, City string }
	type Sale struct {
		Amount int64
		City   string
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.KeyByFields[string](sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}), "customer")
		customers := sdk.KeyByFields[string](sdk.From[Customer](env, "customers", sdk.Kafka{Topic: "customers"}), "name")
		sales := sdk.Join(sdk.LeftJoin, orders, customers, "sales", sdk.Ever(24*time.Hour), func(o *Order, c *Customer) (Sale, error) {
			if c == nil {
				return Sale{o.Amount, "?"}, nil
			}
			return Sale{o.Amount, c.City}, nil
		})
		sales.To("out", sdk.Connect{Name: "print"})
	}, sdktest.Options{})

	sdktest.Push(p, "customers", Customer{"ann", "Paris"})
	sdktest.Push(p, "orders", Order{"ann", 20}, Order{"bob", 5})
	sdktest.Push(p, "customers", Customer{"bob", "Rome"})
	for _, change := range sdktest.Changes[Sale](p, "out") {
		fmt.Println(change)
	}
	// Output:
	// +I{Amount:20 City:Paris}
	// +I{Amount:5 City:?}
	// -D{Amount:5 City:?}
	// +I{Amount:5 City:Rome}
}

// What two streams have in the same minute is joined when the minute is over.
func ExampleJoinWindows() {
	type Click struct {
		Ad int64
		At time.Time `millrace:",rowtime"`
	}
	type Shown struct {
		Ad   int64
		Page string
		At   time.Time `millrace:",rowtime"`
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		shown := sdk.KeyByFields[int64](sdk.From[Shown](env, "shown", sdk.Kafka{Topic: "shown"}), "ad")
		clicks := sdk.KeyByFields[int64](sdk.From[Click](env, "clicks", sdk.Kafka{Topic: "clicks"}), "ad")
		sdk.JoinWindows(sdk.LeftJoin, shown, clicks, "clicked", sdk.Tumble(time.Minute), func(s *Shown, c *Click) (string, error) {
			if c == nil {
				return fmt.Sprintf("ad %d on %s was not clicked in that minute", s.Ad, s.Page), nil
			}
			return fmt.Sprintf("ad %d on %s was clicked", s.Ad, s.Page), nil
		}).To("out", sdk.Kafka{Topic: "clicked", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "shown", Shown{1, "/news", noon}, Shown{2, "/sport", noon})
	sdktest.Push(p, "clicks", Click{1, noon.Add(10 * time.Second)}, Click{2, noon.Add(70 * time.Second)})
	p.End()
	for _, line := range sdktest.Rows[string](p, "out") {
		fmt.Println(line)
	}
	// Output:
	// ad 1 on /news was clicked
	// ad 2 on /sport was not clicked in that minute
}
