package sim

import (
	"fmt"
	"slices"

	"millrace/exchange"
	"millrace/internal/mutant"
	"millrace/stream"
	"millrace/types"
)

// wires are the channels between tasks, as the network has them. Elements of a channel arrive in their order, each after a
// while; when nothing gets through for long, or either end's process dies, the channel breaks.
type wires struct {
	w        *world
	channels map[exchange.ChannelID]*channel
	order    []*channel // in the order of their making
}

func newWires(w *world) *wires {
	return &wires{w: w, channels: make(map[exchange.ChannelID]*channel)}
}

// channel has a producing and a consuming end, either of which may be opened first.
type channel struct {
	w        *world
	id       exchange.ChannelID
	limit    int
	from, to *process // nil until the end is opened
	fromWake exchange.Waker
	toWake   exchange.Waker

	flight   []flying // on its way
	pumping  bool
	waiting  []stream.Element // arrived, not polled
	unpolled int              // bytes that were sent and not polled
	last     int64            // when what was sent last arrives
	ended    bool             // an End was sent
	broken   bool
	gone     bool // the consumer has closed
	starved  bool
	full     bool
}

func (n *wires) channel(id exchange.ChannelID) *channel {
	if mutant.On(mutant.StaleAttempt) {
		id.Attempt = 0
	}
	c := n.channels[id]
	if c == nil {
		c = &channel{w: n.w, id: id, limit: exchange.DefaultCreditBytes}
		n.channels[id] = c
		n.order = append(n.order, c)
	}
	return c
}

// lost breaks every channel of which a process that died has an end.
func (n *wires) lost(p *process) {
	for _, c := range n.order {
		if c.from == p || c.to == p {
			n.w.after(n.w.latency(), c.breakOff)
		}
	}
}

// end implements exchange.Network for the tasks of one process.
type end struct {
	wires *wires
	p     *process
	floor map[types.RegionID]types.Attempt // attempts below are over
}

var _ exchange.Network = (*end)(nil)

func (e *end) begin(id exchange.ChannelID) error {
	if id.Attempt < e.floor[id.Region] {
		return fmt.Errorf("open %v: %w", id, exchange.ErrFenced)
	}
	return nil
}

// Sender implements exchange.Network.
func (e *end) Sender(id exchange.ChannelID, _ types.TaskManagerID, _ int, w exchange.Waker) (exchange.Sender, error) {
	if err := e.begin(id); err != nil {
		return nil, err
	}
	c := e.wires.channel(id)
	c.from, c.fromWake = e.p, w
	c.again()
	c.dial()
	return sender{c}, nil
}

// Receiver implements exchange.Network.
func (e *end) Receiver(id exchange.ChannelID, _ types.TaskManagerID, credit int, w exchange.Waker) (exchange.Receiver, error) {
	if err := e.begin(id); err != nil {
		return nil, err
	}
	c := e.wires.channel(id)
	c.to, c.toWake, c.limit = e.p, w, credit
	c.again()
	c.dial()
	return receiver{c}, nil
}

// Forget implements exchange.Network.
func (e *end) Forget(region types.RegionID, attempt types.Attempt) {
	e.floor[region] = max(e.floor[region], attempt+1)
	for _, c := range e.wires.order {
		if c.id.Region == region && c.id.Attempt <= attempt && (c.from == e.p || c.to == e.p) {
			c.breakOff()
		}
	}
}

// again makes a channel of an attempt that is over serve the next one; it happens to a planted bug only.
func (c *channel) again() {
	if mutant.On(mutant.StaleAttempt) {
		c.broken, c.gone, c.ended = false, false, false
		c.pumpAfter(1)
	}
}

// dial breaks a channel whose other end never comes.
func (c *channel) dial() {
	c.w.after(2*channelTimeout, func() {
		if c.from == nil || c.to == nil {
			c.breakOff()
		}
	})
}

func (c *channel) breakOff() {
	if c.broken {
		return
	}
	c.broken = true
	if !mutant.On(mutant.StaleAttempt) {
		c.flight = nil
	}
	c.waiting, c.unpolled = nil, 0
	c.wakeBoth()
}

func (c *channel) wakeBoth() {
	if c.from != nil && !c.from.dead {
		c.fromWake.Wake()
	}
	if c.to != nil && !c.to.dead {
		c.toWake.Wake()
	}
}

// flying is an element on its way.
type flying struct {
	element  stream.Element
	at, sent int64
}

// pump hands what has arrived to the consumer, in order, once the network lets it through.
func (c *channel) pump() {
	c.pumping = false
	for len(c.flight) > 0 && !c.broken && !c.gone {
		f := c.flight[0]
		switch {
		case f.at > c.w.now:
			c.pumpAfter(f.at - c.w.now)
			return
		case c.to == nil:
			c.pumpAfter(5)
			return
		case c.from != c.to && !c.w.answers(c.from.name, c.to.name):
			if c.w.now-f.sent > channelTimeout {
				c.breakOff()
			}
			c.pumpAfter(50)
			return
		}
		c.flight = c.flight[1:]
		c.waiting = append(c.waiting, f.element)
		if c.starved || f.element.Kind == stream.BarrierElement {
			c.starved = false
			c.to.after(0, c.toWake.Wake)
		}
	}
}

func (c *channel) pumpAfter(millis int64) {
	if !c.pumping {
		c.pumping = true
		c.w.after(millis, c.pump)
	}
}

type sender struct{ c *channel }

// Credit implements exchange.Sender.
func (s sender) Credit() int {
	c := s.c
	if c.broken || c.gone {
		return c.limit
	}
	credit := c.limit - c.unpolled
	c.full = credit <= 0
	return credit
}

// Send implements exchange.Sender.
func (s sender) Send(e stream.Element) {
	c := s.c
	if c.broken || c.gone {
		return
	}
	if e.Kind == stream.RowsElement {
		c.unpolled += e.Batch.SizeBytes()
	}
	c.ended = c.ended || e.Kind == stream.EndElement
	c.last = max(c.last, c.w.now+c.w.latency())
	c.flight = append(c.flight, flying{e, c.last, c.w.now})
	c.pumpAfter(c.last - c.w.now)
}

// Close implements exchange.Sender.
func (s sender) Close() {
	if !s.c.ended {
		s.c.breakOff()
	}
}

type receiver struct{ c *channel }

// Poll implements exchange.Receiver.
func (r receiver) Poll() (stream.Element, bool) {
	c := r.c
	if len(c.waiting) == 0 {
		c.starved = true
		return stream.Element{}, false
	}
	e := c.waiting[0]
	c.waiting = c.waiting[1:]
	if e.Kind == stream.RowsElement {
		c.unpolled -= e.Batch.SizeBytes()
		if c.full && c.unpolled <= c.limit/2 {
			c.full = false
			c.w.after(c.w.latency(), func() {
				if c.from != nil && !c.from.dead {
					c.fromWake.Wake()
				}
			})
		}
	}
	return e, true
}

// Barrier implements exchange.Receiver.
func (r receiver) Barrier() (stream.Barrier, bool) {
	for _, e := range slices.Backward(r.c.waiting) {
		if e.Kind == stream.BarrierElement {
			return e.Barrier, true
		}
	}
	return stream.Barrier{}, false
}

// AppendBefore implements exchange.Receiver.
func (r receiver) AppendBefore(to []stream.Element, id types.CheckpointID) ([]stream.Element, bool) {
	n := slices.IndexFunc(r.c.waiting, func(e stream.Element) bool { return e.Kind == stream.BarrierElement && e.Barrier.ID == id })
	if n < 0 {
		return to, false
	}
	for _, e := range r.c.waiting[:n] {
		if e.Kind == stream.RowsElement {
			e.Batch.Retain()
		}
		to = append(to, e)
	}
	return to, true
}

// Broken implements exchange.Receiver.
func (r receiver) Broken() bool { return r.c.broken }

// Close implements exchange.Receiver.
func (r receiver) Close() {
	r.c.gone = true
	r.c.waiting = nil
	if r.c.from != nil && !r.c.from.dead {
		r.c.fromWake.Wake()
	}
}
