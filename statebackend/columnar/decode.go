package columnar

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"sort"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	arrowmem "github.com/apache/arrow-go/v18/arrow/memory"

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
	times      []int64
	keys       stream.Keys
	columns    []arrow.Array
}

// boundedAllocator refuses sizes that the section can't have been written with.
// arrow-go asks it for every buffer; the panic is recovered in batch.
type boundedAllocator struct {
	arrowmem.Allocator
	left int
}

var errTooLarge = errors.New("an Arrow buffer is larger than its section")

func (a *boundedAllocator) Allocate(n int) []byte { return a.Reallocate(n, nil) }

func (a *boundedAllocator) Reallocate(n int, b []byte) []byte {
	if a.left -= max(n-cap(b), 0); a.left < 0 || n < 0 {
		panic(errTooLarge)
	}
	return a.Allocator.Reallocate(n, b)
}

// section applies the rows of a section.
func (d *decoder) section(h sectionHeader, payload []byte, lists *formerLists) (err error) {
	defer func() {
		// arrow-go, and the slices below, panic on buffers that contradict each
		// other. The checksum was right, so such a file was made on purpose.
		if x := recover(); x != nil {
			err = damaged("section of table %d: %v", h.table, x)
		}
	}()
	batch, err := d.batch(h, payload)
	if err != nil {
		return err
	}
	if d.info.Shape == shapeList {
		if h.op != opPut {
			return damaged("a list with op %d", h.op)
		}
		a := batch.Column(0).(*array.Binary)
		for i := range a.Len() {
			lists.entries[d.table.id] = append(lists.entries[d.table.id], bytes.Clone(a.Value(i)))
		}
		return nil
	}
	d.split(batch)
	if h.op == opDrop {
		return d.drop()
	}
	lo, hi := d.mine()
	if err := d.readKeys(lo, hi); err != nil || lo == hi {
		return err
	}
	return d.apply(h.op, lo, hi)
}

// batch decodes the one record batch of a section and checks its schema.
func (d *decoder) batch(h sectionHeader, payload []byte) (arrow.RecordBatch, error) {
	alloc := &boundedAllocator{Allocator: arrowmem.DefaultAllocator, left: 2*len(payload) + 64<<10}
	r, err := ipc.NewReader(bytes.NewReader(payload), ipc.WithAllocator(alloc),
		ipc.WithMetadataSizeLimit(int64(len(payload))), ipc.WithBodySizeLimit(int64(len(payload))))
	if err != nil {
		return nil, damaged("section of table %d: %v", h.table, err)
	}
	want := d.info.schema(h.op)
	if have := r.Schema(); have.NumFields() != want.NumFields() || !slices.EqualFunc(have.Fields(), want.Fields(), sameField) {
		return nil, damaged("section of table %d: its columns are not those of the table: %s", h.table, have)
	}
	batch, err := r.Read()
	if err != nil {
		return nil, damaged("section of table %d: %v", h.table, err)
	}
	if batch.NumRows() != int64(h.rows) || h.rows == 0 {
		return nil, damaged("section of table %d: %d rows, %d expected", h.table, batch.NumRows(), h.rows)
	}
	return batch, nil
}

func sameField(a, b arrow.Field) bool { return a.Name == b.Name && arrow.TypeEqual(a.Type, b.Type) }

// split names the columns of the batch.
func (d *decoder) split(batch arrow.RecordBatch) {
	d.groups = values[uint16](batch.Column(0))
	i := 2
	if d.info.hasNamespace() {
		d.namespaces = values[int64](batch.Column(i))
		i++
	}
	if d.info.Shape == shapeTimers {
		d.times = values[int64](batch.Column(i))
		i++
	}
	d.columns = batch.Columns()[i:]
}

// values views a fixed-width array.
func values[T any](a arrow.Array) []T {
	data := a.Data()
	if data.Len() == 0 {
		return nil
	}
	var zero T
	raw := data.Buffers()[1].Bytes()
	size := int(unsafe.Sizeof(zero))
	raw = raw[data.Offset()*size:][:data.Len()*size]
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(raw))), data.Len())
}

// drop applies dropped namespaces: to the key groups of the file, no others.
func (d *decoder) drop() error {
	if d.table.shape != shapeValue {
		return damaged("a dropped namespace of a %s", d.table.shape)
	}
	t, wrote := d.table.value, d.file.groups()
	all := wrote.First <= d.spec.KeyGroups.First && d.spec.KeyGroups.Last <= wrote.Last
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
	for i, h := range d.keys.Hashes {
		if g := types.KeyGroupOf(h, d.spec.MaxParallelism); g != types.KeyGroup(d.groups[lo+i]) || !d.spec.KeyGroups.Contains(g) {
			return damaged("a key of group %d stands under group %d", g, d.groups[lo+i])
		}
	}
	return nil
}

func (d *decoder) readKeys64(t types.Type, lo, hi int) {
	a := d.columns[0]
	d.keys.Fixed = make([]int64, hi-lo)
	scatter(a, t, lo, d.keys.Fixed)
	for i, x := range d.keys.Fixed {
		if a.IsNull(lo + i) {
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
func scatter(a arrow.Array, t types.Type, lo int, out []int64) {
	switch t.Layout() {
	case types.LayoutBit:
		b := a.(*array.Boolean)
		for i := range out {
			out[i] = 0
			if b.Value(lo + i) {
				out[i] = 1
			}
		}
	case types.LayoutInt8:
		widen(values[int8](a)[lo:], out)
	case types.LayoutInt16:
		widen(values[int16](a)[lo:], out)
	case types.LayoutInt32:
		widen(values[int32](a)[lo:], out)
	case types.LayoutFloat32:
		widen(values[uint32](a)[lo:], out)
	default:
		copy(out, values[int64](a)[lo:])
	}
}

func widen[T int8 | int16 | int32 | uint32](from []T, out []int64) {
	for i := range out {
		out[i] = int64(from[i])
	}
}

func (d *decoder) readKeysBytes(ts []types.Type, lo, hi int) error {
	a := d.columns[0].(*array.Binary)
	d.keys.Offsets = make([]int32, 1, hi-lo+1)
	for i := lo; i < hi; i++ {
		key := a.Value(i)
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
	slots := make([]Slot, hi-lo)
	for a := lo; a < hi; {
		b, namespace := hi, int64(0)
		if d.namespaces != nil {
			namespace = d.namespaces[a]
			for b = a + 1; b < hi && d.namespaces[b] == namespace; b++ {
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
	from, w := d.columns[1+column], p.table.words[column]
	switch t.Layout() {
	case types.LayoutBytes:
		value := bytesOf(from)
		for i, s := range slots {
			if err := p.SetBytes(column, s, value(a+i)); err != nil {
				return err
			}
		}
	case types.LayoutInt128:
		wide := values[[2]uint64](from)[a:]
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

// bytesOf returns the values of a string or binary array.
func bytesOf(a arrow.Array) func(i int) []byte {
	if s, ok := a.(*array.String); ok {
		return func(i int) []byte { return []byte(s.Value(i)) }
	}
	return a.(*array.Binary).Value
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
