package columnar_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// BenchmarkUpsert is count, sum and max by a BIGINT key, hash included.
func BenchmarkUpsert(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkUpsert(b, n) })
	}
}

func benchmarkUpsert(b *testing.B, n int) {
	s := open(b, types.AllKeyGroups(groups))
	v, err := s.Value(aggregate())
	if err != nil {
		b.Fatal(err)
	}
	p := v.Part(0, true)
	const batches, rows = 120, stream.RowsMax
	r := rand.New(rand.NewPCG(1, 2))
	input := make([]int64, batches*rows)
	for i := range input {
		input[i] = r.Int64N(int64(n))
	}
	keys := stream.Keys{Hashes: make([]uint64, 1024)}
	slots := make([]statebackend.Slot, 1024)
	fold := func(in []int64) {
		for i, x := range in {
			keys.Hashes[i] = stream.HashUint64(uint64(x))
		}
		keys.Fixed = in
		if _, err := p.Upsert(&keys, slots); err != nil {
			b.Fatal(err)
		}
		blocks, stride, offset := p.Rows().Blocks, p.Rows().Stride, p.Rows().Offset
		for i, s := range slots {
			row := blocks[s>>16][int(s&65535)*stride+offset:]
			row = row[:3]
			row[0]++
			row[1] += uint64(in[i])
			row[2] = uint64(max(int64(row[2]), in[i]))
		}
	}
	all := make([]int64, 1024)
	for from := 0; from < n; from += 1024 {
		for i := range all {
			all[i] = int64((from + i) % n)
		}
		fold(all)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		for range rows / 1024 {
			fold(input[i : i+1024])
			i = (i + 1024) % len(input)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}

// BenchmarkEvolve restores a million rows into the table that they were written from, and into one of which a column is wider,
// another one gone and two are new: evolve is what its declaration takes behind the restore.
func BenchmarkEvolve(b *testing.B) {
	const rows = 1 << 20
	s := open(b, types.AllKeyGroups(groups))
	v, err := s.Value(aggregate())
	if err != nil {
		b.Fatal(err)
	}
	slots, ks := make([]statebackend.Slot, 1024), make([]int64, 1024)
	for from := range rows / 1024 {
		for i := range ks {
			ks[i] = int64(from*1024 + i)
		}
		if _, err := v.Part(0, true).Upsert(keys64(ks...), slots); err != nil {
			b.Fatal(err)
		}
	}
	file, _ := freeze(b, s, true)
	spec := aggregate()
	spec.Evolves = true
	spec.Columns[2] = statebackend.ColumnSpec{Name: "mean", Type: types.Of(types.Double)}
	spec.Columns = append(spec.Columns, statebackend.ColumnSpec{Name: "name", Type: types.StringType()})
	for _, c := range []struct {
		name string
		spec statebackend.ValueSpec
	}{{"same", aggregate()}, {"evolved", spec}} {
		b.Run(c.name, func(b *testing.B) {
			declared := int64(0)
			for b.Loop() {
				s := open(b, types.AllKeyGroups(groups), []statebackend.File{file})
				from := b.Elapsed()
				if _, err := s.Value(c.spec); err != nil {
					b.Fatal(err)
				}
				declared += int64(b.Elapsed() - from)
				_ = s.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
			b.ReportMetric(float64(declared)/float64(b.N)/rows, "evolve-ns/row")
		})
	}
}
