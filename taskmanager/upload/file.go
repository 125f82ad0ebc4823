package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"millrace/blobstore"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend"
	"millrace/taskmanager/cache"
)

// Files returns a chain of a manifest as files to read: from the cache where it has
// them, and else from the store, into the cache. The cache may be nil.
func Files(store blobstore.Store, c *cache.Cache, chain []*checkpointv1.StateFile) []statebackend.File {
	files := make([]statebackend.File, len(chain))
	for i, f := range chain {
		files[i] = stored{store: store, cache: c, file: f}
	}
	return files
}

// stored is a file of a manifest.
type stored struct {
	store blobstore.Store
	cache *cache.Cache
	file  *checkpointv1.StateFile
}

// Name implements statebackend.File.
func (s stored) Name() string {
	if key := s.file.GetObject(); key != "" {
		return key
	}
	return fmt.Sprintf("a file of %d bytes in the manifest", len(s.file.GetInline()))
}

// Open implements statebackend.File.
func (s stored) Open(ctx context.Context) (io.ReadCloser, error) {
	if s.file.GetObject() == "" {
		return io.NopCloser(bytes.NewReader(s.file.GetInline())), nil
	}
	r := &reader{ctx: ctx, store: s.store, key: s.file.GetObject(), size: s.file.Bytes}
	sum, ok := sumOf(s.file)
	if !ok {
		return r, nil // a manifest of something else; the restore will say so
	}
	if f := s.cache.Open(ctx, sum, s.file.Bytes); f != nil {
		return f, nil
	}
	r.copy, r.sum = s.cache.Begin(s.file.Bytes), sum
	return r, nil
}

// sumOf returns the checksum of a file, by which the cache knows it.
func sumOf(f *checkpointv1.StateFile) (sum cache.Sum, ok bool) {
	if len(f.Sha256) != len(sum) {
		return sum, false
	}
	return cache.Sum(f.Sha256), true
}

// reader reads an object range by range. It holds the context of the one call
// that opened it, for as long as that call reads.
type reader struct {
	ctx   context.Context
	store blobstore.Store
	key   string
	size  int64
	off   int64
	chunk []byte
	copy  *cache.Writer // of what was read
	sum   cache.Sum
}

func (r *reader) Read(p []byte) (int, error) {
	if len(r.chunk) == 0 {
		if r.off >= r.size {
			return 0, io.EOF
		}
		chunk, err := r.store.ReadRange(r.ctx, r.key, r.off, min(readBytes, r.size-r.off))
		if errors.Is(err, blobstore.ErrNotFound) {
			return 0, fmt.Errorf("%w: %s is missing", statebackend.ErrCorrupt, r.key)
		}
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", r.key, err)
		}
		if len(chunk) == 0 {
			return 0, fmt.Errorf("%w: %s ends at byte %d of %d", statebackend.ErrCorrupt, r.key, r.off, r.size)
		}
		r.chunk = chunk
		r.off += int64(len(chunk))
		_, _ = r.copy.Write(chunk) // never fails
	}
	n := copy(p, r.chunk)
	r.chunk = r.chunk[n:]
	return n, nil
}

// Close keeps a copy of what was read, if it was read to its end.
func (r *reader) Close() error {
	if r.off == r.size {
		r.copy.Keep(r.sum)
	}
	r.copy.Drop()
	return nil
}
