package streamtest

import (
	"math"
	"math/big"
	"math/rand/v2"

	"millrace/stream"
	"millrace/types"
)

// RandomOptions says what a random batch is like.
type RandomOptions struct {
	Rows         int
	NullPercent  int  // of the values of nullable columns
	ExtremeEvery int  // one in so many values is an extreme of its type; 0: none
	Kinds        bool // rows of every kind, else +I only
	Reencode     bool // give columns other encodings and the batch a selection
}

// Random returns a batch of random rows, which the caller owns. Values repeat
// often, so that there are groups.
func Random(r *rand.Rand, p *stream.Pool, s *types.Schema, o RandomOptions) *stream.Batch {
	b := p.NewBatch(s, o.Rows)
	for c, f := range s.Fields {
		bu := stream.NewBuilder(p, f.Type, o.Rows)
		for range o.Rows {
			appendRandom(r, bu, f.Type, o)
		}
		b.Columns[c] = bu.Finish()
	}
	if o.Kinds {
		for i := range b.MakeKinds() {
			b.MakeKinds()[i] = stream.RowKind(r.IntN(4))
		}
	}
	if !o.Reencode {
		return b
	}
	defer b.Release()
	return Reencode(r, b)
}

func appendRandom(r *rand.Rand, b *stream.Builder, t types.Type, o RandomOptions) {
	if t.Nullable && r.IntN(100) < o.NullPercent {
		b.AppendNull()
		return
	}
	extreme := o.ExtremeEvery > 0 && r.IntN(o.ExtremeEvery) == 0
	switch t.Kind {
	case types.Boolean:
		b.AppendBool(r.IntN(2) == 0)
	case types.Float:
		stream.AppendFixed(b, float32(randomFloat(r, extreme)))
	case types.Double:
		stream.AppendFixed(b, randomFloat(r, extreme))
	case types.Decimal:
		appendRandomDecimal(r, b, t, extreme)
	case types.Char, types.VarChar, types.Binary, types.VarBinary:
		b.AppendString(randomString(r, t.Length, extreme))
	case types.Array, types.Map:
		for range r.IntN(4) {
			appendRandom(r, b.Child(0), b.Child(0).Type(), o)
		}
		b.AppendList()
	case types.Row:
		for i, f := range t.Fields {
			appendRandom(r, b.Child(i), f.Type, o)
		}
		b.AppendStruct()
	case types.Null:
		b.AppendNull()
	default:
		_ = appendInteger(b, t, randomInteger(r, t, extreme)) // always in range
	}
}

func randomFloat(r *rand.Rand, extreme bool) float64 {
	if extreme {
		xs := []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.MaxFloat32, 1e-30}
		return xs[r.IntN(len(xs))]
	}
	return float64(r.IntN(64)-32) / 4 // sums of such are exact in any order
}

func randomInteger(r *rand.Rand, t types.Type, extreme bool) int64 {
	bits := t.Layout().Width() * 8
	switch t.Kind {
	case types.Time:
		return int64(r.IntN(86_400_000))
	case types.Timestamp, types.TimestampLTZ:
		step := int64(t.Unit()) / int64(math.Pow10(min(t.Precision, 9)))
		return (1_700_000_000*int64(t.Unit())/max(step, 1) + int64(r.IntN(100_000))) * max(step, 1)
	case types.Date:
		return int64(r.IntN(20_000))
	}
	if extreme {
		return []int64{-1 << (bits - 1), 1<<(bits-1) - 1}[r.IntN(2)]
	}
	return int64(r.IntN(40) - 20)
}

func appendRandomDecimal(r *rand.Rand, b *stream.Builder, t types.Type, extreme bool) {
	v := big.NewInt(int64(r.IntN(19) - 9))
	if extreme {
		v.Exp(big.NewInt(10), big.NewInt(int64(t.Precision)), nil).Sub(v, big.NewInt(1))
		if r.IntN(2) == 0 {
			v.Neg(v)
		}
	}
	if t.Layout() == types.LayoutInt64 {
		b.AppendInt64(v.Int64())
		return
	}
	stream.AppendFixed(b, Int128(v))
}

func randomString(r *rand.Rand, length int, extreme bool) string {
	words := []string{"a", "b", "ab", "it's", "", "Zürich", "z"}
	if extreme {
		words = []string{"a longer text, which no vector keeps inline", "\x00", "~~~"}
	}
	w := words[r.IntN(len(words))]
	return w[:min(len(w), length)]
}

// Reencode returns a new batch that means the same rows as b, in their order:
// with other encodings of its columns, and with rows that its selection leaves
// out. b is borrowed.
func Reencode(r *rand.Rand, b *stream.Batch) *stream.Batch {
	p := b.Pool()
	rows := b.Rows()
	source := make([]int, 0, 2*rows) // of each new physical row, -1: garbage
	for i := range rows {
		for r.IntN(3) == 0 {
			source = append(source, -1)
		}
		source = append(source, b.Row(i))
	}
	selected := r.IntN(2) == 0
	if !selected {
		source = source[:0]
		for i := range rows {
			source = append(source, b.Row(i))
		}
	}
	out := p.NewBatch(b.Schema, len(source))
	out.Split = b.Split
	for c := range b.Columns {
		out.Columns[c] = reencodeColumn(r, p, &b.Columns[c], source)
	}
	if b.Kinds() != nil {
		kinds := out.MakeKinds()
		for i, s := range source {
			if s >= 0 {
				kinds[i] = b.Kind(s)
			}
		}
	}
	if selected {
		selectSources(p, out, source)
	}
	return out
}

func selectSources(p *stream.Pool, b *stream.Batch, source []int) {
	buf := p.Get(4 * len(source))
	n := 0
	for i, s := range source {
		if s >= 0 {
			stream.Int32s(buf)[n] = int32(i)
			n++
		}
	}
	b.SetSel(buf, n)
}

func reencodeColumn(r *rand.Rand, p *stream.Pool, v *stream.Vector, source []int) stream.Vector {
	if len(source) > 0 && allEqual(v, source) && r.IntN(4) > 0 {
		for _, s := range source {
			if s >= 0 {
				return stream.ConstantOf(p, v, s, len(source))
			}
		}
	}
	if r.IntN(2) == 0 || v.Type.Layout() == types.LayoutStruct || v.Type.Layout() == types.LayoutList {
		b := stream.NewBuilder(p, v.Type, len(source))
		for _, s := range source {
			appendSource(r, b, v, s)
		}
		return b.Finish()
	}
	return dictionary(r, p, v, source)
}

// dictionary spreads the values over a shuffled dictionary. NULL stands now in
// the dictionary, now in the vector's own bitmap.
func dictionary(r *rand.Rand, p *stream.Pool, v *stream.Vector, source []int) stream.Vector {
	n := len(source)
	order := r.Perm(n)
	dict := stream.NewBuilder(p, v.Type, n+1)
	indices := p.Get(4 * n)
	for at, i := range order {
		appendSource(r, dict, v, source[i])
		stream.Int32s(indices)[i] = int32(at)
	}
	out := stream.DictionaryOf(v.Type, indices, n, dict.Finish())
	if !v.Type.Nullable || n == 0 || r.IntN(2) == 0 {
		return out
	}
	valid := out.WithValidity(p)
	for i := range n {
		valid.Put(i, !out.Dict().IsNull(int(out.Indices()[i])))
	}
	return out
}

func appendSource(r *rand.Rand, b *stream.Builder, v *stream.Vector, source int) {
	if source >= 0 {
		b.AppendFrom(v, source)
		return
	}
	appendRandom(r, b, v.Type, RandomOptions{NullPercent: 50, ExtremeEvery: 2})
}

func allEqual(v *stream.Vector, source []int) bool {
	first := ""
	for _, s := range source {
		if s < 0 {
			continue
		}
		text := Value(v, s)
		if first != "" && text != first {
			return false
		}
		first = text
	}
	return first != ""
}

// Chunks returns the rows of a batch as batches of at most n rows, which the
// caller owns. b is borrowed.
func Chunks(b *stream.Batch, n int) []*stream.Batch {
	var out []*stream.Batch
	for from := 0; from < b.Rows(); from += n {
		c := b.Share()
		rows := min(n, b.Rows()-from)
		buf := b.Pool().Get(4 * rows)
		for i := range rows {
			stream.Int32s(buf)[i] = int32(b.Row(from + i))
		}
		c.SetSel(buf, rows)
		out = append(out, c)
	}
	return out
}
