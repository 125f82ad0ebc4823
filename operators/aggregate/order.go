package aggregate

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// appendOrder appends the order of a value among those of its key: its namespace,
// where there are any, and bytes that compare as the values do. Values that NULL is part of, or that are several, are told apart by theirs, and no more.
func (c *Counted) appendOrder(dst []byte, space int64, b *stream.Batch, row int) []byte {
	if c.in.Spaces {
		dst = binary.BigEndian.AppendUint64(dst, uint64(space)^maskMax)
	}
	if c.spec.Nulls == nil {
		return appendValue(dst, &b.Columns[c.spec.Arg], row)
	}
	dst = appendPart(dst, &b.Columns[c.spec.Arg], row)
	for _, column := range c.spec.Rest {
		dst = appendPart(dst, &b.Columns[column], row)
	}
	return dst
}

// What a part of a value begins with.
const (
	partNull  = 0
	partValue = 1
)

// appendPart appends what tells a part of a value from others: whether there is one, and it, with its length in front where that varies.
func appendPart(dst []byte, v *stream.Vector, row int) []byte {
	if v.IsNull(row) {
		return append(dst, partNull)
	}
	dst = append(dst, partValue)
	if v.Type.Layout() == types.LayoutBytes {
		dst = binary.AppendUvarint(dst, uint64(len(v.Bytes(row))))
	}
	return appendValue(dst, v, row)
}

func appendValue(dst []byte, v *stream.Vector, row int) []byte {
	switch v.Type.Layout() {
	case types.LayoutBytes:
		return append(dst, v.Bytes(row)...)
	case types.LayoutInt128:
		x := stream.Value[stream.Int128](v, row)
		dst = binary.BigEndian.AppendUint64(dst, uint64(x.Hi)^maskMax)
		return binary.BigEndian.AppendUint64(dst, x.Lo)
	default:
		return binary.BigEndian.AppendUint64(dst, uint64(codeOf(v, row))^maskMax)
	}
}

// codeOf returns an integer in the order of a value of at most 64 bits. Values that
// are one key have one code: 0 and -0, every NaN.
func codeOf(v *stream.Vector, row int) int64 {
	switch v.Type.Layout() {
	case types.LayoutBit:
		if v.Bool(row) {
			return 1
		}
		return 0
	case types.LayoutFloat32:
		return floatCode(float64(math.Float32frombits(stream.CanonicalFloat32(stream.Value[float32](v, row)))))
	case types.LayoutFloat64:
		return floatCode(math.Float64frombits(stream.CanonicalFloat64(stream.Value[float64](v, row))))
	default:
		return integerAt(v, row)
	}
}

// extreme is a MIN or MAX of counted values.
type extreme struct {
	op
	counted int
}

// Extremes mends the extremes of rows whose least or largest value went with the
// last Count. slots are those of the batch's selected rows.
func (p *Plan) Extremes(table Accumulators, counted []*Counted, b *stream.Batch, slots []statebackend.Slot) error {
	for i := range p.extremes {
		x := &p.extremes[i]
		if err := counted[x.counted].mend(table, x, b, slots); err != nil {
			return err
		}
	}
	return nil
}

// mend looks the first value in the order up for the keys of which the value that
// their accumulator has went.
func (c *Counted) mend(table Accumulators, x *extreme, b *stream.Batch, slots []statebackend.Slot) error {
	c.some, c.gone = c.some[:0], c.gone[:0]
	at := 0 // in c.rows, which are ascending as the changes are
	for _, ch := range c.changes[0] {
		for c.rows[at] < ch.row {
			at++
		}
		if ch.sign < 0 && x.holds(table, slots[ch.row], &b.Columns[c.spec.Arg], int(c.sel[at])) {
			c.some, c.gone = append(c.some, int32(at)), append(c.gone, ch.row)
		}
	}
	if len(c.some) == 0 {
		return nil
	}
	for _, row := range c.gone {
		if err := x.clear(table, slots[row]); err != nil {
			return err
		}
	}
	part := c.pick(b, c.some, 0)
	defer part.Release()
	scan := statebackend.OrderedScan{Keys: c.groups.Read(part), Limit: 1, Descending: x.max}
	var failed error
	err := c.scan(&scan, len(c.some)+1, func([]stream.Vector) bool {
		for i, key := range c.found.Positions {
			if failed == nil {
				failed = x.set(table, slots[c.gone[key]], c.found.Orders.At(i))
			}
		}
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// holds tells whether the accumulator's value is that of a row.
func (x *extreme) holds(table Accumulators, s statebackend.Slot, v *stream.Vector, row int) bool {
	rows := table.Rows()
	switch at := rows.Offset + x.word; x.kind {
	case opExtremeBytes:
		return *place(&rows, at-1, s) != 0 && string(table.Bytes(x.column, s)) == string(v.Bytes(row))
	case opExtremeWide:
		value := stream.Value[stream.Int128](v, row)
		return *place(&rows, at, s) == uint64(value.Hi)^x.mask && *place(&rows, at+1, s) == value.Lo^lowMask(x.mask)
	case opExtremeFloat:
		// 0 and -0 are one value that is counted and two extremes.
		return floatOf(int64(*place(&rows, at, s)^x.mask)) == floatOf(codeOf(v, row)) || *place(&rows, at, s) == uint64(codeOf(v, row))^x.mask
	default:
		return *place(&rows, at, s) == uint64(codeOf(v, row))^x.mask
	}
}

// clear makes the accumulator that of a row without values.
func (x *extreme) clear(table Accumulators, s statebackend.Slot) error {
	rows := table.Rows()
	at := rows.Offset + x.word
	switch x.kind {
	case opExtremeBytes:
		*place(&rows, at-1, s) = 0
		return table.SetBytes(x.column, s, nil)
	case opExtremeWide:
		*place(&rows, at+1, s) = 0
	default: // one word has it
	}
	*place(&rows, at, s) = 0
	return nil
}

// set makes the value that has an order the accumulator's.
func (x *extreme) set(table Accumulators, s statebackend.Slot, order []byte) error {
	rows := table.Rows()
	at := rows.Offset + x.word
	switch x.kind {
	case opExtremeBytes:
		*place(&rows, at-1, s) = 1
		return table.SetBytes(x.column, s, order)
	case opExtremeWide:
		*place(&rows, at+1, s) = binary.BigEndian.Uint64(order[8:]) ^ lowMask(x.mask)
	default: // one word has it
	}
	*place(&rows, at, s) = binary.BigEndian.Uint64(order) ^ maskMax ^ x.mask
	return nil
}

// lowMask returns what flips the low half of a wide code: nothing for MAX, all of
// it for MIN.
func lowMask(mask uint64) uint64 { return uint64(int64(mask<<1) >> 63) }

// aging walks over the values of one key, to remove those that were not written
// for longer than the TTL.
type aging struct {
	scan *statebackend.OrderedScan
	keys stream.Keys // of the key, and once for each row that goes
	old  statebackend.Orders
}

// Age looks at some values of a key, whose rows the batch has, and removes what has
// expired. The keys of groups that expire as a whole are forgotten by Forget.
func (c *Counted) Age(b *stream.Batch) error {
	if c.aging.scan == nil {
		if b.Rows() == 0 || c.table.Len() == 0 {
			return nil
		}
		keys := c.groups.Read(b)
		c.aging.keys = repeat(keys, 0, sweepRows)
		one := repeat(keys, 0, 1)
		c.aging.scan = &statebackend.OrderedScan{Keys: &one}
	}
	n, last := 0, len(c.found.Columns)-1
	c.aging.old.Reset()
	err := c.scan(c.aging.scan, sweepRows, func(columns []stream.Vector) bool {
		for i, stamp := range stream.Values[int64](&columns[last]) {
			if c.in.Expiry.Over(uint64(stamp)) {
				c.aging.old.Append(c.found.Orders.At(i))
				n++
			}
		}
		return false
	})
	if err != nil || len(c.found.Positions) < sweepRows {
		c.aging.scan = nil
	}
	if err != nil || n == 0 {
		return err
	}
	keys := repeat(&c.aging.keys, 0, n)
	c.table.Delete(&keys, &c.aging.old, nil)
	c.cache.Clear()
	return nil
}

// DropSpaces removes the values of keys, of each in a namespace.
func (c *Counted) DropSpaces(keys *stream.Keys, spaces []int64) error {
	var of stream.Keys
	c.cache.Clear()
	return c.scan(c.inSpaces(keys, spaces), TileRows, func([]stream.Vector) bool {
		of = c.owners(keys)
		c.table.Delete(&of, &c.found.Orders, nil)
		return true
	})
}

// inSpaces returns a scan of the values of keys, of each in a namespace.
func (c *Counted) inSpaces(keys *stream.Keys, spaces []int64) *statebackend.OrderedScan {
	c.orders.Reset()
	c.ends.Reset()
	for _, space := range spaces {
		c.text = binary.BigEndian.AppendUint64(c.text[:0], uint64(space)^maskMax)
		c.orders.Append(c.text)
		c.text = binary.BigEndian.AppendUint64(c.text[:0], uint64(space+1)^maskMax)
		c.ends.Append(c.text)
	}
	return &statebackend.OrderedScan{Keys: keys, From: c.orders, To: c.ends}
}

// owners returns the key of each row that a scan of keys found.
func (c *Counted) owners(keys *stream.Keys) stream.Keys {
	gather := make([]int, len(c.found.Positions))
	for i, at := range c.found.Positions {
		gather[i] = int(at)
	}
	return PickKeys(keys, gather)
}

// Forget removes all values of keys.
func (c *Counted) Forget(keys *stream.Keys) {
	c.table.DeleteAll(keys)
	c.cache.Clear()
}

// repeat returns key i, n times, in memory of its own.
func repeat(keys *stream.Keys, i, n int) stream.Keys {
	at := make([]int, n)
	for k := range at {
		at[k] = i
	}
	return PickKeys(keys, at)
}

// PickKeys returns the keys at some positions, in memory of their own.
func PickKeys(keys *stream.Keys, at []int) stream.Keys {
	out := stream.Keys{Layout: keys.Layout, Hashes: make([]uint64, len(at))}
	if keys.Layout == stream.KeyBytes {
		out.Offsets = []int32{0}
	} else {
		out.Fixed = make([]int64, len(at))
	}
	for k, i := range at {
		out.Hashes[k] = keys.Hashes[i]
		switch {
		case keys.Layout == stream.KeyBytes:
			out.Data = append(out.Data, keys.Bytes(i)...)
			out.Offsets = append(out.Offsets, int32(len(out.Data)))
		case keys.IsNull(i):
			if out.Nulls == nil {
				out.Nulls = make(stream.Bitmap, stream.Words(len(at)))
			}
			out.Nulls.Set(k)
		default:
			out.Fixed[k] = keys.Fixed[i]
		}
	}
	return out
}

// CompareKeys compares two of the keys, in an order that puts equal ones next to each other.
func CompareKeys(keys *stream.Keys, i, j int) int {
	switch {
	case keys.Hashes[i] != keys.Hashes[j]:
		return cmp.Compare(keys.Hashes[i], keys.Hashes[j])
	case keys.Layout == stream.KeyBytes:
		return bytes.Compare(keys.Bytes(i), keys.Bytes(j))
	case keys.IsNull(i) != keys.IsNull(j):
		if keys.IsNull(i) {
			return -1
		}
		return 1
	default:
		return cmp.Compare(keys.Fixed[i], keys.Fixed[j])
	}
}
