package window_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/window"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

// BenchmarkAggregate folds full batches of (auction, price, datetime), all of
// one window, by the operators' own time: no rows leave but partial ones.
func BenchmarkAggregate(b *testing.B) {
	for _, keys := range []struct {
		name string
		next func(r *rand.Rand, row int64) int64
	}{
		{"nexmark", nexmarkAuction},
		{"1K", func(r *rand.Rand, _ int64) int64 { return r.Int64N(1_000) }},
		{"100K", func(r *rand.Rand, _ int64) int64 { return r.Int64N(100_000) }},
	} {
		for _, op := range []struct {
			name string
			make operators.Factory
		}{{"straight", window.New}, {"local", newPair}} {
			b.Run(keys.name+"/"+op.name, func(b *testing.B) { benchmarkAggregate(b, op.make, keys.next) })
		}
	}
}

// nexmarkAuction is the generator's choice: half the bids on the newest hot
// auction, the rest among the last hundred; three auctions come for 46 bids.
func nexmarkAuction(r *rand.Rand, row int64) int64 {
	last := row * 3 / 46
	if r.IntN(2) == 0 {
		return last / 100 * 100
	}
	return max(last-r.Int64N(100), 0)
}

// BenchmarkHopping folds batches of windows of 5 panes and lets a pane's worth of
// time pass after each: every window is merged and leaves.
func BenchmarkHopping(b *testing.B) {
	w := mainJob()
	w.Window.Kind, w.Window.Slide = jobgraph.Hopping, 2*time.Second
	var pool stream.Pool
	op, done := openBench(b, &pool, aggregateOf(w))
	defer done()
	batches := benchInput(&pool, func(r *rand.Rand, _ int64) int64 { return r.Int64N(1_000) })
	at := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		batch := batches[at%benchBatches]
		times := stream.Values[int64](&batch.Columns[2])
		for i := range times {
			times[i] = at * 2000
		}
		at++
		if err := op.Process(0, batch); err != nil {
			b.Fatal(err)
		}
		if err := op.Advance(stream.Watermark(at*2000 - 1)); err != nil {
			b.Fatal(err)
		}
		drainBench(b, op)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stream.RowsMax, "ns/row")
}

// BenchmarkSessions folds batches of rows a millisecond after each other into sessions of 1,000 keys, of which nearly all go on, some are new and
// some end; or into one session that has ever more values, at the same cost.
func BenchmarkSessions(b *testing.B) {
	for _, c := range []struct {
		name     string
		keys     int64
		distinct bool
	}{{"plain", 1000, false}, {"distinct", 1000, true}, {"one session", 1, true}} {
		b.Run(c.name, func(b *testing.B) { benchmarkSessions(b, c.keys, c.distinct) })
	}
}

func benchmarkSessions(b *testing.B, keys int64, distinct bool) {
	w := mainJob()
	w.Window = jobgraph.WindowSpec{Kind: jobgraph.Session, Size: 8 * time.Second}
	w.Aggregates[1].Distinct = distinct
	var pool stream.Pool
	op, done := openBench(b, &pool, aggregateOf(w))
	defer done()
	batches := benchInput(&pool, func(r *rand.Rand, _ int64) int64 { return r.Int64N(keys) })
	at := int64(0)
	feed := func() {
		batch := batches[at/stream.RowsMax%benchBatches]
		prices, times := stream.Values[int64](&batch.Columns[1]), stream.Values[int64](&batch.Columns[2])
		for i := range times {
			times[i] = at
			if keys == 1 {
				prices[i] = at
			}
			at++
		}
		if err := op.Process(0, batch); err != nil {
			b.Fatal(err)
		}
		if err := op.Advance(stream.Watermark(at - 1)); err != nil {
			b.Fatal(err)
		}
		drainBench(b, op)
	}
	for range benchBatches {
		feed()
	}
	b.ReportAllocs()
	for b.Loop() {
		feed()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stream.RowsMax, "ns/row")
}

// openBench opens an operator over bids.
func openBench(b *testing.B, pool *stream.Pool, spec *jobgraph.OperatorSpec) (operators.Operator, func()) {
	store, err := columnar.New().Open(b.Context(), statebackend.OpenSpec{MaxParallelism: 128, KeyGroups: types.AllKeyGroups(128), Pool: pool})
	if err != nil {
		b.Fatal(err)
	}
	op, err := window.New(spec)
	if err != nil {
		b.Fatal(err)
	}
	inputs := []*types.Schema{bids}
	out, _ := jobgraph.OutputSchema(spec, inputs)
	err = op.Open(&operators.Context{
		Operator: "agg", Inputs: inputs, Output: out, Pool: pool, State: store, Time: &operators.Time{},
		Watermark: stream.NoWatermark, RowsMax: stream.RowsMax, Counts: &operators.Counts{},
	})
	if err != nil {
		b.Fatal(err)
	}
	return op, func() {
		op.Close()
		store.Close()
	}
}

// drainBench takes what an operator gives.
func drainBench(b *testing.B, op operators.Operator) {
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

const benchBatches = 64

func benchmarkAggregate(b *testing.B, make operators.Factory, next func(*rand.Rand, int64) int64) {
	var pool stream.Pool
	store, err := columnar.New().Open(b.Context(), statebackend.OpenSpec{MaxParallelism: 128, KeyGroups: types.AllKeyGroups(128), Pool: &pool})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	spec := aggregateOf(mainJob())
	op, err := make(spec)
	if err != nil {
		b.Fatal(err)
	}
	defer op.Close()
	inputs := []*types.Schema{bids}
	out, _ := jobgraph.OutputSchema(spec, inputs)
	err = op.Open(&operators.Context{
		Operator: "agg", Inputs: inputs, Output: out, Pool: &pool, State: store,
		Watermark: stream.NoWatermark, RowsMax: stream.RowsMax, Counts: &operators.Counts{},
	})
	if err != nil {
		b.Fatal(err)
	}
	batches := benchInput(&pool, next)
	feed := func(i int) {
		if err := op.Process(0, batches[i%benchBatches]); err != nil {
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
	for i := range benchBatches {
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

func benchInput(pool *stream.Pool, next func(*rand.Rand, int64) int64) []*stream.Batch {
	r := rand.New(rand.NewPCG(7, 7))
	batches := make([]*stream.Batch, benchBatches)
	row := int64(0)
	for i := range batches {
		batches[i] = pool.NewBatch(bids, stream.RowsMax)
		for c, f := range bids.Fields {
			batches[i].Columns[c] = stream.NewFixed(pool, f.Type, stream.RowsMax)
		}
		for k := range stream.RowsMax {
			stream.Values[int64](&batches[i].Columns[0])[k] = next(r, row)
			stream.Values[int64](&batches[i].Columns[1])[k] = r.Int64N(10_000)
			stream.Values[int64](&batches[i].Columns[2])[k] = row % 10_000
			row++
		}
	}
	return batches
}
