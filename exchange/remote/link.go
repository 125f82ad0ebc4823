package remote

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/exchange"
	"millrace/exchange/frame"
	"millrace/exchange/internal/queue"
	"millrace/failure"
	datav1 "millrace/proto/millrace/data/v1"
	"millrace/stream"
	"millrace/types"
)

// linkKey names a link: a peer that consumes, and a job.
type linkKey struct {
	peer types.TaskManagerID
	job  types.JobID
}

// link is the producing ends of the channels of a job that lead to one peer, and
// the stream that carries them: one at a time, dialled again when it breaks.
type link struct {
	network *Network
	key     linkKey
	work    chan struct{} // one place: the writer has something to do

	mu struct {
		sync.Mutex
		channels map[uint32]*outgoing // those that the wire has to do with
		last     uint32               // number of the newest
		turns    []*outgoing          // those that have something to write, from head on
		head     int
	}
}

// link returns the link of that key, and starts it if there is none. It needs the
// network's lock.
func (n *Network) link(key linkKey) *link {
	if l := n.mu.links[key]; l != nil {
		return l
	}
	l := &link{network: n, key: key, work: make(chan struct{}, 1)}
	l.mu.channels = make(map[uint32]*outgoing)
	n.mu.links[key] = l
	n.wait.Go(l.run)
	return l
}

// open adds a channel.
func (l *link) open(id exchange.ChannelID, creditBytes int, w exchange.Waker) *outgoing {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.last++
	c := &outgoing{id: id, link: l, number: l.mu.last, waker: w, limit: creditBytes}
	c.compactor.Pool = l.network.o.Pool
	l.mu.channels[c.number] = c
	l.turn(c)
	return c
}

// turn lets the writer come to the channel, if there is something to do for it. It
// needs the lock.
func (l *link) turn(c *outgoing) {
	if c.inTurn || !c.hasTurn() {
		return
	}
	c.inTurn = true
	if m := &l.mu; m.head > 0 && len(m.turns) == cap(m.turns) {
		m.turns, m.head = m.turns[:copy(m.turns, m.turns[m.head:])], 0
	}
	l.mu.turns = append(l.mu.turns, c)
	l.ring()
}

func (l *link) ring() {
	select {
	case l.work <- struct{}{}:
	default:
	}
}

// drop ends what the wire has to do with a channel. It needs the lock.
func (l *link) drop(c *outgoing) {
	c.off = true
	delete(l.mu.channels, c.number)
	if len(l.mu.channels) == 0 {
		l.ring() // the writer leaves
	}
}

// task is what the writer does next: announce a channel, send an element of it, or
// close it.
type task struct {
	c        *outgoing
	announce bool
	closing  datav1.CloseReason // unless unspecified
	detail   string
	place    queue.Place
}

// next takes the task whose turn it is.
func (l *link) next() (t task, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.mu.head < len(l.mu.turns) {
		c := l.mu.turns[l.mu.head]
		l.mu.head++
		c.inTurn = false
		if !c.hasTurn() {
			continue
		}
		t := l.taskOf(c)
		l.turn(c)
		return t, true
	}
	return task{}, false
}

func (l *link) taskOf(c *outgoing) task {
	t := task{c: c}
	switch {
	case !c.announced:
		c.announced, t.announce = true, true
	case c.deaf:
		t.closing = datav1.CloseReason_CLOSE_REASON_GONE
		if c.err != nil {
			t.detail = c.err.Error()
		}
		l.drop(c)
	case c.Len() > 0:
		t.place = c.Take()
	default:
		t.closing = datav1.CloseReason_CLOSE_REASON_ENDED
		l.drop(c)
	}
	return t
}

// run dials and writes until the link has no channels left.
func (l *link) run() {
	pause, told := backoffMin, false
	for !l.retire() {
		welcome := func() { pause, told = backoffMin, false }
		err := l.session(l.network.ctx, welcome)
		if l.network.ctx.Err() != nil {
			l.lose(failure.Internalf("the network is closed"), true)
			continue
		}
		if err == nil {
			continue
		}
		final := isFinal(err)
		l.lose(err, final)
		if !final && !told {
			told = true
			l.network.o.Listener.Unreachable(UnreachableInfo{Job: l.key.job, Peer: l.key.peer, Cause: err})
		}
		l.rest(pause)
		pause = min(2*pause, backoffMax)
	}
}

// isFinal tells that the peer will refuse the next handshake too.
func isFinal(err error) bool { return status.Code(err) == codes.FailedPrecondition }

// rest waits about that long, not in step with other links.
func (l *link) rest(d time.Duration) {
	t := l.network.o.Clock.NewTimer(d/2 + rand.N(d/2)) //nolint:gosec // no secret, and nothing to repeat
	defer t.Stop()
	select {
	case <-t.C():
	case <-l.network.ctx.Done():
	}
}

// retire takes the link out of the network if it has no channels.
func (l *link) retire() bool {
	n := l.network
	n.mu.Lock()
	defer n.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mu.channels) > 0 {
		return false
	}
	if n.mu.links[l.key] == l {
		delete(n.mu.links, l.key)
	}
	return true
}

// connected prepares the channels for a new stream, on which nobody knows them.
func (l *link) connected() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.mu.channels {
		c.announced = false
		l.turn(c)
	}
}

// lose ends a stream's channels: those that were accepted are broken, the others
// wait for the next stream, unless there is to be none.
func (l *link) lose(err error, final bool) {
	var wakers []exchange.Waker
	var over []*outgoing
	var broken []exchange.ChannelID
	var dropped []queue.Queue
	l.mu.Lock()
	for _, c := range l.mu.channels {
		if !final && !c.accepted && (!c.announced || !c.deaf) {
			continue
		}
		if !c.deaf {
			broken = append(broken, c.id)
			wakers = append(wakers, c.wake())
			dropped = append(dropped, c.breakOff(err))
		}
		l.drop(c)
		if c.closed {
			over = append(over, c)
		}
	}
	l.mu.Unlock()
	for i := range dropped {
		dropped[i].Release()
	}
	for _, w := range wakers {
		wake(w)
	}
	for _, c := range over {
		l.network.removeOut(c)
	}
	l.tell(broken, err)
}

// tell says that channels broke.
func (l *link) tell(ids []exchange.ChannelID, cause error) {
	if len(ids) > 0 && l.network.ctx.Err() == nil {
		l.network.counters.Broken.Add(int64(len(ids)))
		l.network.o.Listener.Broken(BrokenInfo{Job: l.key.job, Peer: l.key.peer, Channels: ids, Cause: cause})
	}
}

// heard takes what the consumer says.
func (l *link) heard(m *datav1.ToProducer) error {
	for _, a := range m.Accepted {
		l.accepted(a.Number, a.CreditBytes)
	}
	for _, c := range m.Credits {
		if err := l.credited(c.Number, c.Bytes); err != nil {
			return err
		}
	}
	for _, c := range m.Closed {
		l.closedByPeer(c)
	}
	return nil
}

// accepted gives a channel its credit. Its producer may have waited for more than
// it had so far.
func (l *link) accepted(number uint32, credit int64) {
	l.mu.Lock()
	var w exchange.Waker
	if c := l.mu.channels[number]; c != nil && credit > 0 {
		c.accepted, c.limit = true, int(credit)
		l.turn(c)
		w = c.wake()
	}
	l.mu.Unlock()
	wake(w)
}

func (l *link) credited(number uint32, bytes int64) error {
	l.mu.Lock()
	c := l.mu.channels[number]
	if c == nil { // closed in the meantime
		l.mu.Unlock()
		return nil
	}
	if bytes < 0 || bytes > int64(c.charged) {
		l.mu.Unlock()
		return failure.Internalf("credit of %d bytes for a channel that owes %d", bytes, c.charged)
	}
	c.charged -= int(bytes)
	var w exchange.Waker
	if c.charged <= c.limit/2 {
		w = c.wake()
	}
	l.mu.Unlock()
	wake(w)
	return nil
}

// closedByPeer makes a channel deaf: its consumer needs no more, or refused it.
func (l *link) closedByPeer(m *datav1.ChannelClosed) {
	l.mu.Lock()
	c := l.mu.channels[m.Number]
	if c == nil {
		l.mu.Unlock()
		return
	}
	err := refusal(m)
	deafBefore := c.deaf
	dropped := c.breakOff(err)
	w := c.wake()
	l.turn(c)
	l.mu.Unlock()
	dropped.Release()
	wake(w)
	if err != nil && !deafBefore {
		l.tell([]exchange.ChannelID{c.id}, err)
	}
}

// refusal returns why a consumer does not take a channel, nil where it merely needs
// no more of it.
func refusal(m *datav1.ChannelClosed) error {
	switch m.Reason {
	case datav1.CloseReason_CLOSE_REASON_GONE, datav1.CloseReason_CLOSE_REASON_ENDED:
		return nil
	case datav1.CloseReason_CLOSE_REASON_FENCED:
		return failure.Internal(fmt.Errorf("refused: %w", exchange.ErrFenced))
	default:
		return failure.Internalf("refused: %.*s", detailBytesMax, m.Detail)
	}
}

// send writes a task to the stream.
func (s *session) send(t task) error {
	switch {
	case t.announce:
		id := t.c.id
		return s.stream.SendMsg(&datav1.ToConsumer{Message: &datav1.ToConsumer_Opened{Opened: &datav1.ChannelOpened{
			Number: t.c.number, Attempt: uint64(id.Attempt), Edge: id.Edge, From: id.From, To: id.To, Region: id.Region.Index,
		}}})
	case t.closing != datav1.CloseReason_CLOSE_REASON_UNSPECIFIED:
		return s.close(t)
	case t.place.Element.Kind == stream.RowsElement:
		return s.rows(t.c, t.place)
	default:
		return s.frame(s.encoder.control(t.c.header(frame.ControlHeader(t.place.Element))), 0)
	}
}
