package collect

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"

	"millrace/blobstore/results"
	"millrace/connectors"
	"millrace/exchange"
	"millrace/exchange/frame"
	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

// Writer implements connectors.Sink.
func (s *sink) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	store, err := s.store()
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.Background())
	w := &writer{waker: ctx.Waker, limits: s.limits, jobs: make(chan job, jobsMax), cancel: cancel}
	w.mu.sealed = make(map[types.CheckpointID]epoch)
	up := &uploader{
		WriterContext: ctx, store: store, partBytes: s.limits.partBytes, compact: frame.Compactor{Pool: ctx.Pool},
		lot: results.Lot{
			Job: ctx.Job, Operator: ctx.Operator, Attempt: ctx.Attempt, Subtask: ctx.Subtask, Behind: ctx.Restored, Unique: unique(),
		},
	}
	w.done.Go(func() { w.run(running, up) })
	return w, nil
}

// unique names a writer as no other.
func unique() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// writer queues rows on the task's goroutine; its own encodes and uploads them.
type writer struct {
	waker  exchange.Waker
	limits limits
	jobs   chan job
	cancel context.CancelFunc // of what is under way
	done   sync.WaitGroup

	mu struct {
		sync.Mutex
		queued int // bytes in jobs
		sealed map[types.CheckpointID]epoch
		err    error // the first of encoding and uploading; nothing is done after it
	}
}

// job is a batch to write, or the end of an epoch.
type job struct {
	batch *stream.Batch
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
	return w.mu.err != nil || (w.mu.queued < w.limits.queuedBytesMax && len(w.jobs) < jobsMax/2)
}

// Write implements connectors.Writer.
func (w *writer) Write(b *stream.Batch) error {
	if b.Rows() == 0 {
		return nil
	}
	w.mu.Lock()
	w.mu.queued += b.SizeBytes()
	err := w.mu.err
	w.mu.Unlock()
	if err != nil {
		return err
	}
	kept := b.Share()
	if err := w.put(job{batch: kept}); err != nil {
		kept.Release()
		return err
	}
	return nil
}

func (w *writer) put(j job) error {
	select {
	case w.jobs <- j:
		return nil
	default:
		return failure.Externalf(failure.Restart, "%d batches and checkpoints await their upload: the blob store does not keep up", jobsMax)
	}
}

// Prepare implements connectors.Writer.
func (w *writer) Prepare(id types.CheckpointID) error { return w.put(job{seal: id}) }

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

// CheckpointAborted implements connectors.Writer: the parts stay, since the engine
// carries their committable over.
func (*writer) CheckpointAborted(types.CheckpointID) {}

// Close implements connectors.Writer. An upload that is under way ends. Parts that no
// checkpoint has stay until the next attempt recovers.
func (w *writer) Close() error {
	w.cancel()
	close(w.jobs)
	w.done.Wait()
	return nil
}

// run carries out jobs until Close.
func (w *writer) run(ctx context.Context, up *uploader) {
	defer up.drop()
	for j := range w.jobs {
		if j.seal == 0 {
			w.write(ctx, up, j.batch)
		} else {
			w.seal(ctx, up, j.seal)
		}
		w.waker.Wake()
	}
}

func (w *writer) write(ctx context.Context, up *uploader, b *stream.Batch) {
	size := b.SizeBytes()
	err := w.failed()
	if err == nil {
		err = up.take(ctx, b)
	} else {
		b.Release()
	}
	w.mu.Lock()
	w.mu.queued -= size
	if w.mu.err == nil {
		w.mu.err = err
	}
	w.mu.Unlock()
}

func (w *writer) seal(ctx context.Context, up *uploader, id types.CheckpointID) {
	e := epoch{err: w.failed()}
	if e.err == nil {
		e.committables, e.err = up.seal(ctx, id)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.err == nil {
		w.mu.err = e.err
	}
	w.mu.sealed[id] = e
}

func (w *writer) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.err
}
