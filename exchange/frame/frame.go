package frame

import (
	"encoding/binary"

	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

// Version is the version of the frame's layout (docs/design/0003-exchange-remote.md).
// Version 2 has a barrier's trigger time in bytes that were zero.
const Version = 2

// HeaderBytes is the size of a frame's header, which is the whole of a control frame.
const HeaderBytes = 64

const (
	nodeBytes   = 8
	lengthBytes = 4
)

// Flags of a frame of rows.
const (
	flagKinds     = 1 << 0
	flagSelection = 1 << 1
)

// Header is the fixed beginning of every frame.
type Header struct {
	Kind     stream.ElementKind
	flags    byte
	detail   byte // of a status: 1 idle; of a barrier: its kind
	Channel  uint32
	Attempt  types.Attempt
	Sequence uint64
	Value    int64 // watermark, barrier's id, or the charge of rows
	trigger  int64 // of a barrier: when it was triggered
	rows     int
	selected int
	nodes    int
	buffers  int
	body     int // bytes
}

// Put writes the header to the first HeaderBytes of to.
func (h *Header) Put(to []byte) {
	clear(to[:HeaderBytes])
	to[0], to[1], to[2], to[3] = Version, byte(h.Kind), h.flags, h.detail
	binary.LittleEndian.PutUint32(to[4:], h.Channel)
	binary.LittleEndian.PutUint64(to[8:], uint64(h.Attempt))
	binary.LittleEndian.PutUint64(to[16:], h.Sequence)
	binary.LittleEndian.PutUint64(to[24:], uint64(h.Value))
	binary.LittleEndian.PutUint32(to[32:], uint32(h.rows))
	binary.LittleEndian.PutUint32(to[36:], uint32(h.selected))
	binary.LittleEndian.PutUint32(to[40:], uint32(h.nodes))
	binary.LittleEndian.PutUint32(to[44:], uint32(h.buffers))
	binary.LittleEndian.PutUint64(to[48:], uint64(h.body))
	binary.LittleEndian.PutUint64(to[56:], uint64(h.trigger))
}

// Parse reads the header of a frame of that many bytes. What it returns
// without an error fits that length and the limits.
func Parse(from []byte, frameBytes int) (Header, error) {
	if len(from) < HeaderBytes || frameBytes < HeaderBytes {
		return Header{}, failure.Internalf("a frame of %d bytes has no header", frameBytes)
	}
	if from[0] != Version {
		return Header{}, failure.Internalf("frame version %d, want %d", from[0], Version)
	}
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(from[at:])) }
	h := Header{
		Kind: stream.ElementKind(from[1]), flags: from[2], detail: from[3],
		Channel:  binary.LittleEndian.Uint32(from[4:]),
		Attempt:  types.Attempt(binary.LittleEndian.Uint64(from[8:])),
		Sequence: binary.LittleEndian.Uint64(from[16:]),
		Value:    int64(binary.LittleEndian.Uint64(from[24:])),
		trigger:  int64(binary.LittleEndian.Uint64(from[56:])),
		rows:     u32(32), selected: u32(36), nodes: u32(40), buffers: u32(44),
	}
	body := binary.LittleEndian.Uint64(from[48:])
	if body > BodyBytesMax {
		return Header{}, failure.Internalf("a frame's body of %d bytes, the limit is %d", body, BodyBytesMax)
	}
	h.body = int(body)
	if h.trigger != 0 && h.Kind != stream.BarrierElement {
		return Header{}, failure.Internalf("a frame's header has unknown fields")
	}
	return h, h.check(frameBytes)
}

func (h *Header) check(frameBytes int) error {
	switch h.Kind {
	case stream.RowsElement:
		return h.checkRows(frameBytes)
	case stream.WatermarkElement, stream.StatusElement, stream.BarrierElement, stream.EndElement:
		if h.body != 0 || h.nodes != 0 || h.buffers != 0 || frameBytes != HeaderBytes {
			return failure.Internalf("a control frame of %d bytes", frameBytes)
		}
		return h.checkControl()
	default:
		return failure.Internalf("a frame of kind %d", h.Kind)
	}
}

func (h *Header) checkControl() error {
	if h.Kind == stream.StatusElement && h.detail > 1 || h.Kind == stream.BarrierElement && stream.BarrierKind(h.detail) > stream.Final {
		return failure.Internalf("a control frame of kind %d with detail %d", h.Kind, h.detail)
	}
	return nil
}

func (h *Header) checkRows(frameBytes int) error {
	switch {
	case h.rows > rowsMax || h.selected > h.rows:
		return failure.Internalf("a frame of %d of %d rows, the limit is %d", h.selected, h.rows, rowsMax)
	case h.nodes > partsMax || h.buffers > partsMax:
		return failure.Internalf("a frame of %d vectors and %d buffers, the limit is %d", h.nodes, h.buffers, partsMax)
	case h.flags&^(flagKinds|flagSelection) != 0:
		return failure.Internalf("a frame with flags %#x", h.flags)
	case h.Value < 0:
		return failure.Internalf("a frame that costs %d bytes", h.Value)
	case frameBytes != h.BodyAt()+h.body:
		return failure.Internalf("a frame of %d bytes, its header says %d", frameBytes, h.BodyAt()+h.body)
	}
	return nil
}

// BodyAt returns where the body begins.
func (h *Header) BodyAt() int { return Aligned(HeaderBytes + h.PartsBytes()) }

// PartsBytes returns the size of what describes the vectors.
func (h *Header) PartsBytes() int { return h.nodes*nodeBytes + h.buffers*lengthBytes }

// Aligned returns n rounded up to where the next buffer may begin.
func Aligned(n int) int { return (n + stream.Alignment - 1) &^ (stream.Alignment - 1) }

// ControlHeader returns the header that an element other than rows is.
func ControlHeader(e stream.Element) Header {
	h := Header{Kind: e.Kind}
	switch e.Kind {
	case stream.WatermarkElement:
		h.Value = int64(e.Watermark)
	case stream.StatusElement:
		if e.Idle {
			h.detail = 1
		}
	case stream.BarrierElement:
		h.Value, h.detail, h.trigger = int64(e.Barrier.ID), byte(e.Barrier.Kind), e.Barrier.Triggered
	default: // an end says all by being there
	}
	return h
}

// Control returns the element that a control frame is.
func (h *Header) Control() stream.Element {
	switch h.Kind {
	case stream.WatermarkElement:
		return stream.WatermarkOf(stream.Watermark(h.Value))
	case stream.StatusElement:
		return stream.StatusOf(h.detail == 1)
	case stream.BarrierElement:
		return stream.BarrierOf(stream.Barrier{
			ID: types.CheckpointID(h.Value), Kind: stream.BarrierKind(h.detail), Triggered: h.trigger,
		})
	default:
		return stream.End()
	}
}

// FrameBytes returns the size of the frame.
func (h *Header) FrameBytes() int { return h.BodyAt() + h.body }
