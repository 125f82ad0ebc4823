package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/realetcd"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/coord/coordtest"
	"millrace/jobmanager/coord/etcd"
	"millrace/types"
)

// TestRealConformance: what holds on the embedded server holds on a process of its own, and on a cluster of three.
func TestRealConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	for _, members := range matrix.Sample(t, 1, []int{1, 3}) {
		t.Run(fmt.Sprintf("members=%d", members), func(t *testing.T) {
			servers := realetcd.Start(t, members)
			fresh := func(*testing.T) coordtest.Cluster { return newClusterAt(servers.Endpoints()...) }
			coordtest.Run(t, fresh)
			if matrix.All() {
				t.Run("faults", func(t *testing.T) { coordtest.RunFaults(t, fresh) })
			}
		})
	}
}

// A harm takes the leading member of etcd away, and repair brings it back.
type harm struct {
	name   string
	harm   func(*realetcd.Member)
	repair func(context.Context, *realetcd.Member) error
}

var harms = []harm{
	{"killed", func(m *realetcd.Member) { m.Kill() }, func(ctx context.Context, m *realetcd.Member) error { return m.Restart(ctx) }},
	{"paused", func(m *realetcd.Member) { m.Pause() }, func(_ context.Context, m *realetcd.Member) error { m.Resume(); return nil }},
}

// TestLeadingMemberGone: two workers compete to lead and carry out steps while the leading member of etcd is taken away,
// stays away until another led and steps went on, and returns; twice. No step is lost or done twice, what was acknowledged
// stands, and every step was done in a term not before that of the step before.
func TestLeadingMemberGone(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	for _, h := range matrix.Sample(t, 1, harms) {
		t.Run(h.name, func(t *testing.T) { testLeadingMemberGone(t, h) })
	}
}

func testLeadingMemberGone(t *testing.T, h harm) {
	const stepsEach, rounds = 20, 2
	servers := realetcd.Start(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	l := newLedger(stepsEach * (rounds + 2))
	c := newClusterAt(servers.Endpoints()...)
	var workers sync.WaitGroup
	defer workers.Wait()
	for i := range 2 {
		s := openPatient(t, c)
		defer closeStore(t, s)
		workers.Go(func() { l.work(ctx, s, fmt.Sprint(i)) })
	}
	l.advance(t, ctx, stepsEach)
	for range rounds {
		takeAway(t, ctx, servers, h, func() { l.advance(t, ctx, stepsEach) })
	}
	l.advance(t, ctx, stepsEach)
	workers.Wait()
	l.check(t, ctx, servers, c)
}

// openPatient opens a session whose calls give a cut-off member little time.
func openPatient(t *testing.T, c cluster) coord.Store {
	t.Helper()
	o := c.options()
	o.RequestTimeout = time.Second
	s, err := etcd.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// takeAway harms the leading member, waits until another leads and what went on went on, and repairs it.
func takeAway(t *testing.T, ctx context.Context, servers *realetcd.Cluster, h harm, wentOn func()) {
	t.Helper()
	before, err := servers.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	h.harm(before)
	after, err := servers.Leader(ctx)
	if err != nil || after == before {
		t.Fatalf("%s leads after it was %s, %v", before.Name(), h.name, err)
	}
	wentOn()
	t.Logf("%s was %s, %s led", before.Name(), h.name, after.Name())
	if err := h.repair(ctx, before); err != nil {
		t.Fatal(err)
	}
}

// ledger is what the workers may do and were told.
type ledger struct {
	steps int // in all
	mu    sync.Mutex
	// allowed is the last step that may be done, reached the last that a worker found done.
	allowed, reached int
	changed          chan struct{}      // closed, and made anew, when either changes
	terms            map[int]types.Term // of the steps that were acknowledged
	twice            []int
}

func newLedger(steps int) *ledger {
	return &ledger{steps: steps, changed: make(chan struct{}), terms: map[int]types.Term{}}
}

func (l *ledger) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// until waits for a condition on what changes; it reports false if ctx or over ended first.
func (l *ledger) until(ctx context.Context, over <-chan struct{}, holds func() bool) bool {
	for {
		l.mu.Lock()
		ok, changed := holds(), l.changed
		l.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-over:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// advance lets the workers do so many more steps, and returns when they are done.
func (l *ledger) advance(t *testing.T, ctx context.Context, steps int) {
	t.Helper()
	l.change(func() { l.allowed += steps })
	if !l.until(ctx, nil, func() bool { return l.reached >= l.allowed }) {
		t.Fatalf("steps stopped at %d of %d", l.reached, l.allowed)
	}
}

// work leads whenever it can and does the next step, reading again after whatever goes wrong, until all steps are done.
func (l *ledger) work(ctx context.Context, s coord.Store, name string) {
	for ctx.Err() == nil && l.done(ctx, s) < l.steps {
		leading, err := s.Campaign(ctx, name)
		if err != nil {
			continue
		}
		for ctx.Err() == nil && !isOver(leading) {
			l.next(ctx, s, leading)
		}
	}
}

// next does the next step once it is allowed. After the last it resigns, so that the other may see that all is done.
func (l *ledger) next(ctx context.Context, s coord.Store, leading coord.Leadership) {
	done := l.done(ctx, s)
	switch {
	case done < 0: // nobody answers
	case done >= l.steps:
		_ = leading.Resign(ctx) // or the lease runs out
	case l.until(ctx, leading.Done(), func() bool { return l.allowed > done }):
		l.step(ctx, s, leading.Term(), done+1)
	}
}

func isOver(l coord.Leadership) bool {
	select {
	case <-l.Done():
		return true
	default:
		return false
	}
}

// done returns how many steps are done, -1 if nobody answers.
func (l *ledger) done(ctx context.Context, s coord.Store) int {
	e, err := s.Get(ctx, "counter")
	if errors.Is(err, coord.ErrNotFound) {
		return 0
	}
	if err != nil {
		return -1
	}
	n, err := strconv.Atoi(string(e.Value))
	if err != nil {
		return -1
	}
	l.change(func() { l.reached = max(l.reached, n) })
	return n
}

// step does the n-th step if nobody did it yet. It takes the fence's word that it leads, and leaves its term behind.
func (l *ledger) step(ctx context.Context, s coord.Store, term types.Term, n int) {
	counter := coord.ValueIs("counter", []byte(strconv.Itoa(n-1)))
	if n == 1 {
		counter = coord.Absent("counter")
	}
	err := s.Txn(ctx, term, []coord.Compare{counter, coord.Absent(stepKey(n))},
		[]coord.Op{coord.Put("counter", []byte(strconv.Itoa(n))), coord.Put(stepKey(n), []byte(strconv.FormatUint(uint64(term), 10)))})
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, done := l.terms[n]; done {
		l.twice = append(l.twice, n)
	}
	l.terms[n] = term
}

func stepKey(n int) string { return fmt.Sprintf("steps/%03d", n) }

// check reads through every member on its own.
func (l *ledger) check(t *testing.T, ctx context.Context, servers *realetcd.Cluster, c cluster) {
	t.Helper()
	if len(l.twice) > 0 {
		t.Errorf("acknowledged twice: steps %v", l.twice)
	}
	for _, m := range servers.Members() {
		s := cluster{c.name, []string{m.Endpoint()}}.Open(t)
		list, err := s.List(ctx, "steps/")
		if err != nil || len(list) != l.steps {
			t.Errorf("%s has %d steps, %v; want %d", m.Name(), len(list), err, l.steps)
		}
		var last types.Term
		for i, e := range list {
			term, err := strconv.ParseUint(string(e.Value), 10, 64)
			if err != nil || e.Key != stepKey(i+1) || types.Term(term) < last {
				t.Errorf("%s: step %d is %s in term %s after %d", m.Name(), i+1, e.Key, e.Value, last)
			}
			if told, ok := l.terms[i+1]; ok && told != types.Term(term) {
				t.Errorf("%s: step %d was acknowledged in term %d and stands with %s", m.Name(), i+1, told, e.Value)
			}
			last = types.Term(term)
		}
		closeStore(t, s)
	}
}

// TestWatchesOutliveASilentMember: whichever member a watch is on, it tells of changes after that one fell silent.
func TestWatchesOutliveASilentMember(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	const watchers = 6 // clients choose members by themselves; one of so many is most likely on the silent one
	servers := realetcd.Start(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := newClusterAt(servers.Endpoints()...)
	var triggers []<-chan struct{}
	for range watchers {
		s := c.Open(t)
		defer closeStore(t, s)
		triggers = append(triggers, s.Watch(ctx, "k"))
		<-triggers[len(triggers)-1] // it stands
	}
	silent, err := servers.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	silent.Pause()
	defer silent.Resume()
	s := openPatient(t, c)
	defer closeStore(t, s)
	if err := putOnce(ctx, s, "k"); err != nil {
		t.Fatal(err)
	}
	for i, trigger := range triggers {
		select {
		case <-trigger:
		case <-ctx.Done():
			t.Errorf("watcher %d was not told", i)
		}
	}
}

// putOnce leads and puts the key, campaigning again whenever that fails.
func putOnce(ctx context.Context, s coord.Store, key string) (err error) {
	for ctx.Err() == nil {
		var leading coord.Leadership
		if leading, err = s.Campaign(ctx, "a"); err != nil {
			continue
		}
		for err = errors.New("no attempt"); err != nil && ctx.Err() == nil && !isOver(leading); {
			err = s.Txn(ctx, leading.Term(), nil, []coord.Op{coord.Put(key, nil)})
		}
		if err == nil {
			return nil
		}
	}
	return errors.Join(ctx.Err(), err)
}
