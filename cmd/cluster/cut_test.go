package cluster_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/internal/testutil/matrix"
	apiv1 "millrace/proto/millrace/api/v1"
)

// cable is a way through which task managers reach the job manager, and which a test
// cuts.
type cable struct {
	t        *testing.T
	listener net.Listener
	to       string
	wait     sync.WaitGroup
	mu       struct {
		sync.Mutex
		cut  bool
		near map[net.Conn]bool // the task managers' ends
		far  map[net.Conn]bool // the job manager's
	}
}

// newCable listens; Reach lays the cable.
func newCable(t *testing.T) *cable {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{t: t, listener: listener}
	c.mu.near, c.mu.far = make(map[net.Conn]bool), make(map[net.Conn]bool)
	t.Cleanup(func() {
		_ = listener.Close()
		c.cut(true)
		c.wait.Wait()
	})
	return c
}

// Reach is for cluster.Options.
func (c *cable) Reach(address string) string {
	if c.to == "" {
		c.to = address
		c.wait.Go(c.accept)
	}
	return c.listener.Addr().String()
}

func (c *cable) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.to)
		if err != nil || !c.enter(near, far) {
			_ = near.Close()
			continue
		}
		c.wait.Go(func() { carry(far, near) })
		c.wait.Go(func() { carry(near, far) })
	}
}

// carry passes bytes on; that the source ends is told only by a cut, so that a cut
// of one end leaves the other as it is.
func carry(to io.Writer, from io.Reader) { _, _ = io.Copy(to, from) }

func (c *cable) enter(near, far net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.cut {
		_ = far.Close()
		return false
	}
	c.mu.near[near], c.mu.far[far] = true, true
	return true
}

// cut breaks every connection at the task managers' end, and at the job manager's if
// both is set; no other is let through until mend.
func (c *cable) cut(both bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.cut = true
	ends := []map[net.Conn]bool{c.mu.near}
	if both {
		ends = append(ends, c.mu.far)
	}
	for _, conns := range ends {
		for conn := range conns {
			_ = conn.Close()
		}
		clear(conns)
	}
}

func (c *cable) mend() {
	c.mu.Lock()
	c.mu.cut = false
	c.mu.Unlock()
}

// cutMax is how long a control connection is cut at most. What follows until a task
// manager is back must end before its silence counts.
const cutMax = 300 * time.Millisecond

// TestCutControlConnections: whatever is on its way in either direction when the
// connections of all task managers break, again and again, the attempt goes on,
// checkpoints complete, and every window comes once.
func TestCutControlConnections(t *testing.T) {
	for name, both := range map[string]bool{"both ends": true, "the job manager notices nothing": false} {
		t.Run(name, func(t *testing.T) { cutControlConnections(t, both) })
	}
}

func cutControlConnections(t *testing.T, both bool) {
	r, sink, way := matrix.Rand(t), newCollect(), newCable(t)
	c := start(t, sink, cluster.Options{Remote: true, Reach: way.Reach})
	b := slow()
	b.events = 240_000
	id := submit(t, c, b.graph())
	cuts, checkpoints := 0, 0
	s := watch(t, c, id, func(e *apiv1.WatchJobResponse) {
		if e.GetRestarted() != nil {
			t.Errorf("restarted behind %d cuts: %s", cuts, e.GetRestarted().Reason)
		}
		if e.GetCheckpointCompleted() == nil {
			return
		}
		if checkpoints++; checkpoints%2 == 0 && cuts < 8 {
			cuts++
			way.cut(both)
			<-time.After(time.Duration(r.Int64N(int64(cutMax))))
			way.mend()
		}
	})
	if s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	check(t, sink, b)
	if d := describe(t, c, id); d.Attempt != 1 || cuts == 0 {
		t.Errorf("attempt %d behind %d cuts", d.Attempt, cuts)
	}
}

// TestBrokenConnectionShows: until a task manager is back or lost, the cluster says
// what is the matter with it.
func TestBrokenConnectionShows(t *testing.T) {
	way := newCable(t)
	c := start(t, newCollect(), cluster.Options{Remote: true, Reach: way.Reach, TaskManagers: 1})
	id := submit(t, c, endless().graph())
	awaitCheckpoint(t, c, id)
	way.cut(true)
	awaitTrouble(t, c, "its connection broke")
	way.mend()
	awaitTrouble(t, c, "")
	awaitCheckpoint(t, c, id)
	if d := describe(t, c, id); d.Attempt != 1 {
		t.Errorf("attempt %d: %q", d.Attempt, d.RecentFailures)
	}
}

// awaitTrouble waits until the only task manager is connected or not, as that says.
func awaitTrouble(t *testing.T, c *cluster.Cluster, want string) {
	t.Helper()
	for {
		d, err := c.Describe().DescribeCluster(t.Context(), &apiv1.DescribeClusterRequest{})
		if err != nil || len(d.TaskManagers) != 1 {
			t.Fatalf("waiting for %q: %v, %v", want, d, err)
		}
		if got := d.TaskManagers[0].Trouble; strings.HasPrefix(got, want) && (got == "") == (want == "") {
			return
		}
	}
}
