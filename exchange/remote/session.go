package remote

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"

	"millrace/exchange"
	"millrace/exchange/frame"
	"millrace/exchange/internal/queue"
	"millrace/failure"
	"millrace/jobgraph/codec"
	datav1 "millrace/proto/millrace/data/v1"
	"millrace/stream"
)

// session is one stream of a link, as its writer sees it.
type session struct {
	link    *link
	stream  grpc.ClientStream
	encoder encoder
	sockets sockets
	// welcomed is closed when the peer has accepted the handshake, ended when the
	// stream is over; cause is why, and is read behind it.
	welcomed, ended chan struct{}
	cause           error
}

var exchangeDesc = &grpc.StreamDesc{StreamName: "Exchange", ClientStreams: true, ServerStreams: true}

func (n *Network) dialOptions() []grpc.DialOption {
	return append([]grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(n.codec), grpc.MaxCallRecvMsgSize(messageBytesMax), grpc.MaxCallSendMsgSize(messageBytesMax)),
		grpc.WithStaticStreamWindowSize(windowBytes),
		grpc.WithStaticConnWindowSize(windowBytes),
		grpc.WithWriteBufferSize(ioBytes),
		grpc.WithReadBufferSize(ioBytes),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: handshakeTimeout / 2}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
	}, n.o.DialOptions...)
}

// session dials the peer and carries the link's channels until there are none,
// which is no error. welcome is called once the peer has accepted the handshake.
func (l *link) session(ctx context.Context, welcome func()) error {
	n := l.network
	n.counters.Dials.Add(1)
	address, ok := n.o.Resolver.Resolve(l.key.peer)
	if !ok {
		return failure.Externalf(failure.Backoff, "task manager %s has no address yet", l.key.peer)
	}
	s := &session{link: l, welcomed: make(chan struct{}), ended: make(chan struct{})}
	s.encoder.flight = newFlight(n.o.Pool)
	conn, err := grpc.NewClient(address, append(n.dialOptions(), grpc.WithContextDialer(s.sockets.dialer(n.o.Dial)))...)
	if err != nil {
		return fmt.Errorf("dial task manager %s: %w", l.key.peer, err)
	}
	defer s.hangUp(conn)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.stream, err = conn.NewStream(ctx, exchangeDesc, datav1.DataService_Exchange_FullMethodName); err != nil {
		return fmt.Errorf("dial task manager %s at %s: %w", l.key.peer, address, err)
	}
	n.wait.Go(s.read)
	err = s.run(ctx, welcome)
	cancel()
	<-s.ended
	if err != nil {
		n.counters.Breaks.Add(1)
		return fmt.Errorf("stream to task manager %s at %s: %w", l.key.peer, address, s.why(err))
	}
	return nil
}

// why prefers what the stream ended with to what the writer saw of it.
func (s *session) why(err error) error {
	if errors.Is(err, io.EOF) && s.cause != nil {
		return s.cause
	}
	return err
}

// hangUp ends the connection and gives back what was under way on it.
func (s *session) hangUp(conn *grpc.ClientConn) {
	_ = conn.Close() // it is given up; that all was read is what the stream's end says
	s.sockets.close()
	s.encoder.flight.abandon()
}

func (s *session) run(ctx context.Context, welcome func()) error {
	if err := s.handshake(ctx); err != nil {
		return err
	}
	welcome()
	s.link.connected()
	if err := s.write(); err != nil {
		return err
	}
	return s.drain()
}

func (s *session) handshake(ctx context.Context) error {
	n := s.link.network
	err := s.stream.SendMsg(&datav1.ToConsumer{Message: &datav1.ToConsumer_Hello{Hello: &datav1.Hello{
		Cluster: n.o.Cluster, Producer: string(n.o.ID), Consumer: string(s.link.key.peer), JobId: string(s.link.key.job),
		FrameVersion: frame.Version,
	}}})
	if err != nil {
		<-s.ended
		return err
	}
	patience := n.o.Clock.NewTimer(handshakeTimeout)
	defer patience.Stop()
	select {
	case <-s.welcomed:
		return nil
	case <-s.ended:
		return io.EOF
	case <-patience.C():
		return failure.Externalf(failure.Backoff, "no answer to the handshake within %s", handshakeTimeout)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read hears the consumer until the stream ends.
func (s *session) read() {
	defer close(s.ended)
	welcomed := false
	for {
		m := &datav1.ToProducer{}
		if s.cause = s.stream.RecvMsg(m); s.cause != nil {
			return
		}
		if !welcomed {
			if m.Welcome.GetFrameVersion() != frame.Version {
				s.cause = failure.Internalf("a welcome in frame version %d, want %d", m.Welcome.GetFrameVersion(), frame.Version)
				return
			}
			welcomed = true
			close(s.welcomed)
		}
		if s.cause = s.link.heard(m); s.cause != nil {
			return
		}
	}
}

// write does the link's tasks until it has no channels.
func (s *session) write() error {
	for {
		t, ok := s.link.next()
		if ok {
			if err := s.send(t); err != nil {
				return err
			}
			continue
		}
		if s.link.retire() {
			return nil
		}
		select {
		case <-s.link.work:
		case <-s.ended:
			return io.EOF
		}
	}
}

// drain waits until the consumer has read everything, which ends the stream.
func (s *session) drain() error {
	if err := s.stream.CloseSend(); err != nil {
		return err
	}
	patience := s.link.network.o.Clock.NewTimer(drainTimeout)
	defer patience.Stop()
	select {
	case <-s.ended:
		if errors.Is(s.cause, io.EOF) {
			return nil
		}
		return io.EOF
	case <-patience.C():
		return failure.Externalf(failure.Backoff, "the last of it was not read within %s", drainTimeout)
	}
}

// header returns the next frame's header of a channel.
func (c *outgoing) header(h frame.Header) frame.Header {
	c.sequence++
	h.Channel, h.Attempt, h.Sequence = c.number, c.id.Attempt, c.sequence
	return h
}

// rows sends a batch, and what its consumer must know of it first.
func (s *session) rows(c *outgoing, p queue.Place) error {
	b := p.Element.Batch
	if err := s.schema(c, b); err != nil {
		b.Release()
		return err
	}
	charge := p.Bytes
	err := c.compactor.Each(b, func(b *stream.Batch) error {
		rows := b.Rows()
		m, err := s.encoder.rows(c.header(frame.Header{Value: int64(charge)}), b)
		if err != nil {
			return err
		}
		charge = 0 // the first piece has carried it
		return s.frame(m, rows)
	})
	if err != nil && failure.ClassOf(err).Domain == failure.DomainUser {
		s.link.refuse(c, err)
		return nil
	}
	return err
}

// schema tells the consumer what the batch's columns are, where it does not know.
func (s *session) schema(c *outgoing, b *stream.Batch) error {
	if c.sent == b.Schema || c.sent.Equal(b.Schema) {
		return nil
	}
	m, err := codec.SchemaToProto(b.Schema)
	if err != nil {
		return failure.Internal(err)
	}
	c.sent = b.Schema
	return s.stream.SendMsg(&datav1.ToConsumer{Message: &datav1.ToConsumer_Schema{Schema: &datav1.ChannelSchema{
		Number: c.number, Schema: m,
	}}})
}

func (s *session) frame(m *message, rows int) error {
	k := &s.link.network.counters
	k.FramesOut.Add(1)
	k.BytesOut.Add(int64(m.bytes))
	k.RowsOut.Add(int64(rows))
	defer m.sent()
	return s.stream.SendMsg(m)
}

// close tells the consumer that a channel is over. The channel is off already.
func (s *session) close(t task) error {
	c := t.c
	err := s.stream.SendMsg(&datav1.ToConsumer{Message: &datav1.ToConsumer_Closed{Closed: &datav1.ChannelClosed{
		Number: c.number, Reason: t.closing, Detail: short(t.detail),
	}}})
	s.link.mu.Lock()
	over := c.closed
	s.link.mu.Unlock()
	if over {
		s.link.network.removeOut(c)
	}
	return err
}

// refuse breaks a channel for what its task has sent.
func (l *link) refuse(c *outgoing, err error) {
	l.mu.Lock()
	dropped := c.breakOff(err)
	w := c.wake()
	l.turn(c)
	l.mu.Unlock()
	dropped.Release()
	wake(w)
	l.tell([]exchange.ChannelID{c.id}, err)
}

func short(detail string) string { return detail[:min(len(detail), detailBytesMax)] }
