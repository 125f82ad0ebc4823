package cache

import (
	"cmp"
	"container/list"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"millrace/internal/clock"
)

// Sum names a file: the SHA-256 of its bytes.
type Sum [32]byte

// Options say where a cache is and what it may take.
type Options struct {
	// Dir is the cache's alone; it is made where it is missing.
	Dir string
	// BytesMax bounds the files together.
	BytesMax int64
	Clock    clock.Clock
	// Disk returns how many bytes of the folder's disk are free, and how many there
	// are; nil asks the system.
	Disk func(dir string) (free, all int64, err error)
}

// Cache is the state files of a task manager. A nil Cache has none and keeps none.
type Cache struct {
	Options
	counters Counters
	mu       struct {
		sync.Mutex
		files map[Sum]*list.Element
		// order has every file, the one that goes next at the front.
		order list.List
		bytes int64
	}
}

// file is an entry of the order.
type file struct {
	sum   Sum
	bytes int64
}

// temporary begins the names of files that are being written.
const temporary = "new-"

// Open takes what a folder holds. What is not a file of a cache is deleted: half
// of one that was being written, or nothing of ours.
func Open(o Options) (*Cache, error) {
	if o.Disk == nil {
		o.Disk = diskOf
	}
	c := &Cache{Options: o}
	c.mu.files = make(map[Sum]*list.Element)
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("open the local state files: %w", err)
	}
	found, err := os.ReadDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the local state files: %w", err)
	}
	c.take(found)
	c.evict(0)
	return c, nil
}

// take enters the files of a folder in the order of their last use.
func (c *Cache) take(found []fs.DirEntry) {
	type used struct {
		file
		at time.Time
	}
	var files []used
	for _, e := range found {
		info, err := e.Info()
		sum, ok := sumOf(e.Name())
		if err != nil || !ok || !info.Mode().IsRegular() {
			_ = os.RemoveAll(filepath.Join(c.Dir, e.Name())) // it is tried again by the next process
			continue
		}
		files = append(files, used{file{sum, info.Size()}, info.ModTime()})
	}
	slices.SortFunc(files, func(a, b used) int { return cmp.Or(a.at.Compare(b.at), slices.Compare(a.sum[:], b.sum[:])) })
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range files {
		c.enter(f.file)
	}
}

func sumOf(name string) (sum Sum, ok bool) {
	if len(name) != hex.EncodedLen(len(sum)) || name != strings.ToLower(name) {
		return sum, false
	}
	_, err := hex.Decode(sum[:], []byte(name))
	return sum, err == nil
}

func (c *Cache) path(sum Sum) string { return filepath.Join(c.Dir, hex.EncodeToString(sum[:])) }

// enter notes a file as the one used last. It needs the lock.
func (c *Cache) enter(f file) {
	if e := c.mu.files[f.sum]; e != nil {
		c.mu.bytes -= e.Value.(file).bytes //nolint:forcetypeassert // the list has nothing else
		c.mu.order.Remove(e)
	}
	c.mu.files[f.sum] = c.mu.order.PushBack(f)
	c.mu.bytes += f.bytes
}

// forget removes an entry. It needs the lock, and its caller deletes the file
// behind it: should the file have been written anew in the meantime, the entry of
// that one leads nowhere, which is a miss.
func (c *Cache) forget(e *list.Element) Sum {
	f := e.Value.(file) //nolint:forcetypeassert // the list has nothing else
	c.mu.order.Remove(e)
	delete(c.mu.files, f.sum)
	c.mu.bytes -= f.bytes
	return f.sum
}

// delete deletes a file. Whoever reads it goes on; where it can't be removed the
// next process finds it.
func (c *Cache) delete(sum Sum) { _ = os.Remove(c.path(sum)) }

// evict makes room for so many bytes more.
func (c *Cache) evict(bytes int64) {
	for {
		c.mu.Lock()
		if c.mu.order.Len() == 0 || c.mu.bytes+bytes <= c.BytesMax && c.mu.order.Len() < filesMax {
			c.mu.Unlock()
			return
		}
		sum := c.forget(c.mu.order.Front())
		c.mu.Unlock()
		c.delete(sum)
		c.counters.Evicted.Add(1)
	}
}

// evictOne deletes the file that goes next; false if there is none.
func (c *Cache) evictOne() bool {
	c.mu.Lock()
	next := c.mu.order.Front()
	var sum Sum
	if next != nil {
		sum = c.forget(next)
	}
	c.mu.Unlock()
	if next != nil {
		c.delete(sum)
		c.counters.Evicted.Add(1)
	}
	return next != nil
}

// errNoRoom says that a file is not kept.
var errNoRoom = errors.New("there is no room")

// reserve says whether a file of so many bytes may be kept, and makes room for it.
func (c *Cache) reserve(bytes int64) error {
	if bytes > c.BytesMax {
		return errNoRoom
	}
	c.evict(bytes)
	for {
		free, all, err := c.Disk(c.Dir)
		if err != nil || free-bytes >= all/100*freePercent {
			return err
		}
		// Others fill the disk. What is here goes before the disk is full.
		if !c.evictOne() {
			return errNoRoom
		}
	}
}

// Demote has files go before all others: a task has replaced them.
func (c *Cache) Demote(sums ...Sum) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, sum := range sums {
		if e := c.mu.files[sum]; e != nil {
			c.mu.order.MoveToFront(e)
		}
	}
}

// Bytes returns what the files take.
func (c *Cache) Bytes() int64 {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.bytes
}

// diskOf asks the system.
func diskOf(dir string) (free, all int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}
