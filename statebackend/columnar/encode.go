package columnar

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	arrowmem "github.com/apache/arrow-go/v18/arrow/memory"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Write implements statebackend.Snapshot.
func (p *snapshot) Write(w io.Writer) (statebackend.FileInfo, error) {
	e := newEncoder(w, &p.header)
	e.describe(&p.header, p.tables)
	for i := range p.tables {
		e.table(i, &p.tables[i])
	}
	return e.finish(&p.header)
}

// encoder turns frozen tables into sections.
type encoder struct {
	file           *fileWriter
	maxParallelism int
	first          types.KeyGroup
	payload        bytes.Buffer

	groups []types.KeyGroup // of each row of the source at hand
	order  []Slot           // its rows by key group
}

func newEncoder(w io.Writer, h *fileHeader) *encoder {
	return &encoder{file: newFileWriter(w), maxParallelism: h.MaxParallelism, first: h.FirstGroup}
}

// describe writes the header.
func (e *encoder) describe(h *fileHeader, tables []frozenTable) {
	header := *h
	header.Tables = make([]tableInfo, len(tables))
	for i := range tables {
		header.Tables[i] = tables[i].info
	}
	e.file.describe(sectionHeaderJSON, &header)
}

func (e *encoder) finish(h *fileHeader) (statebackend.FileInfo, error) { return e.file.finish(h) }

// table writes the sections of a table.
func (e *encoder) table(i int, f *frozenTable) {
	if f.table.shape == shapeList {
		e.list(i, f.entries)
		return
	}
	e.drops(i, f)
	e.sort(&f.removed, f.dropped)
	e.sections(i, opRemove, f, &f.removed)
	e.sort(&f.puts, nil)
	e.sections(i, opPut, f, &f.puts)
	if e.file.err == nil {
		e.file.err = e.away(i, f)
	}
}

// sort puts the rows of a source in the order of their key groups, by counting.
// Removals from a namespace that is dropped are left out: the drop says it.
func (e *encoder) sort(c *source, dropped []int64) {
	n := int(c.rows.n)
	e.groups = slices.Grow(e.groups[:0], n)[:n]
	counts := make([]int32, e.maxParallelism+1)
	const leftOut = ^types.KeyGroup(0) // above every group
	for i := range e.groups {
		if len(dropped) > 0 {
			if _, found := slices.BinarySearch(dropped, int64(c.rows.row(Slot(i))[c.namespace])); found {
				e.groups[i] = leftOut
				continue
			}
		}
		g := e.first
		if !c.first {
			g = types.KeyGroupOf(c.hash(Slot(i)), e.maxParallelism)
		}
		e.groups[i] = g
		counts[g+1]++
	}
	for g := range e.maxParallelism {
		counts[g+1] += counts[g]
	}
	e.order = slices.Grow(e.order[:0], n)[:counts[e.maxParallelism]]
	for i, g := range e.groups {
		if g != leftOut {
			e.order[counts[g]] = Slot(i)
			counts[g]++
		}
	}
}

// sections writes the sorted rows of a source.
func (e *encoder) sections(table int, o op, f *frozenTable, c *source) {
	for order := e.order; len(order) > 0; {
		n := c.cut(order)
		e.section(table, o, f, c, order[:n])
		order = order[n:]
	}
}

// cut returns how many of the rows make a section.
func (c *source) cut(order []Slot) int {
	n := min(len(order), sectionRowsMax)
	if c.layout != stream.KeyBytes && len(c.byteWord) == 0 && c.order < 0 {
		return n
	}
	size := 0
	for i, s := range order[:n] {
		row := c.rows.row(s)
		if c.layout == stream.KeyBytes {
			size += length(row[c.key+1])
		}
		if c.order >= 0 {
			size += length(row[c.order])
		}
		for _, w := range c.byteWord {
			size += length(row[w])
		}
		if size > sectionBytesTarget && i > 0 {
			return i
		}
	}
	return n
}

func (e *encoder) section(table int, o op, f *frozenTable, c *source, order []Slot) {
	schema := f.info.schema(o)
	columns := e.columns(f, o, c, order)
	h := sectionHeader{
		op: o, table: uint32(table), rows: uint32(len(order)),
		groups: types.KeyGroupRange{First: e.groups[order[0]], Last: e.groups[order[len(order)-1]]},
	}
	var groups [][2]int
	for i, s := range order {
		if g := int(e.groups[s]); i == 0 || g != groups[len(groups)-1][0] {
			groups = append(groups, [2]int{g, i})
		}
	}
	e.emit(h, groups, schema, columns)
}

// emit writes a record batch as a section.
func (e *encoder) emit(h sectionHeader, groups [][2]int, schema *arrow.Schema, columns []arrow.Array) {
	if e.file.err != nil {
		return
	}
	e.payload.Reset()
	w := ipc.NewWriter(&e.payload, ipc.WithSchema(schema))
	batch := array.NewRecordBatch(schema, columns, int64(h.rows))
	defer batch.Release()
	err := w.Write(batch)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		e.file.err = fmt.Errorf("encode rows of table %d: %w", h.table, err)
		return
	}
	e.file.rows(h, groups, e.payload.Bytes())
}

// columns gathers the rows of a section into Arrow arrays, as tableInfo.schema lists them.
func (e *encoder) columns(f *frozenTable, o op, c *source, order []Slot) []arrow.Array {
	n := len(order)
	groups, ops := make([]uint16, n), make([]uint8, n)
	for i, s := range order {
		groups[i] = uint16(e.groups[s])
		ops[i] = uint8(o)
	}
	out := []arrow.Array{fixedArray(arrow.PrimitiveTypes.Uint16, groups), fixedArray(arrow.PrimitiveTypes.Uint8, ops)}
	if f.info.hasNamespace() {
		out = append(out, fixedArray(arrow.PrimitiveTypes.Int64, gather[int64](c.rows, order, c.namespace)))
	}
	switch f.info.Shape {
	case shapeTimers, shapeMultimap:
		out = append(out, fixedArray(arrow.PrimitiveTypes.Int64, gather[int64](c.rows, order, c.time)))
	case shapeOrderedMap:
		out = append(out, bytesArray(arrow.BinaryTypes.Binary, c.rows, c.bytes, order, c.order))
	case shapeValue, shapeBroadcast, shapeList: // no order among the rows of a key
	}
	out = append(out, c.keyColumn(f.info.Keys, order))
	if o != opPut {
		return out
	}
	for i, col := range f.info.Columns {
		a := column(c.rows, c.bytes, col.Type.typ(), order, c.columns+c.columnWords[i])
		if c.nullBits >= 0 {
			word, bit := c.nullBits+i>>6, uint64(1)<<(i&63)
			a = withNulls(a, order, func(s Slot) bool { return c.rows.row(s)[word]&bit != 0 })
		}
		out = append(out, a)
	}
	return out
}

// keyColumn returns the keys: typed where they are Key64, else canonical bytes.
func (c *source) keyColumn(keys []typeInfo, order []Slot) arrow.Array {
	if c.layout == stream.KeyBytes {
		return bytesArray(arrow.BinaryTypes.Binary, c.rows, c.bytes, order, c.key+1)
	}
	return withNulls(column(c.rows, nil, keys[0].typ(), order, c.key), order, c.nullAt)
}

// withNulls returns a column in which those rows are NULL.
func withNulls(a arrow.Array, order []Slot, isNull func(Slot) bool) arrow.Array {
	var valid []byte
	nulls := 0
	for i, s := range order {
		if !isNull(s) {
			continue
		}
		if valid == nil {
			valid = bytes.Repeat([]byte{0xFF}, (len(order)+7)/8)
		}
		valid[i/8] &^= 1 << (i % 8)
		nulls++
	}
	if valid == nil {
		return a
	}
	d := a.Data()
	buffers := append([]*arrowmem.Buffer{arrowmem.NewBufferBytes(valid)}, d.Buffers()[1:]...)
	return array.MakeFromData(array.NewData(d.DataType(), len(order), buffers, nil, nulls, 0))
}

// column gathers the column whose first word stands at word.
func column(r *rows, a *arena, t types.Type, order []Slot, word int) arrow.Array {
	at := arrowType(t)
	switch t.Layout() {
	case types.LayoutBit:
		return bitArray(r, order, word)
	case types.LayoutInt8:
		return fixedArray(at, gather[int8](r, order, word))
	case types.LayoutInt16:
		return fixedArray(at, gather[int16](r, order, word))
	case types.LayoutInt32, types.LayoutFloat32:
		return fixedArray(at, gather[int32](r, order, word))
	case types.LayoutInt128:
		out := make([][2]uint64, len(order))
		for i, s := range order {
			row := r.row(s)
			out[i] = [2]uint64{row[word], row[word+1]}
		}
		return fixedArray(at, out)
	case types.LayoutBytes:
		return bytesArray(at, r, a, order, word)
	default:
		return fixedArray(at, gather[int64](r, order, word))
	}
}

func gather[T int8 | int16 | int32 | int64](r *rows, order []Slot, word int) []T {
	out := make([]T, len(order))
	blocks, stride := r.blocks, r.stride
	for i, s := range order {
		out[i] = T(blocks[s>>blockShift][int(s&blockMask)*stride+word])
	}
	return out
}

func fixedArray[T any](t arrow.DataType, values []T) arrow.Array {
	var zero T
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(zero)))
	return array.MakeFromData(array.NewData(t, len(values), []*arrowmem.Buffer{nil, arrowmem.NewBufferBytes(raw)}, nil, 0, 0))
}

func bitArray(r *rows, order []Slot, word int) arrow.Array {
	bits := make([]byte, (len(order)+7)/8)
	for i, s := range order {
		if r.row(s)[word] != 0 {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return array.MakeFromData(array.NewData(arrow.FixedWidthTypes.Boolean, len(order), []*arrowmem.Buffer{nil, arrowmem.NewBufferBytes(bits)}, nil, 0, 0))
}

func bytesArray(t arrow.DataType, r *rows, a *arena, order []Slot, word int) arrow.Array {
	offsets := make([]byte, 0, (len(order)+1)*4)
	offsets = binary.LittleEndian.AppendUint32(offsets, 0)
	size := 0
	for _, s := range order {
		size += length(r.row(s)[word])
		offsets = binary.LittleEndian.AppendUint32(offsets, uint32(size))
	}
	data := make([]byte, 0, size)
	for _, s := range order {
		data = append(data, a.get(r.row(s)[word])...)
	}
	return array.MakeFromData(array.NewData(t, len(order),
		[]*arrowmem.Buffer{nil, arrowmem.NewBufferBytes(offsets), arrowmem.NewBufferBytes(data)}, nil, 0, 0))
}

// drops writes the dropped namespaces of a table. They hold for every key
// group of the file; the group that they stand under is its first.
func (e *encoder) drops(table int, f *frozenTable) {
	for d := f.dropped; len(d) > 0; {
		n := min(len(d), sectionRowsMax)
		groups, ops := make([]uint16, n), make([]uint8, n)
		for i := range n {
			groups[i], ops[i] = uint16(e.first), uint8(opDrop)
		}
		columns := []arrow.Array{fixedArray(arrow.PrimitiveTypes.Uint16, groups), fixedArray(arrow.PrimitiveTypes.Uint8, ops)}
		if f.info.hasNamespace() {
			columns = append(columns, fixedArray(arrow.PrimitiveTypes.Int64, d[:n]))
		}
		h := sectionHeader{op: opDrop, table: uint32(table), rows: uint32(n), groups: types.KeyGroupRange{First: e.first, Last: e.first}}
		e.emit(h, nil, f.info.schema(opDrop), columns)
		d = d[n:]
	}
}

// list writes the entries of a list.
func (e *encoder) list(table int, entries [][]byte) {
	for len(entries) > 0 {
		n, size := 0, 0
		for n < min(len(entries), sectionRowsMax) && (n == 0 || size+len(entries[n]) <= sectionBytesTarget) {
			size += len(entries[n])
			n++
		}
		b := array.NewBinaryBuilder(arrowmem.DefaultAllocator, arrow.BinaryTypes.Binary)
		b.AppendValues(entries[:n], nil)
		h := sectionHeader{op: opPut, table: uint32(table), rows: uint32(n), groups: types.KeyGroupRange{First: e.first, Last: e.first}}
		e.emit(h, nil, listSchema, []arrow.Array{b.NewArray()})
		entries = entries[n:]
	}
}
