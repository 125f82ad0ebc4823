package sdk_test

import (
	"fmt"
	"time"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// Functions in Go keep an accumulator for each key and window. It is state, as that of NewValue is.
func ExampleAggregate() {
	type Order struct {
		Customer string
		Amount   int64
		At       time.Time `millrace:",rowtime"`
	}
	type Acc struct{ Sum, Greatest int64 }
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}, sdk.Watermark(5*time.Second))
		minutes := sdk.Windows(sdk.KeyByFields[string](orders, "customer"), sdk.Tumble(time.Minute))
		sdk.Aggregate(minutes, "revenue", sdk.Aggregator[string, Order, Acc, string]{
			Add: func(acc *Acc, o *Order) error {
				acc.Sum, acc.Greatest = acc.Sum+o.Amount, max(acc.Greatest, o.Amount)
				return nil
			},
			Result: func(w sdk.WindowOf[string], acc *Acc) (string, error) {
				return fmt.Sprintf("%s %s %+v", w.Start.Format(time.TimeOnly), w.Key, *acc), nil
			},
		}).To("out", sdk.Kafka{Topic: "revenue", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{"ann", 20, noon}, Order{"bob", 5, noon}, Order{"ann", 30, noon.Add(10 * time.Second)}, Order{"ann", 1, noon.Add(time.Minute)})
	p.End() // closes all windows
	for _, line := range sdktest.Rows[string](p, "out") {
		fmt.Println(line)
	}
	// Output:
	// 12:00:00 ann {Sum:50 Greatest:30}
	// 12:00:00 bob {Sum:5 Greatest:5}
	// 12:01:00 ann {Sum:1 Greatest:1}
}

// The engine's own functions aggregate columns, in two phases as in SQL. The result's columns are found by their names.
func ExampleAggregateColumns() {
	type Bid struct {
		Auction, Price int64
		Bidder         *string
		At             time.Time `millrace:",rowtime"`
	}
	type Stats struct {
		Auction          int64     // the key
		Start            time.Time `millrace:"window_start"`
		Bids, Named      int64
		Lowest, Highest  int64
		Average, Revenue int64
		First, Last      int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		bids := sdk.KeyByFields[int64](sdk.From[Bid](env, "bids", sdk.Kafka{Topic: "bids"}), "auction")
		stats := sdk.AggregateColumns[Stats](sdk.Windows(bids, sdk.Tumble(time.Minute)), "stats",
			sdk.Count("bids"), sdk.CountOf("bidder", "named"), sdk.Min("price", "lowest"), sdk.Max("price", "highest"),
			sdk.Avg("price", "average"), sdk.Sum("price", "revenue"), sdk.FirstValue("price", "first"), sdk.LastValue("price", "last"))
		stats.To("out", sdk.Kafka{Topic: "stats"})
	}, sdktest.Options{})

	ann := "ann"
	sdktest.Push(p, "bids", Bid{1, 10, &ann, noon}, Bid{1, 30, nil, noon}, Bid{1, 21, &ann, noon})
	p.End()
	for _, s := range sdktest.Rows[Stats](p, "out") {
		fmt.Printf("%+v\n", s)
	}
	// Output:
	// {Auction:1 Start:2024-05-01 12:00:00 +0000 UTC Bids:3 Named:2 Lowest:10 Highest:30 Average:20 Revenue:61 First:10 Last:21}
}

// Windows of a minute, from each full minute to the next.
func ExampleTumble() {
	type Bid struct {
		Price int64
		At    time.Time `millrace:",rowtime"`
	}
	type Highest struct {
		Start time.Time `millrace:"window_start"`
		Price int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		bids := sdk.KeyBy(sdk.From[Bid](env, "bids", sdk.Kafka{Topic: "bids"}), func(*Bid) int32 { return 0 })
		sdk.AggregateColumns[Highest](sdk.Windows(bids, sdk.Tumble(time.Minute)), "highest", sdk.Max("price", "price")).To("out", sdk.Kafka{Topic: "highest"})
	}, sdktest.Options{})

	sdktest.Push(p, "bids", Bid{10, noon}, Bid{30, noon.Add(59 * time.Second)}, Bid{20, noon.Add(time.Minute)})
	p.End()
	for _, h := range sdktest.Rows[Highest](p, "out") {
		fmt.Println(h.Start.Format(time.TimeOnly), h.Price)
	}
	// Output:
	// 12:00:00 30
	// 12:01:00 20
}

// Windows of two minutes, one every minute: each row is in two of them.
func ExampleHop() {
	type Bid struct {
		Price int64
		At    time.Time `millrace:",rowtime"`
	}
	type Highest struct {
		Start time.Time `millrace:"window_start"`
		End   time.Time `millrace:"window_end"`
		Price int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		bids := sdk.KeyBy(sdk.From[Bid](env, "bids", sdk.Kafka{Topic: "bids"}), func(*Bid) int32 { return 0 })
		sdk.AggregateColumns[Highest](sdk.Windows(bids, sdk.Hop(2*time.Minute, time.Minute)), "highest", sdk.Max("price", "price")).To("out", sdk.Kafka{Topic: "highest"})
	}, sdktest.Options{})

	sdktest.Push(p, "bids", Bid{10, noon}, Bid{30, noon.Add(59 * time.Second)}, Bid{20, noon.Add(time.Minute)})
	p.End()
	for _, h := range sdktest.Rows[Highest](p, "out") {
		fmt.Println(h.Start.Format(time.TimeOnly), h.End.Format(time.TimeOnly), h.Price)
	}
	// Output:
	// 11:59:00 12:01:00 30
	// 12:00:00 12:02:00 30
	// 12:01:00 12:03:00 20
}

// The day so far, told each six hours.
func ExampleCumulate() {
	type Sale struct {
		Cents int64
		At    time.Time `millrace:",rowtime"`
	}
	type SoFar struct {
		End   time.Time `millrace:"window_end"`
		Cents int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		sales := sdk.KeyBy(sdk.From[Sale](env, "sales", sdk.Kafka{Topic: "sales"}), func(*Sale) int32 { return 0 })
		sdk.AggregateColumns[SoFar](sdk.Windows(sales, sdk.Cumulate(24*time.Hour, 6*time.Hour)), "so-far", sdk.Sum("cents", "cents")).To("out", sdk.Kafka{Topic: "so-far"})
	}, sdktest.Options{})

	midnight := noon.Add(-12 * time.Hour)
	sdktest.Push(p, "sales", Sale{300, midnight.Add(time.Hour)}, Sale{450, noon}, Sale{20, midnight.Add(24 * time.Hour)})
	p.Watermark("sales", midnight.Add(24*time.Hour))
	for _, s := range sdktest.Rows[SoFar](p, "out") {
		fmt.Println("until", s.End.Format(time.DateTime), s.Cents)
	}
	// Output:
	// until 2024-05-01 06:00:00 300
	// until 2024-05-01 12:00:00 300
	// until 2024-05-01 18:00:00 750
	// until 2024-05-02 00:00:00 750
}

// A session lasts as long as a user's clicks come less than half an hour after each other.
func ExampleSession() {
	type Click struct {
		User string
		At   time.Time `millrace:",rowtime"`
	}
	type Visit struct {
		User   string
		Start  time.Time `millrace:"window_start"`
		End    time.Time `millrace:"window_end"`
		Clicks int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		clicks := sdk.KeyByFields[string](sdk.From[Click](env, "clicks", sdk.Kafka{Topic: "clicks"}, sdk.Watermark(time.Hour)), "user")
		sdk.AggregateColumns[Visit](sdk.Windows(clicks, sdk.Session(30*time.Minute)), "visits", sdk.Count("clicks")).To("out", sdk.Kafka{Topic: "visits"})
	}, sdktest.Options{})

	sdktest.Push(p, "clicks", Click{"ann", noon}, Click{"ann", noon.Add(50 * time.Minute)}, Click{"bob", noon})
	sdktest.Push(p, "clicks", Click{"ann", noon.Add(25 * time.Minute)}) // makes one of two
	p.End()
	for _, v := range sdktest.Rows[Visit](p, "out") {
		fmt.Println(v.User, v.Start.Format(time.TimeOnly), v.End.Format(time.TimeOnly), v.Clicks)
	}
	// Unordered output:
	// ann 12:00:00 13:20:00 3
	// bob 12:00:00 12:30:00 1
}

// Windows lie in UTC. Days of a zone two hours ahead begin two hours earlier.
func ExampleWindow_Offset() {
	type Sale struct {
		Cents int64
		At    time.Time `millrace:",rowtime"`
	}
	type Day struct {
		Start time.Time `millrace:"window_start"`
		Cents int64
	}
	zone := time.FixedZone("CEST", 2*60*60)
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		sales := sdk.KeyBy(sdk.From[Sale](env, "sales", sdk.Kafka{Topic: "sales"}), func(*Sale) int32 { return 0 })
		days := sdk.Windows(sales, sdk.Tumble(24*time.Hour).Offset(-2*time.Hour))
		sdk.AggregateColumns[Day](days, "days", sdk.Sum("cents", "cents")).To("out", sdk.Kafka{Topic: "days"})
	}, sdktest.Options{})

	sdktest.Push(p, "sales", Sale{300, time.Date(2024, 5, 1, 23, 0, 0, 0, zone)}, Sale{450, time.Date(2024, 5, 2, 1, 0, 0, 0, zone)})
	p.End()
	for _, d := range sdktest.Rows[Day](p, "out") {
		fmt.Println(d.Start.In(zone), d.Cents)
	}
	// Output:
	// 2024-05-01 00:00:00 +0200 CEST 300
	// 2024-05-02 00:00:00 +0200 CEST 450
}

// Rows that come behind the end of their window are dropped, but for those who ask for them.
func ExampleLate() {
	type Order struct {
		Customer string
		Amount   int64
		At       time.Time `millrace:",rowtime"`
	}
	type Revenue struct {
		Customer string
		Amount   int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.KeyByFields[string](sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}), "customer")
		revenue := sdk.AggregateColumns[Revenue](sdk.Windows(orders, sdk.Tumble(time.Minute)).KeepLate(), "sums", sdk.Sum("amount", "amount"))
		revenue.To("revenue", sdk.Kafka{Topic: "revenue"})
		sdk.Late[Order](revenue).To("late", sdk.Kafka{Topic: "late-orders"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{"ann", 20, noon}, Order{"bob", 5, noon.Add(time.Minute)})
	sdktest.Push(p, "orders", Order{"ann", 1000, noon.Add(time.Second)})
	fmt.Println(sdktest.Rows[Revenue](p, "revenue"))
	for _, o := range sdktest.Rows[Order](p, "late") {
		fmt.Println("late:", o.Customer, o.Amount)
	}
	// Output:
	// [{ann 20}]
	// late: ann 1000
}

// A window that takes rows for half a minute after its end gives its result again with each of them: the last one counts.
func ExampleWindowed_AllowedLateness() {
	type Order struct {
		Customer string
		Amount   int64
		At       time.Time `millrace:",rowtime"`
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.KeyByFields[string](sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}), "customer")
		minutes := sdk.Windows(orders, sdk.Tumble(time.Minute)).AllowedLateness(30 * time.Second).KeepLate()
		revenue := sdk.Aggregate(minutes, "revenue", sdk.Aggregator[string, Order, int64, string]{
			Add: func(sum *int64, o *Order) error { *sum += o.Amount; return nil },
			Result: func(w sdk.WindowOf[string], sum *int64) (string, error) {
				return fmt.Sprintf("%s %s %d", w.Start.Format(time.TimeOnly), w.Key, *sum), nil
			},
		})
		revenue.To("out", sdk.Kafka{Topic: "revenue", Format: "raw"})
		sdk.Late[Order](revenue).To("late", sdk.Kafka{Topic: "late-orders"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{"ann", 20, noon}, Order{"bob", 5, noon.Add(80 * time.Second)})
	sdktest.Push(p, "orders", Order{"ann", 30, noon.Add(time.Second)})
	p.Watermark("orders", noon.Add(90*time.Second))
	sdktest.Push(p, "orders", Order{"ann", 1000, noon.Add(time.Second)})
	for _, line := range sdktest.Rows[string](p, "out") {
		fmt.Println(line)
	}
	fmt.Println(len(sdktest.Rows[Order](p, "late")), "came too late")
	// Output:
	// 12:00:00 ann 20
	// 12:00:00 ann 50
	// 1 came too late
}
