package columnar

import (
	"fmt"
	"testing"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// BenchmarkMultimap appends rows to keys in turn, and reads them back, for keys
// of few rows and of many.
func BenchmarkMultimap(b *testing.B) {
	for _, c := range []struct{ keys, each int }{{100_000, 1}, {100_000, 10}, {1000, 1000}} {
		b.Run(fmt.Sprintf("keys=%d/rows=%d", c.keys, c.each), func(b *testing.B) { benchmarkMultimap(b, c.keys, c.each) })
	}
}

func benchmarkMultimap(b *testing.B, n, each int) {
	big := types.Of(types.BigInt)
	schema := types.NewSchema(types.Field{Name: "a", Type: big}, types.Field{Name: "b", Type: big})
	var pool stream.Pool
	rows := pool.NewBatch(schema, 1000)
	for c := range schema.Fields {
		rows.Columns[c] = stream.NewFixed(&pool, big, 1000)
	}
	keys := &stream.Keys{Fixed: make([]int64, 1000), Hashes: make([]uint64, 1000)}
	at := func(from int) *stream.Keys {
		for i := range keys.Fixed {
			keys.Fixed[i] = int64((from + i) % n)
			keys.Hashes[i] = stream.HashUint64(uint64(keys.Fixed[i]))
		}
		return keys
	}
	fill := func(s *store) statebackend.MultimapTable {
		t, err := s.Multimap(statebackend.MultimapSpec{
			ID: statebackend.TableID{Operator: "join", Name: "left"}, Keys: []types.Type{big},
			Columns: []statebackend.ColumnSpec{{Name: "a", Type: big}, {Name: "b", Type: big}},
		})
		if err != nil {
			b.Fatal(err)
		}
		for from := 0; from < n*each; from += 1000 {
			if err := t.Append(at(from), rows); err != nil {
				b.Fatal(err)
			}
		}
		return t
	}
	b.Run("append", func(b *testing.B) {
		size := int64(0)
		for b.Loop() {
			s := newStore(sampleSpec())
			fill(s)
			size = s.SizeBytes()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n*each), "ns/row")
		b.ReportMetric(float64(size)/float64(n*each), "B/row")
	})
	t := fill(newStore(sampleSpec()))
	out := []*stream.Builder{stream.NewBuilder(&pool, big, 1000), stream.NewBuilder(&pool, big, 1000)}
	var positions []int32
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			for from := 0; from < n; from += 1000 {
				it := statebackend.MultimapIterator{Keys: at(from)}
				for got := 1000; got == 1000; {
					positions, _ = t.Next(&it, 1000, out, positions[:0])
					got = len(positions)
					for _, bu := range out {
						v := bu.Finish()
						v.Release()
					}
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n*each), "ns/row")
	})
}
