package jobgraph_test

import (
	"strings"
	"testing"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/types"
)

// ownProblem puts aggregate calls of the program's functions into an operator. TALLY can do nothing but add.
func ownProblem(body func(call jobgraph.AggregateCall) jobgraph.OperatorBody, change func(*jobgraph.AggregateCall)) func(g *jobgraph.Graph) {
	return func(g *jobgraph.Graph) {
		number := types.Of(types.BigInt)
		g.Program = &jobgraph.ProgramSpec{
			Name: "p", Build: strings.Repeat("00", jobgraph.BuildBytes), Digest: strings.Repeat("00", jobgraph.BuildBytes),
			Functions: []jobgraph.FunctionSpec{
				{Name: "TALLY", Kind: jobgraph.AggregateFunction, Args: []types.Type{number}, Result: number, Accumulator: []types.Field{{Name: "n", Type: number.NotNull()}}},
				{Name: "PAIRS", Kind: jobgraph.AggregateFunction, Args: []types.Type{number, number}, Result: number, Merges: true, Accumulator: []types.Field{{Name: "n", Type: number.NotNull()}}},
				{Name: "LISTS", Kind: jobgraph.AggregateFunction, Args: []types.Type{types.ArrayOf(number)}, Result: number, Accumulator: []types.Field{{Name: "n", Type: number.NotNull()}}},
			},
		}
		call := jobgraph.AggregateCall{Func: "TALLY", Arg: 2, Name: "n"}
		change(&call)
		alone(body(call))(g)
		g.BindFunctions()
	}
}

func ownGroup(call jobgraph.AggregateCall) jobgraph.OperatorBody {
	return &jobgraph.GroupAggregateSpec{Keys: []int{0}, Aggregates: []jobgraph.AggregateCall{call}}
}

var ownProblems = []problemCase{
	{"one that the program has not", ownProblem(ownGroup, func(a *jobgraph.AggregateCall) { a.Func = "TELLY" })},
	{"no column", ownProblem(ownGroup, func(a *jobgraph.AggregateCall) { a.Arg = jobgraph.CountStar })},
	{"a column that is not there", ownProblem(ownGroup, func(a *jobgraph.AggregateCall) { a.Func, a.Rest = "PAIRS", []int{77} })},
	{"too few columns", ownProblem(ownGroup, func(a *jobgraph.AggregateCall) { a.Func = "PAIRS" })},
	{"too many columns", ownProblem(ownGroup, func(a *jobgraph.AggregateCall) { a.Rest = []int{0} })},
	{"another type", ownProblem(ownGroup, func(a *jobgraph.AggregateCall) { a.Arg = 3 })},
	{"columns of a built-in function", ownProblem(ownGroup, func(a *jobgraph.AggregateCall) { a.Func, a.Rest = "SUM", []int{0} })},
	{"partial rows of DISTINCT", ownProblem(func(call jobgraph.AggregateCall) jobgraph.OperatorBody {
		return &jobgraph.LocalGroupAggregateSpec{Keys: []int{0}, Aggregates: []jobgraph.AggregateCall{call}}
	}, func(a *jobgraph.AggregateCall) { a.Func, a.Rest, a.Distinct = "PAIRS", []int{0}, true })},
	{"partial rows of what can't merge", ownProblem(func(call jobgraph.AggregateCall) jobgraph.OperatorBody {
		return &jobgraph.LocalGroupAggregateSpec{Keys: []int{0}, Aggregates: []jobgraph.AggregateCall{call}}
	}, func(*jobgraph.AggregateCall) {})},
	{"rows that leave a frame", ownProblem(func(call jobgraph.AggregateCall) jobgraph.OperatorBody {
		return &jobgraph.OverAggregateSpec{Keys: []int{0}, Arrival: true, Frame: jobgraph.FrameSpec{Bounded: true, Preceding: 3}, Aggregates: []jobgraph.AggregateCall{call}}
	}, func(*jobgraph.AggregateCall) {})},
	{"rows taken back in an order", ownProblem(func(call jobgraph.AggregateCall) jobgraph.OperatorBody {
		return &jobgraph.OverAggregateSpec{Keys: []int{0}, Order: []jobgraph.SortColumn{{Column: 2}}, Retract: true, Aggregates: []jobgraph.AggregateCall{call}}
	}, func(*jobgraph.AggregateCall) {})},
	{"rows taken back", ownProblem(func(call jobgraph.AggregateCall) jobgraph.OperatorBody {
		return &jobgraph.GroupAggregateSpec{Keys: []int{0}, Aggregates: []jobgraph.AggregateCall{call}, Retract: true}
	}, func(*jobgraph.AggregateCall) {})},
}

func TestOwnProblems(t *testing.T) { checkProblems(t, "problems-own.txt", ownProblems) }

// TestOwnGraph: functions of the program stand in a graph with the columns of all their arguments, once each or as often as they come.
func TestOwnGraph(t *testing.T) {
	g := mainJob(t)
	ownProblem(ownGroup, func(a *jobgraph.AggregateCall) { a.Func, a.Rest, a.Distinct = "PAIRS", []int{0}, true })(g)
	if err := jobgraph.Validate(g, cluster{}); err != nil {
		t.Fatal(err)
	}
	if text := jobgraph.Explain(g); !strings.Contains(text, "n = PAIRS(DISTINCT price, auction)") {
		t.Errorf("no call with both columns in\n%s", text)
	}
	over := mainJob(t)
	ownProblem(func(call jobgraph.AggregateCall) jobgraph.OperatorBody {
		return &jobgraph.OverAggregateSpec{Keys: []int{0}, Arrival: true, Aggregates: []jobgraph.AggregateCall{call}}
	}, func(*jobgraph.AggregateCall) {})(over)
	if err := jobgraph.Validate(over, cluster{}); err != nil {
		t.Errorf("all rows before, of which none is taken back: %v", err)
	}
	list := types.ArrayOf(types.Of(types.BigInt))
	call := jobgraph.AggregateCall{Func: "LISTS", Distinct: true, Own: &expr.Declared{Name: "LISTS", Args: []types.Type{list}}}
	if _, err := call.Type(types.NewSchema(types.Field{Name: "list", Type: list})); err == nil || !strings.Contains(err.Error(), "LISTS(DISTINCT ...): argument 1 is ARRAY<BIGINT>") {
		t.Errorf("lists are told apart: %v", err)
	}
}
