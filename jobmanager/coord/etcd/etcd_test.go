package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"millrace/failure"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/coord/coordtest"
	"millrace/jobmanager/coord/etcd"
	"millrace/jobmanager/coord/etcd/embedded"
)

// server is shared by the tests; each takes a cluster of its own in it.
var server *embedded.Server

var clusters atomic.Int64

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "coord-etcd")
	if err == nil {
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder.
		server, err = embedded.Start(context.Background(), embedded.Options{Dir: dir})
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	beside := []goleak.Option{ // the server's goroutines, some of which begin late
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("go.etcd.io/etcd/server/v3/embed.(*serveCtx).startHandler.func1"),
		goleak.IgnoreAnyFunction("go.etcd.io/etcd/server/v3/etcdserver.(*EtcdServer).GoAttach.func1"),
	}
	code := m.Run()
	if err := goleak.Find(beside...); err != nil && code == 0 {
		fmt.Println("the store left goroutines behind:", err)
		code = 1
	}
	if err := server.Close(); err != nil {
		fmt.Println(err)
		code = 1
	}
	return code
}

// cluster is a coordtest.Cluster in some etcd.
type cluster struct {
	name      string
	endpoints []string
}

// newCluster is one on the shared server.
func newCluster(*testing.T) coordtest.Cluster { return newClusterAt(server.Endpoint()) }

func newClusterAt(endpoints ...string) cluster {
	return cluster{fmt.Sprintf("test-%d", clusters.Add(1)), endpoints}
}

func (c cluster) options() etcd.Options {
	return etcd.Options{Endpoints: c.endpoints, Cluster: c.name, SessionTTL: 5 * time.Second}
}

func (c cluster) Open(t *testing.T) coord.Store {
	t.Helper()
	s, err := etcd.Open(c.options())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (c cluster) Expire(t *testing.T, candidate string) {
	t.Helper()
	client := rawClient(t, c.endpoints...)
	watch := client.Watch(t.Context(), "/millrace/"+c.name+"/election/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	for range watch {
		response, err := client.Get(t.Context(), "/millrace/"+c.name+"/election/", clientv3.WithPrefix())
		if err != nil {
			t.Fatal(err)
		}
		for _, kv := range response.Kvs {
			if string(kv.Value) != candidate {
				continue
			}
			if _, err := client.Revoke(t.Context(), clientv3.LeaseID(kv.Lease)); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no candidate %s", candidate)
}

func rawClient(t *testing.T, endpoints ...string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

func TestConformance(t *testing.T) { coordtest.Run(t, newCluster) }

func TestFaults(t *testing.T) { coordtest.RunFaults(t, newCluster) }

// TestKeysStayInTheirCluster: two clusters in one etcd see nothing of each other, and an election is no entry.
func TestKeysStayInTheirCluster(t *testing.T) {
	a, b := newCluster(t).Open(t), newCluster(t).Open(t)
	defer closeStore(t, a)
	defer closeStore(t, b)
	for _, s := range []coord.Store{a, b} {
		l, err := s.Campaign(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Txn(t.Context(), l.Term(), []coord.Compare{coord.Absent("k")}, []coord.Op{coord.Put("k", nil)}); err != nil {
			t.Errorf("the other cluster's key shows: %v", err)
		}
	}
	if list, err := a.List(t.Context(), ""); err != nil || len(list) != 1 {
		t.Errorf("listed %v, %v; want k alone", list, err)
	}
}

// TestServerAway: calls end by their own bound, say so, and say of a transaction that nobody knows.
func TestServerAway(t *testing.T) {
	away, err := embedded.Start(t.Context(), embedded.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := etcd.Open(etcd.Options{Endpoints: []string{away.Endpoint()}, SessionTTL: 5 * time.Second, RequestTimeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l, err := s.Campaign(ctx, "a")
	for errors.Is(err, coord.ErrUnavailable) && ctx.Err() == nil { // a busy machine may need longer than the calls' bound
		l, err = s.Campaign(ctx, "a")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := away.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, coord.ErrUnavailable) || failure.ClassOf(err).Retry != failure.Backoff {
		t.Errorf("get = %v, want ErrUnavailable", err)
	}
	if _, err := s.List(t.Context(), "k"); !errors.Is(err, coord.ErrUnavailable) {
		t.Errorf("list = %v, want ErrUnavailable", err)
	}
	if _, err := s.Leader(t.Context()); !errors.Is(err, coord.ErrUnavailable) {
		t.Errorf("leader = %v, want ErrUnavailable", err)
	}
	err = s.Txn(t.Context(), l.Term(), nil, []coord.Op{coord.Put("k", nil)})
	if !errors.Is(err, coord.ErrOutcomeUnknown) || errors.Is(err, coord.ErrUnavailable) {
		t.Errorf("txn = %v, want ErrOutcomeUnknown", err)
	}
	<-l.Done() // the lease cannot be kept, and the leader finds out by its own clock
	if err := s.Txn(t.Context(), l.Term(), nil, nil); !errors.Is(err, coord.ErrFenced) {
		t.Errorf("txn after that = %v, want ErrFenced", err)
	}
	if _, err := s.Campaign(t.Context(), "a"); !errors.Is(err, coord.ErrUnavailable) {
		t.Errorf("campaign = %v, want ErrUnavailable", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	o := etcd.Options{Password: "hunter2", Username: "u", SessionTTL: time.Minute, Cluster: "../x", RequestTimeout: -1}
	if text := fmt.Sprintf("%v %+v %#v", o, o, o); strings.Contains(text, "hunter2") {
		t.Errorf("the password shows: %s", text)
	}
	_, err := etcd.Open(o)
	if err == nil {
		t.Fatal("opened")
	}
	for _, field := range []string{"endpoints", "cluster", "session-ttl", "timeouts"} {
		if !strings.Contains(err.Error(), field+":") {
			t.Errorf("no word of %s in %q", field, err)
		}
	}
}

func closeStore(t *testing.T, s coord.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
