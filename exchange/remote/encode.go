package remote

import (
	"millrace/exchange/frame"
	"millrace/stream"
)

// encoder makes frames. It is owned by a link's writer and keeps its lists.
type encoder struct {
	flight *flight
	parts  frame.Parts
}

// control makes the frame of an element that is not rows.
func (e *encoder) control(h frame.Header) *message {
	m := e.flight.newMessage(nil, frame.HeaderBytes, frame.HeaderBytes, 1)
	h.Put(m.room(frame.HeaderBytes))
	return m.finish()
}

// rows makes the frame of a batch as it stands, and takes it over.
func (e *encoder) rows(h frame.Header, b *stream.Batch) (*message, error) {
	if err := e.parts.Of(&h, b); err != nil {
		b.Release()
		return nil, err
	}
	buffers, own := e.parts.Buffers(), h.BodyAt()
	for _, p := range buffers {
		own += stream.Alignment
		if len(p) < ownPieceMin {
			own += len(p)
		}
	}
	m := e.flight.newMessage(b, h.FrameBytes(), own, 2*len(buffers)+1)
	h.Put(m.room(frame.HeaderBytes))
	e.parts.Put(m.room(h.BodyAt() - frame.HeaderBytes))
	for _, p := range buffers {
		m.add(p)
	}
	return m.finish(), nil
}
