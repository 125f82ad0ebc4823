// Package inspect reads checkpoints and savepoints where they are, without a
// cluster: what is in them, and the rows of their tables, merged exactly as a
// restore merges them. It changes nothing, not even in a folder that it reads.
//
// It starts no goroutine.
package inspect

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"millrace/blobstore"
	"millrace/checkpoint"
	"millrace/checkpoint/codec"
	"millrace/cmd/cluster"
	"millrace/failure"
	"millrace/internal/clock"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/taskmanager/upload"
)

// Source is a checkpoint or savepoint that is being read. Close it.
type Source struct {
	Manifest *checkpointv1.Manifest
	// Location is its manifest's; Savepoint tells what it is.
	Location  string
	Savepoint bool

	store blobstore.Store
	close io.Closer
}

// Open reads the manifest that a location names: a savepoint's folder, or a manifest. place is where a location is that
// names none. What is wrong with either is the user's.
func Open(ctx context.Context, location, place string) (*Source, error) {
	own, key, err := blobstore.SplitLocation(location)
	if err != nil {
		return nil, failure.User(err)
	}
	if own != "" || place == "" {
		place = own
	}
	s := &Source{Location: blobstore.Location(place, key)}
	_, err = blobstore.ParseSavepointManifest(key)
	s.Savepoint = err == nil
	if strings.HasPrefix(place, "s3:") {
		bucket, err := cluster.OpenStorage(ctx, place, clock.System(), nil)
		if err != nil {
			return nil, err
		}
		s.store, s.close = bucket, bucket
	} else if err := s.openFolder(place); err != nil {
		return nil, err
	}
	if err := s.read(ctx, key); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends the reading.
func (s *Source) Close() error { return s.close.Close() }

func (s *Source) openFolder(place string) error {
	dir := strings.TrimPrefix(strings.TrimPrefix(place, "file:"), "//")
	if dir == "" {
		dir = "."
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return failure.User(fmt.Errorf("open the folder of checkpoints: %w", err))
	}
	s.store, s.close = folder{root}, root
	return nil
}

func (s *Source) read(ctx context.Context, key string) error {
	data, err := s.store.Read(ctx, key)
	if errors.Is(err, blobstore.ErrNotFound) {
		return failure.Userf("there is no savepoint or checkpoint at %s", s.Location)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", s.Location, err)
	}
	if s.Manifest, err = codec.Decode(data); err != nil {
		return failure.User(fmt.Errorf("%s: %w", s.Location, err))
	}
	return nil
}

// Verify reads every file and compares it with its digest. It returns what is wrong, file by file.
func (s *Source) Verify(ctx context.Context) error {
	var damaged []error
	for f := range checkpoint.Objects(s.Manifest) {
		if err := s.verify(ctx, f); err != nil {
			damaged = append(damaged, err)
		}
	}
	return errors.Join(damaged...)
}

func (s *Source) verify(ctx context.Context, f *checkpointv1.StateFile) error {
	in, err := upload.Files(s.store, nil, []*checkpointv1.StateFile{f})[0].Open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read from
	sum := sha256.New()
	if n, err := io.Copy(sum, in); err != nil {
		return fmt.Errorf("file %s: at byte %d: %w", f.GetObject(), n, err)
	}
	if got := sum.Sum(nil); string(got) != string(f.Sha256) {
		return failure.Externalf(failure.Never, "file %s: its bytes are not those that were written: SHA-256 %x, want %x", f.GetObject(), got, f.Sha256)
	}
	return nil
}

// folder is a blob store that is only read: blobstore/localfs makes and sweeps folders of its own.
type folder struct{ root *os.Root }

var errReadOnly = failure.Internal(errors.New("it is only read"))

// Create implements blobstore.Store.
func (folder) Create(context.Context, string, blobstore.Body) error { return errReadOnly }

// Delete implements blobstore.Store.
func (folder) Delete(context.Context, string) error { return errReadOnly }

// List implements blobstore.Store.
func (folder) List(context.Context, blobstore.Query) ([]blobstore.Info, error) {
	return nil, errReadOnly
}

// Read implements blobstore.Store.
func (f folder) Read(ctx context.Context, key string) ([]byte, error) {
	data, err := f.ReadRange(ctx, key, 0, checkpoint.ManifestBytesMax+1)
	if err == nil && len(data) > checkpoint.ManifestBytesMax {
		return nil, fmt.Errorf("%s: %w: at most %d bytes", key, blobstore.ErrTooLarge, checkpoint.ManifestBytesMax)
	}
	return data, err
}

// ReadRange implements blobstore.Store.
func (f folder) ReadRange(_ context.Context, key string, off, n int64) ([]byte, error) {
	if err := errors.Join(blobstore.CheckKey(key), blobstore.CheckRange(off, n)); err != nil {
		return nil, err
	}
	file, err := f.root.Open(filepath.FromSlash(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", blobstore.ErrNotFound, key)
	}
	if err != nil {
		return nil, failure.User(err)
	}
	defer func() { _ = file.Close() }() // only read from
	data, err := io.ReadAll(io.NewSectionReader(file, off, n))
	if err != nil {
		return nil, failure.User(fmt.Errorf("read %s: %w", key, err))
	}
	return data, nil
}
