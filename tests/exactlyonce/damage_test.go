package exactlyonce

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/internal/crash"
	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/realkafka"

	apiv1 "millrace/proto/millrace/api/v1"
)

// TestDamagedCheckpoint kills a cluster behind a complete checkpoint whose output is not committed, damages an object of
// that checkpoint, and starts again: the damage is found and named, the previous checkpoint is used, and the output is
// still exactly once, since the transactions of the damaged checkpoint were never committed.
func TestDamagedCheckpoint(t *testing.T) {
	t.Parallel()
	cases := []damage{
		{"flipped-manifest", "manifest", flip}, {"missing-manifest", "manifest", os.Remove},
		{"flipped-chunk", "chunk", flip}, {"missing-chunk", "chunk", os.Remove},
	}
	for _, d := range matrix.Sample(t, 2, cases) {
		t.Run(d.name, func(t *testing.T) { survive(t, d) })
	}
}

// damage is something done to a file of the latest checkpoint in a folder of that name.
type damage struct {
	name, folder string
	do           func(path string) error
}

func survive(t *testing.T, d damage) {
	ctx := limited(t, testLimit)
	w := wreck(ctx, t, d, crash.BeforeCommit+"@2")
	process := startProcess(ctx, t, w.spec, "")
	r := run(ctx, t, process.jobs, w.graph(t))
	w.tap.raise(small.perPart)
	description := r.finish(ctx)
	if said := strings.Join(description.RecentFailures, "\n"); !strings.Contains(said, filepath.Base(w.path)) {
		t.Errorf("the description does not name %s: %q", filepath.Base(w.path), said)
	}
	verify(ctx, t, w.broker, w.out, small.model())
}

// TestDamageBehindCommittedOutput damages a checkpoint whose output is committed: the job can't fall back behind it without
// writing that output again, so it names the damage and waits; once the file is whole, the job goes on by itself.
func TestDamageBehindCommittedOutput(t *testing.T) {
	t.Parallel()
	cases := []damage{{"committed-manifest", "manifest", flip}, {"committed-chunk", "chunk", flip}}
	for _, d := range matrix.Sample(t, 1, cases) {
		t.Run(d.name, func(t *testing.T) { waitAndHeal(t, d) })
	}
}

func waitAndHeal(t *testing.T, d damage) {
	ctx := limited(t, testLimit)
	w := wreck(ctx, t, d, crash.AfterCommit+"@2")
	process := startProcess(ctx, t, w.spec, "")
	r := run(ctx, t, process.jobs, w.graph(t))
	r.awaitDescription(ctx, "a word of the damage and of the committed output", func(d *apiv1.DescribeJobResponse) bool {
		said := strings.Join(d.RecentFailures, "\n")
		return strings.Contains(said, filepath.Base(w.path)) && strings.Contains(said, "committed already")
	})
	if err := flip(w.path); err != nil { // the same bit again
		t.Fatal(err)
	}
	w.tap.raise(small.perPart)
	r.finish(ctx)
	verify(ctx, t, w.broker, w.out, small.model())
}

// wreckage is a cluster that is no more, with a job on a damaged checkpoint.
type wreckage struct {
	job
	broker *realkafka.Broker
	tap    *tap
	spec   clusterSpec
	path   string // what is damaged
}

// wreck runs the job until a crash point, and damages its latest checkpoint.
func wreck(ctx context.Context, t *testing.T, d damage, crashPoint string) wreckage {
	t.Helper()
	w := wreckage{broker: sharedBroker(t), spec: clusterSpec{Dir: filepath.Join(t.TempDir(), "cluster"), TaskManagers: 2, Slots: 1}}
	w.job, w.tap, _ = small.prepare(ctx, t, w.broker, "damage-"+d.name)
	process := startProcess(ctx, t, w.spec, crashPoint)
	run(ctx, t, process.jobs, w.graph(t))
	dripping, stop := context.WithCancel(ctx)
	defer stop()
	go w.tap.drip(dripping, small.perPart/3, small.perPart*3/4)
	select {
	case <-process.ended:
	case <-ctx.Done():
		t.Fatal("the crash point was not reached")
	}
	w.path = latestObject(t, filepath.Join(w.spec.Dir, "blobs"), d.folder)
	if err := d.do(w.path); err != nil {
		t.Fatal(err)
	}
	t.Logf("damaged: %s", w.path)
	return w
}

// latestObject returns the object with the greatest checkpoint in its name, below folders of that name.
func latestObject(t *testing.T, blobs, folder string) string {
	t.Helper()
	var latest, order string
	err := filepath.WalkDir(blobs, func(path string, e fs.DirEntry, err error) error {
		_, below, ok := strings.Cut(path, "/"+folder+"/")
		if err == nil && ok && !e.IsDir() && below > order {
			latest, order = path, below
		}
		return err
	})
	if err != nil || latest == "" {
		t.Fatalf("no object in a folder %s: %v", folder, err)
	}
	return latest
}

// flip changes a bit in the middle of a file.
func flip(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 0x40
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
