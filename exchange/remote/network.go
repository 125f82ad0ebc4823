package remote

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/grpc"

	"millrace/exchange"
	"millrace/exchange/local"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/stream"
	"millrace/types"
)

// Resolver knows where task managers serve. It is safe for concurrent use, quick,
// and asked anew for each connection.
type Resolver interface {
	// Resolve returns the address of a task manager's data service; ok is false
	// while it is not known.
	Resolve(id types.TaskManagerID) (address string, ok bool)
}

// Options says what a network is part of. ID, Resolver and Pool are needed.
type Options struct {
	// Cluster is the cluster's name: peers of another one are refused.
	Cluster string
	// ID is this process's task manager.
	ID       types.TaskManagerID
	Resolver Resolver
	// Pool is where received batches, and copies that sending needs, come from.
	Pool *stream.Pool
	// DialOptions are added to the network's own; transport credentials at least.
	DialOptions []grpc.DialOption
	// Dial connects to an address; nil for TCP.
	Dial Dialer
	// Clock is nil for the system's.
	Clock clock.Clock
	// Listener hears what broke. Its functions may be nil.
	Listener Listener
}

// Network is the channels of one task manager process, to tasks wherever they run.
// It is safe for concurrent use.
type Network struct {
	o        Options
	local    *local.Network
	codec    passThrough
	counters Counters
	ctx      context.Context // ended by Close
	cancel   context.CancelFunc
	wait     sync.WaitGroup

	mu struct {
		sync.Mutex
		closed   bool
		regions  map[types.RegionID]*region
		links    map[linkKey]*link
		channels int
		streams  int
	}
}

var _ exchange.Network = (*Network)(nil)

// region is a region's channels to other processes. It exists while there are some.
type region struct {
	newest types.Attempt // the latest that opened one
	out    map[exchange.ChannelID]*outgoing
	in     map[exchange.ChannelID]*incoming
}

// New returns a network without channels.
func New(o Options) (*Network, error) {
	if o.ID == "" || o.Resolver == nil || o.Pool == nil {
		return nil, failure.Internalf("a remote network needs an id, a resolver and a pool")
	}
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Dial == nil {
		o.Dial = dialTCP
	}
	o.Listener = o.Listener.EnsureDefaults()
	n := &Network{o: o, local: local.NewNetwork(), codec: newCodec()}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.mu.regions = make(map[types.RegionID]*region)
	n.mu.links = make(map[linkKey]*link)
	return n, nil
}

// Counters returns what the network counts.
func (n *Network) Counters() *Counters { return &n.counters }

// Sender opens the producing end of a channel.
func (n *Network) Sender(id exchange.ChannelID, consumer types.TaskManagerID, creditBytes int, w exchange.Waker) (exchange.Sender, error) {
	s, err := n.sender(id, consumer, creditBytes, w)
	if err != nil {
		return nil, fmt.Errorf("open the sender of %v to %s: %w", id, consumer, err)
	}
	return s, nil
}

func (n *Network) sender(id exchange.ChannelID, consumer types.TaskManagerID, creditBytes int, w exchange.Waker) (exchange.Sender, error) {
	if err := n.begin(id, w); err != nil {
		return nil, err
	}
	if consumer == n.o.ID {
		return n.local.Sender(id, consumer, creditBytes, w)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	j, err := n.regionOf(id)
	if err != nil {
		return nil, err
	}
	if j.out[id] != nil {
		return nil, failure.Internalf("this end is open already")
	}
	c := n.link(linkKey{consumer, id.Region.Job}).open(id, creditOr(creditBytes), w)
	j.out[id] = c
	n.mu.channels++
	return c, nil
}

// Receiver opens the consuming end of a channel.
func (n *Network) Receiver(id exchange.ChannelID, producer types.TaskManagerID, creditBytes int, w exchange.Waker) (exchange.Receiver, error) {
	r, err := n.receiver(id, producer, creditBytes, w)
	if err != nil {
		return nil, fmt.Errorf("open the receiver of %v from %s: %w", id, producer, err)
	}
	return r, nil
}

func (n *Network) receiver(id exchange.ChannelID, producer types.TaskManagerID, creditBytes int, w exchange.Waker) (exchange.Receiver, error) {
	if err := n.begin(id, w); err != nil {
		return nil, err
	}
	if producer == n.o.ID {
		return n.local.Receiver(id, producer, creditBytes, w)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	c, err := n.incoming(id)
	if err != nil {
		return nil, err
	}
	if err := c.open(producer, creditOr(creditBytes), w); err != nil {
		return nil, err
	}
	return c, nil
}

// incoming returns the consuming end of a channel, whichever side came first. It
// needs the lock.
func (n *Network) incoming(id exchange.ChannelID) (*incoming, error) {
	j, err := n.regionOf(id)
	if err != nil {
		return nil, err
	}
	c := j.in[id]
	if c == nil {
		c = &incoming{id: id, network: n}
		j.in[id] = c
		n.mu.channels++
	}
	return c, nil
}

func creditOr(bytes int) int {
	if bytes <= 0 {
		return exchange.DefaultCreditBytes
	}
	return bytes
}

// begin fences the attempts before this one, within the process and beyond.
func (n *Network) begin(id exchange.ChannelID, w exchange.Waker) error {
	if w == nil {
		return failure.Internalf("nobody to wake")
	}
	if err := n.local.Begin(id.Region, id.Attempt); err != nil {
		return err
	}
	n.fence(id.Region, id.Attempt)
	return nil
}

func (n *Network) fence(id types.RegionID, attempt types.Attempt) {
	n.mu.Lock()
	j := n.mu.regions[id]
	if j == nil || attempt <= j.newest {
		n.mu.Unlock()
		return
	}
	j.newest = attempt
	out, in := n.take(id, func(c exchange.ChannelID) bool { return c.Attempt < attempt }, true)
	n.mu.Unlock()
	abandon(out, in)
}

// regionOf returns the channels of a region of which this one may be. Between begin and
// here the attempt may have ended. It needs the lock.
func (n *Network) regionOf(id exchange.ChannelID) (*region, error) {
	j := n.mu.regions[id.Region]
	switch {
	case n.mu.closed:
		return nil, failure.Internalf("the network is closed")
	case n.local.Over(id.Region, id.Attempt) || j != nil && id.Attempt < j.newest:
		return nil, failure.Internal(exchange.ErrFenced)
	case n.mu.channels >= channelsMax:
		return nil, failure.Internalf("the process has %d channels already", channelsMax)
	}
	if j == nil {
		j = &region{newest: id.Attempt, out: make(map[exchange.ChannelID]*outgoing), in: make(map[exchange.ChannelID]*incoming)}
		n.mu.regions[id.Region] = j
	}
	return j, nil
}

// take removes the channels of a region that match, halfOpen ones only if asked. It
// needs the lock.
func (n *Network) take(id types.RegionID, match func(exchange.ChannelID) bool, halfOpen bool) (out []*outgoing, in []*incoming) {
	j := n.mu.regions[id]
	if j == nil {
		return nil, nil
	}
	for id, c := range j.out {
		if match(id) && (!halfOpen || !c.isAccepted()) {
			out = append(out, c)
			delete(j.out, id)
		}
	}
	for id, c := range j.in {
		if match(id) && (!halfOpen || !c.isAccepted()) {
			in = append(in, c)
			delete(j.in, id)
		}
	}
	n.mu.channels -= len(out) + len(in)
	n.dropEmpty(id, j)
	return out, in
}

func (n *Network) dropEmpty(id types.RegionID, j *region) {
	if len(j.out) == 0 && len(j.in) == 0 {
		delete(n.mu.regions, id)
	}
}

func abandon(out []*outgoing, in []*incoming) {
	for _, c := range out {
		c.abandon()
	}
	for _, c := range in {
		c.abandon()
	}
}

// removeOut forgets a producing end that is over for its task and for the wire.
func (n *Network) removeOut(c *outgoing) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if j := n.mu.regions[c.id.Region]; j != nil && j.out[c.id] == c {
		delete(j.out, c.id)
		n.mu.channels--
		n.dropEmpty(c.id.Region, j)
	}
}

// removeIn forgets a consuming end that is over.
func (n *Network) removeIn(c *incoming) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if j := n.mu.regions[c.id.Region]; j != nil && j.in[c.id] == c {
		delete(j.in, c.id)
		n.mu.channels--
		n.dropEmpty(c.id.Region, j)
	}
}

// Forget ends the region's attempts up to this one.
func (n *Network) Forget(id types.RegionID, attempt types.Attempt) {
	n.local.Forget(id, attempt)
	n.mu.Lock()
	out, in := n.take(id, func(c exchange.ChannelID) bool { return c.Attempt <= attempt }, false)
	n.mu.Unlock()
	abandon(out, in)
}

// Channels returns the number of channels that are open, half open or closed at
// one end only, those within the process included.
func (n *Network) Channels() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.channels + n.local.Channels()
}

// Close breaks every channel to other processes, ends every stream and waits for
// the network's goroutines. Nothing can be opened any more.
func (n *Network) Close() {
	n.mu.Lock()
	n.mu.closed = true
	var out []*outgoing
	var in []*incoming
	for id := range n.mu.regions {
		o, i := n.take(id, func(exchange.ChannelID) bool { return true }, false)
		out, in = append(out, o...), append(in, i...)
	}
	n.mu.Unlock()
	abandon(out, in)
	n.cancel()
	n.wait.Wait()
}
