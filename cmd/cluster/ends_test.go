package cluster_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/cmd/cluster"
	apiv1 "millrace/proto/millrace/api/v1"
)

// endless is a job that runs until somebody ends it; no window of it closes by
// itself meanwhile.
func endless() bids {
	return bids{
		events: 0, parallelism: 2, local: true, rate: 20_000, limited: true, interval: 50 * time.Millisecond, window: time.Hour,
	}
}

// afterCheckpoint calls do once, behind the first completed checkpoint.
func afterCheckpoint(do func()) func(*apiv1.WatchJobResponse) {
	done := false
	return func(e *apiv1.WatchJobResponse) {
		if e.GetCheckpointCompleted() != nil && !done {
			done = true
			do()
		}
	}
}

func TestCancelEndsAJob(t *testing.T) {
	sink := newCollect()
	c := start(t, sink, cluster.Options{})
	id := submit(t, c, endless().graph())
	s := watch(t, c, id, afterCheckpoint(func() {
		if _, err := c.Jobs().CancelJob(t.Context(), &apiv1.CancelJobRequest{JobId: id}); err != nil {
			t.Error(err)
		}
	}))
	if s != apiv1.JobState_JOB_STATE_CANCELED {
		t.Fatalf("job ended as %s", s)
	}
	if _, err := c.Jobs().CancelJob(t.Context(), &apiv1.CancelJobRequest{JobId: id}); err == nil {
		t.Error("an ended job is cancelled again")
	}
}

func TestStopEndsAJobBehindACheckpoint(t *testing.T) {
	for _, drain := range []bool{false, true} {
		sink := newCollect()
		c := start(t, sink, cluster.Options{})
		id := submit(t, c, endless().graph())
		s := watch(t, c, id, afterCheckpoint(func() {
			if _, err := c.Jobs().StopJob(t.Context(), &apiv1.StopJobRequest{JobId: id, Drain: drain}); err != nil {
				t.Error(err)
			}
		}))
		if s != apiv1.JobState_JOB_STATE_STOPPED {
			t.Fatalf("drain %v: job ended as %s", drain, s)
		}
		d, err := c.Jobs().DescribeJob(t.Context(), &apiv1.DescribeJobRequest{JobId: id})
		if err != nil {
			t.Fatal(err)
		}
		if !d.LastCheckpoint.GetCommitted() {
			t.Errorf("drain %v: the last checkpoint is not committed: %v", drain, d.LastCheckpoint)
		}
		// Only a drained job fires the windows that are open.
		if fired := len(sink.rows()) > 0; fired != drain {
			t.Errorf("drain %v: rows came: %v", drain, fired)
		}
	}
}

// restartOn ends a cluster in the middle of a job, lets spoil loose on its
// folder, and starts another there, which goes on with the job.
func restartOn(t *testing.T, b bids, slots int, spoil func(dir string)) *apiv1.DescribeJobResponse {
	t.Helper()
	sink := newCollect()
	dir := t.TempDir()
	open := func(o cluster.Options) *cluster.Cluster {
		o.Dir, o.Wiring = dir, cluster.NewWiring(nil)
		o.Wiring.Connectors.RegisterSink("collected", sink.factory())
		c, err := cluster.Start(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open(cluster.Options{})
	id := submit(t, c, b.graph())
	seen := make(chan struct{})
	checkpoints := 0
	go func() {
		defer close(seen)
		w, err := c.Jobs().WatchJob(t.Context(), &apiv1.WatchJobRequest{JobId: id})
		for err == nil && checkpoints < 4 {
			var e *apiv1.WatchJobResponse
			if e, err = w.Recv(); err == nil && e.GetCheckpointCompleted() != nil {
				checkpoints++
			}
		}
	}()
	<-seen
	if checkpoints < 4 {
		t.Fatalf("the watch ended behind %d checkpoints", checkpoints)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	spoil(dir)
	c = open(cluster.Options{Slots: slots})
	defer func() { _ = c.Close() }()
	awaitJob(t, c, id)
	if s := watch(t, c, id, nil); s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	check(t, sink, b)
	d, err := c.Jobs().DescribeJob(t.Context(), &apiv1.DescribeJobRequest{JobId: id})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func awaitJob(t *testing.T, c *cluster.Cluster, id string) {
	t.Helper()
	for {
		_, err := c.Jobs().DescribeJob(t.Context(), &apiv1.DescribeJobRequest{JobId: id})
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "lead") {
			t.Fatal(err)
		}
	}
}

func slow() bids {
	return bids{events: 100_000, parallelism: 2, local: false, rate: 40_000, limited: true, interval: 50 * time.Millisecond}
}

func TestAnotherProcessGoesOnWithTheJobs(t *testing.T) {
	restartOn(t, slow(), 2, func(string) {})
}

// uncommitted is slow, and no window of it closes before the input ends: a damaged
// checkpoint has no output that falling back behind it would write again.
func uncommitted() bids {
	b := slow()
	b.events, b.window = 200_000, time.Hour
	return b
}

func TestCorruptManifestFallsBack(t *testing.T) {
	d := restartOn(t, uncommitted(), 2, func(dir string) { flipLatest(t, dir, "manifest") })
	if !strings.Contains(strings.Join(d.RecentFailures, "\n"), "manifest") {
		t.Errorf("the description does not name the manifest: %v", d.RecentFailures)
	}
}

func TestCorruptSnapshotFallsBack(t *testing.T) {
	b := uncommitted()
	b.cold = true
	d := restartOn(t, b, 2, func(dir string) { flipLatest(t, dir, "chunk") })
	if !strings.Contains(strings.Join(d.RecentFailures, "\n"), "/chunk/") {
		t.Errorf("the description does not name the file: %v", d.RecentFailures)
	}
}

// flipLatest changes one byte of the last object, below a folder of that name, of the
// newest checkpoint that has a manifest. There may be chunks of a later one, which
// never was complete.
func flipLatest(t *testing.T, dir, folder string) {
	t.Helper()
	last := func(part string) (latest string) {
		err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(path string, e os.DirEntry, err error) error {
			if err == nil && !e.IsDir() && strings.Contains(path, part) && path > latest {
				latest = path
			}
			return err
		})
		if err != nil || latest == "" {
			t.Fatalf("no object with %s in its path: %v", part, err)
		}
		return latest
	}
	checkpoint, _, _ := strings.Cut(filepath.Base(last("/manifest/")), "-")
	latest := last("/" + folder + "/" + checkpoint)
	data, err := os.ReadFile(latest)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 0x40
	if err := os.Chmod(latest, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(latest, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
