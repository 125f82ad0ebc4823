package remote

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	goproto "google.golang.org/protobuf/proto"

	"millrace/failure"
	datav1 "millrace/proto/millrace/data/v1"
)

// passThrough passes frames through as they are and gives everything else to grpc's own
// codec of protobuf, so that a server with it serves any service.
type passThrough struct{ others encoding.CodecV2 }

func newCodec() passThrough { return passThrough{others: encoding.GetCodecV2(proto.Name)} }

// Name is protobuf's: the stream is one of ToConsumer messages.
func (passThrough) Name() string { return proto.Name }

// Marshal takes a frame's pieces as they are.
func (c passThrough) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(*message); ok {
		m.taken = true
		return m.slice, nil
	}
	return c.others.Marshal(v)
}

// Unmarshal hands a frame to its intake, while its pieces are there.
func (c passThrough) Unmarshal(data mem.BufferSlice, v any) error {
	if r, ok := v.(*upward); ok {
		r.err = r.read(data)
		return nil
	}
	return c.others.Unmarshal(data, v)
}

// upward is a message that came from a producer: a frame, which was dealt with
// when read returned, or another.
type upward struct {
	// frame takes a frame of that many bytes.
	frame func(from *cursor, frameBytes int) error
	// other is nil behind a frame.
	other *datav1.ToConsumer
	// err is what was wrong with the message, in words that grpc has not touched.
	err     error
	scratch [prefixBytesMax]byte
}

func (u *upward) read(data mem.BufferSlice) error {
	u.other = nil
	from := newCursor(data)
	total := from.left
	if total > 0 && from.advance() && from.piece[0] == frameTag {
		return u.readFrame(data, total)
	}
	m := &datav1.ToConsumer{}
	if err := goproto.Unmarshal(data.Materialize(), m); err != nil {
		return failure.Internal(fmt.Errorf("read a message of %d bytes: %w", total, err))
	}
	if _, isFrame := m.Message.(*datav1.ToConsumer_Frame); isFrame {
		return failure.Internalf("a frame behind other fields")
	}
	u.other = m
	return nil
}

func (u *upward) readFrame(data mem.BufferSlice, total int) error {
	prefix := u.scratch[:min(len(u.scratch), total)]
	data.CopyTo(prefix)
	n, k := binary.Uvarint(prefix[1:])
	if k <= 0 || n != uint64(total-1-k) {
		return failure.Internalf("a frame of %d bytes in a message of %d", n, total)
	}
	from := newCursor(data)
	from.Skip(1 + k)
	return u.frame(&from, int(n))
}
