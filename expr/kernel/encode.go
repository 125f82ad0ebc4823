package kernel

import (
	"millrace/stream"
	"millrace/types"
)

// scratch is memory of a node that outlives a batch.
type scratch struct {
	builder stream.Builder
	picked  []int32
	text    []byte
	words   [3][]uint64
}

// word returns a bitmap of n undefined bits.
func (s *scratch) word(i, n int) stream.Bitmap {
	w := stream.Words(n)
	if cap(s.words[i]) < w {
		s.words[i] = make([]uint64, max(w, stream.Words(stream.RowsMax)))
	}
	return s.words[i][:w]
}

// build readies the builder for values of a type.
func (s *scratch) build(f frame, t types.Type, capacity int) *stream.Builder {
	s.builder.Init(f.pool, t, capacity)
	return &s.builder
}

// flatten returns v, whose reference it takes over, as a flat or constant vector. A
// flat vector of the input is returned as it is.
func (s *scratch) flatten(f frame, v stream.Vector) stream.Vector {
	if v.Encoding != stream.Dictionary {
		return v
	}
	out := s.decode(f, &v)
	v.Release()
	return out
}

// decode returns the rows of a dictionary vector as a flat one.
func (s *scratch) decode(f frame, v *stream.Vector) stream.Vector {
	var out stream.Vector
	switch v.Type.Layout() {
	case types.LayoutBit:
		out = stream.NewFixed(f.pool, v.Type, f.n)
		expandBits(out.Bits(), v.Dict().Bits(), v.Indices())
	case types.LayoutInt8:
		out = expandFixed[int8](f, v)
	case types.LayoutInt16:
		out = expandFixed[int16](f, v)
	case types.LayoutInt32, types.LayoutFloat32:
		out = expandFixed[int32](f, v)
	case types.LayoutInt64, types.LayoutFloat64:
		out = expandFixed[int64](f, v)
	case types.LayoutInt128:
		out = expandFixed[types.Int128](f, v)
	default:
		b := s.build(f, v.Type, f.n)
		for i := range f.n {
			b.AppendFrom(v, i)
		}
		return b.Finish()
	}
	expandValidity(f, &out, v, v.Dict())
	return out
}

func expandFixed[T stream.Fixed](f frame, v *stream.Vector) stream.Vector {
	out := stream.NewFixed(f.pool, v.Type, f.n)
	gather(stream.Values[T](&out), stream.Values[T](v.Dict()), v.Indices())
	return out
}

func gather[T any](out, dict []T, indices []int32) {
	if len(dict) == 0 {
		return // every row is NULL
	}
	for i, x := range indices {
		out[i] = dict[x]
	}
}

func expandBits(out, dict stream.Bitmap, indices []int32) {
	if len(dict) == 0 {
		return
	}
	for w := range out {
		var m uint64
		for j, x := range indices[w<<6 : min(w<<6+64, len(indices))] {
			m |= (dict[uint32(x)>>6] >> (uint32(x) & 63) & 1) << uint(j)
		}
		out[w] = m
	}
}

// expandValidity gives out the NULLs of a dictionary vector v whose distinct
// values have those of dict.
func expandValidity(f frame, out, v, dict *stream.Vector) {
	if v.Valid() == nil && dict.Valid() == nil {
		return
	}
	valid := out.WithValidity(f.pool)
	if dict.Valid() != nil {
		expandBits(valid, dict.Valid(), v.Indices())
	}
	if v.Valid() != nil {
		andWords(valid, v.Valid())
	}
}

func andWords(out, in stream.Bitmap) {
	in = in[:len(out)]
	for i := range out {
		out[i] &= in[i]
	}
}
