package cluster

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"millrace/blobstore"
	"millrace/blobstore/localfs"
	"millrace/blobstore/s3"
	"millrace/internal/clock"
	"millrace/taskmanager/cache"
)

// Storage is the blob store of a process, with retries around it.
type Storage struct {
	blobstore.Store
	// Place is how people name it: a folder or a URI.
	Place string
	// Probe finds out whether the store may be trusted, as blobstore.Probe does.
	Probe func(context.Context) error
	close io.Closer
}

// OpenStorage opens the store at a place: a folder, which a file: URI may name, or
// a bucket, s3://bucket/prefix?endpoint=...; blobstore/s3 has its parameters.
// wrap, if it is not nil, puts something around the store, beneath the retries. It
// reaches out to nobody; Close closes the store.
func OpenStorage(ctx context.Context, place string, c clock.Clock, wrap func(blobstore.Store) blobstore.Store) (*Storage, error) {
	s := &Storage{Place: place}
	if strings.HasPrefix(place, "s3:") {
		bucket, err := s3.Open(ctx, place, s3.Options{Clock: c})
		if err != nil {
			return nil, err
		}
		s.Store, s.Probe, s.close = bucket, bucket.Probe, bucket
	} else {
		dir, err := filepath.Abs(strings.TrimPrefix(strings.TrimPrefix(place, "file:"), "//"))
		if err != nil {
			return nil, fmt.Errorf("checkpoint folder: %w", err)
		}
		folder, err := localfs.Open(dir, localfs.Options{})
		if err != nil {
			return nil, fmt.Errorf("checkpoint folder: %w", err)
		}
		s.Store, s.close, s.Place = folder, folder, dir
		s.Probe = func(ctx context.Context) error { return blobstore.Probe(ctx, folder) }
	}
	if wrap != nil {
		s.Store = wrap(s.Store)
	}
	var err error
	s.Store, err = blobstore.WithRetry(s.Store, blobstore.RetryOptions{Clock: c})
	return s, err
}

// OpenCache opens the state files in a task manager's folder, of so many bytes at
// most; nil for 0, and where the folder can't be used: a task manager works without.
func OpenCache(dir string, bytesMax int64, c clock.Clock, log *slog.Logger) *cache.Cache {
	if bytesMax == 0 {
		return nil
	}
	local, err := cache.Open(cache.Options{Dir: filepath.Join(dir, "chunks"), BytesMax: bytesMax, Clock: c})
	if err != nil {
		log.Warn("no state is kept on local disk", "cause", err)
		return nil
	}
	return local
}

// Close closes the store.
func (s *Storage) Close() error { return s.close.Close() }
