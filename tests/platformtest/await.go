package platformtest

import (
	"context"
	"testing"
	"time"
)

// Limited returns the test's context with a bound.
func Limited(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// pollInterval lies between two looks at a condition.
const pollInterval = 20 * time.Millisecond

// Await looks at a condition until it holds.
func Await(ctx context.Context, t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticks := time.NewTicker(pollInterval)
	defer ticks.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s: %v", what, ctx.Err())
		case <-ticks.C:
		}
	}
}
