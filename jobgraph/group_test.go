package jobgraph_test

import (
	"testing"
	"time"

	"millrace/jobgraph"
)

// grouped makes the main job one that aggregates without windows, in two phases.
func grouped(g *jobgraph.Graph, change func(local *jobgraph.LocalGroupAggregateSpec, global *jobgraph.GroupAggregateSpec)) {
	in := g.Vertices[0].Source.Schema
	global := &jobgraph.GroupAggregateSpec{
		Keys: []int{0}, Partial: true, Input: in, TTL: time.Hour,
		Aggregates: []jobgraph.AggregateCall{
			{Func: "COUNT", Arg: jobgraph.CountStar, Name: "n"}, {Func: "avg", Arg: 2, Name: "mean"},
		},
	}
	local := global.Local()
	change(local, global)
	g.Vertices[0].Operators[0] = jobgraph.OperatorSpec{UID: "local", Body: local}
	g.Vertices[1].Operators[0] = jobgraph.OperatorSpec{UID: "global", Body: global}
}

var groupProblems = []problemCase{
	{"a group aggregate of other rows", func(g *jobgraph.Graph) {
		grouped(g, func(local *jobgraph.LocalGroupAggregateSpec, _ *jobgraph.GroupAggregateSpec) {
			local.Aggregates = local.Aggregates[:1]
		})
	}},
	{"a group aggregate that can't be in two phases", func(g *jobgraph.Graph) {
		grouped(g, func(local *jobgraph.LocalGroupAggregateSpec, global *jobgraph.GroupAggregateSpec) {
			local.Retract, global.Retract, global.TTL = true, true, -1
			global.Aggregates[0] = jobgraph.AggregateCall{Func: "COUNT", Arg: 2, Name: "n", Distinct: true}
			global.Aggregates[1].Func = "MIN"
		})
	}},
	{"calls that make no sense", func(g *jobgraph.Graph) {
		grouped(g, func(_ *jobgraph.LocalGroupAggregateSpec, global *jobgraph.GroupAggregateSpec) {
			global.Partial, global.Retract = false, true
			global.Aggregates = []jobgraph.AggregateCall{
				{Func: "COUNT", Arg: jobgraph.CountStar, Name: "a", Distinct: true},
				{Func: "LISTAGG", Arg: 3, Name: "b"},
				{Func: "SUM", Arg: 2, Name: "c", Filtered: true, Filter: 2},
				{Func: "SUM", Arg: 2, Name: "d", Filtered: true, Filter: 99},
				{Func: "MEDIAN", Arg: 2, Name: "e"},
				{Func: "STDDEV_POP", Arg: 3, Name: "f"},
				{Func: "ARRAY_AGG", Arg: 2, Name: "g"},
			}
		})
	}},
	{"nothing to group", func(g *jobgraph.Graph) {
		grouped(g, func(_ *jobgraph.LocalGroupAggregateSpec, global *jobgraph.GroupAggregateSpec) {
			*global = jobgraph.GroupAggregateSpec{}
		})
	}},
}

func TestGroupProblems(t *testing.T) { checkProblems(t, "problems-group.txt", groupProblems) }

func TestGroupGraphs(t *testing.T) {
	g := mainJob(t)
	grouped(g, func(*jobgraph.LocalGroupAggregateSpec, *jobgraph.GroupAggregateSpec) {})
	if err := jobgraph.Validate(g, cluster{}); err != nil {
		t.Fatal(err)
	}
	if _, err := jobgraph.Derive(g); err != nil {
		t.Fatal(err)
	}
	golden(t, "group.explain", jobgraph.Explain(g))
}
