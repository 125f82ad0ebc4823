package results_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"millrace/blobstore"
	"millrace/blobstore/memory"
	"millrace/blobstore/results"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/types"
)

var rewrite = flag.Bool("rewrite", false, "write the samples of the current version anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fataler is a test, or a property's.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Context() context.Context
}

// lot is what a subtask wrote for a checkpoint, in some parts.
func lot(id types.CheckpointID, subtask int32, parts int) results.Lot {
	l := results.Lot{Job: "job", Operator: "sink-1", Checkpoint: id, Attempt: 3, Subtask: subtask, Behind: id - 1, Unique: "u1"}
	for i := range parts {
		n := uint64(id)*100 + uint64(i)
		l.Parts = append(l.Parts, results.Part{Number: n, Rows: int64(i + 1), Bytes: int64(len(content(l, n)))})
	}
	return l
}

// content is what the object of a part has in it.
func content(l results.Lot, number uint64) string {
	return fmt.Sprintf("checkpoint %d subtask %d part %d", l.Checkpoint, l.Subtask, number)
}

// upload stores the parts of a lot and returns what they have in them.
func upload(t fataler, s blobstore.Store, l results.Lot) (want []string) {
	for _, p := range l.Parts {
		key, err := l.Key(p)
		if err == nil {
			err = s.Create(t.Context(), key, strings.NewReader(content(l, p.Number)))
		}
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, content(l, p.Number))
	}
	return want
}

// TestSamples reads what each version wrote. Samples of versions that were released are
// never written anew.
func TestSamples(t *testing.T) {
	s := memory.New(clock.System())
	lots := []results.Lot{lot(7, 1, 2), lot(7, 0, 1)}
	if err := (results.Log{Store: s, Job: "job"}).Commit(t.Context(), "sink-1", lots); err != nil {
		t.Fatal(err)
	}
	page, err := s.List(t.Context(), blobstore.Query{})
	if err != nil || len(page) != 1 {
		t.Fatal(page, err)
	}
	index, err := s.Read(t.Context(), page[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, now := range map[string][]byte{"lot": lots[0].Encode(), "index": index} {
		for version := 1; version <= results.FormatVersion; version++ {
			path := fmt.Sprintf("testdata/%s-v%d", name, version)
			if *rewrite && version == results.FormatVersion {
				if err := os.WriteFile(path, now, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			sample, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if version == results.FormatVersion && !bytes.Equal(sample, now) {
				t.Errorf("version %d of the %s is written in other bytes now: a change of the layout needs a new version", version, name)
			}
			expectSample(t, name, sample, lots)
		}
	}
}

func expectSample(t *testing.T, name string, sample []byte, lots []results.Lot) {
	t.Helper()
	var want, got any
	var err error
	if name == "lot" {
		want = lots[0]
		got, err = results.DecodeLot(sample)
	} else {
		want = []results.Lot{lots[1], lots[0]} // in the order of subtasks
		got, err = results.DecodeIndex(sample)
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s: %v, -want +got:\n%s", name, err, diff)
	}
}

func TestWhatWasNotWrittenIsRefused(t *testing.T) {
	l := lot(7, 1, 2)
	good := l.Encode()
	for i := range good {
		if _, err := results.DecodeLot(good[:i]); !errors.Is(err, results.ErrCorrupt) {
			t.Errorf("%d of %d bytes: %v", i, len(good), err)
		}
	}
	if _, err := results.DecodeLot(append(good, 0)); !errors.Is(err, results.ErrCorrupt) {
		t.Errorf("a byte more: %v", err)
	}
	good[0] = 2
	if _, err := results.DecodeLot(good); err == nil || errors.Is(err, results.ErrCorrupt) || !strings.Contains(err.Error(), "format version 2, this build reads version 1") {
		t.Errorf("version 2: %v", err)
	}
}

// FuzzDecode: whatever comes is refused, or is encoded as it came.
func FuzzDecode(f *testing.F) {
	l := lot(7, 1, 2)
	f.Add(l.Encode())
	f.Fuzz(func(t *testing.T, p []byte) {
		if l, err := results.DecodeLot(p); err == nil {
			again, err := results.DecodeLot(l.Encode())
			if diff := cmp.Diff(l, again); err != nil || diff != "" {
				t.Errorf("%v, -first +again:\n%s", err, diff)
			}
		}
		_, _ = results.DecodeIndex(p)
	})
}

func TestAnIndexIsWhatItsNameSays(t *testing.T) {
	s := memory.New(clock.System())
	g := results.Log{Store: s, Job: "job"}
	key, err := blobstore.ResultIndexKey{Job: "job", Checkpoint: 1, Operator: "sink-1", Digest: "d"}.Path()
	if err == nil {
		err = s.Create(t.Context(), key, strings.NewReader("something else"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Next(t.Context(), 0); !errors.Is(err, results.ErrCorrupt) || !strings.Contains(err.Error(), key) {
		t.Errorf("got %v", err)
	}
}

func TestAPartIsAsLongAsWasWritten(t *testing.T) {
	s := memory.New(clock.System())
	g := results.Log{Store: s, Job: "job"}
	l := lot(1, 0, 1)
	upload(t, s, l)
	l.Parts[0].Bytes++
	if err := g.Commit(t.Context(), l.Operator, []results.Lot{l}); err != nil {
		t.Fatal(err)
	}
	w, err := g.Next(t.Context(), 0)
	if err != nil || len(w.Parts) != 1 {
		t.Fatal(w, err)
	}
	if _, err := g.Read(t.Context(), w.Parts[0]); !errors.Is(err, results.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// Nobody acknowledges what was never there: all that comes would be taken for fetched.
func TestOnlyResultsAreAcknowledged(t *testing.T) {
	g := results.Log{Store: memory.New(clock.System()), Job: "job"}
	if err := g.Commit(t.Context(), "sink-1", []results.Lot{lot(3, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []types.CheckpointID{1, 2, 4, 1<<64 - 1} {
		err := g.Acknowledge(t.Context(), id)
		if !errors.Is(err, results.ErrNoResults) || failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("checkpoint %d: %v", id, err)
		}
	}
	for range 2 { // the answer to the first was lost
		if err := g.Acknowledge(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		if err := g.Discard(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if newest, err := g.Newest(t.Context()); newest != 3 || err != nil {
		t.Errorf("the newest results are of checkpoint %d, %v", newest, err)
	}
}

func TestSweepTakesWhatNoCheckpointHas(t *testing.T) {
	s := memory.New(clock.System())
	g := results.Log{Store: s, Job: "job"}
	committed, behind, later := lot(5, 0, 2), lot(6, 0, 2), lot(6, 1, 1)
	later.Attempt = 4
	var want []string
	for _, l := range []results.Lot{committed, behind, later} {
		if rows := upload(t, s, l); l.Checkpoint == 5 || l.Attempt == 4 {
			want = append(want, rows...)
		}
	}
	if err := g.Sweep(t.Context(), 4, 5); err != nil {
		t.Fatal(err)
	}
	var got []string
	for o, err := range blobstore.Walk(t.Context(), s, "") {
		if err != nil {
			t.Fatal(err)
		}
		data, err := s.Read(t.Context(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(data))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// reading is a model: lots that are committed at any time, whole and in pieces, again and
// again, by committers that were replaced too; and a reader, whose calls are repeated.
type reading struct {
	t       *rapid.T
	log     results.Log
	lots    [][]results.Lot // by checkpoint, from 1 on
	want    []string
	got     []string
	after   types.CheckpointID
	fetched types.CheckpointID // acknowledged
}

func (r *reading) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// commit makes the lots of the next checkpoint results, with some of those before.
func (r *reading) commit() {
	id := types.CheckpointID(len(r.lots) + 1)
	var lots []results.Lot
	for s := range rapid.IntRange(0, 3).Draw(r.t, "subtasks") {
		l := lot(id, int32(s), rapid.IntRange(1, 3).Draw(r.t, "parts"))
		r.want = append(r.want, upload(r.t, r.log.Store, l)...)
		lots = append(lots, l)
	}
	r.lots = append(r.lots, lots)
	r.check(r.log.Commit(r.t.Context(), "sink-1", append(r.some(), lots...)))
}

// again commits some lots again.
func (r *reading) again() { r.check(r.log.Commit(r.t.Context(), "sink-1", r.some())) }

func (r *reading) some() (out []results.Lot) {
	for _, lots := range r.lots[:len(r.lots)-min(len(r.lots), 1)] {
		for _, l := range lots {
			if rapid.Bool().Draw(r.t, "again") {
				out = append(out, l)
			}
		}
	}
	return out
}

// fetch takes the next results, unless the answer is lost.
func (r *reading) fetch() {
	after := max(r.after, r.fetched)
	w, err := r.log.Next(r.t.Context(), after)
	r.check(err)
	if w.Checkpoint == 0 || rapid.Bool().Draw(r.t, "lost") {
		return
	}
	if w.Checkpoint <= after {
		r.t.Fatalf("checkpoint %d behind checkpoint %d", w.Checkpoint, after)
	}
	for _, p := range w.Parts {
		data, err := r.log.Read(r.t.Context(), p)
		r.check(err)
		r.got = append(r.got, string(data))
	}
	r.after = w.Checkpoint
}

func (r *reading) acknowledge() {
	if r.after == 0 {
		return
	}
	r.check(r.log.Acknowledge(r.t.Context(), r.after))
	fetched, err := r.log.Fetched(r.t.Context())
	r.check(err)
	if r.fetched = fetched; fetched != r.after {
		r.t.Fatalf("%d is acknowledged, %d is noted", r.after, fetched)
	}
	if rapid.Bool().Draw(r.t, "discard") {
		r.check(r.log.Discard(r.t.Context()))
	}
}

func TestEveryLotIsGivenOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &reading{t: t, log: results.Log{Store: memory.New(clock.System()), Job: "job"}}
		steps := map[string]func(){"commit": r.commit, "again": r.again, "fetch": r.fetch, "acknowledge": r.acknowledge}
		names := []string{"acknowledge", "again", "commit", "fetch"}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 1, 40).Draw(t, "steps") {
			steps[name]()
			newest, err := r.log.Newest(t.Context())
			r.check(err)
			if newest < r.after {
				t.Fatalf("the newest results are of checkpoint %d, those of %d were fetched", newest, r.after)
			}
		}
		for len(r.got) < len(r.want) {
			r.fetch()
		}
		if diff := cmp.Diff(r.want, r.got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
		r.acknowledge()
		r.check(r.log.Discard(t.Context()))
		if parts, _, err := r.log.Kept(t.Context()); parts > 0 || err != nil {
			t.Fatalf("%d parts are left, %v", parts, err)
		}
	})
}
