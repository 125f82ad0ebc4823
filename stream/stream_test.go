package stream

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"millrace/types"
)

func TestHashGolden(t *testing.T) {
	var sb strings.Builder
	for _, x := range []uint64{0, 1, 2, 1000, 1 << 32, 1<<63 - 1, 1<<64 - 1} {
		fmt.Fprintf(&sb, "uint64 %d %#016x\n", x, HashUint64(x))
	}
	text := "the quick brown fox jumps over the lazy dog and back"
	for n := range len(text) + 1 {
		fmt.Fprintf(&sb, "bytes %d %#016x\n", n, HashBytes([]byte(text[:n])))
	}
	fmt.Fprintf(&sb, "null %#016x\ncombine %#016x\n", HashNull(), HashCombine(1, 2))
	const golden = "testdata/hash.golden"
	if os.Getenv("MILLRACE_REWRITE") != "" {
		if err := os.WriteFile(golden, []byte(sb.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if sb.String() != string(want) {
		t.Fatalf("the hash of keys has changed: every checkpoint would restore into the wrong key groups\n%s", sb.String())
	}
}

func TestHashSpreadsOverGroupsAndSlots(t *testing.T) {
	const n, groups = 1 << 16, 128
	var byGroup [groups]int
	var bySlot [1 << 10]int
	for i := range uint64(n) {
		h := HashUint64(i)
		byGroup[types.KeyGroupOf(h, groups)]++
		bySlot[h>>54]++
	}
	for g, c := range byGroup {
		if c < n/groups*7/10 || c > n/groups*13/10 {
			t.Errorf("key group %d has %d of %d keys", g, c, n)
		}
	}
	for s, c := range bySlot {
		if c > 64*2 {
			t.Errorf("slot %d has %d keys", s, c)
		}
	}
}

func TestBuildersRoundTrip(t *testing.T) {
	var pool Pool
	rowType := types.RowOf(types.Field{Name: "a", Type: types.Of(types.Int)}, types.Field{Name: "s", Type: types.StringType()})
	ts := []types.Type{
		types.Of(types.Boolean), types.Of(types.TinyInt), types.Of(types.SmallInt), types.Of(types.Int), types.Of(types.BigInt),
		types.Of(types.Float), types.Of(types.Double), types.DecimalOf(10, 2), types.DecimalOf(30, 2), types.StringType(),
		types.ArrayOf(types.Of(types.BigInt)), types.MapOf(types.StringType(), types.Of(types.Int)), rowType,
	}
	for _, typ := range ts {
		b := NewBuilder(&pool, typ, 1)
		const n = 200
		for i := range n {
			appendSample(b, i)
		}
		v := b.Finish()
		c := NewBuilder(&pool, typ, 3)
		for i := range n {
			c.AppendFrom(&v, i)
		}
		w := c.Finish()
		for i := range n {
			if v.IsNull(i) != (i%5 == 0) || w.IsNull(i) != (i%5 == 0) {
				t.Fatalf("%s: row %d null: %v, copy %v", typ, i, v.IsNull(i), w.IsNull(i))
			}
			if a, b := render(&v, i), render(&w, i); a != b {
				t.Fatalf("%s: row %d is %s, copy %s", typ, i, a, b)
			}
		}
		v.Release()
		w.Release()
	}
	if pool.Live() != 0 {
		t.Fatalf("%d buffers leak", pool.Live())
	}
}

// appendSample appends a value made from i; every fifth is NULL.
func appendSample(b *Builder, i int) {
	if i%5 == 0 {
		b.AppendNull()
		return
	}
	switch b.layout {
	case types.LayoutBit:
		b.AppendBool(i%2 == 0)
	case types.LayoutInt8:
		AppendFixed(b, int8(i))
	case types.LayoutInt16:
		AppendFixed(b, int16(i))
	case types.LayoutInt32:
		AppendFixed(b, int32(i))
	case types.LayoutFloat32:
		AppendFixed(b, float32(i))
	case types.LayoutFloat64:
		AppendFixed(b, float64(i))
	case types.LayoutInt128:
		AppendFixed(b, Int128{Lo: uint64(i), Hi: int64(-i)})
	case types.LayoutBytes:
		b.AppendString(strings.Repeat("x", i))
	case types.LayoutList:
		for k := range i % 4 {
			appendSample(b.Child(0), k+1)
		}
		b.AppendList()
	case types.LayoutStruct:
		for c := range b.children {
			appendSample(b.Child(c), i+c)
		}
		b.AppendStruct()
	default:
		b.AppendInt64(int64(i))
	}
}

func render(v *Vector, i int) string {
	if v.IsNull(i) {
		return "NULL"
	}
	switch l := v.Type.Layout(); l {
	case types.LayoutBit:
		return fmt.Sprint(v.Bool(i))
	case types.LayoutBytes:
		return string(v.Bytes(i))
	case types.LayoutList:
		var sb strings.Builder
		for k := v.offsets[i]; k < v.offsets[i+1]; k++ {
			sb.WriteString(render(v.Child(0), int(k)) + ",")
		}
		return "[" + sb.String() + "]"
	case types.LayoutStruct:
		var sb strings.Builder
		for c := range v.NumChildren() {
			sb.WriteString(render(v.Child(c), i) + ",")
		}
		return "(" + sb.String() + ")"
	default:
		return fmt.Sprintf("%x", v.data[i*l.Width():(i+1)*l.Width()])
	}
}

func TestKeysSurviveStorage(t *testing.T) {
	var pool Pool
	s := types.NewSchema(
		types.Field{Name: "i", Type: types.Of(types.BigInt)}, types.Field{Name: "s", Type: types.StringType()},
		types.Field{Name: "d", Type: types.DecimalOf(30, 2)}, types.Field{Name: "b", Type: types.Of(types.Boolean)},
		types.Field{Name: "f", Type: types.Of(types.Float)}, types.Field{Name: "t", Type: types.Of(types.TinyInt)})
	b := pool.NewBatch(s, 50)
	for c, f := range s.Fields {
		bu := NewBuilder(&pool, f.Type, 4)
		for i := range 50 {
			appendSample(bu, i+c)
		}
		b.Columns[c] = bu.Finish()
	}
	for _, cols := range [][]int{{0}, {1}, {2}, {3}, {4}, {5}, {0, 1, 2, 3, 4, 5}, {}} {
		r, err := NewKeyReader(s, cols)
		if err != nil {
			t.Fatal(err)
		}
		keys := r.Read(b)
		ts := make([]types.Type, len(cols))
		for i, c := range cols {
			ts[i] = s.Fields[c].Type
		}
		kb := NewKeyBuilder(&pool, ts, 1)
		for i := range keys.Len() {
			if keys.Layout == Key64 {
				kb.Append64(keys.Fixed[i], keys.IsNull(i))
			} else if err := kb.AppendBytes(keys.Bytes(i)); err != nil {
				t.Fatal(err)
			}
		}
		for k, c := range cols {
			v := kb.Finish(k)
			for i := range 50 {
				if got, want := render(&v, i), render(&b.Columns[c], i); got != want {
					t.Errorf("columns %v: row %d of column %d is %s, want %s", cols, i, c, got, want)
				}
			}
			v.Release()
		}
	}
	b.Release()
	if pool.Live() != 0 {
		t.Fatalf("%d buffers leak", pool.Live())
	}
}

func TestKeyOfOneColumnHashesAlikeInBothLayouts(t *testing.T) {
	var pool Pool
	s := types.NewSchema(types.Field{Name: "i", Type: types.Of(types.BigInt)}, types.Field{Name: "n", Type: types.Of(types.Int)})
	b := pool.NewBatch(s, 3)
	for c := range s.Fields {
		bu := NewBuilder(&pool, s.Fields[c].Type, 4)
		for i := range 3 {
			appendSample(bu, i)
		}
		b.Columns[c] = bu.Finish()
	}
	defer b.Release()
	one, _ := NewKeyReader(s, []int{0})
	two, _ := NewKeyReader(s, []int{0, 1})
	a, ab := one.Read(b), two.Read(b)
	for i := range a.Len() {
		if a.Hashes[i] == ab.Hashes[i] {
			t.Errorf("key %d hashes alike with and without the second column", i)
		}
	}
	if a.Hashes[0] != HashNull() {
		t.Errorf("a NULL key hashes to %#x", a.Hashes[0])
	}
}

func TestReleaseTooOftenPanics(t *testing.T) {
	var pool Pool
	b := pool.Get(1)
	b.Release()
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	b.Release()
}

func BenchmarkKeys64(b *testing.B) {
	var pool Pool
	s := types.NewSchema(types.Field{Name: "i", Type: types.Of(types.BigInt)})
	batch := pool.NewBatch(s, RowsMax)
	bu := NewBuilder(&pool, s.Fields[0].Type, RowsMax)
	for i := range RowsMax {
		bu.AppendInt64(int64(i * 7))
	}
	batch.Columns[0] = bu.Finish()
	r, _ := NewKeyReader(s, []int{0})
	b.ReportAllocs()
	for b.Loop() {
		r.Read(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/RowsMax, "ns/row")
}
