// Package fault wraps a coordination store and makes it fail by plan, the same way every time (see internal/faultplan
// for the language). What it can do to each operation:
//
//	get, list, leader, campaign  err=unavailable  nothing is asked, ErrUnavailable
//	txn  err=unavailable  nothing happens, ErrUnavailable
//	     err=lost-reply   the transaction is carried out, whatever comes of it is lost: ErrOutcomeUnknown
//	     err=unknown      nothing happens, ErrOutcomeUnknown: the twin of lost-reply, which a caller cannot tell from it
//	     err=conflict     nothing happens, ErrConflict
//	     err=fenced       nothing happens, ErrFenced; the leadership is resigned, so that the term is over in truth
//	campaign  lost        the campaign is won, and the leadership is lost before the holder does anything
//
// The key of a txn is that of its first operation, of a list its prefix, of a campaign the candidate. The package starts
// no goroutine.
package fault

import (
	"context"
	"fmt"
	"sync"

	"millrace/internal/faultplan"
	"millrace/jobmanager/coord"
	"millrace/types"
)

// Vocabulary lists what a plan may order.
var Vocabulary = faultplan.Vocabulary{
	"get":      {"err=unavailable"},
	"list":     {"err=unavailable"},
	"leader":   {"err=unavailable"},
	"campaign": {"err=unavailable", "lost"},
	"txn":      {"err=unavailable", "err=lost-reply", "err=unknown", "err=conflict", "err=fenced"},
}

// Store is a coord.Store that fails by plan. It is safe for concurrent use.
type Store struct {
	store   coord.Store
	counter *faultplan.Counter
	mu      struct {
		sync.Mutex
		leadership coord.Leadership // the last one won, nil before the first
	}
}

var _ coord.Store = (*Store)(nil)

// Wrap parses the plan and returns s with its faults. Closing the wrapper closes s.
func Wrap(s coord.Store, plan string) (*Store, error) {
	rules, err := faultplan.Parse(plan, Vocabulary)
	if err != nil {
		return nil, fmt.Errorf("coordination store fault plan: %w", err)
	}
	return &Store{store: s, counter: faultplan.NewCounter(rules, Vocabulary)}, nil
}

// Fired returns how many calls met each rule of the plan.
func (s *Store) Fired() []int { return s.counter.Fired() }

// FiredTotal returns how many calls met a rule.
func (s *Store) FiredTotal() int { return s.counter.FiredTotal() }

// Get implements coord.Store.
func (s *Store) Get(ctx context.Context, key string) (coord.Entry, error) {
	if err := s.meet("get", key); err != nil {
		return coord.Entry{}, err
	}
	return s.store.Get(ctx, key)
}

// List implements coord.Store.
func (s *Store) List(ctx context.Context, prefix string) ([]coord.Entry, error) {
	if err := s.meet("list", prefix); err != nil {
		return nil, err
	}
	return s.store.List(ctx, prefix)
}

// Leader implements coord.Store.
func (s *Store) Leader(ctx context.Context) (coord.Leader, error) {
	if err := s.meet("leader", ""); err != nil {
		return coord.Leader{}, err
	}
	return s.store.Leader(ctx)
}

func (s *Store) meet(op, key string) error {
	if action := s.counter.Action(op, key); action != "" {
		return fmt.Errorf("%s %s: injected %s: %w", op, key, action, coord.ErrUnavailable)
	}
	return nil
}

// Campaign implements coord.Store.
func (s *Store) Campaign(ctx context.Context, candidate string) (coord.Leadership, error) {
	action := s.counter.Action("campaign", candidate)
	if action == "err=unavailable" {
		return nil, fmt.Errorf("campaign %s: injected %s: %w", candidate, action, coord.ErrUnavailable)
	}
	l, err := s.store.Campaign(ctx, candidate)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.mu.leadership = l
	s.mu.Unlock()
	if action == "lost" {
		return l, l.Resign(ctx)
	}
	return l, nil
}

// Txn implements coord.Store.
func (s *Store) Txn(ctx context.Context, fence types.Term, compares []coord.Compare, ops []coord.Op) error {
	key := ""
	if len(ops) > 0 {
		key = ops[0].Key
	}
	action := s.counter.Action("txn", key)
	err := coord.ErrOutcomeUnknown
	switch action {
	case "":
		return s.store.Txn(ctx, fence, compares, ops)
	case "err=lost-reply":
		_ = s.store.Txn(ctx, fence, compares, ops) // that is what is lost
	case "err=unavailable":
		err = coord.ErrUnavailable
	case "err=conflict":
		err = coord.ErrConflict
	case "err=fenced":
		s.depose(ctx)
		err = coord.ErrFenced
	}
	return fmt.Errorf("txn %s: injected %s: %w", key, action, err)
}

func (s *Store) depose(ctx context.Context) {
	s.mu.Lock()
	l := s.mu.leadership
	s.mu.Unlock()
	if l != nil {
		_ = l.Resign(ctx) // on an error the lease runs out by itself
	}
}

// Watch implements coord.Store.
func (s *Store) Watch(ctx context.Context, prefix string) <-chan struct{} {
	return s.store.Watch(ctx, prefix)
}

// Close implements coord.Store.
func (s *Store) Close() error { return s.store.Close() }
