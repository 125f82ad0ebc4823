package rank_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"millrace/jobgraph"
	"millrace/operators/rank"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

func openSpec(pool *stream.Pool) statebackend.OpenSpec {
	return statebackend.OpenSpec{MaxParallelism: 128, KeyGroups: types.AllKeyGroups(128), Pool: pool}
}

// nexmarkBids are bids as the generator makes them: half on the newest hot auction, the rest among the last hundred; three
// auctions come for 46 bids. Prices are spread as its are.
func nexmarkBids(pool *stream.Pool, batches int) []*stream.Batch {
	r := rand.New(rand.NewPCG(7, 7))
	out := make([]*stream.Batch, batches)
	row := int64(0)
	for i := range out {
		out[i] = pool.NewBatch(bids, stream.RowsMax)
		for c, f := range bids.Fields {
			out[i].Columns[c] = stream.NewFixed(pool, f.Type, stream.RowsMax)
		}
		for k := range stream.RowsMax {
			last := row * 3 / 46
			auction := last / 100 * 100
			if r.IntN(2) == 0 {
				auction = max(last-r.Int64N(100), 0)
			}
			bidder := row / 46 / 100 * 100
			if r.IntN(4) == 0 {
				bidder = max(row/46-r.Int64N(1000), 0)
			}
			stream.Values[int64](&out[i].Columns[0])[k] = auction
			stream.Values[int64](&out[i].Columns[1])[k] = bidder
			stream.Values[int64](&out[i].Columns[2])[k] = int64(100 * pow10(r.Float64()*6))
			stream.Values[int64](&out[i].Columns[3])[k] = row / 10
			row++
		}
	}
	return out
}

// BenchmarkHighestBids is q19: the ten highest bids of each auction.
func BenchmarkHighestBids(b *testing.B) {
	for _, c := range []struct {
		name string
		spec func() *jobgraph.RankSpec
	}{
		{"rank", func() *jobgraph.RankSpec { return highest(10) }},
		{"rank/upsert", func() *jobgraph.RankSpec {
			s := highest(10)
			s.UpdateBefore = false
			return s
		}},
		{"rows", func() *jobgraph.RankSpec {
			s := highest(10)
			s.RankNumber = ""
			return s
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var pool stream.Pool
			benchmark(b, rankOf(c.spec()), rank.New, nexmarkBids(&pool, 256), &pool)
		})
	}
}

func pow10(x float64) float64 { return math.Pow(10, x) }

// BenchmarkRetract keeps the ten auctions with the most bids, of 100,000: each bid takes an auction's count back and gives
// another.
func BenchmarkRetract(b *testing.B) {
	var pool stream.Pool
	counts := types.NewSchema(field("auction", types.Of(types.BigInt)), field("bids", types.Of(types.BigInt)))
	r := rand.New(rand.NewPCG(7, 7))
	have := make([]int64, 100_000)
	batches := make([]*stream.Batch, 256)
	for i := range batches {
		batch := pool.NewBatch(counts, stream.RowsMax)
		batch.Columns[0], batch.Columns[1] = stream.NewFixed(&pool, counts.Fields[0].Type, stream.RowsMax), stream.NewFixed(&pool, counts.Fields[1].Type, stream.RowsMax)
		auctions, bids, kinds := stream.Values[int64](&batch.Columns[0]), stream.Values[int64](&batch.Columns[1]), batch.MakeKinds()
		for k := 0; k < stream.RowsMax; {
			auction := int64(math.Abs(r.NormFloat64()) * 25_000)
			if auction >= int64(len(have)) || have[auction] > 0 && k == stream.RowsMax-1 {
				continue
			}
			if have[auction] > 0 {
				auctions[k], bids[k], kinds[k] = auction, have[auction], stream.UpdateBefore
				k++
				kinds[k] = stream.UpdateAfter
			}
			have[auction]++
			auctions[k], bids[k] = auction, have[auction]
			k++
		}
		batches[i] = batch
	}
	s := highest(10)
	s.Keys, s.Strategy, s.Order = nil, jobgraph.Retract, []jobgraph.SortColumn{{Column: 1, Descending: true, NullsLast: true}}
	benchmark(b, rankOf(s), rank.New, batches, &pool)
}
