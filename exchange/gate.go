package exchange

import (
	"fmt"
	"math/bits"
	"sync/atomic"

	"millrace/exchange/align"
	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

// GateChannel is a channel that a gate consumes.
type GateChannel struct {
	// Input is the ordinal of the task's input that the channel belongs to.
	Input       int
	ID          ChannelID
	Producer    types.TaskManagerID
	CreditBytes int
	// InOrder says that no barrier overtakes anything on the channel: what was stored of
	// it could not be given to others when the parallelism changes.
	InOrder bool
}

// OpenGate opens the channels on the network and returns their gate. w is the
// task's, which is woken only for what comes after a Poll that found nothing: so
// it polls once without being woken. Inputs are numbered from 0 without gaps.
func OpenGate(n Network, channels []GateChannel, w Waker) (Gate, error) {
	inputs, err := countInputs(channels)
	if err != nil {
		return nil, err
	}
	g := newGate(channels, inputs, w)
	for i := range g.channels {
		c := &channels[i]
		r, err := n.Receiver(c.ID, c.Producer, c.CreditBytes, WakerFunc(func() { g.woken.wake(i) }))
		if err != nil {
			g.Close()
			return nil, fmt.Errorf("open input %d: %w", c.Input, err)
		}
		g.channels[i].receiver = r
	}
	return g, nil
}

func countInputs(channels []GateChannel) (int, error) {
	if len(channels) == 0 || len(channels) > ChannelsMax {
		return 0, failure.Internalf("a gate of %d channels: want 1 to %d", len(channels), ChannelsMax)
	}
	seen := make(map[int]bool)
	for _, c := range channels {
		seen[c.Input] = true
	}
	for i := range len(seen) {
		if !seen[i] {
			return 0, failure.Internalf("a gate of %d inputs has no channel for input %d", len(seen), i)
		}
	}
	return len(seen), nil
}

// gate polls the channels in turn. It looks only at those in ready: a channel
// leaves it when a poll finds nothing, and comes back by its wake-up, so that a
// thousand silent channels cost nothing. A channel that waits for a barrier
// leaves it too, and comes back when the barrier is complete.
//
// Control goes into the aligner and the valves, and what they answer is kept in
// due until it is polled. It is at most a handful, since nothing else is taken
// from a channel before it has left.
type gate struct {
	channels []gateChannel
	woken    wokenSet // by other goroutines
	ready    []uint64 // a bit a channel
	next     int      // the channel whose turn it is
	due      []stream.Element

	aligner *align.Aligner
	all     *align.Valve
	inputs  []*align.Valve // nil where there is one input only: it is all
	open    int            // channels without an End

	broken   ChannelID
	isBroken bool

	pieceRows int // 0: batches are given whole
	watching  bool
	found     stream.Barrier // the newest barrier that was found in a queue
	record    record
	replay    *replay // nil once everything has been given
}

type gateChannel struct {
	id       ChannelID
	receiver Receiver
	input    int
	ordinal  int // among the input's channels
	ended    bool
	rest     *stream.Batch // taken, and given up to row from; nil: there is none
	from     int
}

var _ Gate = (*gate)(nil)

func newGate(channels []GateChannel, inputs int, w Waker) *gate {
	g := &gate{
		channels: make([]gateChannel, len(channels)),
		woken:    wokenSet{words: make([]atomic.Uint64, stream.Words(len(channels))), task: w},
		ready:    make([]uint64, stream.Words(len(channels))),
		due:      make([]stream.Element, 0, 8),
		aligner:  align.NewAligner(len(channels)),
		all:      align.NewValve(len(channels)),
		open:     len(channels),
	}
	sizes := make([]int, inputs)
	for i, c := range channels {
		g.channels[i] = gateChannel{id: c.ID, input: c.Input, ordinal: sizes[c.Input]}
		sizes[c.Input]++
		g.setReady(i)
		if c.InOrder {
			g.aligner.KeepInOrder(i)
		}
	}
	if inputs > 1 {
		for _, n := range sizes {
			g.inputs = append(g.inputs, align.NewValve(n))
		}
	}
	return g
}

// wokenSet is the channels that were woken since the gate looked last.
type wokenSet struct {
	words []atomic.Uint64
	task  Waker
}

func (s *wokenSet) wake(channel int) {
	s.words[channel>>6].Or(1 << (channel & 63))
	s.task.Wake()
}

func (g *gate) setReady(channel int)   { g.ready[channel>>6] |= 1 << (channel & 63) }
func (g *gate) clearReady(channel int) { g.ready[channel>>6] &^= 1 << (channel & 63) }

// Poll takes the next element that the task must act on.
func (g *gate) Poll() (int, stream.Element, bool) {
	for {
		if len(g.due) > 0 {
			return 0, g.takeDue(), true
		}
		if g.replay != nil {
			if input, e, ok := g.replayNext(); ok {
				return input, e, true
			}
			continue
		}
		i, ok := g.turn()
		if !ok {
			return 0, stream.Element{}, false
		}
		c := &g.channels[i]
		if c.rest != nil {
			return c.input, stream.RowsOf(g.piece(c)), true
		}
		e, ok := c.receiver.Poll()
		switch {
		case !ok:
			g.clearReady(i)
			g.noteBroken(c)
		case e.Kind == stream.RowsElement:
			g.recordTaken(i, e)
			if g.pieceRows > 0 && e.Batch.Rows() > g.pieceRows {
				c.rest, c.from = e.Batch, 0
				return c.input, stream.RowsOf(g.piece(c)), true
			}
			return c.input, e, true
		default:
			g.control(i, e)
		}
	}
}

func (g *gate) takeDue() stream.Element {
	e := g.due[0]
	g.due = g.due[:copy(g.due, g.due[1:])]
	return e
}

// turn returns the next channel that may have an element, the one after the last
// first.
func (g *gate) turn() (int, bool) {
	g.gatherWoken()
	i, ok := g.readyFrom(g.next)
	if !ok {
		i, ok = g.readyFrom(0)
	}
	if ok {
		g.next = i + 1
	}
	return i, ok
}

func (g *gate) readyFrom(channel int) (int, bool) {
	if channel >= len(g.channels) {
		return 0, false
	}
	word := channel >> 6
	w := g.ready[word] &^ (1<<(channel&63) - 1)
	for w == 0 {
		if word++; word == len(g.ready) {
			return 0, false
		}
		w = g.ready[word]
	}
	return word<<6 + bits.TrailingZeros64(w), true
}

// gatherWoken moves the woken channels to the ready ones, but for those that wait
// for a barrier: they come back when it is complete, and are only looked at for
// their producer's death, which would keep the barrier from completing.
func (g *gate) gatherWoken() {
	for k := range g.woken.words {
		word := &g.woken.words[k]
		if word.Load() == 0 {
			continue
		}
		for w := word.Swap(0); w != 0; w &= w - 1 {
			i := k<<6 + bits.TrailingZeros64(w)
			if g.aligner.Blocked(i) {
				g.noteBroken(&g.channels[i])
			} else {
				g.setReady(i)
			}
			if g.watching {
				g.find(i)
			}
		}
	}
}

func (g *gate) noteBroken(c *gateChannel) {
	if !g.isBroken && !c.ended && c.receiver.Broken() {
		g.broken, g.isBroken = c.id, true
	}
}

// control works an element that is not rows in, and notes what is due for it.
func (g *gate) control(i int, e stream.Element) {
	c := &g.channels[i]
	g.recordTaken(i, e)
	switch e.Kind {
	case stream.WatermarkElement:
		if g.inputs != nil {
			g.inputs[c.input].Advance(c.ordinal, e.Watermark)
		}
		g.noteChange(g.all.Advance(i, e.Watermark))
	case stream.StatusElement:
		if g.inputs != nil {
			g.inputs[c.input].SetIdle(c.ordinal, e.Idle)
		}
		g.noteChange(g.all.SetIdle(i, e.Idle))
	case stream.BarrierElement:
		g.noteAligned(g.aligner.Barrier(i, e.Barrier))
		if g.aligner.Blocked(i) {
			g.clearReady(i)
		}
	case stream.EndElement:
		g.end(i)
	case stream.RowsElement: // Poll gives them on
	}
}

// end counts a channel out. Its last watermark and its end come before a barrier
// that waited for nothing but this channel, as they did on the channel.
func (g *gate) end(i int) {
	c := &g.channels[i]
	if c.ended {
		return
	}
	c.ended = true
	g.open--
	if g.inputs != nil {
		g.inputs[c.input].End(c.ordinal)
	}
	g.noteChange(g.all.End(i))
	if g.open == 0 {
		g.due = append(g.due, stream.End())
	}
	g.noteAligned(g.aligner.End(i))
}

// noteChange makes a change of event time due: a gate that becomes active says so
// before it advances, one that falls idle after.
func (g *gate) noteChange(c align.Change) {
	if c.Turned && !c.Idle {
		g.due = append(g.due, stream.StatusOf(false))
	}
	if c.Advanced {
		g.due = append(g.due, stream.WatermarkOf(c.Watermark))
	}
	if c.Turned && c.Idle {
		g.due = append(g.due, stream.StatusOf(true))
	}
}

func (g *gate) noteAligned(a align.Aligned) {
	g.noteRecord(a)
	if a.Complete {
		g.due = append(g.due, stream.BarrierOf(a.Barrier))
	}
	if a.Released {
		for i := range g.channels {
			if !g.aligner.Blocked(i) {
				g.setReady(i)
			}
		}
	}
}

// Aligning returns the barrier that has come on some channels only.
func (g *gate) Aligning() (stream.Barrier, bool) { return g.aligner.Pending() }

// Restore sets the watermark at which every channel starts.
func (g *gate) Restore(w stream.Watermark) {
	g.all.Restore(w)
	for _, v := range g.inputs {
		v.Restore(w)
	}
}

// Watermark returns the combined watermark of one input.
func (g *gate) Watermark(input int) stream.Watermark {
	if g.replay != nil {
		return g.replay.watermark(input)
	}
	if g.inputs == nil {
		return g.all.Watermark()
	}
	return g.inputs[input].Watermark()
}

// Broken names a channel whose producer went away without an End.
func (g *gate) Broken() (ChannelID, bool) { return g.broken, g.isBroken }

// Close closes every channel.
func (g *gate) Close() {
	g.record.drop(g.record.id)
	g.replay.close()
	for i := range g.channels {
		c := &g.channels[i]
		c.rest.Release()
		c.rest = nil
		if c.receiver != nil {
			c.receiver.Close()
		}
	}
}
