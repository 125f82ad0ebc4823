package files

import (
	"bytes"
	"fmt"
	"os"
	"sync"

	"millrace/connectors"
	"millrace/formats"
	"millrace/internal/failure"
	"millrace/stream"
	"millrace/types"
)

// sink implements connectors.Sink.
type sink struct {
	table
}

// Writer implements connectors.Sink.
func (s *sink) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	e, err := s.encoder(ctx.Schema)
	if err != nil {
		return nil, err
	}
	root, err := s.writeRoot()
	if err != nil {
		return nil, err
	}
	w := &writer{ctx: ctx, root: root, encoder: e, jobs: make(chan job, jobsMax)}
	w.mu.sealed = make(map[types.CheckpointID]epoch)
	w.done.Go(w.run)
	return w, nil
}

// Committer implements connectors.Sink.
func (s *sink) Committer(ctx connectors.CommitterContext) (connectors.Committer, error) {
	return &committer{sink: s, ctx: ctx}, nil
}

// writer encodes rows on the task's goroutine and writes them on its own.
type writer struct {
	ctx      connectors.WriterContext
	root     *os.Root
	encoder  formats.Encoder
	payloads formats.Payloads
	piece    []byte // encoded lines that were not handed on

	jobs chan job
	done sync.WaitGroup

	mu struct {
		sync.Mutex
		queued int // bytes in jobs
		sealed map[types.CheckpointID]epoch
		err    error // the first of writing; nothing is written after it
	}

	// Owned by the writing goroutine.
	file  *os.File
	name  string
	files int
}

// job is a piece to write, or the end of an epoch.
type job struct {
	piece []byte
	seal  types.CheckpointID
}

// epoch is what a seal came to.
type epoch struct {
	committables [][]byte
	err          error
}

// Ready implements connectors.Writer.
func (w *writer) Ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.err != nil || (w.mu.queued < queuedBytesMax && len(w.jobs) < jobsMax/2)
}

// Write implements connectors.Writer.
func (w *writer) Write(b *stream.Batch) error {
	w.payloads.Reset()
	if err := w.encoder.Encode(b, &w.payloads); err != nil {
		return fmt.Errorf("encode rows: %w", err)
	}
	for i := range w.payloads.Len() {
		line := w.payloads.At(i)
		if bytes.IndexByte(line, '\n') >= 0 {
			return failure.Userf("a row has a line break in it: it can't be written as a line")
		}
		w.piece = append(append(w.piece, line...), '\n')
	}
	if len(w.piece) < pieceBytes {
		return nil
	}
	return w.hand()
}

// hand gives the encoded lines to the writing goroutine.
func (w *writer) hand() error {
	w.mu.Lock()
	w.mu.queued += len(w.piece)
	err := w.mu.err
	w.mu.Unlock()
	if err != nil {
		return err
	}
	if err := w.put(job{piece: w.piece}); err != nil {
		return err
	}
	w.piece = nil
	return nil
}

func (w *writer) put(j job) error {
	select {
	case w.jobs <- j:
		return nil
	default:
		return failure.Externalf(failure.Restart, "%d pieces and checkpoints await writing: the disk does not keep up", jobsMax)
	}
}

// Prepare implements connectors.Writer.
func (w *writer) Prepare(id types.CheckpointID) error {
	if len(w.piece) > 0 {
		if err := w.hand(); err != nil {
			return err
		}
	}
	return w.put(job{seal: id})
}

// Prepared implements connectors.Writer. What it returned is forgotten.
func (w *writer) Prepared(id types.CheckpointID) ([][]byte, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e, ok := w.mu.sealed[id]
	delete(w.mu.sealed, id)
	return e.committables, ok, e.err
}

// CheckpointComplete implements connectors.Writer.
func (*writer) CheckpointComplete(types.CheckpointID) {}

// CheckpointAborted implements connectors.Writer: the staged file stays, since
// the engine carries its committable over.
func (*writer) CheckpointAborted(types.CheckpointID) {}

// Close implements connectors.Writer. The file of the open epoch is removed;
// those that were sealed stay.
func (w *writer) Close() error {
	close(w.jobs)
	w.done.Wait()
	if w.file != nil {
		_ = w.file.Close()
		_ = w.root.Remove(w.name)
	}
	if err := w.root.Close(); err != nil {
		return failure.External(fmt.Errorf("close directory: %w", err), failure.Restart)
	}
	return nil
}

// run carries out jobs until Close.
func (w *writer) run() {
	for j := range w.jobs {
		if j.seal == 0 {
			w.note(len(j.piece), w.write(j.piece))
			continue
		}
		e := epoch{}
		e.committables, e.err = w.sealFile(j.seal)
		w.mu.Lock()
		if w.mu.err != nil {
			e.err = w.mu.err
		}
		w.mu.sealed[j.seal] = e
		w.mu.Unlock()
		w.ctx.Waker.Wake()
	}
}

// note takes a piece out of the queue, and wakes the task if there was none to
// be had.
func (w *writer) note(size int, err error) {
	w.mu.Lock()
	w.mu.queued -= size
	if err != nil && w.mu.err == nil {
		w.mu.err = failure.External(fmt.Errorf("write %s: %w", w.name, err), failure.Restart)
	}
	w.mu.Unlock()
	w.ctx.Waker.Wake()
}

func (w *writer) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.err != nil
}

func (w *writer) write(p []byte) (err error) {
	if w.failed() {
		return nil
	}
	if w.file == nil {
		w.name = stagedName(w.ctx.Identity, w.files)
		w.files++
		if w.file, err = w.root.OpenFile(w.name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err != nil {
			w.file = nil
			return err
		}
	}
	_, err = w.file.Write(p)
	return err
}

// sealFile makes the open file safe; no rows, no file.
func (w *writer) sealFile(id types.CheckpointID) ([][]byte, error) {
	if w.file == nil || w.failed() {
		return nil, nil
	}
	err := w.file.Sync()
	if closed := w.file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = syncDir(w.root)
	}
	w.file = nil
	if err != nil {
		return nil, failure.External(fmt.Errorf("sync %s: %w", w.name, err), failure.Restart)
	}
	return [][]byte{committable{staged: w.name, final: finalName(w.ctx.Identity, id)}.encode()}, nil
}

// syncDir makes names safe.
func syncDir(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
