package columnar

import (
	"math/bits"

	"millrace/failure"
	"millrace/statebackend"
	"millrace/stream"
)

// Slot is statebackend's.
type Slot = statebackend.Slot

const (
	noSlot     = statebackend.NoSlot
	blockRows  = statebackend.BlockRows
	blockMask  = blockRows - 1
	blockShift = 16
	// firstRows is the size at which the first block begins. It doubles up to a
	// whole block, so that a small namespace takes little. Where others of the table had more
	// rows the next begins with as many, firstRowsMax at most: it would only grow to that.
	firstRows, firstRowsMax = 32, 256
	// firstWords is what bitmaps of slots begin with.
	firstWords = 4
)

// rows is a growing sequence of rows of stride words, in blocks that never move
// once they are whole.
type rows struct {
	mem    *memory
	stride int
	blocks [][]uint64
	n      Slot // rows there are
	room   int  // rows for which there is memory
	first  int  // rows with which the first block begins, where that is more than firstRows
}

func newRows(m *memory, stride int) rows { return rows{mem: m, stride: stride} }

// row returns the words of a row.
func (r *rows) row(s Slot) []uint64 {
	i := int(s&blockMask) * r.stride
	return r.blocks[s>>blockShift][i : i+r.stride : i+r.stride]
}

// grow makes room for a row more.
func (r *rows) grow() error {
	switch c := r.room; {
	case c >= slotsMax:
		return failure.Externalf(failure.Never, "a namespace of state has %d rows, at most %d", r.n, slotsMax)
	case c == 0:
		return r.addBlock(max(r.first, firstRows))
	case c < blockRows:
		return r.widen(c * 2)
	default:
		return r.addBlock(blockRows)
	}
}

// widen gives a sequence of less than a block's rows room for n.
func (r *rows) widen(n int) error {
	w, err := r.mem.getWords(n * r.stride)
	if err != nil {
		return err
	}
	copy(w, r.blocks[0])
	r.mem.putWords(r.blocks[0])
	r.blocks[0], r.room = w, n
	return nil
}

func (r *rows) addBlock(n int) error {
	w, err := r.mem.getWords(n * r.stride)
	if err != nil {
		return err
	}
	r.blocks = append(r.blocks, w)
	r.room += n
	return nil
}

// reserve makes room for n rows in a sequence without any.
func (r *rows) reserve(n int) error {
	for r.room < n {
		size := blockRows
		if len(r.blocks) == 0 && n < blockRows {
			size = max(firstRows, 1<<bits.Len(uint(n-1)))
		}
		if err := r.addBlock(size); err != nil {
			return err
		}
	}
	return nil
}

// add appends a row of undefined content.
func (r *rows) add() (Slot, error) {
	s := r.n
	if int(s) == r.room {
		if err := r.grow(); err != nil {
			return noSlot, err
		}
	}
	r.n++
	return s, nil
}

// release gives the memory back; there are no rows then.
func (r *rows) release() {
	for i, b := range r.blocks {
		r.mem.putWords(b)
		r.blocks[i] = nil
	}
	r.blocks, r.n, r.room = r.blocks[:0], 0, 0
}

// rowSet is rows that come and go under a hash index, with a mark on those that
// changed since the last freeze.
type rowSet struct {
	rows
	index index
	live  int
	dirty stream.Bitmap // by slot
	dead  stream.Bitmap // by slot; nil: every slot is live
	freed Slot          // the first of the freed slots, linked through their word 0
	spare int           // how many there are
}

func newRowSet(m *memory, stride int) rowSet {
	return rowSet{rows: newRows(m, stride), index: index{mem: m}, freed: noSlot}
}

// take returns a slot for a new row, whose words are 0.
func (t *rowSet) take() (Slot, error) {
	if s := t.freed; s != noSlot {
		row := t.row(s)
		t.freed = Slot(row[0])
		t.spare--
		clear(row)
		t.dead.Clear(int(s))
		t.live++
		return s, nil
	}
	s, err := t.add()
	if err != nil {
		return noSlot, err
	}
	if int(s)>>6 >= len(t.dirty) {
		t.dirty = t.lengthen(t.dirty)
	}
	if t.dead != nil && int(s)>>6 >= len(t.dead) {
		t.dead = t.lengthen(t.dead)
	}
	clear(t.row(s))
	t.live++
	return s, nil
}

func (t *rowSet) lengthen(m stream.Bitmap) stream.Bitmap {
	grown := len(m)/2 + firstWords
	t.mem.account(int64(grown) * 8)
	return append(m, make(stream.Bitmap, grown)...)
}

// kill ends a row. Its slot is not reused before free.
func (t *rowSet) kill(s Slot) {
	for len(t.dead) < stream.Words(int(t.n)) {
		t.dead = t.lengthen(t.dead)
	}
	t.dead.Set(int(s))
	t.dirty.Clear(int(s))
	t.live--
}

// free lets the next take reuse the slot of a killed row.
func (t *rowSet) free(s Slot) {
	t.row(s)[0] = uint64(t.freed)
	t.freed = s
	t.spare++
}

func (t *rowSet) isDead(s Slot) bool { return t.dead != nil && t.dead.Get(int(s)) }

// mark counts rows as changed. Most are marked already, and a word that many
// rows share is not written to again: each write would wait for the one before.
func (t *rowSet) mark(slots []Slot) {
	dirty := t.dirty
	for _, s := range slots {
		word, bit := &dirty[uint32(s)>>6], uint64(1)<<(uint32(s)&63)
		if *word&bit == 0 {
			*word |= bit
		}
	}
}

// markAll counts every live row as changed.
func (t *rowSet) markAll() {
	for i := range stream.Words(int(t.n)) {
		t.dirty[i] = t.liveWord(i)
	}
}

// liveWord returns the bits of the live slots from i*64 on.
func (t *rowSet) liveWord(i int) uint64 {
	w := ^uint64(0)
	if left := int(t.n) - i<<6; left < 64 {
		w = 1<<uint(left) - 1
	}
	if t.dead != nil {
		w &^= t.dead[i]
	}
	return w
}

// marked returns the number of rows that changed.
func (t *rowSet) marked() int {
	n := 0
	for _, w := range t.dirty[:stream.Words(int(t.n))] {
		n += bits.OnesCount64(w)
	}
	return n
}

// scan fills out with live slots from the slot on, ascending, and returns how
// many and where to go on.
func (t *rowSet) scan(from Slot, out []Slot) (n int, next Slot) {
	if len(out) == 0 {
		return 0, from
	}
	for i := int(from) >> 6; i < stream.Words(int(t.n)); i++ {
		w := t.liveWord(i)
		if i == int(from)>>6 {
			w &^= 1<<(uint(from)&63) - 1
		}
		for ; w != 0; w &= w - 1 {
			s := Slot(i<<6 + bits.TrailingZeros64(w))
			if n == len(out) {
				return n, s
			}
			out[n] = s
			n++
		}
	}
	return n, t.n
}

// release gives the memory back; there are no rows then. The marks stay
// allocated for the next use.
func (t *rowSet) release() {
	t.rows.release()
	t.index.release()
	clear(t.dirty)
	t.mem.account(-int64(len(t.dead)) * 8)
	t.dead, t.live, t.freed, t.spare = nil, 0, noSlot, 0
}
