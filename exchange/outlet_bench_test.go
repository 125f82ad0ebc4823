package exchange

import (
	"fmt"
	"testing"

	"millrace/internal/invariant"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/types"
)

// freeSender has credit without end and releases what it is sent.
type freeSender struct{ rows int }

func (s *freeSender) Credit() int { return 1 << 20 }
func (s *freeSender) Close()      {}

func (s *freeSender) Send(e stream.Element) {
	if e.Kind == stream.RowsElement {
		s.rows += e.Batch.Rows()
		e.Batch.Release()
	}
}

func freeSenders(n int) []Sender {
	out := make([]Sender, n)
	for i := range out {
		out[i] = &freeSender{}
	}
	return out
}

// bidSchema has the columns of a Nexmark bid.
var bidSchema = types.NewSchema(
	types.Field{Name: "auction", Type: types.Of(types.BigInt)},
	types.Field{Name: "bidder", Type: types.Of(types.BigInt)},
	types.Field{Name: "price", Type: types.Of(types.BigInt)},
	types.Field{Name: "channel", Type: types.StringType()},
	types.Field{Name: "url", Type: types.StringType()},
	types.Field{Name: "dateTime", Type: types.TimestampOf(3)},
	types.Field{Name: "extra", Type: types.StringType()},
)

func bidBatch(pool *stream.Pool, n int) *stream.Batch {
	b := pool.NewBatch(bidSchema, n)
	for c, f := range bidSchema.Fields {
		col := stream.NewBuilder(pool, f.Type, n)
		for i := range n {
			if f.Type.Layout() == types.LayoutBytes {
				col.AppendString(fmt.Sprintf("https://auction.example/%d/item?id=%d", c, i))
			} else {
				col.AppendInt64(int64(i * (c + 7)))
			}
		}
		b.Columns[c] = col.Finish()
	}
	return b
}

func benchmarkHash(b *testing.B, channels int) {
	var pool stream.Pool
	o, err := NewOutlet(jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{0}}, bidSchema,
		freeSenders(channels), &pool, 128, OutletOptions{})
	if err != nil {
		b.Fatal(err)
	}
	in := bidBatch(&pool, stream.RowsMax)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := o.Rows(in.Retain()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stream.RowsMax, "ns/row")
}

// Shares of 2 and 8 channels travel as selections; those of 32 are copied.
func BenchmarkHashOutlet(b *testing.B) {
	for _, n := range []int{2, 8, 32} {
		b.Run(fmt.Sprintf("channels=%d", n), func(b *testing.B) { benchmarkHash(b, n) })
	}
}

func TestHashOutletAllocatesNothing(t *testing.T) {
	if invariant.Enabled {
		t.Skip("invariant builds don't reuse batches")
	}
	for _, channels := range []int{2, 32} {
		var pool stream.Pool
		o, err := NewOutlet(jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{0}}, bidSchema,
			freeSenders(channels), &pool, 128, OutletOptions{})
		if err != nil {
			t.Fatal(err)
		}
		in := bidBatch(&pool, stream.RowsMax)
		deal := func() {
			if err := o.Rows(in.Retain()); err != nil {
				t.Fatal(err)
			}
		}
		for range 50 { // every buffer class has been seen
			deal()
		}
		if n := testing.AllocsPerRun(100, deal); n > 0 {
			t.Errorf("%d channels: %.1f allocations a batch", channels, n)
		}
	}
}
