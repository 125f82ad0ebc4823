package kafka

import (
	"context"
	"sync"
	"sync/atomic"

	"millrace/types"
)

// epoch is what is written between two barriers. The task's goroutine puts
// slabs and seals it; run, on a goroutine of its own, does the rest.
type epoch struct {
	w *writer
	// before is closed when what was written before is in the topic: rows of one
	// key must not overtake each other.
	before  <-chan struct{}
	flushed chan struct{}
	done    chan struct{} // closed when sealed and safe; what follows is set by then

	checkpoint  types.CheckpointID // set by seal
	committable []byte
	pooled      int // the lane's number of the transactional id

	firstMillis int64 // wall clock at the first record
	rows        int64
	pending     atomic.Int64  // slabs that are not acknowledged
	signal      chan struct{} // something was put, sealed or acknowledged

	mu     sync.Mutex
	queue  []*slab
	sealed bool
}

func newEpoch(w *writer, last *epoch) *epoch {
	e := &epoch{w: w, flushed: make(chan struct{}), done: make(chan struct{}), signal: make(chan struct{}, 1)}
	if last != nil {
		e.before = last.flushed
	} else {
		none := make(chan struct{})
		close(none)
		e.before = none
	}
	return e
}

func (e *epoch) put(s *slab) {
	e.pending.Add(1)
	e.mu.Lock()
	e.queue = append(e.queue, s)
	e.mu.Unlock()
	e.ring()
}

func (e *epoch) seal(id types.CheckpointID) {
	e.mu.Lock()
	e.checkpoint = id
	e.sealed = true
	e.mu.Unlock()
	e.ring()
}

func (e *epoch) ring() {
	select {
	case e.signal <- struct{}{}:
	default:
	}
}

func (e *epoch) acknowledged() {
	if e.pending.Add(-1) == 0 {
		e.ring()
	}
}

// run produces what is put until the epoch is sealed and safe.
func (e *epoch) run(ctx context.Context) {
	if err := e.produce(ctx); err != nil {
		e.w.fail(err)
		return
	}
	e.w.steps.Add(1)
	e.w.sealing.Add(-1)
	close(e.done)
}

func (e *epoch) produce(ctx context.Context) error {
	select {
	case <-e.before:
	case <-ctx.Done():
		return ctx.Err()
	}
	p, err := e.w.lane.open(ctx)
	if err != nil {
		return err
	}
	e.w.steps.Add(1)
	e.firstMillis = e.w.ctx.Clock.Now().UnixMilli()
	for {
		slabs, sealed := e.take()
		for _, s := range slabs {
			e.rows += int64(len(s.records))
			p.Produce(ctx, s.records, func(err error) { e.w.acknowledged(s, err) })
		}
		if len(slabs) == 0 && sealed {
			break
		}
		if len(slabs) > 0 {
			continue
		}
		if err := e.await(ctx); err != nil {
			return err
		}
	}
	e.committable, err = e.w.lane.seal(ctx, e, p)
	return err
}

func (e *epoch) take() (slabs []*slab, sealed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	slabs, e.queue = e.queue, nil
	return slabs, e.sealed
}

func (e *epoch) await(ctx context.Context) error {
	select {
	case <-e.signal:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle waits until every record is acknowledged or has failed.
func (e *epoch) settle(ctx context.Context) error {
	for e.pending.Load() > 0 {
		if err := e.await(ctx); err != nil {
			return err
		}
	}
	return e.w.failed.err()
}

// plainLane writes without transactions, with one producer for all epochs.
type plainLane struct {
	w        *writer
	await    bool // for acknowledgements, before a checkpoint
	producer Producer
}

// open implements lane. Epochs open one after the other.
func (l *plainLane) open(ctx context.Context) (Producer, error) {
	if l.producer != nil {
		return l.producer, nil
	}
	p, err := l.w.cluster.Producer(ctx, l.w.opts.producer(l.w.ctx.Subtask))
	l.producer = p
	return p, err
}

// seal implements lane. The producer keeps the order of what it was given, so
// that the next epoch need not wait for acknowledgements.
func (l *plainLane) seal(ctx context.Context, e *epoch, _ Producer) ([]byte, error) {
	close(e.flushed)
	if !l.await {
		return nil, nil
	}
	return nil, e.settle(ctx)
}

// confirmed implements lane.
func (l *plainLane) confirmed(*epoch) {}

func (l *plainLane) close() {
	if l.producer != nil {
		l.producer.Close()
	}
}
