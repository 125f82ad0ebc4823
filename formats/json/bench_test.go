package json

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"millrace/formats"
	"millrace/stream"
	"millrace/types"
)

// bids returns flat Nexmark bids of about 330 bytes in the generator's shape:
// most extras have an escaped backslash or two.
func bids(n int) [][]byte {
	const extra = "RKTHbynpjkrmsamrV^JRefpdaaxyusgnWO^Z][XaXaYRH^uzqjaMJPSagimaycjeehgQIYIUIQXXRU`hgz"
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([][]byte, n)
	for i := range out {
		text := []byte{}
		for len(text) < 100+rng.IntN(40) {
			if text = append(text, extra[rng.IntN(len(extra))]); rng.IntN(60) == 0 {
				text = append(text, `\\`...)
			}
		}
		out[i] = fmt.Appendf(nil, `{"auction":%d,"bidder":%d,"price":%d,"channel":"channel-%d",`+
			`"url":"https://www.nexmark.com/pgk/xen/ddau/item.htm?query=1&channel_id=%d","dateTime":"2026-11-22 16:%02d:%02d.%03d","extra":"%s"}`,
			1000+rng.IntN(100000), 2000+rng.IntN(100000), rng.IntN(10_000_000), rng.IntN(10000), rng.Uint32(),
			i/1000%60, i/100%60, rng.IntN(1000), text)
	}
	return out
}

func benchmarkDecode(b *testing.B, schema *types.Schema, payloads [][]byte) {
	d, err := NewDecoder(schema, Options{})
	if err != nil {
		b.Fatal(err)
	}
	var pool stream.Pool
	rows := formats.NewRows(&pool, schema, len(payloads))
	size := 0
	for _, p := range payloads {
		size += len(p)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := d.Decode(payloads, rows, stream.RowsMax); err != nil || n != len(payloads) {
			b.Fatal(n, err)
		}
		rows.Finish().Release()
	}
	b.ReportMetric(float64(len(payloads)*b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(size)/float64(len(payloads)), "B/record")
}

func project(s *types.Schema, names ...string) *types.Schema {
	out := &types.Schema{}
	for _, n := range names {
		out.Fields = append(out.Fields, s.Fields[s.Index(n)])
	}
	return out
}

func BenchmarkDecodeBid(b *testing.B) {
	payloads := bids(2048)
	b.Run("all", func(b *testing.B) { benchmarkDecode(b, bidSchema(), payloads) })
	b.Run("three", func(b *testing.B) {
		benchmarkDecode(b, project(bidSchema(), "auction", "price", "dateTime"), payloads)
	})
}

func BenchmarkEncodeBid(b *testing.B) {
	payloads, schema := bids(2048), bidSchema()
	d, err := NewDecoder(schema, Options{})
	if err != nil {
		b.Fatal(err)
	}
	e, err := NewEncoder(schema, Options{})
	if err != nil {
		b.Fatal(err)
	}
	var pool stream.Pool
	rows := formats.NewRows(&pool, schema, len(payloads))
	if _, err := d.Decode(payloads, rows, stream.RowsMax); err != nil {
		b.Fatal(err)
	}
	batch := rows.Finish()
	defer batch.Release()
	var out formats.Payloads
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := e.Encode(batch, &out); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(out.Data)))
	b.ReportMetric(float64(len(payloads)*b.N)/b.Elapsed().Seconds(), "records/s")
}
