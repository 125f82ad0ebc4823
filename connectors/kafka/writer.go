package kafka

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"millrace/connectors"
	"millrace/stream"
	"millrace/types"
)

// writer implements connectors.Writer. The task's goroutine encodes batches and
// hands them to the epoch that is being written, which produces them on a
// goroutine of its own.
type writer struct {
	ctx      connectors.WriterContext
	opts     *sinkOptions
	encoding *encoding
	cluster  Cluster
	lane     lane

	running context.Context //nolint:containedctx // the life of the writer's goroutines
	cancel  context.CancelFunc
	wait    sync.WaitGroup

	failed   latch
	buffered atomic.Int64
	stalled  atomic.Bool // said not to be ready

	steps   atomic.Int64           // acknowledgements, and whatever else goes on
	sealing atomic.Int32           // epochs at a barrier that are not safe yet
	setback atomic.Pointer[string] // what was last tried in vain, and why

	epoch  *epoch   // being written, nil before its first row
	last   *epoch   // begun before it, for order
	sealed []*epoch // at a barrier, not forgotten yet; by checkpoint

	free struct {
		sync.Mutex
		slabs []*slab
	}
}

// lane is what makes the difference between the guarantees.
type lane interface {
	// open returns the producer of an epoch, after the one before it is flushed.
	open(ctx context.Context) (Producer, error)
	// seal makes a fully produced epoch safe. It returns its committable, nil if
	// there is nothing to commit.
	seal(ctx context.Context, e *epoch, p Producer) ([]byte, error)
	// confirmed says that what an epoch left is committed.
	confirmed(e *epoch)
	// close is called when no epoch runs any more.
	close()
}

// slabsFreeMax is how many empty slabs are kept for their memory.
const slabsFreeMax = 16

// Writer implements connectors.Sink.
func (s *sink) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	encoding, err := s.encoding(ctx.Schema)
	if err != nil {
		return nil, err
	}
	w := &writer{ctx: ctx, opts: s.opts, encoding: encoding}
	spec := s.opts.spec()
	spec.Warn = w.warn
	if w.cluster, err = s.connector.connect(spec); err != nil {
		return nil, err
	}
	w.running, w.cancel = context.WithCancel(context.Background())
	switch s.opts.guarantee {
	case guaranteeExactlyOnce:
		w.lane = newTransactionLane(w)
	default:
		w.lane = &plainLane{w: w, await: s.opts.guarantee == guaranteeAtLeastOnce}
	}
	w.wait.Go(func() { w.watch(w.running) })
	return w, nil
}

func (s *sinkOptions) producer(subtask int32) ProducerSpec {
	return ProducerSpec{
		Topic: s.topic, ClientID: s.clientID, Compression: s.compression, Partitioner: s.partitioner, Subtask: subtask,
		LingerMillis: s.lingerMillis, BatchBytesMax: s.batchBytesMax,
	}
}

// Ready implements connectors.Writer.
func (w *writer) Ready() bool {
	if w.buffered.Load() < bufferedBytesMax || w.failed.err() != nil {
		return true
	}
	w.stalled.Store(true)
	// An acknowledgement may have come before it could see that it is waited for.
	return w.buffered.Load() < bufferedBytesMax
}

// Write implements connectors.Writer.
func (w *writer) Write(b *stream.Batch) error {
	if err := w.failed.err(); err != nil {
		return err
	}
	if b.Rows() == 0 {
		return nil
	}
	s := w.slab()
	if err := w.encoding.encode(b, s); err != nil {
		return fmt.Errorf("encode rows for topic %s: %w", w.opts.topic, err)
	}
	if w.epoch == nil {
		w.begin()
	}
	s.epoch = w.epoch
	w.buffered.Add(s.bytes)
	w.epoch.put(s)
	return nil
}

// begin starts an epoch behind the last.
func (w *writer) begin() {
	w.epoch = newEpoch(w, w.last)
	e := w.epoch
	w.last = e
	w.wait.Go(func() {
		e.run(w.running)
		w.ctx.Waker.Wake()
	})
}

// Prepare implements connectors.Writer.
func (w *writer) Prepare(id types.CheckpointID) error {
	if err := w.failed.err(); err != nil {
		return err
	}
	if w.epoch == nil {
		return nil // nothing was written: there is nothing to commit
	}
	w.sealed = append(w.sealed, w.epoch)
	w.sealing.Add(1)
	w.epoch.seal(id)
	w.epoch = nil
	return nil
}

// Prepared implements connectors.Writer.
func (w *writer) Prepared(id types.CheckpointID) ([][]byte, bool, error) {
	if err := w.failed.err(); err != nil {
		return nil, false, err
	}
	for _, e := range w.sealed {
		if e.checkpoint != id {
			continue
		}
		select {
		case <-e.done:
		default:
			return nil, false, nil
		}
		if e.committable == nil {
			return nil, true, nil
		}
		return [][]byte{e.committable}, true, nil
	}
	return nil, true, nil
}

// CheckpointComplete implements connectors.Writer: everything up to the
// checkpoint is committed and confirmed.
func (w *writer) CheckpointComplete(id types.CheckpointID) {
	kept := w.sealed[:0]
	for _, e := range w.sealed {
		if e.checkpoint > id {
			kept = append(kept, e)
			continue
		}
		w.lane.confirmed(e)
	}
	clear(w.sealed[len(kept):])
	w.sealed = kept
}

// CheckpointAborted implements connectors.Writer: what was prepared is committed
// with a later checkpoint.
func (w *writer) CheckpointAborted(types.CheckpointID) {}

// Close implements connectors.Writer. Transactions that are open stay open: a
// checkpoint may need them, and a restore ends the others.
func (w *writer) Close() error {
	w.cancel()
	w.wait.Wait()
	w.lane.close()
	w.cluster.Close()
	return nil
}

func (w *writer) slab() *slab {
	w.free.Lock()
	defer w.free.Unlock()
	if last := len(w.free.slabs) - 1; last >= 0 {
		s := w.free.slabs[last]
		w.free.slabs = w.free.slabs[:last]
		return s
	}
	return &slab{}
}

// acknowledged takes a slab back that is written, or is not.
func (w *writer) acknowledged(s *slab, err error) {
	e := s.epoch
	if err == nil {
		w.steps.Add(1)
	} else {
		w.fail(unproduced(w.opts.topic, err))
	}
	left := w.buffered.Add(-s.bytes)
	s.reset()
	w.free.Lock()
	if len(w.free.slabs) < slabsFreeMax {
		w.free.slabs = append(w.free.slabs, s)
	}
	w.free.Unlock()
	e.acknowledged()
	if left < bufferedBytesMax && w.stalled.Swap(false) {
		w.ctx.Waker.Wake()
	}
}

// fail makes the task fail at its next call.
func (w *writer) fail(err error) {
	if w.running.Err() != nil {
		return // it is the closing that fails things
	}
	w.failed.set(err)
	w.ctx.Waker.Wake()
}
