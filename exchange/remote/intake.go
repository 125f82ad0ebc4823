package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"millrace/exchange"
	"millrace/exchange/frame"
	"millrace/failure"
	"millrace/jobgraph/codec"
	datav1 "millrace/proto/millrace/data/v1"
	"millrace/stream"
	"millrace/types"
)

// ServerOptions returns what a gRPC server needs to serve a network. Other
// services may stand on it.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(messageBytesMax),
		grpc.MaxSendMsgSize(messageBytesMax),
		grpc.StaticStreamWindowSize(windowBytes),
		grpc.StaticConnWindowSize(windowBytes),
		grpc.WriteBufferSize(ioBytes),
		grpc.ReadBufferSize(ioBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveTime / 2, PermitWithoutStream: true}),
	}
}

// Register serves the network. The server is made with ServerOptions.
func (n *Network) Register(s grpc.ServiceRegistrar) {
	datav1.RegisterDataServiceServer(s, service{network: n})
}

type service struct {
	datav1.UnimplementedDataServiceServer
	network *Network
}

// intake is a stream that a producer's process has dialled. Its handler writes, a
// goroutine of its own reads.
type intake struct {
	network *Network
	stream  grpc.ServerStream
	peer    types.TaskManagerID
	job     types.JobID
	work    chan struct{} // one place: there is news
	decoder frame.Decoder

	mu struct {
		sync.Mutex
		channels map[uint32]*incoming
		changed  []*incoming             // those with news
		refused  []*datav1.ChannelClosed // numbers that stand for no channel here
	}
}

// Exchange takes the elements of a producer's process until it has no more.
func (s service) Exchange(up grpc.BidiStreamingServer[datav1.ToConsumer, datav1.ToProducer]) error {
	n := s.network
	if err := n.admit(); err != nil {
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	defer n.leave()
	in := &intake{network: n, stream: up, work: make(chan struct{}, 1)}
	in.decoder.Pool = n.o.Pool
	in.mu.channels = make(map[uint32]*incoming)
	if err := in.handshake(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	n.wait.Go(func() {
		err := in.read()
		in.lost(err)
		ended <- err
	})
	return in.write(ended)
}

// admit counts a stream, so that Close knows of it.
func (n *Network) admit() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.mu.closed:
		return failure.Internalf("task manager %s is closing", n.o.ID)
	case n.mu.streams == streamsMax:
		return failure.Internalf("task manager %s has %d streams already", n.o.ID, streamsMax)
	}
	n.mu.streams++
	n.wait.Add(1)
	return nil
}

func (n *Network) leave() {
	n.mu.Lock()
	n.mu.streams--
	n.mu.Unlock()
	n.wait.Done()
}

// handshake hears who is there and answers. What it returns is a status: a failed
// precondition is final.
func (in *intake) handshake() error {
	var m datav1.ToConsumer
	if err := in.stream.RecvMsg(&m); err != nil {
		return err
	}
	h := m.GetHello()
	n := in.network
	switch {
	case h == nil:
		return status.Error(codes.InvalidArgument, "a stream begins with a hello")
	case h.FrameVersion != frame.Version:
		return status.Errorf(codes.FailedPrecondition, "task manager %s speaks frame version %d, not %d", n.o.ID, frame.Version, h.FrameVersion)
	case h.Cluster != n.o.Cluster:
		return status.Errorf(codes.FailedPrecondition, "task manager %s is of cluster %q, not of %q", n.o.ID, n.o.Cluster, h.Cluster)
	case h.Consumer != string(n.o.ID):
		return status.Errorf(codes.FailedPrecondition, "this is task manager %s, not %s", n.o.ID, h.Consumer)
	case h.JobId == "" || h.Producer == "" || h.Producer == h.Consumer:
		return status.Errorf(codes.InvalidArgument, "a hello of task manager %q for job %q", h.Producer, h.JobId)
	}
	in.peer, in.job = types.TaskManagerID(h.Producer), types.JobID(h.JobId)
	return in.stream.SendMsg(&datav1.ToProducer{Welcome: &datav1.Welcome{FrameVersion: frame.Version}})
}

// newsMax bounds the channels of which one message tells.
const newsMax = 4096

// write tells the producer what is new until the stream ends.
func (in *intake) write(ended <-chan error) error {
	for {
		select {
		case <-in.work:
			if err := in.tell(); err != nil {
				return err
			}
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-in.network.ctx.Done():
			return status.Errorf(codes.Unavailable, "task manager %s is closing", in.network.o.ID)
		}
	}
}

func (in *intake) tell() error {
	for {
		changed, refused := in.takeNews()
		if len(changed) == 0 && len(refused) == 0 {
			return nil
		}
		m := &datav1.ToProducer{Closed: refused}
		for _, c := range changed {
			c.tellNews(in, m)
		}
		if len(m.Accepted)+len(m.Credits)+len(m.Closed) == 0 {
			continue
		}
		if err := in.stream.SendMsg(m); err != nil {
			return err
		}
	}
}

func (in *intake) takeNews() ([]*incoming, []*datav1.ChannelClosed) {
	in.mu.Lock()
	defer in.mu.Unlock()
	refused := in.mu.refused
	in.mu.refused = nil
	changed := in.mu.changed
	if len(changed) > newsMax {
		in.mu.changed = changed[newsMax:]
		return changed[:newsMax], refused
	}
	in.mu.changed = nil
	return changed, refused
}

// news notes that a channel has some.
func (in *intake) news(c *incoming) {
	in.mu.Lock()
	in.mu.changed = append(in.mu.changed, c)
	in.mu.Unlock()
	in.ring()
}

func (in *intake) ring() {
	select {
	case in.work <- struct{}{}:
	default:
	}
}

// refuse answers an announcement that no channel stands behind.
func (in *intake) refuse(number uint32, r datav1.CloseReason, err error) {
	in.network.counters.Refused.Add(1)
	in.mu.Lock()
	in.mu.refused = append(in.mu.refused, &datav1.ChannelClosed{Number: number, Reason: r, Detail: short(err.Error())})
	in.mu.Unlock()
	in.ring()
}

func (in *intake) put(number uint32, c *incoming) {
	in.mu.Lock()
	in.mu.channels[number] = c
	in.mu.Unlock()
}

func (in *intake) drop(number uint32) {
	in.mu.Lock()
	delete(in.mu.channels, number)
	in.mu.Unlock()
}

func (in *intake) channel(number uint32) *incoming {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.mu.channels[number]
}

// read takes what comes until the stream ends, with io.EOF where the producer has
// ended it.
func (in *intake) read() error {
	u := &upward{frame: in.frame}
	for {
		if err := in.stream.RecvMsg(u); err != nil {
			return err
		}
		err := u.err
		if err == nil && u.other != nil {
			err = in.other(u.other)
		}
		if err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
	}
}

func (in *intake) other(m *datav1.ToConsumer) error {
	switch m := m.Message.(type) {
	case *datav1.ToConsumer_Opened:
		return in.announced(m.Opened)
	case *datav1.ToConsumer_Schema:
		return in.schema(m.Schema)
	case *datav1.ToConsumer_Closed:
		if c := in.channel(m.Closed.Number); c != nil {
			in.drop(m.Closed.Number)
			c.closedByProducer(m.Closed)
		}
		return nil
	default:
		return failure.Internalf("an unexpected message %T", m)
	}
}

// announced takes a channel, or answers why not. Only a peer that breaks the
// protocol is an error.
func (in *intake) announced(m *datav1.ChannelOpened) error {
	id := exchange.ChannelID{Region: types.RegionID{Job: in.job, Index: m.Region}, Attempt: types.Attempt(m.Attempt), Edge: m.Edge, From: m.From, To: m.To}
	in.mu.Lock()
	known, waiting := in.mu.channels[m.Number] != nil, len(in.mu.refused)
	in.mu.Unlock()
	if known || waiting > exchange.ChannelsMax {
		return failure.Internalf("channel number %d is announced twice, or too many are", m.Number)
	}
	c, err := in.network.announced(id)
	if err == nil {
		err = c.announced(in, m.Number)
	}
	switch {
	case errors.Is(err, exchange.ErrFenced):
		in.refuse(m.Number, datav1.CloseReason_CLOSE_REASON_FENCED, err)
	case err != nil:
		in.refuse(m.Number, datav1.CloseReason_CLOSE_REASON_REFUSED, err)
	}
	return nil
}

// announced returns the consuming end that a peer has a producer for.
func (n *Network) announced(id exchange.ChannelID) (*incoming, error) {
	if err := n.local.Begin(id.Region, id.Attempt); err != nil {
		return nil, err
	}
	n.fence(id.Region, id.Attempt)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.incoming(id)
}

func (in *intake) schema(m *datav1.ChannelSchema) error {
	c := in.channel(m.Number)
	if c == nil {
		return failure.Internalf("a schema for channel number %d, which is not open", m.Number)
	}
	s, err := codec.SchemaFromProto(m.Schema)
	if err == nil && s == nil {
		err = failure.Internalf("it is missing")
	}
	if err != nil {
		return failure.Internal(fmt.Errorf("the schema of channel number %d: %w", m.Number, err))
	}
	c.schema = s
	return nil
}

// frame takes a frame of that many bytes, while its memory is there.
func (in *intake) frame(from *cursor, frameBytes int) error {
	var raw [frame.HeaderBytes]byte
	from.Read(raw[:min(frame.HeaderBytes, max(frameBytes, 0))])
	h, err := frame.Parse(raw[:], frameBytes)
	if err != nil {
		return err
	}
	c := in.channel(h.Channel)
	if c == nil {
		return failure.Internalf("a frame for channel number %d, which is not open", h.Channel)
	}
	k := &in.network.counters
	k.FramesIn.Add(1)
	k.BytesIn.Add(int64(frameBytes))
	if err := in.element(c, &h, from); err != nil {
		return brokenError(c.id, in.peer, err)
	}
	return nil
}

func (in *intake) element(c *incoming, h *frame.Header, from *cursor) error {
	c.sequence++
	if h.Attempt != c.id.Attempt || h.Sequence != c.sequence {
		return failure.Internalf("frame %d of attempt %d where frame %d of attempt %d is due", h.Sequence, h.Attempt, c.sequence, c.id.Attempt)
	}
	if !c.takes() {
		return nil
	}
	e := h.Control()
	if h.Kind == stream.RowsElement {
		b, err := in.decoder.Rows(h, c.schema, from)
		if err != nil {
			return err
		}
		in.network.counters.RowsIn.Add(int64(b.Rows()))
		e = stream.RowsOf(b)
	}
	if err := c.push(e, int(h.Value)); err != nil {
		in.broken([]exchange.ChannelID{c.id}, err)
	}
	return nil
}

// lost ends the stream's channels.
func (in *intake) lost(cause error) {
	in.mu.Lock()
	channels := in.mu.channels
	in.mu.channels = nil
	in.mu.Unlock()
	if errors.Is(cause, io.EOF) {
		cause = failure.Internalf("its producer's process ended the stream")
	}
	var broken []exchange.ChannelID
	for _, c := range channels {
		if c.lost(in, cause) {
			broken = append(broken, c.id)
		}
	}
	if len(broken) > 0 {
		in.network.counters.Breaks.Add(1)
		in.broken(broken, cause)
	}
}

func (in *intake) broken(ids []exchange.ChannelID, cause error) {
	if !errors.Is(cause, context.Canceled) || in.network.ctx.Err() == nil {
		in.network.counters.Broken.Add(int64(len(ids)))
		in.network.o.Listener.Broken(BrokenInfo{Job: in.job, Peer: in.peer, Channels: ids, Cause: cause})
	}
}
