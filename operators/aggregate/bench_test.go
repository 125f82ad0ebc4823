package aggregate_test

import (
	"math/rand/v2"
	"testing"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

var bids = types.NewSchema(field("auction", types.Of(types.BigInt).NotNull()), field("price", types.Of(types.BigInt).NotNull()))

// BenchmarkGroup folds full batches and takes the changelog, by the operator's own time.
func BenchmarkGroup(b *testing.B) {
	plain := []jobgraph.AggregateCall{
		{Func: "COUNT", Arg: jobgraph.CountStar, Name: "n"}, {Func: "SUM", Arg: 1, Name: "s"}, {Func: "MAX", Arg: 1, Name: "m"},
	}
	distinct := []jobgraph.AggregateCall{{Func: "COUNT", Arg: 1, Name: "n", Distinct: true}}
	for _, c := range []struct {
		name    string
		keys    int64
		retract bool // every second row takes the one before back
		calls   []jobgraph.AggregateCall
	}{
		{"append/1K", 1_000, false, plain},
		{"append/100K", 100_000, false, plain},
		{"retract/1K", 1_000, true, plain[:2]},
		{"retract max/1K", 1_000, true, plain},
		{"distinct/1K", 1_000, false, distinct},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkGroup(b, c.keys, c.retract, c.calls) })
	}
}

func benchmarkGroup(b *testing.B, keys int64, retract bool, calls []jobgraph.AggregateCall) {
	var pool stream.Pool
	store, err := columnar.New().Open(b.Context(), statebackend.OpenSpec{MaxParallelism: 128, KeyGroups: types.AllKeyGroups(128), Pool: &pool})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	spec := &jobgraph.OperatorSpec{UID: "agg", Body: &jobgraph.GroupAggregateSpec{Keys: []int{0}, Aggregates: calls, Retract: retract, UpdateBefore: true}}
	op, err := aggregate.NewGroup(spec)
	if err != nil {
		b.Fatal(err)
	}
	defer op.Close()
	inputs := []*types.Schema{bids}
	out, _ := jobgraph.OutputSchema(spec, inputs)
	err = op.Open(&operators.Context{
		Operator: "agg", Inputs: inputs, Output: out, Pool: &pool, State: store, Time: &operators.Time{},
		Watermark: stream.NoWatermark, RowsMax: stream.RowsMax, Counts: &operators.Counts{},
	})
	if err != nil {
		b.Fatal(err)
	}
	batches := benchInput(&pool, keys, retract)
	feed := func(i int) {
		if err := op.Process(0, batches[i%len(batches)]); err != nil {
			b.Fatal(err)
		}
		for {
			out, err := op.Next()
			if err != nil {
				b.Fatal(err)
			}
			if out.Batch == nil {
				return
			}
			out.Batch.Release()
		}
	}
	for i := range batches {
		feed(i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		feed(i)
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stream.RowsMax, "ns/row")
}

func benchInput(pool *stream.Pool, keys int64, retract bool) []*stream.Batch {
	r := rand.New(rand.NewPCG(7, 7))
	batches := make([]*stream.Batch, 64)
	for i := range batches {
		b := pool.NewBatch(bids, stream.RowsMax)
		for c, f := range bids.Fields {
			b.Columns[c] = stream.NewFixed(pool, f.Type, stream.RowsMax)
		}
		auction, price := stream.Values[int64](&b.Columns[0]), stream.Values[int64](&b.Columns[1])
		for k := range auction {
			auction[k], price[k] = r.Int64N(keys), r.Int64N(10_000)
			if retract && k%4 == 3 {
				b.MakeKinds()[k] = stream.Delete
				auction[k], price[k] = auction[k-1], price[k-1]
			}
		}
		batches[i] = b
	}
	return batches
}
