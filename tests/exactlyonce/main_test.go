package exactlyonce

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"millrace/internal/testutil/realkafka"
)

// testLimit bounds a test of a few seconds that hangs.
const testLimit = 4 * time.Minute

func TestMain(m *testing.M) {
	if text := os.Getenv(clusterVariable); text != "" {
		if err := runCluster(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	defer closeSharedBroker()
	defer removeBinary()
	return m.Run()
}

// shared is the broker of all tests that do nothing to it, started at its first use.
var shared struct {
	once   sync.Once
	dir    string
	broker *realkafka.Broker
	err    error
}

func sharedBroker(t *testing.T) *realkafka.Broker {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a broker")
	}
	shared.once.Do(func() {
		//nolint:usetesting // the broker outlives the test that is the first to need it
		if shared.dir, shared.err = os.MkdirTemp("", "exactlyonce"); shared.err == nil {
			shared.broker, shared.err = realkafka.Launch(context.Background(), shared.dir)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.broker
}

func closeSharedBroker() {
	if shared.broker != nil {
		shared.broker.Close()
	}
	_ = os.RemoveAll(shared.dir)
}

// limited returns the test's context with a bound.
func limited(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// pollInterval lies between two looks at a condition.
const pollInterval = 20 * time.Millisecond

// await looks at a condition until it holds.
func await(ctx context.Context, t *testing.T, what string, holds func() bool) {
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
