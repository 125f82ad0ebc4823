package cluster_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"millrace/checkpoint"
	"millrace/checkpoint/codec"
	"millrace/cmd/cluster"
	"millrace/internal/testutil/matrix"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
)

// damagesAll is how many damages a full run draws, damagesSome a sample.
const damagesAll, damagesSome = 100, 4

// TestAnyDamageIsFound flips a bit, or cuts the end off, of any object of the latest checkpoint, anywhere in it: the job
// names the object, goes on from a checkpoint without it, and its answer is right. Where every retained checkpoint has the
// object, the job ends and names it. MILLRACE_DAMAGES says how many times.
func TestAnyDamageIsFound(t *testing.T) {
	rounds := damagesSome
	if matrix.All() {
		rounds = damagesAll
	}
	if text := os.Getenv("MILLRACE_DAMAGES"); text != "" {
		if _, err := fmt.Sscan(text, &rounds); err != nil {
			t.Fatal(err)
		}
	}
	b := uncommitted()
	b.events, b.cold = 60_000, true
	w := leaveInTheMiddle(t, b)
	random := matrix.Rand(t)
	for range rounds {
		w.survive(t, w.damage(random))
	}
}

// retained is how many checkpoints a job keeps that says nothing of it.
const retained = 3

// wreckage is a cluster's folder as it was left in the middle of a job, and what its sink had committed.
type wreckage struct {
	of      bids
	dir, id string
	sink    *collect
	objects map[string]int64 // of the latest checkpoint, its manifest among them, with their sizes
	shared  map[string]bool  // those that every retained checkpoint has
}

func leaveInTheMiddle(t *testing.T, b bids) *wreckage {
	t.Helper()
	w := &wreckage{of: b, dir: t.TempDir(), sink: newCollect()}
	c := w.start(t, w.dir, w.sink)
	w.id = submit(t, c, b.graph())
	blobs := filepath.Join(w.dir, "blobs")
	eventually(t, "checkpoints to fall back to", func() bool {
		return describe(t, c, w.id).CheckpointsCompleted >= 4
	})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	all := manifests(t, blobs)
	all = all[max(len(all)-retained, 0):] // one that is no longer may be there still
	w.objects, w.shared = objectsOf(t, blobs, all[len(all)-1]), make(map[string]bool)
	for object := range w.objects {
		w.shared[object] = !slices.ContainsFunc(all, func(m string) bool {
			_, has := objectsOf(t, blobs, m)[object]
			return !has
		})
	}
	return w
}

func (w *wreckage) start(t *testing.T, dir string, sink *collect) *cluster.Cluster {
	t.Helper()
	o := cluster.Options{Dir: dir, Wiring: cluster.NewWiring(nil)}
	o.Wiring.Connectors.RegisterSink("collected", sink.factory())
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// manifests returns the paths of those that are retained, the newest last.
func manifests(t *testing.T, blobs string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(blobs, "*", "manifest", "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("manifests: %v, %v", paths, err)
	}
	slices.Sort(paths)
	return paths
}

// objectsOf returns a manifest and what it names. Small files are in the manifest itself.
func objectsOf(t *testing.T, blobs, manifest string) map[string]int64 {
	t.Helper()
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	key, err := filepath.Rel(blobs, manifest)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{key: int64(len(data))}
	for f := range checkpoint.Objects(decoded(t, data)) {
		out[f.GetObject()] = f.Bytes
	}
	return out
}

func decoded(t *testing.T, data []byte) *checkpointv1.Manifest {
	t.Helper()
	m, err := codec.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// damage is one change to an object.
type damage struct {
	object string
	cut    bool
	at     int64 // the bit that is flipped, or how long the object is from then on
}

func (d damage) String() string {
	if d.cut {
		return fmt.Sprintf("%s is cut to %d bytes", d.object, d.at)
	}
	return fmt.Sprintf("bit %d of %s is flipped", d.at, d.object)
}

func (w *wreckage) damage(random *rand.Rand) damage {
	objects := slices.Sorted(maps.Keys(w.objects))
	d := damage{object: objects[random.IntN(len(objects))], cut: random.IntN(4) == 0}
	size := w.objects[d.object]
	if d.at = random.Int64N(8 * size); d.cut {
		d.at = random.Int64N(size)
	}
	return d
}

func (d damage) do(t *testing.T, blobs string) {
	t.Helper()
	path := filepath.Join(blobs, d.object)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d.cut {
		data = data[:d.at]
	} else {
		data[d.at/8] ^= 1 << (d.at % 8)
	}
	if err := os.Remove(path); err != nil { // objects are not writable
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o400); err != nil {
		t.Fatal(err)
	}
}

// survive lets another cluster go on with the job from a damaged copy of the folder.
func (w *wreckage) survive(t *testing.T, d damage) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	d.do(t, filepath.Join(dir, "blobs"))
	sink := w.sink.clone()
	c := w.start(t, dir, sink)
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(dir) // as soon as it is not needed; a thousand of them are much
	}()
	awaitJob(t, c, w.id)
	want := apiv1.JobState_JOB_STATE_FINISHED
	if w.shared[d.object] {
		want = apiv1.JobState_JOB_STATE_FAILED
	}
	if s := watch(t, c, w.id, nil); s != want {
		t.Fatalf("%s: the job ended as %s, want %s", d, s, want)
	}
	if !w.shared[d.object] {
		check(t, sink, w.of)
	}
	said := strings.Join(describe(t, c, w.id).RecentFailures, "\n")
	if !strings.Contains(said, filepath.Base(d.object)) && !strings.Contains(said, d.object) {
		t.Errorf("%s: the job says nothing of it: %q", d, said)
	}
}
