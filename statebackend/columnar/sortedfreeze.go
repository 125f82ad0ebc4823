package columnar

import (
	"math/bits"

	"millrace/stream"
)

// Words of a frozen row of a sorted table: the slot it was copied from, its
// order's number and where the order's bytes stand, its key as in a removeLog,
// the null bits, the columns.
const frozenSlot, frozenNumber, frozenOrder, frozenKey, frozenFront = 0, 1, 2, 3, 5

// freezeSorted copies the changed rows and clears their marks.
func (f *frozenTable) freezeSorted(s *store, t *sortedTable, full bool) error {
	if full {
		t.markAll()
	}
	f.rows, f.bytes = newRows(s.frozen, frozenFront+t.nullWords+t.width), newArena(s.frozen)
	if err := f.rows.reserve(t.marked()); err != nil {
		return err
	}
	for i, w := range t.dirty[:stream.Words(int(t.n))] {
		t.dirty[i] = 0
		for ; w != 0; w &= w - 1 {
			if err := f.copySorted(t, Slot(i<<6+bits.TrailingZeros64(w))); err != nil {
				return err
			}
		}
	}
	f.log, t.removed = t.removed, newRemoveLog(s.frozen)
	if full {
		f.log.release()
	}
	return nil
}

func (f *frozenTable) copySorted(t *sortedTable, s Slot) error {
	d, err := f.rows.add()
	if err != nil {
		return err
	}
	row, to := t.row(s), f.rows.row(d)
	head := t.heads.row(Slot(row[rowHead]))
	to[frozenSlot], to[frozenNumber] = uint64(s), row[rowOrder]
	if to[frozenOrder], err = f.bytes.put(t.bytes.get(row[rowOrderBytes]), false); err != nil {
		return err
	}
	to[frozenKey], to[frozenKey+1] = head[0], head[1]
	if t.layout == stream.KeyBytes {
		if to[frozenKey+1], err = f.bytes.put(t.bytes.get(head[1]), false); err != nil {
			return err
		}
	}
	copy(to[frozenFront:], row[sortedFront:])
	for _, w := range t.byteWord {
		at := t.nullWords + w
		if to[frozenFront+at], err = f.bytes.put(t.bytes.get(row[sortedFront+at]), false); err != nil {
			return err
		}
	}
	return nil
}

// aimSorted makes the sources of a sorted table.
func (f *frozenTable) aimSorted(logged *source) {
	t := f.table.sorted
	logged.order, logged.time = 0, 1
	f.puts = source{
		rows: &f.rows, bytes: &f.bytes, namespace: -1, time: frozenNumber, key: frozenKey, isNull: frozenKey + 1,
		order: frozenOrder, nullBits: frozenFront, columns: frozenFront + t.nullWords, columnWords: t.words, byteWord: shifted(t.byteWord, frozenFront+t.nullWords),
	}
}

// unfreezeSorted marks the rows again. A slot that has another row by now has one
// that is marked.
func (f *frozenTable) unfreezeSorted(t *sortedTable) {
	for i := range f.log.n {
		row := f.log.row(i)
		var key []byte
		if t.layout == stream.KeyBytes {
			key = f.log.bytes.get(row[3])
		}
		t.removed.addOrdered(row[1], f.log.bytes.get(row[0]), row[2], row[3], key)
	}
	t.removed.lost = t.removed.lost || f.log.lost
	for i := range f.rows.n {
		if s := Slot(f.rows.row(i)[frozenSlot]); !t.isDead(s) {
			t.dirty.Set(int(s))
		}
	}
}
