package cluster_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/jobmanager"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// eager finds garbage all the time, however young.
var eager = jobmanager.Retention{Interval: 5 * time.Millisecond, Age: time.Nanosecond}

// objects returns the objects of a job: graph, manifest or chunk, in order.
func objects(t *testing.T, c *cluster.Cluster, job string) (kinds []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(c.Dir, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // deleted meanwhile
		}
		if err != nil || e.IsDir() || !strings.Contains(path, "/"+job+"/") {
			return err
		}
		for _, kind := range []string{"graph", "manifest", "chunk"} {
			if strings.Contains(path, "/"+kind+"/") {
				kinds = append(kinds, kind)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(kinds)
	return kinds
}

// eventually waits until what holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for end := time.After(time.Minute); !holds(); {
		select {
		case <-again.C:
		case <-end:
			t.Fatalf("never: %s", what)
		}
	}
}

// TestEndedJobsLeaveNoCheckpoints: of a job that has finished or was cancelled
// only the graph is kept, of one that was stopped the last checkpoint too.
func TestEndedJobsLeaveNoCheckpoints(t *testing.T) {
	end := map[string]func(*cluster.Cluster, string) error{
		"finished": func(*cluster.Cluster, string) error { return nil },
		"canceled": func(c *cluster.Cluster, id string) error {
			_, err := c.Jobs().CancelJob(t.Context(), &apiv1.CancelJobRequest{JobId: id})
			return err
		},
		"stopped": func(c *cluster.Cluster, id string) error {
			_, err := c.Jobs().StopJob(t.Context(), &apiv1.StopJobRequest{JobId: id})
			return err
		},
	}
	for name, ends := range end {
		t.Run(name, func(t *testing.T) {
			b := slow()
			if name != "finished" {
				b = endless()
			}
			b.cold = true // enough state for chunks
			c := start(t, newCollect(), cluster.Options{})
			id := submit(t, c, b.graph())
			watch(t, c, id, afterCheckpoint(func() {
				if err := ends(c, id); err != nil {
					t.Error(err)
				}
			}))
			eventually(t, "the job's checkpoints are deleted", func() bool {
				kinds := objects(t, c, id)
				manifests := 0
				for _, k := range kinds {
					if k == "manifest" {
						manifests++
					}
				}
				if name == "stopped" {
					return manifests == 1 && slices.Contains(kinds, "graph")
				}
				return slices.Equal(kinds, []string{"graph"})
			})
		})
	}
}

// TestCollectingInTheMiddle: garbage of attempts that are lost is collected
// while others run, restore and complete checkpoints, and nothing is amiss.
func TestCollectingInTheMiddle(t *testing.T) {
	sink := newCollect()
	c := start(t, sink, cluster.Options{Retention: eager})
	b := slow()
	b.cold, b.events = true, 150_000
	id := submit(t, c, b.graph())
	killed := 0
	s := watch(t, c, id, func(e *apiv1.WatchJobResponse) {
		if e.GetCheckpointCompleted() == nil || killed >= 6 {
			return
		}
		if killed++; killed%2 == 1 {
			return
		}
		victim := types.TaskManagerID(describe(t, c, id).Tasks[0].TaskManagerId)
		if err := c.KillTaskManager(victim); err != nil {
			t.Error(err)
		}
		if err := c.StartTaskManager(victim); err != nil {
			t.Error(err)
		}
	})
	if s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s: %v", s, describe(t, c, id).RecentFailures)
	}
	check(t, sink, b)
	for _, f := range describe(t, c, id).RecentFailures {
		if strings.Contains(f, "checkpoint") || strings.Contains(f, "not found") {
			t.Errorf("something was missing: %s", f)
		}
	}
}

// TestLeftoversGo: what an attempt uploaded for a checkpoint that never became
// complete is deleted once there is a later attempt.
func TestLeftoversGo(t *testing.T) {
	dir, sink := t.TempDir(), newCollect()
	var id, leftover string
	runWith(t, dir, sink, cluster.Options{Retention: eager}, func(c *cluster.Cluster) {
		id = submit(t, c, endless().graph())
		awaitCheckpoint(t, c, id)
		folder := filepath.Join(dir, "blobs", id, "00000000000000000001", "chunk", "00000000000000000001")
		leftover = filepath.Join(folder, "windows.0-never")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(leftover, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		awaitCheckpoint(t, c, id)
		if _, err := os.Stat(leftover); err != nil {
			t.Errorf("a chunk of the attempt under way: %v", err)
		}
	})
	runWith(t, dir, sink, cluster.Options{Retention: eager}, func(c *cluster.Cluster) {
		eventually(t, "the leftover is deleted", func() bool {
			_, err := os.Stat(leftover)
			return os.IsNotExist(err)
		})
		awaitJob(t, c, id)
		awaitCheckpoint(t, c, id)
	})
}

// TestOldestEndedJobsAreForgotten: records, graphs and checkpoints.
func TestOldestEndedJobsAreForgotten(t *testing.T) {
	dir, sink := t.TempDir(), newCollect()
	var last string
	only := func(c *cluster.Cluster) bool {
		list, err := c.Jobs().ListJobs(t.Context(), &apiv1.ListJobsRequest{})
		return err == nil && len(list.Jobs) == 1 && list.Jobs[0].JobId == last
	}
	runWith(t, dir, sink, cluster.Options{Retention: jobmanager.Retention{EndedJobs: 1}}, func(c *cluster.Cluster) {
		var forgotten []string
		for _, name := range []string{"failed", "failed too", "failed again"} {
			g := slow().graph()
			g.Vertices[1].Sink.Connector = "broken"
			id := submitAs(t, c, g, name)
			watch(t, c, id, nil)
			forgotten, last = append(forgotten, last), id
		}
		eventually(t, "only the last job is listed", func() bool { return only(c) })
		for _, id := range forgotten[1:] {
			if left := objects(t, c, id); len(left) > 0 {
				t.Errorf("a forgotten job has left %v", left)
			}
		}
	})
	runOn(t, dir, sink, func(c *cluster.Cluster) {
		awaitJob(t, c, last)
		if !only(c) {
			t.Error("a forgotten job is back")
		}
	})
}

// TestBlobs: checkpoints go where they are told to, and only there.
func TestBlobs(t *testing.T) {
	dir, blobs := t.TempDir(), t.TempDir()
	runWith(t, dir, newCollect(), cluster.Options{Blobs: blobs, SessionTTL: 5 * time.Second}, func(c *cluster.Cluster) {
		id := submit(t, c, endless().graph())
		awaitCheckpoint(t, c, id)
		if _, err := os.Stat(filepath.Join(blobs, id, "manifest")); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "blobs")); !os.IsNotExist(err) {
			t.Errorf("a blob store in the cluster's folder: %v", err)
		}
	})
}
