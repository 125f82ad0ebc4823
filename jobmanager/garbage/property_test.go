package garbage_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"millrace/blobstore"
	"millrace/jobmanager/garbage"
	"millrace/types"
)

// history is a model of a job with one task: attempts that write chunks and
// manifests, complete checkpoints or don't, crash and are followed by others;
// and of sweeps, which read, list and delete in steps at any time, as leaders do
// that were deposed in between.
type history struct {
	t       *rapid.T
	objects map[string]bool
	last    types.Attempt
	running bool // the last attempt has been restored and its coordinator is open
	// chain is what the task's next manifest names.
	chain    []string
	pending  *complete
	retained []complete
	ids      types.CheckpointID
	uniques  int
	sweeps   []*sweep
}

// complete is a checkpoint.
type complete struct {
	manifest string
	chain    []string
}

// sweep is one under way. Its steps are those that the package comment asks for.
type sweep struct {
	step    int
	attempt types.Attempt
	needed  map[string]bool
	garbage []string
}

const retainedMax = 2

func (h *history) unique() string {
	h.uniques++
	return fmt.Sprint(h.uniques)
}

// allot gives out the next attempt, once nothing is under way of the one before.
func (h *history) allot() {
	if !h.running {
		h.last++
	}
}

// restore begins the last attempt from any retained checkpoint.
func (h *history) restore() {
	if h.running || h.last == 0 {
		return
	}
	h.running, h.chain = true, nil
	if len(h.retained) > 0 {
		h.chain = rapid.SampledFrom(h.retained).Draw(h.t, "from").chain
	}
}

// snapshot uploads a delta or a merged base, and perhaps a manifest.
func (h *history) snapshot() {
	if !h.running || h.pending != nil {
		return
	}
	h.ids++
	key := chunk(h.t, "j", h.last, h.ids, h.unique())
	h.objects[key] = true
	if rapid.Bool().Draw(h.t, "merge") {
		h.chain = nil
	}
	h.chain = append(slices.Clip(h.chain), key)
	if rapid.Bool().Draw(h.t, "acknowledged") {
		h.pending = &complete{manifest(h.t, h.ids, fmt.Sprint(uint64(h.last))), h.chain}
		h.objects[h.pending.manifest] = true
	}
}

// complete makes the pending checkpoint count, and deletes those behind it
// unless the leader dies first.
func (h *history) complete() {
	if h.pending == nil {
		return
	}
	h.retained, h.pending = append(slices.Clip(h.retained), *h.pending), nil
	if len(h.retained) <= retainedMax {
		return
	}
	dropped := h.retained[0]
	h.retained = h.retained[1:]
	if rapid.Bool().Draw(h.t, "retire") {
		keep := map[string]bool{}
		for _, c := range h.retained {
			insert(keep, c.chain)
		}
		for _, key := range dropped.chain {
			if !keep[key] {
				delete(h.objects, key)
			}
		}
		delete(h.objects, dropped.manifest)
	}
}

// crash ends the attempt; what is pending never counts. An upload may end later.
func (h *history) crash() { h.running, h.pending = false, nil }

func (h *history) lateUpload() {
	if h.last > 1 {
		a := types.Attempt(rapid.Uint64Range(1, uint64(h.last)-1).Draw(h.t, "attempt"))
		h.objects[chunk(h.t, "j", a, h.ids, h.unique())] = true
	}
}

func (h *history) begin() {
	if len(h.sweeps) < 3 {
		h.sweeps = append(h.sweeps, &sweep{needed: map[string]bool{}})
	}
}

// advance carries one sweep on by a step.
func (h *history) advance() {
	if len(h.sweeps) == 0 {
		return
	}
	i := rapid.IntRange(0, len(h.sweeps)-1).Draw(h.t, "sweep")
	s := h.sweeps[i]
	s.step++
	switch s.step {
	case 1:
		s.attempt = h.last
	case 2:
		for _, c := range h.retained {
			s.needed[c.manifest] = true
			insert(s.needed, c.chain)
		}
	case 3:
		r := garbage.Roots{Job: "j", Attempt: s.attempt, Needed: s.needed, OldBefore: start.Add(1)}
		for _, key := range slices.Sorted(maps.Keys(h.objects)) {
			if r.Garbage(blobstore.Info{Key: key, Modified: start}) {
				s.garbage = append(s.garbage, key)
			}
		}
	default:
		if len(s.garbage) == 0 {
			h.sweeps = slices.Delete(h.sweeps, i, i+1)
			return
		}
		delete(h.objects, s.garbage[0])
		s.garbage = s.garbage[1:]
	}
}

func insert(set map[string]bool, keys []string) {
	for _, k := range keys {
		set[k] = true
	}
}

// whole checks what must be there: all that counts, and all that may yet.
func (h *history) whole() {
	counts := h.retained
	if h.pending != nil {
		counts = append(slices.Clip(counts), *h.pending)
	}
	for _, c := range counts {
		if !h.objects[c.manifest] {
			h.t.Fatalf("manifest %s is gone", c.manifest)
		}
		h.there(c.chain)
	}
	if h.running {
		h.there(h.chain)
	}
}

func (h *history) there(keys []string) {
	for _, k := range keys {
		if !h.objects[k] {
			h.t.Fatalf("chunk %s is gone", k)
		}
	}
}

// Safety: nothing is ever deleted that a manifest names which counts or may yet.
func TestNothingNeededIsDeleted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { play(t).whole() })
}

// Liveness: once a later attempt has begun, a whole sweep leaves of those before
// it only what is retained.
func TestGarbageGoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := play(t)
		h.crash()
		h.allot()
		h.restore()
		h.sweeps = nil
		h.begin()
		s := h.sweeps[0]
		for len(h.sweeps) > 0 {
			h.advance()
		}
		h.whole()
		for key := range h.objects {
			if k, err := blobstore.ParseChunkKey(key); err == nil && k.Attempt < h.last && !s.needed[key] {
				t.Errorf("%s is left", key)
			}
		}
	})
}

func play(t *rapid.T) *history {
	h := &history{t: t, objects: map[string]bool{}}
	moves := []func(){h.allot, h.restore, h.snapshot, h.snapshot, h.complete, h.complete, h.crash, h.lateUpload, h.begin, h.advance, h.advance, h.advance, h.advance}
	for range rapid.IntRange(0, 200).Draw(t, "moves") {
		moves[rapid.IntRange(0, len(moves)-1).Draw(t, "move")]()
		h.whole()
	}
	return h
}
