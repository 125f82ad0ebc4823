package task

import (
	"context"
	"time"
)

// Run steps the task on the calling goroutine until it is finished, fails, or
// the context ends, and then closes it. A panic of the task is its failure,
// with the stack, and nobody else's.
func (t *Task) Run(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = t.panicked(r)
			t.closeAfterPanic()
			return
		}
		if cerr := t.Close(); err == nil {
			err = cerr
		}
	}()
	timer := t.Clock.NewTimer(time.Hour)
	defer timer.Stop()
	mark := t.Clock.Now()
	for ctx.Err() == nil {
		p, wakeAt, err := t.Step(t.Clock.NowMillis())
		if err != nil || p == Finished {
			return err
		}
		now := t.Clock.Now()
		t.Metrics.BusyNanos.Add(int64(now.Sub(mark)))
		mark = now
		if p == Worked {
			continue
		}
		wait := time.Hour
		if wakeAt > 0 {
			wait = time.Duration(max(wakeAt-t.Clock.NowMillis(), 1)) * time.Millisecond
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-t.wake:
		case <-timer.C():
		}
		now = t.Clock.Now()
		switch took := int64(now.Sub(mark)); p {
		case Congested:
			t.Metrics.BackPressuredNanos.Add(took)
		case Waiting: // it is what holds up those in front of it
			t.Metrics.BusyNanos.Add(took)
		default:
			t.Metrics.IdleNanos.Add(took)
		}
		mark = now
	}
	return ctx.Err()
}

// closeAfterPanic gives back what can be given back: a part that panicked may
// panic again.
func (t *Task) closeAfterPanic() {
	defer func() { _ = recover() }()
	_ = t.Close()
}
