package columnar

import (
	"bytes"
	"encoding/binary"
	"sort"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// decoder applies the sections of a file to a table.
type decoder struct {
	*restorer
	info  *tableInfo
	table *table
	file  *fileHeader

	groups     []uint16
	namespaces []int64 // nil: the one namespace 0
	times      []int64 // or the sequence numbers of a multimap
	orders     *vector // of an ordered map
	keys       stream.Keys
	columns    []vector // the key, then the table's
}

// section applies the rows of a section.
func (d *decoder) section(h sectionHeader, payload []byte, lists *formerLists) error {
	if d.info.Shape == shapeList && h.op != opPut || h.rows == 0 {
		return damaged("section of table %s: op %d with %d rows", d.info.Name, h.op, h.rows)
	}
	columns, err := readBatch(payload, int(h.rows), d.info.fields(h.op))
	if err != nil {
		return damaged("section of table %s: %v", d.info.Name, err)
	}
	if d.info.Shape == shapeList {
		for i := range int(h.rows) {
			lists.entries[d.table.id] = append(lists.entries[d.table.id], bytes.Clone(columns[0].bytes(i)))
		}
		return nil
	}
	d.split(columns)
	if h.op == opDrop {
		return d.drop()
	}
	lo, hi := d.mine()
	if err := d.readKeys(lo, hi); err != nil || lo == hi {
		return err
	}
	return d.apply(h.op, lo, hi)
}

// split names the columns.
func (d *decoder) split(columns []vector) {
	d.groups = view[uint16](columns[0].data)
	columns = columns[2:]
	if d.info.hasNamespace() {
		d.namespaces = view[int64](columns[0].data)
		columns = columns[1:]
	}
	switch d.info.Shape {
	case shapeTimers, shapeMultimap:
		d.times = view[int64](columns[0].data)
		columns = columns[1:]
	case shapeOrderedMap:
		d.orders = &columns[0]
		columns = columns[1:]
	case shapeValue, shapeBroadcast, shapeList: // no order among the rows of a key
	}
	d.columns = columns
}

// drop applies dropped namespaces: to the key groups of the file, no others.
func (d *decoder) drop() error {
	if d.table.value == nil {
		return damaged("a dropped namespace of a %s", d.table.shape)
	}
	t, wrote := d.table.value, d.file.groups()
	all := d.table.shape == shapeBroadcast || wrote.First <= d.spec.KeyGroups.First && d.spec.KeyGroups.Last <= wrote.Last
	for i := range d.groups {
		namespace := int64(0)
		if d.namespaces != nil {
			namespace = d.namespaces[i]
		}
		if all {
			t.Drop(namespace)
		} else {
			dropGroups(t, namespace, wrote, d.spec.MaxParallelism)
		}
	}
	return nil
}

// mine returns which rows lie in the key groups of the task.
func (d *decoder) mine() (lo, hi int) {
	if d.table.shape == shapeBroadcast {
		return 0, len(d.groups)
	}
	r := d.spec.KeyGroups
	lo = sort.Search(len(d.groups), func(i int) bool { return d.groups[i] >= uint16(r.First) })
	hi = lo + sort.Search(len(d.groups)-lo, func(i int) bool { return d.groups[lo+i] > uint16(r.Last) })
	return lo, hi
}

// readKeys turns the key column into keys with hashes, and checks them against
// the key groups in the file.
func (d *decoder) readKeys(lo, hi int) error {
	ts := typesOf(d.info.Keys)
	layout, err := stream.KeyLayoutOf(ts)
	if err != nil {
		return damaged("%v", err)
	}
	n := hi - lo
	d.keys = stream.Keys{Layout: layout, Hashes: make([]uint64, n)}
	if layout == stream.Key64 {
		d.readKeys64(ts[0], lo, hi)
	} else if err := d.readKeysBytes(ts, lo, hi); err != nil {
		return err
	}
	if d.table.shape == shapeBroadcast {
		return nil // they have no groups
	}
	for i, h := range d.keys.Hashes {
		if g := types.KeyGroupOf(h, d.spec.MaxParallelism); g != types.KeyGroup(d.groups[lo+i]) || !d.spec.KeyGroups.Contains(g) {
			return damaged("a key of group %d stands under group %d", g, d.groups[lo+i])
		}
	}
	return nil
}

func (d *decoder) readKeys64(t types.Type, lo, hi int) {
	v := &d.columns[0]
	d.keys.Fixed = make([]int64, hi-lo)
	scatter(v, t, lo, d.keys.Fixed)
	for i, x := range d.keys.Fixed {
		if v.isNull(lo + i) {
			if d.keys.Nulls == nil {
				d.keys.Nulls = make(stream.Bitmap, stream.Words(hi-lo))
			}
			d.keys.Nulls.Set(i)
			d.keys.Fixed[i], d.keys.Hashes[i] = 0, stream.HashNull()
			continue
		}
		d.keys.Hashes[i] = stream.HashUint64(uint64(x))
	}
}

// scatter fills out with the words of a fixed-width column of at most 64 bits.
func scatter(v *vector, t types.Type, lo int, out []int64) {
	switch t.Layout() {
	case types.LayoutBit:
		for i := range out {
			out[i] = 0
			if v.bit(lo + i) {
				out[i] = 1
			}
		}
	case types.LayoutInt8:
		widen(view[int8](v.data)[lo:], out)
	case types.LayoutInt16:
		widen(view[int16](v.data)[lo:], out)
	case types.LayoutInt32:
		widen(view[int32](v.data)[lo:], out)
	case types.LayoutFloat32:
		widen(view[uint32](v.data)[lo:], out)
	default:
		copy(out, view[int64](v.data)[lo:])
	}
}

func widen[T int8 | int16 | int32 | uint32](from []T, out []int64) {
	for i := range out {
		out[i] = int64(from[i])
	}
}

func (d *decoder) readKeysBytes(ts []types.Type, lo, hi int) error {
	v := &d.columns[0]
	d.keys.Offsets = make([]int32, 1, hi-lo+1)
	for i := lo; i < hi; i++ {
		key := v.bytes(i)
		h, ok := hashKey(ts, key)
		if !ok {
			return damaged("a key is not canonical")
		}
		d.keys.Hashes[i-lo] = h
		d.keys.Data = append(d.keys.Data, key...)
		d.keys.Offsets = append(d.keys.Offsets, int32(len(d.keys.Data)))
	}
	return nil
}

// hashKey returns the hash of a key from its canonical bytes, as stream.KeyReader
// computes it from columns; ok is false where the bytes are not canonical.
func hashKey(ts []types.Type, p []byte) (h uint64, ok bool) {
	h = emptyKeyHash
	for i, t := range ts {
		var column uint64
		if column, p, ok = hashKeyColumn(t, p); !ok {
			return 0, false
		}
		if i == 0 {
			h = column
		} else {
			h = stream.HashCombine(h, column)
		}
	}
	return h, len(p) == 0
}

func hashKeyColumn(t types.Type, p []byte) (h uint64, rest []byte, ok bool) {
	le := binary.LittleEndian
	switch {
	case len(p) == 0 || p[0] > 1:
		return 0, nil, false
	case p[0] == 0:
		return stream.HashNull(), p[1:], true
	}
	p = p[1:]
	switch t.Layout() {
	case types.LayoutBytes:
		n, w := binary.Uvarint(p)
		if w <= 0 || uint64(len(p)-w) < n {
			return 0, nil, false
		}
		return stream.HashBytes(p[w : w+int(n)]), p[w+int(n):], true
	case types.LayoutInt128:
		if len(p) < 16 {
			return 0, nil, false
		}
		return stream.HashCombine(stream.HashUint64(le.Uint64(p)), stream.HashUint64(le.Uint64(p[8:]))), p[16:], true
	default:
		if len(p) < 8 {
			return 0, nil, false
		}
		return stream.HashUint64(le.Uint64(p)), p[8:], true
	}
}

// apply puts or removes the rows from lo to hi.
func (d *decoder) apply(o op, lo, hi int) error {
	if d.table.shape == shapeTimers {
		namespaces, times := d.namespaces[lo:hi], d.times[lo:hi]
		if o == opRemove {
			d.table.timers.Unregister(&d.keys, namespaces, times)
			return nil
		}
		return d.table.timers.Register(&d.keys, namespaces, times)
	}
	if d.table.shape.sorted() {
		return d.applySorted(o, lo, hi)
	}
	slots := make([]Slot, hi-lo)
	for a := lo; a < hi; {
		b, namespace := hi, int64(0)
		if d.store.tier.on() {
			b = min(hi, a+tileRows) // others go to the tier in between
		}
		if d.namespaces != nil {
			namespace = d.namespaces[a]
			end := b
			for b = a + 1; b < end && d.namespaces[b] == namespace; b++ {
			}
		}
		if err := d.applyRun(o, namespace, lo, a, b, slots[:b-a]); err != nil {
			return err
		}
		a = b
	}
	return nil
}

// applyRun serves the rows from a to b, which are of one namespace; lo is the
// row of the first key.
func (d *decoder) applyRun(o op, namespace int64, lo, a, b int, slots []Slot) error {
	keys := d.run(a-lo, b-lo)
	p := d.table.value.part(namespace, o == opPut)
	if o == opRemove {
		if p != nil {
			p.Find(&keys, slots)
			p.Delete(slots)
		}
		return nil
	}
	if _, err := p.Upsert(&keys, slots); err != nil {
		return err
	}
	r := p.Rows()
	words := make([]int64, len(slots))
	for i, c := range d.info.Columns {
		if err := d.fillColumn(p, r, i, c.Type.typ(), a, slots, words); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) fillColumn(p *part, r statebackend.Rows, column int, t types.Type, a int, slots []Slot, words []int64) error {
	from, w := &d.columns[1+column], p.table.words[column]
	switch t.Layout() {
	case types.LayoutBytes:
		for i, s := range slots {
			if err := p.SetBytes(column, s, from.bytes(a+i)); err != nil {
				return err
			}
		}
	case types.LayoutInt128:
		wide := view[[2]uint64](from.data)[a:]
		for i, s := range slots {
			row := r.At(s)
			row[w], row[w+1] = wide[i][0], wide[i][1]
		}
	default:
		scatter(from, t, a, words)
		for i, s := range slots {
			r.At(s)[w] = uint64(words[i])
		}
	}
	return nil
}

// run returns the keys from a to b.
func (d *decoder) run(a, b int) stream.Keys {
	keys := stream.Keys{Layout: d.keys.Layout, Hashes: d.keys.Hashes[a:b]}
	if keys.Layout == stream.KeyBytes {
		keys.Offsets, keys.Data = d.keys.Offsets[a:b+1], d.keys.Data
		return keys
	}
	keys.Fixed = d.keys.Fixed[a:b]
	if d.keys.Nulls == nil {
		return keys
	}
	for i := a; i < b; i++ {
		if d.keys.Nulls.Get(i) {
			if keys.Nulls == nil {
				keys.Nulls = make(stream.Bitmap, stream.Words(b-a))
			}
			keys.Nulls.Set(i - a)
		}
	}
	return keys
}
