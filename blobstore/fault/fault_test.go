package fault_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/blobstore"
	"millrace/blobstore/blobtest"
	"millrace/blobstore/fault"
	"millrace/blobstore/memory"
	"millrace/internal/clock"
)

// TestConformance: with nothing ordered, or nothing that meets a call, a faulty store is a store.
func TestConformance(t *testing.T) {
	for _, plan := range []string{"", "any nth=1000000 err=unavailable"} {
		t.Run(plan, func(t *testing.T) {
			blobtest.Run(t, func(t *testing.T) blobstore.Store {
				s, err := fault.Wrap(memory.New(clock.System()), plan)
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}

// TestEveryAction creates "a" over a store that holds "old", reads both, lists and deletes, under one fault each.
func TestEveryAction(t *testing.T) {
	cases := []struct {
		plan string
		// answers of: create a, create old, read a, read old, list, delete old, read old
		want string
	}{
		{"", "ok exists new old a,old ok missing"},
		{"create err=unavailable", "unavailable unavailable missing old old ok missing"},
		{"create prefix=a err=lost-reply", "unavailable exists new old a,old ok missing"},
		{"create err=fatal", "fatal fatal missing old old ok missing"},
		{"create nth=1 corrupt", "ok exists nuw old a,old ok missing"},
		{"create nth=1 torn", "unavailable exists n old a,old ok missing"},
		{"create ignore", "ok ok new new a,old ok missing"},
		{"read nth=2 err=unavailable", "ok exists new unavailable a,old ok missing"},
		{"read prefix=old err=fatal", "ok exists new fatal a,old ok fatal"},
		{"read nth=1 err=not-found", "ok exists missing old a,old ok missing"},
		{"read nth=2 corrupt", "ok exists new o|d a,old ok missing"},
		{"read nth=1 torn", "ok exists n old a,old ok missing"},
		{"list err=unavailable", "ok exists new old unavailable ok missing"},
		{"list err=fatal", "ok exists new old fatal ok missing"},
		{"list omit", "ok exists new old a ok missing"},
		{"delete err=unavailable", "ok exists new old a,old unavailable old"},
		{"delete err=lost-reply", "ok exists new old a,old unavailable missing"},
		{"delete err=fatal", "ok exists new old a,old fatal old"},
	}
	seen := make(map[string]bool)
	for _, c := range cases {
		t.Run(c.plan, func(t *testing.T) {
			if diff := cmp.Diff(c.want, answers(t, c.plan)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
		if words := strings.Fields(c.plan); len(words) > 0 {
			seen[words[0]+" "+words[len(words)-1]] = true
		}
	}
	for op, actions := range fault.Vocabulary {
		for _, action := range actions {
			if !seen[op+" "+action] {
				t.Errorf("no case for %s %s", op, action)
			}
		}
	}
}

func answers(t *testing.T, plan string) string {
	t.Helper()
	under := memory.New(clock.System())
	if err := under.Create(t.Context(), "old", blobstore.Bytes([]byte("old"))); err != nil {
		t.Fatal(err)
	}
	s, err := fault.Wrap(under, plan)
	if err != nil {
		t.Fatal(err)
	}
	create := func(key string) string {
		return answer("ok", s.Create(t.Context(), key, blobstore.Bytes([]byte("new"))))
	}
	read := func(key string) string {
		data, err := s.Read(t.Context(), key)
		return answer(string(data), err)
	}
	list := func() string {
		page, err := s.List(t.Context(), blobstore.Query{})
		var keys []string
		for _, info := range page {
			keys = append(keys, info.Key)
		}
		return answer(strings.Join(keys, ","), err)
	}
	return strings.Join([]string{create("a"), create("old"), read("a"), read("old"), list(), answer("ok", s.Delete(t.Context(), "old")), read("old")}, " ")
}

func answer(ok string, err error) string {
	for word, e := range map[string]error{
		"exists": blobstore.ErrExists, "missing": blobstore.ErrNotFound, "unavailable": blobstore.ErrUnavailable, "fatal": fault.ErrFatal,
	} {
		if errors.Is(err, e) {
			return word
		}
	}
	if err != nil {
		return err.Error()
	}
	return ok
}

func TestBadPlanIsRefused(t *testing.T) {
	if _, err := fault.Wrap(memory.New(clock.System()), "list torn"); err == nil {
		t.Error("a list cannot be torn, yet the plan was taken")
	}
}
