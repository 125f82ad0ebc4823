package cache_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/internal/clock"
	"millrace/taskmanager/cache"
)

// roomy is a disk with room for everything.
func roomy(string) (free, all int64, err error) { return 900, 1000, nil }

func open(t *testing.T, dir string, bytesMax int64, disk func(string) (int64, int64, error)) *cache.Cache {
	t.Helper()
	c, err := cache.Open(cache.Options{Dir: dir, BytesMax: bytesMax, Clock: clock.NewManual(time.Unix(1_000_000, 0)), Disk: disk})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sumOf(data string) cache.Sum { return sha256.Sum256([]byte(data)) }

func put(t *testing.T, c *cache.Cache, data string) {
	t.Helper()
	w := c.Begin(int64(len(data)))
	defer w.Drop()
	for part := range strings.SplitSeq(data, "") {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("a write took %d bytes: %v", n, err)
		}
	}
	w.Keep(sumOf(data))
}

// has tells whether a file comes back, and compares it.
func has(t *testing.T, c *cache.Cache, data string) bool {
	t.Helper()
	r := c.Open(t.Context(), sumOf(data), int64(len(data)))
	if r == nil {
		return false
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || string(got) != data {
		t.Errorf("read %q, %v, want %q", got, err, data)
	}
	return true
}

func pathOf(dir, data string) string {
	sum := sumOf(data)
	return filepath.Join(dir, hex.EncodeToString(sum[:]))
}

// What is kept comes back, also from the next cache on the folder; half a file and
// what is not ours goes.
func TestFilesOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir, 1000, roomy)
	put(t, c, "state")
	w := c.Begin(100)
	if _, err := w.Write([]byte("half")); err != nil { // its process is killed here
		t.Fatal(err)
	}
	for _, name := range []string{"README", strings.ToUpper(filepath.Base(pathOf(dir, "x")))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(pathOf(dir, "a folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	c = open(t, dir, 1000, roomy)
	if !has(t, c, "state") || has(t, c, "half") || has(t, c, "a folder") {
		t.Error("the files of the former process are not those that it kept")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || c.Bytes() != 5 {
		t.Errorf("%d entries and %d bytes are left: %v, %v", len(left), c.Bytes(), left, err)
	}
	if k := c.Counters(); k.Hits.Load() != 1 || k.Misses.Load() != 2 || k.Damaged.Load() != 0 || k.BytesRead.Load() != 5 {
		t.Errorf("counters %+v", k)
	}
}

// A damaged file is never given to anybody: it is a miss, and gone, and can be kept anew.
func TestDamageIsAMiss(t *testing.T) {
	const data = "the state of a task"
	faults := map[string]func(path string) error{
		"truncated":    func(p string) error { return os.Truncate(p, 3) },
		"empty":        func(p string) error { return os.Truncate(p, 0) },
		"longer":       func(p string) error { return os.WriteFile(p, []byte(data+"!"), 0o600) },
		"flipped byte": func(p string) error { return os.WriteFile(p, []byte("the state of a tusk"), 0o600) },
		"missing":      os.Remove,
		"a folder": func(p string) error {
			return errors.Join(os.Remove(p), os.Mkdir(p, 0o700))
		},
	}
	for name, damage := range faults {
		for _, restarted := range []bool{false, true} {
			dir := t.TempDir()
			c := open(t, dir, 1000, roomy)
			put(t, c, data)
			if err := damage(pathOf(dir, data)); err != nil {
				t.Fatal(err)
			}
			if restarted {
				c = open(t, dir, 1000, roomy)
			}
			if has(t, c, data) || c.Counters().Hits.Load() != 0 || c.Counters().Misses.Load() != 1 {
				t.Errorf("%s, restarted %v: it is read", name, restarted)
			}
			if c.Bytes() != 0 {
				t.Errorf("%s, restarted %v: %d bytes are left", name, restarted, c.Bytes())
			}
			put(t, c, data)
			if !has(t, c, data) {
				t.Errorf("%s, restarted %v: it can't be kept anew", name, restarted)
			}
		}
	}
}

// A file that is not what its sum says is not kept.
func TestOnlyWhatTheSumSaysIsKept(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir, 1000, roomy)
	w := c.Begin(5)
	if _, err := w.Write([]byte("other")); err != nil {
		t.Fatal(err)
	}
	w.Keep(sumOf("state"))
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 || c.Bytes() != 0 || c.Counters().Dropped.Load() != 1 {
		t.Errorf("%v is left, %d dropped, %v", left, c.Counters().Dropped.Load(), err)
	}
}

func TestWhatWasUsedLongestAgoGoesFirst(t *testing.T) {
	c := open(t, t.TempDir(), 10, roomy)
	put(t, c, "aaaa")
	put(t, c, "bbbb")
	if !has(t, c, "aaaa") {
		t.Fatal("a is gone")
	}
	put(t, c, "cccc") // in the place of b
	if has(t, c, "bbbb") || !has(t, c, "aaaa") || !has(t, c, "cccc") {
		t.Error("it is not b that went")
	}
	c.Demote(sumOf("cccc"), sumOf("unknown"))
	put(t, c, "dddd")
	if has(t, c, "cccc") || !has(t, c, "aaaa") || !has(t, c, "dddd") {
		t.Error("it is not the demoted c that went")
	}
	put(t, c, "too large for it")
	if has(t, c, "too large for it") || !has(t, c, "aaaa") || c.Bytes() != 8 {
		t.Errorf("a file beyond the bound made others go: %d bytes", c.Bytes())
	}
}

// A full disk: nothing is kept beyond the watermark, and what is here makes room for others.
func TestAFullDiskKeepsNothing(t *testing.T) {
	free := int64(900)
	dir := t.TempDir()
	c := open(t, dir, 1000, func(string) (int64, int64, error) { return free, 1000, nil })
	put(t, c, "early")
	free = 103 // of which 100 stay free
	put(t, c, "late")
	if has(t, c, "late") || has(t, c, "early") || c.Counters().Dropped.Load() != 1 || c.Counters().Evicted.Load() != 1 {
		t.Errorf("a nearly full disk still has %d bytes", c.Bytes())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	free = 104
	put(t, c, "late")
	if !has(t, c, "late") {
		t.Error("a file that just fits is not kept")
	}
}

// Whatever the folder does, nobody hears more than a miss.
func TestAFolderThatIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "chunks")
	c := open(t, dir, 1000, roomy)
	put(t, c, "state")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	put(t, c, "more")
	if has(t, c, "state") || has(t, c, "more") || c.Counters().Dropped.Load() != 1 {
		t.Errorf("dropped %d", c.Counters().Dropped.Load())
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Open(cache.Options{Dir: dir, BytesMax: 1, Clock: clock.System()}); err == nil {
		t.Error("a file in the place of the folder is taken")
	}
}

// Who gives up while a file is read through does not make it a damaged one.
func TestAContextThatEnds(t *testing.T) {
	c := open(t, t.TempDir(), 1000, roomy)
	put(t, c, "state")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := c.Open(ctx, sumOf("state"), 5); r != nil {
		t.Error("it is read")
	}
	if !has(t, c, "state") || c.Counters().Damaged.Load() != 0 {
		t.Error("the file is gone")
	}
}

func TestNoCache(t *testing.T) {
	var c *cache.Cache
	put(t, c, "state")
	c.Demote(sumOf("state"))
	if has(t, c, "state") || c.Bytes() != 0 {
		t.Error("no cache has a file")
	}
}

// Tasks share a cache, and read what others evict.
func TestConcurrentUse(t *testing.T) {
	c := open(t, t.TempDir(), 400, roomy)
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for n := range 50 {
				data := string(bytes.Repeat([]byte{byte('a' + (i+n)%7)}, 100))
				put(t, c, data)
				has(t, c, data)
				c.Demote(sumOf(data))
			}
		})
	}
	wait.Wait()
	if c.Bytes() > 400 {
		t.Errorf("%d bytes, at most 400 are allowed", c.Bytes())
	}
}
