package nexmark

import (
	"sync"
	"sync/atomic"
	"time"

	"millrace/exchange"
	"millrace/internal/clock"
)

// alarm wakes a task after a while. It is owned by the task's goroutine; its own
// goroutine lives until close.
type alarm struct {
	clock    clock.Clock
	waker    exchange.Waker
	requests chan time.Duration
	pending  atomic.Bool
	stop     chan struct{}
	done     sync.WaitGroup
}

func newAlarm(c clock.Clock, w exchange.Waker) *alarm {
	a := &alarm{clock: c, waker: w, requests: make(chan time.Duration, 1), stop: make(chan struct{})}
	a.done.Go(a.run)
	return a
}

// set asks for a wake-up after some milliseconds, unless one is due already: that
// one will do, since whoever is woken looks at the clock.
func (a *alarm) set(millis int64) {
	if a.pending.CompareAndSwap(false, true) {
		a.requests <- time.Duration(millis) * time.Millisecond
	}
}

func (a *alarm) run() {
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

func (a *alarm) close() {
	close(a.stop)
	a.done.Wait()
}
