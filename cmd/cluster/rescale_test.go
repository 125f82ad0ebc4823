package cluster_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/jobmanager"
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/scheduler"
	"millrace/types"
)

// steps are what happens to a running job, one behind the other: each begins when
// the job has run with the parallelism of the one before through a checkpoint, the
// first with two subtasks.
type step struct {
	do   func()
	runs int // subtasks of a vertex from then on
}

// follow carries the steps out while the job runs, and returns its last state.
func follow(t *testing.T, c *cluster.Cluster, id string, steps []step) apiv1.JobState {
	t.Helper()
	next := 0
	runs := 2
	s := watch(t, c, id, func(e *apiv1.WatchJobResponse) {
		if e.GetCheckpointCompleted() == nil || next == len(steps) {
			return
		}
		if width(t, c, id) == runs {
			steps[next].do()
			runs = steps[next].runs
			next++
		}
	})
	if next < len(steps) {
		t.Fatalf("the job ended before step %d of %d", next, len(steps))
	}
	return s
}

// width returns how many subtasks of the windows there are.
func width(t *testing.T, c *cluster.Cluster, id string) int {
	t.Helper()
	n := 0
	for _, task := range describe(t, c, id).Tasks {
		if task.VertexId == "windows" {
			n++
		}
	}
	return n
}

// slower runs for some seconds, so that much can happen to it.
func slower() bids {
	b := slow()
	b.events, b.rate = 200_000, 25_000
	return b
}

func TestRescaleByHand(t *testing.T) {
	b := slower()
	sink := newCollect()
	c := start(t, sink, cluster.Options{})
	id := submit(t, c, b.graph())
	to := func(p int32, vertices map[string]int32) func() {
		return func() {
			_, err := c.Jobs().RescaleJob(t.Context(), &apiv1.RescaleJobRequest{JobId: id, Parallelism: p, Vertices: vertices})
			if err != nil {
				t.Error(err)
			}
		}
	}
	s := follow(t, c, id, []step{
		{to(1, nil), 1}, {to(3, nil), 3}, {to(0, map[string]int32{"windows": 4}), 4},
	})
	if s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	check(t, sink, b)
	d := describe(t, c, id)
	if len(d.RecentRescales) != 3 || !strings.Contains(d.RecentRescales[2], "parallelism 3, windows 4") || d.Summary.Restarts != 0 {
		t.Errorf("the job says of its rescales %q and has %d restarts", d.RecentRescales, d.Summary.Restarts)
	}
}

func TestRescaleIsRefused(t *testing.T) {
	c := start(t, newCollect(), cluster.Options{})
	id := submit(t, c, endless().graph())
	_, err := c.Jobs().RescaleJob(t.Context(), &apiv1.RescaleJobRequest{
		JobId: id, Parallelism: -1, Vertices: map[string]int32{"bids": 129, "nowhere": 1},
	})
	for _, want := range []string{"is -1, want 1 to", "is 129, want 1 to", "no such vertex"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a rescale to nonsense says %v, want %q in it", err, want)
		}
	}
	if _, err := c.Jobs().RescaleJob(t.Context(), &apiv1.RescaleJobRequest{JobId: id}); err == nil {
		t.Error("a rescale without a parallelism is taken")
	}
}

// TestSlotsGoAndComeBack loses a task manager, goes on with what is left, and takes
// the slots again when they are back.
func TestSlotsGoAndComeBack(t *testing.T) {
	b := slower()
	sink := newCollect()
	c := start(t, sink, cluster.Options{Slots: 1, Policy: scheduler.Policy{AllowLower: true}, Rescale: jobmanager.RescaleOptions{
		RescaleSpec: lifecycle.RescaleSpec{Wait: time.Second},
	}})
	id := submit(t, c, b.graph())
	s := follow(t, c, id, []step{
		{func() {
			if err := c.KillTaskManager("tm-2"); err != nil {
				t.Error(err)
			}
		}, 1},
		{func() {
			if err := c.StartTaskManager("tm-2"); err != nil {
				t.Error(err)
			}
		}, 2},
	})
	if s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	check(t, sink, b)
	d := describe(t, c, id)
	if len(d.RecentRescales) != 1 || !strings.Contains(d.RecentRescales[0], "slots came") {
		t.Errorf("the job says of its rescales %q", d.RecentRescales)
	}
	if len(d.RecentFailures) == 0 || !strings.Contains(d.RecentFailures[0], "tm-2 is lost") {
		t.Errorf("the job says of its failures %q", d.RecentFailures)
	}
}

// TestDrain has a task manager hand its tasks over to another before it goes.
func TestDrain(t *testing.T) {
	b := slower()
	sink := newCollect()
	c := start(t, sink, cluster.Options{TaskManagers: 3, Slots: 1})
	id := submit(t, c, b.graph())
	home := ""
	drained := make(chan error, 1)
	s := watch(t, c, id, func(e *apiv1.WatchJobResponse) {
		if e.GetCheckpointCompleted() == nil || home != "" {
			return
		}
		home = describe(t, c, id).Tasks[0].TaskManagerId
		go func() { drained <- drain(t.Context(), c, home) }()
	})
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	check(t, sink, b)
	d := describe(t, c, id)
	if d.Summary.Restarts != 0 || len(d.RecentRescales) != 1 || !strings.Contains(d.RecentRescales[0], home+" is about to leave") {
		t.Errorf("the job has %d restarts and says of its rescales %q", d.Summary.Restarts, d.RecentRescales)
	}
	for _, task := range d.Tasks {
		if task.TaskManagerId == home {
			t.Errorf("task %s/%d is still on %s", task.VertexId, task.Subtask, home)
		}
	}
}

func drain(ctx context.Context, c *cluster.Cluster, id string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, fmt.Errorf("%s was not let go", id))
	defer cancel()
	return c.DrainTaskManager(ctx, types.TaskManagerID(id))
}

func TestDescribeCluster(t *testing.T) {
	c := start(t, newCollect(), cluster.Options{TaskManagers: 1, Slots: 1})
	id := submit(t, c, endless().graph()) // it wants two slots
	var d *apiv1.DescribeClusterResponse
	eventually(t, "a cluster that says what waits", func() bool {
		var err error
		if d, err = c.Describe().DescribeCluster(t.Context(), &apiv1.DescribeClusterRequest{}); err != nil {
			t.Fatal(err)
		}
		return len(d.TaskManagers) == 1 && len(d.Waiting) == 1 && strings.Contains(d.Waiting[0].Reason, "needs 2 slots")
	})
	if d.Waiting[0].JobId != id || d.Leader != c.Address() || d.Term == 0 || len(d.TaskManagers[0].Slots) != 1 {
		t.Errorf("the cluster says %v", d)
	}
}
