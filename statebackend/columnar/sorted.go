package columnar

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"millrace/internal/invariant"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// sortedTable is rows by key and, within a key, by an order: what a Multimap
// (whose order is a sequence number) and an OrderedMap (a byte string) have in
// common. A key has a row in heads, under its hash index; its rows hang below it
// as a treap, whose priorities are hashes of slots, so that nothing is kept for
// the balance and the same calls always give the same tree.
//
// A row is: its head, the order's number, the children, the order's bytes, a bit
// for each column that is NULL, the columns. The number decides most
// comparisons: it is the sequence, or the first eight bytes of the order.
type sortedTable struct {
	rowSet
	store *store
	shape shape
	// Of the declaration.
	id      statebackend.TableID
	keys    []types.Type
	columns []statebackend.ColumnSpec
	// Derived from it.
	layout    stream.KeyLayout
	nullWords int
	words     []int // word of each column behind the null bits
	width     int   // words of all columns
	byteWord  []int // those of columns of bytes

	heads   rowSet
	indexed bool // the index of rows, by key and order, is there
	bytes   arena
	sweep   Slot   // the next row of an evacuation, of the rows and then of the heads; noSlot: none is going on
	next    uint64 // the next sequence number
	removed removeLog

	// Scratch of a call.
	staged   []uint64 // rows of a batch
	slots    []Slot
	stack    []Slot
	suffixed []byte // an order that is made of another
}

// Words of a row in front of its null bits, and of a head.
const (
	rowHead, rowOrder, rowChildren, rowOrderBytes, sortedFront = 0, 1, 2, 3, 4
	headRoot, headCount, headStride                            = 2, 3, 4
)

// order is a position among the rows of a key.
type order struct {
	number uint64
	bytes  []byte // of an OrderedMap
}

// orderOf returns the order that a byte string is.
func orderOf(p []byte) order {
	if len(p) >= 8 {
		return order{binary.BigEndian.Uint64(p), p}
	}
	var b [8]byte
	copy(b[:], p)
	return order{binary.BigEndian.Uint64(b[:]), p}
}

func newSortedTable(s *store, sh shape, id statebackend.TableID, keys []types.Type, columns []statebackend.ColumnSpec) (*sortedTable, error) {
	layout, err := checkSpec(id, keys, columns)
	if err != nil {
		return nil, err
	}
	t := &sortedTable{store: s, shape: sh, id: id, keys: keys, columns: columns, layout: layout, nullWords: stream.Words(len(columns))}
	t.words, t.width = statebackend.WordOf(columns)
	for i, c := range columns {
		if c.Type.Layout() == types.LayoutBytes {
			t.byteWord = append(t.byteWord, t.words[i])
		}
	}
	t.rowSet = newRowSet(s.memory, sortedFront+t.nullWords+t.width)
	t.heads = newRowSet(s.memory, headStride)
	t.bytes, t.sweep, t.removed = newArena(s.memory), noSlot, newRemoveLog(s.frozen)
	return t, nil
}

// Len returns the number of rows.
func (t *sortedTable) Len() int { return t.live }

// Count implements statebackend.MultimapTable and OrderedMapTable.
func (t *sortedTable) Count(keys *stream.Keys, counts []int32) {
	for i := range counts {
		counts[i] = 0
		if h := t.findKey(keys, i); h != noSlot {
			counts[i] = int32(t.heads.row(h)[headCount])
		}
	}
}

// DeleteAll implements statebackend.MultimapTable and OrderedMapTable.
func (t *sortedTable) DeleteAll(keys *stream.Keys) {
	for i := range keys.Len() {
		h := t.findKey(keys, i)
		if h == noSlot {
			continue
		}
		t.stack = append(t.stack[:0], t.root(h))
		for len(t.stack) > 0 {
			s := t.stack[len(t.stack)-1]
			t.stack = t.stack[:len(t.stack)-1]
			if s == noSlot {
				continue
			}
			t.stack = append(t.stack, t.get(link{s, left}), t.get(link{s, right}))
			t.logRemoval(s)
			t.freeRow(s)
		}
		t.removeHead(h)
	}
	t.compact(compactRows * keys.Len())
}

// check tells whether a batch fits the declaration and its keys.
func (t *sortedTable) check(keys *stream.Keys, rows *stream.Batch) error {
	fits := keys.Layout == t.layout && keys.Len() == rows.Rows() && len(rows.Columns) == len(t.columns)
	for i := 0; fits && i < len(t.columns); i++ {
		fits = rows.Columns[i].Type.Layout() == t.columns[i].Type.Layout()
	}
	if !fits {
		return invariant.Failedf("%d keys of layout %d with %d rows of %d columns for table %s, whose keys have layout %d, or columns of other layouts",
			keys.Len(), keys.Layout, rows.Rows(), len(rows.Columns), t.id.Name, t.layout)
	}
	return nil
}

// keyWords returns a key as it stands in a head, and its bytes.
func (t *sortedTable) keyWords(keys *stream.Keys, i int) (a, b uint64, key []byte) {
	switch {
	case t.layout == stream.KeyBytes:
		return keys.Hashes[i], 0, keys.Bytes(i)
	case keys.IsNull(i):
		return 0, 1, nil
	default:
		return uint64(keys.Fixed[i]), 0, nil
	}
}

// findKey returns the head of a key.
func (t *sortedTable) findKey(keys *stream.Keys, i int) Slot {
	if t.heads.live == 0 || keys.Layout != t.layout {
		return noSlot
	}
	a, b, key := t.keyWords(keys, i)
	h := keys.Hashes[i]
	entries, at := t.heads.index.array(h)
	for n := uint32(t.heads.n); entries[at] != 0; at++ {
		s := uint32(entries[at]) - 1
		if (entries[at]^h)>>32 != 0 || s >= n {
			continue
		}
		row := t.heads.row(Slot(s))
		if row[0] == a && (t.layout == stream.Key64 && row[1] == b || t.layout == stream.KeyBytes && bytes.Equal(t.bytes.get(row[1]), key)) {
			return Slot(s)
		}
	}
	return noSlot
}

// addKey returns the head of a key, made where it is new.
func (t *sortedTable) addKey(keys *stream.Keys, i int) (Slot, error) {
	if s := t.findKey(keys, i); s != noSlot {
		return s, nil
	}
	a, b, key := t.keyWords(keys, i)
	if t.layout == stream.KeyBytes {
		var err error
		if b, err = t.bytes.put(key, false); err != nil {
			return noSlot, err
		}
	}
	s, err := t.heads.take()
	if err != nil {
		return noSlot, err
	}
	row := t.heads.row(s)
	row[0], row[1], row[headRoot] = a, b, 0
	return s, t.heads.index.insert(keys.Hashes[i], s, t.heads.live-1)
}

// reserve makes the index ready for the keys of a batch.
func (t *sortedTable) reserve(n int) error {
	if err := t.heads.index.reserve(0); err != nil {
		return err
	}
	t.index.migrate(migrateEntries * n)
	t.heads.index.migrate(migrateEntries * n)
	return nil
}

// keyHash returns the hash of a head's key.
func (t *sortedTable) keyHash(h Slot) uint64 {
	row := t.heads.row(h)
	switch {
	case t.layout == stream.KeyBytes:
		return row[0]
	case row[1] != 0:
		return stream.HashNull()
	default:
		return stream.HashUint64(row[0])
	}
}

// removeHead forgets a key without rows.
func (t *sortedTable) removeHead(h Slot) {
	t.heads.index.remove(t.keyHash(h), h)
	if t.layout == stream.KeyBytes {
		t.bytes.drop(t.heads.row(h)[1])
	}
	t.heads.kill(h)
	t.heads.free(h)
}

// insert adds a row without columns under a head at an order that is not there.
func (t *sortedTable) insert(h Slot, o order) (Slot, error) {
	var r ref
	if t.shape == shapeOrderedMap {
		var err error
		if r, err = t.bytes.put(o.bytes, false); err != nil {
			return noSlot, err
		}
	}
	s, err := t.take()
	if err != nil {
		return noSlot, err
	}
	row := t.row(s)
	row[rowHead], row[rowOrder], row[rowOrderBytes] = uint64(h), o.number, r
	t.dirty.Set(int(s))
	t.heads.row(h)[headCount]++
	at, priority := link{h, rootOf}, t.priority(s)
	x := t.get(at)
	for x != noSlot && t.priority(x) > priority {
		at = t.step(x, o)
		x = t.get(at)
	}
	t.set(at, s)
	t.split(x, o, link{s, left}, link{s, right})
	t.indexOrder(s, t.live-1)
	return s, nil
}

// remove takes a row out of its key, which goes with its last row.
func (t *sortedTable) remove(h Slot, at link) {
	s := t.get(at)
	t.merge(at, t.get(link{s, left}), t.get(link{s, right}))
	t.logRemoval(s)
	t.freeRow(s)
	head := t.heads.row(h)
	if head[headCount]--; head[headCount] == 0 {
		t.removeHead(h)
	}
}

func (t *sortedTable) freeRow(s Slot) {
	t.unindexOrder(s)
	row := t.row(s)
	t.bytes.drop(row[rowOrderBytes])
	for _, w := range t.byteWord {
		t.bytes.drop(row[sortedFront+t.nullWords+w])
	}
	t.kill(s)
	t.free(s)
}

// logRemoval keeps the key and the order of a row for the next delta. A row that
// is marked needs none: no snapshot has it, or its removal is logged already.
func (t *sortedTable) logRemoval(s Slot) {
	if t.dirty.Get(int(s)) {
		return
	}
	row := t.row(s)
	head := t.heads.row(Slot(row[rowHead]))
	var key []byte
	if t.layout == stream.KeyBytes {
		key = t.bytes.get(head[1])
	}
	t.removed.addOrdered(row[rowOrder], t.bytes.get(row[rowOrderBytes]), head[0], head[1], key)
}

// compare compares the order of a row with another.
func (t *sortedTable) compare(s Slot, o order) int {
	row := t.row(s)
	if c := cmp.Compare(row[rowOrder], o.number); c != 0 || t.shape != shapeOrderedMap {
		return c
	}
	return bytes.Compare(t.bytes.get(row[rowOrderBytes]), o.bytes)
}

// compact looks after n rows of an evacuation, or starts one where half of the
// arena is dead.
func (t *sortedTable) compact(n int) {
	if t.sweep == noSlot {
		if !t.bytes.wasteful() {
			return
		}
		t.bytes.evacuate()
		t.sweep = 0
	}
	all := t.n + t.heads.n
	end := min(t.sweep+Slot(n), all)
	for s := t.sweep; s < end; s++ {
		t.moveBytes(s)
	}
	t.sweep = end
	if end == all {
		t.bytes.evacuated()
		t.sweep = noSlot
	}
}

// moveBytes moves the byte strings of a row, or behind the rows of a head.
func (t *sortedTable) moveBytes(s Slot) {
	if s >= t.n {
		if h := s - t.n; t.layout == stream.KeyBytes && !t.heads.isDead(h) {
			t.bytes.move(&t.heads.row(h)[1])
		}
		return
	}
	if t.isDead(s) {
		return
	}
	row := t.row(s)
	t.bytes.move(&row[rowOrderBytes])
	for _, w := range t.byteWord {
		t.bytes.move(&row[sortedFront+t.nullWords+w])
	}
}

// release gives the memory back; the table is empty.
func (t *sortedTable) release() {
	t.rowSet.release()
	t.heads.release()
	t.bytes.release()
	t.removed.release()
	t.sweep, t.next, t.indexed = noSlot, 0, false
}
