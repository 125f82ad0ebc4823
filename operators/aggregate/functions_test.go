package aggregate_test

import (
	"fmt"
	"strings"
	"testing"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/operators/operatortest"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

// TestEveryFunction opens every function that is typed over every kind of value, with and without DISTINCT, FILTER and rows taken
// back: what the types allow the operator does, but for what is refused by name.
func TestEveryFunction(t *testing.T) {
	args := []types.Type{
		types.Of(types.TinyInt), types.Of(types.BigInt).NotNull(), types.Of(types.Float), types.Of(types.Double), types.DecimalOf(10, 2), types.DecimalOf(38, 38),
		types.StringType(), types.BytesType(), types.Of(types.Boolean), types.Of(types.Date), types.TimestampOf(9), types.ArrayOf(types.Of(types.Int)),
	}
	for _, f := range expr.Aggregates() {
		done := 0
		for _, arg := range args {
			for i := range 8 {
				s := types.NewSchema(field("k", types.Of(types.Int)), field("v", arg), field("f", types.Of(types.Boolean)))
				call := jobgraph.AggregateCall{Func: f.Name, Arg: 1, Name: "x", Distinct: i&1 > 0, Filtered: i&2 > 0, Filter: 2}
				spec := &jobgraph.OperatorSpec{UID: "agg", Body: &jobgraph.GroupAggregateSpec{Keys: []int{0}, Aggregates: []jobgraph.AggregateCall{call}, Retract: i&4 > 0}}
				_, typed := expr.AggregateResult(f.Name, []types.Type{arg})
				_, known := call.Type(s)
				err := openGroup(t, spec, s)
				text := fmt.Sprintf("%s(%s), distinct %v, filtered %v, retract %v", f.Name, arg, call.Distinct, call.Filtered, i&4 > 0)
				nested := arg.Layout() >= types.LayoutList
				switch {
				case typed != nil && err == nil:
					t.Errorf("%s: the operator does what has no type", text)
				case (known == nil) != (err == nil) && !nested:
					t.Errorf("%s: the graph says %v, the operator %v", text, known, err)
				case err == nil:
					done++
				case typed == nil && !nested && f.Name != "ARRAY_AGG":
					t.Errorf("%s: %v", text, err)
				case typed == nil && !strings.Contains(err.Error(), f.Name) && !strings.Contains(err.Error(), "ARRAY"):
					t.Errorf("%s: the error does not name it: %v", text, err)
				}
			}
		}
		if refused := f.Name == "ARRAY_AGG"; refused != (done == 0) {
			t.Errorf("%s: %d of its kinds work", f.Name, done)
		}
	}
}

func openGroup(t *testing.T, spec *jobgraph.OperatorSpec, in *types.Schema) error {
	var pool stream.Pool
	store, err := columnar.New().Open(t.Context(), statebackend.OpenSpec{MaxParallelism: 8, KeyGroups: types.AllKeyGroups(8), Pool: &pool})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	out, err := jobgraph.OutputSchema(spec, []*types.Schema{in})
	if err != nil {
		return err
	}
	op, err := aggregate.NewGroup(spec)
	if err != nil {
		return err
	}
	err = op.Open(&operators.Context{
		Operator: "agg", Inputs: []*types.Schema{in}, Output: out, Pool: &pool, State: store, Time: &operators.Time{}, RowsMax: 1, Counts: &operators.Counts{},
	})
	if err == nil {
		err = op.Close()
	}
	return err
}

func TestGroupValuesInOrder(t *testing.T) {
	calls := []jobgraph.AggregateCall{
		{Func: "FIRST_VALUE", Arg: 1, Name: "first"},
		{Func: "LAST_VALUE", Arg: 2, Name: "last"},
		{Func: "LISTAGG", Arg: 2, Name: "list", Separator: "+"},
		{Func: "LISTAGG", Arg: 2, Name: "set", Separator: ",", Distinct: true, Filtered: true, Filter: 3},
	}
	script := `
		+I 1 NULL NULL TRUE 0
		+I 1 10 'a' TRUE 0
		+I 1 20 'b' FALSE 0
		+I 1 30 'a' TRUE 0
		-D 1 10 'a' TRUE 0
		+I 2 5 '' TRUE 0
		+I 1 40 'c' NULL 0
		-D 1 30 'a' TRUE 0
		-D 1 40 'c' NULL 0
		-D 1 20 'b' FALSE 0
		-D 2 5 '' TRUE 0
		end`
	rowByRow(t, "taken back", group(func(s *jobgraph.GroupAggregateSpec) { s.UpdateBefore, s.Aggregates = false, calls }), script, `
		+I 1 NULL NULL NULL NULL
		+U 1 10 'a' 'a' 'a'
		+U 1 10 'b' 'a+b' 'a'
		+U 1 10 'a' 'a+b+a' 'a'
		+U 1 20 'a' 'b+a' 'a'
		+I 2 5 '' '' ''
		+U 1 20 'c' 'b+a+c' 'a'
		+U 1 20 'c' 'b+c' NULL
		+U 1 20 'b' 'b' NULL
		+U 1 NULL NULL NULL NULL
		-D 2 NULL NULL NULL NULL`, nil)
	rowByRow(t, "of rows that only come", group(func(s *jobgraph.GroupAggregateSpec) {
		s.UpdateBefore, s.Retract, s.Aggregates = false, false, calls
	}), "+I 1 NULL NULL TRUE 0\n+I 1 10 'a' TRUE 0\n+I 1 20 'b' FALSE 0\n+I 1 30 'a' TRUE 0\nend", `
		+I 1 NULL NULL NULL NULL
		+U 1 10 'a' 'a' 'a'
		+U 1 10 'b' 'a+b' 'a'
		+U 1 10 'a' 'a+b+a' 'a'`, nil)
}

// TestFirstValuesOfABatch: a group whose values have all gone says nothing of the others of its batch.
func TestFirstValuesOfABatch(t *testing.T) {
	operatortest.Run(t, operatortest.Case{
		New: aggregate.NewGroup, Inputs: []*types.Schema{orders}, Keys: [][]int{{0}}, Backend: columnar.New(),
		Spec: group(func(s *jobgraph.GroupAggregateSpec) {
			s.Aggregates = []jobgraph.AggregateCall{{Func: "FIRST_VALUE", Arg: 2, Name: "text"}, {Func: "FIRST_VALUE", Arg: 1, Name: "number"}, {Func: "LAST_VALUE", Arg: 2, Name: "last"}}
		}),
		Script: "+I 1 10 'a' NULL 0\n+I 3 30 'c' NULL 0\nflush\n+I 2 20 'b' NULL 0\n-D 1 10 'a' NULL 0\n+I 4 40 'd' NULL 0\n-D 3 30 'c' NULL 0\nend",
		Want: `
			+I 1 'a' 10 'a'
			+I 3 'c' 30 'c'
			+I 2 'b' 20 'b'
			-D 1 'a' 10 'a'
			+I 4 'd' 40 'd'
			-D 3 'c' 30 'c'`,
	})
}

func TestGroupDeviations(t *testing.T) {
	calls := func(arg int) (out []jobgraph.AggregateCall) {
		for _, f := range []string{"VAR_POP", "VAR_SAMP", "STDDEV_POP", "STDDEV_SAMP", "SUM0"} {
			out = append(out, jobgraph.AggregateCall{Func: f, Arg: arg, Name: f})
		}
		return out
	}
	rowByRow(t, "integers", group(func(s *jobgraph.GroupAggregateSpec) { s.UpdateBefore, s.Aggregates = false, calls(1) }), `
		+I 1 NULL 'a' TRUE 0
		+I 1 4000000000 'a' TRUE 0
		+I 1 4000000010 'a' TRUE 0
		+I 1 4000000011 'a' TRUE 0
		-D 1 4000000000 'a' TRUE 0
		end`, `
		+I 1 NULL NULL NULL NULL 0
		+U 1 0 NULL 0 NULL 4000000000
		+U 1 25 50 5 7 8000000010
		+U 1 24 37 4 6 12000000021
		+U 1 0 1 0 1 8000000021`, nil)
	rowByRow(t, "doubles, and no less than 0", group(func(s *jobgraph.GroupAggregateSpec) { s.UpdateBefore, s.Aggregates = false, calls(4)[:3] }), `
		+I 1 0 'a' TRUE 1.5
		+I 1 0 'a' TRUE 2.5
		+I 2 0 'a' TRUE 0.1
		+I 2 0 'a' TRUE 0.1
		+I 2 0 'a' TRUE 0.1
		end`, `
		+I 1 0 NULL 0
		+U 1 0.25 0.5 0.5
		+I 2 0 NULL 0
		+U 2 0 0 0`, nil)
}
