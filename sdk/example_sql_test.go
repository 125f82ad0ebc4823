package sdk_test

import (
	"fmt"
	"strings"
	"time"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// A query over a stream of the job gives a stream again. Its state and that of the functions around it are of one job, and of the same checkpoints.
func ExampleQuery() {
	type Bid struct {
		Channel string
		Price   int64
		Placed  time.Time `millrace:",rowtime"`
	}
	type Count struct { // found among the query's columns by name
		Channel string
		Bids    int64
		Start   time.Time `millrace:"window_start" type:"TIMESTAMP(3)"`
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		bids := sdk.From[Bid](env, "bids", sdk.Kafka{Topic: "bids"}, sdk.Watermark(5*time.Second))
		env.View("bids", bids.Filter(func(b *Bid) bool { return b.Price > 0 }))
		counts := sdk.Query[Count](env, "counts", `
			SELECT channel, COUNT(*) AS bids, window_start
			FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(placed), INTERVAL '1' MINUTE))
			GROUP BY channel, window_start, window_end`)
		sdk.Map(counts, func(c *Count) (string, error) {
			return fmt.Sprintf("%s %s %d", c.Start.Format(time.TimeOnly), c.Channel, c.Bids), nil
		}).To("out", sdk.Kafka{Topic: "counts", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "bids", Bid{"web", 10, noon}, Bid{"web", 0, noon}, Bid{"tv", 30, noon}, Bid{"web", 20, noon})
	p.Watermark("bids", noon.Add(time.Minute))
	fmt.Println(strings.Join(sdktest.Rows[string](p, "out"), "\n"))
	// Unordered output:
	// 12:00:00 web 2
	// 12:00:00 tv 1
}

// A query that aggregates without windows gives updates: its stream has them, and the sink has to take them.
func ExampleKind() {
	type Order struct {
		Customer string
		Amount   int64
	}
	type Total struct {
		Customer string
		Sum      int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		env.View("orders", sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}))
		totals := sdk.Query[Total](env, "totals", "SELECT customer, SUM(amount) AS `sum` FROM orders GROUP BY customer")
		totals.To("out", sdk.Connect{Name: "print"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{"ann", 20})
	sdktest.Push(p, "orders", Order{"ann", 30})
	for _, change := range sdktest.Changes[Total](p, "out") {
		fmt.Println(change.Kind, change.Row.Customer, change.Row.Sum)
	}
	// Output:
	// +I ann 20
	// -U ann 20
	// +U ann 50
}

// SQL reads a stream as a table. Its columns are those of the stream's type, and its rowtime is event time there too.
func ExampleEnv_View() {
	type Reading struct {
		Sensor   string
		Celsius  float64
		Measured time.Time `millrace:",rowtime"`
	}
	type Change struct {
		Sensor string
		Rise   *float64 // NULL of a sensor's first
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		env.View("readings", sdk.From[Reading](env, "readings", sdk.Kafka{Topic: "readings"}, sdk.Watermark(time.Minute)))
		sdk.Query[Change](env, "changes", `
			SELECT sensor, celsius - LAG(celsius) OVER (PARTITION BY sensor ORDER BY measured) AS rise
			FROM readings`).To("out", sdk.Kafka{Topic: "changes"})
	}, sdktest.Options{})

	sdktest.Push(p, "readings", Reading{"oven", 95, noon.Add(time.Second)}, Reading{"oven", 20, noon}, Reading{"fridge", 5, noon})
	p.End()
	for _, c := range sdktest.Rows[Change](p, "out") {
		if c.Rise == nil {
			fmt.Println(c.Sensor)
		} else {
			fmt.Println(c.Sensor, *c.Rise)
		}
	}
	// Unordered output:
	// oven
	// oven 75
	// fridge
}

// An INSERT is a part of the job, under a uid of its own. Beside it stand functions in Go.
func ExampleEnv_Insert() {
	type Order struct {
		Customer string
		Amount   int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"})
		env.View("orders", orders)
		env.Execute("CREATE TABLE high (customer STRING NOT NULL, amount BIGINT NOT NULL) WITH ('connector' = 'print')")
		env.Insert("high", "INSERT INTO high SELECT customer, amount FROM orders WHERE amount >= 100")
		orders.Filter(func(o *Order) bool { return o.Amount < 100 }).To("low", sdk.Kafka{Topic: "low"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{"ann", 100}, Order{"bob", 99})
	fmt.Println(sdktest.Rows[Order](p, "high"), sdktest.Rows[Order](p, "low"))
	// Output: [{ann 100}] [{bob 99}]
}

// Tables and settings of a script are there for the queries behind it.
func ExampleEnv_Execute() {
	type Order struct {
		Customer string
		Amount   int64
	}
	type Named struct {
		Name   string
		Amount int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		env.View("orders", sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}))
		env.Execute(`
			SET 'table.exec.state.ttl' = '1 d';
			CREATE TABLE customers (id STRING, name STRING) WITH (
				'connector' = 'kafka', 'topic' = 'customers', 'format' = 'json', 'properties.bootstrap.servers' = 'kafka:9092');
			CREATE VIEW high AS SELECT * FROM orders WHERE amount >= 100`)
		sdk.Query[Named](env, "named", `
			SELECT c.name, o.amount FROM high AS o JOIN customers AS c ON o.customer = c.id`).To("out", sdk.Kafka{Topic: "named"})
	}, sdktest.Options{})

	type Customer struct{ ID, Name string }
	sdktest.Push(p, "named", Customer{"c1", "ann"}) // in the only table that the query reads
	sdktest.Push(p, "orders", Order{"c1", 20}, Order{"c1", 100})
	fmt.Println(sdktest.Rows[Named](p, "out"))
	// Output: [{ann 100}]
}

// A script has all that SQL jobs have. Its first INSERT is sql-1.
func ExampleEnv_SQL() {
	type Order struct {
		Customer string
		Amount   int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		env.SQL(`
			CREATE TABLE orders (customer STRING NOT NULL, amount BIGINT NOT NULL) WITH (
				'connector' = 'kafka', 'topic' = 'orders', 'format' = 'json', 'properties.bootstrap.servers' = 'kafka:9092');
			CREATE TABLE high WITH ('connector' = 'print') LIKE orders (EXCLUDING ALL);
			INSERT INTO high SELECT customer, amount FROM orders WHERE amount >= 100`)
	}, sdktest.Options{})

	sdktest.Push(p, "sql-1", Order{"ann", 100}, Order{"bob", 99})
	fmt.Println(sdktest.Rows[Order](p, "sql-1"))
	// Output: [{ann 100}]
}

// SQL calls functions in Go by the names that the job gives them.
func ExampleScalarFunc() {
	type Visit struct{ Mail *string }
	type Domain struct{ Domain *string }
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		env.View("visits", sdk.From[Visit](env, "visits", sdk.Kafka{Topic: "visits"}))
		sdk.ScalarFunc(env, "domain", func(mail string) (string, error) { // is not called for NULL
			_, domain, ok := strings.Cut(mail, "@")
			if !ok {
				return "", fmt.Errorf("%q is no address", mail)
			}
			return strings.ToLower(domain), nil
		})
		sdk.Query[Domain](env, "domains", "SELECT DOMAIN(mail) AS domain FROM visits").To("out", sdk.Kafka{Topic: "domains"})
	}, sdktest.Options{})

	ann, bob := "ann@Example.org", "bob"
	sdktest.Push(p, "visits", Visit{&ann}, Visit{nil})
	for _, d := range sdktest.Rows[Domain](p, "out") {
		if d.Domain == nil {
			fmt.Println("NULL")
		} else {
			fmt.Println(*d.Domain)
		}
	}
	err := p.Failure(func() { sdktest.Push(p, "visits", Visit{&bob}) })
	fmt.Println(strings.Contains(err.Error(), `function DOMAIN('bob'): "bob" is no address`))
	// Output:
	// example.org
	// NULL
	// true
}

// An argument that is a pointer may be NULL.
func ExampleScalarFunc2() {
	type Name struct{ First, Last *string }
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		env.View("names", sdk.From[Name](env, "names", sdk.Kafka{Topic: "names"}))
		sdk.ScalarFunc2(env, "full_name", func(first *string, last string) (string, error) {
			if first == nil {
				return last, nil
			}
			return *first + " " + last, nil
		})
		type Full struct{ Name *string }
		full := sdk.Query[Full](env, "full", "SELECT full_name(`first`, `last`) AS name FROM names WHERE full_name(`first`, `last`) IS NOT NULL")
		sdk.Map(full, func(f *Full) (string, error) { return *f.Name, nil }).To("out", sdk.Kafka{Topic: "full", Format: "raw"})
	}, sdktest.Options{})

	ann, lee := "Ann", "Lee"
	sdktest.Push(p, "names", Name{&ann, &lee}, Name{nil, &lee}, Name{&ann, nil})
	fmt.Printf("%q\n", sdktest.Rows[string](p, "out"))
	// Output: ["Ann Lee" "Lee"]
}

// A function of batches has its arguments as columns, found by their places.
func ExampleScalarBatch() {
	type Bid struct{ Price, Reserve int64 }
	type Over struct{ Over float64 }
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		env.View("bids", sdk.From[Bid](env, "bids", sdk.Kafka{Topic: "bids"}))
		price, reserve := sdk.Argument[int64](0), sdk.Argument[int64](1)
		sdk.ScalarBatch[Bid](env, "over", func(args *sdk.Batch, out []float64) error {
			prices, reserves := price.In(args), reserve.In(args)
			for i := range out {
				out[i] = float64(prices[i]) / float64(reserves[i])
			}
			return nil
		})
		sdk.Query[Over](env, "overs", "SELECT `over`(price, reserve) AS `over` FROM bids").To("out", sdk.Kafka{Topic: "overs"})
	}, sdktest.Options{})

	sdktest.Push(p, "bids", Bid{100, 50}, Bid{30, 40})
	fmt.Println(sdktest.Rows[Over](p, "out"))
	// Output: [{2} {0.75}]
}

// A function that makes rows stands in FROM.
func ExampleTableFunc() {
	type Line struct {
		ID   int64
		Text string
	}
	type Word struct {
		Word string
		Len  int64
	}
	type Found struct {
		ID int64
		Word
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		env.View("lines", sdk.From[Line](env, "lines", sdk.Kafka{Topic: "lines"}))
		sdk.TableFunc(env, "words", func(text string, emit func(Word)) error {
			for w := range strings.FieldsSeq(text) {
				emit(Word{w, int64(len(w))})
			}
			return nil
		})
		sdk.Query[Found](env, "found", "SELECT id, word, len FROM lines, LATERAL TABLE(words(text)) WHERE len > 2").To("out", sdk.Kafka{Topic: "words"})
	}, sdktest.Options{})

	sdktest.Push(p, "lines", Line{1, "tea for two"}, Line{2, ""}, Line{3, "a cake"})
	for _, f := range sdktest.Rows[Found](p, "out") {
		fmt.Println(f.ID, f.Word.Word, f.Len)
	}
	// Output:
	// 1 tea 3
	// 1 for 3
	// 1 two 3
	// 3 cake 4
}

// An aggregate function keeps an accumulator for each group. With Merge it aggregates in two phases, and with Retract it takes updates.
func ExampleAggregateFunc() {
	type Order struct {
		City             string
		Price, Kilograms int64
	}
	type Weighted struct{ Sum, Weight int64 }
	type Value struct{ Price, Kilograms int64 } // stands for two arguments
	type Average struct {
		City    string
		Average float64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		env.View("orders", sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}))
		sdk.AggregateFunc(env, "weighted", sdk.AggregateOf[Value, Weighted, float64]{
			Add: func(acc *Weighted, v Value) error {
				acc.Sum, acc.Weight = acc.Sum+v.Price*v.Kilograms, acc.Weight+v.Kilograms
				return nil
			},
			Retract: func(acc *Weighted, v Value) error {
				acc.Sum, acc.Weight = acc.Sum-v.Price*v.Kilograms, acc.Weight-v.Kilograms
				return nil
			},
			Merge: func(acc, other *Weighted) error {
				acc.Sum, acc.Weight = acc.Sum+other.Sum, acc.Weight+other.Weight
				return nil
			},
			Result: func(acc *Weighted) (float64, error) { return float64(acc.Sum) / float64(acc.Weight), nil },
		})
		sdk.Query[Average](env, "averages", "SELECT city, WEIGHTED(price, kilograms) AS average FROM orders GROUP BY city").To("out", sdk.Connect{Name: "print"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{"Paris", 10, 1}, Order{"Rome", 8, 2}, Order{"Paris", 4, 2})
	for _, change := range sdktest.Changes[Average](p, "out") {
		fmt.Println(change)
	}
	// Unordered output:
	// +I{City:Paris Average:6}
	// +I{City:Rome Average:8}
}

// A function that goes by more than its arguments says so. Otherwise calls with constants are made when the job is described.
func ExampleVaries() {
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		env.View("lines", sdk.From[string](env, "lines", sdk.Kafka{Topic: "lines", Format: "raw"}))
		calls := 0 // parallelism 1: one goroutine calls
		sdk.ScalarFunc(env, "ticket", func(series string) (string, error) {
			calls++
			return fmt.Sprintf("%s-%d", series, calls), nil
		}, sdk.Varies())
		type Ticket struct{ Ticket string }
		tickets := sdk.Query[Ticket](env, "tickets", "SELECT TICKET('A') AS ticket FROM lines")
		sdk.Map(tickets, func(t *Ticket) (string, error) { return t.Ticket, nil }).To("out", sdk.Kafka{Topic: "tickets", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "lines", "one", "two")
	fmt.Println(sdktest.Rows[string](p, "out"))
	// Output: [A-1 A-2]
}
