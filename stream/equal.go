package stream

import (
	"bytes"

	"millrace/types"
)

// EqualRows tells whether a row of one batch and a row of another have the same values in every column, bit by bit. The
// columns have the same layouts.
func EqualRows(a []Vector, i int, b []Vector, j int) bool {
	for c := range a {
		if !EqualValues(&a[c], i, &b[c], j) {
			return false
		}
	}
	return true
}

// EqualValues tells whether two values of the same layout are the same, bit by bit; NULL is the same as NULL.
func EqualValues(a *Vector, i int, b *Vector, j int) bool {
	if x, y := a.IsNull(i), b.IsNull(j); x || y {
		return x && y
	}
	switch a.Type.Layout() {
	case types.LayoutBit:
		return a.Bool(i) == b.Bool(j)
	case types.LayoutInt8:
		return Value[int8](a, i) == Value[int8](b, j)
	case types.LayoutInt16:
		return Value[int16](a, i) == Value[int16](b, j)
	case types.LayoutInt32, types.LayoutFloat32:
		return Value[uint32](a, i) == Value[uint32](b, j)
	case types.LayoutInt128:
		return Value[Int128](a, i) == Value[Int128](b, j)
	case types.LayoutBytes:
		return bytes.Equal(a.Bytes(i), b.Bytes(j))
	case types.LayoutList, types.LayoutStruct, types.LayoutNone:
		return equalNested(a, i, b, j)
	default:
		return Value[uint64](a, i) == Value[uint64](b, j)
	}
}

func equalNested(a *Vector, i int, b *Vector, j int) bool {
	a, i = plain(a, i)
	b, j = plain(b, j)
	if a.Type.Layout() != types.LayoutList {
		return EqualRows(a.children, i, b.children, j)
	}
	from, to := a.offsets[i], a.offsets[i+1]
	at := b.offsets[j]
	if to-from != b.offsets[j+1]-at {
		return false
	}
	for k := from; k < to; k++ {
		if !EqualValues(&a.children[0], int(k), &b.children[0], int(at+k-from)) {
			return false
		}
	}
	return true
}

// plain returns where a nested value stands among flat ones.
func plain(v *Vector, i int) (*Vector, int) {
	switch v.Encoding {
	case Constant:
		return v, 0
	case Dictionary:
		return plain(v.dict, int(v.Indices()[i]))
	default:
		return v, i
	}
}
