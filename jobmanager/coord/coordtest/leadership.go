package coordtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"millrace/jobmanager/coord"
	"millrace/types"
)

func testFence(t *testing.T, c Cluster) {
	a, b := session(t, c), session(t, c)
	_, err := b.Leader(t.Context())
	expect(t, err, coord.ErrNotFound)
	first := lead(t, a, "a")
	expectLeader(t, b, coord.Leader{Term: first.Term(), Candidate: "a"})
	commit(t, a, first.Term(), coord.Put("k", []byte("a")))
	if err := first.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectDone(t, first)
	second := lead(t, b, "b")
	if second.Term() <= first.Term() {
		t.Errorf("term %d follows %d", second.Term(), first.Term())
	}
	expectLeader(t, a, coord.Leader{Term: second.Term(), Candidate: "b"})
	expect(t, put(t, a, first.Term(), "k", "old a"), coord.ErrFenced)
	commit(t, b, second.Term(), coord.Put("k", []byte("b")))
	expect(t, put(t, b, first.Term(), "k", "old a"), coord.ErrFenced)
	expectValue(t, a, "k", "b")
	if err := first.Resign(t.Context()); err != nil {
		t.Errorf("resigning again: %v", err)
	}
	expectLeader(t, a, coord.Leader{Term: second.Term(), Candidate: "b"})
	if err := second.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	third := lead(t, a, "a")
	if third.Term() <= second.Term() {
		t.Errorf("term %d follows %d", third.Term(), second.Term())
	}
	expect(t, put(t, a, first.Term(), "k", "older a"), coord.ErrFenced)
	commit(t, a, third.Term(), coord.Put("k", []byte("a again")))
}

func testForeignTerms(t *testing.T, c Cluster) {
	a, term := leader(t, c, "a")
	b := session(t, c)
	for _, fence := range []types.Term{0, term - 1, term + 1, 1 << 62} {
		expect(t, put(t, a, fence, "k", "x"), coord.ErrFenced)
	}
	expect(t, put(t, b, term, "k", "x"), coord.ErrFenced)
	expectKeys(t, a, "")
}

// testExpiredLeader: the server forgot the leader, who was not told. His writes are refused all the same, also while
// nobody else leads yet, and ErrFenced goes before ErrConflict.
func testExpiredLeader(t *testing.T, c Cluster) {
	a, b, d := session(t, c), session(t, c), session(t, c)
	first := lead(t, a, "a")
	commit(t, a, first.Term(), coord.Put("k", []byte("a")))
	c.Expire(t, "a")
	conflict := []coord.Compare{coord.Absent("k")}
	expect(t, a.Txn(t.Context(), first.Term(), conflict, []coord.Op{coord.Put("k", []byte("late"))}), coord.ErrFenced)
	expectDone(t, first) // the fenced transaction told him
	second := lead(t, b, "b")
	c.Expire(t, "b")
	third := lead(t, d, "d")
	expect(t, put(t, b, second.Term(), "k", "late"), coord.ErrFenced)
	commit(t, d, third.Term(), coord.Put("k", []byte("d")))
	expectValue(t, a, "k", "d")
}

// testZombieCandidate: a candidate's session is lost while it waits, and the leader goes before it knows. It must not
// take itself for the leader: it has no key that could fence anything.
func testZombieCandidate(t *testing.T, c Cluster) {
	a, b := session(t, c), session(t, c)
	first := lead(t, a, "a")
	campaign := start(t, b, "b")
	c.Expire(t, "b")
	if err := first.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l, err := campaign.wait(t); err == nil {
		// A campaign that noticed in time may have begun anew; then it leads in truth.
		expectLeader(t, a, coord.Leader{Term: l.Term(), Candidate: "b"})
	} else {
		expect(t, err, coord.ErrUnavailable)
	}
	next := lead(t, a, "a")
	commit(t, a, next.Term(), coord.Put("k", []byte("a")))
}

// testLostCandidate: a candidate whose session is lost while the leader stays must not wait for ever.
func testLostCandidate(t *testing.T, c Cluster) {
	a, b := session(t, c), session(t, c)
	first := lead(t, a, "a")
	campaign := start(t, b, "b")
	c.Expire(t, "b")
	_, err := campaign.wait(t)
	expect(t, err, coord.ErrUnavailable)
	expectLeader(t, b, coord.Leader{Term: first.Term(), Candidate: "a"})
	commit(t, a, first.Term(), coord.Put("k", []byte("a")))
}

func testTwoCandidates(t *testing.T, c Cluster) {
	a, b := session(t, c), session(t, c)
	campaigns := map[string]*campaign{"a": start(t, a, "a"), "b": start(t, b, "b")}
	var winner, loser string
	select {
	case <-campaigns["a"].won:
		winner, loser = "a", "b"
	case <-campaigns["b"].won:
		winner, loser = "b", "a"
	case <-time.After(patience):
		t.Fatal("nobody leads")
	}
	first, err := campaigns[winner].wait(t)
	if err != nil {
		t.Fatal(err)
	}
	expectLeader(t, a, coord.Leader{Term: first.Term(), Candidate: winner})
	select {
	case <-campaigns[loser].won:
		t.Fatalf("%s leads beside %s", loser, winner)
	default:
	}
	if err := first.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, err := campaigns[loser].wait(t)
	if err != nil {
		t.Fatal(err)
	}
	expectLeader(t, a, coord.Leader{Term: second.Term(), Candidate: loser})
}

// testCampaignGivenUp: who gives up leaves nothing behind that would lead later.
func testCampaignGivenUp(t *testing.T, c Cluster) {
	a, b, d := session(t, c), session(t, c), session(t, c)
	first := lead(t, a, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Campaign(ctx, "b"); err == nil {
		t.Fatal("a campaign in an ended context won")
	}
	third := start(t, d, "d")
	if err := first.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := third.wait(t)
	if err != nil {
		t.Fatal(err)
	}
	expectLeader(t, a, coord.Leader{Term: l.Term(), Candidate: "d"})
	if err := l.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	lead(t, b, "b") // and may campaign again
}

func testBusy(t *testing.T, c Cluster) {
	s := session(t, c)
	l := lead(t, s, "a")
	_, err := s.Campaign(t.Context(), "a")
	expect(t, err, coord.ErrBusy)
	expectLeader(t, s, coord.Leader{Term: l.Term(), Candidate: "a"})
}

func testClose(t *testing.T, c Cluster) {
	a, b := c.Open(t), session(t, c)
	first := lead(t, a, "a")
	second := start(t, b, "b")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	expectDone(t, first)
	if _, err := second.wait(t); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Campaign(t.Context(), "a"); err == nil {
		t.Error("a closed store campaigns")
	}
	expect(t, put(t, a, first.Term(), "k", "late"), coord.ErrFenced, coord.ErrUnavailable)
	if err := a.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func testWatch(t *testing.T, c Cluster) {
	s, term := leader(t, c, "a")
	watcher := session(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	triggers := watcher.Watch(ctx, "jobs/")
	awaitTrigger(t, triggers)
	for _, value := range []string{"1", "2"} {
		commit(t, s, term, coord.Put("jobs/j/state", []byte(value)))
		awaitUntil(t, triggers, func() bool {
			e, err := watcher.Get(t.Context(), "jobs/j/state")
			return err == nil && string(e.Value) == value
		})
	}
	commit(t, s, term, coord.Delete("jobs/j/state"))
	awaitUntil(t, triggers, func() bool {
		_, err := watcher.Get(t.Context(), "jobs/j/state")
		return errors.Is(err, coord.ErrNotFound)
	})
}

func testWatchEnds(t *testing.T, c Cluster) {
	s := c.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	byContext, byClose := s.Watch(ctx, ""), s.Watch(t.Context(), "jobs/")
	cancel()
	awaitClosed(t, byContext)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	awaitClosed(t, byClose)
	awaitClosed(t, s.Watch(t.Context(), ""))
}

func put(t *testing.T, s coord.Store, term types.Term, key, value string) error {
	t.Helper()
	return s.Txn(t.Context(), term, nil, []coord.Op{coord.Put(key, []byte(value))})
}

func expectLeader(t *testing.T, s coord.Store, want coord.Leader) {
	t.Helper()
	if got, err := s.Leader(t.Context()); err != nil || got != want {
		t.Errorf("leader %+v, %v; want %+v", got, err, want)
	}
}

func expectDone(t *testing.T, l coord.Leadership) {
	t.Helper()
	select {
	case <-l.Done():
	case <-time.After(patience):
		t.Errorf("the leader of term %d is not told that it is over", l.Term())
	}
}

// campaign is a Campaign call in a goroutine.
type campaign struct {
	won    chan struct{} // closed when the call returned
	leader coord.Leadership
	err    error
}

// start begins a campaign. It ends with the test at the latest.
func start(t *testing.T, s coord.Store, candidate string) *campaign {
	t.Helper()
	c := &campaign{won: make(chan struct{})}
	go func() {
		defer close(c.won)
		c.leader, c.err = s.Campaign(t.Context(), candidate)
	}()
	t.Cleanup(func() { <-c.won })
	return c
}

func (c *campaign) wait(t *testing.T) (coord.Leadership, error) {
	t.Helper()
	select {
	case <-c.won:
		return c.leader, c.err
	case <-time.After(patience):
		t.Fatal("campaign does not end")
		return nil, nil
	}
}

func awaitTrigger(t *testing.T, triggers <-chan struct{}) {
	t.Helper()
	select {
	case _, ok := <-triggers:
		if !ok {
			t.Fatal("watch ended")
		}
	case <-time.After(patience):
		t.Fatal("no trigger")
	}
}

// awaitUntil re-reads at every trigger, as a caller does, until what it waits for is there.
func awaitUntil(t *testing.T, triggers <-chan struct{}, there func() bool) {
	t.Helper()
	for awaitTrigger(t, triggers); !there(); {
		awaitTrigger(t, triggers)
	}
}

func awaitClosed(t *testing.T, triggers <-chan struct{}) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, ok := <-triggers:
			if !ok {
				return
			}
		case <-deadline:
			t.Fatal("watch does not end")
		}
	}
}
