package inflight

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"millrace/exchange"
	"millrace/exchange/frame"
	"millrace/failure"
	"millrace/jobgraph/codec"
	"millrace/stream"
	"millrace/types"
)

// FormatVersion is the version of the object that this code writes and the only one so
// far. Its frames are of frame.Version 2.
const FormatVersion = 1

const (
	magic        = "MRINFLT\n"
	headBytes    = len(magic) + 4 + 4
	channelBytes = 4 + 4 + 8 + 4 + 4 + 4
	lengthBytes  = 8
	sumBytes     = 4
)

var table = crc32.MakeTable(crc32.Castagnoli)

// Info says what was written.
type Info struct {
	Bytes  int64
	Rows   int64
	Frames int64
}

// Write writes the object of what was in flight, which it borrows. The pool is for what
// has to be brought into another shape.
func Write(to io.Writer, f *exchange.InFlight, pool *stream.Pool) (Info, error) {
	sum := crc32.New(table)
	w := &writer{buffered: bufio.NewWriterSize(to, 64<<10), compact: frame.Compactor{Pool: pool}}
	w.out = io.MultiWriter(w.buffered, sum)
	head := append([]byte(magic), make([]byte, 8)...)
	binary.LittleEndian.PutUint32(head[len(magic):], FormatVersion)
	binary.LittleEndian.PutUint32(head[len(magic)+4:], uint32(len(f.Channels)))
	w.put(head)
	for i := range f.Channels {
		if err := w.channel(uint32(i), &f.Channels[i]); err != nil {
			return Info{}, fmt.Errorf("what was in flight on edge %d from subtask %d: %w", f.Channels[i].Edge, f.Channels[i].From, err)
		}
	}
	w.out = w.buffered
	w.put(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
	if w.err == nil {
		w.err = w.buffered.Flush()
	}
	return w.info, w.err
}

// writer keeps the first error of its output.
type writer struct {
	buffered *bufio.Writer
	out      io.Writer
	compact  frame.Compactor
	parts    frame.Parts
	scratch  []byte
	info     Info
	err      error
	// Of the channel at hand.
	number   uint32
	sequence uint64
}

func (w *writer) put(p []byte) {
	if w.err == nil {
		_, w.err = w.out.Write(p)
		w.info.Bytes += int64(len(p))
	}
}

// channel writes a channel's head, the schema of its rows, and its frames, behind the
// last of which stands a length of zero.
func (w *writer) channel(number uint32, c *exchange.InFlightChannel) error {
	schema, err := schemaOf(c)
	if err != nil {
		return err
	}
	var head [channelBytes]byte
	binary.LittleEndian.PutUint32(head[0:], uint32(c.Edge))
	binary.LittleEndian.PutUint32(head[4:], uint32(c.From))
	binary.LittleEndian.PutUint64(head[8:], uint64(c.Watermark))
	if c.Idle {
		head[16] = 1
	}
	binary.LittleEndian.PutUint32(head[20:], uint32(len(schema)))
	binary.LittleEndian.PutUint32(head[24:], number)
	w.put(head[:])
	w.put(schema)
	w.number, w.sequence = number, 0
	for _, e := range c.Elements {
		if err := w.element(e); err != nil {
			return err
		}
	}
	w.put(make([]byte, lengthBytes))
	return nil
}

// schemaOf returns the schema of the channel's rows, nothing where there are none.
func schemaOf(c *exchange.InFlightChannel) ([]byte, error) {
	var s *types.Schema
	for _, e := range c.Elements {
		switch {
		case e.Kind != stream.RowsElement:
		case s == nil:
			s = e.Batch.Schema
		case s != e.Batch.Schema && !s.Equal(e.Batch.Schema):
			return nil, failure.Internalf("rows of %s behind rows of %s", e.Batch.Schema, s)
		}
	}
	if s == nil {
		return nil, nil
	}
	return codec.EncodeSchema(s)
}

func (w *writer) element(e stream.Element) error {
	if e.Kind != stream.RowsElement {
		h := frame.ControlHeader(e)
		w.header(&h)
		return w.err
	}
	return w.compact.Each(e.Batch.Retain(), func(b *stream.Batch) error {
		defer b.Release()
		var h frame.Header
		if err := w.parts.Of(&h, b); err != nil {
			return err
		}
		w.header(&h)
		w.scratch = append(w.scratch[:0], make([]byte, h.BodyAt()-frame.HeaderBytes)...)
		w.parts.Put(w.scratch)
		w.put(w.scratch)
		for _, p := range w.parts.Buffers() {
			w.put(p)
			var zeros [stream.Alignment]byte
			w.put(zeros[:frame.Aligned(len(p))-len(p)])
		}
		w.info.Rows += int64(b.Rows())
		return w.err
	})
}

// header writes the length of a frame and its header.
func (w *writer) header(h *frame.Header) {
	w.sequence++
	w.info.Frames++
	h.Channel, h.Sequence = w.number, w.sequence
	n := frame.HeaderBytes
	if h.Kind == stream.RowsElement {
		n = h.FrameBytes()
	}
	var head [lengthBytes + frame.HeaderBytes]byte
	binary.LittleEndian.PutUint64(head[:], uint64(n))
	h.Put(head[lengthBytes:])
	w.put(head[:])
}
