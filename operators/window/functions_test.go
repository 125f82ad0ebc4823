package window_test

import (
	"strings"
	"testing"
	"time"

	"millrace/jobgraph"
	"millrace/operators/operatortest"
	"millrace/operators/window"
	"millrace/types"
)

// TestValuesInOrder: the first, the last and the list go by the arrival of rows, in windows of several panes pane by pane.
func TestValuesInOrder(t *testing.T) {
	s := types.NewSchema(field("k", types.Of(types.BigInt)), field("v", types.StringType()), field("t", types.TimestampOf(3)))
	spec := func(w jobgraph.WindowSpec) *jobgraph.OperatorSpec {
		return aggregateOf(&jobgraph.WindowAggregateSpec{
			Keys: []int{0}, Time: 2, Window: w,
			Aggregates: []jobgraph.AggregateCall{
				{Func: "FIRST_VALUE", Arg: 1, Name: "first"}, {Func: "LAST_VALUE", Arg: 1, Name: "last"}, {Func: "LISTAGG", Arg: 1, Name: "list", Separator: "-"},
			},
		})
	}
	for _, c := range []operatortest.Case{
		{
			Name: "tumbling", Spec: spec(jobgraph.WindowSpec{Size: 10 * time.Millisecond}),
			Script: "1 NULL 1\n1 'b' 7\n1 'a' 2\n1 'c' 12\n2 NULL 3\nend",
			Want:   "1 0 10 'b' 'a' 'b-a'\n2 0 10 NULL NULL NULL\n1 10 20 'c' 'c' 'c'",
		},
		{
			Name: "hopping", Spec: spec(jobgraph.WindowSpec{Kind: jobgraph.Hopping, Size: 10 * time.Millisecond, Slide: 5 * time.Millisecond}),
			Script: "1 'b' 7\n1 'a' 2\n1 'c' 8\nend",
			Want:   "1 -5 5 'a' 'a' 'a'\n1 0 10 'a' 'c' 'a-b-c'\n1 5 15 'b' 'c' 'b-c'",
		},
		{
			Name: "session", Spec: spec(jobgraph.WindowSpec{Kind: jobgraph.Session, Size: 10 * time.Millisecond}),
			Script: "1 'b' 7\n1 'a' 2\n1 NULL 12\n1 'c' 30\nend",
			Want:   "1 2 22 'b' 'a' 'b-a'\n1 30 40 'c' 'c' 'c'",
		},
	} {
		c.New, c.Inputs, c.Backend, c.Keys = window.New, []*types.Schema{s}, backend, [][]int{{0}}
		operatortest.Run(t, c)
	}
}

// TestSumsOfManyDigits: what panes and sessions are merged by may have more digits than a DECIMAL, and is NULL only where
// the sum of all of them has.
func TestSumsOfManyDigits(t *testing.T) {
	s := types.NewSchema(field("k", types.Of(types.BigInt)), field("v", types.DecimalOf(38, 0)), field("t", types.TimestampOf(3)))
	spec := func(w jobgraph.WindowSpec) *jobgraph.OperatorSpec {
		return aggregateOf(&jobgraph.WindowAggregateSpec{
			Keys: []int{0}, Time: 2, Window: w,
			Aggregates: []jobgraph.AggregateCall{{Func: "SUM", Arg: 1, Name: "sum"}, {Func: "AVG", Arg: 1, Name: "avg"}, {Func: "SUM0", Arg: 1, Name: "sum0"}},
		})
	}
	nines := strings.Repeat("9", 38)
	big := strings.NewReplacer("MAX", nines)
	for _, c := range []operatortest.Case{
		{
			// The panes have 3, then -2 times the largest number: more than 128 bits the first, more than 38 digits both.
			Name: "hopping", Spec: spec(jobgraph.WindowSpec{Kind: jobgraph.Hopping, Size: 10 * time.Millisecond, Slide: 5 * time.Millisecond}),
			Script: "1 MAX 1\n1 MAX 2\n1 MAX 3\n1 -MAX 6\n1 -MAX 7\n2 NULL 1\nend",
			Want: `
				1 -5 5 NULL NULL NULL
				2 -5 5 NULL NULL 0
				1 0 10 MAX NULL MAX
				2 0 10 NULL NULL 0
				1 5 15 NULL NULL NULL`,
		},
		{
			Name: "session", Spec: spec(jobgraph.WindowSpec{Kind: jobgraph.Session, Size: 10 * time.Millisecond}),
			Script: "1 MAX 1\nwatermark -1\n1 MAX 2\n1 MAX 3\nwatermark 0\n1 -MAX 6\n1 -MAX 7\n1 -MAX 8\n1 12 9\nend",
			Want:   "1 1 19 12 1.714286 12",
		},
	} {
		c.Script, c.Want = big.Replace(c.Script), big.Replace(c.Want)
		c.New, c.Inputs, c.Backend, c.Keys = window.New, []*types.Schema{s}, backend, [][]int{{0}}
		operatortest.Run(t, c)
	}
}
