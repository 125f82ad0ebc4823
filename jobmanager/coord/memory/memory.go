// Package memory is a model of a coordination store, for tests and the simulator: one Cluster holds the entries and the
// queue of candidates, and each Store that it opens is one process's session. Leases do not run on time; a test ends
// them by Expire, and the holder learns of it only by Notice or when it is fenced, so that both halves of a lost lease
// can be taken apart.
//
// A watch has one goroutine, which ends with its context or its Store; Close waits for them.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"millrace/internal/mutant"
	"millrace/jobmanager/coord"
	"millrace/types"
)

// Cluster is what all its Stores share. Use NewCluster. Safe for concurrent use.
type Cluster struct {
	mu struct {
		sync.Mutex
		revision int64
		entries  map[string]coord.Entry
		// queue holds the candidates whose lease stands, in the order of their terms; the first leads.
		queue []*leadership
		// changed is closed and replaced by every change of anything above.
		changed chan struct{}
	}
}

// NewCluster returns an empty cluster.
func NewCluster() *Cluster {
	c := &Cluster{}
	c.mu.entries = make(map[string]coord.Entry)
	c.mu.changed = make(chan struct{})
	return c
}

// Open returns a new session of the cluster.
func (c *Cluster) Open() *Store {
	return &Store{cluster: c, closed: make(chan struct{})}
}

// Expire ends the lease of everybody who campaigns or leads under that name, as the server does when it hears nothing.
// The holder is not told. It reports whether there was one.
func (c *Cluster) Expire(candidate string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.mu.queue)
	c.mu.queue = slices.DeleteFunc(c.mu.queue, func(l *leadership) bool { return l.candidate == candidate })
	c.bump()
	return len(c.mu.queue) < before
}

// bump moves to the next revision and wakes all who wait for one. c.mu is held.
func (c *Cluster) bump() int64 {
	c.mu.revision++
	close(c.mu.changed)
	c.mu.changed = make(chan struct{})
	return c.mu.revision
}

// queued tells whether the lease stands, and whether it leads. c.mu is held.
func (c *Cluster) queued(l *leadership) (stands, leads bool) {
	i := slices.Index(c.mu.queue, l)
	return i >= 0, i == 0
}

func (c *Cluster) leave(l *leadership) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.queue = slices.DeleteFunc(c.mu.queue, func(other *leadership) bool { return other == l })
	c.bump()
}

// Store is one session of a Cluster.
type Store struct {
	cluster *Cluster
	watches sync.WaitGroup
	closed  chan struct{}
	mu      struct {
		sync.Mutex
		isClosed bool
		// current is the campaign or leadership of this session, nil for none. Lock order: Cluster.mu is never held when
		// this is taken.
		current *leadership
	}
}

var _ coord.Store = (*Store)(nil)

// Get implements coord.Store.
func (s *Store) Get(ctx context.Context, key string) (coord.Entry, error) {
	if err := s.check(ctx, coord.CheckKey(key)); err != nil {
		return coord.Entry{}, fmt.Errorf("get %s: %w", key, err)
	}
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.mu.entries[key]
	if !ok {
		return coord.Entry{}, fmt.Errorf("get %s: %w", key, coord.ErrNotFound)
	}
	return clone(e), nil
}

// List implements coord.Store.
func (s *Store) List(ctx context.Context, prefix string) ([]coord.Entry, error) {
	if err := s.check(ctx, coord.CheckPrefix(prefix)); err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []coord.Entry
	for key, e := range c.mu.entries {
		if strings.HasPrefix(key, prefix) {
			list = append(list, clone(e))
		}
	}
	if len(list) > coord.ListMax {
		return nil, fmt.Errorf("list %s: %w: %d entries, at most %d", prefix, coord.ErrTooLarge, len(list), coord.ListMax)
	}
	slices.SortFunc(list, func(a, b coord.Entry) int { return strings.Compare(a.Key, b.Key) })
	return list, nil
}

// Txn implements coord.Store.
func (s *Store) Txn(ctx context.Context, fence types.Term, compares []coord.Compare, ops []coord.Op) error {
	if err := s.check(ctx, coord.CheckTxn(compares, ops)); err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	s.mu.Lock()
	l := s.mu.current
	s.mu.Unlock()
	if l == nil || l.term != fence || l.isDone() {
		return fmt.Errorf("transaction in term %d: %w", fence, coord.ErrFenced)
	}
	if !s.cluster.leads(l) && !mutant.On(mutant.NoLeaderCompare) {
		l.lose()
	}
	if err := s.cluster.apply(l, compares, ops); err != nil {
		return fmt.Errorf("transaction in term %d: %w", fence, err)
	}
	return nil
}

func (c *Cluster) leads(l *leadership) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, leads := c.queued(l)
	return leads
}

func (c *Cluster) apply(l *leadership, compares []coord.Compare, ops []coord.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, leads := c.queued(l); !leads && !mutant.On(mutant.NoLeaderCompare) {
		return coord.ErrFenced
	}
	for _, cmp := range compares {
		if !c.holds(cmp) {
			return fmt.Errorf("%w: %s", coord.ErrConflict, cmp.Key)
		}
	}
	revision := c.bump()
	for _, op := range ops {
		if op.Kind == coord.OpDelete {
			delete(c.mu.entries, op.Key)
			continue
		}
		c.mu.entries[op.Key] = clone(coord.Entry{Key: op.Key, Value: op.Value, Version: revision})
	}
	return nil
}

// holds tells whether the comparison is true. c.mu is held.
func (c *Cluster) holds(cmp coord.Compare) bool {
	e, exists := c.mu.entries[cmp.Key]
	switch cmp.Kind {
	case coord.CompareAbsent:
		return !exists
	case coord.CompareVersion:
		return exists && e.Version == cmp.Version
	case coord.CompareValue:
		return exists && bytes.Equal(e.Value, cmp.Value)
	}
	return false
}

// Leader implements coord.Store.
func (s *Store) Leader(ctx context.Context) (coord.Leader, error) {
	if err := s.check(ctx, nil); err != nil {
		return coord.Leader{}, fmt.Errorf("get leader: %w", err)
	}
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.queue) == 0 {
		return coord.Leader{}, fmt.Errorf("get leader: %w", coord.ErrNotFound)
	}
	return coord.Leader{Term: c.mu.queue[0].term, Candidate: c.mu.queue[0].candidate}, nil
}

// Watch implements coord.Store.
func (s *Store) Watch(ctx context.Context, _ string) <-chan struct{} {
	triggers := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.isClosed {
		close(triggers)
		return triggers
	}
	triggers <- struct{}{}
	changed := s.cluster.changed()
	s.watches.Go(func() { s.watch(ctx, changed, triggers) })
	return triggers
}

// watch triggers on every change of the cluster: more often than it must, which callers have to bear anyway.
func (s *Store) watch(ctx context.Context, changed <-chan struct{}, triggers chan<- struct{}) {
	defer close(triggers)
	for {
		select {
		case <-changed:
			changed = s.cluster.changed() // before the trigger, so that no change falls between
			select {
			case triggers <- struct{}{}:
			default:
			}
		case <-ctx.Done():
			return
		case <-s.closed:
			return
		}
	}
}

func (c *Cluster) changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.changed
}

// Close implements coord.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	l, again := s.mu.current, s.mu.isClosed
	s.mu.isClosed = true
	if !again {
		close(s.closed)
	}
	s.mu.Unlock()
	if l != nil {
		l.end()
	}
	s.watches.Wait()
	return nil
}

func (s *Store) check(ctx context.Context, invalid error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case invalid != nil:
		return invalid
	case s.mu.isClosed:
		return fmt.Errorf("%w: store is closed", coord.ErrUnavailable)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", coord.ErrUnavailable, ctx.Err())
	}
	return nil
}

func clone(e coord.Entry) coord.Entry {
	e.Value = append([]byte{}, e.Value...)
	return e
}
