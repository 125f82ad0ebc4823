package sdk_test

import (
	"testing"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/sdk"
	"millrace/stream"
	"millrace/types"
)

// BenchmarkScalarFunc: a function in Go of a BIGINT, by row and by batch, beside the built-in one.
func BenchmarkScalarFunc(b *testing.B) {
	env := sdk.NewEnv(nil, nil)
	sdk.ScalarFunc(env, "twice", func(n int64) (int64, error) { return 2 * n, nil })
	sdk.ScalarBatch[int64](env, "twice_batch", func(args *sdk.Batch, out []int64) error {
		for i, n := range sdk.Argument[int64](0).In(args) {
			out[i] = 2 * n
		}
		return nil
	})
	sdk.Query[int64](env, "q", "SELECT twice(1) AS `value`").To("out", nowhere)
	_, functions, err := env.Describe()
	if err != nil {
		b.Fatal(err)
	}
	program := &jobgraph.ProgramSpec{Functions: env.Functions()}
	r, err := program.Registry(expr.Builtins(), functions.(operators.Callable).Implementation)
	if err != nil {
		b.Fatal(err)
	}
	number := types.Of(types.BigInt).NotNull()
	s := types.NewSchema(types.Field{Name: "n", Type: number})
	var pool stream.Pool
	rows := pool.NewBatch(s, 8192)
	rows.Columns[0] = stream.NewFixed(&pool, number, 8192)
	for i := range stream.Values[int64](&rows.Columns[0]) {
		stream.Values[int64](&rows.Columns[0])[i] = int64(i)
	}
	for name, args := range map[string][]expr.Expr{"TWICE": nil, "TWICE_BATCH": nil, "*": {expr.BigInt(2)}} {
		call, err := expr.NewCall(r, name, append([]expr.Expr{&expr.Column{Name: "n", T: number}}, args...)...)
		if err != nil {
			b.Fatal(err)
		}
		p, err := kernel.Compile(call, s, r)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v, err := p.Eval(&pool, rows)
				if err != nil {
					b.Fatal(err)
				}
				v.Release()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/8192, "ns/row")
		})
	}
}
