package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"millrace/jobmanager/coord"
	"millrace/types"
)

// leadership is a campaign and, once it leads, the coord.Leadership.
type leadership struct {
	store *Store
	// session, key and term are set once, under the store's mu, before Campaign returns.
	session *concurrency.Session
	key     string
	term    types.Term
	done    chan struct{}
	once    sync.Once
}

var _ coord.Leadership = (*leadership)(nil)

// Campaign implements coord.Store.
func (s *Store) Campaign(ctx context.Context, candidate string) (coord.Leadership, error) {
	if err := coord.CheckCandidate(candidate); err != nil {
		return nil, err
	}
	l, err := s.begin()
	if err != nil {
		return nil, fmt.Errorf("campaign as %s: %w", candidate, err)
	}
	if err := l.campaign(ctx, candidate); err != nil {
		l.lose()
		return nil, fmt.Errorf("campaign as %s: %w", candidate, err)
	}
	return l, nil
}

// begin takes the Store's one place for a campaign.
func (s *Store) begin() (*leadership, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.closed:
		return nil, fmt.Errorf("%w: store is closed", coord.ErrUnavailable)
	case s.mu.current != nil && !s.mu.current.isDone():
		return nil, coord.ErrBusy
	}
	s.mu.current = &leadership{store: s, done: make(chan struct{})}
	return s.mu.current, nil
}

// campaign makes a session and runs for election in it. When it fails, nothing of the session is left, or its lease is
// running out.
func (l *leadership) campaign(ctx context.Context, candidate string) error {
	session, err := l.store.newSession(ctx)
	if err != nil {
		return unavailable(err)
	}
	election, err := l.store.elect(ctx, session, candidate)
	if err == nil {
		err = l.confirm(ctx, session, election)
	}
	if err != nil {
		return errors.Join(unavailable(err), l.store.drop(session))
	}
	context.AfterFunc(session.Ctx(), l.lose)
	return nil
}

// newSession makes a session that lives as long as the Store; ctx bounds only the making.
func (s *Store) newSession(ctx context.Context) (*concurrency.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.RequestTimeout)
	defer cancel()
	lease, err := s.client.Grant(ctx, int64(s.options.SessionTTL.Seconds()))
	if err != nil {
		return nil, fmt.Errorf("get lease: %w", err)
	}
	session, err := concurrency.NewSession(s.client, concurrency.WithLease(lease.ID), concurrency.WithContext(s.life), concurrency.WithTTL(int(s.options.SessionTTL.Seconds())))
	if err != nil {
		return nil, fmt.Errorf("keep lease: %w", err)
	}
	return session, nil
}

// elect waits until the session's key is the oldest one of the election, ctx ends, or the session is lost. The election
// runs in a goroutine: when its context ends it resigns without a deadline, which may take as long as the server is
// away, and nobody waits for that but Close.
func (s *Store) elect(ctx context.Context, session *concurrency.Session, candidate string) (*concurrency.Election, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(session.Ctx(), func() { cancel(errSessionLost) })
	defer stop()
	election := concurrency.NewElection(session, s.elections)
	result := make(chan error, 1)
	if !s.work(func() { result <- election.Campaign(ctx, candidate) }) {
		return nil, errors.New("store is closed")
	}
	select {
	case err := <-result:
		return election, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

var errSessionLost = errors.New("session was lost")

// work runs f in a goroutine that Close waits for; it reports false, and does not run f, once the Store is closed.
func (s *Store) work(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return false
	}
	s.workers.Go(f)
	return true
}

// confirm reads again what the election says, in one transaction: our key stands under the create revision that we know,
// and no older key stands beside it.
func (l *leadership) confirm(ctx context.Context, session *concurrency.Session, election *concurrency.Election) error {
	ctx, cancel := context.WithTimeout(ctx, l.store.options.RequestTimeout)
	defer cancel()
	response, err := l.store.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(election.Key()), "=", election.Rev())).
		Then(clientv3.OpGet(l.store.elections+"/", clientv3.WithFirstCreate()...)).
		Commit()
	switch {
	case err != nil:
		return fmt.Errorf("confirm election: %w", err)
	case !response.Succeeded:
		return fmt.Errorf("confirm election: %w while campaigning", errSessionLost)
	}
	first := response.Responses[0].GetResponseRange().GetKvs()[0]
	if string(first.Key) != election.Key() {
		return fmt.Errorf("confirm election: %s, an older candidate, stands", first.Value)
	}
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	l.session, l.key, l.term = session, election.Key(), types.Term(election.Rev()) //nolint:gosec // revisions are positive.
	return nil
}

// drop ends a session that leads nothing. Its key goes with the lease at once, or when the lease runs out.
func (s *Store) drop(session *concurrency.Session) error {
	session.Orphan()
	ctx, cancel := context.WithTimeout(s.life, s.options.RequestTimeout)
	defer cancel()
	if _, err := s.client.Revoke(ctx, session.Lease()); err != nil && !isGone(err) {
		return fmt.Errorf("revoke lease: %w", err)
	}
	return nil
}

// Term implements coord.Leadership.
func (l *leadership) Term() types.Term { return l.term }

// Done implements coord.Leadership.
func (l *leadership) Done() <-chan struct{} { return l.done }

// Resign implements coord.Leadership.
func (l *leadership) Resign(ctx context.Context) error {
	l.lose()
	l.store.mu.Lock()
	session := l.session
	l.store.mu.Unlock()
	if session == nil { // Close found a campaign under way
		return nil
	}
	session.Orphan()
	ctx, cancel := context.WithTimeout(ctx, l.store.options.RequestTimeout)
	defer cancel()
	if _, err := l.store.client.Revoke(ctx, session.Lease()); err != nil && !isGone(err) {
		return fmt.Errorf("resign term %d: %w", l.term, unavailable(err))
	}
	return nil
}

// stands is the fence: it holds as long as the election key does that made the term.
func (l *leadership) stands() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(l.key), "=", int64(l.term)) //nolint:gosec // it was one.
}

func (l *leadership) lose() { l.once.Do(func() { close(l.done) }) }

func (l *leadership) isDone() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}
