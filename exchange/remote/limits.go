package remote

import (
	"time"

	"millrace/exchange"
	"millrace/exchange/frame"
)

// Bounds of what goes between processes.
const (
	// messageBytesMax bounds a message of the stream.
	messageBytesMax = frame.BodyBytesMax + 1<<20
	// chargesMax is how many batches a channel's credit is good for at most: each
	// costs at least that part of it.
	chargesMax = 64
	// queuedMax is where a channel's queue stops growing, at either end. Only
	// control, which needs no credit, gets it that far, and the channel breaks.
	queuedMax = 1024
	// channelsMax bounds the channels of one stream, and of one process.
	channelsMax = exchange.ChannelsMax * 32
	// streamsMax bounds the streams that a process accepts at a time.
	streamsMax = 4096
	// detailBytesMax bounds a reason that is told to a peer, or believed from one.
	detailBytesMax = 1 << 10

	// handshakeTimeout bounds connecting and the handshake together.
	handshakeTimeout = 10 * time.Second
	// backoffMin and backoffMax bound the pause before a peer is tried again.
	backoffMin = 20 * time.Millisecond
	backoffMax = 5 * time.Second
	// drainTimeout is how long a link waits for the peer to have read the last of it.
	drainTimeout = 10 * time.Second

	// keepaliveTime and keepaliveTimeout find a peer that vanished in silence. A ping
	// waits behind the rows of a full window, so that a link of less than windowBytes
	// within the timeout would look dead while it works; the control plane finds a
	// silent peer long before.
	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 60 * time.Second

	// windowBytes is HTTP/2's window of a stream and of its connection. It is no
	// limit on memory: the reader never waits. It is small enough that bytes are
	// still in the cache when they are copied out.
	windowBytes = 2 << 20
	// ioBytes is the size of a connection's write and read buffers.
	ioBytes = 128 << 10
)
