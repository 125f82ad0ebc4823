package window_test

import (
	"fmt"
	"io"
	"strconv"
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

var valued = types.NewSchema(
	field("k", types.Of(types.BigInt)), field("t", types.TimestampOf(3)), field("v", types.Of(types.Int)), field("b", types.Of(types.Boolean)),
	field("s", types.StringType()), field("f", types.Of(types.Double)), field("d", types.DecimalOf(30, 1)))

// distinctSessions are sessions with a gap of 10 ms, each call of which is DISTINCT.
func distinctSessions(calls ...jobgraph.AggregateCall) *jobgraph.OperatorSpec {
	for i := range calls {
		calls[i].Distinct, calls[i].Name = true, "x"+string(rune('0'+i))
	}
	return aggregateOf(&jobgraph.WindowAggregateSpec{
		Keys: []int{0}, Time: 1, Window: jobgraph.WindowSpec{Kind: jobgraph.Session, Size: 10 * time.Millisecond}, Aggregates: calls, LateOutput: true,
	})
}

func TestDistinctSessions(t *testing.T) {
	counts := distinctSessions(
		jobgraph.AggregateCall{Func: "COUNT", Arg: 2}, jobgraph.AggregateCall{Func: "COUNT", Arg: 2, Filtered: true, Filter: 3},
		jobgraph.AggregateCall{Func: "SUM", Arg: 2, Filtered: true, Filter: 3}, jobgraph.AggregateCall{Func: "MAX", Arg: 2})
	clock := distinctSessions(jobgraph.AggregateCall{Func: "SUM", Arg: 2})
	clock.Body.(*jobgraph.WindowAggregateSpec).Window.Processing = true
	clock.Body.(*jobgraph.WindowAggregateSpec).LateOutput = false
	for _, c := range []operatortest.Case{
		{
			// The value 1 is in all three, admitted in the second alone; 2 in the first and the third. The session of key 2 has values of its own.
			Name: "a row between three sessions makes them one", Spec: counts,
			Script: `
				1 100 1 FALSE NULL NULL NULL
				1 101 2 TRUE NULL NULL NULL
				1 115 1 TRUE NULL NULL NULL
				1 130 1 NULL NULL NULL NULL
				1 131 2 FALSE NULL NULL NULL
				1 132 3 FALSE NULL NULL NULL
				2 116 1 TRUE NULL NULL NULL
				1 122 4 FALSE NULL NULL NULL
				1 108 NULL TRUE NULL NULL NULL
				1 109 2 TRUE NULL NULL NULL
				2 117 1 TRUE NULL NULL NULL
				end`,
			Want:   "1 100 142 4 2 3 4\n2 116 127 1 1 1 1",
			Counts: &operators.Counts{Folded: 11},
		},
		{
			Name: "late rows count nothing, and ended sessions neither", Spec: counts,
			Script: `
				1 100 1 TRUE NULL NULL NULL
				2 100 1 TRUE NULL NULL NULL
				watermark 114
				1 90 7 TRUE NULL NULL NULL
				1 112 2 TRUE NULL NULL NULL
				1 92 1 TRUE NULL NULL NULL
				1 103 1 TRUE NULL NULL NULL
				2 106 1 TRUE NULL NULL NULL
				end`,
			Want:   "1 100 110 1 1 1 1\n2 100 110 1 1 1 1\n1 103 122 2 2 3 2\n2 106 116 1 1 1 1",
			Late:   "1 90 7 TRUE NULL NULL NULL\n1 92 1 TRUE NULL NULL NULL",
			Counts: &operators.Counts{Folded: 5, Late: 2},
		},
		{
			Name: "every layout of values", Spec: distinctSessions(
				jobgraph.AggregateCall{Func: "SUM", Arg: 5}, jobgraph.AggregateCall{Func: "SUM", Arg: 6}, jobgraph.AggregateCall{Func: "COUNT", Arg: 4},
				jobgraph.AggregateCall{Func: "AVG", Arg: 2}, jobgraph.AggregateCall{Func: "COUNT", Arg: 3}, jobgraph.AggregateCall{Func: "VAR_POP", Arg: 5},
				jobgraph.AggregateCall{Func: "COUNT", Arg: 1}, jobgraph.AggregateCall{Func: "SUM0", Arg: 6}),
			Script: `
				1 100 -5 TRUE 'a' 1.5 12345678901234567890.5
				1 115 -5 FALSE 'b' 1.5 -0.5
				1 116 7 FALSE '' -2.5 12345678901234567890.5
				1 108 NULL NULL NULL NULL NULL
				1 116 2 TRUE 'a' 4 0
				end`,
			Want: "1 100 126 3 12345678901234567890.0 3 1 2 7.166666666666667 4 12345678901234567890.0",
		},
		{
			Name: "a list", Spec: distinctSessions(jobgraph.AggregateCall{Func: "LISTAGG", Arg: 4, Separator: "-"}),
			Script: "1 100 1 NULL 'b' NULL NULL\n1 101 1 NULL 'a' NULL NULL\n1 102 1 NULL 'b' NULL NULL\n1 115 1 NULL 'a' NULL NULL\n1 108 1 NULL 'c' NULL NULL\nend",
			Want:   "1 100 125 'b-a-c'",
		},
		{
			Name: "processing time", Spec: clock,
			Script: `
				time 100
				1 NULL 1 NULL NULL NULL NULL
				time 109
				1 NULL 1 NULL NULL NULL NULL
				1 NULL 2 NULL NULL NULL NULL
				time 130
				1 NULL 1 NULL NULL NULL NULL
				time 140
				end`,
			Want: "1 100 119 3\n1 130 140 1",
		},
	} {
		c.New, c.Inputs, c.Backend, c.Keys = window.New, []*types.Schema{valued}, backend, [][]int{{0}}
		operatortest.Run(t, c)
	}
}

// TestManyValuesMove: the values of 400 sessions, of which one has more than a tile, become those of one, and no other key's.
func TestManyValuesMove(t *testing.T) {
	var script []string
	add := func(key, at, v int) {
		script = append(script, fmt.Sprintf("%d %d %d %v NULL NULL NULL", key, at, v, v%2 == 0))
	}
	for i := range 400 {
		add(1, 20*i, i)
		add(1, 20*i, i/2)
		add(2, 20*i, i%7)
	}
	for i := range 3000 {
		add(1, 4000, i)
	}
	for i := range 400 {
		add(1, 20*i+10, 3000)
	}
	c := operatortest.Case{
		Spec: distinctSessions(jobgraph.AggregateCall{Func: "COUNT", Arg: 2}, jobgraph.AggregateCall{Func: "SUM", Arg: 2, Filtered: true, Filter: 3}),
		New:  window.New, Inputs: []*types.Schema{valued}, Keys: [][]int{{0}}, Backend: columnar.New(), Script: strings.Join(append(script, "end"), "\n"),
	}
	want := []string{fmt.Sprintf("1 0 %d 3001 %d", 20*399+20, 1500*1499+3000)}
	for i := range 400 {
		sum := strconv.Itoa(i % 7)
		if i%7%2 == 1 {
			sum = "NULL"
		}
		want = append(want, fmt.Sprintf("2 %d %d 1 %s", 20*i, 20*i+10, sum))
	}
	for _, v := range []operatortest.Variant{{RowsMax: stream.RowsMax}, {RowsMax: 100, BatchRows: 3}} {
		out := operatortest.Play(t, &c, v)
		if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, strings.Join(want, "\n")), out.Rows[0], false); diff != "" {
			t.Errorf("%s (-want +got):\n%s", v, diff)
		}
	}
}

// TestValuesOfSessionsLeave: when the last session has left, the state has no value any more, of sessions that became one neither.
func TestValuesOfSessionsLeave(t *testing.T) {
	var pool stream.Pool
	store, err := columnar.New().Open(t.Context(), statebackend.OpenSpec{MaxParallelism: 128, KeyGroups: types.AllKeyGroups(128), Pool: &pool})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	spec := distinctSessions(jobgraph.AggregateCall{Func: "COUNT", Arg: 2}, jobgraph.AggregateCall{Func: "SUM", Arg: 2, Filtered: true, Filter: 3})
	inputs := []*types.Schema{valued}
	op, err := window.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	out, _ := jobgraph.OutputSchema(spec, inputs)
	if err := op.Open(&operators.Context{
		Operator: "agg", Inputs: inputs, Output: out, Pool: &pool, State: store, Time: &operators.Time{},
		Watermark: stream.NoWatermark, RowsMax: stream.RowsMax, Counts: &operators.Counts{},
	}); err != nil {
		t.Fatal(err)
	}
	rows := func() int64 {
		t.Helper()
		snapshot, err := store.Freeze(true)
		if err != nil {
			t.Fatal(err)
		}
		defer snapshot.Release()
		info, err := snapshot.Write(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return info.Rows
	}
	for _, text := range []string{
		"1 100 1 TRUE NULL NULL NULL\n1 101 2 TRUE NULL NULL NULL\n1 115 2 FALSE NULL NULL NULL\n1 116 3 TRUE NULL NULL NULL\n2 115 3 TRUE NULL NULL NULL",
		"1 108 4 FALSE NULL NULL NULL",
	} {
		b := streamtest.Batch(t, &pool, valued, text)
		if err := op.Process(0, b); err != nil {
			t.Fatal(err)
		}
		b.Release()
	}
	if n := rows(); n != 2+2+4+1 { // two sessions, a timer each, their values
		t.Errorf("the state has %d rows", n)
	}
	if err := op.Advance(1000); err != nil {
		t.Fatal(err)
	}
	result, err := op.Next()
	if err != nil || result.Batch.Rows() != 2 {
		t.Fatal(result, err)
	}
	result.Batch.Release()
	if n := rows(); n != 0 {
		t.Errorf("%d rows are left in the state", n)
	}
}
