package fault_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/jobmanager/coord"
	"millrace/jobmanager/coord/fault"
	"millrace/jobmanager/coord/memory"
)

// outcome is what a plan does to a campaign, a transaction, a read, and the term.
type outcome struct {
	campaign, txn, get error
	// written tells whether the transaction took effect, deposed whether the term is over after it.
	written, deposed bool
}

func TestEveryAction(t *testing.T) {
	cases := map[string]outcome{
		"":                               {written: true},
		"get err=unavailable":            {get: coord.ErrUnavailable, written: true},
		"list err=unavailable":           {written: true},
		"leader err=unavailable":         {written: true},
		"campaign err=unavailable":       {campaign: coord.ErrUnavailable},
		"campaign prefix=a lost":         {txn: coord.ErrFenced, get: coord.ErrNotFound, deposed: true},
		"campaign prefix=other lost":     {written: true},
		"txn err=unavailable":            {txn: coord.ErrUnavailable, get: coord.ErrNotFound},
		"txn err=lost-reply":             {txn: coord.ErrOutcomeUnknown, written: true},
		"txn err=unknown":                {txn: coord.ErrOutcomeUnknown, get: coord.ErrNotFound},
		"txn err=conflict":               {txn: coord.ErrConflict, get: coord.ErrNotFound},
		"txn err=fenced":                 {txn: coord.ErrFenced, get: coord.ErrNotFound, deposed: true},
		"txn prefix=other/ err=conflict": {written: true},
	}
	for plan, want := range cases {
		t.Run(plan, func(t *testing.T) {
			if diff := cmp.Diff(want, run(t, plan), cmp.AllowUnexported(outcome{}), cmp.Comparer(sameError)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func sameError(a, b error) bool { return errors.Is(a, b) || errors.Is(b, a) }

func run(t *testing.T, plan string) (got outcome) {
	t.Helper()
	cluster := memory.NewCluster()
	s, err := fault.Wrap(cluster.Open(), plan)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var l coord.Leadership
	if l, got.campaign = s.Campaign(t.Context(), "a"); got.campaign != nil {
		return got
	}
	got.txn = s.Txn(t.Context(), l.Term(), nil, []coord.Op{coord.Put("k", nil)})
	_, got.get = s.Get(t.Context(), "k")
	_, err = cluster.Open().Get(t.Context(), "k")
	got.written = err == nil
	select {
	case <-l.Done():
		got.deposed = true
	default:
	}
	return got
}

func TestReadsFail(t *testing.T) {
	s, err := fault.Wrap(memory.NewCluster().Open(), "list prefix=jobs/ nth=2 err=unavailable; leader nth=1 err=unavailable")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, want := range []error{nil, coord.ErrUnavailable, nil} {
		if _, err := s.List(t.Context(), "jobs/"); !errors.Is(err, want) {
			t.Errorf("list %d: %v, want %v", i+1, err, want)
		}
	}
	for i, want := range []error{coord.ErrUnavailable, coord.ErrNotFound} {
		if _, err := s.Leader(t.Context()); !errors.Is(err, want) {
			t.Errorf("leader %d: %v, want %v", i+1, err, want)
		}
	}
	if diff := cmp.Diff([]int{1, 1}, s.Fired()); diff != "" || s.FiredTotal() != 2 {
		t.Errorf("fired %d: %s", s.FiredTotal(), diff)
	}
}

func TestBadPlanIsRefused(t *testing.T) {
	if _, err := fault.Wrap(memory.NewCluster().Open(), "get err=fenced"); err == nil {
		t.Error("a read cannot be fenced, yet the plan was taken")
	}
}
