package correlate_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/correlate"
	"millrace/operators/operatortest"
	"millrace/stream"
	"millrace/types"
)

func field(name string, t types.Type) types.Field { return types.Field{Name: name, Type: t} }

var (
	intType = types.Of(types.Int)
	rowType = types.RowOf(field("x", intType), field("y", types.StringType()))
	input   = types.NewSchema(
		field("id", intType), field("list", types.ArrayOf(intType)), field("rows", types.ArrayOf(rowType)),
		field("pairs", types.MapOf(types.StringType(), intType)), field("text", types.StringType()))
)

func column(i int) expr.Expr {
	return &expr.Column{Index: i, Name: input.Fields[i].Name, T: input.Fields[i].Type}
}

// words splits a text at its blanks.
var words = correlate.Function{
	Columns: func(args []types.Type) ([]types.Type, error) {
		if len(args) != 1 || args[0].Kind != types.VarChar {
			return nil, fmt.Errorf("it takes one STRING")
		}
		return []types.Type{types.StringType()}, nil
	},
	Eval: func(args *stream.Batch, out []*stream.Builder, counts []int32) error {
		v := &args.Columns[0]
		for i := range args.Rows() {
			if row := args.Row(i); !v.IsNull(row) {
				for word := range bytes.FieldsSeq(v.Bytes(row)) {
					if string(word) == "bad" {
						return fmt.Errorf("a bad word")
					}
					out[0].AppendBytes(word)
					counts[i]++
				}
			}
		}
		return nil
	},
}

var factory = correlate.Factory(expr.Builtins(), correlate.Functions{"WORDS": words})

const script = `
	1 [1, 2, NULL] [(1, 'a'), NULL] {'k': 1, 'l': NULL} 'the quick fox'
	-D 2 [3] [(NULL, 'b')] {'m': 2} 'jumps'
	3 [] [] {} ''
	4 NULL NULL NULL NULL`

func TestCorrelate(t *testing.T) {
	spec := func(kind jobgraph.JoinType, f string, arg int, ordinality bool, columns ...types.Field) *jobgraph.CorrelateSpec {
		return &jobgraph.CorrelateSpec{Type: kind, Func: f, Args: []expr.Expr{column(arg)}, Ordinality: ordinality, Columns: columns}
	}
	const one = "1 [1, 2, NULL] [(1, 'a'), NULL] {'k': 1, 'l': NULL} 'the quick fox'"
	const two = "-D 2 [3] [(NULL, 'b')] {'m': 2} 'jumps'"
	const rest = "\n3 [] [] {} '' NULL\n4 NULL NULL NULL NULL NULL"
	ordinal := field("n", jobgraph.Ordinal)
	for _, c := range []struct {
		name string
		spec *jobgraph.CorrelateSpec
		want []string // of rows one and two
		rest string
	}{
		{"array", spec(jobgraph.InnerJoin, jobgraph.Unnest, 1, false, field("e", intType)), []string{"1", "2", "NULL", "", "3"}, ""},
		{"array, left", spec(jobgraph.LeftJoin, jobgraph.Unnest, 1, false, field("e", intType)), []string{"1", "2", "NULL", "", "3"}, rest},
		{"array with ordinality", spec(jobgraph.LeftJoin, jobgraph.Unnest, 1, true, field("e", intType), ordinal), []string{"1 1", "2 2", "NULL 3", "", "3 1"}, strings.ReplaceAll(rest+" NULL", "'' NULL", "'' NULL NULL")},
		{"array of rows", spec(jobgraph.InnerJoin, jobgraph.Unnest, 2, false, field("x", intType), field("y", types.StringType())), []string{"1 'a'", "NULL NULL", "", "NULL 'b'"}, ""},
		{"map", spec(jobgraph.InnerJoin, jobgraph.Unnest, 3, true, field("k", types.StringType()), field("v", intType), ordinal), []string{"'k' 1 1", "'l' NULL 2", "", "'m' 2 1"}, ""},
		{"function", spec(jobgraph.LeftJoin, "words", 4, false, field("word", types.StringType())), []string{"'the'", "'quick'", "'fox'", "", "'jumps'"}, rest},
	} {
		var want strings.Builder
		row := one
		for _, w := range c.want {
			if w == "" {
				row = two
				continue
			}
			fmt.Fprintf(&want, "%s %s\n", row, w)
		}
		operatortest.Run(t, operatortest.Case{
			Name: c.name, Spec: &jobgraph.OperatorSpec{UID: "c", Body: c.spec}, New: factory, Inputs: []*types.Schema{input},
			Script: script, Want: want.String() + c.rest, Ordered: true,
		})
	}
}

// TestUnknownFunction: a function that nobody has is one of no program either.
func TestUnknownFunction(t *testing.T) {
	spec := &jobgraph.CorrelateSpec{Func: "wards", Columns: []types.Field{field("word", types.StringType())}}
	op, err := factory(&jobgraph.OperatorSpec{UID: "c", Body: spec})
	if err != nil {
		t.Fatal(err)
	}
	err = op.Open(&operators.Context{Operator: "c", Inputs: []*types.Schema{input}, Output: input, RowsMax: 1, Time: new(operators.Time)})
	if err == nil || !strings.Contains(err.Error(), "has no table function wards") {
		t.Errorf("%v, want that there is none", err)
	}
}

// TestReplicate: a row comes as often as a number says, also one that fills several batches.
func TestReplicate(t *testing.T) {
	s := types.NewSchema(field("k", types.StringType()), field("n", types.Of(types.BigInt)))
	spec := &jobgraph.CorrelateSpec{Func: jobgraph.ReplicateRows, Args: []expr.Expr{&expr.Column{Index: 1, Name: "n", T: s.Fields[1].Type}}}
	operatortest.Run(t, operatortest.Case{
		Name: "replicate", Spec: &jobgraph.OperatorSpec{UID: "c", Body: spec}, New: factory, Inputs: []*types.Schema{s}, Ordered: true,
		Script: "'a' 2\n'b' 0\n'c' NULL\n-U 'd' 1\n+U 'd' 3\n'e' -1\n'f' 40",
		Want:   "'a' 2\n'a' 2\n-U 'd' 1\n" + strings.Repeat("+U 'd' 3\n", 3) + strings.Repeat("'f' 40\n", 40),
	})
	wrong := &jobgraph.CorrelateSpec{Func: jobgraph.ReplicateRows, Args: []expr.Expr{&expr.Column{Index: 0, Name: "k", T: s.Fields[0].Type}}}
	op, err := factory(&jobgraph.OperatorSpec{UID: "c", Body: wrong})
	if err != nil {
		t.Fatal(err)
	}
	if err := op.Open(&operators.Context{Operator: "c", Inputs: []*types.Schema{s}, Output: s, RowsMax: 1, Time: new(operators.Time)}); err == nil || !strings.Contains(err.Error(), "needs a BIGINT") {
		t.Errorf("%v, want that it needs a BIGINT", err)
	}
}

func TestRefusals(t *testing.T) {
	text := []types.Field{field("word", types.StringType())}
	for name, spec := range map[string]*jobgraph.CorrelateSpec{
		"takes one STRING":           {Func: "words", Args: []expr.Expr{column(0)}, Columns: text},
		"not the columns of the job": {Func: "words", Args: []expr.Expr{column(4)}, Columns: []types.Field{field("word", intType)}},
	} {
		if _, err := factory(&jobgraph.OperatorSpec{UID: "c", Body: spec}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}
