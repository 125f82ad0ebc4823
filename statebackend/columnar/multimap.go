package columnar

import (
	"millrace/statebackend"
	"millrace/stream"
)

// multimapTable is statebackend.MultimapTable: the order of a row is a number
// that every append to the table takes anew.
type multimapTable struct{ *sortedTable }

// Append implements statebackend.MultimapTable.
func (t multimapTable) Append(keys *stream.Keys, rows *stream.Batch) error {
	return t.AppendSlots(keys, rows, nil)
}

// AppendSlots implements statebackend.MultimapTable.
func (t multimapTable) AppendSlots(keys *stream.Keys, rows *stream.Batch, slots []Slot) error {
	if err := t.check(keys, rows); err != nil {
		return err
	}
	if err := t.reserve(keys.Len()); err != nil {
		return err
	}
	t.stage(rows)
	for i := range keys.Len() {
		s, err := t.add(keys, i, order{number: t.next}, rows)
		if err != nil {
			return err
		}
		t.next++
		if slots != nil {
			slots[i] = s
		}
	}
	t.compact(compactRows * keys.Len())
	return nil
}

// add adds staged row i under its key at an order that is not there.
func (t *sortedTable) add(keys *stream.Keys, i int, o order, rows *stream.Batch) (Slot, error) {
	h, err := t.addKey(keys, i)
	if err != nil {
		return noSlot, err
	}
	s, err := t.insert(h, o)
	if err != nil {
		t.dropEmpty(h)
		return noSlot, err
	}
	return s, t.fill(s, rows, i)
}

// dropEmpty forgets a key whose first row found no room.
func (t *sortedTable) dropEmpty(h Slot) {
	if t.heads.row(h)[headCount] == 0 {
		t.removeHead(h)
	}
}

// Next implements statebackend.MultimapTable.
func (t multimapTable) Next(it *statebackend.MultimapIterator, max int, out []*stream.Builder, positions []int32) ([]int32, error) {
	if it.Keys == nil || len(out) != len(t.columns) {
		return positions, t.misused(len(out))
	}
	t.slots = t.slots[:0]
	for it.Key < it.Keys.Len() && len(t.slots) < max {
		before := len(t.slots)
		if h := t.findKey(it.Keys, it.Key); h != noSlot {
			t.slots = t.walk(h, bound{order: order{number: it.From}}, bound{open: true}, false, max-before, t.slots)
		}
		for range t.slots[before:] {
			positions = append(positions, int32(it.Key))
		}
		if len(t.slots) == max {
			it.From = t.row(t.slots[max-1])[rowOrder] + 1
			break
		}
		it.Key, it.From = it.Key+1, 0
	}
	t.emit(t.slots, out)
	return positions, nil
}

// DeleteOne implements statebackend.MultimapTable.
func (t multimapTable) DeleteOne(keys *stream.Keys, rows *stream.Batch, found stream.Bitmap) error {
	if err := t.check(keys, rows); err != nil {
		return err
	}
	t.stage(rows)
	for i := range keys.Len() {
		h := t.findKey(keys, i)
		s := noSlot
		if h != noSlot {
			s = t.firstEqual(h, rows, i)
		}
		if s != noSlot {
			at, _ := t.find(h, order{number: t.row(s)[rowOrder]})
			t.remove(h, at)
		}
		if found != nil {
			found.Put(i, s != noSlot)
		}
	}
	t.compact(compactRows * keys.Len())
	return nil
}

// firstEqual returns the first row of a key that has the columns of staged row i.
// It looks at a few rows at a time, ever more of them.
func (t *sortedTable) firstEqual(h Slot, rows *stream.Batch, i int) Slot {
	from := bound{open: true}
	for n := 8; ; n = min(2*n, tileRows) {
		t.slots = t.walk(h, from, bound{open: true}, false, n, t.slots[:0])
		for _, s := range t.slots {
			if t.equals(s, rows, i) {
				return s
			}
		}
		if len(t.slots) < n {
			return noSlot
		}
		from = bound{order: order{number: t.row(t.slots[n-1])[rowOrder] + 1}}
	}
}
