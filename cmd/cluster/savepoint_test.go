package cluster_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"millrace/checkpoint"
	"millrace/checkpoint/codec"
	"millrace/cmd/cluster"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
)

// savepoint takes one.
func savepoint(t *testing.T, c *cluster.Cluster, id string) *apiv1.SavepointDescription {
	t.Helper()
	r, err := c.Jobs().TriggerSavepoint(t.Context(), &apiv1.TriggerSavepointRequest{JobId: id})
	if err != nil {
		t.Fatal(err)
	}
	return r.Savepoint
}

// readSavepoint reads a manifest, and checks that it needs nothing outside its folder and leaves nothing to commit.
func readSavepoint(t *testing.T, path string) *checkpointv1.Manifest {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path, "manifest"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := codec.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	own := m.JobId + "/savepoint/" + filepath.Base(path) + "/chunk/"
	for f := range checkpoint.Objects(m) {
		if !strings.HasPrefix(f.GetObject(), own) {
			t.Errorf("the savepoint names %s, outside its folder", f.GetObject())
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(path))), f.GetObject())); err != nil {
			t.Error(err)
		}
	}
	for _, v := range m.Vertices {
		for _, task := range v.Tasks {
			if len(task.Committables) > 0 || len(task.Files) != 1 {
				t.Errorf("vertex %s has %d committables, %d files", v.VertexId, len(task.Committables), len(task.Files))
			}
		}
	}
	if m.PreviousCheckpointId != 0 || len(m.PreviousSha256) > 0 {
		t.Errorf("the savepoint has checkpoint %d before it", m.PreviousCheckpointId)
	}
	return m
}

// Savepoints of a running job stand alone, are no checkpoint of those that are retained, and outlive them all, the job, and
// the search for garbage.
func TestSavepointsOfARunningJob(t *testing.T) {
	sink := newCollect()
	c := start(t, sink, cluster.Options{Retention: eager})
	b := slow()
	b.cold = true // enough state for chunks
	id := submit(t, c, b.graph())
	var taken []*apiv1.SavepointDescription
	s := watch(t, c, id, func(e *apiv1.WatchJobResponse) {
		if e.GetCheckpointCompleted() != nil && len(taken) < 2 {
			taken = append(taken, savepoint(t, c, id))
		}
	})
	if s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	check(t, sink, b)
	eventually(t, "the job's checkpoints are deleted", func() bool {
		return !slices.Contains(objects(t, c, id), "manifest")
	})
	for _, s := range taken {
		if m := readSavepoint(t, s.Path); m.CheckpointId != s.SavepointId || checkpoint.KindOf(m.Kind) != checkpoint.Savepoint {
			t.Errorf("savepoint %d has checkpoint %d of kind %s", s.SavepointId, m.CheckpointId, checkpoint.KindOf(m.Kind))
		}
	}
	if got := describe(t, c, id).Savepoints; len(got) != 2 || got[0].Path != taken[0].Path || got[1].Path != taken[1].Path {
		t.Errorf("the job shows the savepoints %v, want %v", got, taken)
	}
	if _, err := c.Jobs().TriggerSavepoint(t.Context(), &apiv1.TriggerSavepointRequest{JobId: id}); err == nil {
		t.Error("a savepoint of a job that has ended")
	}
}

// Two users at once have a savepoint each.
func TestTwoSavepointsAtOnce(t *testing.T) {
	c := start(t, newCollect(), cluster.Options{})
	id := submit(t, c, endless().graph())
	paths := make(chan string, 2)
	watch(t, c, id, afterCheckpoint(func() {
		for range 2 {
			go func() {
				r, err := c.Jobs().TriggerSavepoint(t.Context(), &apiv1.TriggerSavepointRequest{JobId: id})
				if err != nil {
					t.Error(err)
				}
				paths <- r.GetSavepoint().GetPath()
			}()
		}
		one, other := <-paths, <-paths
		if one == other {
			t.Errorf("both have %s", one)
		}
		if t.Failed() {
			return
		}
		readSavepoint(t, one)
		readSavepoint(t, other)
		if _, err := c.Jobs().CancelJob(t.Context(), &apiv1.CancelJobRequest{JobId: id}); err != nil {
			t.Error(err)
		}
	}))
}
