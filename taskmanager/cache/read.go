package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Open returns a file of that sum and size whose checksum was found to be right,
// for the caller to close; nil where there is none. It never fails: what is wrong
// is counted, and the file is gone. Reading a large file through takes its time; the
// context's end is a miss, and the file stays.
func (c *Cache) Open(ctx context.Context, sum Sum, bytes int64) io.ReadCloser {
	if c == nil {
		return nil
	}
	f, err := c.verified(ctx, sum, bytes)
	if err == nil {
		c.use(sum, bytes)
		c.counters.Hits.Add(1)
		c.counters.BytesRead.Add(bytes)
		return f
	}
	c.counters.Misses.Add(1)
	if ctx.Err() != nil {
		return nil
	}
	c.mu.Lock()
	if e := c.mu.files[sum]; e != nil {
		c.forget(e)
	}
	c.mu.Unlock()
	if !errors.Is(err, fs.ErrNotExist) {
		c.counters.Damaged.Add(1)
		c.delete(sum)
	}
	return nil
}

// verified opens a file and reads it through.
func (c *Cache) verified(ctx context.Context, sum Sum, bytes int64) (_ *os.File, err error) {
	f, err := os.Open(c.path(sum))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // only read from
		}
	}()
	h := sha256.New()
	n, err := io.CopyBuffer(h, io.LimitReader(cancellable{ctx, f}, bytes+1), make([]byte, hashBytes))
	if err != nil {
		return nil, err
	}
	if n != bytes || Sum(h.Sum(nil)) != sum {
		return nil, fmt.Errorf("%d bytes that are not the ones that were written", n)
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, err
}

// cancellable reads until a context ends. It lives as long as the call that made it.
type cancellable struct {
	ctx context.Context
	in  io.Reader
}

func (c cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.in.Read(p)
}

// use makes a file the one used last, also for the next process.
func (c *Cache) use(sum Sum, bytes int64) {
	now := c.Clock.Now()
	_ = os.Chtimes(c.path(sum), now, now) // the order of the next process is a little worse
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.mu.files[sum]; e != nil {
		c.mu.order.MoveToBack(e)
	} else {
		c.enter(file{sum, bytes}) // another process on the folder has written it
	}
}
