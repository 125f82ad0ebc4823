package align

import (
	"millrace/stream"
	"millrace/types"
)

// overtaking is what an aligner knows of a barrier that was passed on ahead of
// elements that came before it on their channels. They belong to its checkpoint, as
// what was on its way: the caller records each of them.
type overtaking struct {
	// inOrder are the channels on which no barrier overtakes anything.
	inOrder []bool
	// id is the checkpoint that is being recorded; 0: none.
	id        types.CheckpointID
	recording []bool // its barrier hasn't come on the channel
	awaited   int    // channels that are being recorded
}

// KeepInOrder says that a barrier must come on this channel before it may overtake
// anything on others.
func (a *Aligner) KeepInOrder(channel int) { a.inOrder[channel] = true }

// MayOvertake tells whether Overtake would pass the barrier on.
func (a *Aligner) MayOvertake(id types.CheckpointID) bool {
	if !a.Awaits(id) {
		return false
	}
	for c, kept := range a.inOrder {
		if kept && !a.ended[c] && (a.pending.ID != id || !a.blocked[c]) {
			return false
		}
	}
	return true
}

// Awaits tells whether the barrier of that checkpoint has still to pass.
func (a *Aligner) Awaits(id types.CheckpointID) bool { return id > a.last && id >= a.pending.ID }

// Overtake passes a barrier on that is known to be on its way on some channel, or
// that has come on some: Complete, and every channel released. From here on the
// caller records what it takes from each channel for which Recording holds, until
// the answer to an event says that the checkpoint is Recorded, or Dropped.
func (a *Aligner) Overtake(b stream.Barrier) Aligned {
	if !a.MayOvertake(b.ID) {
		return Aligned{}
	}
	var out Aligned
	if b.ID > a.pending.ID {
		out.Abandoned = a.pending.ID
		a.begin(b)
	}
	out.Dropped = a.id
	a.id, a.awaited = b.ID, 0
	for c := range a.recording {
		a.recording[c] = !a.ended[c] && !a.blocked[c]
		if a.recording[c] {
			a.awaited++
		}
	}
	out.Barrier, out.Complete, out.Released = a.pending, true, true
	a.last, a.pending = b.ID, stream.Barrier{}
	clear(a.blocked)
	return a.finish(out)
}

// Recording tells whether what comes on the channel was overtaken: it belongs to the
// checkpoint that is being recorded.
func (a *Aligner) Recording(channel int) bool { return a.recording[channel] }

// RecordedFor returns the checkpoint that is being recorded, 0 for none.
func (a *Aligner) RecordedFor() types.CheckpointID { return a.id }

// Known says that a barrier is known to stand on a channel, and that everything
// before it has been recorded, if anything is. The caller may find it there before it
// comes to take it; Barrier follows in any case.
func (a *Aligner) Known(channel int, id types.CheckpointID) Aligned {
	switch {
	case a.id == 0 || id < a.id:
		return Aligned{}
	case id > a.id: // whoever takes checkpoints has given the older one up
		return Aligned{Dropped: a.Drop()}
	default:
		return a.recorded(channel)
	}
}

// Drop gives up what is being recorded, and returns of which checkpoint that is.
func (a *Aligner) Drop() types.CheckpointID {
	id := a.id
	a.id, a.awaited = 0, 0
	clear(a.recording)
	return id
}

// recorded ends the recording of a channel.
func (a *Aligner) recorded(channel int) Aligned {
	if !a.recording[channel] {
		return Aligned{}
	}
	a.recording[channel] = false
	a.awaited--
	return a.finish(Aligned{})
}

func (a *Aligner) finish(out Aligned) Aligned {
	if a.awaited == 0 {
		out.Recorded = a.id
		a.id = 0
	}
	return out
}
