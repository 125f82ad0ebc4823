package window

import (
	"bytes"
	"fmt"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// table is Local's: rows of accumulators by key and window end, at most
// localRows+tileRows of them, in memory that fits the L2 cache and is reused.
// It has what the loops need of a state table's part, and nothing of state.
type table struct {
	layout stream.KeyLayout
	// words holds the rows: the key (a Key64, or where its bytes are), the
	// window's end, the row's place in the index with a bit for NULL, then the
	// accumulators.
	words  []uint64
	blocks [][]uint64
	stride int
	wordOf []int // the first word of each column
	n      int
	minEnd int64

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
	headEnd   = 1
	headPlace = 2 // index position * 2 + 1 for a NULL key

	// indexBits leaves the index at most a third full.
	indexBits = 14
	indexMask = 1<<indexBits - 1
)

func newTable(layout stream.KeyLayout, p *plan) *table {
	t := &table{layout: layout, wordOf: p.words, index: make([]uint64, 1<<indexBits)}
	t.stride = headWords + len(p.columns)
	t.words = make([]uint64, (localRows+tileRows)*t.stride)
	t.blocks = [][]uint64{t.words}
	return t
}

// full tells that the rows must leave before another tile.
func (t *table) full() bool { return t.n >= localRows || len(t.arena) >= localBytesMax }

// clear forgets the rows, at a cost proportional to their number.
func (t *table) clear() {
	if t.n < tileRows {
		for s := range t.n {
			t.index[t.head(statebackend.Slot(s))[headPlace]>>1] = 0
		}
	} else {
		clear(t.index)
	}
	clear(t.words[:t.n*t.stride])
	t.n, t.arena = 0, t.arena[:0]
}

// upsert finds or adds the row of every key in a window. It has room for a tile
// unless the table is full.
func (t *table) upsert(keys *stream.Keys, end int64, slots []statebackend.Slot) {
	if t.n == 0 || end < t.minEnd {
		t.minEnd = end
	}
	salt := uint64(end) * 0x9e3779b97f4a7c15
	if t.layout == stream.Key64 {
		t.upsert64(keys, end, salt, slots)
		return
	}
	for i, h := range keys.Hashes {
		h ^= salt
		key := keys.Bytes(i)
		at := h >> (64 - indexBits)
		for {
			e := t.index[at]
			if e == 0 {
				slots[i] = t.add(at, h, t.store(key), end, 0)
				break
			}
			if s := statebackend.Slot(uint32(e)) - 1; e>>32 == h>>32 && t.end(s) == end && bytes.Equal(t.bytes(t.head(s)[headKey]), key) {
				slots[i] = s
				break
			}
			at = (at + 1) & indexMask
		}
	}
}

// upsert64 is the hot loop: nearly every key is found at its home. NULL needs no
// comparison: no value's hash shares the upper half of that of NULL which 0 has.
func (t *table) upsert64(keys *stream.Keys, end int64, salt uint64, slots []statebackend.Slot) {
	fixed := keys.Fixed[:len(keys.Hashes)]
	slots = slots[:len(keys.Hashes)]
	index, words, stride := (*[1 << indexBits]uint64)(t.index), t.words, t.stride
	for i, h := range keys.Hashes {
		h ^= salt
		e := index[h>>(64-indexBits)]
		if s := int(uint32(e)) - 1; (e^h)>>32 == 0 && s >= 0 {
			if at := s * stride; words[at+headKey] == uint64(fixed[i]) && words[at+headEnd] == uint64(end) {
				slots[i] = statebackend.Slot(s)
				continue
			}
		}
		null := uint64(0)
		if keys.IsNull(i) {
			null = 1
		}
		slots[i] = t.findOrAdd(h, uint64(fixed[i]), end, null)
	}
}

func (t *table) findOrAdd(h, key uint64, end int64, null uint64) statebackend.Slot {
	for at := h >> (64 - indexBits); ; at = (at + 1) & indexMask {
		e := t.index[at]
		if e == 0 {
			return t.add(at, h, key, end, null)
		}
		if (e^h)>>32 == 0 {
			s := statebackend.Slot(uint32(e)) - 1
			if head := t.head(s); head[headKey] == key && head[headEnd] == uint64(end) {
				return s
			}
		}
	}
}

func (t *table) add(at, hash, key uint64, end int64, null uint64) statebackend.Slot {
	s := statebackend.Slot(t.n)
	t.n++
	t.index[at] = hash>>32<<32 | uint64(t.n)
	head := t.head(s)
	head[headKey], head[headEnd], head[headPlace] = key, uint64(end), at<<1|null
	return s
}

func (t *table) head(s statebackend.Slot) []uint64 {
	at := int(s) * t.stride
	return t.words[at : at+headWords : at+headWords]
}

func (t *table) end(s statebackend.Slot) int64 { return int64(t.head(s)[headEnd]) }

// store copies bytes into the arena and returns the word that names them.
func (t *table) store(p []byte) uint64 {
	at := len(t.arena)
	t.arena = append(t.arena, p...)
	return uint64(at)<<32 | uint64(len(p))
}

func (t *table) bytes(word uint64) []byte {
	at, n := word>>32, word&0xffffffff
	return t.arena[at : at+n : at+n]
}

// Rows gives the accumulators.
func (t *table) Rows() statebackend.Rows {
	return statebackend.Rows{Blocks: t.blocks, Stride: t.stride, Offset: headWords, Width: t.stride - headWords}
}

// Bytes returns the value of a bytes column.
func (t *table) Bytes(column int, s statebackend.Slot) []byte {
	return t.bytes(t.words[int(s)*t.stride+headWords+t.wordOf[column]])
}

// SetBytes sets the value of a bytes column.
func (t *table) SetBytes(column int, s statebackend.Slot, value []byte) error {
	if len(t.arena)+len(value) > 1<<31 {
		return fmt.Errorf("a local aggregate holds more than 2 GiB of values")
	}
	t.words[int(s)*t.stride+headWords+t.wordOf[column]] = t.store(value)
	return nil
}

// AppendKeys appends the rows' keys.
func (t *table) AppendKeys(slots []statebackend.Slot, to *stream.KeyBuilder) error {
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

func (t *table) appendKeys64(slots []statebackend.Slot, to *stream.KeyBuilder) {
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

var _ keyed = (*table)(nil)

// partialOf returns the column of partial rows of one that a raw column makes.
func partialOf(pool *stream.Pool, v *stream.Vector, t types.Type) stream.Vector {
	if v.Type.Layout() == t.Layout() {
		v.Retain()
		out := *v
		out.Type = t
		return out
	}
	out := stream.NewFixed(pool, t, v.Len())
	if v.HasNulls() || v.Encoding == stream.Dictionary {
		valid := out.WithValidity(pool)
		for i := range v.Len() {
			valid.Put(i, !v.IsNull(i))
		}
	}
	switch t.Layout() {
	case types.LayoutInt128:
		widen(stream.Values[stream.Int128](&out), v, func(x int64) stream.Int128 {
			return stream.Int128{Lo: uint64(x), Hi: x >> 63}
		})
	case types.LayoutFloat64:
		xs := stream.Values[float64](&out)
		for i := range xs {
			xs[i] = float64(stream.Value[float32](v, i))
		}
	default:
		widen(stream.Values[int64](&out), v, func(x int64) int64 { return x })
	}
	return out
}

// widen converts the integers of a vector of any layout.
func widen[T any](out []T, v *stream.Vector, convert func(int64) T) {
	for i := range out {
		var x int64
		switch v.Type.Layout() {
		case types.LayoutInt8:
			x = int64(stream.Value[int8](v, i))
		case types.LayoutInt16:
			x = int64(stream.Value[int16](v, i))
		case types.LayoutInt32:
			x = int64(stream.Value[int32](v, i))
		default:
			x = stream.Value[int64](v, i)
		}
		out[i] = convert(x)
	}
}
