package sdk_test

import (
	"fmt"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// A function that keeps a table gives its changes. SQL reads them as the table that they describe.
func ExampleUpdates() {
	type Move struct {
		Parcel, To string // To "": it was handed over
	}
	type Place struct{ Parcel, Place string }
	type Count struct {
		Place   string
		Parcels int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		moves := sdk.KeyByFields[string](sdk.From[Move](env, "moves", sdk.Kafka{Topic: "moves"}), "parcel")
		places := sdk.KeyedProcess(moves, "places", func(s *sdk.Setup) sdk.Processor[string, Move, Place] {
			at := sdk.NewValue[string](s, "at")
			return sdk.Processor[string, Move, Place]{Row: func(c *sdk.Context[string, Place], m *Move) error {
				before, there := at.Get()
				at.Set(m.To)
				switch {
				case !there:
					c.Collect(Place{m.Parcel, m.To})
				case m.To == "":
					c.CollectAs(sdk.Delete, Place{m.Parcel, before})
					at.Clear()
				default:
					c.CollectAs(sdk.UpdateBefore, Place{m.Parcel, before})
					c.CollectAs(sdk.UpdateAfter, Place{m.Parcel, m.To})
				}
				return nil
			}}
		}, sdk.Updates())
		env.View("places", places)
		sdk.Query[Count](env, "counts", "SELECT place, COUNT(*) AS parcels FROM places GROUP BY place").To("out", sdk.Connect{Name: "print"})
	}, sdktest.Options{})

	for _, m := range []Move{{"p1", "Rome"}, {"p2", "Rome"}, {"p1", "Paris"}, {"p2", ""}} {
		sdktest.Push(p, "moves", m)
	}
	for _, change := range sdktest.Changes[Count](p, "out") {
		fmt.Println(change)
	}
	// Output:
	// +I{Place:Rome Parcels:1}
	// -U{Place:Rome Parcels:1}
	// +U{Place:Rome Parcels:2}
	// -U{Place:Rome Parcels:2}
	// +U{Place:Rome Parcels:1}
	// +I{Place:Paris Parcels:1}
	// -D{Place:Rome Parcels:1}
}

// A function of a stream with updates sees what each row does to the table, and makes rows of that which only come: here for a sink that takes no others.
func ExampleContext_Kind() {
	type Order struct {
		Customer string
		Amount   int64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		env.View("orders", sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}))
		totals := sdk.Query[Order](env, "totals", "SELECT customer, SUM(amount) AS amount FROM orders GROUP BY customer")
		told := sdk.Process(totals, func(*sdk.Setup) func(*sdk.Context[struct{}, string], *Order) error {
			return func(c *sdk.Context[struct{}, string], o *Order) error {
				if c.Kind() == sdk.Insert || c.Kind() == sdk.UpdateAfter {
					c.Collect(fmt.Sprintf("%s has spent %d", o.Customer, o.Amount))
				}
				return nil
			}
		})
		told.To("out", sdk.Kafka{Topic: "told", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{"ann", 20})
	sdktest.Push(p, "orders", Order{"ann", 30})
	for _, line := range sdktest.Rows[string](p, "out") {
		fmt.Println(line)
	}
	// Output:
	// ann has spent 20
	// ann has spent 50
}
