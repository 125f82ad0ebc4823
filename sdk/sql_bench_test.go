package sdk_test

import (
	"testing"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/over"
	"millrace/sdk"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
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

// BenchmarkAggregateFunc: a sum in Go, beside the built-in one, of a batch of rows of 1,000 keys by arrival: over all rows before each, and over frames.
func BenchmarkAggregateFunc(b *testing.B) {
	env := sdk.NewEnv(nil, nil)
	sdk.AggregateFunc(env, "total", sdk.AggregateOf[int64, int64, int64]{
		Add:     func(acc *int64, n int64) error { *acc += n; return nil },
		Retract: func(acc *int64, n int64) error { *acc -= n; return nil },
		Result:  func(acc *int64) (int64, error) { return *acc, nil },
	})
	sdk.Query[int64](env, "q", "SELECT total(1) AS `value`").To("out", nowhere)
	_, functions, err := env.Describe()
	if err != nil {
		b.Fatal(err)
	}
	program := &jobgraph.ProgramSpec{Functions: env.Functions()}
	r, err := program.Registry(expr.Builtins(), functions.(operators.Callable).Implementation)
	if err != nil {
		b.Fatal(err)
	}
	total, _ := r.Lookup("TOTAL")
	for _, frame := range []struct {
		name string
		spec jobgraph.FrameSpec
	}{{"all rows", jobgraph.FrameSpec{}}, {"10 rows", jobgraph.FrameSpec{Bounded: true, Preceding: 10}}, {"1000 rows", jobgraph.FrameSpec{Bounded: true, Preceding: 1000}}} {
		for _, call := range []jobgraph.AggregateCall{
			{Func: "SUM", Arg: 1, Name: "x"}, {Func: "TOTAL", Own: total.Declared, Arg: 1, Name: "x"}, {Func: "TOTAL", Own: total.Declared, Arg: 1, Name: "x", Distinct: true},
		} {
			name := frame.name + ", " + call.Func
			if call.Distinct {
				name += " DISTINCT"
			}
			b.Run(name, func(b *testing.B) { benchmarkOver(b, r, frame.spec, call) })
		}
	}
}

func benchmarkOver(b *testing.B, r *expr.Registry, frame jobgraph.FrameSpec, call jobgraph.AggregateCall) {
	var pool stream.Pool
	store, err := columnar.New().Open(b.Context(), statebackend.OpenSpec{MaxParallelism: 128, KeyGroups: types.AllKeyGroups(128), Pool: &pool})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	number := types.Of(types.BigInt).NotNull()
	s := types.NewSchema(types.Field{Name: "k", Type: number}, types.Field{Name: "n", Type: number})
	o := &jobgraph.OperatorSpec{UID: "over", Body: &jobgraph.OverAggregateSpec{Keys: []int{0}, Arrival: true, Frame: frame, Aggregates: []jobgraph.AggregateCall{call}}}
	out, err := jobgraph.OutputSchema(o, []*types.Schema{s})
	if err != nil {
		b.Fatal(err)
	}
	op, err := over.New(o)
	if err != nil {
		b.Fatal(err)
	}
	defer op.Close()
	if err := op.Open(&operators.Context{
		Operator: "over", Inputs: []*types.Schema{s}, Output: out, Pool: &pool, State: store, Time: &operators.Time{},
		Watermark: stream.NoWatermark, RowsMax: stream.RowsMax, Counts: &operators.Counts{}, Functions: r,
	}); err != nil {
		b.Fatal(err)
	}
	in := pool.NewBatch(s, stream.RowsMax)
	for i, f := range s.Fields {
		in.Columns[i] = stream.NewFixed(&pool, f.Type, stream.RowsMax)
	}
	for i := range stream.RowsMax {
		stream.Values[int64](&in.Columns[0])[i], stream.Values[int64](&in.Columns[1])[i] = int64(i*7919%1000), int64(i*104729%1000)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := op.Process(0, in); err != nil {
			b.Fatal(err)
		}
		for {
			out, err := op.Next()
			if err != nil {
				b.Fatal(err)
			}
			if out.Batch == nil {
				break
			}
			out.Batch.Release()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stream.RowsMax, "ns/row")
}
