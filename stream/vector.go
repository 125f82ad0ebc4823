package stream

import (
	"unsafe"

	"millrace/types"
)

// Fixed are the element types of the fixed-width layouts.
type Fixed interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64 | Int128
}

// Int128 is the element of LayoutInt128.
type Int128 = types.Int128

// Encoding tells how a vector stores its rows.
type Encoding uint8

// The encodings.
const (
	// Flat stores a value a row.
	Flat Encoding = iota
	// Constant stores one value (row 0) for every row.
	Constant
	// Dictionary stores a 32-bit index a row into Dict.
	Dictionary
)

// Vector is a column of values of one type. It is a value: copying it copies
// the view, not the references; use Retain for a second owner.
//
// Row positions are physical: a batch's selection picks among them.
type Vector struct {
	Type     types.Type
	Encoding Encoding
	n        int
	valid    Bitmap  // nil: no NULL. Positions as the values' (Constant: bit 0; Dictionary: a bit a row).
	data     []byte  // fixed values, bits or bytes, of Layout; of Dictionary: the indices
	offsets  []int32 // LayoutBytes and LayoutList: n+1
	children []Vector
	dict     *Vector

	validBuf, dataBuf, offsetsBuf *Buffer
}

// Len returns the number of rows.
func (v *Vector) Len() int { return v.n }

// HasNulls tells whether the vector carries a validity bitmap. It may do so
// and have no NULL; without one there is none.
func (v *Vector) HasNulls() bool { return v.valid != nil }

// IsPlain tells that values stand one a row and none is NULL.
func (v *Vector) IsPlain() bool { return v.Encoding == Flat && v.valid == nil }

// Valid returns the validity bitmap, nil where no row is NULL. For Constant it
// has one bit.
func (v *Vector) Valid() Bitmap { return v.valid }

// IsNull tells whether row i is NULL, under any encoding.
func (v *Vector) IsNull(i int) bool {
	switch {
	case v.Encoding == Constant:
		return v.valid != nil && !v.valid.Get(0)
	case v.valid != nil && !v.valid.Get(i):
		return true
	case v.Encoding == Dictionary:
		return v.dict.IsNull(int(v.Indices()[i]))
	default:
		return false
	}
}

// Values views a flat or constant vector's values as a slice of its element
// type; a constant vector's has one element. T must be the element type of the
// vector's layout: int64 for LayoutInt64 and so on.
func Values[T Fixed](v *Vector) []T {
	n := v.physical()
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(v.data))), n)
}

// Value returns the value of row i under any encoding.
func Value[T Fixed](v *Vector, i int) T {
	switch v.Encoding {
	case Constant:
		return Values[T](v)[0]
	case Dictionary:
		return Values[T](v.dict)[v.Indices()[i]]
	default:
		return Values[T](v)[i]
	}
}

func (v *Vector) physical() int {
	if v.Encoding == Constant {
		return min(v.n, 1)
	}
	return v.n
}

// Bits views the values of a flat or constant BOOLEAN vector.
func (v *Vector) Bits() Bitmap { return bitmapOf(v.data, v.physical()) }

// Bool returns the BOOLEAN of row i under any encoding.
func (v *Vector) Bool(i int) bool {
	switch v.Encoding {
	case Constant:
		return v.Bits().Get(0)
	case Dictionary:
		return v.dict.Bits().Get(int(v.Indices()[i]))
	default:
		return v.Bits().Get(i)
	}
}

// Offsets returns the offsets of a bytes or list vector: one more than rows
// (than one for Constant); row i spans Offsets[i] to Offsets[i+1].
func (v *Vector) Offsets() []int32 { return v.offsets }

// Data returns the raw bytes: the concatenated values of a bytes vector.
func (v *Vector) Data() []byte { return v.data }

// Bytes returns the value of row i of a LayoutBytes vector under any encoding.
// It aliases the vector.
func (v *Vector) Bytes(i int) []byte {
	switch v.Encoding {
	case Constant:
		i = 0
	case Dictionary:
		return v.dict.Bytes(int(v.Indices()[i]))
	}
	lo, hi := v.offsets[i], v.offsets[i+1]
	return v.data[lo:hi:hi]
}

// Indices returns the dictionary index of each row.
func (v *Vector) Indices() []int32 {
	if v.n == 0 {
		return nil
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(v.data))), v.n)
}

// Dict returns the dictionary, nil under the other encodings.
func (v *Vector) Dict() *Vector { return v.dict }

// Child returns child i of a nested vector (flat or constant). A ROW's children
// have its length; an ARRAY's child is addressed through Offsets.
func (v *Vector) Child(i int) *Vector { return &v.children[i] }

// Children returns the children of a nested vector. The slice belongs to the
// vector.
func (v *Vector) Children() []Vector { return v.children }

// NumChildren returns the number of children.
func (v *Vector) NumChildren() int { return len(v.children) }

// Retain adds a reference to every buffer of the vector.
func (v *Vector) Retain() {
	v.validBuf.Retain()
	v.dataBuf.Retain()
	v.offsetsBuf.Retain()
	for i := range v.children {
		v.children[i].Retain()
	}
	if v.dict != nil {
		v.dict.Retain()
	}
}

// Release ends a reference to every buffer of the vector.
func (v *Vector) Release() {
	v.validBuf.Release()
	v.dataBuf.Release()
	v.offsetsBuf.Release()
	for i := range v.children {
		v.children[i].Release()
	}
	if v.dict != nil {
		v.dict.Release()
	}
}

// SizeBytes returns the bytes of the rows, for credits. It counts what is used,
// not the capacity of the buffers.
func (v *Vector) SizeBytes() int {
	n := v.physical()
	size := 0
	if v.valid != nil {
		size += Words(n) * 8
	}
	if v.Encoding == Dictionary {
		return size + n*4 + v.dict.SizeBytes()
	}
	switch l := v.Type.Layout(); l {
	case types.LayoutBit:
		size += Words(n) * 8
	case types.LayoutBytes:
		if n > 0 {
			size += (n+1)*4 + int(v.offsets[n]-v.offsets[0])
		}
	case types.LayoutList:
		size += (n + 1) * 4
	default:
		size += n * l.Width()
	}
	for i := range v.children {
		size += v.children[i].SizeBytes()
	}
	return size
}

// NewFixed returns a flat vector of n undefined values of a fixed-width or
// BOOLEAN type, for the caller to fill through Values or Bits before it hands
// the vector on.
func NewFixed(p *Pool, t types.Type, n int) Vector {
	l := t.Layout()
	size := n * l.Width()
	if l == types.LayoutBit {
		size = Words(n) * 8
	}
	b := p.Get(size)
	return Vector{Type: t, n: n, data: b.data[:size], dataBuf: b}
}

// WithValidity gives a vector that is being built a validity bitmap, all
// valid, for the caller to clear bits in, and returns it.
func (v *Vector) WithValidity(p *Pool) Bitmap {
	if v.valid == nil {
		n := max(v.physical(), 1)
		v.validBuf = p.Get(Words(n) * 8)
		v.valid = bitmapOf(v.validBuf.data, n)
		v.valid.Fill(true)
	}
	return v.valid
}

// ConstantOf returns a vector of n rows that all equal row i of v. The value
// is copied.
func ConstantOf(p *Pool, v *Vector, i, n int) Vector {
	b := NewBuilder(p, v.Type, 1)
	b.AppendFrom(v, i)
	c := b.Finish()
	c.Encoding, c.n = Constant, n
	if n == 0 {
		c.Encoding = Flat
		c.Release()
		return NewBuilder(p, v.Type, 0).Finish()
	}
	return c
}

// NullOf returns a vector of n NULL rows.
func NullOf(p *Pool, t types.Type, n int) Vector {
	b := NewBuilder(p, t, 1)
	if n > 0 {
		b.AppendNull()
	}
	c := b.Finish()
	if n > 0 {
		c.Encoding, c.n = Constant, n
	}
	return c
}

// DictionaryOf returns a vector whose row i is dict[indices[i]]. The vector
// takes over the caller's references to both.
func DictionaryOf(t types.Type, indices *Buffer, n int, dict Vector) Vector {
	return Vector{Type: t, Encoding: Dictionary, n: n, data: indices.data[:n*4], dataBuf: indices, dict: &dict}
}
