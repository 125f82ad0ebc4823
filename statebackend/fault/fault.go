// Package fault wraps a state backend and makes it fail by plan, the same way every time (see internal/faultplan for the
// language). What it can do to each operation:
//
//	open    err=unavailable  no store, an external error that a retry mends
//	        err=corrupt      no store, an error that wraps statebackend.ErrCorrupt
//	freeze  err=fatal        no snapshot, an internal error; what changed stays marked
//	write   err=unavailable  nothing is written
//	        torn             half of the file is written, then an external error
//	merge   err=unavailable  nothing is written
//	        torn             half of the file is written, then an external error
//
// The key of an open, a freeze and a write is the task ("vertex/subtask"), that of a merge the name of the chain's last
// file. Everything else passes through. The package starts no goroutine.
package fault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"millrace/failure"
	"millrace/internal/faultplan"
	"millrace/statebackend"
	"millrace/types"
)

// ErrInjected is inside every injected error.
var ErrInjected = errors.New("injected fault")

// Vocabulary lists what a plan may order.
var Vocabulary = faultplan.Vocabulary{
	"open":   {"err=unavailable", "err=corrupt"},
	"freeze": {"err=fatal"},
	"write":  {"err=unavailable", "torn"},
	"merge":  {"err=unavailable", "torn"},
}

// Backend is a statebackend.Backend that fails by plan. It is safe for concurrent use.
type Backend struct {
	backend statebackend.Backend
	counter *faultplan.Counter
}

var _ statebackend.Backend = (*Backend)(nil)

// Wrap parses the plan and returns b with its faults.
func Wrap(b statebackend.Backend, plan string) (*Backend, error) {
	rules, err := faultplan.Parse(plan, Vocabulary)
	if err != nil {
		return nil, fmt.Errorf("state fault plan: %w", err)
	}
	return &Backend{backend: b, counter: faultplan.NewCounter(rules, Vocabulary)}, nil
}

// Fired returns how many calls met each rule of the plan.
func (b *Backend) Fired() []int { return b.counter.Fired() }

// FiredTotal returns how many calls met a rule.
func (b *Backend) FiredTotal() int { return b.counter.FiredTotal() }

// fault counts a call and returns the error that meets it; torn says that half of the work is to be done first.
func (b *Backend) fault(op, key string) (torn bool, err error) {
	switch action := b.counter.Action(op, key); action {
	case "":
		return false, nil
	case "err=corrupt":
		return false, fmt.Errorf("%s of %s: %w: %w", op, key, statebackend.ErrCorrupt, ErrInjected)
	case "err=fatal":
		return false, failure.Internalf("%s of %s: %w", op, key, ErrInjected)
	default:
		return action == "torn", failure.Externalf(failure.Backoff, "%s of %s, %s: %w", op, key, action, ErrInjected)
	}
}

// Open implements statebackend.Backend.
func (b *Backend) Open(ctx context.Context, spec statebackend.OpenSpec) (statebackend.Store, error) {
	if _, err := b.fault("open", spec.Task.String()); err != nil {
		return nil, err
	}
	s, err := b.backend.Open(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &store{Store: s, backend: b, key: spec.Task.String()}, nil
}

// Merge implements statebackend.Backend.
func (b *Backend) Merge(ctx context.Context, chain []statebackend.File, groups types.KeyGroupRange, w io.Writer) (statebackend.FileInfo, error) {
	key := ""
	if len(chain) > 0 {
		key = chain[len(chain)-1].Name()
	}
	return b.write("merge", key, w, func(w io.Writer) (statebackend.FileInfo, error) {
		return b.backend.Merge(ctx, chain, groups, w)
	})
}

// write carries out what makes a file, or half of it, or nothing.
func (b *Backend) write(op, key string, w io.Writer, do func(io.Writer) (statebackend.FileInfo, error)) (statebackend.FileInfo, error) {
	torn, injected := b.fault(op, key)
	if injected == nil {
		return do(w)
	}
	if torn {
		var whole bytes.Buffer
		if _, err := do(&whole); err != nil {
			return statebackend.FileInfo{}, err
		}
		if _, err := w.Write(whole.Bytes()[:whole.Len()/2]); err != nil {
			return statebackend.FileInfo{}, err
		}
	}
	return statebackend.FileInfo{}, injected
}

// store passes everything on but Freeze and Unfreeze.
type store struct {
	statebackend.Store
	backend *Backend
	key     string
}

// Freeze implements statebackend.Store.
func (s *store) Freeze(full bool) (statebackend.Snapshot, error) {
	if _, err := s.backend.fault("freeze", s.key); err != nil {
		return nil, err
	}
	x, err := s.Store.Freeze(full)
	if err != nil {
		return nil, err
	}
	return &snapshot{Snapshot: x, store: s}, nil
}

// Unfreeze implements statebackend.Store.
func (s *store) Unfreeze(x statebackend.Snapshot) error {
	if mine, ok := x.(*snapshot); ok {
		x = mine.Snapshot
	}
	return s.Store.Unfreeze(x)
}

// snapshot passes everything on but Write.
type snapshot struct {
	statebackend.Snapshot
	store *store
}

// Write implements statebackend.Snapshot.
func (p *snapshot) Write(w io.Writer) (statebackend.FileInfo, error) {
	return p.store.backend.write("write", p.store.key, w, p.Snapshot.Write)
}
