package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/failure"
)

// chunk is a piece of a file: whole lines, the last one of the file perhaps
// without its end.
type chunk struct {
	ordinal int32
	from    int64 // where in the file it begins
	data    []byte
	err     error
}

// fetcher reads files ahead, on a goroutine of its own.
type fetcher struct {
	source *source
	waker  exchange.Waker

	mu struct {
		sync.Mutex
		added []fetch
	}
	more   chan struct{} // something was added
	chunks chan chunk
	free   chan []byte // buffers to use again
	stop   chan struct{}
	done   sync.WaitGroup
}

// fetch is a file on its way.
type fetch struct {
	file
	ordinal int32
}

func newFetcher(s *source, w exchange.Waker) *fetcher {
	f := &fetcher{
		source: s, waker: w, more: make(chan struct{}, 1), chunks: make(chan chunk, chunksAhead),
		free: make(chan []byte, chunksAhead+1), stop: make(chan struct{}),
	}
	f.done.Go(f.run)
	return f
}

// add begins to read a file.
func (f *fetcher) add(file file, ordinal int32) {
	f.mu.Lock()
	f.mu.added = append(f.mu.added, fetch{file, ordinal})
	f.mu.Unlock()
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// take returns the next piece, if there is one.
func (f *fetcher) take() (chunk, bool) {
	select {
	case c := <-f.chunks:
		return c, true
	default:
		return chunk{}, false
	}
}

// reuse gives a piece's memory back.
func (f *fetcher) reuse(p []byte) {
	if cap(p) > chunkBytes {
		return // of a long line
	}
	select {
	case f.free <- p[:cap(p)]:
	default:
	}
}

func (f *fetcher) close() {
	close(f.stop)
	f.done.Wait()
}

// run reads the files in turn until all are at their end, and waits for others.
func (f *fetcher) run() {
	var active []fetch
	for i := 0; ; {
		f.mu.Lock()
		active = append(active, f.mu.added...)
		f.mu.added = nil
		f.mu.Unlock()
		if len(active) == 0 {
			select {
			case <-f.more:
				continue
			case <-f.stop:
				return
			}
		}
		i %= len(active)
		c := f.read(&active[i])
		select {
		case f.chunks <- c:
			f.waker.Wake()
		case <-f.stop:
			return
		}
		if c.err != nil {
			return
		}
		if active[i].next == active[i].end {
			active = append(active[:i], active[i+1:]...)
			continue
		}
		i++
	}
}

// read reads the next piece of a file.
func (f *fetcher) read(s *fetch) chunk {
	c := chunk{ordinal: s.ordinal, from: s.next}
	c.data, c.err = f.lines(s)
	s.next += int64(len(c.data))
	if c.err != nil {
		c.err = fmt.Errorf("read %s: %w", s.name, c.err)
	}
	return c
}

// lines returns whole lines from the position on. The file is opened each time:
// a reader may have more files than a process may have open.
func (f *fetcher) lines(s *fetch) ([]byte, error) {
	root, _, err := f.source.readRoot()
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	in, err := root.Open(s.name)
	if err != nil {
		return nil, failure.External(err, failure.Restart)
	}
	defer func() { _ = in.Close() }()
	buf := f.buffer()
	for {
		n := int(min(int64(len(buf)), s.end-s.next))
		if err := readFull(in, buf[:n], s.next); err != nil {
			return nil, err
		}
		if s.next+int64(n) == s.end {
			return buf[:n], nil
		}
		if last := bytes.LastIndexByte(buf[:n], '\n'); last >= 0 {
			return buf[:last+1], nil
		}
		if n > lineBytesMax {
			return nil, &connectors.PositionError{
				Position: position(s.name, s.next),
				Err:      failure.Userf("a line is longer than %d bytes", lineBytesMax),
			}
		}
		buf = make([]byte, 2*len(buf))
	}
}

func (f *fetcher) buffer() []byte {
	select {
	case p := <-f.free:
		return p
	default:
		return make([]byte, chunkBytes)
	}
}

func readFull(in *os.File, p []byte, at int64) error {
	_, err := in.ReadAt(p, at)
	switch {
	case errors.Is(err, io.EOF):
		return failure.Externalf(failure.Never, "the file is shorter than when it was found: no byte %d", at+int64(len(p)))
	case err != nil:
		return failure.External(err, failure.Restart)
	default:
		return nil
	}
}

func position(name string, at int64) string { return fmt.Sprintf("file %s, byte %d", name, at) }
