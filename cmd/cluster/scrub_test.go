package cluster_test

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/jobmanager"
)

// TestDamageIsMendedWhileTheJobRuns: nothing is restored, and yet the description names a file that is damaged and the
// checkpoints that need it, and the next checkpoints do without it. Checkpoints that come and go meanwhile are no damage.
func TestDamageIsMendedWhileTheJobRuns(t *testing.T) {
	b := uncommitted()
	b.events, b.cold, b.interval = 100_000_000, true, 300*time.Millisecond
	dir := t.TempDir()
	blobs := filepath.Join(dir, "blobs")
	c := start(t, newCollect(), cluster.Options{Dir: dir, Scrub: jobmanager.Scrub{Interval: time.Millisecond, BytesPerSecond: 1 << 40}})
	id := submit(t, c, b.graph())
	eventually(t, "checkpoints that were superseded", func() bool {
		d := describe(t, c, id)
		if len(d.DamagedFiles) > 0 {
			t.Fatalf("nothing is damaged: %q", d.DamagedFiles)
		}
		return d.CheckpointsCompleted >= 8
	})
	var hit damage
	eventually(t, "a file beside the newest manifest", func() bool {
		all := manifests(t, blobs)
		for object, size := range objectsOf(t, blobs, all[len(all)-1]) {
			if strings.Contains(object, "/chunk/") {
				hit = damage{object: object, at: rand.Int64N(8 * size)}
			}
		}
		return hit.object != ""
	})
	hit.do(t, blobs)
	eventually(t, "the damage is named", func() bool {
		said := strings.Join(describe(t, c, id).DamagedFiles, "\n")
		return strings.Contains(said, hit.object) && strings.Contains(said, "needed by checkpoints [")
	})
	// Nothing else replaces it: a merge would have to read it.
	eventually(t, "no checkpoint needs it any more", func() bool { return len(describe(t, c, id).DamagedFiles) == 0 })
}
