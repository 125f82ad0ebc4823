package inflight

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"millrace/exchange/frame"
	"millrace/failure"
	"millrace/jobgraph/codec"
	"millrace/stream"
	"millrace/types"
)

// ErrCorrupt says that an object is not what was written.
var ErrCorrupt = errors.New("what was in flight is corrupt")

func corrupt(format string, args ...any) error {
	return failure.Internal(fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...)))
}

// Channel is a channel of an object. It borrows the object's bytes.
type Channel struct {
	Edge, From int32
	// Watermark and Idle are how the channel stood before its first element.
	Watermark stream.Watermark
	Idle      bool
	// Schema is that of the channel's rows; nil: there are none.
	Schema *types.Schema

	number uint32
	frames []byte
}

// Open takes an object apart as far as its channels.
func Open(object []byte) ([]Channel, error) {
	r, channels, err := open(object)
	if err != nil {
		return nil, err
	}
	if channels > len(r.left)/channelBytes {
		return nil, corrupt("%d channels in %d bytes", channels, len(r.left))
	}
	out := make([]Channel, channels)
	for i := range out {
		if err := r.channel(&out[i], uint32(i)); err != nil {
			return nil, fmt.Errorf("channel %d: %w", i, err)
		}
	}
	if len(r.left) > 0 {
		return nil, corrupt("%d bytes behind the last channel", len(r.left))
	}
	return out, nil
}

// open checks what must be right before anything is believed.
func open(object []byte) (*reader, int, error) {
	switch {
	case len(object) > ObjectBytesMax:
		return nil, 0, corrupt("%d bytes, the limit is %d", len(object), ObjectBytesMax)
	case len(object) < headBytes+sumBytes:
		return nil, 0, corrupt("%d bytes", len(object))
	case string(object[:len(magic)]) != magic:
		return nil, 0, corrupt("it does not begin as such an object does")
	}
	if v := binary.LittleEndian.Uint32(object[len(magic):]); v != FormatVersion {
		return nil, 0, failure.Internalf("what was in flight is of format version %d, this build reads version %d", v, FormatVersion)
	}
	body, sum := object[:len(object)-sumBytes], binary.LittleEndian.Uint32(object[len(object)-sumBytes:])
	if crc32.Checksum(body, table) != sum {
		return nil, 0, corrupt("its checksum is wrong")
	}
	return &reader{left: body[headBytes:]}, int(binary.LittleEndian.Uint32(object[len(magic)+4:])), nil
}

type reader struct{ left []byte }

// take returns the next n bytes, nil where there are fewer.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.left) {
		return nil
	}
	p := r.left[:n:n]
	r.left = r.left[n:]
	return p
}

func (r *reader) channel(c *Channel, number uint32) error {
	head := r.take(channelBytes)
	if head == nil {
		return corrupt("it ends in the head of a channel")
	}
	*c = Channel{
		Edge: int32(binary.LittleEndian.Uint32(head[0:])), From: int32(binary.LittleEndian.Uint32(head[4:])),
		Watermark: stream.Watermark(binary.LittleEndian.Uint64(head[8:])), Idle: head[16] == 1, number: number,
	}
	if c.Edge < 0 || c.From < 0 || head[16] > 1 || head[17]|head[18]|head[19] != 0 || binary.LittleEndian.Uint32(head[24:]) != number {
		return corrupt("the head of a channel is wrong")
	}
	if err := r.schema(c, int(binary.LittleEndian.Uint32(head[20:]))); err != nil {
		return err
	}
	all := r.left
	for {
		length := r.take(lengthBytes)
		if length == nil {
			return corrupt("it ends between frames")
		}
		n := binary.LittleEndian.Uint64(length)
		if n == 0 {
			break
		}
		if n > uint64(len(r.left)) || r.take(int(n)) == nil {
			return corrupt("a frame of %d bytes, %d are left", n, len(r.left))
		}
	}
	c.frames = all[:len(all)-len(r.left)-lengthBytes]
	return nil
}

func (r *reader) schema(c *Channel, n int) error {
	if n == 0 {
		return nil
	}
	p := r.take(n)
	if p == nil || n > schemaBytesMax {
		return corrupt("a schema of %d bytes", n)
	}
	s, err := codec.DecodeSchema(p)
	if err != nil {
		return corrupt("a schema: %v", err)
	}
	c.Schema = s
	return nil
}

// Each gives the channel's elements to visit, in their order, each of which it takes
// over, and ends at the first error.
func (c *Channel) Each(pool *stream.Pool, visit func(stream.Element) error) error {
	d := frame.Decoder{Pool: pool}
	r := &reader{left: c.frames}
	for sequence := uint64(1); len(r.left) > 0; sequence++ {
		raw := r.take(int(binary.LittleEndian.Uint64(r.take(lengthBytes))))
		e, err := c.element(&d, raw, sequence)
		if err != nil {
			return fmt.Errorf("frame %d of channel %d: %w", sequence, c.number, err)
		}
		if err := visit(e); err != nil {
			return err
		}
	}
	return nil
}

func (c *Channel) element(d *frame.Decoder, raw []byte, sequence uint64) (stream.Element, error) {
	h, err := frame.Parse(raw, len(raw))
	if err != nil {
		return stream.Element{}, corrupt("%v", err)
	}
	if h.Channel != c.number || h.Sequence != sequence {
		return stream.Element{}, corrupt("it says that it is frame %d of channel %d", h.Sequence, h.Channel)
	}
	switch h.Kind {
	case stream.RowsElement:
		b, err := d.Rows(&h, c.Schema, &source{raw[frame.HeaderBytes:]})
		if err != nil {
			return stream.Element{}, corrupt("%v", err)
		}
		return stream.RowsOf(b), nil
	case stream.WatermarkElement, stream.StatusElement:
		return h.Control(), nil
	default:
		return stream.Element{}, corrupt("it is %s", h.Control())
	}
}

// source implements frame.Source over bytes.
type source struct{ left []byte }

func (s *source) Read(to []byte) { s.left = s.left[copy(to, s.left):] }

func (s *source) Skip(n int) { s.left = s.left[min(n, len(s.left)):] }
