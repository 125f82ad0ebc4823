package columnar

import (
	"encoding/binary"
	"math"
	"slices"

	"millrace/failure"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Rows implements statebackend.SlotRows.
func (t *sortedTable) Rows() statebackend.Rows {
	return statebackend.Rows{Blocks: t.blocks, Stride: t.stride, Offset: sortedFront + t.nullWords, Width: t.width}
}

// Touch implements statebackend.SlotRows. As with Put, a row that a snapshot has
// is removed there and added again.
func (t *sortedTable) Touch(slots []Slot) {
	for _, s := range slots {
		if !t.dirty.Get(int(s)) {
			t.logRemoval(s)
			t.dirty.Set(int(s))
		}
	}
}

// Remove implements statebackend.SlotRows.
func (t *sortedTable) Remove(slots []Slot) {
	for _, s := range slots {
		t.removeSlot(s)
	}
	t.compact(compactRows * len(slots))
}

func (t *sortedTable) removeSlot(s Slot) {
	h := Slot(t.row(s)[rowHead])
	if at, ok := t.find(h, t.orderAt(s)); ok {
		t.remove(h, at)
	}
}

// orderAt returns the order of a row; its bytes alias the table.
func (t *sortedTable) orderAt(s Slot) order {
	row := t.row(s)
	o := order{number: row[rowOrder]}
	if t.shape == shapeOrderedMap {
		o.bytes = t.bytes.get(row[rowOrderBytes])
	}
	return o
}

// Scan implements statebackend.SlotRows.
func (t *sortedTable) Scan(from Slot, slots []Slot) (n int, next Slot) { return t.scan(from, slots) }

// Gather implements statebackend.SlotRows.
func (t *sortedTable) Gather(slots []Slot, columns []int, out []*stream.Builder) {
	for len(slots) > 0 {
		n := slices.Index(slots, noSlot)
		if n < 0 {
			n = len(slots)
		}
		for i, c := range columns {
			t.emitColumn(slots[:n], c, out[i])
		}
		for slots = slots[n:]; len(slots) > 0 && slots[0] == noSlot; slots = slots[1:] {
			for _, b := range out {
				b.AppendNull()
			}
		}
	}
}

// Slots implements statebackend.SlotRows.
func (t *sortedTable) Slots(it *statebackend.SlotIterator, max int, slots []Slot, positions []int32) ([]Slot, []int32) {
	end := len(slots) + max
	for n := it.Keys.Len(); it.Key < n && len(slots) < end; it.Key, it.Started = it.Key+1, false {
		h := t.findKey(it.Keys, it.Key)
		if h == noSlot {
			continue
		}
		before := len(slots)
		slots = t.slotsOf(h, it, end, slots)
		for range len(slots) - before {
			positions = append(positions, int32(it.Key))
		}
		if len(slots) == end && !it.Newest {
			it.Last, it.Started = slots[end-1], true
			break
		}
	}
	return slots, positions
}

// slotsOf appends the slots of the key that an iteration is at, until there are end of them.
func (t *sortedTable) slotsOf(h Slot, it *statebackend.SlotIterator, end int, slots []Slot) []Slot {
	from, to := bound{open: true}, bound{open: true}
	bounded := it.Started
	if it.From.Len() > 0 {
		from, bounded = bound{order: orderOf(it.From.At(it.Key))}, true
	}
	if it.To.Len() > 0 {
		to, bounded = bound{order: orderOf(it.To.At(it.Key)), exclusive: true}, true
	}
	if !bounded && t.heads.row(h)[headCount] == 1 {
		return append(slots, t.root(h))
	}
	if it.Started {
		from = bound{order: t.orderAt(it.Last), exclusive: true}
	}
	if it.Newest {
		return t.walk(h, to, from, true, 1, slots)
	}
	return t.walk(h, from, to, false, end-len(slots), slots)
}

// AddSlots implements statebackend.OrderedMapTable.
func (t orderedMapTable) AddSlots(keys *stream.Keys, orders *statebackend.Orders, rows *stream.Batch, slots []Slot) error {
	if err := t.checkPut(keys, orders, rows); err != nil {
		return err
	}
	t.stage(rows)
	for i := range keys.Len() {
		o, err := t.behind(keys, i, orders.At(i))
		if err != nil {
			return err
		}
		if slots[i], err = t.add(keys, i, o, rows); err != nil {
			return err
		}
	}
	t.compact(compactRows * keys.Len())
	return nil
}

// behind returns an order for a key that begins with the bytes, followed by a number that no other has.
func (t orderedMapTable) behind(keys *stream.Keys, i int, p []byte) (order, error) {
	number := uint32(0)
	if h := t.findKey(keys, i); h != noSlot {
		if s := t.lastOf(h, p); s != noSlot {
			last := t.bytes.get(t.row(s)[rowOrderBytes])
			if tail := last[len(p):]; len(tail) == 4 {
				number = binary.BigEndian.Uint32(tail) + 1
			}
			if number == 0 {
				return order{}, failure.Externalf(failure.Never, "operator %s, table %s: equal rows were added to one key too often, %d times", t.id.Operator, t.id.Name, uint64(1)<<32)
			}
		}
	}
	t.suffixed = binary.BigEndian.AppendUint32(append(t.suffixed[:0], p...), number)
	return orderOf(t.suffixed), nil
}

// lastOf returns the last row of a key whose order begins with the bytes.
func (t *sortedTable) lastOf(h Slot, p []byte) Slot {
	from, to := t.within(p)
	t.slots = t.walk(h, to, from, true, 1, t.slots[:0])
	if len(t.slots) == 0 {
		return noSlot
	}
	return t.slots[0]
}

// within returns the bounds of the orders that begin with the bytes.
func (t *sortedTable) within(p []byte) (from, to bound) {
	from, to = bound{order: orderOf(p)}, bound{open: true}
	t.suffixed = append(t.suffixed[:0], p...)
	for n := len(t.suffixed); n > 0; n-- {
		if t.suffixed[n-1]++; t.suffixed[n-1] != 0 {
			return from, bound{order: orderOf(t.suffixed[:n]), exclusive: true}
		}
	}
	return from, to
}

// FindSlots implements statebackend.OrderedMapTable.
func (t orderedMapTable) FindSlots(keys *stream.Keys, orders *statebackend.Orders, slots []Slot) {
	t.indexOrders()
	t.index.migrate(migrateEntries * len(slots))
	for i := range slots {
		slots[i] = noSlot
		if h := t.findKey(keys, i); h != noSlot {
			slots[i] = t.lookUp(h, orderOf(orders.At(i)))
		}
	}
}

// TakeSlots implements statebackend.OrderedMapTable.
func (t orderedMapTable) TakeSlots(keys *stream.Keys, orders *statebackend.Orders, slots []Slot) {
	for i := range slots {
		slots[i] = noSlot
		h := t.findKey(keys, i)
		if h == noSlot {
			continue
		}
		if at, ok := t.find(h, orderOf(orders.At(i))); ok {
			slots[i] = t.get(at)
			t.remove(h, at)
		}
	}
	t.compact(compactRows * len(slots))
}

// TakeEqual implements statebackend.OrderedMapTable.
func (t orderedMapTable) TakeEqual(keys *stream.Keys, orders *statebackend.Orders, rows *stream.Batch, slots []Slot) error {
	if keys.Layout != t.layout || orders.Len() != keys.Len() || rows.Rows() != keys.Len() || len(rows.Columns) > len(t.columns) {
		return t.misused(len(rows.Columns))
	}
	for i := range slots {
		slots[i] = noSlot
		if h := t.findKey(keys, i); h != noSlot {
			slots[i] = t.beginning(h, orders.At(i), rows, rows.Row(i))
		}
		if slots[i] != noSlot {
			t.removeSlot(slots[i])
		}
	}
	t.compact(compactRows * len(slots))
	return nil
}

// beginning returns the first row of a key whose order begins with the bytes and whose
// columns are those of a row of a batch.
func (t *sortedTable) beginning(h Slot, p []byte, rows *stream.Batch, row int) Slot {
	from, to := t.within(p)
	for n := 4; ; n = min(2*n, tileRows) {
		t.slots = t.walk(h, from, to, false, n, t.slots[:0])
		for _, s := range t.slots {
			if t.sameColumns(s, rows, row) {
				return s
			}
		}
		if len(t.slots) < n {
			return noSlot
		}
		from = bound{order: t.orderAt(t.slots[n-1]), exclusive: true}
	}
}

// sameColumns tells whether the first columns of a row are those of a row of a batch, bit by bit.
func (t *sortedTable) sameColumns(s Slot, rows *stream.Batch, i int) bool {
	row := t.row(s)[sortedFront:]
	for c := range rows.Columns {
		v := &rows.Columns[c]
		null := row[c>>6]>>(c&63)&1 != 0
		if null != v.IsNull(i) {
			return false
		}
		if !null && !t.sameValue(row[t.nullWords+t.words[c]:], c, v, i) {
			return false
		}
	}
	return true
}

// sameValue tells whether the words of a column are a value of a vector.
func (t *sortedTable) sameValue(words []uint64, c int, v *stream.Vector, i int) bool {
	switch t.columns[c].Type.Layout() {
	case types.LayoutBit:
		return (words[0] != 0) == v.Bool(i)
	case types.LayoutInt8:
		return words[0] == uint64(int64(stream.Value[int8](v, i)))
	case types.LayoutInt16:
		return words[0] == uint64(int64(stream.Value[int16](v, i)))
	case types.LayoutInt32:
		return words[0] == uint64(int64(stream.Value[int32](v, i)))
	case types.LayoutFloat32:
		return words[0] == uint64(math.Float32bits(stream.Value[float32](v, i)))
	case types.LayoutInt128:
		x := stream.Value[types.Int128](v, i)
		return words[0] == x.Lo && words[1] == uint64(x.Hi)
	case types.LayoutBytes:
		return string(t.bytes.get(words[0])) == string(v.Bytes(i))
	default:
		return words[0] == uint64(stream.Value[int64](v, i))
	}
}
