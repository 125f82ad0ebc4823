package task

import (
	"fmt"
	"time"

	"millrace/exchange"
	"millrace/stream"
	"millrace/types"
)

// Unaligned says when barriers overtake rows. The zero value: never.
type Unaligned struct {
	Enabled bool
	// After is how long a barrier waits before it overtakes; 0: not at all.
	After time.Duration
	// PieceRows is how many rows a sink that does not keep up is given at a time; 0 means
	// the constant. What it has taken it must finish before it is prepared, so that this
	// is what a checkpoint waits for.
	PieceRows int
}

// InFlights writes what a barrier overtook, and posts Stored for each. It takes what was
// in flight over.
type InFlights interface {
	SubmitInFlight(id types.CheckpointID, f *exchange.InFlight)
}

// waiting is the barrier that waits in the task, or on its way into it.
//
// How long it has waited is counted from where it was triggered, since it may have
// waited in every task on its way; clocks of machines differ, so it is not believed to
// have waited longer here than it has been here, when that is long enough.
type waiting struct {
	id    types.CheckpointID // 0: none
	since int64              // when it was seen here first
	due   int64              // when it overtakes
	// passing is the barrier that has overtaken in the gate and comes next out of it, and
	// overtook the last that came.
	passing, overtook types.CheckpointID
	// given are checkpoints that will never be complete, up to this one: their barriers
	// have no need to hurry.
	given types.CheckpointID
}

// pressing tells whether a barrier has waited long enough. Then the chain is drained
// beyond its credit, and the barrier goes first.
func (t *Task) pressing() bool {
	if !t.Unaligned.Enabled {
		return false
	}
	b, ok := t.waitingBarrier()
	if !ok || b.Kind != stream.Periodic || b.ID <= t.barrier.given {
		t.barrier.id = 0
		return false
	}
	if b.ID != t.barrier.id {
		t.barrier.id, t.barrier.since = b.ID, t.now
		t.barrier.due = t.now + t.Unaligned.After.Milliseconds()
		if b.Triggered != 0 {
			triggered := b.Triggered / int64(time.Millisecond/time.Nanosecond)
			t.barrier.due = min(t.barrier.due, triggered+t.Unaligned.After.Milliseconds())
		}
	}
	return t.now >= t.barrier.due
}

// waitingBarrier returns the barrier that is furthest on its way through the task.
func (t *Task) waitingBarrier() (stream.Barrier, bool) {
	b, passing := t.chain.barrier()
	switch {
	case passing:
		return b, true
	case t.Source == nil:
		return t.Gate.Coming()
	case len(t.triggers) > 0:
		return t.triggers[0].barrier(), true
	default:
		return stream.Barrier{}, false
	}
}

// overtakeAt is when to look again for a barrier that waits; 0 for never.
func (t *Task) overtakeAt() int64 {
	if t.barrier.id == 0 || t.now >= t.barrier.due {
		return 0
	}
	return t.barrier.due
}

// overtake lets the barrier that presses go first. It is false where it can't yet.
func (t *Task) overtake() (bool, error) {
	if t.Source != nil {
		if len(t.triggers) == 0 || t.Source.midBatch() {
			return false, nil
		}
		return true, t.trigger()
	}
	if t.barrier.passing == 0 && !t.Gate.Overtake(t.barrier.id) {
		return false, nil
	}
	t.barrier.passing = t.barrier.id
	took, _, err := t.take()
	return took, err
}

// cutPieces makes the gate give a sink that does not keep up little at a time, and whole
// batches again when it has caught up.
func (t *Task) cutPieces(p Progress) {
	switch {
	case !t.Unaligned.Enabled || t.Sink == nil || t.Gate == nil:
	case p == Congested && !t.pieces:
		t.pieces = true
		rows := t.Unaligned.PieceRows
		if rows == 0 {
			rows = pieceRows
		}
		t.Gate.Pieces(rows)
	case p == Starved && t.pieces:
		t.pieces = false
		t.Gate.Pieces(0)
	}
}

// passed notes that a barrier came out of the gate.
func (t *Task) passed(b stream.Barrier) {
	if b.ID != t.barrier.passing {
		return
	}
	t.barrier.passing, t.barrier.overtook = 0, b.ID
	if seen := (t.now - t.barrier.since) * int64(time.Millisecond); seen > t.alignmentTook {
		t.alignmentTook = seen
		t.Metrics.AlignmentNanos.Set(seen)
	}
}

// pollRecorded asks the gate for what barriers overtook.
func (t *Task) pollRecorded() {
	for _, p := range t.pending {
		if !p.recording {
			continue
		}
		f, err := t.Gate.Recorded(p.id)
		switch {
		case err != nil:
			p.recording, p.stored = false, true
			if !p.aborted {
				p.aborted = true
				t.Report.Declined(p.id, err)
			}
		case f != nil:
			p.recording = false
			t.storeInFlight(p, f)
		}
	}
	t.acknowledge()
}

func (t *Task) storeInFlight(p *pendingSnapshot, f *exchange.InFlight) {
	if f.Empty() || p.aborted {
		f.Release()
		p.stored = true
		return
	}
	p.state.InFlightRows = f.Rows
	t.InFlights.SubmitInFlight(p.id, f)
}

// stored takes in that what was in flight is safe.
func (t *Task) stored(s Stored) error {
	for _, p := range t.pending {
		if p.id != s.ID {
			continue
		}
		if s.Err != nil {
			return fmt.Errorf("store what was in flight at checkpoint %d: %w", s.ID, s.Err)
		}
		p.stored = true
		p.state.InFlight = s.File
		p.figures.InFlightBytes = s.File.GetBytes()
		p.figures.WrittenBytes += s.File.GetBytes()
		p.figures.UploadMicros += s.Micros
	}
	t.acknowledge()
	return nil
}

// giveUp forgets what is recorded for a checkpoint that will never be complete.
func (t *Task) giveUp(id types.CheckpointID) {
	t.barrier.given = max(t.barrier.given, id)
	for _, p := range t.pending {
		if p.id == id && p.recording {
			p.recording, p.stored = false, true
			t.Gate.Forget(id)
		}
	}
}
