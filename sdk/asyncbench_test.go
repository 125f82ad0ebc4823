package sdk_test

import (
	"context"
	"testing"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/sdk"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

// BenchmarkAsync is what the engine takes for a row of a function that answers at once: a goroutine, and the way there and back.
func BenchmarkAsync(b *testing.B) {
	env := sdk.NewEnv(nil, nil)
	sdk.Async(clicks(env), "ask", func(_ context.Context, c click) (int64, error) { return c.Page, nil }, sdk.Calls[click, int64]{Capacity: 1000}).To("out", nowhere)
	g, functions, err := env.Describe()
	if err != nil {
		b.Fatal(err)
	}
	spec := &g.Vertices[0].Operators[0]
	body := spec.Body.(*jobgraph.NativeSpec)
	op, err := functions.Native(spec)
	if err != nil {
		b.Fatal(err)
	}
	var pool stream.Pool
	groups := types.KeyGroupRangeOf(0, 1, 128)
	store, err := columnar.New().Open(b.Context(), statebackend.OpenSpec{KeyGroups: groups, MaxParallelism: 128, Parallelism: 1, Pool: &pool})
	if err != nil {
		b.Fatal(err)
	}
	woken := make(chan struct{}, 1)
	err = op.Open(&operators.Context{
		Operator: "ask", Parallelism: 1, MaxParallelism: 128, KeyGroups: groups, Inputs: []*types.Schema{body.Inputs[0].Schema}, Output: body.Output,
		Pool: &pool, State: store, Watermark: stream.NoWatermark, Time: new(operators.Time), RowsMax: stream.RowsMax, Counts: &operators.Counts{},
		Wake: func() {
			select {
			case woken <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = op.Close() }()
	in := manyClicks(b, &pool, body.Inputs[0].Schema)
	defer in.Release()
	b.ReportAllocs()
	left := 0
	for b.Loop() {
		if err := op.Process(0, in); err != nil {
			b.Fatal(err)
		}
		for want := left + in.Rows(); left < want; {
			out, err := op.Next()
			switch {
			case err != nil:
				b.Fatal(err)
			case out.Batch != nil:
				left += out.Batch.Rows()
				out.Batch.Release()
			default:
				<-woken
				if err := op.(operators.Clocked).Wake(0); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(left), "ns/row")
}

func manyClicks(b *testing.B, pool *stream.Pool, s *types.Schema) *stream.Batch {
	b.Helper()
	out := pool.NewBatch(s, stream.RowsMax)
	for i, f := range s.Fields {
		builder := stream.NewBuilder(pool, f.Type, stream.RowsMax)
		for n := range stream.RowsMax {
			if i == 0 {
				builder.AppendString("somebody")
			} else {
				builder.AppendInt64(int64(n))
			}
		}
		out.Columns[i] = builder.Finish()
	}
	return out
}
