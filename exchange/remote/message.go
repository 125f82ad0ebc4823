package remote

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"millrace/exchange/frame"
	"millrace/stream"
)

// frameField is the number of ToConsumer's field that a frame is.
const frameField = 2

// frameTag begins a message that is a frame, its length follows.
var frameTag = byte(protowire.EncodeTag(frameField, protowire.BytesType))

const (
	// ownPieceMin is the least size of a buffer that travels without being copied
	// into the message's own memory. grpc keeps no count of references for what is
	// at most 1 KiB.
	ownPieceMin = 2 << 10
	countedMin  = 1<<10 + 1
	// prefixBytesMax is the tag and the longest length.
	prefixBytesMax = 1 + binary.MaxVarintLen32
)

// message is a frame on its way out: memory of its own for header and small
// buffers, and the large buffers of a batch, which it holds until grpc has
// written them.
type message struct {
	// slice is what grpc sends. It is made anew for each frame: grpc may look at
	// it after it has freed the last piece.
	slice  mem.BufferSlice
	pieces [][]byte // never grows beyond its capacity: grpc has pointers into it
	left   atomic.Int32
	batch  *stream.Batch
	own    *stream.Buffer
	used   int // of own
	run    int // where the piece of own begins that is being filled
	bytes  int
	// taken: grpc has the pieces, and frees them.
	taken  bool
	flight *flight
}

// flight is the messages of a session that are under way. grpc frees what it has
// written; what was on its way when a connection broke it merely forgets, so the
// session gives that back itself.
type flight struct {
	pool *stream.Pool
	mu   struct {
		sync.Mutex
		out  map[*message]struct{}
		free []*message
	}
}

func newFlight(pool *stream.Pool) *flight {
	f := &flight{pool: pool}
	f.mu.out = make(map[*message]struct{})
	return f
}

func (f *flight) begin() *message {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := &message{flight: f}
	if last := len(f.mu.free) - 1; last >= 0 {
		m = f.mu.free[last]
		f.mu.free = f.mu.free[:last]
	}
	f.mu.out[m] = struct{}{}
	return m
}

// end gives back what a message holds, unless abandon has done so.
func (f *flight) end(m *message) {
	f.mu.Lock()
	_, out := f.mu.out[m]
	delete(f.mu.out, m)
	f.mu.Unlock()
	if !out {
		return
	}
	m.release()
	f.mu.Lock()
	f.mu.free = append(f.mu.free, m)
	f.mu.Unlock()
}

// abandon gives back what is still out. The connection is closed: nothing that
// grpc may still read reaches anybody.
func (f *flight) abandon() {
	f.mu.Lock()
	out := f.mu.out
	f.mu.out = nil
	f.mu.Unlock()
	for m := range out {
		m.batch.Release()
		m.own.Release()
	}
}

// newMessage returns a message with ownBytes of its own and room for that many
// pieces. It takes the batch over, which may be nil.
func (f *flight) newMessage(b *stream.Batch, frameBytes, ownBytes, pieces int) *message {
	m := f.begin()
	m.batch, m.own = b, f.pool.Get(prefixBytesMax+ownBytes+countedMin)
	m.used, m.run, m.bytes, m.taken = 0, 0, 0, false
	if cap(m.pieces) < pieces {
		m.pieces = make([][]byte, 0, pieces)
	}
	m.pieces = m.pieces[:0]
	m.slice = make(mem.BufferSlice, 0, pieces)
	m.left.Store(1) // this one is the sender's
	prefix := append(m.own.Bytes()[:0], frameTag)
	m.used = len(binary.AppendUvarint(prefix, uint64(frameBytes)))
	return m
}

// room returns the next n bytes of the message's own memory.
func (m *message) room(n int) []byte {
	p := m.own.Bytes()[m.used : m.used+n]
	m.used += n
	return p
}

// zeros appends that many bytes of padding.
func (m *message) zeros(n int) { clear(m.room(n)) }

// add appends a buffer and pads it. A large one is not copied.
func (m *message) add(p []byte) {
	if len(p) < ownPieceMin {
		copy(m.room(len(p)), p)
	} else {
		m.endRun()
		m.addPiece(slices.Clip(p))
	}
	m.zeros(frame.Aligned(len(p)) - len(p))
}

// endRun makes a piece of the message's own memory that was filled since the last.
func (m *message) endRun() {
	if m.used > m.run {
		m.addPiece(m.own.Bytes()[m.run:m.used])
		m.run = m.used
	}
}

func (m *message) addPiece(p []byte) {
	m.pieces = append(m.pieces, p)
	m.left.Add(1)
	m.bytes += len(p)
	m.slice = append(m.slice, mem.NewBuffer(&m.pieces[len(m.pieces)-1], m))
}

// finish returns the message ready to be sent.
func (m *message) finish() *message {
	m.endRun()
	return m
}

// sent ends the sender's part: SendMsg has returned, and may have failed before it
// took the message.
func (m *message) sent() {
	if !m.taken {
		m.slice.Free()
	}
	m.Put(nil)
}

// Get is what grpc's pools have and nobody calls here.
func (*message) Get(n int) *[]byte {
	p := make([]byte, n)
	return &p
}

// Put is called by grpc once for each piece that it needs no more, and by sent.
func (m *message) Put(*[]byte) {
	if m.left.Add(-1) == 0 {
		m.flight.end(m)
	}
}

func (m *message) release() {
	m.batch.Release()
	m.own.Release()
	clear(m.pieces)
	m.batch, m.own, m.slice = nil, nil, nil
}
