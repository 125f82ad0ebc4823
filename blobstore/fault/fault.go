// Package fault wraps a blob store and makes it fail by plan, the same way every time (see internal/faultplan for the
// language). What it can do to each operation:
//
//	create  err=unavailable  the object is not made, ErrUnavailable
//	        err=lost-reply   the object is made, ErrUnavailable
//	        err=fatal        the object is not made, an error that no retry mends
//	        corrupt          the object is made with one bit flipped, success
//	        torn             the first half of the object is made, ErrUnavailable: a store that breaks the contract
//	        ignore           an object that exists is replaced, success: a store without conditional creates
//	read    err=unavailable, err=fatal
//	        err=not-found    ErrNotFound, though the object may be there
//	        corrupt          one bit flipped
//	        torn             the first half only
//	list    err=unavailable, err=fatal
//	        omit             the last entry of the page is missing: a list that lags behind
//	delete  err=unavailable  nothing is deleted
//	        err=lost-reply   deleted, ErrUnavailable
//	        err=fatal        nothing is deleted
//
// read is both Read and ReadRange; the key of a list is its prefix. torn, corrupt on create, omit and ignore are there to
// test those who must notice. The package starts no goroutine.
package fault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"millrace/blobstore"
	"millrace/failure"
	"millrace/internal/faultplan"
)

// ErrFatal is the error of err=fatal.
var ErrFatal = failure.External(errors.New("injected fatal fault"), failure.Restart)

// Vocabulary lists what a plan may order.
var Vocabulary = faultplan.Vocabulary{
	"create": {"err=unavailable", "err=lost-reply", "err=fatal", "corrupt", "torn", "ignore"},
	"read":   {"err=unavailable", "err=fatal", "err=not-found", "corrupt", "torn"},
	"list":   {"err=unavailable", "err=fatal", "omit"},
	"delete": {"err=unavailable", "err=lost-reply", "err=fatal"},
}

// Store is a blobstore.Store that fails by plan. It is safe for concurrent use.
type Store struct {
	store   blobstore.Store
	counter *faultplan.Counter
}

var _ blobstore.Store = (*Store)(nil)

// Wrap parses the plan and returns s with its faults.
func Wrap(s blobstore.Store, plan string) (*Store, error) {
	rules, err := faultplan.Parse(plan, Vocabulary)
	if err != nil {
		return nil, fmt.Errorf("blob store fault plan: %w", err)
	}
	return &Store{store: s, counter: faultplan.NewCounter(rules, Vocabulary)}, nil
}

// Fired returns how many calls met each rule of the plan.
func (s *Store) Fired() []int { return s.counter.Fired() }

// FiredTotal returns how many calls met a rule.
func (s *Store) FiredTotal() int { return s.counter.FiredTotal() }

// Create implements blobstore.Store.
func (s *Store) Create(ctx context.Context, key string, body blobstore.Body) error {
	switch action := s.counter.Action("create", key); action {
	case "err=lost-reply":
		if err := s.store.Create(ctx, key, body); err != nil {
			return err
		}
		return injected("create", key, action)
	case "corrupt":
		return s.createChanged(ctx, key, body, flip)
	case "torn":
		if err := s.createChanged(ctx, key, body, half); err != nil {
			return err
		}
		return injected("create", key, action)
	case "ignore":
		if err := s.store.Delete(ctx, key); err != nil {
			return err
		}
	case "":
	default:
		return injected("create", key, action)
	}
	return s.store.Create(ctx, key, body)
}

func (s *Store) createChanged(ctx context.Context, key string, body blobstore.Body, change func([]byte) []byte) error {
	data, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
	if err != nil {
		return fmt.Errorf("create %s: read body: %w", key, err)
	}
	return s.store.Create(ctx, key, blobstore.Bytes(change(data)))
}

// Read implements blobstore.Store.
func (s *Store) Read(ctx context.Context, key string) ([]byte, error) {
	return s.read(key, func() ([]byte, error) { return s.store.Read(ctx, key) })
}

// ReadRange implements blobstore.Store.
func (s *Store) ReadRange(ctx context.Context, key string, off, n int64) ([]byte, error) {
	return s.read(key, func() ([]byte, error) { return s.store.ReadRange(ctx, key, off, n) })
}

func (s *Store) read(key string, read func() ([]byte, error)) ([]byte, error) {
	action := s.counter.Action("read", key)
	switch action {
	case "", "corrupt", "torn":
	default:
		return nil, injected("read", key, action)
	}
	data, err := read()
	if err != nil {
		return nil, err
	}
	switch action {
	case "corrupt":
		return flip(data), nil
	case "torn":
		return half(data), nil
	}
	return data, nil
}

// List implements blobstore.Store.
func (s *Store) List(ctx context.Context, query blobstore.Query) ([]blobstore.Info, error) {
	action := s.counter.Action("list", query.Prefix)
	if action != "" && action != "omit" {
		return nil, injected("list", query.Prefix, action)
	}
	page, err := s.store.List(ctx, query)
	if action == "omit" && len(page) > 0 {
		page = page[:len(page)-1]
	}
	return page, err
}

// Delete implements blobstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	action := s.counter.Action("delete", key)
	if action != "" && action != "err=lost-reply" {
		return injected("delete", key, action)
	}
	if err := s.store.Delete(ctx, key); err != nil || action == "" {
		return err
	}
	return injected("delete", key, action)
}

func injected(op, key, action string) error {
	err := blobstore.ErrUnavailable
	switch action {
	case "err=fatal":
		err = ErrFatal
	case "err=not-found":
		err = blobstore.ErrNotFound
	}
	return fmt.Errorf("%s %s: injected %s: %w", op, key, action, err)
}

// flip returns data with a bit in its middle flipped; empty data has no bit and stays as it is.
func flip(data []byte) []byte {
	data = bytes.Clone(data)
	if len(data) > 0 {
		data[len(data)/2] ^= 0x10
	}
	return data
}

func half(data []byte) []byte { return data[:len(data)/2] }
