package window_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/check"
	"millrace/operators/operatortest"
	"millrace/operators/window"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// local drives a Local by hand and shows when rows leave it.
type local struct {
	*testing.T
	pool   stream.Pool
	op     *check.Operator
	counts operators.Counts
	out    *types.Schema
}

func newLocal(t *testing.T, w *jobgraph.WindowAggregateSpec, rowsMax int) *local {
	t.Helper()
	l := &local{T: t}
	o := &jobgraph.OperatorSpec{UID: "local", Body: (*jobgraph.LocalAggregateSpec)(w)}
	op, err := window.NewLocal(o)
	if err != nil {
		t.Fatal(err)
	}
	l.op = check.Wrap(op, check.OptionsOf(o))
	inputs := []*types.Schema{bids}
	if l.out, err = jobgraph.OutputSchema(o, inputs); err != nil {
		t.Fatal(err)
	}
	err = l.op.Open(&operators.Context{
		Operator: "local", Inputs: inputs, Output: l.out, Pool: &l.pool, Watermark: stream.NoWatermark, RowsMax: rowsMax, Counts: &l.counts,
	})
	if err != nil {
		t.Fatal(err)
	}
	l.drain(nil)
	t.Cleanup(func() {
		if err := l.op.Close(); err != nil {
			t.Error(err)
		}
		if l.pool.Live() != 0 {
			t.Errorf("%d buffers leak", l.pool.Live())
		}
	})
	return l
}

func (l *local) drain(err error) []string {
	l.Helper()
	var rows []string
	for err == nil {
		var out operators.Output
		if out, err = l.op.Next(); out.Batch == nil {
			break
		}
		rows = append(rows, streamtest.Rows(out.Batch)...)
		out.Batch.Release()
	}
	if err != nil {
		l.Fatal(err)
	}
	return rows
}

func (l *local) process(rows string) []string {
	l.Helper()
	b := streamtest.Batch(l.T, &l.pool, bids, rows)
	defer b.Release()
	return l.drain(l.op.Process(0, b))
}

func (l *local) expect(got []string, want string) {
	l.Helper()
	if diff := streamtest.Diff(streamtest.Canonical(l.T, l.out, want), got, false); diff != "" {
		l.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLocalHoldsRowsUntilTheyMustLeave: only a watermark that closes a window,
// and Flush, empty a table that is not full.
func TestLocalHoldsRowsUntilTheyMustLeave(t *testing.T) {
	l := newLocal(t, mainJob(), stream.RowsMax)
	l.expect(l.process("1 5 1000\n2 6 1000\n1 7 2000\n1 NULL 12000\n3 NULL 0"), "")
	l.expect(l.drain(l.op.Advance(9998)), "")
	l.expect(l.drain(l.op.Advance(9999)), `
		1 10000 2 12 7 2
		2 10000 1 6 6 1
		3 10000 1 NULL NULL 1
		1 20000 1 NULL NULL 1`)
	l.expect(l.process("1 5 25000"), "")
	l.expect(l.drain(l.op.Flush()), "1 30000 1 5 5 1")
	l.expect(l.drain(l.op.Flush()), "")
	if want := (operators.Counts{Folded: 1}); l.counts != want {
		t.Errorf("counts %+v, want %+v", l.counts, want)
	}
}

// TestLocalEmptiesWhenFull: no table grows beyond its bound, and every row gets out once.
func TestLocalEmptiesWhenFull(t *testing.T) {
	l := newLocal(t, mainJob(), 1000)
	var rows strings.Builder
	for i := range 8000 {
		fmt.Fprintf(&rows, "%d 1 0\n", i)
	}
	got := l.process(rows.String())
	if len(got) < 4096 || len(got) > 5120 {
		t.Errorf("%d rows left a full table", len(got))
	}
	got = append(got, l.drain(l.op.Flush())...)
	seen := map[string]bool{}
	for _, r := range got {
		seen[r] = true
	}
	if len(got) != 8000 || len(seen) != 8000 {
		t.Errorf("%d rows, %d of them different, came out of 8000", len(got), len(seen))
	}
}

// TestLocalLetsRowsPassThatDoNotRepeat: after eight poor batches, batches go on
// as they are, also what is in the table before them; then it tries again.
func TestLocalLetsRowsPassThatDoNotRepeat(t *testing.T) {
	l := newLocal(t, mainJob(), 2)
	next := 0
	poor := func() string {
		next += 3
		return fmt.Sprintf("%d 1 0\n%d NULL 0\n%d 3 0", next, next+1, next+2)
	}
	passed := 0
	for range 8 {
		l.expect(l.process(poor()), "")
		l.drain(l.op.Flush())
	}
	for range 80 {
		got := l.process(poor())
		if len(got) == 0 {
			l.drain(l.op.Flush())
			continue
		}
		passed++
		l.expect(got, fmt.Sprintf("%d 10000 1 1 1 1\n%d 10000 1 NULL NULL 1\n%d 10000 1 3 3 1", next, next+1, next+2))
	}
	if passed != 64+8 { // a trial of eight batches lies between
		t.Errorf("%d batches passed of 80", passed)
	}
	if l.counts.Folded != 0 {
		t.Errorf("%d rows counted as folded", l.counts.Folded)
	}
}

// TestPartialLateRowsCountWhatStandsBehindThem: the aggregate counts raw rows.
func TestPartialLateRowsCountWhatStandsBehindThem(t *testing.T) {
	w := mainJob()
	w.Partial, w.Input = true, bids
	partial, err := jobgraph.PartialSchema(mainJob(), bids)
	if err != nil {
		t.Fatal(err)
	}
	operatortest.Run(t, operatortest.Case{
		Name: "merge", Spec: aggregateOf(w), New: window.New, Inputs: []*types.Schema{partial}, Keys: [][]int{{0}}, Backend: backend,
		Script: `
			1 10000 3 30 20 3
			1 10000 2 NULL NULL 2
			2 10000 1 NULL NULL 1
			watermark 9999
			1 10000 7 1 1 7
			1 20000 2 2 1 2
			end`,
		Want: `
			1 0 10000 5 30 20
			2 0 10000 1 NULL NULL
			1 10000 20000 2 2 1`,
		Counts: &operators.Counts{Folded: 8, Late: 7},
	})
}

// TestPartialRowsOfAZone: their windows lie in its time, to which the watermark is brought. Where clocks are an hour ahead, the window
// that ends at 3610000 on them is closed at 9999.
func TestPartialRowsOfAZone(t *testing.T) {
	s := types.NewSchema(field("k", types.Of(types.BigInt)), field("v", types.Of(types.BigInt)), field("t", types.Type{Kind: types.TimestampLTZ, Precision: 3, Nullable: true}))
	w := mainJob()
	w.Window = jobgraph.WindowSpec{Size: 10 * time.Second, Zone: "GMT+01:00"}
	w.Aggregates = w.Aggregates[:1]
	partial, err := jobgraph.PartialSchema(w, s)
	if err != nil {
		t.Fatal(err)
	}
	w.Partial, w.Input = true, s
	operatortest.Run(t, operatortest.Case{
		Name: "merge", Spec: aggregateOf(w), New: window.New, Inputs: []*types.Schema{partial}, Keys: [][]int{{0}}, Backend: backend,
		Script: `
			1 3610000 3 3
			watermark 9998
			1 3610000 2 2
			watermark 9999
			1 3610000 7 7
			1 3620000 1 1
			end`,
		Want: `
			1 3600000 3610000 5
			1 3610000 3620000 1`,
		Counts: &operators.Counts{Folded: 6, Late: 7},
	})
}
