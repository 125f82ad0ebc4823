package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/internal/clock"
)

var start = time.UnixMilli(1_700_000_000_000)

func millisSinceStart(at time.Time) int64 { return at.Sub(start).Milliseconds() }

// received returns the times waiting on the channels, in milliseconds since start; -1 where there is none.
func received(timers ...clock.Timer) []int64 {
	var out []int64
	for _, t := range timers {
		select {
		case at := <-t.C():
			out = append(out, millisSinceStart(at))
		default:
			out = append(out, -1)
		}
	}
	return out
}

func expect(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestManualFiresAtEachDeadline(t *testing.T) {
	m := clock.NewManual(start)
	late, early, now := m.NewTimer(30*time.Millisecond), m.NewTimer(10*time.Millisecond), m.NewTimer(-1)
	expect(t, []int64{-1, -1, 0}, received(late, early, now))
	m.Advance(29 * time.Millisecond)
	expect(t, []int64{-1, 10}, received(late, early))
	m.Advance(time.Millisecond)
	expect(t, []int64{30, -1}, received(late, early))
	expect(t, 0, m.Running())
}

func TestManualStopAndReset(t *testing.T) {
	m := clock.NewManual(start)
	stopped, reset, fired := m.NewTimer(5), m.NewTimer(5), m.NewTimer(5)
	expect(t, true, stopped.Stop())
	expect(t, false, stopped.Stop())
	expect(t, true, reset.Reset(20*time.Millisecond))
	m.Advance(10 * time.Millisecond)
	expect(t, true, fired.Reset(time.Millisecond)) // the old value must not be seen after the Reset
	expect(t, []int64{-1, -1, -1}, received(stopped, reset, fired))
	m.Advance(10 * time.Millisecond)
	expect(t, []int64{-1, 20, 11}, received(stopped, reset, fired))
	expect(t, false, fired.Stop())
}

func TestProcessingTimeIgnoresSkewAndNegativeAdvance(t *testing.T) {
	m := clock.NewManual(start)
	timer := m.NewTimer(10 * time.Millisecond)
	m.Skew(-time.Hour)
	m.Advance(-time.Second)
	expect(t, start.UnixMilli(), m.NowMillis())
	expect(t, -time.Hour.Milliseconds(), millisSinceStart(m.Now()))
	m.Advance(10 * time.Millisecond)
	expect(t, start.UnixMilli()+10, m.NowMillis())
	expect(t, []int64{10 - time.Hour.Milliseconds()}, received(timer))
}

func TestAwaitRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clock.NewManual(start)
		woken := make(chan int64)
		go func() {
			<-m.After(time.Second)
			woken <- m.NowMillis()
		}()
		if !m.AwaitRunning(1, t.Context().Done()) {
			t.Fatal("gave up")
		}
		m.Advance(time.Second)
		expect(t, start.UnixMilli()+1000, <-woken)

		giveUp := make(chan struct{})
		close(giveUp)
		expect(t, false, m.AwaitRunning(1, giveUp))
	})
}

func TestSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clock.System()
		before := s.NowMillis()
		timer := s.NewTimer(time.Minute)
		stopped := s.NewTimer(time.Second)
		expect(t, true, stopped.Stop())
		<-timer.C()
		<-s.After(time.Minute)
		expect(t, false, timer.Reset(time.Hour))
		expect(t, true, timer.Stop())
		if after := s.NowMillis(); after-before != 120_000 {
			t.Errorf("processing time went from %d to %d in two minutes", before, after)
		}
	})
}

func TestOffsetMovesBothReadings(t *testing.T) {
	t.Cleanup(func() { _ = clock.Offset("") })
	synctest.Test(t, func(t *testing.T) {
		s := clock.System()
		now, millis := s.Now(), s.NowMillis()
		if err := clock.Offset("-90m"); err != nil {
			t.Fatal(err)
		}
		expect(t, -90*time.Minute, s.Now().Sub(now))
		expect(t, -90*time.Minute.Milliseconds(), s.NowMillis()-millis)
		if err := clock.Offset("yesterday"); err == nil {
			t.Error("an offset that is no duration is taken")
		}
	})
}
