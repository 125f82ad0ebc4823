package columnar

import "millrace/stream"

// An OrderedMap whose rows somebody looks for by key and order has a hash index of them beside its trees: a search in a tree of n
// rows is some log n rows that are in no cache, one here. It is made when FindSlots is asked for the first time, is in
// no file, and is given up where there is no memory for it.

// orderHash is the hash of a row: of its head, which stays where it is as long as the key has rows, and its order.
func (t *sortedTable) orderHash(h Slot, p []byte) uint64 {
	return stream.HashCombine(stream.HashUint64(uint64(h)), stream.HashBytes(p))
}

// indexOrders makes the index, where it is not there.
func (t *sortedTable) indexOrders() {
	if t.indexed || t.live == 0 {
		return
	}
	t.indexed = t.index.reserve(t.live) == nil
	n := 0
	for s := Slot(0); s < t.n && t.indexed; s++ {
		if !t.isDead(s) {
			t.indexOrder(s, n)
			n++
		}
	}
}

// indexOrder adds a row, beside so many others.
func (t *sortedTable) indexOrder(s Slot, others int) {
	if !t.indexed {
		return
	}
	row := t.row(s)
	if t.index.insert(t.orderHash(Slot(row[rowHead]), t.bytes.get(row[rowOrderBytes])), s, others) != nil {
		t.index.release()
		t.indexed = false
	}
}

// unindexOrder takes a row out.
func (t *sortedTable) unindexOrder(s Slot) {
	if t.indexed {
		row := t.row(s)
		t.index.remove(t.orderHash(Slot(row[rowHead]), t.bytes.get(row[rowOrderBytes])), s)
	}
}

// lookUp returns the row of a key at an order.
func (t *sortedTable) lookUp(h Slot, o order) Slot {
	if !t.indexed {
		if at, ok := t.find(h, o); ok {
			return t.get(at)
		}
		return noSlot
	}
	hash := t.orderHash(h, o.bytes)
	entries, at := t.index.array(hash)
	for n := uint32(t.n); entries[at] != 0; at++ {
		s := uint32(entries[at]) - 1
		if (entries[at]^hash)>>32 == 0 && s < n && Slot(t.row(Slot(s))[rowHead]) == h && t.compare(Slot(s), o) == 0 {
			return Slot(s)
		}
	}
	return noSlot
}
