package realetcd_test

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"millrace/internal/testutil/realetcd"
)

const testLimit = 2 * time.Minute

// TestLeaderDiesAndReturns is what every other user of the package relies on: the others elect a leader, acknowledged
// writes survive SIGKILL, a member comes back on its folder and address, and a paused one is silent until it is resumed.
func TestLeaderDiesAndReturns(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	c := realetcd.Start(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	first := leader(t, ctx, c)
	put(t, ctx, c.Endpoints(), "k", "1")
	first.Kill()
	second := leader(t, ctx, c)
	if second == first {
		t.Fatal("the killed member leads")
	}
	put(t, ctx, c.Endpoints(), "k", "2")
	if err := first.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	expectValue(t, ctx, first.Endpoint(), "k", "2")

	second.Pause()
	third := leader(t, ctx, c)
	if third == second {
		t.Fatal("the paused member leads")
	}
	put(t, ctx, []string{third.Endpoint()}, "k", "3")
	second.Resume()
	expectValue(t, ctx, second.Endpoint(), "k", "3")

	second.Stop()
	if err := second.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	expectValue(t, ctx, second.Endpoint(), "k", "3")
}

// TestNothingIsLeftBehind: neither a process nor a goroutine outlives Close, also of a member that is paused.
func TestNothingIsLeftBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	t.Cleanup(func() { goleak.VerifyNone(t) })
	c, err := realetcd.Launch(t.Context(), t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	m := c.Members()[0]
	m.Pause()
	c.Close()
	c.Close()
	process, err := os.FindProcess(m.PID())
	if err == nil && process.Signal(syscall.Signal(0)) == nil {
		t.Errorf("process %d still runs", m.PID())
	}
}

func leader(t *testing.T, ctx context.Context, c *realetcd.Cluster) *realetcd.Member {
	t.Helper()
	m, err := c.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s leads", m.Name())
	return m
}

func dial(t *testing.T, endpoints ...string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func put(t *testing.T, ctx context.Context, endpoints []string, key, value string) {
	t.Helper()
	client := dial(t, endpoints...)
	defer client.Close()
	if _, err := client.Put(ctx, key, value); err != nil {
		t.Fatal(err)
	}
}

func expectValue(t *testing.T, ctx context.Context, endpoint, key, want string) {
	t.Helper()
	client := dial(t, endpoint)
	defer client.Close()
	answer, err := client.Get(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Kvs) != 1 || string(answer.Kvs[0].Value) != want {
		t.Errorf("%s at %s = %v, want %s", key, endpoint, answer.Kvs, want)
	}
}
