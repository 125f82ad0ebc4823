package clock

import (
	"slices"
	"sync"
	"time"
)

// Manual is a clock that stands still until a test advances it. It fires timers in the order of their deadlines, and
// those of one deadline in the order of their starting. Safe for concurrent use.
type Manual struct {
	mu struct {
		sync.Mutex
		// elapsed is the time advanced so far; processing time is origin + elapsed.
		elapsed time.Duration
		// skew is what Skew moved the wall clock by, beside elapsed.
		skew   time.Duration
		timers []*manualTimer // running ones, ordered by (deadline, order)
		orders uint64         // of the timers started so far
		// changed is closed and replaced whenever a timer starts.
		changed chan struct{}
	}
	origin time.Time
}

// NewManual returns a clock that stands at start.
func NewManual(start time.Time) *Manual {
	m := &Manual{origin: start}
	m.mu.changed = make(chan struct{})
	return m
}

// Now returns the time that the clock was set to, skew included.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wall()
}

// NowMillis returns start plus everything advanced; Skew does not move it.
func (m *Manual) NowMillis() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.origin.Add(m.mu.elapsed).UnixMilli()
}

// NewTimer returns a timer that Advance fires.
func (m *Manual) NewTimer(d time.Duration) Timer {
	t := &manualTimer{clock: m, c: make(chan time.Time, 1)}
	t.Reset(d)
	return t
}

// After returns the channel of a new timer.
func (m *Manual) After(d time.Duration) <-chan time.Time { return m.NewTimer(d).C() }

// Advance moves the clock forward by d and fires what falls due on the way; each timer sees the time of its own
// deadline, and a timer that is started meanwhile fires too if it falls due before the end. A negative d is 0: time
// never runs backwards here, see Skew.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	end := m.mu.elapsed + max(d, 0)
	for len(m.mu.timers) > 0 && m.mu.timers[0].deadline <= end {
		t := m.mu.timers[0]
		m.mu.timers = m.mu.timers[1:]
		m.mu.elapsed = max(m.mu.elapsed, t.deadline)
		t.c <- m.wall() // never blocks: room for one, and a timer that is in the list has not fired
	}
	m.mu.elapsed = end
}

// Skew steps the wall clock by d in either direction, as an operator or a time daemon does. Timers and processing time
// do not notice.
func (m *Manual) Skew(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.skew += d
}

// Running returns how many timers are waiting to fire.
func (m *Manual) Running() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.mu.timers)
}

// AwaitRunning blocks until at least n timers are waiting or give up is closed (t.Context().Done() is a good one): a
// test calls it before it advances, so that the goroutine under test has started its timer. It reports whether they are.
func (m *Manual) AwaitRunning(n int, giveUp <-chan struct{}) bool {
	for {
		m.mu.Lock()
		enough, changed := len(m.mu.timers) >= n, m.mu.changed
		m.mu.Unlock()
		if enough {
			return true
		}
		select {
		case <-changed:
		case <-giveUp:
			return false
		}
	}
}

// wall needs the lock.
func (m *Manual) wall() time.Time { return m.origin.Add(m.mu.elapsed + m.mu.skew) }

// start needs the lock.
func (m *Manual) start(t *manualTimer, d time.Duration) {
	m.mu.orders++
	t.deadline, t.order = m.mu.elapsed+max(d, 0), m.mu.orders
	if d <= 0 {
		t.c <- m.wall()
		return
	}
	at, _ := slices.BinarySearchFunc(m.mu.timers, t, func(a, b *manualTimer) int {
		if a.deadline != b.deadline {
			return int(min(max(a.deadline-b.deadline, -1), 1))
		}
		return int(min(max(int64(a.order-b.order), -1), 1))
	})
	m.mu.timers = slices.Insert(m.mu.timers, at, t)
	close(m.mu.changed)
	m.mu.changed = make(chan struct{})
}

// stop needs the lock. It reports whether t was running, and takes back a value that was not received.
func (m *Manual) stop(t *manualTimer) bool {
	select {
	case <-t.c:
		return true // fired, but nobody has seen it: as if it had been stopped in time
	default:
	}
	at := slices.Index(m.mu.timers, t)
	if at < 0 {
		return false
	}
	m.mu.timers = slices.Delete(m.mu.timers, at, at+1)
	return true
}

type manualTimer struct {
	clock    *Manual
	c        chan time.Time
	deadline time.Duration // of the clock's elapsed time
	order    uint64
}

func (t *manualTimer) C() <-chan time.Time { return t.c }

func (t *manualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.clock.stop(t)
}

func (t *manualTimer) Reset(d time.Duration) bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	running := t.clock.stop(t)
	t.clock.start(t, d)
	return running
}
