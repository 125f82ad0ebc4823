// Package etcd is the coordination store on etcd, and the only room that knows etcd's client.
//
// The term of a leader is the create revision of its election key. Every Txn compares it in the same transaction, so a
// leader whose lease is gone can write nothing, whatever it believes. In the Else branch the transaction reads the
// election key, so that one round trip also tells a fenced leader from a comparison that did not hold.
//
// An election of etcd's client has a trap: its Campaign goes on when the session under it has died, and may then return
// success without a key, or wait for ever. So a campaign here runs under a context that the session's end cancels, and
// after it the key is read again, in a transaction, before anybody is told that he leads. A Store has one session at a
// time, made by Campaign and ended with the leadership.
//
// What the client's errors mean for a write: those that the server decides before it proposes a transaction (too large,
// no space, no permission) are definite; all others, deadlines and lost connections above all, are ErrOutcomeUnknown.
//
// Goroutines: one for each Watch and one for each campaign under way, beside the client's own; Close ends and awaits
// them. Package embedded runs a server in the process.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"millrace/failure"
	"millrace/jobmanager/coord"
	"millrace/types"
)

// Store is a coord.Store on etcd. Use Open.
type Store struct {
	client  *clientv3.Client
	options Options
	// keys is put before every key of the contract, elections before the election's: neither reaches the other.
	keys, elections string
	// life ends with Close. It bounds sessions, campaigns and watches; it is the process boundary at which a context is kept.
	life    context.Context
	end     context.CancelFunc
	workers sync.WaitGroup

	mu struct {
		sync.Mutex
		closed bool
		// current is the campaign under way or the last leadership; nil before the first.
		current *leadership
	}
}

var _ coord.Store = (*Store)(nil)

// Open returns a store on the servers of the options. It makes no call: a server that is away shows in the first one.
// The caller closes the store.
func Open(options Options) (*Store, error) {
	options.EnsureDefaults()
	if err := options.Validate(); err != nil {
		return nil, fmt.Errorf("coordination store options: %w", err)
	}
	prefix, err := coord.ClusterPrefix(options.Cluster)
	if err != nil {
		return nil, err
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            options.Endpoints,
		DialTimeout:          options.DialTimeout,
		DialKeepAliveTime:    keepAliveTime,
		DialKeepAliveTimeout: keepAliveTimeout,
		TLS:                  options.TLS,
		Username:             options.Username,
		Password:             options.Password,
		MaxCallSendMsgSize:   requestBytesMax,
		Logger:               zap.NewNop(),
	})
	if err != nil {
		return nil, failure.External(fmt.Errorf("open coordination store: %w", err), failure.Backoff)
	}
	life, end := context.WithCancel(context.Background())
	return &Store{client: client, options: options, keys: prefix + "data/", elections: prefix + "election", life: life, end: end}, nil
}

// Get implements coord.Store.
func (s *Store) Get(ctx context.Context, key string) (coord.Entry, error) {
	if err := coord.CheckKey(key); err != nil {
		return coord.Entry{}, fmt.Errorf("get %s: %w", key, err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.RequestTimeout)
	defer cancel()
	response, err := s.client.Get(ctx, s.keys+key)
	if err != nil {
		return coord.Entry{}, fmt.Errorf("get %s: %w", key, unavailable(err))
	}
	if len(response.Kvs) == 0 {
		return coord.Entry{}, fmt.Errorf("get %s: %w", key, coord.ErrNotFound)
	}
	kv := response.Kvs[0]
	return coord.Entry{Key: key, Value: kv.Value, Version: kv.ModRevision}, nil
}

// List implements coord.Store. Pages after the first read at the revision of the first, so that the whole is one moment.
func (s *Store) List(ctx context.Context, prefix string) ([]coord.Entry, error) {
	if err := coord.CheckPrefix(prefix); err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.RequestTimeout)
	defer cancel()
	var list []coord.Entry
	end := clientv3.GetPrefixRangeEnd(s.keys + prefix)
	for from, revision := s.keys+prefix, int64(0); ; {
		response, err := s.client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(listPage), clientv3.WithRev(revision))
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, unavailable(err))
		}
		for _, kv := range response.Kvs {
			list = append(list, coord.Entry{Key: string(kv.Key[len(s.keys):]), Value: kv.Value, Version: kv.ModRevision})
			from = string(kv.Key) + "\x00"
		}
		if len(list) > coord.ListMax {
			return nil, fmt.Errorf("list %s: %w: more than %d entries", prefix, coord.ErrTooLarge, coord.ListMax)
		}
		if !response.More {
			return list, nil
		}
		revision = response.Header.Revision
	}
}

// Txn implements coord.Store.
func (s *Store) Txn(ctx context.Context, fence types.Term, compares []coord.Compare, ops []coord.Op) error {
	if err := coord.CheckTxn(compares, ops); err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	l := s.leading(fence)
	if l == nil {
		return fmt.Errorf("transaction in term %d, not sent: %w", fence, coord.ErrFenced)
	}
	err := s.txn(ctx, l, compares, ops)
	if errors.Is(err, coord.ErrFenced) {
		l.lose()
	}
	if err != nil {
		return fmt.Errorf("transaction in term %d: %w", fence, err)
	}
	return nil
}

// leading returns the leadership of the term, nil if the Store holds it no longer or never did.
func (s *Store) leading(fence types.Term) *leadership {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.mu.current
	if l == nil || fence == 0 || l.term != fence || l.isDone() {
		return nil
	}
	return l
}

func (s *Store) txn(ctx context.Context, l *leadership, compares []coord.Compare, ops []coord.Op) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", coord.ErrUnavailable, err) // before anything was sent
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.RequestTimeout)
	defer cancel()
	response, err := s.client.Txn(ctx).
		If(append(s.conditions(compares), l.stands())...).
		Then(s.changes(ops)...).
		Else(clientv3.OpGet(l.key, clientv3.WithKeysOnly())).
		Commit()
	switch {
	case err != nil:
		return outcome(err)
	case response.Succeeded:
		return nil
	}
	for _, kv := range response.Responses[0].GetResponseRange().GetKvs() {
		if types.Term(kv.CreateRevision) == l.term { //nolint:gosec // revisions are positive.
			return coord.ErrConflict
		}
	}
	return coord.ErrFenced
}

func (s *Store) conditions(compares []coord.Compare) []clientv3.Cmp {
	out := make([]clientv3.Cmp, 0, len(compares)+1)
	for _, c := range compares {
		key := s.keys + c.Key
		switch c.Kind {
		case coord.CompareAbsent:
			out = append(out, clientv3.Compare(clientv3.CreateRevision(key), "=", 0))
		case coord.CompareVersion:
			out = append(out, clientv3.Compare(clientv3.ModRevision(key), "=", versionOrNever(c.Version)))
		case coord.CompareValue: // fails on a key that does not exist
			out = append(out, clientv3.Compare(clientv3.Value(key), "=", string(c.Value)))
		}
	}
	return out
}

// versionOrNever keeps VersionIs(key, 0) from holding for a key that does not exist, which etcd gives revision 0.
func versionOrNever(version int64) int64 {
	if version <= 0 {
		return -1
	}
	return version
}

func (s *Store) changes(ops []coord.Op) []clientv3.Op {
	out := make([]clientv3.Op, 0, len(ops))
	for _, op := range ops {
		if op.Kind == coord.OpPut {
			out = append(out, clientv3.OpPut(s.keys+op.Key, string(op.Value)))
		} else {
			out = append(out, clientv3.OpDelete(s.keys+op.Key))
		}
	}
	return out
}

// Leader implements coord.Store.
func (s *Store) Leader(ctx context.Context) (coord.Leader, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.RequestTimeout)
	defer cancel()
	response, err := s.client.Get(ctx, s.elections+"/", clientv3.WithFirstCreate()...)
	if err != nil {
		return coord.Leader{}, fmt.Errorf("get leader: %w", unavailable(err))
	}
	if len(response.Kvs) == 0 {
		return coord.Leader{}, fmt.Errorf("get leader: %w", coord.ErrNotFound)
	}
	kv := response.Kvs[0]
	return coord.Leader{Term: types.Term(kv.CreateRevision), Candidate: string(kv.Value)}, nil //nolint:gosec // revisions are positive.
}

// Close implements coord.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	l, again := s.mu.current, s.mu.closed
	s.mu.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	var err error
	if l != nil && !l.isDone() {
		ctx, cancel := context.WithTimeout(context.Background(), s.options.RequestTimeout)
		err = l.Resign(ctx)
		cancel()
	}
	s.end()
	err = errors.Join(err, s.client.Close()) // also ends a campaign that is stuck in its own clean-up
	s.workers.Wait()
	return err
}

// definite are the answers with which the server refuses a request before it does anything.
var definite = []struct{ refused, means error }{
	{rpctypes.ErrRequestTooLarge, coord.ErrTooLarge},
	{rpctypes.ErrTooManyOps, coord.ErrTooLarge},
	{rpctypes.ErrNoSpace, coord.ErrUnavailable},
	{rpctypes.ErrTooManyRequests, coord.ErrUnavailable},
	{rpctypes.ErrDuplicateKey, coord.ErrInvalid},
	{rpctypes.ErrEmptyKey, coord.ErrInvalid},
}

// refusals are definite too, and no retry mends them.
var refusals = []error{
	rpctypes.ErrPermissionDenied, rpctypes.ErrAuthFailed, rpctypes.ErrAuthNotEnabled, rpctypes.ErrUserEmpty, rpctypes.ErrInvalidAuthMgmt,
}

// outcome classifies the error of a write.
func outcome(err error) error {
	if known := refused(err); known != nil {
		return known
	}
	return fmt.Errorf("%w: %w", coord.ErrOutcomeUnknown, err)
}

// unavailable classifies the error of a read, or of anything else that may be repeated.
func unavailable(err error) error {
	if known := refused(err); known != nil {
		return known
	}
	return fmt.Errorf("%w: %w", coord.ErrUnavailable, err)
}

func refused(err error) error {
	for _, d := range definite {
		if errors.Is(err, d.refused) {
			return fmt.Errorf("%w: %w", d.means, err)
		}
	}
	for _, r := range refusals {
		if errors.Is(err, r) {
			return failure.User(err)
		}
	}
	return nil
}
