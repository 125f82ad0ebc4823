package remote

import (
	"encoding/binary"

	"millrace/internal/failure"
	"millrace/stream"
	"millrace/types"
)

// FrameVersion is the version of the frame's layout (docs/design/0003-exchange-remote.md).
// Version 2 has a barrier's trigger time in bytes that were zero.
const FrameVersion = 2

const (
	headerBytes = 64
	nodeBytes   = 8
	lengthBytes = 4
)

// Flags of a frame of rows.
const (
	flagKinds     = 1 << 0
	flagSelection = 1 << 1
)

// header is the fixed beginning of every frame.
type header struct {
	kind     stream.ElementKind
	flags    byte
	detail   byte // of a status: 1 idle; of a barrier: its kind
	channel  uint32
	attempt  types.Attempt
	sequence uint64
	value    int64 // watermark, barrier's id, or the charge of rows
	trigger  int64 // of a barrier: when it was triggered
	rows     int
	selected int
	nodes    int
	buffers  int
	body     int // bytes
}

func (h *header) put(to []byte) {
	clear(to[:headerBytes])
	to[0], to[1], to[2], to[3] = FrameVersion, byte(h.kind), h.flags, h.detail
	binary.LittleEndian.PutUint32(to[4:], h.channel)
	binary.LittleEndian.PutUint64(to[8:], uint64(h.attempt))
	binary.LittleEndian.PutUint64(to[16:], h.sequence)
	binary.LittleEndian.PutUint64(to[24:], uint64(h.value))
	binary.LittleEndian.PutUint32(to[32:], uint32(h.rows))
	binary.LittleEndian.PutUint32(to[36:], uint32(h.selected))
	binary.LittleEndian.PutUint32(to[40:], uint32(h.nodes))
	binary.LittleEndian.PutUint32(to[44:], uint32(h.buffers))
	binary.LittleEndian.PutUint64(to[48:], uint64(h.body))
	binary.LittleEndian.PutUint64(to[56:], uint64(h.trigger))
}

// parseHeader reads the header of a frame of that many bytes. What it returns
// without an error fits that length and the limits.
func parseHeader(from []byte, frameBytes int) (header, error) {
	if len(from) < headerBytes || frameBytes < headerBytes {
		return header{}, failure.Internalf("a frame of %d bytes has no header", frameBytes)
	}
	if from[0] != FrameVersion {
		return header{}, failure.Internalf("frame version %d, want %d", from[0], FrameVersion)
	}
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(from[at:])) }
	h := header{
		kind: stream.ElementKind(from[1]), flags: from[2], detail: from[3],
		channel:  binary.LittleEndian.Uint32(from[4:]),
		attempt:  types.Attempt(binary.LittleEndian.Uint64(from[8:])),
		sequence: binary.LittleEndian.Uint64(from[16:]),
		value:    int64(binary.LittleEndian.Uint64(from[24:])),
		trigger:  int64(binary.LittleEndian.Uint64(from[56:])),
		rows:     u32(32), selected: u32(36), nodes: u32(40), buffers: u32(44),
	}
	body := binary.LittleEndian.Uint64(from[48:])
	if body > bodyBytesMax {
		return header{}, failure.Internalf("a frame's body of %d bytes, the limit is %d", body, bodyBytesMax)
	}
	h.body = int(body)
	if h.trigger != 0 && h.kind != stream.BarrierElement {
		return header{}, failure.Internalf("a frame's header has unknown fields")
	}
	return h, h.check(frameBytes)
}

func (h *header) check(frameBytes int) error {
	switch h.kind {
	case stream.RowsElement:
		return h.checkRows(frameBytes)
	case stream.WatermarkElement, stream.StatusElement, stream.BarrierElement, stream.EndElement:
		if h.body != 0 || h.nodes != 0 || h.buffers != 0 || frameBytes != headerBytes {
			return failure.Internalf("a control frame of %d bytes", frameBytes)
		}
		return h.checkControl()
	default:
		return failure.Internalf("a frame of kind %d", h.kind)
	}
}

func (h *header) checkControl() error {
	if h.kind == stream.StatusElement && h.detail > 1 || h.kind == stream.BarrierElement && stream.BarrierKind(h.detail) > stream.Final {
		return failure.Internalf("a control frame of kind %d with detail %d", h.kind, h.detail)
	}
	return nil
}

func (h *header) checkRows(frameBytes int) error {
	switch {
	case h.rows > rowsMax || h.selected > h.rows:
		return failure.Internalf("a frame of %d of %d rows, the limit is %d", h.selected, h.rows, rowsMax)
	case h.nodes > partsMax || h.buffers > partsMax:
		return failure.Internalf("a frame of %d vectors and %d buffers, the limit is %d", h.nodes, h.buffers, partsMax)
	case h.flags&^(flagKinds|flagSelection) != 0:
		return failure.Internalf("a frame with flags %#x", h.flags)
	case h.value < 0:
		return failure.Internalf("a frame that costs %d bytes", h.value)
	case frameBytes != h.bodyAt()+h.body:
		return failure.Internalf("a frame of %d bytes, its header says %d", frameBytes, h.bodyAt()+h.body)
	}
	return nil
}

// bodyAt returns where the body begins.
func (h *header) bodyAt() int { return aligned(headerBytes + h.partsBytes()) }

// partsBytes returns the size of what describes the vectors.
func (h *header) partsBytes() int { return h.nodes*nodeBytes + h.buffers*lengthBytes }

func aligned(n int) int { return (n + stream.Alignment - 1) &^ (stream.Alignment - 1) }

// controlHeader returns the header that an element other than rows is.
func controlHeader(e stream.Element) header {
	h := header{kind: e.Kind}
	switch e.Kind {
	case stream.WatermarkElement:
		h.value = int64(e.Watermark)
	case stream.StatusElement:
		if e.Idle {
			h.detail = 1
		}
	case stream.BarrierElement:
		h.value, h.detail, h.trigger = int64(e.Barrier.ID), byte(e.Barrier.Kind), e.Barrier.Triggered
	default: // an end says all by being there
	}
	return h
}

// control returns the element that a control frame is.
func (h *header) control() stream.Element {
	switch h.kind {
	case stream.WatermarkElement:
		return stream.WatermarkOf(stream.Watermark(h.value))
	case stream.StatusElement:
		return stream.StatusOf(h.detail == 1)
	case stream.BarrierElement:
		return stream.BarrierOf(stream.Barrier{
			ID: types.CheckpointID(h.value), Kind: stream.BarrierKind(h.detail), Triggered: h.trigger,
		})
	default:
		return stream.End()
	}
}
