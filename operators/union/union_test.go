package union_test

import (
	"strings"
	"testing"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/operators/union"
	"millrace/types"
)

func TestUnion(t *testing.T) {
	s := types.NewSchema(types.Field{Name: "i", Type: types.Of(types.Int)}, types.Field{Name: "s", Type: types.StringType()})
	operatortest.Run(t, operatortest.Case{
		Name: "two inputs", Spec: &jobgraph.OperatorSpec{UID: "u", Body: &jobgraph.UnionSpec{}}, New: union.New, Inputs: []*types.Schema{s, s},
		Script: `
			1 'a'
			-D 2 NULL
			input 1
			+U 3 'c'
			watermark 5
			input 0
			NULL ''
			end`,
		Want:    "1 'a'\n-D 2 NULL\n+U 3 'c'\nNULL ''",
		Ordered: true,
		Counts:  &operators.Counts{},
	})
}

func TestUnionRefusesOtherSchemas(t *testing.T) {
	a := types.NewSchema(types.Field{Name: "i", Type: types.Of(types.Int)})
	b := types.NewSchema(types.Field{Name: "i", Type: types.Of(types.BigInt)})
	op, err := union.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	err = op.Open(&operators.Context{Operator: "u", Inputs: []*types.Schema{a, b}, Output: a})
	if err == nil || !strings.Contains(err.Error(), "input 1") {
		t.Errorf("got %v", err)
	}
}
