// Package memory keeps catalogs in memory: for sessions that end with their process, for tests, and as the model of stores
// that last.
//
// What it knows that nobody else does: how changes of many kinds make a new state of an old one. States are never changed; an
// Apply copies the maps on the way to what it touches and shares the rest, so that a Snapshot is a pointer.
package memory

import (
	"context"
	"sync"

	"millrace/catalog"
)

// Store implements catalog.Store.
type Store struct {
	mu struct {
		sync.Mutex
		now *state
	}
}

// New returns a store with DefaultCatalog and, in it, DefaultDatabase.
func New() *Store {
	s := &Store{}
	s.mu.now = &state{catalogs: map[string]*space{
		catalog.DefaultCatalog: newCatalog(catalog.Space{}),
	}}
	return s
}

// Snapshot implements catalog.Store.
func (s *Store) Snapshot(context.Context) (catalog.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.now, nil
}

// Apply implements catalog.Store. It does not wait for anything, so the context is not asked.
func (s *Store) Apply(_ context.Context, changes ...catalog.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := *s.mu.now
	for _, c := range changes {
		if err := next.apply(c); err != nil {
			return err
		}
	}
	s.mu.now = &next
	return nil
}
