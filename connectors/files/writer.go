package files

import (
	"bytes"
	"fmt"
	"sync"

	"millrace/connectors"
	"millrace/failure"
	"millrace/formats"
	"millrace/stream"
	"millrace/types"
)

// writer encodes rows on the task's goroutine and has them written on its own.
type writer struct {
	ctx      connectors.WriterContext
	encoder  formats.Encoder
	payloads formats.Payloads
	parts    *parts
	encoded  int // bytes in parts
	// watermark is how far event time is; stream.MaxWatermark at the end of the input.
	watermark stream.Watermark

	jobs   chan job
	done   sync.WaitGroup
	staged *stage // of the writing goroutine

	mu struct {
		sync.Mutex
		queued int // bytes in jobs
		sealed map[types.CheckpointID]epoch
		err    error // the first of writing; nothing is written after it
	}
}

// job is what there is to write, and then perhaps the end of an epoch.
type job struct {
	pieces    []piece
	seal      types.CheckpointID
	watermark stream.Watermark // at the end of the epoch
}

// piece is whole lines that go to one directory.
type piece struct {
	dir  string
	data []byte
}

// epoch is what a seal came to.
type epoch struct {
	committables [][]byte
	err          error
}

func newWriter(s *sink, ctx connectors.WriterContext) (*writer, error) {
	e, err := s.encoder(s.record)
	if err != nil {
		return nil, err
	}
	root, err := s.writeRoot()
	if err != nil {
		return nil, err
	}
	w := &writer{
		ctx: ctx, encoder: e, parts: newParts(&s.layout, s.completed.check), jobs: make(chan job, jobsMax),
		watermark: stream.NoWatermark, staged: newStage(root, ctx.Identity, ctx.Clock, s.rolling),
	}
	w.staged.tells = s.completed != nil || s.overwrites
	w.mu.sealed = make(map[types.CheckpointID]epoch)
	w.done.Go(w.run)
	return w, nil
}

// Ready implements connectors.Writer.
func (w *writer) Ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.err != nil || (w.mu.queued < queuedBytesMax && len(w.jobs) < jobsMax/2)
}

// Write implements connectors.Writer.
func (w *writer) Write(b *stream.Batch) error {
	if err := w.encode(b); err != nil {
		return fmt.Errorf("encode rows: %w", err)
	}
	var full []*part
	w.parts.begin()
	for i := range w.payloads.Len() {
		line := w.payloads.At(i)
		if bytes.IndexByte(line, '\n') >= 0 {
			return failure.Userf("a row has a line break in it: it can't be written as a line (the format json has none)")
		}
		p, err := w.parts.of(b, b.Row(i))
		if err != nil {
			return err
		}
		before := len(p.piece)
		p.piece = append(append(p.piece, line...), '\n')
		w.encoded += len(line) + 1
		if before < pieceBytes && len(p.piece) >= pieceBytes {
			full = append(full, p)
		}
	}
	switch {
	case w.encoded >= encodedBytesMax:
		return w.hand(w.parts.inOrder(), 0)
	case len(full) > 0:
		return w.hand(full, 0)
	default:
		return nil
	}
}

// encode makes the records of a batch, without the columns that are keys.
func (w *writer) encode(b *stream.Batch) error {
	w.payloads.Reset()
	l := w.parts.layout
	if len(l.keys) == 0 {
		return w.encoder.Encode(b, &w.payloads)
	}
	records := b.Pool().NewBatch(l.record, b.Len())
	defer records.Release()
	b.ShareRows(records)
	for i, c := range l.columns {
		b.Columns[c].Retain()
		records.Columns[i] = b.Columns[c]
	}
	return w.encoder.Encode(records, &w.payloads)
}

// hand gives what is encoded for some directories to the writing goroutine, and
// the end of the epoch if there is one.
func (w *writer) hand(of []*part, seal types.CheckpointID) error {
	j := job{seal: seal, watermark: w.watermark}
	size := 0
	for _, p := range of {
		if len(p.piece) > 0 {
			j.pieces = append(j.pieces, piece{p.dir, p.piece})
			size += len(p.piece)
			p.piece = nil
		}
	}
	w.encoded -= size
	w.mu.Lock()
	w.mu.queued += size
	err := w.mu.err
	w.mu.Unlock()
	if err != nil && seal == 0 {
		return err
	}
	select {
	case w.jobs <- j:
		return nil
	default:
		return failure.Externalf(failure.Restart, "%d pieces and checkpoints await writing: the disk does not keep up", jobsMax)
	}
}

// Advance implements connectors.Timed.
func (w *writer) Advance(to stream.Watermark) { w.watermark = to }

// Prepare implements connectors.Writer.
func (w *writer) Prepare(id types.CheckpointID) error {
	defer w.parts.reset()
	return w.hand(w.parts.inOrder(), id)
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

// CheckpointAborted implements connectors.Writer: staged files stay, since the
// engine carries their committable over.
func (*writer) CheckpointAborted(types.CheckpointID) {}

// Close implements connectors.Writer. The files of the open epoch are removed;
// those that were sealed stay.
func (w *writer) Close() error {
	close(w.jobs)
	w.done.Wait()
	if err := w.staged.close(); err != nil {
		return failure.External(fmt.Errorf("close directory: %w", err), failure.Restart)
	}
	return nil
}

// run carries out jobs until Close.
func (w *writer) run() {
	for j := range w.jobs {
		w.write(j.pieces)
		if j.seal != 0 {
			w.seal(j.seal, j.watermark)
		}
		w.ctx.Waker.Wake()
	}
}

// write writes pieces, unless writing has failed, and takes them out of the queue.
func (w *writer) write(pieces []piece) {
	size := 0
	err := w.failed()
	for _, p := range pieces {
		size += len(p.data)
		if err == nil {
			err = w.staged.write(p)
		}
	}
	w.mu.Lock()
	w.mu.queued -= size
	w.mu.err = err
	w.mu.Unlock()
}

func (w *writer) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.err
}

// seal ends an epoch.
func (w *writer) seal(id types.CheckpointID, at stream.Watermark) {
	e := epoch{err: w.failed()}
	if e.err == nil {
		e.committables, e.err = w.staged.seal(id, at)
	}
	w.mu.Lock()
	w.mu.sealed[id] = e
	w.mu.Unlock()
}
