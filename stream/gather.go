package stream

import (
	"unsafe"

	"millrace/types"
)

// AppendRows appends the rows at these positions of a vector of the same layout,
// under any encoding. Flat vectors have loops of their own, the rest goes a value
// at a time.
func (b *Builder) AppendRows(v *Vector, positions []int32) {
	if len(positions) == 0 {
		return
	}
	if v.Encoding != Flat || !b.appendFlat(v, positions) {
		for _, p := range positions {
			b.AppendFrom(v, int(p))
		}
	}
}

// appendFlat is false, and nothing was done, where no loop is for the layout.
func (b *Builder) appendFlat(v *Vector, positions []int32) bool {
	from := b.n
	switch b.layout {
	case types.LayoutInt8:
		gather[uint8](b, v, positions)
	case types.LayoutInt16:
		gather[uint16](b, v, positions)
	case types.LayoutInt32, types.LayoutFloat32:
		gather[uint32](b, v, positions)
	case types.LayoutInt64, types.LayoutFloat64:
		gather[uint64](b, v, positions)
	case types.LayoutInt128:
		gather[Int128](b, v, positions)
	case types.LayoutBytes:
		b.gatherBytes(v, positions)
	default:
		return false
	}
	b.n += len(positions)
	if v.valid != nil {
		b.gatherValidity(v.valid, positions, from)
	}
	return true
}

func (b *Builder) reserveRows(n int) {
	for b.room < b.n+n {
		b.grow()
	}
}

func gather[T Fixed](b *Builder, v *Vector, positions []int32) {
	b.reserveRows(len(positions))
	to := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b.data.data))), b.capacity)[b.n : b.n+len(positions)]
	from := Values[T](v)
	for i, p := range positions {
		to[i] = from[p]
	}
}

func (b *Builder) gatherBytes(v *Vector, positions []int32) {
	b.DropValue()
	b.reserveRows(len(positions))
	total := b.used
	for _, p := range positions {
		total += int(v.offsets[p+1] - v.offsets[p])
	}
	if total > len(b.data.data) {
		b.data = b.regrow(b.data, b.used, max(total, 2*len(b.data.data)))
	}
	to, offsets, used := b.data.data, b.offs()[b.n+1:b.n+1+len(positions)], b.used
	for i, p := range positions {
		used += copy(to[used:total], v.data[v.offsets[p]:v.offsets[p+1]])
		offsets[i] = int32(used)
	}
	b.used = used
}

func (b *Builder) gatherValidity(valid Bitmap, positions []int32, at int) {
	to := b.validity()
	for i, p := range positions {
		if !valid.Get(int(p)) {
			to.Clear(at + i)
		}
	}
}

// Inserts returns a copy of the selected rows as a batch of p in which all are +I: for whoever has no use for kinds. The caller owns it.
func (b *Batch) Inserts(p *Pool) *Batch {
	positions := make([]int32, b.Rows())
	for i := range positions {
		positions[i] = int32(b.Row(i))
	}
	out := p.NewBatch(b.Schema, len(positions))
	for i := range b.Columns {
		var column Builder
		column.Init(p, b.Columns[i].Type, len(positions))
		column.AppendRows(&b.Columns[i], positions)
		out.Columns[i] = column.Finish()
	}
	return out
}
