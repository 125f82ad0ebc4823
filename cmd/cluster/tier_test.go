package cluster_test

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/cmd/cluster"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/statebackend/badger"
)

// wide is a job whose state grows with every bid: its key is the price, and a row has
// some 350 bytes, all in one window.
func wide(events, rate int, limited bool) *jobgraph.Graph {
	b := bids{events: events, parallelism: 1, rate: rate, limited: limited, window: 24 * time.Hour, interval: 200 * time.Millisecond}
	g := b.graph()
	a := g.Vertices[1].Operators[0].Body.(*jobgraph.WindowAggregateSpec)
	a.Keys = []int{1}
	for i := range 40 {
		a.Aggregates = append(a.Aggregates, jobgraph.AggregateCall{Func: "SUM", Arg: 1, Name: fmt.Sprint("sum", i)})
	}
	g.Edges[0].Keys = []int{1}
	return g
}

// tierOptions give a task manager 13 MiB a slot beside the database.
func tierOptions(s cluster.StateOptions) cluster.Options {
	return cluster.Options{TaskManagers: 1, Slots: 2, StateBytes: 84 << 20, State: s}
}

// TestStateBeyondItsBudgetGoesOn: a job whose state is twice what its slot has
// goes on, on disk, and its output is that of a job with all the memory it wants, over the loss
// of its task manager.
func TestStateBeyondItsBudgetGoesOn(t *testing.T) {
	const events = 100_000
	want := newCollect()
	c := start(t, want, cluster.Options{TaskManagers: 1})
	if s := watch(t, c, submit(t, c, wide(events, 10_000, false)), nil); s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("the job with memory ended as %s", s)
	}
	if n := len(want.rows()); n < events/2 {
		t.Fatalf("only %d rows", n)
	}
	for name, state := range map[string]cluster.StateOptions{"columnar": {Spill: true}, "badger": {Badger: true}} {
		t.Run(name, func(t *testing.T) {
			sink := newCollect()
			c := start(t, sink, tierOptions(state))
			id := submit(t, c, wide(events, 30_000, true))
			killed := false
			s := watch(t, c, id, func(e *apiv1.WatchJobResponse) {
				if k := e.GetCheckpointCompleted(); k == nil || killed || figure(t, c, "tm-1", "stateTier_rowsAway") == 0 {
					return
				}
				killed = true
				if err := c.KillTaskManager("tm-1"); err != nil {
					t.Error(err)
				}
				if err := c.StartTaskManager("tm-1"); err != nil {
					t.Error(err)
				}
			})
			if s != apiv1.JobState_JOB_STATE_FINISHED || !killed {
				t.Fatalf("job ended as %s, killed: %v", s, killed)
			}
			if diff := differences(want.rows(), sink.rows()); diff != "" {
				t.Errorf("output differs, -want +got:\n%s", diff)
			}
			if figure(t, c, "tm-1", "stateTier_numRowsEvicted") == 0 || figure(t, c, "tm-1", "stateTier_numBytesWritten") == 0 {
				t.Error("no row left memory")
			}
		})
	}
}

// differences shows some rows that two outputs do not share.
func differences(want, got map[string]int) string {
	if maps.Equal(want, got) {
		return ""
	}
	shown := 0
	for _, of := range []struct{ these, others map[string]int }{{want, got}, {got, want}} {
		maps.DeleteFunc(of.these, func(row string, n int) bool {
			shown++
			return of.others[row] == n || shown > 20
		})
	}
	return cmp.Diff(want, got)
}

// TestDiskPressureIsSaid: a task manager whose state may take no more of its disk says so
// to whoever asks for the cluster and for the job, and the job fails with that as its cause.
func TestDiskPressureIsSaid(t *testing.T) {
	c := start(t, newCollect(), tierOptions(cluster.StateOptions{Spill: true, DiskBytes: 1 << 20}))
	g := wide(100_000_000, 100_000, true)
	g.Restart.Delay = 100 * time.Millisecond
	id := submit(t, c, g)
	describeUntil(t, c, id, "runs", inState(apiv1.JobState_JOB_STATE_RUNNING))
	awaitTrouble(t, c, "DISK_PRESSURE")
	describeUntil(t, c, id, "fails of it", func(d *apiv1.DescribeJobResponse) bool {
		return len(d.RecentFailures) > 0 && strings.Contains(d.RecentFailures[0], "DISK_PRESSURE")
	})
	if _, err := c.Jobs().CancelJob(t.Context(), &apiv1.CancelJobRequest{JobId: id}); err != nil {
		t.Fatal(err)
	}
	watch(t, c, id, nil)
}

// TestBadgerWantsMemory refuses a task manager without room for the database.
func TestBadgerWantsMemory(t *testing.T) {
	o := tierOptions(cluster.StateOptions{Badger: true})
	o.StateBytes, o.Dir = 16<<20, t.TempDir()
	c, err := cluster.Start(t.Context(), o)
	if err == nil {
		t.Error(c.Close())
	}
	if err == nil || !strings.Contains(err.Error(), "taskmanager.memory.managed.size") || !strings.Contains(err.Error(), strconv.Itoa(badger.ManagedMin)) {
		t.Errorf("16 MiB: %v", err)
	}
}
