package sdk_test

import (
	"fmt"
	"strings"
	"time"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// An order that is not paid within ten minutes of event time is told.
func ExampleContext_SetTimer() {
	type Step struct {
		Order int64
		Name  string
		At    time.Time `millrace:",rowtime"`
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		steps := sdk.KeyByFields[int64](sdk.From[Step](env, "steps", sdk.Kafka{Topic: "steps"}), "order")
		unpaid := sdk.KeyedProcess(steps, "unpaid", func(s *sdk.Setup) sdk.Processor[int64, Step, string] {
			due := sdk.NewValue[time.Time](s, "due")
			return sdk.Processor[int64, Step, string]{
				Row: func(c *sdk.Context[int64, string], s *Step) error {
					switch s.Name {
					case "ordered":
						at := s.At.Add(10 * time.Minute)
						due.Set(at)
						c.SetTimer(at)
					case "paid":
						if at, ok := due.Get(); ok {
							c.DeleteTimer(at)
							due.Clear()
						}
					}
					return nil
				},
				Timer: func(c *sdk.Context[int64, string], t sdk.Timer) error {
					due.Clear()
					c.Collect(fmt.Sprintf("order %d was not paid until %s", c.Key(), t.At.Format(time.TimeOnly)))
					return nil
				},
			}
		})
		unpaid.To("out", sdk.Kafka{Topic: "unpaid", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "steps", Step{1, "ordered", noon}, Step{2, "ordered", noon.Add(time.Minute)}, Step{1, "paid", noon.Add(2 * time.Minute)})
	p.Watermark("steps", noon.Add(time.Hour))
	fmt.Println(strings.Join(sdktest.Rows[string](p, "out"), "\n"))
	// Output: order 2 was not paid until 12:11:00
}

// Orders of a shop are sent together, at most ten seconds of processing time after the first of them.
func ExampleContext_SetClockTimer() {
	type Order struct {
		Shop string
		ID   int64
	}
	type Parcel struct {
		Shop   string
		Orders []int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.KeyByFields[string](sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}), "shop")
		parcels := sdk.KeyedProcess(orders, "parcels", func(s *sdk.Setup) sdk.Processor[string, Order, Parcel] {
			waiting := sdk.NewList[int64](s, "waiting")
			return sdk.Processor[string, Order, Parcel]{
				Row: func(c *sdk.Context[string, Parcel], o *Order) error {
					if waiting.Len() == 0 {
						c.SetClockTimer(c.Now().Add(10 * time.Second))
					}
					waiting.Add(o.ID)
					return nil
				},
				Timer: func(c *sdk.Context[string, Parcel], _ sdk.Timer) error {
					parcel := Parcel{Shop: c.Key()}
					for id := range waiting.All() {
						parcel.Orders = append(parcel.Orders, id)
					}
					waiting.Clear()
					c.Collect(parcel)
					return nil
				},
			}
		})
		parcels.To("out", sdk.Kafka{Topic: "parcels"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{"north", 1})
	p.Advance(5 * time.Second)
	sdktest.Push(p, "orders", Order{"north", 2}, Order{"south", 3})
	p.Checkpoint()
	p.Crash() // timers are state
	p.Advance(5 * time.Second)
	fmt.Println(sdktest.Take[Parcel](p, "out"))
	p.Advance(5 * time.Second)
	fmt.Println(sdktest.Take[Parcel](p, "out"))
	// Output:
	// [{north [1 2]}]
	// [{south [3]}]
}
