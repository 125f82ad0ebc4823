package stream

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"millrace/internal/invariant"
)

// Alignment is the alignment of every buffer's first byte, as Arrow recommends.
const Alignment = 64

const (
	minClassBits = 8  // 256 bytes
	maxClassBits = 24 // 16 MiB; larger buffers are not pooled
	// classBytesMax bounds what a pool keeps for reuse in each size class.
	classBytesMax = 64 << 20
)

// Pool hands out buffers in power-of-two size classes and takes them back. It
// is safe for concurrent use. The zero value is ready.
//
// Reuse is not a nicety: a first touch of fresh memory costs twenty times a
// write to used memory (docs/design/0001-task-loop-and-state.md).
type Pool struct {
	classes [maxClassBits + 1]class
	live    atomic.Int64
	bytes   atomic.Int64

	batches struct {
		sync.Mutex
		free []*Batch
	}
}

type class struct {
	sync.Mutex
	free []*Buffer
}

// Buffer is a piece of memory with a reference count. Its bytes hold no
// pointers, so the garbage collector never looks inside.
type Buffer struct {
	data []byte // aligned; len is the size class
	refs atomic.Int32
	pool *Pool
	bits uint8
}

// Get returns a buffer of at least n bytes with one reference. Its content is
// undefined.
func (p *Pool) Get(n int) *Buffer {
	k := max(bits.Len(uint(max(n, 1)-1)), minClassBits)
	p.live.Add(1)
	if k > maxClassBits {
		p.bytes.Add(int64(n))
		return p.fresh(n, uint8(k))
	}
	p.bytes.Add(1 << k)
	c := &p.classes[k]
	c.Lock()
	if last := len(c.free) - 1; last >= 0 {
		b := c.free[last]
		c.free = c.free[:last]
		c.Unlock()
		b.refs.Store(1)
		return b
	}
	c.Unlock()
	return p.fresh(1<<k, uint8(k))
}

func (p *Pool) fresh(n int, k uint8) *Buffer {
	raw := make([]byte, n+Alignment)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(raw))) & (Alignment - 1))
	b := &Buffer{data: raw[off : off+n : off+n], pool: p, bits: k}
	b.refs.Store(1)
	return b
}

// Live returns the number of buffers that are out, for leak tests.
func (p *Pool) Live() int64 { return p.live.Load() }

// LiveBytes returns the bytes of the buffers that are out.
func (p *Pool) LiveBytes() int64 { return p.bytes.Load() }

// Bytes returns the buffer's memory; its length is the capacity of the buffer.
func (b *Buffer) Bytes() []byte { return b.data }

// Retain adds a reference. A nil buffer is ignored.
func (b *Buffer) Retain() {
	if b != nil {
		b.refs.Add(1)
	}
}

// Release ends a reference; the last one gives the memory back. A nil buffer
// is ignored. Releasing more often than retained is a bug and panics: memory
// that two owners share silently is worse than a dead task.
func (b *Buffer) Release() {
	if b == nil {
		return
	}
	switch n := b.refs.Add(-1); {
	case n > 0:
	case n == 0:
		b.recycle()
	default:
		panic("stream: buffer released more often than retained")
	}
}

// Shared tells whether someone else holds a reference too.
func (b *Buffer) Shared() bool { return b.refs.Load() > 1 }

func (b *Buffer) recycle() {
	p := b.pool
	p.live.Add(-1)
	p.bytes.Add(-int64(len(b.data)))
	if invariant.Enabled {
		poison(b.data)
	}
	if b.bits > maxClassBits {
		return
	}
	c := &p.classes[b.bits]
	c.Lock()
	if (len(c.free)+1)<<b.bits <= classBytesMax {
		c.free = append(c.free, b)
	}
	c.Unlock()
}

// poison overwrites released memory so that a use after release is seen.
func poison(p []byte) {
	for i := range p {
		p[i] = 0xDB
	}
}
