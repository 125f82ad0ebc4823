package columnar

import (
	"millrace/internal/invariant"
	"millrace/statebackend"
	"millrace/stream"
)

// orderedMapTable is statebackend.OrderedMapTable.
type orderedMapTable struct{ *sortedTable }

// Put implements statebackend.OrderedMapTable.
func (t orderedMapTable) Put(keys *stream.Keys, orders *statebackend.Orders, rows *stream.Batch) error {
	return t.PutSlots(keys, orders, rows, nil)
}

// PutSlots implements statebackend.OrderedMapTable.
func (t orderedMapTable) PutSlots(keys *stream.Keys, orders *statebackend.Orders, rows *stream.Batch, slots []Slot) error {
	if err := t.checkPut(keys, orders, rows); err != nil {
		return err
	}
	t.stage(rows)
	for i := range keys.Len() {
		s, err := t.put(keys, i, orderOf(orders.At(i)), rows)
		if err != nil {
			return err
		}
		if slots != nil {
			slots[i] = s
		}
	}
	t.compact(compactRows * keys.Len())
	return nil
}

// checkPut checks the arguments of a call that adds rows, and makes room for its keys.
func (t orderedMapTable) checkPut(keys *stream.Keys, orders *statebackend.Orders, rows *stream.Batch) error {
	if err := t.check(keys, rows); err != nil {
		return err
	}
	if orders.Len() != keys.Len() {
		return t.misused(orders.Len())
	}
	return t.reserve(keys.Len())
}

// put sets the row of a key at an order to staged row i. One that a snapshot has is
// replaced by logging its removal and marking it, as if it were new.
func (t *sortedTable) put(keys *stream.Keys, i int, o order, rows *stream.Batch) (Slot, error) {
	if h := t.findKey(keys, i); h != noSlot {
		if s := t.lookUp(h, o); s != noSlot {
			t.logRemoval(s)
			t.dirty.Set(int(s))
			return s, t.fill(s, rows, i)
		}
	}
	return t.add(keys, i, o, rows)
}

// misused is the error of a call whose slices don't fit each other.
func (t *sortedTable) misused(n int) error {
	return invariant.Failedf("table %s of operator %s has %d columns, a call of it %d builders or orders", t.id.Name, t.id.Operator, len(t.columns), n)
}

// Delete implements statebackend.OrderedMapTable.
func (t orderedMapTable) Delete(keys *stream.Keys, orders *statebackend.Orders, found stream.Bitmap) {
	for i := range min(keys.Len(), orders.Len()) {
		h := t.findKey(keys, i)
		ok := h != noSlot
		if ok {
			var at link
			if at, ok = t.find(h, orderOf(orders.At(i))); ok {
				t.remove(h, at)
			}
		}
		if found != nil {
			found.Put(i, ok)
		}
	}
	t.compact(compactRows * keys.Len())
}

// Next implements statebackend.OrderedMapTable.
func (t orderedMapTable) Next(scan *statebackend.OrderedScan, max int, out *statebackend.OrderedRows) error {
	if scan.Keys == nil || len(out.Columns) != len(t.columns) {
		return t.misused(len(out.Columns))
	}
	n := scan.Keys.Len()
	if f, to := scan.From.Len(), scan.To.Len(); f != 0 && f != n || to != 0 && to != n {
		return t.misused(f + to)
	}
	t.slots = t.slots[:0]
	for scan.Key < n && len(t.slots) < max {
		before := len(t.slots)
		want := max - before
		if scan.Limit > 0 {
			want = min(want, scan.Limit-scan.Taken)
		}
		if h := t.findKey(scan.Keys, scan.Key); h != noSlot && want > 0 {
			from, to := bounds(scan)
			t.slots = t.walk(h, from, to, scan.Descending, want, t.slots)
		}
		got := t.slots[before:]
		for range got {
			out.Positions = append(out.Positions, int32(scan.Key))
		}
		scan.Taken += len(got)
		if len(got) < want || scan.Taken == scan.Limit && scan.Limit > 0 {
			scan.Key, scan.Taken, scan.Started = scan.Key+1, 0, false
			continue
		}
		scan.Last = append(scan.Last[:0], t.bytes.get(t.row(got[want-1])[rowOrderBytes])...)
		scan.Started = true
	}
	for _, s := range t.slots {
		out.Orders.Append(t.bytes.get(t.row(s)[rowOrderBytes]))
	}
	t.emit(t.slots, out.Columns)
	return nil
}

// bounds returns where the walk over the scan's key begins and ends.
func bounds(scan *statebackend.OrderedScan) (from, to bound) {
	from, to = bound{open: true}, bound{open: true}
	if scan.From.Len() > 0 {
		from = bound{order: orderOf(scan.From.At(scan.Key))}
	}
	if scan.To.Len() > 0 {
		to = bound{order: orderOf(scan.To.At(scan.Key)), exclusive: true}
	}
	if scan.Descending {
		from, to = to, from
	}
	if scan.Started {
		from = bound{order: orderOf(scan.Last), exclusive: true}
	}
	return from, to
}
