package exchange

import (
	"errors"
	"fmt"

	"millrace/exchange/align"
	"millrace/failure"
	"millrace/internal/mutant"
	"millrace/stream"
	"millrace/types"
)

// InFlight is what a barrier overtook in the channels of a gate: it is no part of the
// task's state, and is given to the task again when the checkpoint is restored. It owns
// its batches.
type InFlight struct {
	Checkpoint types.CheckpointID
	Channels   []InFlightChannel // every channel of the gate
	Rows       []int64           // by input
	Bytes      int64             // of the batches, as they lie in memory
}

// InFlightChannel is what a barrier overtook in one channel, in its order.
type InFlightChannel struct {
	Edge, From int32
	// Watermark and Idle are how the channel stood before the first of the elements.
	Watermark stream.Watermark
	Idle      bool
	// Elements are rows, watermarks and statuses.
	Elements []stream.Element
}

// Empty tells that nothing was overtaken in any channel.
func (f *InFlight) Empty() bool {
	for i := range f.Channels {
		if len(f.Channels[i].Elements) > 0 {
			return false
		}
	}
	return true
}

// Release gives the batches back. It may be called again, and on nil.
func (f *InFlight) Release() {
	if f == nil {
		return
	}
	for i := range f.Channels {
		for _, e := range f.Channels[i].Elements {
			if e.Kind == stream.RowsElement {
				e.Batch.Release()
			}
		}
		f.Channels[i].Elements = nil
	}
}

// record is the InFlight of the last barrier that overtook anything, in the making.
type record struct {
	id       types.CheckpointID // 0: none
	inFlight *InFlight
	complete bool
	err      error
	scratch  []stream.Element
}

// errSuperseded is nobody's mistake: a checkpoint may time out and the next one's barrier be here before the word of it.
var errSuperseded = failure.External(errors.New("a newer checkpoint came before all was known that its barrier overtook"), failure.Backoff)

// begin starts the record of a checkpoint, in place of the one before.
func (r *record) begin(g *gate, id types.CheckpointID) {
	r.drop(r.id)
	r.id, r.complete, r.err = id, false, nil
	r.inFlight = &InFlight{Checkpoint: id, Channels: make([]InFlightChannel, len(g.channels)), Rows: make([]int64, max(len(g.inputs), 1))}
	for i := range g.channels {
		c := &r.inFlight.Channels[i]
		c.Edge, c.From = g.channels[i].id.Edge, g.channels[i].id.From
		c.Watermark, c.Idle = g.all.Channel(i)
	}
}

// drop gives the record of a checkpoint up.
func (r *record) drop(id types.CheckpointID) {
	if r.id != id {
		return
	}
	r.inFlight.Release()
	r.id, r.inFlight, r.complete, r.err = 0, nil, false, nil
}

// add takes an element over.
func (r *record) add(channel, input int, e stream.Element) {
	c := &r.inFlight.Channels[channel]
	switch e.Kind {
	case stream.RowsElement:
		if mutant.On(mutant.OvertakenLost) {
			e.Batch.Release()
			return
		}
		r.inFlight.Rows[input] += int64(e.Batch.Rows())
		r.inFlight.Bytes += int64(e.Batch.SizeBytes())
	case stream.WatermarkElement, stream.StatusElement:
	default:
		return // an end comes again with the producer, other barriers were given up
	}
	c.Elements = append(c.Elements, e)
}

// Watch makes the gate look for barriers behind rows.
func (g *gate) Watch() {
	g.watching = true
	for i := range g.channels {
		g.find(i)
	}
}

// Coming returns the newest barrier that is on its way.
func (g *gate) Coming() (stream.Barrier, bool) {
	if g.replay != nil {
		return stream.Barrier{}, false
	}
	g.gatherWoken()
	if b, ok := g.aligner.Pending(); ok && b.ID >= g.found.ID {
		return b, true
	}
	return g.found, g.found.ID != 0
}

// Overtake lets a barrier overtake what is queued.
func (g *gate) Overtake(id types.CheckpointID) bool {
	b, ok := g.Coming()
	if !ok || b.ID != id || !g.aligner.MayOvertake(id) {
		return false
	}
	g.record.begin(g, id)
	g.noteAligned(g.aligner.Overtake(b))
	for i := range g.channels {
		if c := &g.channels[i]; c.rest != nil && g.aligner.Recording(i) {
			g.record.add(i, c.input, stream.RowsOf(slice(c.rest, c.from, c.rest.Rows())))
		}
		g.recordQueued(i)
	}
	return true
}

// find looks for a barrier in a channel's queue.
func (g *gate) find(i int) {
	b, ok := g.channels[i].receiver.Barrier()
	if !ok {
		return
	}
	if b.ID > g.found.ID && g.aligner.Awaits(b.ID) {
		g.found = b
	}
	g.recordQueued(i)
}

// recordQueued records what is queued before the barrier that is being recorded, if
// that is queued.
func (g *gate) recordQueued(i int) {
	if !g.aligner.Recording(i) {
		return
	}
	elements, ok := g.channels[i].receiver.AppendBefore(g.record.scratch[:0], g.record.id)
	for _, e := range elements {
		g.record.add(i, g.channels[i].input, e)
	}
	clear(elements)
	g.record.scratch = elements[:0]
	if ok {
		g.noteAligned(g.aligner.Known(i, g.record.id))
	}
	g.limitRecord()
}

// recordTaken records an element that was taken from a channel, where it was overtaken.
func (g *gate) recordTaken(i int, e stream.Element) {
	if !g.aligner.Recording(i) || e.Kind == stream.BarrierElement {
		return
	}
	if e.Kind == stream.RowsElement {
		e.Batch.Retain()
	}
	g.record.add(i, g.channels[i].input, e)
	g.limitRecord()
}

func (g *gate) limitRecord() {
	if r := &g.record; r.inFlight != nil && r.inFlight.Bytes > InFlightBytesMax {
		id, bytes := r.id, r.inFlight.Bytes
		r.drop(id)
		g.aligner.Drop()
		r.id = id
		r.err = failure.External(fmt.Errorf("its barrier overtook %d bytes in the input channels, the limit is %d: "+
			"some input brings its barrier far later than others", bytes, InFlightBytesMax), failure.Backoff)
	}
}

// noteRecord acts on what an aligner's answer says of the record.
func (g *gate) noteRecord(a align.Aligned) {
	if a.Complete && a.Barrier.ID >= g.found.ID {
		g.found = stream.Barrier{}
	}
	if a.Dropped != 0 {
		g.record.drop(a.Dropped)
	}
	if a.Recorded != 0 {
		g.record.complete = true
	}
}

// Recorded returns what a barrier has overtaken, once.
func (g *gate) Recorded(id types.CheckpointID) (*InFlight, error) {
	g.gatherWoken()
	r := &g.record
	switch {
	case r.id != id:
		return nil, errSuperseded
	case r.err != nil:
		return nil, r.err
	case !r.complete:
		return nil, nil
	}
	f := r.inFlight
	r.id, r.inFlight, r.complete = 0, nil, false
	return f, nil
}

// Forget gives up what is recorded for a checkpoint.
func (g *gate) Forget(id types.CheckpointID) {
	if g.aligner.RecordedFor() == id {
		g.aligner.Drop()
	}
	g.record.drop(id)
}
