package blobstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"millrace/failure"
)

// Store keeps immutable objects under keys. The package comment states the consistency it must have. Implementations are
// safe for concurrent use, by many processes where the medium is shared. Every method checks its arguments, keeps no
// reference to them after it returned, and returns soon after ctx ends; an error of Create or Delete then leaves the
// outcome open.
type Store interface {
	// Create makes the object key with the bytes of body, unless key exists: then it is ErrExists and nothing changes.
	// When it returns nil the object is durable and visible to every process. It may read body more than once.
	Create(ctx context.Context, key string, body Body) error
	// Read returns the whole object in memory of the caller's own; ErrNotFound if there is none, ErrTooLarge beyond
	// ReadBytesMax, before the memory is taken.
	Read(ctx context.Context, key string) ([]byte, error)
	// ReadRange returns the n bytes from offset off on, fewer where the object ends before; none if off is at or beyond
	// the end. n is at most ReadBytesMax.
	ReadRange(ctx context.Context, key string, off, n int64) ([]byte, error)
	// List returns one page of the objects that the query names, ordered by key bytes. A page shorter than the limit is
	// the last.
	List(ctx context.Context, query Query) ([]Info, error)
	// Delete removes the object; a missing one is no error, since a delete whose answer was lost is repeated.
	Delete(ctx context.Context, key string) error
}

// Body is what Create writes: bytes of known number that can be read again from any place, concurrently.
// *bytes.Reader, *strings.Reader and *io.SectionReader are bodies. It must not change before Create returned.
type Body interface {
	io.ReaderAt
	Size() int64
}

// Bytes returns data as a body; the caller does not change data until Create returned.
func Bytes(data []byte) Body { return bytes.NewReader(data) }

// Query names a page of objects.
type Query struct {
	// Prefix is what the keys begin with; "" means all. It need not end at a slash.
	Prefix string
	// After is the last key of the page before; "" begins at the beginning.
	After string
	// Limit is the most entries to return; 0 means PageMax, which is also the most.
	Limit int
}

// Info describes an object.
type Info struct {
	Key  string
	Size int64
	// Modified is the store's idea of when the object was created. It is good enough for "older than a day" and for
	// nothing finer.
	Modified time.Time
}

// The errors that callers decide on; compare with errors.Is. Each has its failure class.
var (
	// ErrExists: the key of a Create is taken.
	ErrExists = failure.With(errors.New("object exists"), failure.Class{Domain: failure.DomainExternal, Retry: failure.Never})
	// ErrNotFound: there is no object of that key.
	ErrNotFound = failure.With(errors.New("object not found"), failure.Class{Domain: failure.DomainExternal, Retry: failure.Never})
	// ErrUnavailable: the store does not answer, or answers that it cannot now. The same call may succeed later. After
	// Create and Delete the outcome is open.
	ErrUnavailable = failure.External(errors.New("blob store unavailable"), failure.Backoff)
	// ErrBadKey: the key or prefix is not one that CheckKey or CheckPrefix passes, or it runs through an object as if
	// that were a folder. Nothing happened.
	ErrBadKey = failure.Internal(errors.New("bad object key"))
	// ErrTooLarge: the body, object or range is beyond a limit of limits.go. Nothing happened.
	ErrTooLarge = failure.With(errors.New("object too large"), failure.Class{Domain: failure.DomainUser, Retry: failure.Never})
	// ErrUnconditional: Probe found that the store does not refuse the second create of a key.
	ErrUnconditional = failure.User(errors.New("blob store ignores conditional creates"))
)

// Walk returns the objects under prefix in the order of their keys, page by page. It ends after the first error, which
// it yields with an empty Info.
func Walk(ctx context.Context, s Store, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		query := Query{Prefix: prefix, Limit: PageMax}
		for {
			page, err := s.List(ctx, query)
			if err != nil {
				yield(Info{}, err)
				return
			}
			for _, info := range page {
				if !yield(info, nil) {
					return
				}
			}
			if len(page) < query.Limit {
				return
			}
			query.After = page[len(page)-1].Key
		}
	}
}
