package aggregate

import (
	"encoding/binary"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// moving is what Folder.Move needs of counted values.
type moving struct {
	values []*stream.Builder // of the columns; nil: nothing has been moved yet
	orders statebackend.Orders
	some   statebackend.Orders
	fresh  []int
}

func (m *moving) close() {
	for _, b := range m.values {
		b.Close()
	}
}

// Move has the values of keys that were counted in namespaces counted in others: those of key i go from namespace from[i] to namespace to[i], which none
// of the same key leave. Those that were not there yet are folded into slots[i]. Rows of these values can't be taken back.
func (f *Folder) Move(table Accumulators, keys *stream.Keys, from, to []int64, slots []statebackend.Slot) error {
	for i, c := range f.counted {
		var failed error
		err := c.scan(c.inSpaces(keys, from), TileRows, func(counts []stream.Vector) bool {
			var b *stream.Batch
			if b, failed = c.moveFound(keys, to, counts); failed == nil {
				failed = f.foldMoved(table, i, b, slots)
				b.Release()
			}
			return failed == nil
		})
		if failed != nil {
			return failed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// foldMoved runs the loops of counted values over those of a batch that are new where their rows were moved.
func (f *Folder) foldMoved(table Accumulators, counted int, b *stream.Batch, slots []statebackend.Slot) error {
	c, rows := f.counted[counted], table.Rows()
	into := f.moved[:len(c.found.Positions)]
	for i, key := range c.found.Positions {
		into[i] = slots[key]
	}
	for i := range f.plan.steps {
		s := &f.plan.steps[i]
		if s.counted != counted+1 {
			continue
		}
		if s.own != nil {
			if err := f.foldOwn(table, s, b, 0, into); err != nil {
				return err
			}
			rows = table.Rows()
			continue
		}
		v := f.resolve(s, b, 0, into)
		if s.fused.any() {
			foldInts(rows, noWord, &s.fused, v.slots, f.integers(v))
		}
		for k := range s.ops {
			if err := f.run(table, rows, &s.ops[k], v); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveFound moves the rows that a scan found, which count in counts, and returns their values, in a batch that has no other column.
func (c *Counted) moveFound(keys *stream.Keys, to []int64, counts []stream.Vector) (*stream.Batch, error) {
	m := &c.moving
	c.cache.Clear()
	for v := range c.changes {
		c.changes[v] = c.changes[v][:0]
	}
	of, n := c.owners(keys), len(c.found.Positions)
	c.table.Delete(&of, &c.found.Orders, nil)
	m.orders.Reset()
	for i, key := range c.found.Positions {
		c.text = binary.BigEndian.AppendUint64(c.text[:0], uint64(to[key])^maskMax)
		m.orders.Append(append(c.text, c.found.Orders.At(i)[spaceBytes:]...))
	}
	places := c.places[:n]
	c.table.FindSlots(&of, &m.orders, places)
	if err := c.addMissing(&of, places); err != nil {
		return nil, err
	}
	rows := c.table.Rows()
	touched := c.gone[:0]
	for i, s := range places {
		w, changed := rows.At(s), false
		for v := range c.spec.Filters {
			if n := stream.Values[int64](&counts[v])[i]; n != 0 && w[v] == 0 {
				w[v], changed = uint64(n), true
				c.changes[v] = append(c.changes[v], change{row: int32(i), sign: 1})
			}
		}
		if changed {
			touched = append(touched, s)
		}
	}
	c.gone = touched
	c.table.Touch(touched)
	return c.valuesFound(), nil
}

// spaceBytes is how long the namespace in front of a value's order is.
const spaceBytes = 8

// addMissing adds rows that count nothing for the keys and orders of a move that have no place yet, and fills in their places.
func (c *Counted) addMissing(keys *stream.Keys, places []statebackend.Slot) error {
	m := &c.moving
	m.fresh = m.fresh[:0]
	m.some.Reset()
	for i, s := range places {
		if s == statebackend.NoSlot {
			m.fresh = append(m.fresh, i)
			m.some.Append(m.orders.At(i))
		}
	}
	if len(m.fresh) == 0 {
		return nil
	}
	of := PickKeys(keys, m.fresh)
	zeros := c.zeros(len(m.fresh))
	defer zeros.Release()
	added := make([]statebackend.Slot, len(m.fresh))
	if err := c.table.PutSlots(&of, &m.some, zeros, added); err != nil {
		return err
	}
	for k, i := range m.fresh { // one that two namespaces had has one place
		places[i] = added[k]
	}
	return nil
}

// valuesFound returns the values whose orders a scan found.
func (c *Counted) valuesFound() *stream.Batch {
	in, m := c.ctx.Inputs[0], &c.moving
	columns := c.spec.columns()
	for len(m.values) < len(columns) {
		m.values = append(m.values, stream.NewBuilder(c.ctx.Pool, in.Fields[columns[len(m.values)]].Type, TileRows))
	}
	for i := range c.found.Positions {
		order := c.found.Orders.At(i)[spaceBytes:]
		if c.spec.Nulls == nil {
			appendOrdered(m.values[0], order)
			continue
		}
		for _, builder := range m.values {
			order = appendOrderedPart(builder, order)
		}
	}
	b := c.ctx.Pool.NewBatch(in, len(c.found.Positions))
	for i, column := range columns {
		b.Columns[column] = m.values[i].Finish()
	}
	return b
}

// appendOrderedPart appends the part of a value that an order begins with, as appendPart makes it, and returns what is behind it.
func appendOrderedPart(to *stream.Builder, order []byte) []byte {
	if order[0] == partNull {
		to.AppendNull()
		return order[1:]
	}
	order = order[1:]
	n := 8
	switch to.Type().Layout() {
	case types.LayoutBytes:
		length, head := binary.Uvarint(order)
		order, n = order[head:], int(length)
	case types.LayoutInt128:
		n = 16
	default: // a word has it
	}
	appendOrdered(to, order[:n])
	return order[n:]
}

// appendOrdered appends the value that has an order, as appendOrder makes it.
func appendOrdered(to *stream.Builder, order []byte) {
	layout := to.Type().Layout()
	if layout == types.LayoutBytes {
		to.AppendBytes(order)
		return
	}
	code := int64(binary.BigEndian.Uint64(order) ^ maskMax)
	switch layout {
	case types.LayoutInt128:
		stream.AppendFixed(to, stream.Int128{Hi: code, Lo: binary.BigEndian.Uint64(order[8:])})
	case types.LayoutBit:
		to.AppendBool(code != 0)
	case types.LayoutInt8:
		stream.AppendFixed(to, int8(code))
	case types.LayoutInt16:
		stream.AppendFixed(to, int16(code))
	case types.LayoutInt32:
		stream.AppendFixed(to, int32(code))
	case types.LayoutFloat32:
		stream.AppendFixed(to, float32(floatOf(code)))
	case types.LayoutFloat64:
		stream.AppendFixed(to, floatOf(code))
	default:
		to.AppendInt64(code)
	}
}
