package columnar

import (
	"bytes"
	"cmp"

	"millrace/internal/invariant"
	"millrace/statebackend"
	"millrace/stream"
)

// timerTable is statebackend.TimerTable: a row a timer under a hash index, for
// there is at most one of each, and a heap that orders the rows. A row is
// namespace, time, and the key: its value and whether it is NULL, or its hash
// and where its bytes stand.
//
// An unregistered timer leaves the index at once and the heap when it comes to
// the top; its slot is not reused before. Where such entries outnumber the
// others, the heap is built anew.
type timerTable struct {
	rowSet
	store   *store
	spec    statebackend.TimerSpec
	layout  stream.KeyLayout
	bytes   arena
	heap    []timerEntry
	charged int64 // bytes of the heap
	ghosts  int   // entries of the heap whose timer is unregistered
	sweep   Slot  // the next row of an evacuation, noSlot: none is going on
	removed removeLog
}

// timerEntry is a timer in the heap: its time, and the row for what decides
// among equal times.
type timerEntry struct {
	time int64
	slot Slot
}

const (
	timerStride = 4
	heapArity   = 4
	ghostsMin   = 1024
)

func newTimerTable(s *store, spec statebackend.TimerSpec) (*timerTable, error) {
	layout, err := checkSpec(spec.ID, spec.Keys, nil)
	if err != nil {
		return nil, err
	}
	return &timerTable{
		rowSet: newRowSet(s.memory, timerStride), store: s, spec: spec, layout: layout,
		bytes: newArena(s.memory), sweep: noSlot, removed: newRemoveLog(s.frozen),
	}, nil
}

// Len implements statebackend.TimerTable.
func (t *timerTable) Len() int { return t.live }

// Register implements statebackend.TimerTable.
func (t *timerTable) Register(keys *stream.Keys, namespaces, times []int64) error {
	if err := t.check(keys, namespaces, times); err != nil {
		return err
	}
	if err := t.index.reserve(0); err != nil {
		return err
	}
	t.index.migrate(migrateEntries * keys.Len())
	for i, namespace := range namespaces {
		a, b, key := t.words(keys, i)
		if t.find(uint64(namespace), uint64(times[i]), a, b, key) != noSlot {
			continue
		}
		if err := t.insert(keys.Hashes[i], namespace, times[i], a, b, key); err != nil {
			return err
		}
	}
	t.compact(compactRows * keys.Len())
	return nil
}

func (t *timerTable) check(keys *stream.Keys, namespaces, times []int64) error {
	if keys.Layout != t.layout || len(namespaces) != keys.Len() || len(times) != keys.Len() {
		return invariant.Failedf("%d keys of layout %d with %d namespaces and %d times for timers %s, whose layout is %d",
			keys.Len(), keys.Layout, len(namespaces), len(times), t.spec.ID.Name, t.layout)
	}
	return nil
}

// words returns a key as it stands in a row (of a KeyBytes: the hash), and its bytes.
func (t *timerTable) words(keys *stream.Keys, i int) (a, b uint64, key []byte) {
	switch {
	case t.layout == stream.KeyBytes:
		return keys.Hashes[i], 0, keys.Bytes(i)
	case keys.IsNull(i):
		return 0, 1, nil
	default:
		return uint64(keys.Fixed[i]), 0, nil
	}
}

// hash returns the hash under which the index knows a timer.
func (t *timerTable) hash(keyHash, namespace, time uint64) uint64 {
	return stream.HashCombine(stream.HashCombine(keyHash, stream.HashUint64(namespace)), stream.HashUint64(time))
}

// keyHash returns the hash of a key from its words.
func (t *timerTable) keyHash(a, b uint64) uint64 {
	switch {
	case t.layout == stream.KeyBytes:
		return a
	case b != 0:
		return stream.HashNull()
	default:
		return stream.HashUint64(a)
	}
}

// find returns the row of a timer; of the words b counts only in a Key64.
func (t *timerTable) find(namespace, time, a, b uint64, key []byte) Slot {
	if t.live == 0 {
		return noSlot
	}
	h := t.hash(t.keyHash(a, b), namespace, time)
	entries, i := t.index.array(h)
	for n := uint32(t.n); entries[i] != 0; i++ {
		s := uint32(entries[i]) - 1
		if (entries[i]^h)>>32 != 0 || s >= n {
			continue
		}
		row := t.row(Slot(s))
		if row[0] != namespace || row[1] != time || row[2] != a {
			continue
		}
		if t.layout == stream.Key64 && row[3] == b || t.layout == stream.KeyBytes && bytes.Equal(t.bytes.get(row[3]), key) {
			return Slot(s)
		}
	}
	return noSlot
}

func (t *timerTable) insert(keyHash uint64, namespace, time int64, a, b uint64, key []byte) error {
	if t.layout == stream.KeyBytes {
		var err error
		if b, err = t.bytes.put(key, false); err != nil {
			return err
		}
	}
	if err := t.heapRoom(); err != nil {
		return err
	}
	s, err := t.take()
	if err != nil {
		return err
	}
	row := t.row(s)
	row[0], row[1], row[2], row[3] = uint64(namespace), uint64(time), a, b
	t.dirty.Set(int(s))
	t.push(timerEntry{time, s})
	return t.index.insert(t.hash(keyHash, uint64(namespace), uint64(time)), s, t.live-1)
}

// Unregister implements statebackend.TimerTable.
func (t *timerTable) Unregister(keys *stream.Keys, namespaces, times []int64) {
	if t.check(keys, namespaces, times) != nil {
		return
	}
	for i, namespace := range namespaces {
		a, b, key := t.words(keys, i)
		if s := t.find(uint64(namespace), uint64(times[i]), a, b, key); s != noSlot {
			t.remove(s)
			t.ghosts++
		}
	}
	if t.ghosts > t.live+ghostsMin {
		t.rebuild()
	}
}

// remove takes a timer out of everything but the heap.
func (t *timerTable) remove(s Slot) {
	row := t.row(s)
	if !t.dirty.Get(int(s)) { // else no snapshot has it, or its removal is logged already
		if t.layout == stream.KeyBytes {
			t.removed.addBytes(int64(row[0]), int64(row[1]), row[2], t.bytes.get(row[3]))
		} else {
			t.removed.append(int64(row[0]), int64(row[1]), row[2], row[3])
		}
	}
	t.index.remove(t.hash(t.keyHash(row[2], row[3]), row[0], row[1]), s)
	t.kill(s)
}

// freeSlot ends the life of a removed timer's row.
func (t *timerTable) freeSlot(s Slot) {
	if t.layout == stream.KeyBytes {
		row := t.row(s)
		t.bytes.drop(row[3])
		row[3] = 0
	}
	t.free(s)
}

// Next implements statebackend.TimerTable.
func (t *timerTable) Next() (time int64, ok bool) {
	t.skipGhosts()
	if len(t.heap) == 0 {
		return 0, false
	}
	return t.heap[0].time, true
}

func (t *timerTable) skipGhosts() {
	for len(t.heap) > 0 && t.isDead(t.heap[0].slot) {
		t.freeSlot(t.pop())
		t.ghosts--
	}
}

// Pop implements statebackend.TimerTable.
func (t *timerTable) Pop(upTo int64, max int, due *statebackend.Due) (n int, err error) {
	due.Raw.Layout = t.layout
	for n < max {
		t.skipGhosts()
		if len(t.heap) == 0 || t.heap[0].time > upTo {
			break
		}
		s := t.pop()
		if err := t.appendDue(s, due); err != nil {
			return n, err
		}
		t.remove(s)
		t.freeSlot(s)
		n++
	}
	t.compact(compactRows * n)
	return n, nil
}

func (t *timerTable) appendDue(s Slot, due *statebackend.Due) error {
	row := t.row(s)
	due.Namespaces = append(due.Namespaces, int64(row[0]))
	due.Times = append(due.Times, int64(row[1]))
	raw := &due.Raw
	raw.Hashes = append(raw.Hashes, t.keyHash(row[2], row[3]))
	if t.layout == stream.KeyBytes {
		if len(raw.Offsets) == 0 {
			raw.Offsets = append(raw.Offsets, 0)
		}
		key := t.bytes.get(row[3])
		raw.Data = append(raw.Data, key...)
		raw.Offsets = append(raw.Offsets, int32(len(raw.Data)))
		if due.Keys != nil {
			return due.Keys.AppendBytes(key)
		}
		return nil
	}
	i, null := len(raw.Fixed), row[3] != 0
	raw.Fixed = append(raw.Fixed, int64(row[2]))
	if null || raw.Nulls != nil {
		for len(raw.Nulls) < stream.Words(i+1) {
			raw.Nulls = append(raw.Nulls, 0)
		}
		raw.Nulls.Put(i, null)
	}
	if due.Keys != nil {
		due.Keys.Append64(int64(row[2]), null)
	}
	return nil
}

// less orders timers by time, namespace, key: NULL first, then the signed value
// or the canonical bytes.
func (t *timerTable) less(x, y timerEntry) bool {
	if x.time != y.time {
		return x.time < y.time
	}
	a, b := t.row(x.slot), t.row(y.slot)
	if a[0] != b[0] {
		return int64(a[0]) < int64(b[0])
	}
	if t.layout == stream.KeyBytes {
		return bytes.Compare(t.bytes.get(a[3]), t.bytes.get(b[3])) < 0
	}
	if a[3] != b[3] {
		return a[3] > b[3]
	}
	return cmp.Less(int64(a[2]), int64(b[2]))
}

// firstTimers is for how many timers a heap begins with room.
const firstTimers = 256

// heapRoom makes room for an entry more.
func (t *timerTable) heapRoom() error {
	if len(t.heap) < cap(t.heap) {
		return nil
	}
	grown := max(cap(t.heap)*2, firstTimers)
	size := int64(grown) * 16
	if err := t.mem.charge(size - t.charged); err != nil {
		return err
	}
	t.charged = size
	h := make([]timerEntry, len(t.heap), grown)
	copy(h, t.heap)
	t.heap = h
	return nil
}

func (t *timerTable) push(e timerEntry) {
	t.heap = append(t.heap, e)
	i := len(t.heap) - 1
	for i > 0 {
		parent := (i - 1) / heapArity
		if !t.less(e, t.heap[parent]) {
			break
		}
		t.heap[i] = t.heap[parent]
		i = parent
	}
	t.heap[i] = e
}

// pop takes the first entry out of the heap.
func (t *timerTable) pop() Slot {
	s := t.heap[0].slot
	last := len(t.heap) - 1
	e := t.heap[last]
	t.heap = t.heap[:last]
	if last > 0 {
		t.sink(0, e)
	}
	return s
}

// sink puts an entry at i or below, where it belongs.
func (t *timerTable) sink(i int, e timerEntry) {
	for {
		child := i*heapArity + 1
		if child >= len(t.heap) {
			break
		}
		least := child
		for c := child + 1; c < min(child+heapArity, len(t.heap)); c++ {
			if t.less(t.heap[c], t.heap[least]) {
				least = c
			}
		}
		if !t.less(t.heap[least], e) {
			break
		}
		t.heap[i] = t.heap[least]
		i = least
	}
	t.heap[i] = e
}

// rebuild removes the ghosts from the heap.
func (t *timerTable) rebuild() {
	kept := t.heap[:0]
	for _, e := range t.heap {
		if t.isDead(e.slot) {
			t.freeSlot(e.slot)
		} else {
			kept = append(kept, e)
		}
	}
	t.heap, t.ghosts = kept, 0
	for i := len(kept)/heapArity + 1; i >= 0; i-- {
		if i < len(kept) {
			t.sink(i, kept[i])
		}
	}
}

// compact looks after n rows of an evacuation, or starts one where half of the
// arena is dead. Ghosts keep their keys: the heap still compares them.
func (t *timerTable) compact(n int) {
	if t.layout != stream.KeyBytes || t.sweep == noSlot && !t.bytes.wasteful() {
		return
	}
	if t.sweep == noSlot {
		t.bytes.evacuate()
		t.sweep = 0
	}
	end := min(t.sweep+Slot(n), t.n)
	for s := t.sweep; s < end; s++ {
		t.bytes.move(&t.row(s)[3])
	}
	t.sweep = end
	if end == t.n {
		t.bytes.evacuated()
		t.sweep = noSlot
	}
}
