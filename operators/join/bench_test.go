package join_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

func open(t testing.TB, pool *stream.Pool) statebackend.Store {
	t.Helper()
	store, err := columnar.New().Open(t.Context(), statebackend.OpenSpec{MaxParallelism: 128, KeyGroups: types.AllKeyGroups(128), Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

var (
	benchAuctions = types.NewSchema(
		field("id", types.Of(types.BigInt)), field("itemName", types.StringType()), field("seller", types.Of(types.BigInt)), field("category", types.Of(types.BigInt)))
	benchBids = types.NewSchema(
		field("auction", types.Of(types.BigInt)), field("bidder", types.Of(types.BigInt)), field("price", types.Of(types.BigInt)),
		field("channel", types.StringType()), field("dateTime", types.TimestampOf(3)))
	benchPersons = types.NewSchema(
		field("id", types.Of(types.BigInt)), field("name", types.StringType()), field("city", types.StringType()), field("state", types.StringType()))
)

// feed is one batch of an input.
type feed struct {
	input int
	batch *stream.Batch
}

// BenchmarkJoin joins what Nexmark's generator would make: 46 bids and 3 auctions for each person. Rows a second count those
// that come.
func BenchmarkJoin(b *testing.B) {
	const batches = 400
	b.Run("q3", func(b *testing.B) { // auctions with the persons that sell them
		spec := &jobgraph.JoinSpec{Keys: jobgraph.JoinKeys{Left: []int{2}, Right: []int{0}}}
		benchmarkJoin(b, spec, []*types.Schema{benchAuctions, benchPersons}, func(pool *stream.Pool, r *rand.Rand) (all []feed) {
			for i := range batches {
				if i%4 == 0 {
					all = append(all, feed{1, persons(pool, i/4*1024)})
				} else {
					all = append(all, feed{0, auctions(pool, r, (i-i/4-1)*1024)})
				}
			}
			return all
		})
	})
	b.Run("q20", func(b *testing.B) { // bids with their auctions
		spec := &jobgraph.JoinSpec{Keys: jobgraph.JoinKeys{Left: []int{0}, Right: []int{0}}}
		benchmarkJoin(b, spec, []*types.Schema{benchBids, benchAuctions}, func(pool *stream.Pool, r *rand.Rand) (all []feed) {
			for i := range batches {
				if i%16 == 0 {
					all = append(all, feed{1, auctions(pool, r, i/16*1024)})
				} else {
					all = append(all, feed{0, bids(pool, r, (i-i/16-1)*1024)})
				}
			}
			return all
		})
	})
	b.Run("updates", func(b *testing.B) { // auctions, whose rows are replaced, with persons; both with a key
		spec := &jobgraph.JoinSpec{
			Type: jobgraph.LeftJoin, Keys: jobgraph.JoinKeys{Left: []int{2}, Right: []int{0}},
			Left:  jobgraph.JoinSide{Changelog: jobgraph.RetractChangelog, Unique: []int{0}},
			Right: jobgraph.JoinSide{Changelog: jobgraph.RetractChangelog, Unique: []int{0}},
		}
		benchmarkJoin(b, spec, []*types.Schema{benchAuctions, benchPersons}, func(pool *stream.Pool, r *rand.Rand) (all []feed) {
			for i := range batches {
				switch i % 4 {
				case 0:
					all = append(all, feed{1, persons(pool, i/4*1024)})
				default:
					f := auctions(pool, rand.New(rand.NewPCG(1, uint64(i/2))), i/2*1024)
					if i%2 == 1 {
						kinds := f.MakeKinds()
						for k := range kinds {
							kinds[k] = stream.Delete
						}
					}
					all = append(all, feed{0, f})
				}
			}
			return all
		})
	})
}

// benchmarkJoin feeds the batches to a new join again and again.
func benchmarkJoin(b *testing.B, spec *jobgraph.JoinSpec, inputs []*types.Schema, draw func(*stream.Pool, *rand.Rand) []feed) {
	var pool stream.Pool
	all := draw(&pool, rand.New(rand.NewPCG(7, 7)))
	o := &jobgraph.OperatorSpec{UID: "join", Body: spec}
	out, _ := jobgraph.OutputSchema(o, inputs)
	rows, left := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		op, err := factory(o)
		if err != nil {
			b.Fatal(err)
		}
		err = op.Open(&operators.Context{
			Operator: "join", Inputs: inputs, Output: out, Pool: &pool, State: open(b, &pool), RowsMax: stream.RowsMax,
			Counts: &operators.Counts{}, Time: &operators.Time{}, Watermark: stream.NoWatermark,
		})
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range all {
			rows += f.batch.Rows()
			left += drive(b, op, f)
		}
		if err := op.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
	b.ReportMetric(float64(left)/float64(rows), "out/in")
}

// drive brings a batch in and takes all output.
func drive(t testing.TB, op operators.Operator, f feed) (rows int) {
	if err := op.Process(f.input, f.batch); err != nil {
		t.Fatal(err)
	}
	return drained(t, op)
}

// drained takes all output and counts its rows.
func drained(t testing.TB, op operators.Operator) (rows int) {
	for {
		out, err := op.Next()
		if err != nil {
			t.Fatal(err)
		}
		if out.Batch == nil {
			return rows
		}
		rows += out.Batch.Rows()
		out.Batch.Release()
	}
}

// table makes a batch of 1,024 rows, a value at a time.
func table(pool *stream.Pool, s *types.Schema, cell func(row, column int, b *stream.Builder)) *stream.Batch {
	b := pool.NewBatch(s, 1024)
	for c, f := range s.Fields {
		bu := stream.NewBuilder(pool, f.Type, 1024)
		for i := range 1024 {
			cell(i, c, bu)
		}
		b.Columns[c] = bu.Finish()
	}
	return b
}

func persons(pool *stream.Pool, from int) *stream.Batch {
	return table(pool, benchPersons, func(row, column int, b *stream.Builder) {
		if column == 0 {
			b.AppendInt64(int64(from + row))
		} else {
			b.AppendString(fmt.Sprintf("text of %d", from+row))
		}
	})
}

// auctions come three for a person, half of them of a hot one.
func auctions(pool *stream.Pool, r *rand.Rand, from int) *stream.Batch {
	return table(pool, benchAuctions, func(row, column int, b *stream.Builder) {
		last := int64(from+row) / 3
		switch column {
		case 0:
			b.AppendInt64(int64(from + row))
		case 1:
			b.AppendString(fmt.Sprintf("item %d", from+row))
		case 2:
			if r.IntN(4) > 0 {
				last = last / 100 * 100
			} else {
				last = max(last-r.Int64N(100), 0)
			}
			b.AppendInt64(last)
		default:
			b.AppendInt64(int64(row%5 + 10))
		}
	})
}

// bids come 46 for three auctions, half of them on a hot one.
func bids(pool *stream.Pool, r *rand.Rand, from int) *stream.Batch {
	return table(pool, benchBids, func(row, column int, b *stream.Builder) {
		last := int64(from+row) * 3 / 46
		switch column {
		case 0:
			if r.IntN(2) == 0 {
				last = last / 100 * 100
			} else {
				last = max(last-r.Int64N(100), 0)
			}
			b.AppendInt64(last)
		case 3:
			b.AppendString("channel-4711")
		default:
			b.AppendInt64(r.Int64N(10_000))
		}
	})
}

// BenchmarkTimed joins bids with auctions by time: within a second of each other, in windows of a second, with the
// auction's version, and with the auctions of a table. A watermark follows each round of batches.
func BenchmarkTimed(b *testing.B) {
	keys := jobgraph.JoinKeys{Left: []int{0}, Right: []int{0}}
	left, right := types.NewSchema(benchBids.Fields...), types.NewSchema(append(slices.Clone(benchAuctions.Fields), field("dateTime", types.TimestampOf(3)))...)
	for _, c := range []struct {
		name string
		make operators.Factory
		body jobgraph.OperatorBody
	}{
		{"interval", intervals, &jobgraph.IntervalJoinSpec{Keys: keys, LeftTime: 4, RightTime: 4, Lower: -time.Second}},
		{"window", windows, &jobgraph.WindowJoinSpec{Keys: keys, LeftEnd: 4, RightEnd: 4}},
		{"temporal", temporals, &jobgraph.TemporalJoinSpec{Keys: keys, LeftTime: 4, RightTime: 4}},
		{"latest", temporals, &jobgraph.TemporalJoinSpec{Keys: keys, ProcessingTime: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var pool stream.Pool
			r := rand.New(rand.NewPCG(7, 7))
			var all []feed
			for i := range 128 {
				at := int64(i/16) * 1000
				if i%16 == 0 {
					all = append(all, feed{1, stamped(&pool, auctions(&pool, r, i/16*1024), right, at)})
				} else {
					all = append(all, feed{0, stamped(&pool, bids(&pool, r, (i-i/16-1)*1024), left, at)})
				}
			}
			benchmarkTimed(b, &pool, c.make, &jobgraph.OperatorSpec{UID: "join", Body: c.body}, []*types.Schema{left, right}, all)
		})
	}
}

// stamped gives the rows of a batch, which it takes over, one time in the last column of a schema.
func stamped(pool *stream.Pool, b *stream.Batch, s *types.Schema, at int64) *stream.Batch {
	defer b.Release()
	out := pool.NewBatch(s, b.Len())
	last := s.Len() - 1
	for c := range last {
		b.Columns[c].Retain()
		out.Columns[c] = b.Columns[c]
	}
	out.Columns[last] = stream.NewFixed(pool, s.Fields[last].Type, b.Len())
	times := stream.Values[int64](&out.Columns[last])
	for i := range times {
		times[i] = at + 1000
	}
	return out
}

func benchmarkTimed(b *testing.B, pool *stream.Pool, factory operators.Factory, o *jobgraph.OperatorSpec, inputs []*types.Schema, all []feed) {
	out, _ := jobgraph.OutputSchema(o, inputs)
	rows, left := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		op, err := factory(o)
		if err != nil {
			b.Fatal(err)
		}
		err = op.Open(&operators.Context{
			Operator: "join", Inputs: inputs, Output: out, Pool: pool, State: open(b, pool), RowsMax: stream.RowsMax,
			Counts: &operators.Counts{}, Time: &operators.Time{}, Watermark: stream.NoWatermark,
		})
		if err != nil {
			b.Fatal(err)
		}
		for i, f := range all {
			rows += f.batch.Rows()
			left += drive(b, op, f)
			if i%16 == 15 {
				if err := op.Advance(stream.Watermark(i/16*1000 + 999)); err != nil {
					b.Fatal(err)
				}
				left += drained(b, op)
			}
		}
		if err := op.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
	b.ReportMetric(float64(left)/float64(rows), "out/in")
}
