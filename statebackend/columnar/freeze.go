package columnar

import (
	"math/bits"
	"slices"

	"millrace/internal/invariant"
	"millrace/internal/mutant"
	"millrace/statebackend"
	"millrace/stream"
)

// snapshot is statebackend.Snapshot: what changed, copied out of the tables in
// the order of their slots. Sorting it is left to Write.
type snapshot struct {
	store    *store
	header   fileHeader
	tables   []frozenTable
	released bool
}

// frozenTable is what changed in a table.
type frozenTable struct {
	table   *table
	info    tableInfo
	puts    source
	removed source
	dropped []int64
	entries [][]byte // of a list

	rows  rows // of puts
	bytes arena
	log   removeLog // of removed
	away  frozenAway
}

// source tells where the parts of a frozen row stand, as words of it; -1 for
// what it has not.
type source struct {
	rows                 *rows
	bytes                *arena
	layout               stream.KeyLayout
	namespace, time      int
	key, isNull, columns int
	order, nullBits      int    // of a sorted table; its sequence number is the time
	first                bool   // every row stands under the first key group of the file
	nulls                []Slot // rows whose key is NULL, ascending, where isNull is -1
	columnWords          []int
	byteWord             []int // those of columns of bytes
}

// Freeze implements statebackend.Store.
func (s *store) Freeze(full bool) (statebackend.Snapshot, error) {
	if s.closed {
		return nil, invariant.Failedf("freeze of a closed store")
	}
	if err := s.tier.failed; err != nil {
		return nil, err
	}
	s.forgetUndeclared()
	full = full || !s.chained || s.lostRemovals()
	snap := &snapshot{store: s, header: s.header(full)}
	for _, t := range s.tables {
		f := frozenTable{table: t, info: describe(t)}
		if err := f.freeze(s, full); err != nil {
			return nil, err
		}
		f.info.Rows = int64(f.rows.n) + int64(len(f.entries)) + f.away.rows
		snap.tables = append(snap.tables, f)
	}
	for i := range snap.tables {
		snap.tables[i].aim()
	}
	s.chained = true
	if s.tier.home {
		s.tier.keep(s.goHome())
	}
	return snap, nil
}

// forgetUndeclared drops the state that nobody declared; only a base can say so.
func (s *store) forgetUndeclared() {
	n := len(s.tables)
	s.tables = slices.DeleteFunc(s.tables, func(t *table) bool { return !t.declared })
	if len(s.tables) < n {
		s.chained = false
	}
}

func (s *store) lostRemovals() bool {
	return slices.ContainsFunc(s.tables, func(t *table) bool {
		return t.value != nil && t.value.removed.lost || t.timers != nil && t.timers.removed.lost || t.sorted != nil && t.sorted.removed.lost
	})
}

func (f *frozenTable) freeze(s *store, full bool) error {
	switch f.table.shape {
	case shapeValue, shapeBroadcast:
		return f.freezeValue(s, f.table.value, full)
	case shapeTimers:
		return f.freezeTimers(s, f.table.timers, full)
	case shapeMultimap, shapeOrderedMap:
		return f.freezeSorted(s, f.table.sorted, full)
	default:
		f.entries = f.table.list.entries
		return nil
	}
}

func (f *frozenTable) freezeValue(s *store, t *valueTable, full bool) error {
	n := 0
	for _, p := range t.parts {
		rewrite := p.persisted && p.removals > p.Len()
		if rewrite {
			t.noteDrop(p.namespace) // dropping it and writing what is left is less
		}
		if rewrite || full {
			p.markAll()
			p.markAway()
		}
		n += p.marked()
	}
	front := 0
	if t.spec.Namespaced {
		front = 1
	}
	f.rows, f.bytes = newRows(s.frozen, front+t.keyWords+t.width), newArena(s.frozen)
	if err := f.rows.reserve(n); err != nil {
		return err
	}
	for _, p := range t.parts {
		if err := f.freezePart(p, front); err != nil {
			return err
		}
		if s.tier.on() && f.away.add(p) {
			p.persisted = true
		}
	}
	f.log, t.removed = t.removed, newRemoveLog(s.frozen)
	f.dropped, t.dropped = t.dropped, nil
	if mutant.On(mutant.TombstoneDropped) {
		f.dropped = nil
	}
	if full {
		f.log.release()
		f.dropped = nil
	}
	return nil
}

// freezePart copies the changed rows of a part, each behind its namespace, and
// clears their marks.
func (f *frozenTable) freezePart(p *part, front int) error {
	copied := false
	for i, w := range p.dirty[:stream.Words(int(p.n))] {
		if w == 0 {
			continue
		}
		p.dirty[i] = 0
		copied = true
		for ; w != 0; w &= w - 1 {
			s := Slot(i<<6 + bits.TrailingZeros64(w))
			d, err := f.rows.add()
			if err != nil {
				return err
			}
			row := f.rows.row(d)
			if front > 0 {
				row[0] = uint64(p.namespace)
			}
			copy(row[front:], p.row(s))
			if err := f.keepBytes(p, row[front:]); err != nil {
				return err
			}
			if s == p.null {
				f.puts.nulls = append(f.puts.nulls, d)
			}
		}
	}
	p.persisted = p.persisted || copied
	p.removals = 0
	return nil
}

// keepBytes copies the byte values of a row.
func (f *frozenTable) keepBytes(p *part, row []uint64) (err error) {
	if p.table.layout == stream.KeyBytes {
		if row[1], err = f.bytes.put(p.bytes.get(row[1]), false); err != nil {
			return err
		}
	}
	for _, w := range p.table.byteWord {
		if row[w], err = f.bytes.put(p.bytes.get(row[w]), false); err != nil {
			return err
		}
	}
	return nil
}

func (f *frozenTable) freezeTimers(s *store, t *timerTable, full bool) error {
	if full {
		t.markAll()
	}
	f.rows, f.bytes = newRows(s.frozen, t.stride), newArena(s.frozen)
	if err := f.rows.reserve(t.marked()); err != nil {
		return err
	}
	for i, w := range t.dirty[:stream.Words(int(t.n))] {
		t.dirty[i] = 0
		for ; w != 0; w &= w - 1 {
			d, err := f.rows.add()
			if err != nil {
				return err
			}
			row := f.rows.row(d)
			copy(row, t.row(Slot(i<<6+bits.TrailingZeros64(w))))
			if t.layout == stream.KeyBytes {
				if row[3], err = f.bytes.put(t.bytes.get(row[3]), false); err != nil {
					return err
				}
			}
		}
	}
	f.log, t.removed = t.removed, newRemoveLog(s.frozen)
	if full {
		f.log.release()
	}
	return nil
}

// aim makes the sources point into the table, which must not move afterwards.
func (f *frozenTable) aim() {
	var layout stream.KeyLayout
	logged := source{rows: &f.log.rows, bytes: &f.log.bytes, namespace: 0, time: -1, key: 2, isNull: 3, columns: -1, order: -1, nullBits: -1}
	switch f.table.shape {
	case shapeMultimap, shapeOrderedMap:
		layout = f.table.sorted.layout
		f.aimSorted(&logged)
	case shapeValue, shapeBroadcast:
		t := f.table.value
		layout = t.layout
		front := f.rows.stride - t.keyWords - t.width
		nulls := f.puts.nulls
		f.puts = source{
			rows: &f.rows, bytes: &f.bytes, namespace: front - 1, time: -1, key: front, isNull: -1,
			columns: front + t.keyWords, order: -1, nullBits: -1, nulls: nulls, columnWords: t.words, byteWord: shifted(t.byteWord, front),
		}
		f.puts.first = f.table.shape == shapeBroadcast
		logged.first = f.puts.first
	case shapeTimers:
		layout = f.table.timers.layout
		logged.time = 1
		f.puts = logged
		f.puts.rows, f.puts.bytes = &f.rows, &f.bytes
	default:
		return
	}
	f.puts.layout, logged.layout = layout, layout
	f.removed = logged
}

// shifted returns words that stand by words further behind.
func shifted(words []int, by int) []int {
	out := make([]int, len(words))
	for i, w := range words {
		out[i] = w + by
	}
	return out
}

// Empty implements statebackend.Snapshot.
func (p *snapshot) Empty() bool {
	for i := range p.tables {
		f := &p.tables[i]
		if f.away.rows > 0 || f.rows.n > 0 || f.log.n > 0 || len(f.dropped) > 0 || len(f.entries) > 0 {
			return false
		}
	}
	return true
}

// Release implements statebackend.Snapshot.
func (p *snapshot) Release() {
	if p.released {
		return
	}
	p.released = true
	for i := range p.tables {
		f := &p.tables[i]
		if f.table.shape == shapeList {
			continue
		}
		f.rows.release()
		f.bytes.release()
		f.log.release()
		f.away.release()
	}
	p.tables = nil
}

// Unfreeze implements statebackend.Store. After the loss of a base nothing but
// a base can follow.
func (s *store) Unfreeze(x statebackend.Snapshot) error {
	p, ok := x.(*snapshot)
	if !ok || p.store != s || p.released {
		return invariant.Failedf("unfreeze of a snapshot that is released or of another store")
	}
	if p.header.Kind == statebackend.Base {
		s.chained = false
		return nil
	}
	for i := range p.tables {
		f := &p.tables[i]
		switch f.table.shape {
		case shapeValue, shapeBroadcast:
			if err := f.unfreezeValue(f.table.value); err != nil {
				return err
			}
		case shapeMultimap, shapeOrderedMap:
			f.unfreezeSorted(f.table.sorted)
		case shapeTimers:
			f.unfreezeTimers(f.table.timers)
		case shapeList: // marks nothing: every file has all of its entries
		}
	}
	return nil
}

func (f *frozenTable) unfreezeValue(t *valueTable) error {
	for _, namespace := range f.dropped {
		t.noteDrop(namespace)
	}
	f.log.copyTo(&t.removed, t.layout)
	for i := range f.rows.n {
		namespace := int64(0)
		row := f.rows.row(i)
		if f.puts.namespace >= 0 {
			namespace = int64(row[f.puts.namespace])
		}
		p := t.part(namespace, false)
		if p == nil || p.Len() == 0 {
			continue
		}
		var bytes []byte
		key := row[f.puts.key]
		if t.layout == stream.KeyBytes {
			bytes = f.bytes.get(row[f.puts.key+1])
		}
		if err := p.markRow(f.puts.hash(i), key, bytes); err != nil {
			return err
		}
	}
	return f.away.unfreeze(t)
}

func (f *frozenTable) unfreezeTimers(t *timerTable) {
	f.log.copyTo(&t.removed, t.layout)
	for i := range f.rows.n {
		row := f.rows.row(i)
		var key []byte
		if t.layout == stream.KeyBytes {
			key = f.bytes.get(row[3])
		}
		if s := t.find(row[0], row[1], row[2], row[3], key); s != noSlot {
			t.dirty.Set(int(s))
		}
	}
}

// copyTo logs the removals again.
func (l *removeLog) copyTo(to *removeLog, layout stream.KeyLayout) {
	to.lost = to.lost || l.lost
	for i := range l.n {
		row := l.row(i)
		if layout == stream.KeyBytes {
			to.addBytes(int64(row[0]), int64(row[1]), row[2], l.bytes.get(row[3]))
		} else {
			to.append(int64(row[0]), int64(row[1]), row[2], row[3])
		}
	}
}

// hash returns the hash of a row's key.
func (c *source) hash(s Slot) uint64 {
	key := c.rows.row(s)[c.key]
	switch {
	case c.layout == stream.KeyBytes:
		return key
	case c.nullAt(s):
		return stream.HashNull()
	default:
		return stream.HashUint64(key)
	}
}

// nullAt tells whether the Key64 of a row is NULL.
func (c *source) nullAt(s Slot) bool {
	if c.isNull >= 0 {
		return c.rows.row(s)[c.isNull] != 0
	}
	if len(c.nulls) == 0 {
		return false
	}
	_, found := slices.BinarySearch(c.nulls, s)
	return found
}
