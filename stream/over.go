package stream

import (
	"fmt"
	"unsafe"

	"millrace/types"
)

// Parts are the pieces of a vector that was built elsewhere, as Arrow lays them
// out: views of memory that Owner holds, each beginning at an address divisible
// by 8. Memory up to the next multiple of 8 bytes is readable.
type Parts struct {
	Encoding Encoding
	Rows     int
	// Valid is the validity bitmap, nil where there is no NULL.
	Valid []byte
	// Offsets has one more entry than there are values: LayoutBytes and LayoutList only.
	Offsets []int32
	// Data is the values, bits or bytes; of a Dictionary, 32-bit indices.
	Data     []byte
	Children []Vector
	Dict     *Vector
	Owner    *Buffer
}

// VectorOver returns a vector over memory that came from elsewhere. It checks all
// that code relies on which reads vectors without asking: lengths, ascending
// offsets, indices within the dictionary. Values are not looked at. The vector
// takes over the references to Owner, Children and Dict; after an error the
// caller still has them.
func VectorOver(t types.Type, p Parts) (Vector, error) {
	v := Vector{
		Type: t, Encoding: p.Encoding, n: p.Rows, data: p.Data, offsets: p.Offsets, children: p.Children,
		dict: p.Dict, dataBuf: p.Owner,
	}
	if p.Rows < 0 {
		return Vector{}, fmt.Errorf("%d rows", p.Rows)
	}
	if err := v.checkValidity(p.Valid); err != nil {
		return Vector{}, err
	}
	var err error
	switch p.Encoding {
	case Flat:
		err = v.checkValues()
	case Constant:
		if err = v.checkValues(); err == nil && p.Rows == 0 {
			err = fmt.Errorf("a constant without rows")
		}
	case Dictionary:
		err = v.checkDictionary()
	default:
		err = fmt.Errorf("encoding %d", p.Encoding)
	}
	if err != nil {
		return Vector{}, err
	}
	return v, nil
}

func (v *Vector) checkValidity(valid []byte) error {
	n := v.physical()
	switch {
	case valid == nil:
		return nil
	case len(valid) < Words(n)*8:
		return fmt.Errorf("a validity bitmap of %d bytes for %d rows", len(valid), n)
	case n == 0:
		return nil
	}
	v.valid = bitmapOf(valid, n)
	return nil
}

func (v *Vector) checkValues() error {
	n, l := v.physical(), v.Type.Layout()
	if len(v.children) != len(v.Type.Children()) {
		return fmt.Errorf("%d children of %s", len(v.children), v.Type)
	}
	if v.dict != nil {
		return fmt.Errorf("a dictionary without indices")
	}
	switch l {
	case types.LayoutBytes:
		return checkOffsets(v.offsets, n, len(v.data))
	case types.LayoutList:
		return checkOffsets(v.offsets, n, v.children[0].Len())
	case types.LayoutStruct:
		return v.checkFields(n)
	case types.LayoutBit:
		return checkSize(v.data, Words(n)*8)
	default:
		return checkSize(v.data, n*l.Width())
	}
}

func (v *Vector) checkFields(n int) error {
	for i := range v.children {
		if v.children[i].Len() < n {
			return fmt.Errorf("child %d has %d rows of %d", i, v.children[i].Len(), n)
		}
	}
	return nil
}

func checkSize(data []byte, want int) error {
	if len(data) < want {
		return fmt.Errorf("%d bytes of values, want %d", len(data), want)
	}
	return nil
}

// checkOffsets looks at every offset, without a branch for each.
func checkOffsets(offsets []int32, n, end int) error {
	if len(offsets) < n+1 {
		return fmt.Errorf("%d offsets for %d values", len(offsets), n)
	}
	offsets = offsets[:n+1]
	last, falls := offsets[0], offsets[0] // negative once one falls behind the last
	for _, o := range offsets[1:] {
		falls |= o - last // both are positive, or the sign bit is set already
		falls |= o
		last = o
	}
	if falls < 0 {
		return fmt.Errorf("offsets fall")
	}
	if int(last) > end {
		return fmt.Errorf("offset %d is behind the last of %d", last, end)
	}
	return nil
}

func (v *Vector) checkDictionary() error {
	if v.dict == nil || len(v.children) > 0 {
		return fmt.Errorf("no dictionary")
	}
	if !v.dict.Type.Equal(v.Type) || v.dict.Encoding != Flat {
		return fmt.Errorf("the dictionary is a %s of encoding %d", v.dict.Type, v.dict.Encoding)
	}
	if err := checkSize(v.data, v.n*4); err != nil {
		return err
	}
	if i := maxIndex(v.Indices()); i >= uint32(v.dict.n) && v.n > 0 {
		return fmt.Errorf("index %d into a dictionary of %d", i, v.dict.n)
	}
	return nil
}

// maxIndex returns the largest index; a negative one is very large.
func maxIndex(indices []int32) (most uint32) {
	for _, i := range indices {
		most = max(most, uint32(i))
	}
	return most
}

// Physical returns the number of values that a flat or constant vector stores.
func (v *Vector) Physical() int { return v.physical() }

// Int32sOf views memory that begins at an address divisible by 4 as 32-bit integers.
func Int32sOf(p []byte) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(p))), len(p)/4)
}

// BytesOf views 32-bit integers as memory.
func BytesOf(p []int32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(p))), len(p)*4)
}

// BytesOfKinds views row kinds as memory.
func BytesOfKinds(p []RowKind) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(p))), len(p))
}

// Bytes views the words as memory.
func (m Bitmap) Bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(m))), len(m)*8)
}

// SetKinds gives a batch that is being built a kind for each physical row, which
// stand in buf from byte at on; the batch takes over the reference. It fails, and
// takes nothing, where one is not a kind.
func (b *Batch) SetKinds(buf *Buffer, at int) error {
	bytes := buf.data[at : at+b.n]
	most := byte(0)
	for _, k := range bytes {
		most = max(most, k)
	}
	if RowKind(most) > Delete {
		return fmt.Errorf("%s", RowKind(most))
	}
	b.kindsBuf.Release()
	b.kindsBuf = buf
	b.kinds = unsafe.Slice((*RowKind)(unsafe.Pointer(unsafe.SliceData(bytes))), b.n)
	return nil
}

// SetSelAt gives a batch that is being built a selection of n positions, which
// stand in buf from byte at on, as SetSel does. It fails, and takes nothing, where
// they don't ascend or leave the batch.
func (b *Batch) SetSelAt(buf *Buffer, at, n int) error {
	sel := Int32sOf(buf.data[at : at+n*4])
	last := int32(-1)
	for _, s := range sel {
		if s <= last || int(s) >= b.n {
			return fmt.Errorf("a selection of row %d behind row %d, of %d", s, last, b.n)
		}
		last = s
	}
	b.selBuf.Release()
	b.selBuf, b.sel = buf, sel
	return nil
}
