package stream_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// TestAppendRows gathers keys and compares them with those of the rows read alone.
func TestAppendRows(t *testing.T) {
	for name, ts := range map[string][]types.Type{
		"fixed":          {types.Of(types.BigInt)},
		"fixed not null": {types.Of(types.Int).NotNull()},
		"bytes":          {types.StringType()},
		"several":        {types.Of(types.BigInt), types.StringType(), types.Of(types.Double)},
		"none":           {},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(len(ts))))
			s, columns := types.NewSchema(), []int{}
			for i, typ := range ts {
				s.Fields = append(s.Fields, types.Field{Name: string(rune('a' + i)), Type: typ})
				columns = append(columns, i)
			}
			var pool stream.Pool
			b := streamtest.Random(r, &pool, s, streamtest.RandomOptions{Rows: 200, NullPercent: 30})
			defer b.Release()
			reader, err := stream.NewKeyReader(s, columns)
			if err != nil {
				t.Fatal(err)
			}
			keys := reader.Read(b)
			var got stream.Keys
			for range 2 { // the memory is used again
				got.Reset(reader.Layout())
				var all []int32
				for range 5 {
					positions := make([]int32, r.IntN(70))
					for i := range positions {
						positions[i] = int32(r.IntN(200))
					}
					got.AppendRows(keys, positions)
					all = append(all, positions...)
				}
				for i, p := range all {
					same := got.Hashes[i] == keys.Hashes[p]
					if reader.Layout() == stream.Key64 {
						same = same && got.Fixed[i] == keys.Fixed[p] && got.IsNull(i) == keys.IsNull(int(p))
					} else {
						same = same && slices.Equal(got.Bytes(i), keys.Bytes(int(p)))
					}
					if !same {
						t.Fatalf("key %d is not key %d", i, p)
					}
				}
				if got.Len() != len(all) {
					t.Fatalf("%d keys of %d", got.Len(), len(all))
				}
			}
		})
	}
}

// TestEqualRows compares rows of every type under every encoding with their text.
func TestEqualRows(t *testing.T) {
	point := types.RowOf(types.Field{Name: "x", Type: types.Of(types.TinyInt)}, types.Field{Name: "y", Type: types.Of(types.Boolean)})
	for _, typ := range []types.Type{
		types.Of(types.Boolean), types.Of(types.TinyInt), types.Of(types.SmallInt), types.Of(types.Int), types.Of(types.BigInt), types.Of(types.Float),
		types.Of(types.Double), types.DecimalOf(9, 2), types.DecimalOf(38, 2), types.StringType(), types.ArrayOf(types.Of(types.Boolean)),
		types.MapOf(types.Of(types.TinyInt), types.Of(types.Boolean)), point,
	} {
		r := rand.New(rand.NewPCG(2, 3))
		s := types.NewSchema(types.Field{Name: "a", Type: typ})
		var pool stream.Pool
		a := streamtest.Random(r, &pool, s, streamtest.RandomOptions{Rows: 40, NullPercent: 20, ExtremeEvery: 5})
		b := streamtest.Reencode(r, a)
		for i := range a.Rows() {
			for k := range b.Rows() {
				want := streamtest.Row(a, a.Row(i)) == streamtest.Row(b, b.Row(k))
				if got := stream.EqualRows(a.Columns, a.Row(i), b.Columns, b.Row(k)); got != want {
					t.Fatalf("%s: %s and %s are equal: %v", typ, streamtest.Row(a, a.Row(i)), streamtest.Row(b, b.Row(k)), got)
				}
			}
		}
		a.Release()
		b.Release()
	}
}
