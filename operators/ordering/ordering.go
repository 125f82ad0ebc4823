package ordering

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"

	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Encoder makes orders of the rows of batches. It is for one goroutine.
type Encoder struct {
	columns []column
}

// form names a way from a value to bytes.
type form uint8

const (
	formInteger form = iota
	formFloat
	formDouble
	formWide
	formBytes
)

// column is an item of the ORDER BY.
type column struct {
	at   int
	t    types.Type
	form form
	flip byte // 0xFF where the column is DESC
	null byte

	// Of the batch that is being encoded.
	vector   *stream.Vector
	nullable bool
	values   []int64 // canonical, of forms of at most 64 bits
}

const (
	nullsFirst, nullsLast = 0x00, 0xFF
	// positive is the first byte of 0 and of values without a sign, negative that of -1.
	positive, negative = 0x80, 0x7F
)

// NewEncoder returns an encoder of the order that the columns give rows of a schema. Without columns all rows are equal.
func NewEncoder(s *types.Schema, by []jobgraph.SortColumn) (*Encoder, error) {
	e := &Encoder{columns: make([]column, len(by))}
	for i, b := range by {
		if b.Column < 0 || b.Column >= s.Len() {
			return nil, fmt.Errorf("rows can't be sorted by column %d of %d", b.Column, s.Len())
		}
		f := s.Fields[b.Column]
		if !jobgraph.Sortable(f.Type) {
			return nil, fmt.Errorf("rows can't be sorted by column %s of type %s", f.Name, f.Type)
		}
		c := column{at: b.Column, t: f.Type, form: formOf(f.Type), null: nullsFirst}
		if b.Descending {
			c.flip = 0xFF
		}
		if b.NullsLast {
			c.null = nullsLast
		}
		e.columns[i] = c
	}
	return e, nil
}

func formOf(t types.Type) form {
	switch t.Layout() {
	case types.LayoutFloat32:
		return formFloat
	case types.LayoutFloat64:
		return formDouble
	case types.LayoutInt128:
		return formWide
	case types.LayoutBytes:
		return formBytes
	default:
		return formInteger
	}
}

// Append appends the order of every selected row, followed by tail, which the caller may write over: what tells
// apart, or puts in order, rows that the ORDER BY does not.
func (e *Encoder) Append(b *stream.Batch, tail []byte, out *statebackend.Orders) {
	n := b.Rows()
	for i := range e.columns {
		e.columns[i].read(b, n)
	}
	if len(out.Offsets) == 0 {
		out.Offsets = append(out.Offsets, 0)
	}
	dst := out.Data
	for i := range n {
		for c := range e.columns {
			dst = e.columns[c].append(dst, b.Row(i), i)
		}
		dst = append(dst, tail...)
		out.Offsets = append(out.Offsets, int32(len(dst)))
	}
	out.Data = dst
	for i := range e.columns {
		e.columns[i].vector = nil
	}
}

// Columns returns how many of the leading bytes of an order that Append made belong to the first n columns.
func (e *Encoder) Columns(order []byte, n int) int {
	at := 0
	for i := range e.columns[:n] {
		at += e.columns[i].length(order[at:])
	}
	return at
}

// read makes the values of a batch ready.
func (c *column) read(b *stream.Batch, n int) {
	c.vector = &b.Columns[c.at]
	c.nullable = c.vector.HasNulls() || c.vector.Encoding == stream.Dictionary
	if c.form == formWide || c.form == formBytes {
		return
	}
	if cap(c.values) < n {
		c.values = make([]int64, max(n, stream.RowsMax))
	}
	c.values = c.values[:n]
	stream.Canonical64(c.vector, c.t, b.Sel(), c.values)
}

// append appends the bytes of a row, which is the i-th selected one.
func (c *column) append(dst []byte, row, i int) []byte {
	if c.nullable && c.vector.IsNull(row) {
		return append(dst, c.null)
	}
	switch c.form {
	case formInteger:
		return appendInteger(dst, c.values[i], c.flip)
	case formDouble:
		dst = append(dst, positive^c.flip)
		return binary.BigEndian.AppendUint64(dst, sortable(uint64(c.values[i]), 63)^spread(c.flip))
	case formFloat:
		dst = append(dst, positive^c.flip)
		return binary.BigEndian.AppendUint32(dst, uint32(sortable(uint64(c.values[i]), 31)^spread(c.flip)))
	case formWide:
		return appendWide(dst, stream.Value[types.Int128](c.vector, row), c.flip)
	default:
		return appendBytes(dst, c.vector.Bytes(row), c.flip)
	}
}

// spread returns eight times the byte.
func spread(flip byte) uint64 { return uint64(flip) * 0x0101010101010101 }

func appendInteger(dst []byte, x int64, flip byte) []byte {
	sign := x >> 63
	n := (bits.Len64(uint64(x^sign)) + 7) >> 3
	tag := byte(positive+n)&^byte(sign) | byte(negative-n)&byte(sign)
	dst = append(dst, tag^flip, 0, 0, 0, 0, 0, 0, 0, 0)
	at := len(dst) - 8
	binary.BigEndian.PutUint64(dst[at:], uint64(x)<<(64-8*n)^spread(flip))
	return dst[:at+n]
}

func appendWide(dst []byte, x types.Int128, flip byte) []byte {
	sign := x.Hi >> 63
	var n int
	if hi := uint64(x.Hi ^ sign); hi != 0 {
		n = 8 + (bits.Len64(hi)+7)>>3
	} else {
		n = (bits.Len64(x.Lo^uint64(sign)) + 7) >> 3
	}
	tag := byte(positive+n)&^byte(sign) | byte(negative-n)&byte(sign)
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(x.Hi)^spread(flip))
	binary.BigEndian.PutUint64(b[8:], x.Lo^spread(flip))
	return append(append(dst, tag^flip), b[16-n:]...)
}

// sortable turns the bits of a float, whose sign is bit top, into a number that is ordered as the floats are.
func sortable(x uint64, top uint) uint64 {
	if x>>top&1 != 0 {
		return ^x
	}
	return x | 1<<top
}

const (
	zeroEscaped    = 0x01
	zeroTerminator = 0x00
)

func appendBytes(dst, p []byte, flip byte) []byte {
	from := len(dst)
	dst = append(dst, positive)
	for {
		zero := bytes.IndexByte(p, 0)
		if zero < 0 {
			break
		}
		dst = append(append(dst, p[:zero+1]...), zeroEscaped)
		p = p[zero+1:]
	}
	dst = append(append(dst, p...), 0, zeroTerminator)
	if flip != 0 {
		for i := range dst[from:] {
			dst[from+i] = ^dst[from+i]
		}
	}
	return dst
}

// length returns how many bytes the column takes at the beginning of an order.
func (c *column) length(order []byte) int {
	if order[0] == c.null {
		return 1
	}
	switch c.form {
	case formDouble:
		return 1 + 8
	case formFloat:
		return 1 + 4
	case formBytes:
		at := 1
		for {
			at += bytes.IndexByte(order[at:], c.flip) + 2
			if order[at-1]^c.flip == zeroTerminator {
				return at
			}
		}
	default:
		tag := int(order[0] ^ c.flip)
		return 1 + max(tag-positive, negative-tag)
	}
}

// AppendInteger appends the bytes that an integer or a time has in the i-th column.
func (e *Encoder) AppendInteger(dst []byte, i int, x int64) []byte {
	return appendInteger(dst, x, e.columns[i].flip)
}
