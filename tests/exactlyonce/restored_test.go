package exactlyonce

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"millrace/blobstore"
	"millrace/internal/crash"
	"millrace/internal/testutil/matrix"
	"millrace/jobgraph"
	"millrace/tests/platformtest"
)

// TestCheckpointUnderNewJob: a cluster is lost with all it knew but its blob store. A job of another cluster starts from the last
// manifest there, whose transactions nobody has committed, or just has. They are committed once, by the new job, and what the
// lost one had read beyond is read again.
func TestCheckpointUnderNewJob(t *testing.T) {
	t.Parallel()
	points := []string{crash.BeforeCommit, crash.AfterCommit, crash.AfterComplete}
	if !matrix.All() {
		points = points[:1]
	}
	for i, point := range points {
		t.Run(point, func(t *testing.T) {
			ctx := platformtest.Limited(t, 5*time.Minute)
			broker := platformtest.SharedBroker(t)
			load := platformtest.Load{Partitions: 2, PerPart: 60_000}
			job := platformtest.Job{
				Brokers: broker.Addr(), In: fmt.Sprintf("lost-bids-%d", i), Out: fmt.Sprintf("lost-bids-per-auction-%d", i), Ends: load.Ends(),
				Parallelism: 2, Interval: 250 * time.Millisecond,
			}
			platformtest.CreateTopics(ctx, t, broker, 2, job.In, job.Out)
			tap := platformtest.NewTap()
			written := platformtest.Write(ctx, broker, job.In, tap, job.Ends, load.Record)
			lost := clusterSpec{Dir: filepath.Join(t.TempDir(), "lost"), TaskManagers: 2, Slots: 1}
			dripping, stop := context.WithCancel(ctx)
			go tap.Drip(dripping, 8_000, load.PerPart/3)
			p := startProcess(ctx, t, lost, point+"@3")
			first := platformtest.Run(ctx, t, p.jobs, impatient(job.Graph(t)))
			p.awaitDeath(ctx, t, point)
			stop()

			found := clusterSpec{Dir: filepath.Join(t.TempDir(), "found"), TaskManagers: 2, Slots: 1}
			manifest := moveBlobs(t, lost.Dir, found.Dir)
			tap.Raise(load.PerPart)
			if err := written.Wait(); err != nil {
				t.Fatal(err)
			}
			p = startProcess(ctx, t, found, "")
			again := platformtest.RunFrom(ctx, t, p.jobs, impatient(job.Graph(t)), manifest)
			if again.ID == first.ID {
				t.Errorf("the new job has the id of the lost one, %s, and with it the names of its transactions", first.ID)
			}
			again.Finish(ctx)
			// What the lost job had open stands before the new job's output until Kafka gives it up.
			model := load.Model()
			platformtest.Await(ctx, t, "the end of open transactions", func() bool {
				return platformtest.Committed(ctx, t, broker, job.Out) >= int64(len(model))
			})
			c := platformtest.Verify(ctx, t, broker, job.Out, model)
			t.Logf("from %s: %d records of output", manifest, c.Records)
		})
	}
}

// impatient makes transactions end that nobody ends.
func impatient(g *jobgraph.Graph) *jobgraph.Graph {
	g.Vertices[1].Sink.Options["properties.transaction.timeout.ms"] = "135000"
	g.Checkpoint.Timeout, g.Checkpoint.TolerableFailures = 5*time.Second, 1
	return g
}

// moveBlobs gives the blob store of a cluster to another one, and returns the key of the last manifest in it.
func moveBlobs(t *testing.T, from, to string) (manifest string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	blobs := filepath.Join(to, "blobs")
	if err := os.Rename(filepath.Join(from, "blobs"), blobs); err != nil {
		t.Fatal(err)
	}
	var last blobstore.ManifestKey
	err := fs.WalkDir(os.DirFS(blobs), ".", func(path string, d fs.DirEntry, err error) error {
		if k, perr := blobstore.ParseManifestKey(path); perr == nil && !d.IsDir() && k.Checkpoint > last.Checkpoint {
			last, manifest = k, path
		}
		return err
	})
	if err != nil || manifest == "" {
		t.Fatalf("no manifest is left of the lost cluster: %v", err)
	}
	return manifest
}
