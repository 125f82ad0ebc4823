package columnar

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"millrace/stream"
	"millrace/types"
)

// Sections are read here and not by arrow-go, whose reader takes memory as the
// lengths in the metadata ask: nothing does so here, for every column is a view
// of the section. The table's description says what the columns are; the schema
// in the stream is for other readers.

// fieldKind is how a column stands in a record batch.
type fieldKind uint8

const (
	fieldBits fieldKind = iota
	fieldFixed
	fieldBytes
)

// field is a column that a section must have.
type field struct {
	kind  fieldKind
	width int
}

func fieldOf(l types.Layout) field {
	switch l {
	case types.LayoutBit:
		return field{kind: fieldBits}
	case types.LayoutBytes:
		return field{kind: fieldBytes}
	default:
		return field{kind: fieldFixed, width: l.Width()}
	}
}

// fields lists the columns of a section, as tableInfo.schema does.
func (i *tableInfo) fields(o op) []field {
	if i.Shape == shapeList {
		return []field{{kind: fieldBytes}}
	}
	out := []field{{fieldFixed, 2}, {fieldFixed, 1}}
	if i.hasNamespace() {
		out = append(out, field{fieldFixed, 8})
	}
	switch i.Shape {
	case shapeTimers, shapeMultimap:
		out = append(out, field{fieldFixed, 8})
	case shapeOrderedMap:
		out = append(out, field{kind: fieldBytes})
	case shapeValue, shapeBroadcast, shapeList: // no order among the rows of a key
	}
	if o == opDrop {
		return out
	}
	ts := typesOf(i.Keys)
	if layout, err := stream.KeyLayoutOf(ts); err != nil || layout == stream.KeyBytes {
		out = append(out, field{kind: fieldBytes})
	} else {
		out = append(out, fieldOf(ts[0].Layout()))
	}
	if o == opPut {
		for _, c := range i.Columns {
			out = append(out, fieldOf(c.Type.typ().Layout()))
		}
	}
	return out
}

// vector is a column of a section: views of its bytes, checked to hold the rows.
type vector struct {
	valid   []byte // nil: no NULL
	data    []byte
	offsets []int32 // of fieldBytes
}

func (v *vector) isNull(i int) bool { return v.valid != nil && v.valid[i/8]>>(i%8)&1 == 0 }

func (v *vector) bit(i int) bool { return v.data[i/8]>>(i%8)&1 != 0 }

func (v *vector) bytes(i int) []byte { return v.data[v.offsets[i]:v.offsets[i+1]] }

// view reads bytes as values; a copy is made only where they stand askew.
func view[T uint8 | int8 | int16 | uint16 | int32 | uint32 | int64 | [2]uint64](p []byte) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	n := len(p) / size
	if n == 0 {
		return nil
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(p)))%unsafe.Alignof(zero) != 0 {
		out := make([]T, n)
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(out))), n*size), p)
		return out
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(p))), n)
}

var errArrow = errors.New("it is not the Arrow stream of its table's columns")

// readBatch returns the columns of the one record batch of a stream.
func readBatch(p []byte, rows int, fields []field) ([]vector, error) {
	_, p, _, err := nextMessage(p, headerSchema)
	if err != nil {
		return nil, err
	}
	batch, _, body, err := nextMessage(p, headerRecordBatch)
	if err != nil {
		return nil, err
	}
	nodes, ok1 := batch.structs(1, 16)
	buffers, ok2 := batch.structs(2, 16)
	length, ok3 := batch.int64(0)
	_, compressed := batch.field(3)
	if !ok1 || !ok2 || !ok3 || compressed || length != int64(rows) || len(nodes) != len(fields)*16 {
		return nil, errArrow
	}
	out := make([]vector, len(fields))
	next := func() ([]byte, bool) {
		if len(buffers) < 16 {
			return nil, false
		}
		offset, n := binary.LittleEndian.Uint64(buffers), binary.LittleEndian.Uint64(buffers[8:])
		buffers = buffers[16:]
		if offset > uint64(len(body)) || n > uint64(len(body))-offset {
			return nil, false
		}
		return body[offset : offset+n], true
	}
	for i, f := range fields {
		if binary.LittleEndian.Uint64(nodes[i*16:]) != uint64(rows) || !out[i].read(f, rows, next) {
			return nil, errArrow
		}
	}
	return out, nil
}

// read takes the buffers of a column and checks that they hold the rows.
func (v *vector) read(f field, rows int, next func() ([]byte, bool)) bool {
	valid, ok := next()
	if !ok || len(valid) > 0 && len(valid) < (rows+7)/8 {
		return false
	}
	if len(valid) > 0 {
		v.valid = valid
	}
	if f.kind == fieldBytes {
		offsets, ok := next()
		if !ok || len(offsets) < (rows+1)*4 {
			return false
		}
		v.offsets = view[int32](offsets[:(rows+1)*4])
	}
	if v.data, ok = next(); !ok {
		return false
	}
	switch f.kind {
	case fieldBits:
		return len(v.data) >= (rows+7)/8
	case fieldFixed:
		if len(v.data) < rows*f.width {
			return false
		}
		v.data = v.data[:rows*f.width]
		return true
	default:
		at := int32(0)
		for _, o := range v.offsets {
			if o < at {
				return false
			}
			at = o
		}
		return int(at) <= len(v.data)
	}
}

// The kinds of a message's header.
const (
	headerSchema      = 1
	headerRecordBatch = 3
)

// nextMessage reads an encapsulated message of a stream: a continuation mark,
// the length of its metadata, the metadata (a flatbuffer), the body.
func nextMessage(p []byte, kind byte) (header flatTable, rest, body []byte, err error) {
	if len(p) < 8 || binary.LittleEndian.Uint32(p) != 0xFFFFFFFF {
		return header, nil, nil, errArrow
	}
	n := int64(binary.LittleEndian.Uint32(p[4:]))
	if n < 8 || n > int64(len(p)-8) {
		return header, nil, nil, errArrow
	}
	meta, p := p[8:8+n], p[8+n:]
	message, ok := flatRoot(meta)
	if !ok {
		return header, nil, nil, errArrow
	}
	have, ok1 := message.byte(1)
	header, ok2 := message.table(2)
	length, ok3 := message.int64(3)
	if !ok3 {
		length = 0 // a default is not written
	}
	if !ok1 || !ok2 || have != kind || length < 0 || length > int64(len(p)) {
		return header, nil, nil, errArrow
	}
	return header, p[length:], p[:length], nil
}

// flatTable is a table in a flatbuffer: a vtable lists where its fields stand.
type flatTable struct {
	buf    []byte
	at     int
	vtable []byte // of the fields alone
}

func flatRoot(buf []byte) (flatTable, bool) {
	if len(buf) < 4 {
		return flatTable{}, false
	}
	return flatAt(buf, int64(binary.LittleEndian.Uint32(buf)))
}

func flatAt(buf []byte, at int64) (flatTable, bool) {
	if at < 0 || at+4 > int64(len(buf)) {
		return flatTable{}, false
	}
	v := at - int64(int32(binary.LittleEndian.Uint32(buf[at:])))
	if v < 0 || v+4 > int64(len(buf)) {
		return flatTable{}, false
	}
	size := int64(binary.LittleEndian.Uint16(buf[v:]))
	if size < 4 || v+size > int64(len(buf)) {
		return flatTable{}, false
	}
	return flatTable{buf, int(at), buf[v+4 : v+size]}, true
}

// field returns where field i stands; ok is false where the table has it not.
func (t flatTable) field(i int) (int, bool) {
	if i*2+2 > len(t.vtable) {
		return 0, false
	}
	o := int(binary.LittleEndian.Uint16(t.vtable[i*2:]))
	return t.at + o, o != 0
}

func (t flatTable) byte(i int) (byte, bool) {
	at, ok := t.field(i)
	if !ok || at >= len(t.buf) {
		return 0, false
	}
	return t.buf[at], true
}

func (t flatTable) int64(i int) (int64, bool) {
	at, ok := t.field(i)
	if !ok || at+8 > len(t.buf) {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(t.buf[at:])), true
}

// target follows the offset in field i.
func (t flatTable) target(i int) (int64, bool) {
	at, ok := t.field(i)
	if !ok || at+4 > len(t.buf) {
		return 0, false
	}
	return int64(at) + int64(binary.LittleEndian.Uint32(t.buf[at:])), true
}

func (t flatTable) table(i int) (flatTable, bool) {
	at, ok := t.target(i)
	if !ok {
		return flatTable{}, false
	}
	return flatAt(t.buf, at)
}

// structs returns the bytes of a vector of structs of a size.
func (t flatTable) structs(i, size int) ([]byte, bool) {
	at, ok := t.target(i)
	if !ok || at+4 > int64(len(t.buf)) {
		return nil, false
	}
	n := int64(binary.LittleEndian.Uint32(t.buf[at:])) * int64(size)
	if at += 4; n > int64(len(t.buf))-at {
		return nil, false
	}
	return t.buf[at : at+n], true
}
