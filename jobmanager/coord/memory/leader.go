package memory

import (
	"context"
	"fmt"
	"sync"

	"millrace/jobmanager/coord"
	"millrace/types"
)

// leadership is a campaign and, once it leads, the coord.Leadership.
type leadership struct {
	store     *Store
	candidate string
	term      types.Term
	done      chan struct{}
	once      sync.Once
}

var _ coord.Leadership = (*leadership)(nil)

// Campaign implements coord.Store.
func (s *Store) Campaign(ctx context.Context, candidate string) (coord.Leadership, error) {
	l, err := s.enter(ctx, candidate)
	if err == nil {
		err = l.await(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("campaign as %s: %w", candidate, err)
	}
	return l, nil
}

// enter puts the candidate into the queue.
func (s *Store) enter(ctx context.Context, candidate string) (*leadership, error) {
	if err := s.check(ctx, coord.CheckCandidate(candidate)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.current != nil && !s.mu.current.isDone() {
		return nil, coord.ErrBusy
	}
	l := &leadership{store: s, candidate: candidate, done: make(chan struct{})}
	s.mu.current = l
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	l.term = types.Term(c.bump()) //nolint:gosec // revisions are positive.
	c.mu.queue = append(c.mu.queue, l)
	return l, nil
}

// await returns when l leads, or leaves the queue and returns why it never will.
func (l *leadership) await(ctx context.Context) error {
	c := l.store.cluster
	for {
		c.mu.Lock()
		stands, leads := c.queued(l)
		changed := c.mu.changed
		c.mu.Unlock()
		switch {
		case !stands:
			l.end()
			return fmt.Errorf("%w: session was lost", coord.ErrUnavailable)
		case leads:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			l.end()
			return fmt.Errorf("%w: %w", coord.ErrUnavailable, ctx.Err())
		}
	}
}

// Term implements coord.Leadership.
func (l *leadership) Term() types.Term { return l.term }

// Done implements coord.Leadership.
func (l *leadership) Done() <-chan struct{} { return l.done }

// Resign implements coord.Leadership.
func (l *leadership) Resign(context.Context) error {
	l.end()
	return nil
}

// end leaves the queue and tells the holder.
func (l *leadership) end() {
	l.lose()
	l.store.cluster.leave(l)
}

// lose tells the holder.
func (l *leadership) lose() { l.once.Do(func() { close(l.done) }) }

func (l *leadership) isDone() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// Notice lets the session find out whether its lease stands, as the next keep-alive would.
func (s *Store) Notice() {
	s.mu.Lock()
	l := s.mu.current
	s.mu.Unlock()
	if l == nil {
		return
	}
	c := s.cluster
	c.mu.Lock()
	stands, _ := c.queued(l)
	c.mu.Unlock()
	if !stands {
		l.lose()
	}
}
