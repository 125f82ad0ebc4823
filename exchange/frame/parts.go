package frame

import (
	"encoding/binary"

	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

// Parts lists the vectors and buffers of a batch as a frame has them. It is owned by
// one goroutine and keeps its lists.
type Parts struct {
	nodes   []byte
	buffers [][]byte
}

// Of lists the batch's, and fills the header in. The batch is borrowed for as long as
// the lists are. The error is the user's: the batch fits into no frame.
func (e *Parts) Of(h *Header, b *stream.Batch) error {
	e.describe(h, b)
	body := 0
	for _, p := range e.buffers {
		body += Aligned(len(p))
	}
	if body > BodyBytesMax || h.nodes > partsMax || h.buffers > partsMax || h.rows > rowsMax {
		return failure.Userf("%d rows of %d bytes in %d buffers: they do not fit into a frame", h.rows, body, h.buffers)
	}
	h.body = body
	return nil
}

// Buffers returns the batch's buffers, which are the frame's body.
func (e *Parts) Buffers() [][]byte { return e.buffers }

// Put writes what stands between the header and the body to the first
// h.BodyAt()-HeaderBytes of to.
func (e *Parts) Put(to []byte) {
	n := copy(to, e.nodes)
	for _, p := range e.buffers {
		binary.LittleEndian.PutUint32(to[n:], uint32(len(p)))
		n += lengthBytes
	}
	clear(to[n:])
}

// describe lists the batch's vectors and buffers, and fills the header in.
func (e *Parts) describe(h *Header, b *stream.Batch) {
	e.nodes, e.buffers = e.nodes[:0], e.buffers[:0]
	h.Kind, h.rows = stream.RowsElement, b.Len()
	for i := range b.Columns {
		e.vector(&b.Columns[i])
	}
	if kinds := b.Kinds(); kinds != nil {
		h.flags |= flagKinds
		e.buffers = append(e.buffers, stream.BytesOfKinds(kinds))
	}
	if sel := b.Sel(); sel != nil {
		h.flags |= flagSelection
		h.selected = len(sel)
		e.buffers = append(e.buffers, stream.BytesOf(sel))
	}
	h.nodes, h.buffers = len(e.nodes)/nodeBytes, len(e.buffers)
}

func (e *Parts) node(encoding stream.Encoding, valid bool, rows int) {
	n := [nodeBytes]byte{0: byte(encoding)}
	if valid {
		n[1] = 1
	}
	binary.LittleEndian.PutUint32(n[4:], uint32(rows))
	e.nodes = append(e.nodes, n[:]...)
}

func (e *Parts) vector(v *stream.Vector) {
	if v.Len() == 0 {
		e.node(stream.Flat, false, 0)
		return
	}
	e.node(v.Encoding, v.HasNulls(), v.Len())
	n := v.Physical()
	if v.HasNulls() {
		e.buffers = append(e.buffers, v.Valid()[:stream.Words(n)].Bytes())
	}
	if v.Encoding == stream.Dictionary {
		e.buffers = append(e.buffers, v.Data()[:n*4])
		e.vector(v.Dict())
		return
	}
	switch l := v.Type.Layout(); l {
	case types.LayoutBytes:
		e.buffers = append(e.buffers, stream.BytesOf(v.Offsets()[:n+1]), v.Data()[:v.Offsets()[n]])
	case types.LayoutList:
		e.buffers = append(e.buffers, stream.BytesOf(v.Offsets()[:n+1]))
	case types.LayoutBit:
		e.buffers = append(e.buffers, v.Data()[:stream.Words(n)*8])
	case types.LayoutStruct, types.LayoutNone:
	default:
		e.buffers = append(e.buffers, v.Data()[:n*l.Width()])
	}
	for i := range v.Children() {
		e.vector(v.Child(i))
	}
}
