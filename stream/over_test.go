package stream_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// over lends the parts of a vector to VectorOver, with an owner of its own.
func over(p *stream.Pool, v *stream.Vector) (stream.Vector, error) {
	parts := stream.Parts{
		Encoding: v.Encoding, Rows: v.Len(), Offsets: v.Offsets(), Data: v.Data(), Dict: v.Dict(), Owner: p.Get(1),
	}
	if v.HasNulls() {
		parts.Valid = v.Valid().Bytes()
	}
	for i := range v.Children() {
		parts.Children = append(parts.Children, *v.Child(i))
	}
	out, err := stream.VectorOver(v.Type, parts)
	if err != nil {
		parts.Owner.Release()
	}
	return out, err
}

var overSchema = types.NewSchema(
	types.Field{Name: "b", Type: types.Of(types.Boolean)},
	types.Field{Name: "i", Type: types.Of(types.Int)},
	types.Field{Name: "s", Type: types.StringType()},
	types.Field{Name: "d", Type: types.DecimalOf(30, 2)},
	types.Field{Name: "t", Type: types.Of(types.TinyInt)},
	types.Field{Name: "m", Type: types.Of(types.SmallInt)},
	types.Field{Name: "l", Type: types.ArrayOf(types.Of(types.BigInt))},
	types.Field{Name: "r", Type: types.RowOf(types.Field{Name: "a", Type: types.Of(types.Double)})},
)

func TestVectorOverTakesEveryVector(t *testing.T) {
	var pool stream.Pool
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		b := streamtest.Random(r, &pool, overSchema, streamtest.RandomOptions{Rows: 1 + r.IntN(100), NullPercent: 20, Reencode: true})
		for c := range b.Columns {
			v, err := over(&pool, &b.Columns[c])
			if err != nil {
				t.Fatal(err)
			}
			for i := range v.Len() {
				if got, want := streamtest.Value(&v, i), streamtest.Value(&b.Columns[c], i); got != want {
					t.Fatalf("column %d, row %d: %s, want %s", c, i, got, want)
				}
			}
		}
	}
}

func TestVectorOverRefusesWhatWouldPanicLater(t *testing.T) {
	var pool stream.Pool
	flat := func(n int) stream.Vector { return stream.NewFixed(&pool, types.Of(types.Int), n) }
	dict := flat(3)
	owner := pool.Get(8)
	indices := func(at ...int32) []byte { return stream.BytesOf(at) }
	cases := []struct {
		name, want string
		t          types.Type
		p          stream.Parts
	}{
		{"short values", "7 bytes of values", types.Of(types.Int), stream.Parts{Rows: 2, Data: make([]byte, 7)}},
		{"short bits", "8 bytes of values", types.Of(types.Boolean), stream.Parts{Rows: 65, Data: make([]byte, 8)}},
		{"short validity", "bitmap of 8 bytes", types.Of(types.Int), stream.Parts{Rows: 65, Valid: make([]byte, 8), Data: make([]byte, 400)}},
		{"negative rows", "-1 rows", types.Of(types.Int), stream.Parts{Rows: -1}},
		{"no offsets", "0 offsets", types.StringType(), stream.Parts{Rows: 1}},
		{"falling offsets", "offsets fall", types.StringType(), stream.Parts{Rows: 2, Offsets: []int32{0, 2, 1}, Data: make([]byte, 8)}},
		{"negative offset", "offsets fall", types.StringType(), stream.Parts{Rows: 1, Offsets: []int32{-1, 2}, Data: make([]byte, 8)}},
		{"wrapping offsets", "offsets fall", types.StringType(), stream.Parts{Rows: 2, Offsets: []int32{0, -1 << 31, 1<<31 - 1}, Data: make([]byte, 8)}},
		{"far offset", "offset 9", types.StringType(), stream.Parts{Rows: 1, Offsets: []int32{0, 9}, Data: make([]byte, 8)}},
		{"far list", "offset 4", types.ArrayOf(types.Of(types.Int)), stream.Parts{Rows: 1, Offsets: []int32{0, 4}, Children: []stream.Vector{dict}}},
		{"no child", "0 children", types.ArrayOf(types.Of(types.Int)), stream.Parts{Rows: 1, Offsets: []int32{0, 0}}},
		{"short field", "child 0 has 3 rows", types.RowOf(types.Field{Name: "a", Type: types.Of(types.Int)}), stream.Parts{Rows: 4, Children: []stream.Vector{dict}}},
		{"empty constant", "constant without rows", types.Of(types.Int), stream.Parts{Encoding: stream.Constant}},
		{"no dictionary", "no dictionary", types.Of(types.Int), stream.Parts{Encoding: stream.Dictionary, Rows: 1, Data: indices(0)}},
		{"index too large", "index 3", types.Of(types.Int), stream.Parts{Encoding: stream.Dictionary, Rows: 1, Data: indices(3), Dict: &dict}},
		{"negative index", "dictionary of 3", types.Of(types.Int), stream.Parts{Encoding: stream.Dictionary, Rows: 1, Data: indices(-1), Dict: &dict}},
		{"other dictionary", "the dictionary is a INT", types.Of(types.BigInt), stream.Parts{Encoding: stream.Dictionary, Rows: 1, Data: indices(0), Dict: &dict}},
		{"unknown encoding", "encoding 9", types.Of(types.Int), stream.Parts{Encoding: 9, Rows: 1}},
	}
	for _, c := range cases {
		c.p.Owner = owner
		if _, err := stream.VectorOver(c.t, c.p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	dict.Release()
	owner.Release()
	if pool.Live() != 0 {
		t.Errorf("%d buffers are out", pool.Live())
	}
}

func TestAppendRowsEqualsAppendFrom(t *testing.T) {
	var pool stream.Pool
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		b := streamtest.Random(r, &pool, overSchema, streamtest.RandomOptions{Rows: 1 + r.IntN(200), NullPercent: 20, Reencode: r.IntN(2) == 0})
		for c := range b.Columns {
			v := &b.Columns[c]
			fast, slow := stream.NewBuilder(&pool, v.Type, 1), stream.NewBuilder(&pool, v.Type, 1)
			for range 1 + r.IntN(3) {
				positions := make([]int32, r.IntN(2*v.Len()))
				for i := range positions {
					positions[i] = int32(r.IntN(v.Len()))
				}
				fast.AppendRows(v, positions)
				for _, p := range positions {
					slow.AppendFrom(v, int(p))
				}
			}
			f, s := fast.Finish(), slow.Finish()
			if !slices.Equal(texts(&f), texts(&s)) {
				t.Fatalf("column %d: %v, want %v", c, texts(&f), texts(&s))
			}
			f.Release()
			s.Release()
		}
		b.Release()
	}
	if pool.Live() != 0 {
		t.Errorf("%d buffers are out", pool.Live())
	}
}

func texts(v *stream.Vector) []string {
	out := make([]string, v.Len())
	for i := range out {
		out[i] = streamtest.Value(v, i)
	}
	return out
}

func TestKindsAndSelectionsFromElsewhereAreChecked(t *testing.T) {
	var pool stream.Pool
	buf := pool.Get(256)
	for _, c := range []struct {
		name string
		sel  []int32
		ok   bool
	}{{"ascending", []int32{0, 2, 4}, true}, {"none", nil, true}, {"twice", []int32{1, 1}, false}, {"falling", []int32{2, 1}, false}, {"outside", []int32{5}, false}, {"negative", []int32{-1}, false}} {
		b := pool.NewBatch(types.NewSchema(), 5)
		copy(stream.Int32sOf(buf.Bytes())[16:], c.sel)
		buf.Retain()
		err := b.SetSelAt(buf, 64, len(c.sel))
		if (err == nil) != c.ok || c.ok && (b.Sel() == nil || b.Rows() != len(c.sel)) {
			t.Errorf("%s: %v, %d rows", c.name, err, b.Rows())
		}
		if err != nil {
			buf.Release()
		}
		b.Release()
	}
	b := pool.NewBatch(types.NewSchema(), 3)
	copy(buf.Bytes()[8:], []byte{3, 1, 4})
	if err := b.SetKinds(buf, 8); err == nil {
		t.Error("a kind that is none")
	}
	buf.Bytes()[10] = 2
	if err := b.SetKinds(buf, 8); err != nil || b.Kind(2) != stream.UpdateAfter {
		t.Errorf("%v, %s", err, b.Kind(2))
	}
	b.Release()
	if pool.Live() != 0 {
		t.Errorf("%d buffers are out", pool.Live())
	}
}
