package sdk_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// The exported fields of a type are the columns of its rows: tags name them, give them types of SQL, and say which of them is event time.
func ExampleFrom() {
	type Order struct {
		ID       int64
		Customer string
		Coupon   *string   // may be NULL
		Paid     time.Time `millrace:"paid_at,rowtime"`
		Note     string    `millrace:"-"` // no column
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders", From: "latest-offset"}, sdk.Watermark(5*time.Second))
		orders.To("copy", sdk.Kafka{Topic: "copy"})
		fmt.Println(orders.Schema())
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{ID: 1, Customer: "ann", Paid: noon})
	fmt.Printf("%+v\n", sdktest.Rows[Order](p, "copy"))
	// Output:
	// (`id` BIGINT NOT NULL, `customer` STRING NOT NULL, `coupon` STRING, `paid_at` TIMESTAMP_LTZ(3) NOT NULL)
	// [{ID:1 Customer:ann Coupon:<nil> Paid:2024-05-01 12:00:00 +0000 UTC Note:}]
}

// The sink of a uid has transactions under it. What a crash has written twice is committed once.
func ExampleStream_To() {
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		lines := sdk.From[string](env, "lines", sdk.Kafka{Topic: "lines", Format: "raw"})
		lines.To("copy", sdk.Kafka{Topic: "copy", Format: "raw", Options: map[string]string{
			"sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": "copy",
		}})
	}, sdktest.Options{})

	sdktest.Push(p, "lines", "one")
	p.Checkpoint()
	sdktest.Push(p, "lines", "two")
	fmt.Println(sdktest.Committed[string](p, "copy"), "of", sdktest.Rows[string](p, "copy"))
	p.Crash()
	p.Checkpoint()
	fmt.Println(sdktest.Committed[string](p, "copy"))
	// Output:
	// [one] of [one two]
	// [one two]
}

// Any connector is there with the options that it has in SQL.
func ExampleConnect() {
	type Order struct{ Customer string }
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.From[Order](env, "orders", sdk.Connect{Name: "filesystem", Options: map[string]string{
			"path": "/data/orders", "format": "json", "on-error": "skip",
		}})
		orders.To("out", sdk.Connect{Name: "print"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{"ann"})
	fmt.Println(sdktest.Rows[Order](p, "out"))
	// Output: [{ann}]
}

// Event time is five seconds behind the latest order, so an order may come five seconds out of order and still be in its window.
func ExampleWatermark() {
	type Order struct {
		Amount int64
		At     time.Time `millrace:",rowtime"`
	}
	type Sum struct{ Sum int64 }
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}, sdk.Watermark(5*time.Second))
		all := sdk.KeyBy(orders, func(*Order) int32 { return 0 })
		sdk.AggregateColumns[Sum](sdk.Windows(all, sdk.Tumble(time.Minute)), "sums", sdk.Sum("amount", "sum")).To("out", sdk.Kafka{Topic: "sums"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{1, noon.Add(58 * time.Second)}, Order{1000, noon.Add(62 * time.Second)})
	sdktest.Push(p, "orders", Order{10, noon.Add(59 * time.Second)})
	fmt.Println(sdktest.Take[Sum](p, "out"))
	sdktest.Push(p, "orders", Order{2000, noon.Add(65 * time.Second)})
	fmt.Println(sdktest.Take[Sum](p, "out"))
	// Output:
	// []
	// [{11}]
}

// A partition in which nothing comes holds event time back: with Idle, no longer than that.
func ExampleIdle() {
	type Order struct {
		Amount int64
		At     time.Time `millrace:",rowtime"`
	}
	type Sum struct{ Sum int64 }
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}, sdk.Idle(30*time.Second))
		all := sdk.KeyBy(orders, func(*Order) int32 { return 0 })
		sdk.AggregateColumns[Sum](sdk.Windows(all, sdk.Tumble(time.Minute)), "sums", sdk.Sum("amount", "sum")).To("out", sdk.Kafka{Topic: "sums"})
	}, sdktest.Options{Splits: map[string]int{"orders": 2}})

	sdktest.PushSplit(p, "orders", 1, Order{1, noon})
	sdktest.PushSplit(p, "orders", 0, Order{10, noon}, Order{100, noon.Add(time.Hour)})
	fmt.Println(sdktest.Take[Sum](p, "out"))
	p.Advance(20 * time.Second)
	sdktest.PushSplit(p, "orders", 0, Order{100, noon.Add(time.Hour)})
	p.Advance(10 * time.Second) // the other split has been silent for half a minute
	fmt.Println(sdktest.Take[Sum](p, "out"))
	// Output:
	// []
	// [{11}]
}

// An error of the function fails the job, which tells it with the row and where that came from.
func ExampleMap() {
	type Line struct{ Value string }
	type Sale struct {
		Article string
		Cents   int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		lines := sdk.From[Line](env, "lines", sdk.Kafka{Topic: "till", Format: "raw"})
		sales := sdk.Map(lines, func(l *Line) (Sale, error) {
			var s Sale
			_, err := fmt.Sscan(l.Value, &s.Article, &s.Cents)
			return s, err
		})
		sales.To("sales", sdk.Kafka{Topic: "sales"})
	}, sdktest.Options{})

	sdktest.Push(p, "lines", Line{"tea 300"}, Line{"cake 450"})
	fmt.Println(sdktest.Rows[Sale](p, "sales"))
	err := p.Failure(func() { sdktest.Push(p, "lines", Line{"tea for two"}) })
	fmt.Println(withoutLines(err))
	// Output:
	// [{tea 300} {cake 450}]
	// task lines/0: source lines, split 0, row 2: in 1 rows from there on: map map-1 (example_stream_test.go): expected integer
	//   in task lines/0, row {Value:tea for two}
}

// A function may give no row, or many.
func ExampleFlatMap() {
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		lines := sdk.From[string](env, "lines", sdk.Kafka{Topic: "lines", Format: "raw"})
		words := sdk.FlatMap(lines, func(line *string, out *sdk.Collector[string]) error {
			for word := range strings.FieldsSeq(*line) {
				out.Collect(strings.ToLower(word))
			}
			return nil
		})
		words.To("words", sdk.Kafka{Topic: "words", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "lines", "To be, or", "", "not to be")
	fmt.Printf("%q\n", sdktest.Rows[string](p, "words"))
	// Output: ["to" "be," "or" "not" "to" "be"]
}

// The function borrows the row: it may read it, and must not keep the pointer.
func ExampleStream_Filter() {
	type Bid struct {
		Auction int64
		Price   int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		bids := sdk.From[Bid](env, "bids", sdk.Kafka{Topic: "bids"})
		bids.Filter(func(b *Bid) bool { return b.Price >= 100 }).To("high", sdk.Kafka{Topic: "high-bids"})
	}, sdktest.Options{})

	sdktest.Push(p, "bids", Bid{1, 99}, Bid{2, 100}, Bid{1, 120})
	fmt.Println(sdktest.Rows[Bid](p, "high"))
	// Output: [{2 100} {1 120}]
}

// Streams of one type become one. Event time of what comes out is that of the stream that is behind.
func ExampleUnion() {
	type Order struct {
		Shop string
		At   time.Time `millrace:",rowtime"`
	}
	type Count struct{ Orders int64 }
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		web := sdk.From[Order](env, "web", sdk.Kafka{Topic: "web"})
		tills := sdk.From[Order](env, "tills", sdk.Kafka{Topic: "tills"})
		orders := sdk.KeyBy(sdk.Union(web, tills), func(*Order) int32 { return 0 })
		sdk.AggregateColumns[Count](sdk.Windows(orders, sdk.Tumble(time.Minute)), "counts", sdk.Count("orders")).To("out", sdk.Kafka{Topic: "counts"})
	}, sdktest.Options{})

	sdktest.Push(p, "web", Order{"web", noon}, Order{"web", noon.Add(time.Minute)})
	sdktest.Push(p, "tills", Order{"Main Street", noon.Add(30 * time.Second)})
	fmt.Println(sdktest.Rows[Count](p, "out"))
	p.Watermark("tills", noon.Add(time.Minute))
	fmt.Println(sdktest.Rows[Count](p, "out"))
	// Output:
	// []
	// [{2}]
}

// Arguments are those behind -- on the command line: mybin submit --cluster ... -- eu 100. Tasks get the same ones, so the job is the same where it runs.
func ExampleEnv_Args() {
	type Order struct {
		Region string
		Amount int64
	}
	job := func(env *sdk.Env) {
		if len(env.Args()) != 1 {
			env.Problemf("the job takes a region, and has %d arguments", len(env.Args()))
			return
		}
		region := env.Args()[0]
		orders := sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders-" + region})
		orders.Filter(func(o *Order) bool { return o.Region == region }).To("out", sdk.Kafka{Topic: region})
	}
	p := sdktest.Start(tester{}, job, sdktest.Options{Args: []string{"eu"}})
	sdktest.Push(p, "orders", Order{"eu", 20}, Order{"us", 30})
	fmt.Println(sdktest.Rows[Order](p, "out"))
	fmt.Println(withoutLines(sdktest.Refused(tester{}, job, sdktest.Options{})))
	// Output:
	// [{eu 20}]
	// example_stream_test.go: the job takes a region, and has 0 arguments
}

// Everything that is wrong with a description is said at once, each with the file and line of the call.
func ExampleEnv_Problemf() {
	type Order struct{ Customer string }
	err := sdktest.Refused(tester{}, func(env *sdk.Env) {
		orders := sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"})
		if env.Require("REGION") == "mars" {
			env.Problemf("nobody delivers to mars")
		}
		sdk.KeyByFields[string](orders, "customr")
	}, sdktest.Options{Env: map[string]string{"REGION": "mars"}})
	fmt.Println(withoutLines(err))
	// Output:
	// 2 problems:
	//   example_stream_test.go: nobody delivers to mars
	//   example_stream_test.go: sdk_test.Order has no column "customr"; hint: its columns are customer
}

// Variables of the environment are those of whoever submits the job. They travel with it.
func ExampleEnv_Require() {
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		brokers := env.Require("KAFKA_BROKERS")
		lines := sdk.From[string](env, "lines", sdk.Kafka{Brokers: brokers, Topic: "lines", Format: "raw"})
		lines.To("copy", sdk.Kafka{Brokers: brokers, Topic: "copy", Format: "raw"})
		fmt.Println("the brokers are", brokers)
	}, sdktest.Options{Env: map[string]string{"KAFKA_BROKERS": "kafka-1:9092,kafka-2:9092"}})

	sdktest.Push(p, "lines", "one")
	fmt.Println(sdktest.Rows[string](p, "copy"))
	// Output:
	// the brokers are kafka-1:9092,kafka-2:9092
	// [one]
}

// A record that can't be read, and what is wrong with it, goes to a stream of its own.
func ExampleProcess() {
	type Sale struct{ Cents int64 }
	type Unread struct{ Line, Reason string }
	errNegative := errors.New("a sale is worth something")
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		lines := sdk.From[string](env, "lines", sdk.Kafka{Topic: "till", Format: "raw"})
		sales := sdk.Process(lines, func(s *sdk.Setup) func(*sdk.Context[struct{}, Sale], *string) error {
			unread := sdk.NewSide[Unread](s, "unread")
			return func(c *sdk.Context[struct{}, Sale], line *string) error {
				var sale Sale
				_, err := fmt.Sscan(*line, &sale.Cents)
				if err == nil && sale.Cents <= 0 {
					err = errNegative
				}
				if err != nil {
					unread.Collect(Unread{*line, err.Error()})
					return nil
				}
				c.Collect(sale)
				return nil
			}
		})
		sales.To("sales", sdk.Kafka{Topic: "sales"})
		sdk.SideOutput[Unread](sales, "unread").To("unread", sdk.Kafka{Topic: "unread"})
	}, sdktest.Options{})

	sdktest.Push(p, "lines", "300", "-1", "tea")
	fmt.Println(sdktest.Rows[Sale](p, "sales"))
	fmt.Printf("%+v\n", sdktest.Rows[Unread](p, "unread"))
	// Output:
	// [{300}]
	// [{Line:-1 Reason:a sale is worth something} {Line:tea Reason:expected integer}]
}

// A side output is declared where the function is made, and has a type of its own.
func ExampleSideOutput() {
	type Reading struct {
		Sensor  string
		Celsius float64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		readings := sdk.KeyByFields[string](sdk.From[Reading](env, "readings", sdk.Kafka{Topic: "readings"}), "sensor")
		changes := sdk.KeyedProcess(readings, "heat", func(s *sdk.Setup) sdk.Processor[string, Reading, Reading] {
			last := sdk.NewValue[float64](s, "last")
			alarms := sdk.NewSide[string](s, "alarms")
			return sdk.Processor[string, Reading, Reading]{Row: func(c *sdk.Context[string, Reading], r *Reading) error {
				before, ok := last.Get()
				if ok && r.Celsius > before+10 {
					alarms.Collect(c.Key() + " is getting hot")
				}
				if before != r.Celsius {
					c.Collect(*r)
				}
				last.Set(r.Celsius)
				return nil
			}}
		})
		changes.To("changes", sdk.Kafka{Topic: "changes"})
		sdk.SideOutput[string](changes, "alarms").To("alarms", sdk.Kafka{Topic: "alarms", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "readings", Reading{"oven", 20}, Reading{"oven", 20}, Reading{"oven", 95})
	fmt.Println(sdktest.Rows[Reading](p, "changes"), sdktest.Rows[string](p, "alarms"))
	// Output: [{oven 20} {oven 95}] [oven is getting hot]
}

// A date has no time and no zone, and is a DATE of SQL.
func ExampleDate() {
	type Order struct {
		ID  int64
		Due sdk.Date
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		env.View("orders", sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}))
		sdk.Query[Order](env, "moved", "SELECT id, due + INTERVAL '1' MONTH AS due FROM orders").To("out", sdk.Kafka{Topic: "moved"})
	}, sdktest.Options{})

	due := time.Date(2024, 1, 31, 23, 30, 0, 0, time.FixedZone("CET", 3600))
	sdktest.Push(p, "orders", Order{1, sdk.DateOf(due)})
	for _, o := range sdktest.Rows[Order](p, "out") {
		fmt.Println(o.ID, o.Due, o.Due.Time().Weekday())
	}
	// Output: 1 2024-02-29 Thursday
}

// A field that is a decimal says how many digits it has. What a function gives is rounded to them.
func ExampleDecimal() {
	type Price struct {
		Net sdk.Decimal `type:"DECIMAL(10, 2)"`
	}
	type Gross struct {
		Gross sdk.Decimal `type:"DECIMAL(12, 2)"`
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		prices := sdk.From[Price](env, "prices", sdk.Kafka{Topic: "prices"})
		free := sdk.DecimalOf(0, 0)
		env.View("prices", prices.Filter(func(p *Price) bool { return p.Net.Cmp(free) > 0 })) // 0.00 is equal to 0, and not ==
		sdk.Query[Gross](env, "gross", "SELECT CAST(net * 1.19 AS DECIMAL(12, 2)) AS gross FROM prices").To("out", sdk.Kafka{Topic: "gross"})
	}, sdktest.Options{})

	net, err := sdk.ParseDecimal("19.999")
	fmt.Println(net, net.Scale(), err)
	sdktest.Push(p, "prices", Price{net}, Price{sdk.DecimalOf(0, 2)}, Price{sdk.DecimalOf(-150, 2)})
	fmt.Println(sdktest.Rows[Gross](p, "out"))
	// Output:
	// 19.999 3 <nil>
	// [{23.80}]
}
