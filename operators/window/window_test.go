package window_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/operators/window"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

func field(name string, t types.Type) types.Field { return types.Field{Name: name, Type: t} }

var backend = columnar.New()

var bids = types.NewSchema(
	field("auction", types.Of(types.BigInt)),
	field("price", types.Of(types.BigInt)),
	field("datetime", types.TimestampOf(3)))

// mainJob is count, sum and max of price by auction.
func mainJob() *jobgraph.WindowAggregateSpec {
	return &jobgraph.WindowAggregateSpec{
		Keys: []int{0}, Time: 2, Window: jobgraph.WindowSpec{Size: 10 * time.Second},
		Aggregates: []jobgraph.AggregateCall{
			{Func: "COUNT", Arg: jobgraph.CountStar, Name: "bids"},
			{Func: "SUM", Arg: 1, Name: "total"},
			{Func: "MAX", Arg: 1, Name: "highest"},
		},
	}
}

func aggregateOf(w *jobgraph.WindowAggregateSpec) *jobgraph.OperatorSpec {
	return &jobgraph.OperatorSpec{UID: "agg", Body: w}
}

func TestAggregate(t *testing.T) {
	withLate := mainJob()
	withLate.LateOutput = true
	offset := mainJob()
	offset.Window.Offset = -3 * time.Second
	global := &jobgraph.WindowAggregateSpec{
		Time: 2, Window: jobgraph.WindowSpec{Size: time.Minute},
		Aggregates: []jobgraph.AggregateCall{
			{Func: "count", Arg: 1, Name: "n"}, {Func: "avg", Arg: 1, Name: "mean"}, {Func: "min", Arg: 0, Name: "first"},
		},
	}

	inputs := []*types.Schema{bids}
	for _, c := range []operatortest.Case{
		{
			Name: "windows fire in the order of their ends", Spec: aggregateOf(mainJob()), Keys: [][]int{{0}},
			Script: `
				1 100 1000
				2 50  9999
				1 30  10000
				1 200 0
				1 NULL 25000
				NULL 7 25000
				watermark 9998
				watermark 9999
				3 5 12000
				watermark 19999
				end`,
			Want: `
				1 1970-01-01 00:00:00 1970-01-01 00:00:10 2 300 200
				2 1970-01-01 00:00:00 1970-01-01 00:00:10 1 50 50
				1 1970-01-01 00:00:10 1970-01-01 00:00:20 1 30 30
				3 1970-01-01 00:00:10 1970-01-01 00:00:20 1 5 5
				1 1970-01-01 00:00:20 1970-01-01 00:00:30 1 NULL NULL
				NULL 1970-01-01 00:00:20 1970-01-01 00:00:30 1 7 7`,
			Counts: &operators.Counts{Folded: 7},
		},
		{
			Name: "late rows go to port 1 as they came", Spec: aggregateOf(withLate), Keys: [][]int{{0}},
			Script: `
				1 100 1000
				watermark 9999
				2 1 9999
				1 2 10000
				1 3 -1
				watermark 29999
				1 4 29999
				1 5 30000
				end`,
			Want: `
				1 1970-01-01 00:00:00 1970-01-01 00:00:10 1 100 100
				1 1970-01-01 00:00:10 1970-01-01 00:00:20 1 2 2
				1 1970-01-01 00:00:30 1970-01-01 00:00:40 1 5 5`,
			Late:   "2 1 9999\n1 3 -1\n1 4 29999",
			Counts: &operators.Counts{Folded: 3, Late: 3},
		},
		{
			Name: "an offset moves windows, before 1970 too", Spec: aggregateOf(offset), Keys: [][]int{{0}},
			Script: "1 1 6999\n1 2 7000\n1 3 -3001\n1 4 -3000\nend",
			Want: `
				1 1969-12-31 23:59:47 1969-12-31 23:59:57 1 3 3
				1 1969-12-31 23:59:57 1970-01-01 00:00:07 2 5 4
				1 1970-01-01 00:00:07 1970-01-01 00:00:17 1 2 2`,
		},
		{
			Name: "no keys make one group", Spec: aggregateOf(global), Keys: [][]int{{}},
			Script: "1 -3 0\n2 -4 1\n3 NULL 2\n4 NULL 60000\nend",
			Want: `
				1970-01-01 00:00:00 1970-01-01 00:01:00 2 -3 1
				1970-01-01 00:01:00 1970-01-01 00:02:00 0 NULL 4`,
			Counts: &operators.Counts{Folded: 4},
		},
	} {
		c.New, c.Inputs, c.Backend, c.Ordered = window.New, inputs, backend, false
		operatortest.Run(t, c)
	}
}

// TestWindowsLeaveInOrder: within one task, windows come by their ends.
func TestWindowsLeaveInOrder(t *testing.T) {
	operatortest.Run(t, operatortest.Case{
		Name: "one key", Spec: aggregateOf(mainJob()), New: window.New, Inputs: []*types.Schema{bids}, Backend: columnar.New(), Ordered: true,
		Script: "1 1 45000\n1 2 5000\n1 3 25000\nend",
		Want: `
			1 1970-01-01 00:00:00 1970-01-01 00:00:10 1 2 2
			1 1970-01-01 00:00:20 1970-01-01 00:00:30 1 3 3
			1 1970-01-01 00:00:40 1970-01-01 00:00:50 1 1 1`,
	})
}

// TestDoubtfulValues: extremes of floating-point values have a total order, and
// decimals overflow by their sum alone.
func TestDoubtfulValues(t *testing.T) {
	s := types.NewSchema(field("t", types.TimestampOf(0)), field("f", types.Of(types.Double)), field("d", types.DecimalOf(38, 0)), field("i", types.Of(types.TinyInt)))
	w := &jobgraph.WindowAggregateSpec{
		Time: 0, Window: jobgraph.WindowSpec{Size: time.Millisecond},
		Aggregates: []jobgraph.AggregateCall{
			{Func: "MIN", Arg: 1, Name: "min"},
			{Func: "MAX", Arg: 1, Name: "max"},
			{Func: "SUM", Arg: 2, Name: "sum"},
			{Func: "AVG", Arg: 2, Name: "avg"},
			{Func: "SUM", Arg: 3, Name: "wraps"},
		},
	}
	nines := strings.Repeat("9", 38)
	operatortest.Run(t, operatortest.Case{
		Name: "global", Spec: aggregateOf(w), New: window.New, Inputs: []*types.Schema{s}, Backend: columnar.New(), Keys: [][]int{{}},
		Script: strings.ReplaceAll(`
			0 NaN MAX 127
			0 -0 1 1
			0 0 -1 0
			1 Inf MAX NULL
			1 -Inf MAX NULL
			2 NULL -1 -128
			2 NULL -2 -1
			2 NULL -2 0
			end`, "MAX", nines),
		Want: strings.ReplaceAll(`
			1970-01-01 00:00:00.000 1970-01-01 00:00:00.001 -0 NaN MAX NULL -128
			1970-01-01 00:00:00.001 1970-01-01 00:00:00.002 -Inf +Inf NULL NULL NULL
			1970-01-01 00:00:00.002 1970-01-01 00:00:00.003 NULL NULL -5 -1.666667 127`, "MAX", nines),
	})
}

func TestRefusals(t *testing.T) {
	var pool stream.Pool
	run := func(spec *jobgraph.WindowAggregateSpec, rows string) error {
		o := &jobgraph.OperatorSpec{UID: "agg", Body: spec}
		op, err := window.New(o)
		if err != nil {
			return err
		}
		defer op.Close()
		store, err := columnar.New().Open(t.Context(), statebackend.OpenSpec{MaxParallelism: 8, KeyGroups: types.AllKeyGroups(8), Pool: &pool})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		err = op.Open(&operators.Context{
			Operator: "agg", Inputs: []*types.Schema{bids}, Pool: &pool, State: store,
			Watermark: stream.NoWatermark, RowsMax: stream.RowsMax, Counts: &operators.Counts{},
		})
		if err != nil {
			return err
		}
		b := streamtest.Batch(t, &pool, bids, rows)
		defer b.Release()
		return op.Process(0, b)
	}
	change := func(f func(*jobgraph.WindowAggregateSpec)) *jobgraph.WindowAggregateSpec {
		w := mainJob()
		f(w)
		return w
	}
	for _, c := range []struct {
		name, rows, want string
		spec             *jobgraph.WindowAggregateSpec
	}{
		{"null time", "1 1 NULL", "column datetime is NULL", mainJob()},
		{"time out of range", "1 1 9223372036854775807", "datetime has a value beyond", mainJob()},
		{"retraction", "-D 1 1 1", "kind -D", mainJob()},
		{"size", "", "size", change(func(w *jobgraph.WindowAggregateSpec) { w.Window.Size = time.Microsecond })},
		{"offset", "", "offset", change(func(w *jobgraph.WindowAggregateSpec) { w.Window.Offset = time.Minute })},
		{"time type", "", "time column price", change(func(w *jobgraph.WindowAggregateSpec) { w.Time = 1 })},
		{"key", "", "key column 9", change(func(w *jobgraph.WindowAggregateSpec) { w.Keys = []int{9} })},
		{"late and partial", "", "late rows", change(func(w *jobgraph.WindowAggregateSpec) { w.Partial, w.LateOutput, w.Input = true, true, bids })},
		{"partial without schema", "", "raw input", change(func(w *jobgraph.WindowAggregateSpec) { w.Partial = true })},
	} {
		if err := run(c.spec, c.rows); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}

// TestDrainsAreFrozenInTheirMiddle: with output rows one by one and a freeze
// between any two, at other parallelisms, each row leaves once.
func TestDrainsAreFrozenInTheirMiddle(t *testing.T) {
	var script, want strings.Builder
	for i := range 300 {
		fmt.Fprintf(&script, "%d 1 %d\n", i, i%3*10_000)
		end := (i%3 + 1) * 10_000
		fmt.Fprintf(&want, "%d %d %d 1 1 1\n", i, end-10_000, end)
	}
	c := &operatortest.Case{
		Spec: aggregateOf(mainJob()), New: window.New, Inputs: []*types.Schema{bids}, Keys: [][]int{{0}}, Backend: backend,
		Script: script.String() + "end",
	}
	for _, freeze := range []operatortest.Freeze{operatortest.FullFreeze, operatortest.DeltaFreeze} {
		for _, rescale := range []bool{false, true} {
			out := operatortest.Play(t, c, operatortest.Variant{RowsMax: 7, Freeze: freeze, Rescale: rescale, Seed: 11})
			if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, want.String()), out.Rows[0], false); diff != "" {
				t.Errorf("freeze %d, rescale %v: (-want +got):\n%s", freeze, rescale, diff)
			}
			if out.MidDrain < 3 {
				t.Errorf("only %d drains were frozen in their middle", out.MidDrain)
			}
		}
	}
}
