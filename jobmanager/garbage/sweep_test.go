package garbage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/blobstore"
	"millrace/blobstore/memory"
	"millrace/internal/clock"
	"millrace/jobmanager/garbage"
)

func leads(context.Context) error { return nil }

// filled returns a store with objects of those keys.
func filled(t *testing.T, keys ...string) *memory.Store {
	t.Helper()
	s := memory.New(clock.NewManual(start))
	for _, k := range keys {
		if err := s.Create(t.Context(), k, blobstore.Bytes([]byte("four"))); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func left(t *testing.T, s blobstore.Store) (keys []string) {
	t.Helper()
	for o, err := range blobstore.Walk(t.Context(), s, "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

func TestSweepDeletesGarbageOfOneJob(t *testing.T) {
	other, mine, needed := chunk(t, "other", 1, 1, "a"), chunk(t, "j", 1, 1, "a"), chunk(t, "j", 1, 1, "b")
	s := filled(t, other, mine, needed)
	r := &garbage.Roots{Job: "j", Attempt: 2, Needed: map[string]bool{needed: true}, OldBefore: start.Add(time.Hour)}
	done, err := garbage.Sweep(t.Context(), s, r, leads)
	if want := (garbage.Swept{Deleted: 1, Bytes: 4}); err != nil || done != want {
		t.Errorf("swept %+v, %v; want %+v", done, err, want)
	}
	if diff := cmp.Diff([]string{needed, other}, left(t, s)); diff != "" {
		t.Errorf("-want +left:\n%s", diff)
	}
}

// TestSweepGoesOnWhereTheLimitWas: more than one page, and more than one sweep.
func TestSweepGoesOnWhereTheLimitWas(t *testing.T) {
	var keys []string
	for i := range garbage.DeletesMax + 1 {
		keys = append(keys, chunk(t, "j", 1, 1, fmt.Sprint(i)))
	}
	s := filled(t, keys...)
	r := &garbage.Roots{Job: "j", Ended: true, OldBefore: start.Add(time.Hour)}
	for i, want := range []garbage.Swept{{Deleted: garbage.DeletesMax, Bytes: 4 * garbage.DeletesMax, More: true}, {Deleted: 1, Bytes: 4}} {
		if done, err := garbage.Sweep(t.Context(), s, r, leads); err != nil || done != want {
			t.Errorf("sweep %d: %+v, %v; want %+v", i, done, err, want)
		}
	}
}

func TestSweepStopsAtTheFence(t *testing.T) {
	mine := chunk(t, "j", 1, 1, "a")
	s := filled(t, mine)
	deposed := errors.New("deposed")
	r := &garbage.Roots{Job: "j", Attempt: 2, OldBefore: start.Add(time.Hour)}
	if done, err := garbage.Sweep(t.Context(), s, r, func(context.Context) error { return deposed }); !errors.Is(err, deposed) || done.Deleted > 0 {
		t.Errorf("swept %+v, %v", done, err)
	}
	if len(left(t, s)) != 1 {
		t.Error("a deposed leader has deleted")
	}
}
