package upload_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"millrace/blobstore"
	"millrace/blobstore/memory"
	"millrace/internal/clock"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend"
	"millrace/taskmanager/cache"
	"millrace/taskmanager/upload"
)

// stored is a file in a store and a cache without it.
func stored(t *testing.T, data []byte) (store blobstore.Store, c *cache.Cache, dir string, f *checkpointv1.StateFile) {
	t.Helper()
	store, dir = memory.New(clock.System()), t.TempDir()
	if err := store.Create(t.Context(), "chunk", blobstore.Bytes(data)); err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(cache.Options{Dir: dir, BytesMax: 1 << 30, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return store, c, dir, &checkpointv1.StateFile{
		Sha256: sum[:], Bytes: int64(len(data)), At: &checkpointv1.StateFile_Object{Object: "chunk"},
	}
}

// read reads a file as a restore does, up to so many bytes.
func read(ctx context.Context, f statebackend.File, most int64) ([]byte, error) {
	r, err := f.Open(ctx)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(io.LimitReader(r, most))
	return got, errors.Join(err, r.Close())
}

// What had to be fetched is kept; what is kept needs no store, until it is damaged.
func TestFilesComeFromTheCache(t *testing.T) {
	data := bytes.Repeat([]byte("state"), 2<<20) // more than one range
	store, c, dir, f := stored(t, data)
	want := func(what string, hits, misses int64) {
		t.Helper()
		got, err := read(t.Context(), upload.Files(store, c, []*checkpointv1.StateFile{f})[0], f.Bytes+1)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
		if k := c.Counters(); k.Hits.Load() != hits || k.Misses.Load() != misses {
			t.Errorf("%s: %d hits and %d misses, want %d and %d", what, k.Hits.Load(), k.Misses.Load(), hits, misses)
		}
	}
	want("the first time", 0, 1)
	want("the second time", 1, 1)
	if err := os.Truncate(filepath.Join(dir, hex.EncodeToString(f.Sha256)), 1); err != nil {
		t.Fatal(err)
	}
	want("damaged", 1, 2)
	if err := store.Delete(t.Context(), "chunk"); err != nil {
		t.Fatal(err)
	}
	want("without the store", 2, 2)
}

// Half a file is not kept, nor is one that is not what the manifest says.
func TestOnlyWholeFilesAreKept(t *testing.T) {
	data := bytes.Repeat([]byte("state"), 2<<20)
	store, c, _, f := stored(t, data)
	files := upload.Files(store, c, []*checkpointv1.StateFile{f})
	if _, err := read(t.Context(), files[0], 10); err != nil || c.Bytes() != 0 {
		t.Errorf("half a file: %d bytes are kept, %v", c.Bytes(), err)
	}
	f.Sha256 = make([]byte, sha256.Size)
	if got, err := read(t.Context(), files[0], f.Bytes); err != nil || len(got) != len(data) || c.Bytes() != 0 {
		t.Errorf("a file of another sum: %d bytes are kept, %v", c.Bytes(), err)
	}
	f.Sha256 = nil
	if got, err := read(t.Context(), files[0], f.Bytes); err != nil || len(got) != len(data) || c.Bytes() != 0 {
		t.Errorf("a file without a sum: %d bytes are kept, %v", c.Bytes(), err)
	}
}
