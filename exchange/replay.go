package exchange

import (
	"millrace/exchange/align"
	"millrace/stream"
)

// Replay is what the channels of a gate held at a checkpoint, as far as it is for this
// gate. Its channels are those of the tasks that stored it: there may be others now. It
// owns its batches.
type Replay struct {
	Channels []ReplayChannel
	// Elements are in the order of their channel; that of channels among each other does
	// not matter.
	Elements []ReplayElement
}

// ReplayChannel is a channel as it stood before its elements.
type ReplayChannel struct {
	Input     int
	Watermark stream.Watermark
	Idle      bool
}

// ReplayElement is rows, a watermark or a status of a channel.
type ReplayElement struct {
	Channel int // among the replay's
	Element stream.Element
}

// Release gives the batches back. It may be called again, and on nil.
func (r *Replay) Release() {
	if r == nil {
		return
	}
	for _, e := range r.Elements {
		if e.Element.Kind == stream.RowsElement {
			e.Element.Batch.Release()
		}
	}
	r.Elements = nil
}

// replay gives what is stored before anything else, under the event time of the
// channels from which it came: until the last of it is given, each of them holds event
// time back as it did. Then the gate's own channels begin where those have come to.
// What producers sent before the checkpoint is all here, so nothing that they send now
// is late by that.
type replay struct {
	*Replay
	next     int // of the elements
	all      *align.Valve
	inputs   []*align.Valve // as the gate's
	ordinals []int          // of the channels, among their input's
}

// Replay makes the gate begin with what is stored.
func (g *gate) Replay(r *Replay) {
	if r == nil || len(r.Channels) == 0 {
		return
	}
	p := &replay{Replay: r, all: align.NewValve(len(r.Channels)), ordinals: make([]int, len(r.Channels))}
	sizes := make([]int, max(len(g.inputs), 1))
	for i, c := range r.Channels {
		p.ordinals[i] = sizes[c.Input]
		sizes[c.Input]++
	}
	p.all.Restore(g.all.Watermark())
	if g.inputs != nil {
		for i, n := range sizes {
			v := align.NewValve(n)
			v.Restore(g.inputs[i].Watermark())
			p.inputs = append(p.inputs, v)
		}
	}
	g.replay = p
	for i, c := range r.Channels {
		p.advance(i, c.Watermark)
		p.setIdle(i, c.Idle)
	}
	if w := p.all.Watermark(); w > g.all.Watermark() {
		g.due = append(g.due, stream.WatermarkOf(w))
	}
}

// replayNext gives the next rows, or makes a watermark due. It is false where there are
// no rows to give just now.
func (g *gate) replayNext() (int, stream.Element, bool) {
	p := g.replay
	if p.next == len(p.Elements) {
		g.replayed()
		return 0, stream.Element{}, false
	}
	e := p.Elements[p.next]
	p.Elements[p.next] = ReplayElement{}
	p.next++
	switch e.Element.Kind {
	case stream.RowsElement:
		return p.Channels[e.Channel].Input, e.Element, true
	case stream.WatermarkElement:
		g.noteReplayed(p.advance(e.Channel, e.Element.Watermark))
	case stream.StatusElement:
		g.noteReplayed(p.setIdle(e.Channel, e.Element.Idle))
	default: // nothing else is stored
	}
	return 0, stream.Element{}, false
}

// noteReplayed makes an advance due. That the stored channels fall idle is not said: the
// channels behind the replay are active.
func (g *gate) noteReplayed(c align.Change) {
	if c.Advanced {
		g.due = append(g.due, stream.WatermarkOf(c.Watermark))
	}
}

// replayed ends the replay.
func (g *gate) replayed() {
	p := g.replay
	g.replay = nil
	g.all.Restore(p.all.Watermark())
	for i, v := range g.inputs {
		v.Restore(p.inputs[i].Watermark())
	}
}

func (p *replay) advance(channel int, w stream.Watermark) align.Change {
	if p.inputs != nil {
		p.inputs[p.Channels[channel].Input].Advance(p.ordinals[channel], w)
	}
	return p.all.Advance(channel, w)
}

func (p *replay) setIdle(channel int, idle bool) align.Change {
	if p.inputs != nil {
		p.inputs[p.Channels[channel].Input].SetIdle(p.ordinals[channel], idle)
	}
	return p.all.SetIdle(channel, idle)
}

func (p *replay) watermark(input int) stream.Watermark {
	if p.inputs == nil {
		return p.all.Watermark()
	}
	return p.inputs[input].Watermark()
}

func (p *replay) close() {
	if p == nil {
		return
	}
	for _, e := range p.Elements[p.next:] {
		if e.Element.Kind == stream.RowsElement {
			e.Element.Batch.Release()
		}
	}
	p.Elements = nil
}
