package aggregate

import (
	"bytes"
	"fmt"

	"millrace/statebackend"
	"millrace/stream"
)

// Table is a first phase's: rows of accumulators by key and namespace, at most
// tableRows+TileRows of them, in memory that fits the L2 cache and is reused. It
// has what the loops need of a state table's part, and nothing of state.
type Table struct {
	layout stream.KeyLayout
	// words holds the rows: the key (a Key64, or where its bytes are), the
	// namespace, the row's place in the index with a bit for NULL, then the
	// accumulators.
	words  []uint64
	blocks [][]uint64
	stride int
	wordOf []int // the first word of each column
	n      int
	least  int64 // namespace

	// index has, by the top bits of the hash, the high half of the hash and the
	// row's number plus 1; 0 is free.
	index []uint64
	keys  []int64 // scratch
	// arena holds the bytes of keys and values; a word names a piece by offset and length.
	arena []byte
}

const (
	headWords = 3
	headKey   = 0
	headSpace = 1
	headPlace = 2 // index position * 2 + 1 for a NULL key

	// indexBits leaves the index at most a third full.
	indexBits = 14
	indexMask = 1<<indexBits - 1
)

// NewTable makes a table of keys of a layout for the accumulators of a plan.
func NewTable(layout stream.KeyLayout, p *Plan) *Table {
	t := &Table{layout: layout, wordOf: p.words, index: make([]uint64, 1<<indexBits)}
	t.stride = headWords + len(p.Columns)
	t.words = make([]uint64, (tableRows+TileRows)*t.stride)
	t.blocks = [][]uint64{t.words}
	return t
}

// Len returns the number of rows; their slots are 0, 1, ...
func (t *Table) Len() int { return t.n }

// Least returns the least namespace since the table was empty.
func (t *Table) Least() int64 { return t.least }

// Full tells that the rows must leave before another tile.
func (t *Table) Full() bool { return t.n >= tableRows || len(t.arena) >= tableBytesMax }

// Clear forgets the rows, at a cost proportional to their number.
func (t *Table) Clear() {
	if t.n < TileRows {
		for s := range t.n {
			t.index[t.head(statebackend.Slot(s))[headPlace]>>1] = 0
		}
	} else {
		clear(t.index)
	}
	clear(t.words[:t.n*t.stride])
	t.n, t.arena = 0, t.arena[:0]
}

// Upsert finds or adds the row of every key in a namespace. It has room for a
// tile unless the table is full.
func (t *Table) Upsert(keys *stream.Keys, space int64, slots []statebackend.Slot) {
	if t.n == 0 || space < t.least {
		t.least = space
	}
	salt := uint64(space) * 0x9e3779b97f4a7c15
	if t.layout == stream.Key64 {
		t.upsert64(keys, space, salt, slots)
		return
	}
	for i, h := range keys.Hashes {
		h ^= salt
		key := keys.Bytes(i)
		at := h >> (64 - indexBits)
		for {
			e := t.index[at]
			if e == 0 {
				slots[i] = t.add(at, h, t.store(key), space, 0)
				break
			}
			if s := statebackend.Slot(uint32(e)) - 1; e>>32 == h>>32 && t.Namespace(s) == space && bytes.Equal(t.bytes(t.head(s)[headKey]), key) {
				slots[i] = s
				break
			}
			at = (at + 1) & indexMask
		}
	}
}

// upsert64 is the hot loop: nearly every key is found at its home. NULL needs no
// comparison: no value's hash shares the upper half of that of NULL which 0 has.
func (t *Table) upsert64(keys *stream.Keys, space int64, salt uint64, slots []statebackend.Slot) {
	fixed := keys.Fixed[:len(keys.Hashes)]
	slots = slots[:len(keys.Hashes)]
	index, words, stride := (*[1 << indexBits]uint64)(t.index), t.words, t.stride
	for i, h := range keys.Hashes {
		h ^= salt
		e := index[h>>(64-indexBits)]
		if s := int(uint32(e)) - 1; (e^h)>>32 == 0 && s >= 0 {
			if at := s * stride; words[at+headKey] == uint64(fixed[i]) && words[at+headSpace] == uint64(space) {
				slots[i] = statebackend.Slot(s)
				continue
			}
		}
		null := uint64(0)
		if keys.IsNull(i) {
			null = 1
		}
		slots[i] = t.findOrAdd(h, uint64(fixed[i]), space, null)
	}
}

func (t *Table) findOrAdd(h, key uint64, space int64, null uint64) statebackend.Slot {
	for at := h >> (64 - indexBits); ; at = (at + 1) & indexMask {
		e := t.index[at]
		if e == 0 {
			return t.add(at, h, key, space, null)
		}
		if (e^h)>>32 == 0 {
			s := statebackend.Slot(uint32(e)) - 1
			if head := t.head(s); head[headKey] == key && head[headSpace] == uint64(space) {
				return s
			}
		}
	}
}

// Append adds a row for every key, whether or not the table has one already, which is
// not found again. It has room for a tile unless the table is full.
func (t *Table) Append(keys *stream.Keys, space int64, slots []statebackend.Slot) {
	if t.n == 0 || space < t.least {
		t.least = space
	}
	for i := range slots {
		var key, null uint64
		switch {
		case t.layout != stream.Key64:
			key = t.store(keys.Bytes(i))
		case keys.IsNull(i):
			null = 1
		default:
			key = uint64(keys.Fixed[i])
		}
		slots[i] = statebackend.Slot(t.n)
		t.n++
		head := t.head(slots[i])
		head[headKey], head[headSpace], head[headPlace] = key, uint64(space), null
	}
}

// Blank adds a row without a key. There is room for it unless the table is full.
func (t *Table) Blank() statebackend.Slot {
	t.n++
	return statebackend.Slot(t.n - 1)
}

func (t *Table) add(at, hash, key uint64, space int64, null uint64) statebackend.Slot {
	s := statebackend.Slot(t.n)
	t.n++
	t.index[at] = hash>>32<<32 | uint64(t.n)
	head := t.head(s)
	head[headKey], head[headSpace], head[headPlace] = key, uint64(space), at<<1|null
	return s
}

func (t *Table) head(s statebackend.Slot) []uint64 {
	at := int(s) * t.stride
	return t.words[at : at+headWords : at+headWords]
}

// Namespace returns that of a row.
func (t *Table) Namespace(s statebackend.Slot) int64 { return int64(t.head(s)[headSpace]) }

// store copies bytes into the arena and returns the word that names them.
func (t *Table) store(p []byte) uint64 {
	at := len(t.arena)
	t.arena = append(t.arena, p...)
	return uint64(at)<<32 | uint64(len(p))
}

func (t *Table) bytes(word uint64) []byte {
	at, n := word>>32, word&0xffffffff
	return t.arena[at : at+n : at+n]
}

// Rows gives the accumulators.
func (t *Table) Rows() statebackend.Rows {
	return statebackend.Rows{Blocks: t.blocks, Stride: t.stride, Offset: headWords, Width: t.stride - headWords}
}

// Bytes returns the value of a bytes column.
func (t *Table) Bytes(column int, s statebackend.Slot) []byte {
	return t.bytes(t.words[int(s)*t.stride+headWords+t.wordOf[column]])
}

// SetBytes sets the value of a bytes column.
func (t *Table) SetBytes(column int, s statebackend.Slot, value []byte) error {
	if len(t.arena)+len(value) > 1<<31 {
		return fmt.Errorf("a first phase holds more than 2 GiB of values")
	}
	word := &t.words[int(s)*t.stride+headWords+t.wordOf[column]]
	if piece := t.bytes(*word); len(value) > 0 && len(value) <= len(piece) { // no other row has it
		copy(piece, value)
		*word = *word>>32<<32 | uint64(len(value))
		return nil
	}
	*word = t.store(value)
	return nil
}

// AppendKeys appends the rows' keys.
func (t *Table) AppendKeys(slots []statebackend.Slot, to *stream.KeyBuilder) error {
	if t.layout == stream.Key64 {
		t.appendKeys64(slots, to)
		return nil
	}
	for _, s := range slots {
		if err := to.AppendBytes(t.bytes(t.head(s)[headKey])); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) appendKeys64(slots []statebackend.Slot, to *stream.KeyBuilder) {
	keys := t.keys[:0]
	for _, s := range slots {
		head := t.head(s)
		if head[headPlace]&1 != 0 {
			to.Append64s(keys)
			to.Append64(0, true)
			keys = keys[:0]
			continue
		}
		keys = append(keys, int64(head[headKey]))
	}
	to.Append64s(keys)
	t.keys = keys
}

var _ Keyed = (*Table)(nil)
