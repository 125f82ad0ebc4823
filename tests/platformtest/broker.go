package platformtest

import (
	"context"
	"os"
	"sync"
	"testing"

	"millrace/internal/testutil/realkafka"
)

// shared is the broker of all tests that do nothing to it, started at its first use.
var shared struct {
	once   sync.Once
	dir    string
	broker *realkafka.Broker
	err    error
}

// SharedBroker returns the broker of all tests of a package that do nothing to it. TestMain calls CloseSharedBroker.
func SharedBroker(t *testing.T) *realkafka.Broker {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a broker")
	}
	shared.once.Do(func() {
		//nolint:usetesting // the broker outlives the test that is the first to need it
		if shared.dir, shared.err = os.MkdirTemp("", "millrace-broker"); shared.err == nil {
			shared.broker, shared.err = realkafka.Launch(context.Background(), shared.dir)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.broker
}

// CloseSharedBroker ends the shared broker, if any.
func CloseSharedBroker() {
	if shared.broker != nil {
		shared.broker.Close()
	}
	_ = os.RemoveAll(shared.dir)
}
