package stream

import (
	"unsafe"

	"millrace/types"
)

// Builder appends values to a flat vector in pooled memory. It is for one
// goroutine, and can be reused after Finish.
//
// The Append methods do not check the type: appending an int64 to a VARCHAR
// builder is a bug of the caller. A caller that appends many values should know
// the layout once and call the right method in a loop.
type Builder struct {
	typ    types.Type
	layout types.Layout
	width  int
	pool   *Pool

	n, capacity int // rows there, rows for which memory is or will be taken
	room        int // rows for which there is memory: capacity, or 0 before the first
	data        *Buffer
	used        int // bytes of data that a bytes builder has filled
	expected    int // used at the last Finish: what to begin the next vector with
	offsets     *Buffer
	valid       *Buffer
	children    []Builder
}

// NewBuilder returns a builder for about capacity rows; it grows beyond.
func NewBuilder(p *Pool, t types.Type, capacity int) *Builder {
	b := &Builder{}
	b.Init(p, t, capacity)
	return b
}

// Init makes a zero builder ready, as NewBuilder does.
func (b *Builder) Init(p *Pool, t types.Type, capacity int) {
	*b = Builder{typ: t, layout: t.Layout(), pool: p}
	b.width = b.layout.Width()
	kids := t.Children()
	b.children = make([]Builder, len(kids))
	for i, k := range kids {
		b.children[i].Init(p, k, capacity)
	}
	b.capacity = max(capacity, 1)
}

// Type returns the type of the vector being built.
func (b *Builder) Type() types.Type { return b.typ }

// Len returns the number of rows appended since the last Finish.
func (b *Builder) Len() int { return b.n }

// Child returns the builder of child i of a nested type.
func (b *Builder) Child(i int) *Builder { return &b.children[i] }

// Children returns the builders of the children of a nested type: one a field
// of a ROW. The slice belongs to the builder.
func (b *Builder) Children() []Builder { return b.children }

// SizeBytes returns the bytes appended since the last Finish, about.
func (b *Builder) SizeBytes() int {
	size := b.used + b.n*b.width
	if b.offsets != nil {
		size += b.n * 4
	}
	for i := range b.children {
		size += b.children[i].SizeBytes()
	}
	return size
}

// reserve makes room for one more row.
func (b *Builder) reserve() {
	if b.n >= b.room {
		b.grow()
	}
}

func (b *Builder) grow() {
	if b.room > 0 {
		b.capacity *= 2
	}
	switch b.layout {
	case types.LayoutBit:
		b.data = b.regrow(b.data, Words(b.n)*8, Words(b.capacity)*8)
	case types.LayoutBytes, types.LayoutList:
		first := b.offsets == nil
		b.offsets = b.regrow(b.offsets, (b.n+1)*4, (b.capacity+1)*4)
		if first {
			b.offs()[0] = 0
		}
		if b.layout == types.LayoutBytes && b.data == nil {
			b.data = b.pool.Get(max(b.capacity*16, b.expected))
		}
	case types.LayoutStruct, types.LayoutNone:
		b.validity()
	default:
		b.data = b.regrow(b.data, b.n*b.width, b.capacity*b.width)
	}
	if b.valid != nil {
		old := len(b.valid.data)
		b.valid = b.regrow(b.valid, old, Words(b.capacity)*8)
		fill := b.valid.data[old:]
		for i := range fill {
			fill[i] = 0xFF
		}
	}
	b.room = b.capacity
}

// regrow returns a buffer of at least size bytes that begins with the first
// used bytes of old, whose reference it takes over.
func (b *Builder) regrow(old *Buffer, used, size int) *Buffer {
	if old == nil {
		return b.pool.Get(size)
	}
	if len(old.data) >= size {
		return old
	}
	fresh := b.pool.Get(size)
	copy(fresh.data, old.data[:used])
	old.Release()
	return fresh
}

func (b *Builder) offs() []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(b.offsets.data))), b.capacity+1)
}

// validity makes sure that there is a bitmap; rows that were or will be
// appended are valid unless a bit is cleared.
func (b *Builder) validity() Bitmap {
	if b.valid == nil {
		b.valid = b.pool.Get(Words(b.capacity) * 8)
		for i := range b.valid.data {
			b.valid.data[i] = 0xFF
		}
	}
	return bitmapOf(b.valid.data, b.capacity)
}

// AppendNull appends NULL.
func (b *Builder) AppendNull() {
	b.reserve()
	switch b.layout {
	case types.LayoutBytes, types.LayoutList:
		o := b.offs()
		o[b.n+1] = o[b.n]
	case types.LayoutStruct:
		for i := range b.children {
			b.children[i].AppendNull()
		}
	case types.LayoutBit:
		bitmapOf(b.data.data, b.capacity).Clear(b.n)
	default:
		clear(b.data0(b.n))
	}
	b.validity().Clear(b.n)
	b.n++
}

// AppendZero appends 0 to a builder of a fixed-width layout.
func (b *Builder) AppendZero() {
	b.reserve()
	clear(b.data0(b.n))
	b.n++
}

func (b *Builder) data0(i int) []byte {
	if b.data == nil {
		return nil
	}
	return b.data.data[i*b.width : (i+1)*b.width]
}

// AppendFixed appends a value of a fixed-width layout. T must be the element
// type of the builder's layout.
func AppendFixed[T Fixed](b *Builder, v T) {
	b.reserve()
	*(*T)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b.data.data)), b.n*int(unsafe.Sizeof(v)))) = v
	b.n++
}

// AppendAll appends values as AppendFixed does.
func AppendAll[T Fixed](b *Builder, vs []T) {
	if len(vs) == 0 {
		return
	}
	for b.room < b.n+len(vs) {
		b.grow()
	}
	copy(unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b.data.data))), b.capacity)[b.n:], vs)
	b.n += len(vs)
}

// AppendInt64 appends to a LayoutInt64 builder.
func (b *Builder) AppendInt64(v int64) { AppendFixed(b, v) }

// AppendBool appends to a BOOLEAN builder.
func (b *Builder) AppendBool(v bool) {
	b.reserve()
	bitmapOf(b.data.data, b.capacity).Put(b.n, v)
	b.n++
}

// AppendBytes appends a copy of p to a LayoutBytes builder.
func (b *Builder) AppendBytes(p []byte) {
	b.reserve()
	used := b.used + len(p)
	if used > len(b.data.data) {
		b.data = b.regrow(b.data, b.used, max(used, 2*len(b.data.data)))
	}
	copy(b.data.data[b.used:used], p)
	b.used = used
	b.offs()[b.n+1] = int32(used)
	b.n++
}

// AppendString appends a copy of s to a LayoutBytes builder.
func (b *Builder) AppendString(s string) {
	copy(b.Extend(len(s)), s)
	b.CloseValue()
}

// Extend returns the next n bytes of the open value of a LayoutBytes builder
// for the caller to fill. The value ends with CloseValue, or is given up with
// DropValue; several Extends add up.
func (b *Builder) Extend(n int) []byte {
	b.reserve()
	if b.used+n > len(b.data.data) {
		b.data = b.regrow(b.data, b.used, max(b.used+n, 2*len(b.data.data)))
	}
	p := b.data.data[b.used : b.used+n : b.used+n]
	b.used += n
	return p
}

// CloseValue ends the open value as the next row.
func (b *Builder) CloseValue() {
	b.reserve()
	b.offs()[b.n+1] = int32(b.used)
	b.n++
}

// DropValue forgets what was extended since the last row.
func (b *Builder) DropValue() {
	if b.offsets != nil {
		b.used = int(b.offs()[b.n])
	}
}

// AppendStruct ends a row of a ROW builder whose children were appended to.
func (b *Builder) AppendStruct() {
	b.reserve()
	b.n++
}

// AppendList ends a row of an ARRAY or MAP builder: its elements are what was
// appended to the child since the last row.
func (b *Builder) AppendList() {
	b.reserve()
	b.offs()[b.n+1] = int32(b.children[0].n)
	b.n++
}

// Truncate forgets the rows from n on, for a decoder that gives a record up
// in its middle.
func (b *Builder) Truncate(n int) {
	if n >= b.n && b.layout != types.LayoutStruct {
		b.DropValue()
		b.dropElements()
		return
	}
	if b.valid != nil {
		m := b.validity()
		for i := n; i < b.n; i++ {
			m.Set(i)
		}
	}
	b.n = min(b.n, n)
	switch b.layout {
	case types.LayoutBytes:
		b.DropValue()
	case types.LayoutList:
		b.dropElements()
	case types.LayoutStruct:
		for i := range b.children {
			b.children[i].Truncate(n)
		}
	}
}

// dropElements forgets the elements that were appended to the child of a list
// builder since the last row, the first one included.
func (b *Builder) dropElements() {
	if b.layout != types.LayoutList {
		return
	}
	end := 0
	if b.offsets != nil {
		end = int(b.offs()[b.n])
	}
	b.children[0].Truncate(end)
}

// AppendFrom appends row i of a vector of the same layout, under any encoding.
func (b *Builder) AppendFrom(v *Vector, i int) {
	if v.IsNull(i) {
		b.AppendNull()
		return
	}
	switch v.Encoding {
	case Constant:
		i = 0
	case Dictionary:
		i = int(v.Indices()[i])
		v = v.dict
	}
	switch b.layout {
	case types.LayoutBit:
		b.AppendBool(v.Bits().Get(i))
	case types.LayoutBytes:
		b.AppendBytes(v.Bytes(i))
	case types.LayoutList:
		for k := v.offsets[i]; k < v.offsets[i+1]; k++ {
			b.children[0].AppendFrom(&v.children[0], int(k))
		}
		b.AppendList()
	case types.LayoutStruct:
		for c := range b.children {
			b.children[c].AppendFrom(&v.children[c], i)
		}
		b.AppendStruct()
	default:
		b.reserve()
		copy(b.data0(b.n), v.data[i*b.width:(i+1)*b.width])
		b.n++
	}
}

// Finish returns the vector of what was appended, owned by the caller, and
// leaves the builder empty.
func (b *Builder) Finish() Vector {
	v := b.values()
	v.dataBuf, v.offsetsBuf, v.validBuf = b.data, b.offsets, b.valid
	if len(b.children) > 0 {
		v.children = make([]Vector, len(b.children))
		for i := range b.children {
			v.children[i] = b.children[i].Finish()
		}
	}
	b.expected = b.used
	b.n, b.room, b.used, b.data, b.offsets, b.valid = 0, 0, 0, nil, nil, nil
	return v
}

// View returns the vector of what was appended, for those who borrow it: it is
// the builder's, can't be retained, and is valid until the builder is used
// again. Who truncates the builder then goes on in the same memory.
func (b *Builder) View() Vector {
	v := b.values()
	if len(b.children) > 0 {
		v.children = make([]Vector, len(b.children))
		for i := range b.children {
			v.children[i] = b.children[i].View()
		}
	}
	return v
}

// values returns the vector without its children, and without the buffers' references.
func (b *Builder) values() Vector {
	b.reserveForFinish()
	v := Vector{Type: b.typ, n: b.n}
	switch b.layout {
	case types.LayoutBytes:
		v.data, v.offsets = b.data.data[:b.used], b.offs()[:b.n+1]
	case types.LayoutList:
		v.offsets = b.offs()[:b.n+1]
	case types.LayoutBit:
		v.data = b.data.data[:Words(b.n)*8]
	case types.LayoutStruct, types.LayoutNone:
	default:
		v.data = b.data.data[:b.n*b.width]
	}
	if b.valid != nil {
		v.valid = bitmapOf(b.valid.data, max(b.n, 1))
	}
	return v
}

func (b *Builder) reserveForFinish() {
	if b.room == 0 {
		b.grow()
	}
}

// Close gives back what an unfinished builder holds.
func (b *Builder) Close() {
	b.data.Release()
	b.offsets.Release()
	b.valid.Release()
	b.n, b.room, b.used, b.data, b.offsets, b.valid = 0, 0, 0, nil, nil, nil
	for i := range b.children {
		b.children[i].Close()
	}
}
