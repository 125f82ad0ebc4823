package layout_test

import (
	"slices"
	"testing"

	"millrace/cmd/cluster"
	"millrace/expr"
	"millrace/jobgraph"
	"millrace/operators/layout"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

// TestFunctionsThatAreElsewhere: the tables of a job are found where its program's functions are not.
func TestFunctionsThatAreElsewhere(t *testing.T) {
	number := types.Of(types.BigInt).NotNull()
	n := func(name string) types.Field { return types.Field{Name: name, Type: number} }
	one := []types.Type{number}
	program := &jobgraph.ProgramSpec{Functions: []jobgraph.FunctionSpec{
		{Name: "NEXT_TO", Kind: jobgraph.ScalarFunction, Args: one, Result: number},
		{Name: "PARTS", Kind: jobgraph.TableFunction, Args: one, Columns: []types.Field{n("part")}},
		{Name: "TALLY", Kind: jobgraph.AggregateFunction, Args: one, Result: number, Accumulator: []types.Field{n("tally")}},
	}}
	column := func(i int, name string) expr.Expr { return &expr.Column{Index: i, Name: name, T: number} }
	g := &jobgraph.Graph{Name: "g", Program: program, Vertices: []jobgraph.Vertex{{
		ID: "v", Source: &jobgraph.SourceSpec{UID: "s", Connector: "values", Schema: types.NewSchema(n("k"))},
		Operators: []jobgraph.OperatorSpec{
			{UID: "calc", Body: &jobgraph.CalcSpec{Columns: []jobgraph.Projection{{Name: "k", Expr: &expr.Call{Func: "NEXT_TO", Args: []expr.Expr{column(0, "k")}, T: number}}}}},
			{UID: "parts", Body: &jobgraph.CorrelateSpec{Func: "PARTS", Args: []expr.Expr{column(0, "k")}, Columns: []types.Field{n("part")}}},
			{UID: "groups", Body: &jobgraph.GroupAggregateSpec{Keys: []int{0}, Aggregates: []jobgraph.AggregateCall{{Func: "TALLY", Arg: 1, Name: "tally"}}}},
		},
	}}}
	g.BindFunctions()
	var pool stream.Pool
	store, err := columnar.New().Open(t.Context(), statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, Parallelism: 1, KeyGroups: types.KeyGroupRangeOf(0, 1, 128), MaxParallelism: 128, Pool: &pool,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	w := cluster.NewWiring(nil)
	declared, err := layout.Declared(w.Operators, w.Functions, g, g.Vertex("v"), store)
	if err != nil {
		t.Fatal(err)
	}
	if want := []statebackend.TableID{{Operator: "groups", Name: "groups"}}; !slices.Equal(declared, want) {
		t.Errorf("the tables are %v, want %v", declared, want)
	}
	program.Functions = program.Functions[1:]
	if _, err := layout.Declared(w.Operators, w.Functions, g, g.Vertex("v"), store); err == nil {
		t.Error("a function that the program does not say that it has compiles")
	}
}
