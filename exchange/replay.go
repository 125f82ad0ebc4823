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
	// Former numbers the task that stored it, from 0 without gaps. Each has channels of
	// every input.
	Former    int
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
//
// Former tasks stood at different event times, and what was late for one of them was not
// for another. Each row must find the event time that it would have found: a window that
// a former task had fired would fire again for a late row. So the next element is always
// one of those that are furthest behind, which is the event time of the whole gate. A
// former task that has nothing left has heard everything that its producers had sent, as
// all of them have in the end, and holds nobody back.
type replay struct {
	places  []replayPlace // of the channels
	formers []formerTask
	out     stream.Watermark
}

// replayPlace is where a channel stands.
type replayPlace struct{ former, ordinal, input, inputOrdinal int }

// formerTask is the gate of a former task.
type formerTask struct {
	all    *align.Valve
	inputs []*align.Valve    // as the gate's
	left   [][]ReplayElement // by input
}

// Replay makes the gate begin with what is stored.
func (g *gate) Replay(r *Replay) {
	if r == nil || len(r.Channels) == 0 {
		return
	}
	p := newReplay(g, r)
	g.replay = p
	for i, c := range r.Channels {
		p.advance(i, c.Watermark)
		p.setIdle(i, c.Idle)
	}
	g.noteReplayed()
}

func newReplay(g *gate, r *Replay) *replay {
	inputs, formers := max(len(g.inputs), 1), 0
	for _, c := range r.Channels {
		formers = max(formers, c.Former+1)
	}
	p := &replay{places: make([]replayPlace, len(r.Channels)), formers: make([]formerTask, formers), out: g.all.Watermark()}
	sizes := make([]int, formers)
	inputSizes := make([][]int, formers)
	for i, c := range r.Channels {
		if inputSizes[c.Former] == nil {
			inputSizes[c.Former] = make([]int, inputs)
		}
		p.places[i] = replayPlace{c.Former, sizes[c.Former], c.Input, inputSizes[c.Former][c.Input]}
		sizes[c.Former]++
		inputSizes[c.Former][c.Input]++
	}
	for i := range p.formers {
		f := &p.formers[i]
		f.left = make([][]ReplayElement, inputs)
		f.all = align.NewValve(sizes[i])
		f.all.Restore(g.all.Watermark())
		for input, v := range g.inputs {
			own := align.NewValve(inputSizes[i][input])
			own.Restore(v.Watermark())
			f.inputs = append(f.inputs, own)
		}
	}
	for _, e := range r.Elements {
		at := p.places[e.Channel]
		p.formers[at.former].left[at.input] = append(p.formers[at.former].left[at.input], e)
	}
	r.Elements = nil
	return p
}

// replayNext gives the next rows, or makes a watermark due. It is false where there are
// no rows to give just now.
func (g *gate) replayNext() (int, stream.Element, bool) {
	p := g.replay
	former, input := p.furthestBehind()
	if former < 0 {
		g.replayed()
		return 0, stream.Element{}, false
	}
	left := &p.formers[former].left[input]
	e := (*left)[0]
	(*left)[0] = ReplayElement{}
	*left = (*left)[1:]
	switch e.Element.Kind {
	case stream.RowsElement:
		return input, e.Element, true
	case stream.WatermarkElement:
		p.advance(e.Channel, e.Element.Watermark)
	case stream.StatusElement:
		p.setIdle(e.Channel, e.Element.Idle)
	default: // nothing else is stored
	}
	g.noteReplayed()
	return 0, stream.Element{}, false
}

// furthestBehind returns the former task and the input of it that have something left
// and the least event time; -1 where nothing is left.
func (p *replay) furthestBehind() (former, input int) {
	former = -1
	var least stream.Watermark
	for i := range p.formers {
		f := &p.formers[i]
		for k := range f.left {
			if w := f.watermark(k); len(f.left[k]) > 0 && (former < 0 || w < least) {
				former, input, least = i, k, w
			}
		}
	}
	return former, input
}

// noteReplayed makes an advance due. That the stored channels fall idle is not said: the
// channels behind the replay are active.
func (g *gate) noteReplayed() {
	p := g.replay
	if w := p.least(func(f *formerTask) stream.Watermark { return f.all.Watermark() }); w > p.out {
		p.out = w
		g.due = append(g.due, stream.WatermarkOf(w))
	}
}

// replayed ends the replay.
func (g *gate) replayed() {
	p := g.replay
	g.replay = nil
	g.all.Restore(p.out)
	for i, v := range g.inputs {
		v.Restore(p.watermark(i))
	}
}

func (p *replay) advance(channel int, w stream.Watermark) {
	at := p.places[channel]
	f := &p.formers[at.former]
	f.all.Advance(at.ordinal, w)
	if f.inputs != nil {
		f.inputs[at.input].Advance(at.inputOrdinal, w)
	}
}

func (p *replay) setIdle(channel int, idle bool) {
	at := p.places[channel]
	f := &p.formers[at.former]
	f.all.SetIdle(at.ordinal, idle)
	if f.inputs != nil {
		f.inputs[at.input].SetIdle(at.inputOrdinal, idle)
	}
}

func (p *replay) watermark(input int) stream.Watermark {
	return p.least(func(f *formerTask) stream.Watermark { return f.watermark(input) })
}

func (p *replay) least(of func(*formerTask) stream.Watermark) stream.Watermark {
	least := stream.MaxWatermark
	for i := range p.formers {
		least = min(least, of(&p.formers[i]))
	}
	return least
}

func (f *formerTask) watermark(input int) stream.Watermark {
	if f.inputs == nil {
		return f.all.Watermark()
	}
	return f.inputs[input].Watermark()
}

func (p *replay) close() {
	if p == nil {
		return
	}
	for i := range p.formers {
		for _, left := range p.formers[i].left {
			for _, e := range left {
				if e.Element.Kind == stream.RowsElement {
					e.Element.Batch.Release()
				}
			}
		}
	}
	p.formers = nil
}
