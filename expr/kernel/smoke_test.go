package kernel

import (
	"testing"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

func TestSmoke(t *testing.T) {
	reg := expr.Builtins()
	s := types.NewSchema(types.Field{Name: "a", Type: types.Of(types.BigInt)}, types.Field{Name: "s", Type: types.StringType()})
	a := &expr.Column{Index: 0, Name: "a", T: s.Fields[0].Type}
	col := &expr.Column{Index: 1, Name: "s", T: s.Fields[1].Type}
	sum, err := expr.NewCall(reg, "+", a, expr.Int(5))
	if err != nil {
		t.Fatal(err)
	}
	gt, _ := expr.NewCall(reg, ">", sum, expr.BigInt(7))
	eq, _ := expr.NewCall(reg, "=", col, expr.String("x"))
	and, _ := expr.NewCall(reg, "AND", gt, eq)
	var pool stream.Pool
	ab, sb := stream.NewBuilder(&pool, s.Fields[0].Type, 4), stream.NewBuilder(&pool, s.Fields[1].Type, 4)
	for i := range 10 {
		if i == 3 {
			ab.AppendNull()
		} else {
			ab.AppendInt64(int64(i))
		}
		sb.AppendString([]string{"x", "y"}[i%2])
	}
	b := pool.NewBatch(s, 10)
	b.Columns[0], b.Columns[1] = ab.Finish(), sb.Finish()
	p, err := CompilePredicate(and, s, reg)
	if err != nil {
		t.Fatal(err)
	}
	sel, err := p.Select(&pool, b, nil)
	if err != nil || len(sel) != 3 || sel[0] != 4 {
		t.Fatal(sel, err)
	}
	q, err := Compile(sum, s, reg)
	if err != nil {
		t.Fatal(err)
	}
	v, err := q.Eval(&pool, b)
	if err != nil || stream.Value[int64](&v, 4) != 9 || !v.IsNull(3) {
		t.Fatal(v, err)
	}
	v.Release()
	b.Release()
	if pool.Live() != 0 {
		t.Fatal(pool.Live())
	}
}
