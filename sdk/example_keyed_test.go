package sdk_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// The key is what the function makes of a row. Behind AggregateColumns it is the column key.
func ExampleKeyBy() {
	type Visit struct {
		Mail string
		At   time.Time `millrace:",rowtime"`
	}
	type Count struct {
		Key    string
		Visits int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		visits := sdk.From[Visit](env, "visits", sdk.Kafka{Topic: "visits"})
		byDomain := sdk.KeyBy(visits, func(v *Visit) string {
			_, domain, _ := strings.Cut(v.Mail, "@")
			return strings.ToLower(domain)
		})
		sdk.AggregateColumns[Count](sdk.Windows(byDomain, sdk.Tumble(time.Hour)), "counts", sdk.Count("visits")).To("out", sdk.Kafka{Topic: "counts"})
	}, sdktest.Options{})

	sdktest.Push(p, "visits", Visit{"ann@example.org", noon}, Visit{"bob@Example.ORG", noon}, Visit{"cy@example.com", noon})
	p.End()
	fmt.Println(sdktest.Rows[Count](p, "out"))
	// Output: [{example.org 2} {example.com 1}]
}

// A key of several columns is a struct with a field for each. Nothing is computed for a row.
func ExampleKeyByFields() {
	type Order struct {
		Country, City string
		Amount        int64
	}
	type Place struct{ Country, City string }
	type Total struct {
		Place Place
		Sum   int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"})
		byPlace := sdk.KeyByFields[Place](orders, "country", "city")
		totals := sdk.KeyedProcess(byPlace, "totals", func(s *sdk.Setup) sdk.Processor[Place, Order, Total] {
			sum := sdk.NewValue[int64](s, "sum")
			return sdk.Processor[Place, Order, Total]{Row: func(c *sdk.Context[Place, Total], o *Order) error {
				total, _ := sum.Get()
				sum.Set(total + o.Amount)
				c.Collect(Total{c.Key(), total + o.Amount})
				return nil
			}}
		})
		totals.To("out", sdk.Kafka{Topic: "totals"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{"FR", "Paris", 20}, Order{"US", "Paris", 5}, Order{"FR", "Paris", 30})
	fmt.Println(sdktest.Rows[Total](p, "out"))
	// Output: [{{FR Paris} 20} {{US Paris} 5} {{FR Paris} 50}]
}

// A row is given where a sensor's value has gone up by more than ten since the one before.
func ExampleKeyedProcess() {
	type Reading struct {
		Sensor  string
		Celsius float64
	}
	type Alarm struct {
		Sensor   string
		From, To float64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		readings := sdk.KeyByFields[string](sdk.From[Reading](env, "readings", sdk.Kafka{Topic: "readings"}), "sensor")
		alarms := sdk.KeyedProcess(readings, "alarms", func(s *sdk.Setup) sdk.Processor[string, Reading, Alarm] {
			last := sdk.NewValue[float64](s, "last") // of the sensor of the row that is at hand
			return sdk.Processor[string, Reading, Alarm]{Row: func(c *sdk.Context[string, Alarm], r *Reading) error {
				if before, ok := last.Get(); ok && r.Celsius > before+10 {
					c.Collect(Alarm{c.Key(), before, r.Celsius})
				}
				last.Set(r.Celsius)
				return nil
			}}
		})
		alarms.To("out", sdk.Kafka{Topic: "alarms"})
	}, sdktest.Options{})

	sdktest.Push(p, "readings", Reading{"oven", 20}, Reading{"fridge", 5}, Reading{"oven", 95}, Reading{"fridge", 6})
	fmt.Println(sdktest.Rows[Alarm](p, "out"))
	// Output: [{oven 20 95}]
}

// Setup is called once in each task. Variables are the task's, and are lost with it; what has to survive is state.
func ExampleSetup() {
	type Order struct{ Customer string }
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.KeyByFields[string](sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}), "customer")
		counts := sdk.KeyedProcess(orders, "counts", func(s *sdk.Setup) sdk.Processor[string, Order, string] {
			kept := sdk.NewValue[int64](s, "kept")
			lost := make(map[string]int64)
			return sdk.Processor[string, Order, string]{Row: func(c *sdk.Context[string, string], _ *Order) error {
				n, _ := kept.Get()
				kept.Set(n + 1)
				lost[c.Key()]++
				c.Collect(fmt.Sprintf("%s: state has %d, a variable %d", c.Key(), n+1, lost[c.Key()]))
				return nil
			}}
		})
		counts.To("out", sdk.Kafka{Topic: "counts", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{"ann"}, Order{"ann"})
	p.Checkpoint()
	p.Crash()
	sdktest.Push(p, "orders", Order{"ann"})
	for _, line := range sdktest.Rows[string](p, "out") {
		fmt.Println(line)
	}
	// Output:
	// ann: state has 1, a variable 1
	// ann: state has 2, a variable 2
	// ann: state has 3, a variable 1
}

// The fields of a state's type are its columns: the next version of a job may have more of them.
func ExampleNewValue() {
	type Order struct {
		Customer string
		Amount   int64
	}
	type Total struct{ Sum int64 }
	type Totals struct{ Sum, Greatest int64 }
	job := func(make func(s *sdk.Setup) sdk.Processor[string, Order, string]) func(*sdk.Env) {
		return func(env *sdk.Env) {
			orders := sdk.KeyByFields[string](sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}), "customer")
			sdk.KeyedProcess(orders, "totals", make).To("out", sdk.Kafka{Topic: "totals", Format: "raw"})
		}
	}
	before := job(func(s *sdk.Setup) sdk.Processor[string, Order, string] {
		total := sdk.NewValue[Total](s, "total")
		return sdk.Processor[string, Order, string]{Row: func(c *sdk.Context[string, string], o *Order) error {
			t, _ := total.Get()
			t.Sum += o.Amount
			total.Set(t)
			c.Collect(fmt.Sprintf("%s %+v", c.Key(), t))
			return nil
		}}
	})
	after := job(func(s *sdk.Setup) sdk.Processor[string, Order, string] {
		total := sdk.NewValue[Totals](s, "total")
		return sdk.Processor[string, Order, string]{Row: func(c *sdk.Context[string, string], o *Order) error {
			t, _ := total.Get()
			t.Sum, t.Greatest = t.Sum+o.Amount, max(t.Greatest, o.Amount)
			total.Set(t)
			c.Collect(fmt.Sprintf("%s %+v", c.Key(), t))
			return nil
		}}
	})

	p := sdktest.Start(tester{}, before, sdktest.Options{})
	sdktest.Push(p, "orders", Order{"ann", 20})
	p.Upgrade(after) // by a savepoint
	sdktest.Push(p, "orders", Order{"ann", 5})
	fmt.Println(strings.Join(sdktest.Rows[string](p, "out"), "\n"))
	// Output:
	// ann {Sum:20}
	// ann {Sum:25 Greatest:5}
}

// Payments are passed on once: what was seen is forgotten when it was not written for an hour of processing time.
func ExampleTTL() {
	type Payment struct{ ID string }
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		payments := sdk.KeyByFields[string](sdk.From[Payment](env, "payments", sdk.Kafka{Topic: "payments"}), "id")
		once := sdk.KeyedProcess(payments, "once", func(s *sdk.Setup) sdk.Processor[string, Payment, Payment] {
			seen := sdk.NewValue[bool](s, "seen", sdk.TTL(time.Hour))
			return sdk.Processor[string, Payment, Payment]{Row: func(c *sdk.Context[string, Payment], p *Payment) error {
				if _, again := seen.Get(); !again {
					seen.Set(true)
					c.Collect(*p)
				}
				return nil
			}}
		})
		once.To("out", sdk.Kafka{Topic: "payments-once"})
	}, sdktest.Options{})

	sdktest.Push(p, "payments", Payment{"p1"}, Payment{"p2"}, Payment{"p1"})
	fmt.Println(sdktest.Take[Payment](p, "out"))
	p.Advance(59 * time.Minute)
	sdktest.Push(p, "payments", Payment{"p1"})
	fmt.Println(sdktest.Take[Payment](p, "out"))
	p.Advance(time.Minute)
	sdktest.Push(p, "payments", Payment{"p1"})
	fmt.Println(sdktest.Take[Payment](p, "out"))
	// Output:
	// [{p1} {p2}]
	// []
	// [{p1}]
}

// Articles wait in a list until their parcel is closed.
func ExampleNewList() {
	type Packed struct {
		Parcel  int64
		Article string // "": the parcel is closed
	}
	type Parcel struct {
		ID       int64
		Articles []string
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		packed := sdk.KeyByFields[int64](sdk.From[Packed](env, "packed", sdk.Kafka{Topic: "packed"}), "parcel")
		parcels := sdk.KeyedProcess(packed, "parcels", func(s *sdk.Setup) sdk.Processor[int64, Packed, Parcel] {
			articles := sdk.NewList[string](s, "articles")
			return sdk.Processor[int64, Packed, Parcel]{Row: func(c *sdk.Context[int64, Parcel], p *Packed) error {
				if p.Article != "" {
					articles.Add(p.Article)
					return nil
				}
				c.Collect(Parcel{c.Key(), slices.Collect(articles.All())})
				articles.Clear()
				return nil
			}}
		})
		parcels.To("out", sdk.Kafka{Topic: "parcels"})
	}, sdktest.Options{})

	sdktest.Push(p, "packed", Packed{1, "tea"}, Packed{2, "milk"}, Packed{1, "cup"}, Packed{1, ""})
	fmt.Println(sdktest.Rows[Parcel](p, "out"))
	// Output: [{1 [tea cup]}]
}

// A cart has a number of each article. An entry is read and written without the others.
func ExampleNewMap() {
	type Change struct {
		Cart    int64
		Article string
		By      int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		changes := sdk.KeyByFields[int64](sdk.From[Change](env, "changes", sdk.Kafka{Topic: "changes"}), "cart")
		carts := sdk.KeyedProcess(changes, "carts", func(s *sdk.Setup) sdk.Processor[int64, Change, string] {
			articles := sdk.NewMap[string, int64](s, "articles")
			return sdk.Processor[int64, Change, string]{Row: func(c *sdk.Context[int64, string], change *Change) error {
				n, _ := articles.Get(change.Article)
				if n += change.By; n > 0 {
					articles.Put(change.Article, n)
				} else {
					articles.Delete(change.Article)
				}
				line := fmt.Sprintf("cart %d:", c.Key())
				for article, n := range articles.All() { // by the order of articles
					line += fmt.Sprintf(" %d %s", n, article)
				}
				c.Collect(line)
				return nil
			}}
		})
		carts.To("out", sdk.Kafka{Topic: "carts", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "changes", Change{1, "tea", 2}, Change{2, "cup", 1}, Change{1, "cake", 1}, Change{1, "tea", -2})
	fmt.Println(strings.Join(sdktest.Rows[string](p, "out"), "\n"))
	// Output:
	// cart 1: 2 tea
	// cart 2: 1 cup
	// cart 1: 1 cake 2 tea
	// cart 1: 1 cake
}

// Of each sensor the three highest values are kept, in their order.
func ExampleNewOrderedMap() {
	type Reading struct {
		Sensor  string
		Celsius float64
		At      time.Time
	}
	type Top struct {
		Sensor  string
		Celsius []float64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		readings := sdk.KeyByFields[string](sdk.From[Reading](env, "readings", sdk.Kafka{Topic: "readings"}), "sensor")
		tops := sdk.KeyedProcess(readings, "top", func(s *sdk.Setup) sdk.Processor[string, Reading, Top] {
			highest := sdk.NewOrderedMap[float64, time.Time](s, "highest")
			return sdk.Processor[string, Reading, Top]{Row: func(c *sdk.Context[string, Top], r *Reading) error {
				highest.Put(r.Celsius, r.At)
				if highest.Len() > 3 {
					least, _, _ := highest.First()
					highest.Delete(least)
				}
				top := Top{Sensor: c.Key()}
				for celsius := range highest.Backward() {
					top.Celsius = append(top.Celsius, celsius)
				}
				c.Collect(top)
				return nil
			}}
		})
		tops.To("out", sdk.Kafka{Topic: "tops"})
	}, sdktest.Options{})

	for i, celsius := range []float64{20, 95, 22, 19, 80} {
		sdktest.Push(p, "readings", Reading{"oven", celsius, noon.Add(time.Duration(i) * time.Second)})
	}
	fmt.Println(sdktest.Rows[Top](p, "out"))
	// Output: [{oven [20]} {oven [95 20]} {oven [95 22 20]} {oven [95 22 20]} {oven [95 80 22]}]
}

// Rows that come out of order leave by their event time: each waits until no earlier one can come.
func ExampleOrderedMapState_Range() {
	type Event struct {
		User, Did string
		At        time.Time `millrace:",rowtime"`
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		events := sdk.From[Event](env, "events", sdk.Kafka{Topic: "events"}, sdk.Watermark(time.Minute))
		sorted := sdk.KeyedProcess(sdk.KeyByFields[string](events, "user"), "sorted", func(s *sdk.Setup) sdk.Processor[string, Event, string] {
			waiting := sdk.NewOrderedMap[time.Time, string](s, "waiting")
			return sdk.Processor[string, Event, string]{
				Row: func(c *sdk.Context[string, string], e *Event) error {
					waiting.Put(e.At, e.Did)
					c.SetTimer(e.At)
					return nil
				},
				Timer: func(c *sdk.Context[string, string], t sdk.Timer) error {
					for at, did := range waiting.Range(time.Time{}, t.At.Add(time.Millisecond)) { // up to the timer's, which is among them
						c.Collect(c.Key() + " " + did)
						waiting.Delete(at)
					}
					return nil
				},
			}
		})
		sorted.To("out", sdk.Kafka{Topic: "sorted", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "events", Event{"ann", "paid", noon.Add(30 * time.Second)}, Event{"ann", "came", noon}, Event{"ann", "went", noon.Add(2 * time.Minute)})
	fmt.Println(sdktest.Take[string](p, "out"))
	p.End()
	fmt.Println(sdktest.Take[string](p, "out"))
	// Output:
	// [ann came ann paid]
	// [ann went]
}

// What is kept is shared by both streams: an order and its payment meet, whichever comes first.
func ExampleCoProcess() {
	type Order struct {
		ID      int64
		Article string
	}
	type Payment struct {
		Order int64
		Cents int64
	}
	type Paid struct {
		Article string
		Cents   int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.KeyByFields[int64](sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}), "id")
		payments := sdk.KeyByFields[int64](sdk.From[Payment](env, "payments", sdk.Kafka{Topic: "payments"}), "order")
		paid := sdk.CoProcess(orders, payments, "paid", func(s *sdk.Setup) sdk.CoProcessor[int64, Order, Payment, Paid] {
			order := sdk.NewValue[Order](s, "order")
			payment := sdk.NewValue[Payment](s, "payment")
			meet := func(c *sdk.Context[int64, Paid]) {
				o, ordered := order.Get()
				p, paid := payment.Get()
				if ordered && paid {
					c.Collect(Paid{o.Article, p.Cents})
					order.Clear()
					payment.Clear()
				}
			}
			return sdk.CoProcessor[int64, Order, Payment, Paid]{
				Left:  func(c *sdk.Context[int64, Paid], o *Order) error { order.Set(*o); meet(c); return nil },
				Right: func(c *sdk.Context[int64, Paid], p *Payment) error { payment.Set(*p); meet(c); return nil },
			}
		})
		paid.To("out", sdk.Kafka{Topic: "paid"})
	}, sdktest.Options{})

	sdktest.Push(p, "payments", Payment{2, 450})
	sdktest.Push(p, "orders", Order{1, "tea"}, Order{2, "cake"})
	sdktest.Push(p, "payments", Payment{1, 300})
	fmt.Println(sdktest.Rows[Paid](p, "out"))
	// Output: [{cake 450} {tea 300}]
}

// Limits come as a stream of their own, and every task has them all.
func ExampleBroadcastProcess() {
	type Payment struct {
		Account, Currency string
		Amount            int64
	}
	type Limit struct {
		Currency string
		Amount   int64 // 0: there is none
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		payments := sdk.KeyByFields[string](sdk.From[Payment](env, "payments", sdk.Kafka{Topic: "payments"}), "account")
		limits := sdk.From[Limit](env, "limits", sdk.Kafka{Topic: "limits"})
		over := sdk.BroadcastProcess(payments, limits, "over", func(s *sdk.Setup) sdk.BroadcastProcessor[string, Payment, Limit, string] {
			limits := sdk.NewBroadcast[string, Limit](s, "limits")
			seen := sdk.NewValue[int64](s, "seen")
			return sdk.BroadcastProcessor[string, Payment, Limit, string]{
				Row: func(c *sdk.Context[string, string], p *Payment) error {
					n, _ := seen.Get()
					seen.Set(n + 1)
					if l, ok := limits.Get(p.Currency); ok && p.Amount > l.Amount {
						c.Collect(fmt.Sprintf("payment %d of %s is over %d %s", n+1, c.Key(), l.Amount, l.Currency))
					}
					return nil
				},
				Broadcast: func(_ *sdk.Context[string, string], l *Limit) error { // has no key
					if l.Amount == 0 {
						limits.Delete(l.Currency)
					} else {
						limits.Put(l.Currency, *l)
					}
					return nil
				},
			}
		})
		over.To("out", sdk.Kafka{Topic: "over", Format: "raw"})
	}, sdktest.Options{Parallelism: 2})

	sdktest.Push(p, "limits", Limit{"EUR", 100}, Limit{"USD", 120})
	sdktest.Push(p, "payments", Payment{"ann", "EUR", 101}, Payment{"bob", "USD", 110}, Payment{"bob", "EUR", 500})
	sdktest.Push(p, "limits", Limit{"EUR", 0})
	sdktest.Push(p, "payments", Payment{"ann", "EUR", 1000})
	fmt.Println(strings.Join(sdktest.Rows[string](p, "out"), "\n"))
	// Unordered output:
	// payment 1 of ann is over 100 EUR
	// payment 2 of bob is over 100 EUR
}

// A program's rules are state, alike in all tasks: they come through crashes, and to more tasks.
func ExampleNewBroadcast() {
	type Rule struct{ Word, Topic string }
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		lines := sdk.KeyBy(sdk.From[string](env, "lines", sdk.Kafka{Topic: "lines", Format: "raw"}), func(l *string) string { return *l })
		rules := sdk.From[Rule](env, "rules", sdk.Kafka{Topic: "rules"})
		routed := sdk.BroadcastProcess(lines, rules, "routed", func(s *sdk.Setup) sdk.BroadcastProcessor[string, string, Rule, string] {
			rules := sdk.NewBroadcast[string, Rule](s, "rules")
			return sdk.BroadcastProcessor[string, string, Rule, string]{
				Row: func(c *sdk.Context[string, string], line *string) error {
					for word, rule := range rules.All() {
						if strings.Contains(*line, word) {
							c.Collect(rule.Topic + ": " + *line)
						}
					}
					return nil
				},
				Broadcast: func(_ *sdk.Context[string, string], r *Rule) error { rules.Put(r.Word, *r); return nil },
			}
		})
		routed.To("out", sdk.Kafka{Topic: "routed", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "rules", Rule{"disk", "storage"}, Rule{"eth", "network"})
	p.Rescale(3)
	sdktest.Push(p, "lines", "disk sda is full", "eth0 is down", "it rains")
	fmt.Println(strings.Join(sdktest.Rows[string](p, "out"), "\n"))
	// Unordered output:
	// storage: disk sda is full
	// network: eth0 is down
}
