package remote

import (
	"encoding/binary"

	"millrace/internal/failure"
	"millrace/stream"
	"millrace/types"
)

// encoder makes frames. It is owned by a link's writer and keeps its lists.
type encoder struct {
	flight  *flight
	nodes   []byte
	buffers [][]byte
}

// control makes the frame of an element that is not rows.
func (e *encoder) control(h header) *message {
	m := e.flight.newMessage(nil, headerBytes, headerBytes, 1)
	h.put(m.room(headerBytes))
	return m.finish()
}

// rows makes the frame of a batch as it stands, and takes it over.
func (e *encoder) rows(h header, b *stream.Batch) (*message, error) {
	e.describe(&h, b)
	body, own := 0, headerBytes+h.partsBytes()+stream.Alignment
	for _, p := range e.buffers {
		body += aligned(len(p))
		own += stream.Alignment
		if len(p) < ownPieceMin {
			own += len(p)
		}
	}
	if body > bodyBytesMax || h.nodes > partsMax || h.buffers > partsMax || h.rows > rowsMax {
		b.Release()
		return nil, failure.Userf("%d rows of %d bytes in %d buffers: they do not fit into a frame", h.rows, body, h.buffers)
	}
	h.body = body
	m := e.flight.newMessage(b, h.bodyAt()+body, own, 2*len(e.buffers)+1)
	h.put(m.room(headerBytes))
	copy(m.room(len(e.nodes)), e.nodes)
	for _, p := range e.buffers {
		binary.LittleEndian.PutUint32(m.room(lengthBytes), uint32(len(p)))
	}
	m.zeros(h.bodyAt() - headerBytes - h.partsBytes())
	for _, p := range e.buffers {
		m.add(p)
	}
	return m.finish(), nil
}

// describe lists the batch's vectors and buffers, and fills the header in.
func (e *encoder) describe(h *header, b *stream.Batch) {
	e.nodes, e.buffers = e.nodes[:0], e.buffers[:0]
	h.kind, h.rows = stream.RowsElement, b.Len()
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

func (e *encoder) node(encoding stream.Encoding, valid bool, rows int) {
	n := [nodeBytes]byte{0: byte(encoding)}
	if valid {
		n[1] = 1
	}
	binary.LittleEndian.PutUint32(n[4:], uint32(rows))
	e.nodes = append(e.nodes, n[:]...)
}

func (e *encoder) vector(v *stream.Vector) {
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
