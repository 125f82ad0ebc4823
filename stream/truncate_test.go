package stream

import (
	"testing"

	"pgregory.net/rapid"

	"millrace/types"
)

// TestTruncateForgets: rows appended behind a truncation equal rows appended to
// a builder that never had the others, NULLs and open values included.
func TestTruncateForgets(t *testing.T) {
	rowType := types.RowOf(types.Field{Name: "s", Type: types.StringType()}, types.Field{Name: "l", Type: types.ArrayOf(types.Of(types.Int))})
	ts := []types.Type{types.Of(types.Boolean), types.Of(types.BigInt), types.StringType(), types.ArrayOf(types.StringType()), rowType}
	rapid.Check(t, func(t *rapid.T) {
		var pool Pool
		typ := rapid.SampledFrom(ts).Draw(t, "type")
		keep := rapid.IntRange(0, 20).Draw(t, "keep")
		drop := rapid.IntRange(0, 20).Draw(t, "drop")
		then := rapid.IntRange(0, 20).Draw(t, "then")
		a, b := NewBuilder(&pool, typ, 1), NewBuilder(&pool, typ, 1)
		for i := range keep {
			appendSample(a, i)
			appendSample(b, i)
		}
		for i := range drop {
			appendSample(a, i*3)
		}
		if typ.Kind == types.VarChar {
			copy(a.Extend(4), "open")
		}
		a.Truncate(keep)
		for i := range then {
			appendSample(a, i+7)
			appendSample(b, i+7)
		}
		v, w := a.Finish(), b.Finish()
		if v.Len() != w.Len() {
			t.Fatalf("%d rows, want %d", v.Len(), w.Len())
		}
		for i := range w.Len() {
			if got, want := render(&v, i), render(&w, i); got != want {
				t.Fatalf("%s: row %d is %s, want %s", typ, i, got, want)
			}
		}
		v.Release()
		w.Release()
		if pool.Live() != 0 {
			t.Fatalf("%d buffers leak", pool.Live())
		}
	})
}
