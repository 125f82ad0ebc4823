package remote

import (
	"errors"
	"time"

	"millrace/exchange"
	"millrace/exchange/frame"
	"millrace/exchange/internal/queue"
	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

// outgoing is the producing end of a channel, a Sender. The link's lock guards all
// that is not fixed or marked as the writer's.
//
// Nothing but its announcement leaves before it is accepted. deaf: what is sent is
// released at once. off: the wire has nothing to do with it any more.
type outgoing struct {
	id     exchange.ChannelID
	link   *link
	number uint32
	waker  exchange.Waker

	queue.Queue
	limit    int // bytes of credit
	charged  int // bytes that have not come back
	waits    bool
	starving time.Time // since when there is no credit; zero: there is

	inTurn                   bool // stands among the link's turns
	announced, accepted      bool
	ended, closed, deaf, off bool
	err                      error

	// The writer's own.
	compactor frame.Compactor
	sent      *types.Schema
	sequence  uint64
}

var errFlood = errors.New("more elements are queued than a channel holds")

// Credit returns what is left of the channel's bytes.
func (c *outgoing) Credit() int {
	l := c.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.deaf {
		c.feed()
		return c.limit
	}
	credit := c.limit - c.charged
	c.waits = credit <= 0
	switch {
	case credit > 0:
		c.feed()
	case c.starving.IsZero():
		c.starving = l.network.o.Clock.Now()
	}
	return credit
}

// feed ends the time without credit, if there was one.
func (c *outgoing) feed() {
	if n := c.link.network; !c.starving.IsZero() {
		n.counters.CreditWaitNanos.Add(int64(n.o.Clock.Now().Sub(c.starving)))
		c.starving = time.Time{}
	}
}

// Send queues the element, or releases it where nobody will take it.
func (c *outgoing) Send(e stream.Element) {
	size := 0
	if e.Kind == stream.RowsElement {
		size = e.Batch.SizeBytes()
	}
	l := c.link
	l.mu.Lock()
	if c.deaf || c.closed {
		l.mu.Unlock()
		queue.Release(e)
		return
	}
	var dropped queue.Queue
	var flood error
	if !c.Supersede(e) && !c.push(e, size) {
		flood = failure.Internal(errFlood)
		dropped = c.breakOff(flood)
		dropped.Put(queue.Place{Element: e})
	}
	l.turn(c)
	l.mu.Unlock()
	dropped.Release()
	if flood != nil {
		l.tell([]exchange.ChannelID{c.id}, flood)
	}
}

// push is false where the queue is full or rows come behind the end: dropping
// them in silence would lose them.
func (c *outgoing) push(e stream.Element, size int) bool {
	isRows := e.Kind == stream.RowsElement
	if c.Len() == queuedMax || isRows && c.ended {
		return false
	}
	charge := 0
	if isRows {
		charge = max(size, c.limit/chargesMax)
	}
	c.charged += charge
	c.Put(queue.Place{Element: e, Bytes: charge})
	c.ended = c.ended || e.Kind == stream.EndElement
	return true
}

// breakOff makes the end deaf and returns what was queued. It needs the lock.
func (c *outgoing) breakOff(err error) queue.Queue {
	c.deaf = true
	if c.err == nil && err != nil {
		c.err = brokenError(c.id, c.link.key.peer, err)
	}
	q := c.Queue
	c.Queue = queue.Queue{}
	return q
}

// Close ends the producer's side.
func (c *outgoing) Close() {
	l := c.link
	l.mu.Lock()
	var dropped queue.Queue
	if !c.closed && !c.ended {
		dropped = c.breakOff(nil)
	}
	c.closed, c.waits = true, false
	c.feed()
	over := c.off
	l.turn(c)
	l.mu.Unlock()
	dropped.Release()
	if over {
		l.network.removeOut(c)
	}
}

// Err returns why the channel is broken, nil where it is not.
func (c *outgoing) Err() error {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	return c.err
}

func (c *outgoing) isAccepted() bool {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	return c.accepted
}

// abandon breaks the channel from outside. The network knows it no more.
func (c *outgoing) abandon() {
	l := c.link
	l.mu.Lock()
	dropped := c.breakOff(exchange.ErrFenced)
	w := c.wake()
	if !c.announced { // the consumer has not heard of it
		l.drop(c)
	}
	l.turn(c)
	l.mu.Unlock()
	wake(w)
	dropped.Release()
}

// wake takes the duty to wake the task, which its caller does without the lock.
func (c *outgoing) wake() exchange.Waker {
	if c.closed {
		return nil
	}
	c.waits = false
	return c.waker
}

func wake(w exchange.Waker) {
	if w != nil {
		w.Wake()
	}
}

// hasTurn tells that the writer has something to do for the channel.
func (c *outgoing) hasTurn() bool {
	switch {
	case c.off:
		return false
	case !c.announced:
		return true
	case c.deaf:
		return c.gone()
	default:
		return c.accepted && (c.Len() > 0 || c.closed)
	}
}

// gone tells that the consumer must hear that nothing more comes: the task has
// closed, or the channel broke at this end.
func (c *outgoing) gone() bool { return c.closed || c.err != nil }
