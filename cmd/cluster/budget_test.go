package cluster_test

import (
	"strings"
	"testing"
	"time"

	"millrace/cmd/cluster"
	apiv1 "millrace/proto/millrace/api/v1"
)

// TestStateBeyondItsBudgetFailsItsJobAlone: a job whose state outgrows its slot
// fails for good and says what to do; a job in another slot of the same task
// manager goes on as if nothing had been.
func TestStateBeyondItsBudgetFailsItsJobAlone(t *testing.T) {
	c := start(t, newCollect(), cluster.Options{TaskManagers: 1, Slots: 2, StateBytes: 16 << 20})
	calm := bids{events: 1_000_000_000, parallelism: 1, rate: 1000, limited: true, interval: 20 * time.Millisecond}
	neighbour := submitAs(t, c, calm.graph(), "neighbour")
	awaitCheckpoint(t, c, neighbour)

	greedy := bids{events: 50_000_000, parallelism: 1, rate: 1_000_000, cold: true, window: time.Hour, interval: time.Second}
	id := submitAs(t, c, greedy.graph(), "greedy")
	if s := watch(t, c, id, nil); s != apiv1.JobState_JOB_STATE_FAILED {
		t.Fatalf("job ended as %s", s)
	}
	d := describe(t, c, id)
	for _, want := range []string{"windows/0", "its budget is 8388608 bytes", "raise taskmanager.memory.managed.size", "a higher parallelism"} {
		if !strings.Contains(d.Summary.Failure, want) {
			t.Errorf("the failure does not say %q: %s", want, d.Summary.Failure)
		}
	}

	awaitCheckpoint(t, c, neighbour)
	if d := describe(t, c, neighbour); d.Summary.State != apiv1.JobState_JOB_STATE_RUNNING || d.Summary.Restarts != 0 || len(d.RecentFailures) > 0 {
		t.Errorf("the neighbour is %s after %d restarts: %v", d.Summary.State, d.Summary.Restarts, d.RecentFailures)
	}
	status, err := c.Describe().DescribeCluster(t.Context(), &apiv1.DescribeClusterRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got := status.TaskManagers[0].SlotStateBytes; got != 8<<20 {
		t.Errorf("the cluster shows %d bytes a slot", got)
	}
	if _, err := c.Jobs().CancelJob(t.Context(), &apiv1.CancelJobRequest{JobId: neighbour}); err != nil {
		t.Fatal(err)
	}
	watch(t, c, neighbour, nil)
}
