package stream

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"millrace/internal/invariant"
	"millrace/types"
)

// RowKind tells what a row does to the table that a changelog describes.
type RowKind uint8

// The row kinds, numbered as in Flink.
const (
	Insert       RowKind = iota // +I
	UpdateBefore                // -U
	UpdateAfter                 // +U
	Delete                      // -D
)

// String prints the kind as Flink does.
func (k RowKind) String() string {
	if k > Delete {
		return fmt.Sprintf("RowKind(%d)", uint8(k))
	}
	return [...]string{"+I", "-U", "+U", "-D"}[k]
}

// Retracts tells whether the row takes one away.
func (k RowKind) Retracts() bool { return k == UpdateBefore || k == Delete }

// NoSplit is the Split of a batch that no source split stands behind.
const NoSplit = -1

// Batch is up to RowsMax rows of one schema: a vector a column, an optional
// selection and, where rows are not all +I, a kind a row. See the package
// comment for ownership.
type Batch struct {
	Schema  *types.Schema
	Columns []Vector
	// Split is the source task's ordinal of the split from which every row of
	// the batch came, NoSplit behind an exchange. Watermarks are made by split.
	Split int32

	n        int
	sel      []int32
	kinds    []RowKind
	selBuf   *Buffer
	kindsBuf *Buffer
	refs     atomic.Int32
	pool     *Pool
}

const freeBatchesMax = 1024

// NewBatch returns a batch of n rows with room for a column a field, which the
// caller fills before it hands the batch on. The caller owns one reference.
func (p *Pool) NewBatch(s *types.Schema, n int) *Batch {
	p.batches.Lock()
	var b *Batch
	if last := len(p.batches.free) - 1; last >= 0 {
		b = p.batches.free[last]
		p.batches.free = p.batches.free[:last]
	}
	p.batches.Unlock()
	if b == nil {
		b = &Batch{pool: p}
	}
	b.Schema, b.n, b.Split = s, n, NoSplit
	if cap(b.Columns) < s.Len() {
		b.Columns = make([]Vector, s.Len())
	}
	b.Columns = b.Columns[:s.Len()]
	b.refs.Store(1)
	p.live.Add(1)
	return b
}

// Len returns the number of physical rows, selected or not.
func (b *Batch) Len() int { return b.n }

// SetLen sets the number of physical rows of a batch that is being built.
func (b *Batch) SetLen(n int) { b.n = n }

// Rows returns the number of selected rows: those that the batch means.
func (b *Batch) Rows() int {
	if b.sel != nil {
		return len(b.sel)
	}
	return b.n
}

// Sel returns the positions of the selected rows, ascending; nil means all.
func (b *Batch) Sel() []int32 { return b.sel }

// Row returns the physical position of the i-th selected row.
func (b *Batch) Row(i int) int {
	if b.sel != nil {
		return int(b.sel[i])
	}
	return i
}

// SetSel gives a batch that is being built a selection of n positions, which
// stand in buf as int32; the batch takes over the reference. It ends the
// selection that was there.
func (b *Batch) SetSel(buf *Buffer, n int) {
	b.selBuf.Release()
	b.selBuf = buf
	b.sel = Int32s(buf)[:n]
}

// Kinds returns the kind of each physical row; nil means all +I.
func (b *Batch) Kinds() []RowKind { return b.kinds }

// Kind returns the kind of physical row i.
func (b *Batch) Kind(i int) RowKind {
	if b.kinds == nil {
		return Insert
	}
	return b.kinds[i]
}

// MakeKinds gives a batch that is being built a kind for each physical row,
// all +I, for the caller to change.
func (b *Batch) MakeKinds() []RowKind {
	if b.kinds == nil {
		b.kindsBuf = b.pool.Get(b.n)
		b.kinds = unsafe.Slice((*RowKind)(unsafe.Pointer(unsafe.SliceData(b.kindsBuf.data))), b.n)
		clear(b.kinds)
	}
	return b.kinds
}

// Int32s views a buffer as 32-bit integers.
func Int32s(b *Buffer) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(b.data))), len(b.data)/4)
}

// Uint64s views a buffer as 64-bit integers.
func Uint64s(b *Buffer) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b.data))), len(b.data)/8)
}

// Pool returns the pool from which the batch came.
func (b *Batch) Pool() *Pool { return b.pool }

// Retain adds a reference to the batch as a whole and returns it.
func (b *Batch) Retain() *Batch { b.refs.Add(1); return b }

// Release ends a reference; the last one releases every vector.
func (b *Batch) Release() {
	if b == nil {
		return
	}
	switch n := b.refs.Add(-1); {
	case n > 0:
	case n == 0:
		b.recycle()
	default:
		panic("stream: batch released more often than retained")
	}
}

func (b *Batch) recycle() {
	for i := range b.Columns {
		b.Columns[i].Release()
		b.Columns[i] = Vector{}
	}
	b.selBuf.Release()
	b.kindsBuf.Release()
	b.sel, b.kinds, b.selBuf, b.kindsBuf = nil, nil, nil, nil
	p := b.pool
	p.live.Add(-1)
	if invariant.Enabled {
		b.Schema, b.n = nil, -1
		return // not reused, so that a use after release meets the nil schema
	}
	p.batches.Lock()
	if len(p.batches.free) < freeBatchesMax {
		p.batches.free = append(p.batches.free, b)
	}
	p.batches.Unlock()
}

// Share returns a new batch with the same rows, selection and kinds: its own
// header over the same vectors, each retained. The caller may give the new
// batch another selection or replace columns.
func (b *Batch) Share() *Batch {
	c := b.pool.NewBatch(b.Schema, b.n)
	c.Split = b.Split
	for i := range b.Columns {
		b.Columns[i].Retain()
		c.Columns[i] = b.Columns[i]
	}
	b.shareRows(c)
	return c
}

// ShareRows gives a batch under construction over the same physical rows the
// selection, kinds and split of b.
func (b *Batch) ShareRows(c *Batch) { c.Split = b.Split; b.shareRows(c) }

func (b *Batch) shareRows(c *Batch) {
	b.selBuf.Retain()
	b.kindsBuf.Retain()
	c.sel, c.kinds, c.selBuf, c.kindsBuf = b.sel, b.kinds, b.selBuf, b.kindsBuf
}

// SizeBytes returns about the bytes of the batch, for credits: at least 1.
func (b *Batch) SizeBytes() int {
	size := 64 + len(b.sel)*4 + len(b.kinds)
	for i := range b.Columns {
		size += b.Columns[i].SizeBytes()
	}
	return size
}
