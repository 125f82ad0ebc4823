package csv

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"millrace/formats"
	"millrace/stream"
	"millrace/types"
)

func bidsSchema() *types.Schema {
	return types.NewSchema(
		types.Field{Name: "auction", Type: types.Of(types.BigInt)}, types.Field{Name: "bidder", Type: types.Of(types.BigInt)},
		types.Field{Name: "price", Type: types.Of(types.BigInt)}, types.Field{Name: "channel", Type: types.StringType()},
		types.Field{Name: "dateTime", Type: types.TimestampOf(3)}, types.Field{Name: "extra", Type: types.StringType()},
	)
}

func bids(n int) [][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([][]byte, n)
	for i := range out {
		extra := "RKTHbynpjkrmsamrV^JRefpdaaxyusgnWO^Z][XaXaYRH"
		if i%4 == 0 {
			extra = `"with, ""quotes"" and delimiters, in it"`
		}
		out[i] = fmt.Appendf(nil, "%d,%d,%d,channel-%d,2026-11-22 16:%02d:%02d.%03d,%s",
			1000+rng.IntN(100000), 2000+rng.IntN(100000), rng.IntN(10_000_000), rng.IntN(10000), i/1000%60, i/100%60, rng.IntN(1000), extra)
	}
	return out
}

// BenchmarkDecode reads all columns of a record, or two of six by csv.columns.
func BenchmarkDecode(b *testing.B) {
	whole := bidsSchema()
	for _, c := range []struct {
		name   string
		schema *types.Schema
		opts   Options
	}{
		{"full", whole, optionsOf(b, nil)},
		{"narrow", types.NewSchema(whole.Fields[0], whole.Fields[2]), optionsOf(b, map[string]string{"columns": "auction;bidder;price;channel;dateTime;extra"})},
	} {
		b.Run(c.name, func(b *testing.B) {
			d, err := NewDecoder(c.schema, c.opts)
			if err != nil {
				b.Fatal(err)
			}
			payloads, size := bids(1000), 0
			for _, p := range payloads {
				size += len(p)
			}
			var pool stream.Pool
			rows := formats.NewRows(&pool, c.schema, len(payloads))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := d.Decode(payloads, rows, stream.RowsMax); err != nil || n != len(payloads) {
					b.Fatal(n, err)
				}
				rows.Finish().Release()
			}
			b.ReportMetric(float64(len(payloads)*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkEncode writes the same records.
func BenchmarkEncode(b *testing.B) {
	schema, o := bidsSchema(), optionsOf(b, nil)
	d, err := NewDecoder(schema, o)
	if err != nil {
		b.Fatal(err)
	}
	e, err := NewEncoder(schema, o)
	if err != nil {
		b.Fatal(err)
	}
	var pool stream.Pool
	rows := formats.NewRows(&pool, schema, 1000)
	if _, err := d.Decode(bids(1000), rows, stream.RowsMax); err != nil {
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
	b.ReportMetric(float64(batch.Rows()*b.N)/b.Elapsed().Seconds(), "records/s")
}
