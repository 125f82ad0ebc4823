package cluster_test

import (
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"
	"time"

	"millrace/cmd/cluster"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// TestRestoreIsServedLocally kills a task manager that has state, and starts it
// again on its folder: it takes its tasks up from its own disk. One without the
// folder takes them up from the store, and keeps what it read.
func TestRestoreIsServedLocally(t *testing.T) {
	c := start(t, newCollect(), cluster.Options{TaskManagers: 1, LocalStateBytes: 1 << 30})
	b := bids{events: 1_000_000_000, parallelism: 2, rate: 20_000, limited: true, cold: true, window: time.Hour, interval: 50 * time.Millisecond}
	id := submit(t, c, b.graph())
	for figure(t, c, "tm-1", "localRecovery_numFilesWritten") < 4 {
		awaitCheckpoint(t, c, id)
	}
	restart := func(stop, start string) {
		if err := c.KillTaskManager(types.TaskManagerID(stop)); err != nil {
			t.Fatal(err)
		}
		if err := c.StartTaskManager(types.TaskManagerID(start)); err != nil {
			t.Fatal(err)
		}
		// A checkpoint that completes as the task manager dies is none of the next.
		eventually(t, "state that is read", func() bool {
			return figure(t, c, start, "localRecovery_numHits")+figure(t, c, start, "localRecovery_numMisses") > 0
		})
		awaitCheckpoint(t, c, id)
	}
	restart("tm-1", "tm-1")
	if hits, misses := figure(t, c, "tm-1", "localRecovery_numHits"), figure(t, c, "tm-1", "localRecovery_numMisses"); hits == 0 || misses != 0 {
		t.Errorf("on its own folder: %d files from local disk, %d from the store", hits, misses)
	}
	restart("tm-1", "tm-2")
	if misses, kept := figure(t, c, "tm-2", "localRecovery_numMisses"), figure(t, c, "tm-2", "localRecovery_numFilesWritten"); misses == 0 || kept < misses {
		t.Errorf("on another folder: %d files from the store, %d kept", misses, kept)
	}
	if _, err := c.Jobs().CancelJob(t.Context(), &apiv1.CancelJobRequest{JobId: id}); err != nil {
		t.Fatal(err)
	}
	if s := watch(t, c, id, nil); s != apiv1.JobState_JOB_STATE_CANCELED {
		t.Errorf("job ended as %s", s)
	}
}

// figure returns a figure of a task manager.
func figure(t *testing.T, c *cluster.Cluster, id, name string) int64 {
	t.Helper()
	w := httptest.NewRecorder()
	c.Registry().Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	line := regexp.MustCompile(`(?m)^millrace_taskmanager_` + name + `\{tm_id="` + id + `"\} (\S+)$`)
	found := line.FindSubmatch(w.Body.Bytes())
	if found == nil {
		t.Fatalf("no figure %s of %s", name, id)
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(n)
}
