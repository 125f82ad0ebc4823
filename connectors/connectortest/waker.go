package connectortest

import (
	"testing"
	"time"

	"millrace/internal/clock"
)

// patience is how long a connector may keep everything waiting. It bounds a hang,
// no test measures it.
const patience = time.Minute

// waker lets a test wait where a task would sleep.
type waker chan struct{}

func newWaker() waker { return make(waker, 1) }

// Wake implements exchange.Waker.
func (w waker) Wake() {
	select {
	case w <- struct{}{}:
	default:
	}
}

// wait returns after a wake-up since the last call.
func (w waker) wait(t *testing.T, what string) {
	t.Helper()
	select {
	case <-w:
	case <-clock.System().After(patience):
		t.Fatalf("no wake-up while waiting for %s", what)
	}
}
