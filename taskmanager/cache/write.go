package cache

import (
	"crypto/sha256"
	"hash"
	"io"
	"os"
)

// Writer takes a file whose sum shows at its end. It is an io.Writer that never
// fails: a file that can't be kept is dropped, and counted. It is not safe for
// concurrent use. A nil Writer drops everything.
type Writer struct {
	cache *Cache
	file  *os.File // nil: dropped
	hash  hash.Hash
	bytes int64
}

var _ io.Writer = (*Writer)(nil)

// Begin begins a file of so many bytes. The caller ends it with Keep or Drop.
func (c *Cache) Begin(bytes int64) *Writer {
	if c == nil {
		return nil
	}
	w := &Writer{cache: c, hash: sha256.New()}
	err := c.reserve(bytes)
	if err == nil {
		w.file, err = os.CreateTemp(c.Dir, temporary+"*")
	}
	if err != nil {
		c.counters.Dropped.Add(1)
	}
	return w
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	if w == nil || w.file == nil {
		return len(p), nil
	}
	if _, err := w.file.Write(p); err != nil {
		w.cache.counters.Dropped.Add(1)
		w.Drop()
		return len(p), nil
	}
	w.hash.Write(p)
	w.bytes += int64(len(p))
	return len(p), nil
}

// Drop gives the file up, unless it is kept.
func (w *Writer) Drop() {
	if w == nil || w.file == nil {
		return
	}
	_ = w.file.Close()           // it is deleted
	_ = os.Remove(w.file.Name()) // the next process does it otherwise
	w.file = nil
}

// Keep enters the file under its sum, if it is the one that is wanted.
func (w *Writer) Keep(sum Sum) {
	if w == nil || w.file == nil {
		return
	}
	defer w.Drop()
	c := w.cache
	if Sum(w.hash.Sum(nil)) != sum {
		c.counters.Dropped.Add(1)
		return
	}
	if err := w.file.Close(); err != nil {
		c.counters.Dropped.Add(1)
		return
	}
	if err := os.Rename(w.file.Name(), c.path(sum)); err != nil {
		c.counters.Dropped.Add(1)
		return
	}
	w.file = nil
	c.mu.Lock()
	c.enter(file{sum, w.bytes})
	c.mu.Unlock()
	c.evict(0)
	c.counters.Written.Add(1)
	c.counters.BytesWritten.Add(w.bytes)
}
