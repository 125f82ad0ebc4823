package memory_test

import (
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"millrace/jobmanager/coord"
	"millrace/jobmanager/coord/coordtest"
	"millrace/jobmanager/coord/fault"
	"millrace/jobmanager/coord/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is a coordtest.Cluster; plan is what its stores fail by.
type cluster struct {
	*memory.Cluster
	plan string
}

func (c cluster) Open(t *testing.T) coord.Store {
	t.Helper()
	s, err := fault.Wrap(c.Cluster.Open(), c.plan)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (c cluster) Expire(t *testing.T, candidate string) {
	t.Helper()
	for !c.Cluster.Expire(candidate) {
		if t.Context().Err() != nil {
			t.Fatalf("no candidate %s", candidate)
		}
		runtime.Gosched()
	}
}

func TestConformance(t *testing.T) {
	coordtest.Run(t, func(*testing.T) coordtest.Cluster { return cluster{memory.NewCluster(), ""} })
}

// TestConformanceBehindFault: faults that meet no call are not felt.
func TestConformanceBehindFault(t *testing.T) {
	coordtest.Run(t, func(*testing.T) coordtest.Cluster {
		return cluster{memory.NewCluster(), "any nth=1000000 err=unavailable"}
	})
}

func TestFaults(t *testing.T) {
	coordtest.RunFaults(t, func(*testing.T) coordtest.Cluster { return cluster{memory.NewCluster(), ""} })
}

func TestNoticeTellsTheHolder(t *testing.T) {
	c := memory.NewCluster()
	s := c.Open()
	defer s.Close()
	s.Notice()
	l, err := s.Campaign(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	isDone := func() bool {
		select {
		case <-l.Done():
			return true
		default:
			return false
		}
	}
	s.Notice()
	if isDone() {
		t.Error("told that it is over while the lease stands")
	}
	if !c.Expire("a") || c.Expire("a") {
		t.Error("Expire reports wrongly")
	}
	if isDone() {
		t.Error("told before it could notice")
	}
	s.Notice()
	if !isDone() {
		t.Error("not told")
	}
}
