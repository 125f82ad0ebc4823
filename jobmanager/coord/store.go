package coord

import (
	"context"
	"errors"

	"millrace/failure"
	"millrace/types"
)

// Store is one process's access to the coordination store of one cluster. The package comment states what must hold.
// Implementations are safe for concurrent use and bound every call even if ctx has no deadline, Campaign and Watch
// excepted.
type Store interface {
	// Get returns the entry of key as it is now; ErrNotFound if there is none.
	Get(ctx context.Context, key string) (Entry, error)
	// List returns the entries whose keys begin with prefix, as they are at one moment, ordered by key. More than ListMax
	// are ErrTooLarge.
	List(ctx context.Context, prefix string) ([]Entry, error)
	// Txn applies all operations, in one step, if the leadership of the term stands and every comparison holds;
	// otherwise it is ErrFenced or ErrConflict and changes nothing. ErrFenced goes first where both are true. It is
	// ErrOutcomeUnknown if the answer was lost. The term is one that Campaign of this same Store returned; any other is
	// ErrFenced.
	Txn(ctx context.Context, fence types.Term, compares []Compare, ops []Op) error
	// Campaign waits until candidate leads, and returns its leadership, which outlives ctx. The name is what Leader
	// shows to everybody, an address usually; at most NameBytesMax bytes, not empty. When the session with the store is
	// lost while waiting, it returns ErrUnavailable and the caller campaigns again. A Store has one leadership or
	// campaign at a time; another is ErrBusy.
	Campaign(ctx context.Context, candidate string) (Leadership, error)
	// Leader returns who leads now; ErrNotFound if nobody does.
	Leader(ctx context.Context) (Leader, error)
	// Watch returns a channel that is sent to once the watch stands, and after every later change under prefix; sends that
	// nobody took yet are one. It is also sent to when nothing changed. It is closed when ctx ends or the store closes.
	Watch(ctx context.Context, prefix string) <-chan struct{}
	// Close gives up the leadership, if any, ends the watches and waits for all goroutines of the Store. Other calls
	// must have returned, or return errors.
	Close() error
}

// Leadership is one won campaign. It is safe for concurrent use.
type Leadership interface {
	// Term returns the number of this leadership.
	Term() types.Term
	// Done is closed when the leadership is over or can no longer be trusted: the session with the store is lost, a Txn
	// was fenced, or Resign was called. The holder stops acting as a leader at once.
	Done() <-chan struct{}
	// Resign gives the leadership up, so that the next candidate need not wait for its lease to run out. Done is closed
	// when it returns, also with an error: then the lease runs out by itself. It may be called more than once.
	Resign(ctx context.Context) error
}

// Leader names who leads.
type Leader struct {
	Term types.Term
	// Candidate is what the leader gave to Campaign.
	Candidate string
}

// Entry is a key with its value.
type Entry struct {
	Key   string
	Value []byte
	// Version changes with every write of the key and is never used for it again. It is greater than 0.
	Version int64
}

// The errors that callers decide on; compare with errors.Is. Each has its failure class.
var (
	// ErrFenced: the leadership of the transaction's term is over. Nothing changed. The caller steps down.
	ErrFenced = failure.With(errors.New("term is over"), failure.Class{Domain: failure.DomainInternal, Retry: failure.Never})
	// ErrConflict: a comparison did not hold. Nothing changed. The caller reads again.
	ErrConflict = failure.Internal(errors.New("comparison did not hold"))
	// ErrNotFound: there is no such entry.
	ErrNotFound = failure.Internal(errors.New("entry not found"))
	// ErrUnavailable: the store does not answer. Nothing changed, and the same call may succeed later.
	ErrUnavailable = failure.External(errors.New("coordination store unavailable"), failure.Backoff)
	// ErrOutcomeUnknown: the answer to a transaction was lost; it may have happened. The caller reads again.
	ErrOutcomeUnknown = failure.External(errors.New("outcome of transaction unknown"), failure.Backoff)
	// ErrBusy: this Store has a campaign or a leadership already.
	ErrBusy = failure.Internal(errors.New("already campaigning or leading"))
	// ErrInvalid: a key, comparison, operation or name that no store takes. Nothing changed.
	ErrInvalid = failure.Internal(errors.New("invalid coordination request"))
	// ErrTooLarge: a value, transaction or list beyond a limit of limits.go. Nothing changed.
	ErrTooLarge = failure.Internal(errors.New("too large for the coordination store"))
)
