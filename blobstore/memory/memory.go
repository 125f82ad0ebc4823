// Package memory is a blob store in the memory of one process, for tests and the simulator. It keeps to the contract
// strictly: creates are atomic, and nothing is durable beyond the process except through CrashClone.
//
// It starts no goroutine and reads the time only from the clock that it is given.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"millrace/blobstore"
	"millrace/internal/clock"
)

// Store is a blobstore.Store. Use New.
type Store struct {
	clock clock.Clock
	mu    struct {
		sync.Mutex
		objects map[string]object
	}
}

// object is never changed after it stands in the map.
type object struct {
	data []byte
	info blobstore.Info
}

var _ blobstore.Store = (*Store)(nil)

// New returns an empty store that stamps objects by the clock.
func New(c clock.Clock) *Store {
	s := &Store{clock: c}
	s.mu.objects = make(map[string]object)
	return s
}

// CrashClone returns a store with what a crash at this moment would leave: the objects whose creation took effect, and
// nothing of those under way. The two share no state afterwards.
func (s *Store) CrashClone() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	clone := New(s.clock)
	clone.mu.objects = maps.Clone(s.mu.objects)
	return clone
}

// Create implements blobstore.Store.
func (s *Store) Create(ctx context.Context, key string, body blobstore.Body) error {
	if err := check(ctx, "create", key); err != nil {
		return err
	}
	if err := blobstore.CheckBody(body); err != nil {
		return fmt.Errorf("create %s: %w", key, err)
	}
	data := make([]byte, body.Size())
	if _, err := io.ReadFull(io.NewSectionReader(body, 0, body.Size()), data); err != nil {
		return fmt.Errorf("create %s: read body: %w", key, err)
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.mu.objects[key]; taken {
		return fmt.Errorf("create %s: %w", key, blobstore.ErrExists)
	}
	s.mu.objects[key] = object{data: data, info: blobstore.Info{Key: key, Size: int64(len(data)), Modified: now}}
	return nil
}

// Read implements blobstore.Store.
func (s *Store) Read(ctx context.Context, key string) ([]byte, error) {
	data, err := s.get(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := blobstore.CheckRange(0, int64(len(data))); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return append([]byte{}, data...), nil
}

// ReadRange implements blobstore.Store.
func (s *Store) ReadRange(ctx context.Context, key string, off, n int64) ([]byte, error) {
	if err := blobstore.CheckRange(off, n); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	data, err := s.get(ctx, key)
	if err != nil {
		return nil, err
	}
	data = data[min(off, int64(len(data))):]
	return append([]byte{}, data[:min(n, int64(len(data)))]...), nil
}

func (s *Store) get(ctx context.Context, key string) ([]byte, error) {
	if err := check(ctx, "read", key); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.mu.objects[key]
	if !ok {
		return nil, fmt.Errorf("read %s: %w", key, blobstore.ErrNotFound)
	}
	return o.data, nil
}

// List implements blobstore.Store.
func (s *Store) List(ctx context.Context, query blobstore.Query) ([]blobstore.Info, error) {
	query, err := query.Checked()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", query.Prefix, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var page []blobstore.Info
	for key, o := range s.mu.objects {
		if strings.HasPrefix(key, query.Prefix) && key > query.After {
			page = append(page, o.info)
		}
	}
	slices.SortFunc(page, func(a, b blobstore.Info) int { return strings.Compare(a.Key, b.Key) })
	return page[:min(len(page), query.Limit)], nil
}

// Delete implements blobstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, "delete", key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.objects, key)
	return nil
}

// Corrupt flips one bit of the stored object, as a bad disk does; it reports false if there is none or it is empty.
func (s *Store) Corrupt(key string, bit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.mu.objects[key]
	if !ok || len(o.data) == 0 {
		return false
	}
	o.data = bytes.Clone(o.data)
	o.data[bit/8%len(o.data)] ^= 1 << (bit % 8)
	s.mu.objects[key] = o
	return true
}

func check(ctx context.Context, op, key string) error {
	err := blobstore.CheckKey(key)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	return nil
}
