package jobgraph_test

import (
	"testing"

	"millrace/jobgraph"
)

// alone makes the main job one with a single operator behind its hash.
func alone(body jobgraph.OperatorBody) func(g *jobgraph.Graph) {
	return func(g *jobgraph.Graph) {
		g.Vertices[0].Operators = nil
		g.Vertices[1].Operators = []jobgraph.OperatorSpec{{UID: "it", Body: body}}
	}
}

var overProblems = []problemCase{
	{"an over aggregate of nothing", alone(&jobgraph.OverAggregateSpec{Keys: []int{0}, Time: 2, Frame: jobgraph.FrameSpec{Bounded: true, Preceding: -1}})},
	{"an over aggregate that can't be", alone(&jobgraph.OverAggregateSpec{
		Keys: []int{1}, Arrival: true, Frame: jobgraph.FrameSpec{Bounded: true, Preceding: 1 << 40},
		Aggregates: []jobgraph.AggregateCall{{Func: "COUNT", Arg: 2, Distinct: true, Name: "n"}},
	})},
	{"an over aggregate of other keys", alone(&jobgraph.OverAggregateSpec{
		Keys: []int{1}, Arrival: true, Aggregates: []jobgraph.AggregateCall{{Func: "COUNT", Arg: 2, Name: "n"}},
	})},
	{"an over aggregate of updates by time", alone(&jobgraph.OverAggregateSpec{
		Keys: []int{0}, Arrival: true, Retract: true, Aggregates: []jobgraph.AggregateCall{{Func: "COUNT", Arg: 2, Name: "n"}},
	})},
	{"an over aggregate in an order that can't be", alone(&jobgraph.OverAggregateSpec{
		Keys: []int{0}, Order: []jobgraph.SortColumn{{Column: 77}}, Frame: jobgraph.FrameSpec{Range: true, Bounded: true, Preceding: 1},
		Aggregates: []jobgraph.AggregateCall{{Func: "COUNT", Arg: 2, Name: "n"}},
	})},
	{"places in other frames", alone(&jobgraph.OverAggregateSpec{
		Keys: []int{0}, Arrival: true, Frame: jobgraph.FrameSpec{Range: true},
		Aggregates: []jobgraph.AggregateCall{{Func: "RANK", Arg: jobgraph.CountStar, Name: "n"}},
	})},
	{"places that can't be", alone(&jobgraph.OverAggregateSpec{
		Keys: []int{0}, Arrival: true, Aggregates: []jobgraph.AggregateCall{
			{Func: "RANK", Arg: 2, Name: "a"},
			{Func: "DENSE_RANK", Arg: jobgraph.CountStar, Distinct: true, Name: "b"},
			{Func: "LAG", Arg: jobgraph.CountStar, Name: "c"},
			{Func: "LAG", Arg: 2, Offset: jobgraph.LagRowsMax + 1, Name: "d"},
			{Func: "LAG", Arg: 2, Defaulted: true, Default: 77, Name: "e"},
			{Func: "LAG", Arg: 2, Defaulted: true, Default: 3, Name: "f"},
		},
	})},
	{"rows behind that are not there", alone(&jobgraph.OverAggregateSpec{
		Keys: []int{0}, Order: []jobgraph.SortColumn{{Column: 2}}, Aggregates: []jobgraph.AggregateCall{{Func: "LEAD", Arg: 2, Offset: 1, Name: "n"}},
	})},
	{"no tiles", alone(&jobgraph.OverAggregateSpec{
		Keys: []int{0}, Order: []jobgraph.SortColumn{{Column: 2}}, FinalOnly: true,
		Aggregates: []jobgraph.AggregateCall{{Func: "NTILE", Arg: jobgraph.CountStar, Name: "n"}, {Func: "CUME_DIST", Arg: 2, Name: "m"}},
	})},
	{"no grouping sets", alone(&jobgraph.ExpandSpec{})},
	{"grouping sets that are one", alone(&jobgraph.ExpandSpec{ID: "auction", Sets: []jobgraph.GroupingSet{{}, {Nulls: []int{77}}}})},
	{"an id that is a column", alone(&jobgraph.ExpandSpec{ID: "auction", Sets: []jobgraph.GroupingSet{{}}})},
}

func TestOverProblems(t *testing.T) { checkProblems(t, "problems-over.txt", overProblems) }

func TestOverGraphs(t *testing.T) {
	g := mainJob(t)
	alone(&jobgraph.OverAggregateSpec{
		Keys: []int{0}, Time: 5, Frame: jobgraph.FrameSpec{Bounded: true, Preceding: 9},
		Aggregates: []jobgraph.AggregateCall{{Func: "AVG", Arg: 2, Name: "mean"}},
	})(g)
	g.Vertices[1].Operators = append(g.Vertices[1].Operators, jobgraph.OperatorSpec{UID: "places", Body: &jobgraph.OverAggregateSpec{
		Keys: []int{0}, Time: 5, Aggregates: []jobgraph.AggregateCall{
			{Func: "RANK", Arg: jobgraph.CountStar, Name: "rank"},
			{Func: "LAG", Arg: 2, Offset: 3, Name: "before"},
			{Func: "LAG", Arg: 2, Offset: 1, Defaulted: true, Default: 2, Name: "or"},
		},
	}})
	g.Vertices[1].Operators = append(g.Vertices[1].Operators, jobgraph.OperatorSpec{UID: "sets", Body: &jobgraph.ExpandSpec{
		ID: "$e", Sets: []jobgraph.GroupingSet{{}, {Nulls: []int{0, 1}, ID: 3}},
	}})
	if err := jobgraph.Validate(g, cluster{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "over.explain", jobgraph.Explain(g))
}
