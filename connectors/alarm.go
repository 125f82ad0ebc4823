package connectors

import (
	"sync"
	"sync/atomic"
	"time"

	"millrace/exchange"
	"millrace/internal/clock"
)

// Alarm wakes a task after a while, for readers of what comes at a rate. It is
// owned by the task's goroutine; its own goroutine lives until Close.
type Alarm struct {
	clock    clock.Clock
	waker    exchange.Waker
	requests chan time.Duration
	pending  atomic.Bool
	stop     chan struct{}
	done     sync.WaitGroup
}

// NewAlarm returns an alarm that is not set.
func NewAlarm(c clock.Clock, w exchange.Waker) *Alarm {
	a := &Alarm{clock: c, waker: w, requests: make(chan time.Duration, 1), stop: make(chan struct{})}
	a.done.Go(a.run)
	return a
}

// Set asks for a wake-up after some milliseconds, unless one is due already: that
// one will do, since whoever is woken looks at the clock.
func (a *Alarm) Set(millis int64) {
	if a.pending.CompareAndSwap(false, true) {
		a.requests <- time.Duration(millis) * time.Millisecond
	}
}

func (a *Alarm) run() {
	for {
		var d time.Duration
		select {
		case <-a.stop:
			return
		case d = <-a.requests:
		}
		t := a.clock.NewTimer(d)
		select {
		case <-a.stop:
			t.Stop()
			return
		case <-t.C():
		}
		a.pending.Store(false)
		a.waker.Wake()
	}
}

// Close ends the goroutine. The task is not woken afterwards.
func (a *Alarm) Close() {
	close(a.stop)
	a.done.Wait()
}
