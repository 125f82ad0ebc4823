// Package coordtest is the conformance suite of coordination stores. Every implementation runs it; what it does not
// test, callers may not rely on. RunFaults runs a fixed piece of work over a store with a fault at its first, second,
// third... call until none is met.
package coordtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/jobmanager/coord"
	"millrace/types"
)

// patience bounds waits for what must come; it fails a test that hangs and asserts no time.
const patience = 30 * time.Second

// Cluster is a coordination store under test, empty and the test's own.
type Cluster interface {
	// Open returns a session of its own, as another process has; the suite closes it.
	Open(t *testing.T) coord.Store
	// Expire ends, on the server, the lease of who campaigns or leads under that name, and waits for him first. The holder
	// is not told.
	Expire(t *testing.T, candidate string)
}

// Run tests the clusters that start returns.
func Run(t *testing.T, start func(*testing.T) Cluster) {
	cases := []struct {
		name string
		run  func(*testing.T, Cluster)
	}{
		{"entries", testEntries},
		{"list", testList},
		{"comparisons", testComparisons},
		{"transactions are whole", testAtomic},
		{"bad requests", testBadRequests},
		{"largest value", testLargestValue},
		{"terms grow and fence", testFence},
		{"foreign terms are fenced", testForeignTerms},
		{"expired leader is fenced", testExpiredLeader},
		{"zombie candidate", testZombieCandidate},
		{"lost candidate", testLostCandidate},
		{"two candidates", testTwoCandidates},
		{"campaign is given up", testCampaignGivenUp},
		{"one campaign at a time", testBusy},
		{"close resigns", testClose},
		{"terminal state is written once", testTerminalOnce},
		{"watch triggers", testWatch},
		{"watch ends", testWatchEnds},
		{"ended context", testEndedContext},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, start(t)) })
	}
}

// session opens a store that is closed at the end of the test.
func session(t *testing.T, c Cluster) coord.Store {
	t.Helper()
	s := c.Open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Logf("close: %v", err) // a lease that a test ended is no failure
		}
	})
	return s
}

func lead(t *testing.T, s coord.Store, candidate string) coord.Leadership {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l, err := s.Campaign(ctx, candidate)
	if err != nil {
		t.Fatalf("campaign as %s: %v", candidate, err)
	}
	return l
}

func leader(t *testing.T, c Cluster, candidate string) (coord.Store, types.Term) {
	t.Helper()
	s := session(t, c)
	return s, lead(t, s, candidate).Term()
}

func testEntries(t *testing.T, c Cluster) {
	s, term := leader(t, c, "a")
	_, err := s.Get(t.Context(), "k")
	expect(t, err, coord.ErrNotFound)
	commit(t, s, term, coord.Put("k", []byte("1")))
	first := expectValue(t, s, "k", "1")
	commit(t, s, term, coord.Put("k", []byte("1")))
	second := expectValue(t, s, "k", "1")
	commit(t, s, term, coord.Delete("k"), coord.Delete("never-was"))
	_, err = s.Get(t.Context(), "k")
	expect(t, err, coord.ErrNotFound)
	commit(t, s, term, coord.Put("k", nil))
	third := expectValue(t, s, "k", "")
	if first.Version <= 0 || second.Version <= first.Version || third.Version <= second.Version {
		t.Errorf("versions %d, %d, %d: want each larger", first.Version, second.Version, third.Version)
	}
	expectValue(t, session(t, c), "k", "")
}

func testList(t *testing.T, c Cluster) {
	s, term := leader(t, c, "a")
	for i := range 3 { // more than a page, and more than a transaction takes
		var ops []coord.Op
		for j := range coord.OpsMax {
			ops = append(ops, coord.Put("many/"+string(rune('a'+i))+"/"+string(rune('A'+j%26))+string(rune('a'+j/26)), []byte{byte(i), byte(j)}))
		}
		commit(t, s, term, ops...)
	}
	commit(t, s, term, coord.Put("jobs/1/graph", []byte("g")), coord.Put("jobs/10/graph", []byte("h")), coord.Put("jobsx", nil))
	expectKeys(t, s, "jobs/1/", "jobs/1/graph")
	expectKeys(t, s, "jobs/1", "jobs/1/graph", "jobs/10/graph")
	expectKeys(t, s, "jobs/", "jobs/1/graph", "jobs/10/graph")
	expectKeys(t, s, "none/")
	many, err := s.List(t.Context(), "many/")
	if err != nil || len(many) != 3*coord.OpsMax {
		t.Fatalf("listed %d, %v; want %d", len(many), err, 3*coord.OpsMax)
	}
	for i, e := range many[1:] {
		if e.Key <= many[i].Key || e.Version <= 0 || len(e.Value) != 2 {
			t.Fatalf("%+v follows %+v", e, many[i])
		}
	}
	all, err := s.List(t.Context(), "")
	if err != nil || len(all) != 3*coord.OpsMax+3 {
		t.Errorf("listed %d in all, %v: the store's own keys must not show", len(all), err)
	}
}

func testComparisons(t *testing.T, c Cluster) {
	s, term := leader(t, c, "a")
	commit(t, s, term, coord.Put("k", []byte("1")), coord.Put("empty", nil))
	version := expectValue(t, s, "k", "1").Version
	cases := []struct {
		name    string
		compare coord.Compare
		holds   bool
	}{
		{"absent, and is", coord.Absent("none"), true},
		{"absent, and is not", coord.Absent("k"), false},
		{"version", coord.VersionIs("k", version), true},
		{"other version", coord.VersionIs("k", version-1), false},
		{"version 0 of one that is there", coord.VersionIs("k", 0), false},
		{"version 0 of one that is not there", coord.VersionIs("none", 0), false},
		{"negative version", coord.VersionIs("none", -1), false},
		{"value", coord.ValueIs("k", []byte("1")), true},
		{"other value", coord.ValueIs("k", []byte("2")), false},
		{"prefix of the value", coord.ValueIs("k", nil), false},
		{"empty value", coord.ValueIs("empty", nil), true},
		{"empty value of one that is not there", coord.ValueIs("none", nil), false},
	}
	for _, c := range cases {
		err := s.Txn(t.Context(), term, []coord.Compare{c.compare}, []coord.Op{coord.Put("result", []byte(c.name))})
		if c.holds && err != nil || !c.holds && !errors.Is(err, coord.ErrConflict) {
			t.Errorf("%s: %v, want it to hold = %v", c.name, err, c.holds)
		}
		if c.holds {
			expectValue(t, s, "result", c.name)
		}
	}
	expectValue(t, s, "k", "1")
	if err := s.Txn(t.Context(), term, []coord.Compare{coord.ValueIs("k", []byte("1"))}, nil); err != nil {
		t.Errorf("a transaction that only compares: %v", err)
	}
}

func testAtomic(t *testing.T, c Cluster) {
	s, term := leader(t, c, "a")
	commit(t, s, term, coord.Put("old", []byte("1")))
	ops := []coord.Op{coord.Put("x", []byte("1")), coord.Delete("old"), coord.Put("y", []byte("1"))}
	compares := []coord.Compare{coord.Absent("x"), coord.ValueIs("old", []byte("other"))}
	expect(t, s.Txn(t.Context(), term, compares, ops), coord.ErrConflict)
	expectKeys(t, s, "", "old")
	compares[1] = coord.ValueIs("old", []byte("1"))
	if err := s.Txn(t.Context(), term, compares, ops); err != nil {
		t.Fatal(err)
	}
	expectKeys(t, s, "", "x", "y")
}

func testBadRequests(t *testing.T, c Cluster) {
	s, term := leader(t, c, "a")
	for _, key := range []string{"", "/a", "a/", "a//b", "../election", ".x", "a b"} {
		_, err := s.Get(t.Context(), key)
		expect(t, err, coord.ErrInvalid)
		expect(t, s.Txn(t.Context(), term, nil, []coord.Op{coord.Put(key, nil)}), coord.ErrInvalid)
		expect(t, s.Txn(t.Context(), term, []coord.Compare{coord.Absent(key)}, nil), coord.ErrInvalid)
	}
	_, err := s.List(t.Context(), "../")
	expect(t, err, coord.ErrInvalid)
	expect(t, s.Txn(t.Context(), term, nil, []coord.Op{coord.Put("k", make([]byte, coord.ValueBytesMax+1))}), coord.ErrTooLarge)
	expect(t, s.Txn(t.Context(), term, nil, []coord.Op{coord.Put("k", nil), coord.Delete("k")}), coord.ErrInvalid)
	other := session(t, c)
	for _, candidate := range []string{"", string(make([]byte, coord.NameBytesMax+1))} {
		_, err := other.Campaign(t.Context(), candidate)
		expect(t, err, coord.ErrInvalid)
	}
	expectKeys(t, s, "")
}

func testLargestValue(t *testing.T, c Cluster) {
	s, term := leader(t, c, "a")
	value := make([]byte, coord.ValueBytesMax)
	for i := range value {
		value[i] = byte(i * 31)
	}
	for _, key := range []string{"big/1", "big/2", "big/3", "big/4"} {
		commit(t, s, term, coord.Put(key, value))
		expectValue(t, s, key, string(value))
	}
	expectKeys(t, s, "big/", "big/1", "big/2", "big/3", "big/4")
}

func testTerminalOnce(t *testing.T, c Cluster) {
	a, term := leader(t, c, "a")
	finish := func(s coord.Store, term types.Term, state string) error {
		return s.Txn(t.Context(), term, []coord.Compare{coord.Absent("jobs/j/state")}, []coord.Op{coord.Put("jobs/j/state", []byte(state))})
	}
	if err := finish(a, term, "finished"); err != nil {
		t.Fatal(err)
	}
	expect(t, finish(a, term, "failed"), coord.ErrConflict)
	c.Expire(t, "a")
	b, next := leader(t, c, "b")
	expect(t, finish(b, next, "cancelled"), coord.ErrConflict)
	expectValue(t, b, "jobs/j/state", "finished")
}

func testEndedContext(t *testing.T, c Cluster) {
	s, term := leader(t, c, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Get(ctx, "k")
	expect(t, err, coord.ErrUnavailable)
	_, err = s.List(ctx, "")
	expect(t, err, coord.ErrUnavailable)
	expect(t, s.Txn(ctx, term, nil, []coord.Op{coord.Put("k", nil)}), coord.ErrUnavailable)
	expectKeys(t, s, "")
}

func commit(t *testing.T, s coord.Store, term types.Term, ops ...coord.Op) {
	t.Helper()
	if err := s.Txn(t.Context(), term, nil, ops); err != nil {
		t.Fatalf("transaction: %v", err)
	}
}

// expect fails unless err is one of those wanted.
func expect(t *testing.T, err error, wanted ...error) {
	t.Helper()
	for _, want := range wanted {
		if errors.Is(err, want) {
			return
		}
	}
	t.Errorf("error %v, want %v", err, wanted)
}

func expectValue(t *testing.T, s coord.Store, key, want string) coord.Entry {
	t.Helper()
	e, err := s.Get(t.Context(), key)
	if err != nil || e.Key != key || string(e.Value) != want {
		t.Errorf("get %s = %s %.40q, %v; want %.40q", key, e.Key, e.Value, err, want)
	}
	return e
}

func expectKeys(t *testing.T, s coord.Store, prefix string, want ...string) {
	t.Helper()
	list, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Fatalf("list %q: %v", prefix, err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Key)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list %q: -want +got:\n%s", prefix, diff)
	}
}
