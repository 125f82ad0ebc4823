package align

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"millrace/stream"
	"millrace/types"
)

// twinValve keeps what each channel said and works everything out anew.
type twinValve struct {
	at          []stream.Watermark
	idle, ended []bool
	out         stream.Watermark
}

func (v *twinValve) settle() (stream.Watermark, bool) {
	least, latest := stream.MaxWatermark, stream.NoWatermark
	active, idle := false, false
	for i := range v.at {
		switch {
		case v.ended[i] || v.at[i] == stream.MaxWatermark:
		case v.idle[i]:
			idle = true
			latest = max(latest, v.at[i])
		default:
			active = true
			least = min(least, v.at[i])
		}
	}
	if !active && idle {
		least = latest
	}
	v.out = max(v.out, least)
	return v.out, !active && idle
}

func TestValveEqualsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "channels")
		v := NewValve(n)
		twin := &twinValve{at: make([]stream.Watermark, n), idle: make([]bool, n), ended: make([]bool, n), out: stream.NoWatermark}
		for i := range twin.at {
			twin.at[i] = stream.NoWatermark
		}
		wasAt, wasIdle := v.Watermark(), false
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			c := rapid.IntRange(0, n-1).Draw(t, "channel")
			var got Change
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				got = v.End(c)
				twin.ended[c] = true
			case 1, 2, 3:
				idle := rapid.Bool().Draw(t, "idle")
				got = v.SetIdle(c, idle)
				twin.idle[c] = idle
			default:
				w := stream.Watermark(rapid.IntRange(-5, 20).Draw(t, "at"))
				if w == 20 {
					w = stream.MaxWatermark
				}
				got = v.Advance(c, w)
				if !twin.ended[c] {
					twin.at[c] = max(twin.at[c], w)
				}
			}
			at, idle := twin.settle()
			want := Change{Advanced: at > wasAt, Turned: idle != wasIdle}
			if want.Advanced {
				want.Watermark = at
			}
			want.Idle = want.Turned && idle
			if got != want || v.Watermark() != at || v.Idle() != idle {
				t.Fatalf("got %+v at %d idle %v, want %+v at %d idle %v", got, v.Watermark(), v.Idle(), want, at, idle)
			}
			wasAt, wasIdle = at, idle
		}
	})
}

// TestAlignedBarriersCutEveryChannel plays channels that carry rows, barriers and
// ends, taken in any order that the aligner allows, and checks at each barrier that
// passes: from every channel exactly the rows before that barrier were taken.
// Some channels miss some barriers.
func TestAlignedBarriersCutEveryChannel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "channels")
		last := rapid.IntRange(1, 6).Draw(t, "checkpoints")
		channels := make([][]int, n) // 0: a row, -1: the end, else a barrier
		for i := range channels {
			channels[i] = drawChannel(t, last)
		}
		a := NewAligner(n)
		taken := make([]int, n)
		passed := types.CheckpointID(0)
		for {
			free := takeable(a, channels, taken)
			if len(free) == 0 {
				break
			}
			c := rapid.SampledFrom(free).Draw(t, "channel")
			e := channels[c][taken[c]]
			taken[c]++
			var got Aligned
			switch e {
			case 0:
				continue
			case -1:
				got = a.End(c)
			default:
				got = a.Barrier(c, stream.Barrier{ID: types.CheckpointID(e)})
			}
			if got.Complete {
				if got.Barrier.ID <= passed {
					t.Fatalf("barrier %d after %d", got.Barrier.ID, passed)
				}
				passed = got.Barrier.ID
				checkCut(t, channels, taken, int(passed))
			}
		}
		checkLiveness(t, a, channels, taken, last, passed)
	})
}

func drawChannel(t *rapid.T, last int) []int {
	var out []int
	endBefore := rapid.IntRange(1, last+1).Draw(t, "end before")
	for id := 1; id <= last; id++ {
		rows := rapid.IntRange(0, 2).Draw(t, "rows")
		if id == endBefore {
			out = append(out, -1)
		}
		if id < endBefore {
			out = append(out, make([]int, rows)...)
		}
		// The last barrier comes on every channel: nobody gives it up.
		if id == last || rapid.IntRange(0, 3).Draw(t, "missing") > 0 {
			out = append(out, id)
		}
	}
	return out
}

func takeable(a *Aligner, channels [][]int, taken []int) []int {
	var free []int
	for i := range channels {
		if taken[i] < len(channels[i]) && !a.Blocked(i) {
			free = append(free, i)
		}
	}
	return free
}

// checkCut: a row behind the barrier must not have been taken, and no row before
// it left out.
func checkCut(t *rapid.T, channels [][]int, taken []int, id int) {
	for i, es := range channels {
		for k, e := range es[:taken[i]] {
			if e == 0 && behind(es[:k], id) {
				t.Fatalf("channel %d: a row behind barrier %d was taken", i, id)
			}
		}
		for k, e := range es[taken[i]:] {
			if e == 0 && !behind(es[:taken[i]+k], id) {
				t.Fatalf("channel %d: a row before barrier %d was left out", i, id)
			}
		}
	}
}

func behind(before []int, id int) bool {
	return slices.Contains(before, id)
}

// checkLiveness: everything was taken, and the last barrier, which came on every
// channel, has passed.
func checkLiveness(t *rapid.T, a *Aligner, channels [][]int, taken []int, last int, passed types.CheckpointID) {
	for i := range channels {
		if taken[i] != len(channels[i]) {
			t.Fatalf("channel %d is stuck", i)
		}
	}
	if int(passed) != last {
		t.Fatalf("the last barrier that passed is %d, not %d", passed, last)
	}
	if b, ok := a.Pending(); ok {
		t.Fatalf("barrier %d is pending for ever", b.ID)
	}
}
