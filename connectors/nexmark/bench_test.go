package nexmark

import (
	"testing"

	"millrace/stream"
)

// BenchmarkBids reports bids a second and core: three columns, all seven, and
// all seven of prepared batches.
func BenchmarkBids(b *testing.B) {
	narrow := project(schemaOf(bid), "auction", "price", "dateTime")
	for _, c := range []struct {
		name     string
		prepared string
		full     bool
	}{{"narrow", "0", false}, {"full", "0", true}, {"prepared", "20", true}} {
		b.Run(c.name, func(b *testing.B) {
			s := narrow
			if c.full {
				s = schemaOf(bid)
			}
			source, err := Open(map[string]string{"event-type": "bid", "prepared-batches": c.prepared}, s)
			if err != nil {
				b.Fatal(err)
			}
			var pool stream.Pool
			i, rows := 0, 0
			b.ReportAllocs()
			readBatches(b, source, s, &pool, stream.RowsMax, func(batch *stream.Batch) bool {
				if i == 0 {
					b.ResetTimer()
				}
				i++
				rows += batch.Rows()
				batch.Release()
				return i < b.N
			})
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
