package exactlyonce

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/internal/crash"
	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/realkafka"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// TestDamagedCheckpoint kills a cluster behind a complete checkpoint whose output is not committed, damages an object of
// that checkpoint, and starts again: the damage is found and named, the previous checkpoint is used, and the output is
// still exactly once, since the transactions of the damaged checkpoint were never committed.
func TestDamagedCheckpoint(t *testing.T) {
	t.Parallel()
	cases := []damage{
		{"flipped-manifest", "manifest", flip},
		{"missing-manifest", "manifest", os.Remove},
		{"flipped-chunk", "chunk", flip},
		{"missing-chunk", "chunk", os.Remove},
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
	ctx := platformtest.Limited(t, testLimit)
	w := wreck(ctx, t, d, crash.BeforeCommit+"@2", 1, small.interval())
	process := startProcess(ctx, t, w.spec, "")
	r := platformtest.Run(ctx, t, process.jobs, w.Graph(t))
	w.tap.Raise(small.PerPart)
	description := r.Finish(ctx)
	if !w.named(description) {
		t.Errorf("the description does not name %q: %q", w.paths, description.RecentFailures)
	}
	platformtest.Verify(ctx, t, w.broker, w.Out, small.model())
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
	ctx := platformtest.Limited(t, testLimit)
	// The next checkpoint may be complete by the time that one is committed: it is damaged, too. Commits take long on a fresh
	// broker, or a busy one, so the interval is long: where more checkpoints were complete behind the committed one, the job
	// would find that one whole.
	w := wreck(ctx, t, d, crash.AfterCommit+"@3", 2, 10*small.interval())
	process := startProcess(ctx, t, w.spec, "")
	r := platformtest.Run(ctx, t, process.jobs, w.Graph(t))
	r.AwaitDescription(ctx, "a word of the damage and of the committed output", func(d *apiv1.DescribeJobResponse) bool {
		return w.named(d) && strings.Contains(strings.Join(d.RecentFailures, "\n"), "committed already")
	})
	for _, path := range w.paths {
		if err := flip(path); err != nil { // the same bit again
			t.Fatal(err)
		}
	}
	w.tap.Raise(small.PerPart)
	r.Finish(ctx)
	platformtest.Verify(ctx, t, w.broker, w.Out, small.model())
}

// wreckage is a cluster that is no more, with a job on a damaged checkpoint.
type wreckage struct {
	platformtest.Job
	broker *realkafka.Broker
	tap    *platformtest.Tap
	spec   clusterSpec
	paths  []string // what is damaged, the latest first
}

// named tells whether the job says which object is damaged. The latest may be of a checkpoint that never was complete, and
// then nobody reads it.
func (w wreckage) named(d *apiv1.DescribeJobResponse) bool {
	said := strings.Join(d.RecentFailures, "\n")
	return slices.ContainsFunc(w.paths, func(path string) bool { return strings.Contains(said, filepath.Base(path)) })
}

// wreck runs the job, with checkpoints at that interval, until a crash point, and damages its n latest checkpoints.
func wreck(ctx context.Context, t *testing.T, d damage, crashPoint string, n int, interval time.Duration) wreckage {
	t.Helper()
	w := wreckage{broker: platformtest.SharedBroker(t), spec: clusterSpec{Dir: filepath.Join(t.TempDir(), "cluster"), TaskManagers: 2, Slots: 1}}
	w.Job, w.tap, _ = small.prepare(ctx, t, w.broker, "damage-"+d.name)
	w.Interval = interval
	process := startProcess(ctx, t, w.spec, crashPoint)
	platformtest.Run(ctx, t, process.jobs, w.Graph(t))
	dripping, stop := context.WithCancel(ctx)
	defer stop()
	go w.tap.Drip(dripping, small.PerPart/3*int64(small.interval())/int64(interval), small.PerPart*3/4)
	select {
	case <-process.Ended:
	case <-ctx.Done():
		t.Fatal("the crash point was not reached")
	}
	w.paths = latestObjects(t, filepath.Join(w.spec.Dir, "blobs"), d.folder, n)
	for _, path := range w.paths {
		if err := d.do(path); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("damaged: %q", w.paths)
	return w
}

// latestObjects returns an object of each of the n latest checkpoints that have a manifest, below folders of that name; the
// latest is first.
func latestObjects(t *testing.T, blobs, folder string, n int) []string {
	t.Helper()
	byCheckpoint := objects(t, blobs, folder)
	whole := objects(t, blobs, "manifest")
	maps.DeleteFunc(byCheckpoint, func(id, _ string) bool { return whole[id] == "" })
	if len(byCheckpoint) < n {
		t.Fatalf("objects in folders %s: %v", folder, byCheckpoint)
	}
	latest := slices.Sorted(maps.Keys(byCheckpoint))
	slices.Reverse(latest)
	var paths []string
	for _, id := range latest[:n] {
		paths = append(paths, byCheckpoint[id])
	}
	return paths
}

// objects returns an object of each checkpoint, by its digits, below folders of that name.
func objects(t *testing.T, blobs, folder string) map[string]string {
	t.Helper()
	byCheckpoint := make(map[string]string)
	err := filepath.WalkDir(blobs, func(path string, e fs.DirEntry, err error) error {
		_, below, ok := strings.Cut(path, "/"+folder+"/")
		if err == nil && ok && !e.IsDir() {
			byCheckpoint[below[:20]] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return byCheckpoint
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
