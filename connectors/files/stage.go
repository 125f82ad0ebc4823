package files

import (
	"bytes"
	"cmp"
	"container/list"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"millrace/connectors"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/stream"
	"millrace/types"
)

// rolling says when a file is full before its epoch ends.
type rolling struct {
	bytes    int64
	interval time.Duration
}

// stage writes the files of an epoch under hidden names, in the table's own
// directory: those of keys come into being with the first commit into them. It
// belongs to the writing goroutine.
type stage struct {
	root    *os.Root
	id      connectors.Identity
	clock   clock.Clock
	rolling rolling
	tells   bool // of epochs without files too, how far the input was

	growing map[string]*stagedFile // by directory
	open    *list.List             // those of growing that have a descriptor; the least recently written comes first
	full    []*stagedFile          // of this epoch; they are safe on disk
	count   int                    // files so far
}

// stagedFile is a file that is being written.
type stagedFile struct {
	dir   string
	name  string
	n     int // its number
	size  int64
	since time.Time
	file  *os.File // nil: closed, and what is in it is safe
	entry *list.Element
}

func newStage(root *os.Root, id connectors.Identity, c clock.Clock, r rolling) *stage {
	return &stage{root: root, id: id, clock: c, rolling: r, growing: make(map[string]*stagedFile), open: list.New()}
}

// write appends lines to the file of a directory, or to several, as they get
// full.
func (s *stage) write(p piece) error {
	for len(p.data) > 0 {
		f, err := s.file(p.dir)
		if err != nil {
			return err
		}
		lines := p.data[:linesUpTo(p.data, s.rolling.bytes-f.size)]
		if _, err := f.file.Write(lines); err != nil {
			return staging("write", f.name, err)
		}
		f.size += int64(len(lines))
		p.data = p.data[len(lines):]
		if f.size >= s.rolling.bytes {
			if err := s.end(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// linesUpTo returns the length of as many whole lines as reach a size, of all if they do not.
func linesUpTo(data []byte, size int64) int {
	if size >= int64(len(data)) {
		return len(data)
	}
	from := int(max(size-1, 0))
	return from + bytes.IndexByte(data[from:], '\n') + 1 // a piece ends with a line's end
}

func staging(what, name string, err error) error {
	return failure.External(fmt.Errorf("%s %s: %w", what, name, err), failure.Restart)
}

// file returns the open file of a directory.
func (s *stage) file(dir string) (*stagedFile, error) {
	f := s.growing[dir]
	if f != nil && s.clock.Now().Sub(f.since) >= s.rolling.interval {
		if err := s.end(f); err != nil {
			return nil, err
		}
		f = nil
	}
	if f != nil && f.file != nil {
		s.open.MoveToBack(f.entry)
		return f, nil
	}
	if s.open.Len() == openMax {
		if err := s.shut(s.open.Front().Value.(*stagedFile)); err != nil {
			return nil, err
		}
	}
	flag := os.O_APPEND
	if f == nil {
		if len(s.growing)+len(s.full) == stagedMax {
			return nil, failure.Userf("more than %d files between two checkpoints of one task: give %s a larger size", stagedMax, keyRollSize)
		}
		f = &stagedFile{dir: dir, name: stagedName(s.id, s.count), n: s.count, since: s.clock.Now()}
		s.count++
		flag |= os.O_CREATE | os.O_EXCL
	}
	var err error
	if f.file, err = s.root.OpenFile(f.name, flag|os.O_WRONLY, 0o644); err != nil {
		f.file = nil
		return nil, staging("write", f.name, err)
	}
	s.growing[dir], f.entry = f, s.open.PushBack(f)
	return f, nil
}

// shut makes a file safe and gives its descriptor back.
func (s *stage) shut(f *stagedFile) error {
	if f.file == nil {
		return nil
	}
	err := errors.Join(f.file.Sync(), f.file.Close())
	f.file = nil
	s.open.Remove(f.entry)
	if err != nil {
		return staging("sync", f.name, err)
	}
	return nil
}

// end makes a file the last that is written to it.
func (s *stage) end(f *stagedFile) error {
	if err := s.shut(f); err != nil {
		return err
	}
	delete(s.growing, f.dir)
	s.full = append(s.full, f)
	return nil
}

// seal ends the epoch: all its files are safe, and so are their names.
func (s *stage) seal(id types.CheckpointID, at stream.Watermark) ([][]byte, error) {
	for _, dir := range slices.Sorted(maps.Keys(s.growing)) {
		if err := s.end(s.growing[dir]); err != nil {
			return nil, err
		}
	}
	if len(s.full) == 0 && !s.tells {
		return nil, nil
	}
	if err := syncDir(s.root, "."); err != nil {
		return nil, staging("sync", "directory", err)
	}
	c := epochFiles{writer: s.id, checkpoint: id, watermark: at}
	slices.SortStableFunc(s.full, func(a, b *stagedFile) int { return cmp.Compare(a.dir, b.dir) })
	for i, f := range s.full {
		c.files = append(c.files, epochFile{dir: f.dir, staged: f.n})
		if i > 0 && f.dir == s.full[i-1].dir {
			c.files[i].ordinal = c.files[i-1].ordinal + 1
		}
	}
	s.full = nil
	return [][]byte{c.encode()}, nil
}

// close removes what was not sealed.
func (s *stage) close() error {
	for _, f := range slices.Concat(s.full, slices.Collect(maps.Values(s.growing))) {
		if f.file != nil {
			_ = f.file.Close()
		}
		_ = s.root.Remove(f.name)
	}
	return s.root.Close()
}

// syncDir makes the names in a directory safe.
func syncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
