package upload

import (
	"fmt"
	"io"
	"os"

	"millrace/blobstore"
)

// spool takes a file of unknown size: in memory while it is small, on disk
// beyond. It is a blobstore.Body once it is written.
type spool struct {
	dir  string
	mem  []byte
	file *os.File
	size int64
}

func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && len(s.mem)+len(p) > spoolBytesMax {
		if err := s.toDisk(); err != nil {
			return 0, err
		}
	}
	s.size += int64(len(p))
	if s.file != nil {
		return s.file.Write(p)
	}
	s.mem = append(s.mem, p...)
	return len(p), nil
}

func (s *spool) toDisk() error {
	f, err := os.CreateTemp(s.dir, "snapshot-*")
	if err != nil {
		return fmt.Errorf("spool snapshot: %w", err)
	}
	// Nobody finds it by name: it goes with the process, however that ends.
	_ = os.Remove(f.Name())
	if _, err := f.Write(s.mem); err != nil {
		return fmt.Errorf("spool snapshot: %w", err)
	}
	s.file, s.mem = f, s.mem[:0]
	return nil
}

// ReadAt implements blobstore.Body.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	return blobstore.Bytes(s.mem).ReadAt(p, off)
}

// Size implements blobstore.Body.
func (s *spool) Size() int64 { return s.size }

func (s *spool) reset() {
	if s.file != nil {
		_ = s.file.Close()
	}
	s.file, s.mem, s.size = nil, s.mem[:0], 0
}

var (
	_ blobstore.Body = (*spool)(nil)
	_ io.Writer      = (*spool)(nil)
)
