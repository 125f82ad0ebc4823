package window_test

import (
	"testing"
	"time"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/operators/window"
	"millrace/types"
)

// TestKinds has an example of each kind of window; TestAggregateEqualsTwin has the rest.
func TestKinds(t *testing.T) {
	spec := func(change func(*jobgraph.WindowAggregateSpec)) *jobgraph.OperatorSpec {
		w := mainJob()
		w.Aggregates = w.Aggregates[:2]
		change(w)
		return aggregateOf(w)
	}
	hopping := func(w *jobgraph.WindowAggregateSpec) { w.Window.Kind, w.Window.Slide = jobgraph.Hopping, 5*time.Second }
	cumulating := func(w *jobgraph.WindowAggregateSpec) {
		w.Window.Kind, w.Window.Slide = jobgraph.Cumulating, 5*time.Second
	}
	processing := func(w *jobgraph.WindowAggregateSpec) { w.Window.Processing = true }
	for _, c := range []operatortest.Case{
		{
			Name: "hopping", Spec: spec(hopping),
			Script: `
				1 1 1000
				1 2 6000
				watermark 4999
				2 7 3000
				watermark 9999
				1 4 7000
				2 9 4000
				end`,
			Want: `
				1 1969-12-31 23:59:55 1970-01-01 00:00:05 1 1
				1 1970-01-01 00:00:00 1970-01-01 00:00:10 2 3
				2 1970-01-01 00:00:00 1970-01-01 00:00:10 1 7
				1 1970-01-01 00:00:05 1970-01-01 00:00:15 2 6`,
			Counts: &operators.Counts{Folded: 4, Late: 1},
		},
		{
			Name: "cumulating", Spec: spec(cumulating),
			Script: `
				1 1 1000
				watermark 4999
				2 7 3000
				1 2 6000
				watermark 9999
				1 4 7000
				end`,
			Want: `
				1 1970-01-01 00:00:00 1970-01-01 00:00:05 1 1
				1 1970-01-01 00:00:00 1970-01-01 00:00:10 2 3
				2 1970-01-01 00:00:00 1970-01-01 00:00:10 1 7`,
			Counts: &operators.Counts{Folded: 3, Late: 1},
		},
		{
			Name: "processing time", Spec: spec(processing),
			Script: `
				time 1000
				1 1 NULL
				watermark 99999999
				time 9999
				1 2 NULL
				time 10000
				1 4 NULL
				time 20000
				time 20001
				2 1 NULL
				end`,
			Want: `
				1 1970-01-01 00:00:00 1970-01-01 00:00:10 2 3
				1 1970-01-01 00:00:10 1970-01-01 00:00:20 1 4`,
			Counts: &operators.Counts{Folded: 4},
		},
		{
			Name: "hopping in processing time", Spec: spec(func(w *jobgraph.WindowAggregateSpec) { processing(w); hopping(w) }),
			Script: "time 1000\n1 1 NULL\ntime 5000\n1 2 NULL\ntime 9000\ntime 15000\nend",
			Want: `
				1 1969-12-31 23:59:55 1970-01-01 00:00:05 1 1
				1 1970-01-01 00:00:00 1970-01-01 00:00:10 2 3
				1 1970-01-01 00:00:05 1970-01-01 00:00:15 1 2`,
		},
	} {
		c.New, c.Inputs, c.Backend, c.Keys = window.New, []*types.Schema{bids}, backend, [][]int{{0}}
		operatortest.Run(t, c)
	}
}

func TestAttachedWindows(t *testing.T) {
	s := types.NewSchema(field("k", types.Of(types.BigInt)), field("window_start", types.TimestampOf(3)), field("window_end", types.TimestampOf(3)), field("v", types.Of(types.BigInt)))
	operatortest.Run(t, operatortest.Case{
		Name: "windows of the input",
		Spec: aggregateOf(&jobgraph.WindowAggregateSpec{
			Keys: []int{0}, Start: 1, Time: 2, Window: jobgraph.WindowSpec{Kind: jobgraph.Attached},
			Aggregates: []jobgraph.AggregateCall{{Func: "SUM", Arg: 3, Name: "v"}},
		}),
		New: window.New, Inputs: []*types.Schema{s}, Backend: backend, Keys: [][]int{{0, 1}},
		Script: `
			1 0 10 1
			1 0 10 2
			1 5 10 4
			2 0 25 8
			watermark 9
			1 0 10 16
			end`,
		Want: `
			1 0 10 3
			1 5 10 4
			2 0 25 8`,
		Counts: &operators.Counts{Folded: 4, Late: 1},
	})
}

// TestZones: days begin at midnight of the zone; the day on which clocks are put
// back has 25 hours, and that on which they are put forward 23.
func TestZones(t *testing.T) {
	s := types.NewSchema(field("k", types.Of(types.BigInt)), field("v", types.Of(types.BigInt)), field("t", types.Type{Kind: types.TimestampLTZ, Precision: 3, Nullable: true}))
	w := mainJob()
	w.Window = jobgraph.WindowSpec{Size: 24 * time.Hour, Zone: "Europe/Berlin"}
	w.Aggregates = w.Aggregates[:1]
	operatortest.Run(t, operatortest.Case{
		Name: "Berlin", Spec: aggregateOf(w), New: window.New, Inputs: []*types.Schema{s}, Backend: backend, Keys: [][]int{{0}},
		Script: `
			1 1 2026-03-28 22:59:59.000
			1 1 2026-03-28 23:00:00.000
			1 1 2026-03-29 21:59:59.000
			1 1 2026-03-29 22:00:00.000
			1 1 2026-10-25 00:30:00.000
			1 1 2026-10-25 22:59:59.000
			1 1 2026-10-25 23:00:00.000
			end`,
		Want: `
			1 2026-03-28 00:00:00.000 2026-03-29 00:00:00.000 1
			1 2026-03-29 00:00:00.000 2026-03-30 00:00:00.000 2
			1 2026-03-30 00:00:00.000 2026-03-31 00:00:00.000 1
			1 2026-10-25 00:00:00.000 2026-10-26 00:00:00.000 2
			1 2026-10-26 00:00:00.000 2026-10-27 00:00:00.000 1`,
	})
}

func TestAssign(t *testing.T) {
	assign := func(w jobgraph.WindowSpec) *jobgraph.OperatorSpec {
		return &jobgraph.OperatorSpec{UID: "w", Body: &jobgraph.WindowAssignSpec{Time: 2, Window: w}}
	}
	for _, c := range []operatortest.Case{
		{
			Name: "tumbling, kinds pass through", Spec: assign(jobgraph.WindowSpec{Size: 10 * time.Second}),
			Script: "+I 1 1 1000\n-D 1 1 1000\n1 2 NULL\n1 3 -1\nend",
			Want: `
				+I 1 1 1000 1970-01-01 00:00:00 1970-01-01 00:00:10 1970-01-01 00:00:09.999
				-D 1 1 1000 1970-01-01 00:00:00 1970-01-01 00:00:10 1970-01-01 00:00:09.999
				+I 1 3 -1 1969-12-31 23:59:50 1970-01-01 00:00:00 1969-12-31 23:59:59.999`,
			Counts: &operators.Counts{Filtered: 1},
		},
		{
			Name: "hopping", Spec: assign(jobgraph.WindowSpec{Kind: jobgraph.Hopping, Size: 10 * time.Millisecond, Slide: 5 * time.Millisecond}),
			Script: "1 1 3\n2 1 5\nend",
			Want:   "1 1 3 -5 5 4\n1 1 3 0 10 9\n2 1 5 0 10 9\n2 1 5 5 15 14",
		},
		{
			Name: "cumulating", Spec: assign(jobgraph.WindowSpec{Kind: jobgraph.Cumulating, Size: 10 * time.Millisecond, Slide: 5 * time.Millisecond}),
			Script: "1 1 3\n2 1 5\nend",
			Want:   "1 1 3 0 5 4\n1 1 3 0 10 9\n2 1 5 0 10 9",
		},
	} {
		c.New, c.Inputs = window.NewAssign, []*types.Schema{bids}
		operatortest.Run(t, c)
	}
}
