package kernel

import (
	"testing"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

const benchRows = 4096

// benchBatch has a BIGINT, a BIGINT with NULLs, text of eight values, and a DECIMAL.
func benchBatch(b testing.TB, pool *stream.Pool) *stream.Batch {
	b.Helper()
	s := types.NewSchema(
		types.Field{Name: "a", Type: types.Of(types.BigInt).NotNull()},
		types.Field{Name: "n", Type: types.Of(types.BigInt)},
		types.Field{Name: "s", Type: types.StringType()},
		types.Field{Name: "d", Type: types.DecimalOf(12, 2)},
	)
	words := []string{"apple", "pear", "plum", "cherry", "apricot", "fig", "grape", "melon"}
	batch := pool.NewBatch(s, benchRows)
	builders := make([]stream.Builder, s.Len())
	for i := range builders {
		builders[i].Init(pool, s.Fields[i].Type, benchRows)
	}
	for i := range benchRows {
		x := int64(uint64(i*2654435761) % 10_000)
		builders[0].AppendInt64(x)
		if i%7 == 0 {
			builders[1].AppendNull()
		} else {
			builders[1].AppendInt64(x)
		}
		builders[2].AppendString(words[x%8])
		builders[3].AppendInt64(x)
	}
	for i := range builders {
		batch.Columns[i] = builders[i].Finish()
	}
	b.Cleanup(batch.Release)
	return batch
}

func newExpr(b testing.TB, reg *expr.Registry, name string, args ...expr.Expr) expr.Expr {
	b.Helper()
	e, err := expr.NewCall(reg, name, args...)
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func perRow(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}

func BenchmarkEval(b *testing.B) {
	var pool stream.Pool
	batch := benchBatch(b, &pool)
	reg, s := expr.Builtins(), batch.Schema
	a, n, text, d := column(s, 0), column(s, 1), column(s, 2), column(s, 3)
	cases := []struct {
		name string
		e    expr.Expr
	}{
		{"column", a},
		{"int64 plus constant", newExpr(b, reg, "+", a, expr.BigInt(5))},
		{"int64 plus int64 with nulls", newExpr(b, reg, "+", a, n)},
		{"int64 remainder by constant", newExpr(b, reg, "%", a, expr.BigInt(123))},
		{"decimal plus decimal", newExpr(b, reg, "+", d, d)},
		{"decimal by decimal", newExpr(b, reg, "/", d, &expr.Literal{T: types.DecimalOf(5, 2).NotNull(), Value: int64(317)})},
		{"upper", newExpr(b, reg, "UPPER", text)},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			p, err := Compile(c.e, s, reg)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				v, err := p.Eval(&pool, batch)
				if err != nil {
					b.Fatal(err)
				}
				v.Release()
			}
			perRow(b)
		})
	}
}

func BenchmarkSelect(b *testing.B) {
	var pool stream.Pool
	batch := benchBatch(b, &pool)
	reg, s := expr.Builtins(), batch.Schema
	a, n, text := column(s, 0), column(s, 1), column(s, 2)
	small := newExpr(b, reg, "<", a, expr.BigInt(1000))
	fruit := newExpr(b, reg, "=", text, expr.String("cherry"))
	cases := []struct {
		name string
		e    expr.Expr
	}{
		{"int64 below constant", small},
		{"int64 below constant with nulls", newExpr(b, reg, "<", n, expr.BigInt(1000))},
		{"text equals constant", fruit},
		{"both", newExpr(b, reg, "AND", small, fruit)},
		{"remainder is zero", newExpr(b, reg, "=", newExpr(b, reg, "MOD", a, expr.Int(123)), expr.Int(0))},
	}
	sel := make([]int32, 0, benchRows)
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			p, err := CompilePredicate(c.e, s, reg)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if sel, err = p.Select(&pool, batch, sel[:0]); err != nil {
					b.Fatal(err)
				}
			}
			perRow(b)
		})
	}
}

// TestSteadyStateAllocations: a batch allocates nothing but pooled buffers.
func TestSteadyStateAllocations(t *testing.T) {
	var pool stream.Pool
	batch := benchBatch(t, &pool)
	reg, s := expr.Builtins(), batch.Schema
	a, n, text, d := column(s, 0), column(s, 1), column(s, 2), column(s, 3)
	for name, e := range map[string]expr.Expr{
		"arithmetic":  newExpr(t, reg, "+", newExpr(t, reg, "*", a, expr.BigInt(3)), n),
		"condition":   newExpr(t, reg, "AND", newExpr(t, reg, "<", n, expr.BigInt(9)), newExpr(t, reg, "=", text, expr.String("fig"))),
		"guarded":     newExpr(t, reg, "OR", newExpr(t, reg, "=", a, expr.BigInt(0)), newExpr(t, reg, ">", newExpr(t, reg, "/", n, a), expr.BigInt(0))),
		"coalesce":    newExpr(t, reg, "COALESCE", n, a),
		"decimal":     newExpr(t, reg, "*", d, d),
		"text":        newExpr(t, reg, "UPPER", text),
		"char length": newExpr(t, reg, "CHAR_LENGTH", text),
	} {
		p, err := Compile(e, s, reg)
		if err != nil {
			t.Fatal(err)
		}
		allocs := testing.AllocsPerRun(20, func() {
			v, err := p.Eval(&pool, batch)
			if err != nil {
				t.Fatal(err)
			}
			v.Release()
		})
		if allocs > 1 { // text: the closure over the row
			t.Errorf("%s: %v allocations a batch", name, allocs)
		}
	}
}
