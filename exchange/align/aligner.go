package align

import (
	"millrace/internal/mutant"
	"millrace/stream"
	"millrace/types"
)

// Aligner finds the moment at which a barrier has come on every channel. Until
// then the channels on which it has come are blocked, so that no row behind the
// barrier gets into the state before it.
//
// A channel that has ended counts as aligned: no row can follow. Barriers still
// may, since a task that has ended passes them on until the final checkpoint.
//
// Checkpoints are numbered upwards. A barrier of a newer checkpoint says that
// the older one has been given up where it came from: the older alignment is
// abandoned and its channels are released. A barrier of a checkpoint that is
// complete or abandoned is ignored.
//
// A barrier may also overtake what is under way (Overtake, in overtake.go).
type Aligner struct {
	pending stream.Barrier // ID 0: none
	last    types.CheckpointID
	blocked []bool
	ended   []bool
	missing int // channels, not ended, on which pending hasn't come
	open    int // channels that haven't ended
	overtaking
}

// Aligned is the answer to an event.
type Aligned struct {
	// Barrier is to be passed on now, if Complete.
	Barrier  stream.Barrier
	Complete bool
	// Abandoned is the checkpoint whose alignment was given up; 0: none.
	Abandoned types.CheckpointID
	// Released says that channels which were blocked may no longer be so.
	Released bool
	// Recorded is the checkpoint all of whose overtaken elements have been told to
	// the caller by now; 0: none.
	Recorded types.CheckpointID
	// Dropped is the checkpoint whose recording was given up; 0: none.
	Dropped types.CheckpointID
}

// NewAligner returns an aligner of that many channels.
func NewAligner(channels int) *Aligner {
	return &Aligner{
		blocked: make([]bool, channels), ended: make([]bool, channels), open: channels,
		overtaking: overtaking{inOrder: make([]bool, channels), recording: make([]bool, channels)},
	}
}

// Blocked tells whether the channel must wait for the others.
func (a *Aligner) Blocked(channel int) bool { return a.blocked[channel] }

// Pending returns the barrier that has come on some channels only.
func (a *Aligner) Pending() (stream.Barrier, bool) { return a.pending, a.pending.ID != 0 }

// Barrier says that a barrier came on a channel.
func (a *Aligner) Barrier(channel int, b stream.Barrier) Aligned {
	out := a.Known(channel, b.ID)
	if b.ID <= a.last || b.ID < a.pending.ID {
		return out
	}
	if b.ID > a.pending.ID {
		out.Abandoned = a.pending.ID
		out.Released = a.pending.ID != 0
		a.begin(b)
	}
	if a.blocked[channel] {
		return out
	}
	a.blocked[channel] = true
	if !a.ended[channel] {
		a.missing--
	}
	return a.complete(out)
}

// End says that a channel has ended.
func (a *Aligner) End(channel int) Aligned {
	if a.ended[channel] {
		return Aligned{}
	}
	a.ended[channel] = true
	a.open--
	out := a.recorded(channel)
	if a.pending.ID == 0 {
		return out
	}
	if !a.blocked[channel] {
		a.missing--
	}
	return a.complete(out)
}

func (a *Aligner) begin(b stream.Barrier) {
	a.last = max(a.last, a.pending.ID)
	a.pending = b
	a.missing = a.open
	clear(a.blocked)
}

func (a *Aligner) complete(out Aligned) Aligned {
	if a.missing > 0 && (a.missing != 1 || !mutant.On(mutant.AlignmentSkipped)) {
		return out
	}
	out.Barrier, out.Complete, out.Released = a.pending, true, true
	a.last = a.pending.ID
	a.pending = stream.Barrier{}
	clear(a.blocked)
	return out
}
