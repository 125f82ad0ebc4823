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
)

// TestDamagedCheckpoint kills a cluster behind a complete checkpoint whose output is not committed, damages an object of
// that checkpoint, and starts again: the damage is found and named, the previous checkpoint is used, and the output is
// still exactly once, since the transactions of the damaged checkpoint were never committed.
//
// Only manifests are damaged here. A snapshot is read by its task, behind the committer, which by then has committed what
// the checkpoint prepared: the job falls back from it, too, but writes the output between the two checkpoints again.
func TestDamagedCheckpoint(t *testing.T) {
	t.Parallel()
	cases := []damage{{"flipped-manifest", "manifest", flip}, {"missing-manifest", "manifest", os.Remove}}
	for _, d := range matrix.Sample(t, 1, cases) {
		t.Run(d.name, func(t *testing.T) { survive(t, d) })
	}
}

// damage is something done to a file of the latest checkpoint in a folder of that name.
type damage struct {
	name, folder string
	do           func(path string) error
}

func survive(t *testing.T, d damage) {
	b := sharedBroker(t)
	ctx := limited(t, testLimit)
	p := small
	j, tap, _ := p.prepare(ctx, t, b, "damage-"+d.name)
	spec := clusterSpec{Dir: filepath.Join(t.TempDir(), "cluster"), TaskManagers: 2, Slots: 1}
	process := startProcess(ctx, t, spec, crash.AfterComplete+"@6")
	run(ctx, t, process.jobs, j.graph(t))
	dripping, stop := context.WithCancel(ctx)
	go tap.drip(dripping, p.perPart/3, p.perPart*3/4)
	select {
	case <-process.ended:
	case <-ctx.Done():
		t.Fatal("the crash point was not reached")
	}
	stop()
	path := latestObject(t, filepath.Join(spec.Dir, "blobs"), d.folder)
	if err := d.do(path); err != nil {
		t.Fatal(err)
	}
	t.Logf("damaged: %s", path)
	process = startProcess(ctx, t, spec, "")
	r := run(ctx, t, process.jobs, j.graph(t))
	tap.raise(p.perPart)
	description := r.finish(ctx)
	if said := strings.Join(description.RecentFailures, "\n"); !strings.Contains(said, filepath.Base(path)) {
		t.Errorf("the description does not name %s: %q", filepath.Base(path), said)
	}
	verify(ctx, t, b, j.out, p.model())
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
