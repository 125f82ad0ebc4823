package align

import (
	"testing"

	"pgregory.net/rapid"

	"millrace/stream"
	"millrace/types"
)

// overtakes plays a gate over channels that carry rows, barriers and ends: barriers
// are found before they are taken, and overtake at any time. It numbers rows by their
// place in their channel.
type overtakes struct {
	*rapid.T
	a        *Aligner
	channels [][]int // 0: a row, -1: the end, else a barrier
	arrived  []int
	taken    []int
	inOrder  []bool
	passed   types.CheckpointID
	// Of the checkpoint that is being recorded: how far each channel's rows had gone
	// into the state, and which rows were recorded.
	inState  []int
	recorded []map[int]bool
}

// TestOvertakingBarriersLoseAndDoubleNothing checks of each checkpoint that passes,
// however its barrier came to pass: on every channel the rows that were in the state
// and those that were recorded are together those before its barrier, each once.
func TestOvertakingBarriersLoseAndDoubleNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "channels")
		last := rapid.IntRange(1, 6).Draw(t, "checkpoints")
		o := &overtakes{T: t, a: NewAligner(n), arrived: make([]int, n), taken: make([]int, n), inOrder: make([]bool, n)}
		for c := range n {
			o.channels = append(o.channels, drawChannel(t, last))
			if rapid.IntRange(0, 5).Draw(t, "in order") == 0 {
				o.inOrder[c] = true
				o.a.KeepInOrder(c)
			}
		}
		for o.step() {
		}
		checkLiveness(t, o.a, o.channels, o.taken, last, o.passed)
		if id := o.a.RecordedFor(); id != 0 {
			t.Fatalf("checkpoint %d is being recorded for ever", id)
		}
	})
}

// step lets something arrive, takes something, or lets a barrier overtake. It is false
// when everything is taken.
func (o *overtakes) step() bool {
	var coming []int
	for c := range o.channels {
		if o.arrived[c] < len(o.channels[c]) {
			coming = append(coming, c)
		}
	}
	within := make([][]int, len(o.channels))
	for c := range within {
		within[c] = o.channels[c][:o.arrived[c]]
	}
	free := takeable(o.a, within, o.taken)
	switch what := rapid.IntRange(0, 9).Draw(o.T, "what"); {
	case len(coming) == 0 && len(free) == 0:
		return false
	case len(coming) > 0 && (what < 4 || len(free) == 0):
		o.arrived[rapid.SampledFrom(coming).Draw(o.T, "arrives")]++
	case what == 9:
		o.overtake()
	case len(free) > 0:
		o.take(rapid.SampledFrom(free).Draw(o.T, "channel"))
	}
	o.find()
	return true
}

func (o *overtakes) take(c int) {
	at := o.taken[c]
	o.taken[c]++
	switch e := o.channels[c][at]; e {
	case 0:
		if o.a.Recording(c) {
			o.record(c, at)
		}
	case -1:
		o.answer(o.a.End(c))
	default:
		o.answer(o.a.Barrier(c, stream.Barrier{ID: types.CheckpointID(e)}))
	}
}

func (o *overtakes) record(c, at int) {
	if o.recorded[c][at] {
		o.Fatalf("row %d of channel %d is recorded twice", at, c)
	}
	o.recorded[c][at] = true
}

// newest returns the newest barrier that has arrived anywhere and was not passed.
func (o *overtakes) newest() types.CheckpointID {
	id := 0
	for c, es := range o.channels {
		for _, e := range es[:o.arrived[c]] {
			id = max(id, e)
		}
	}
	return types.CheckpointID(id)
}

func (o *overtakes) overtake() {
	id := o.newest()
	may := id > o.passed
	for c, kept := range o.inOrder {
		es := o.channels[c][:o.taken[c]]
		if kept && !behind(es, int(id)) && !behind(es, -1) {
			may = false
		}
	}
	if got := o.a.MayOvertake(id); got != may {
		o.Fatalf("checkpoint %d may overtake: %v, want %v", id, got, may)
	}
	if !may {
		return
	}
	o.inState = append([]int(nil), o.taken...)
	o.recorded = make([]map[int]bool, len(o.channels))
	for c := range o.recorded {
		o.recorded[c] = make(map[int]bool)
	}
	got := o.a.Overtake(stream.Barrier{ID: id})
	if !got.Complete || got.Barrier.ID != id {
		o.Fatalf("barrier %d did not pass: %+v", id, got)
	}
	for c := range o.channels {
		if o.a.Blocked(c) || o.inOrder[c] && o.a.Recording(c) {
			o.Fatalf("channel %d is blocked, or recorded though it is kept in order", c)
		}
	}
	o.answer(got)
}

// find records what stands before the barrier that is being awaited, where it has come.
func (o *overtakes) find() {
	for c, es := range o.channels {
		id := int(o.a.RecordedFor())
		if id == 0 || !o.a.Recording(c) {
			continue
		}
		for at := o.taken[c]; at < o.arrived[c]; at++ {
			if es[at] != id {
				continue
			}
			for k := o.taken[c]; k < at; k++ {
				if es[k] == 0 {
					o.record(c, k)
				}
			}
			o.answer(o.a.Known(c, types.CheckpointID(id)))
			break
		}
	}
}

func (o *overtakes) answer(got Aligned) {
	if got.Complete {
		if got.Barrier.ID <= o.passed {
			o.Fatalf("barrier %d after %d", got.Barrier.ID, o.passed)
		}
		o.passed = got.Barrier.ID
		if o.a.RecordedFor() != o.passed && got.Recorded != o.passed {
			checkCut(o.T, o.channels, o.taken, int(o.passed))
		}
	}
	if got.Recorded != 0 {
		o.checkRecord(int(got.Recorded))
	}
}

// checkRecord: what was in the state and what was recorded are the rows before the
// barrier, or all rows where the channel ended without it.
func (o *overtakes) checkRecord(id int) {
	for c, es := range o.channels {
		for at, e := range es {
			if e != 0 {
				continue
			}
			got := at < o.inState[c] || o.recorded[c][at]
			if want := !behind(es[:at], id); got != want {
				o.Fatalf("checkpoint %d: row %d of channel %d is covered: %v, want %v", id, at, c, got, want)
			}
			if at < o.inState[c] && o.recorded[c][at] {
				o.Fatalf("checkpoint %d: row %d of channel %d is in the state and recorded", id, at, c)
			}
		}
	}
}
