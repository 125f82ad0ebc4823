// Package clock is the only place that asks what time it is.
//
// Shells take a Clock and pass readings on; cores see time as an event and never hold one. There are two readings. Now
// is the wall clock, for people: logs, file names, the times in a job's description. NowMillis is the engine's
// processing time, for decisions: it never runs backwards and advances at the rate of real time, so that a stepped wall
// clock neither re-opens a window nor stalls a timer.
//
// System is the real one, Manual the one that tests advance. A clock starts no goroutine.
package clock

import "time"

// Clock tells the time and makes timers. Implementations are safe for concurrent use.
type Clock interface {
	// Now returns the wall clock's time. It may jump in either direction.
	Now() time.Time
	// NowMillis returns the engine's processing time in milliseconds since the Unix epoch. Within one process it never
	// runs backwards. A value that was stored by another process may lie ahead of it: whoever restores one keeps the larger.
	NowMillis() int64
	// NewTimer returns a timer that fires once, d from now; a d of 0 or less fires at once.
	NewTimer(d time.Duration) Timer
	// After returns the channel of a timer that is never stopped.
	After(d time.Duration) <-chan time.Time
}

// Timer fires once after a duration. As with time.Timer of Go 1.23 and later, no value from before a Stop or a Reset is
// received after it.
type Timer interface {
	// C returns the channel on which the time of firing is sent.
	C() <-chan time.Time
	// Stop keeps the timer from firing. It reports whether the timer was still running.
	Stop() bool
	// Reset starts the timer anew with duration d. It reports whether the timer was still running.
	Reset(d time.Duration) bool
}

// System returns the clock of the machine. All values it ever returns in a process share one processing time.
func System() Clock { return system{} }

// processStart anchors processing time. The wall clock is read once; everything after is elapsed monotonic time. The
// maximum of all wall-clock readings would also never run backwards, but it stands still for an hour after the wall
// clock was an hour fast for a moment.
var processStart = time.Now()

type system struct{}

func (system) Now() time.Time { return time.Now().Add(time.Duration(offset.Load())) }

func (system) NowMillis() int64 {
	return processStart.Add(time.Since(processStart) + time.Duration(offset.Load())).UnixMilli()
}

func (system) NewTimer(d time.Duration) Timer { return systemTimer{time.NewTimer(d)} }

func (system) After(d time.Duration) <-chan time.Time { return time.After(d) }

type systemTimer struct{ t *time.Timer }

func (s systemTimer) C() <-chan time.Time        { return s.t.C }
func (s systemTimer) Stop() bool                 { return s.t.Stop() }
func (s systemTimer) Reset(d time.Duration) bool { return s.t.Reset(d) }
