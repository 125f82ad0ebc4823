package sim

import (
	"fmt"

	"millrace/connectors"
	"millrace/connectors/kafka"
	"millrace/formats"
	"millrace/internal/crash"
	"millrace/internal/mutant"
	"millrace/stream"
	"millrace/types"
)

// sink is the production sink with a writer of the simulator's: the production one produces on goroutines of its own,
// which no seed could repeat. What it does to Kafka, and in which order, is the same: an id of the pool for each epoch,
// flush, marker, committable; the committer is the production one.
type sink struct {
	connectors.Sink
	tm      *taskManager
	topic   string
	timeout int32
	encode  func(*types.Schema) (formats.Encoder, error)
}

// Writer implements connectors.Sink.
func (s *sink) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	encoder, err := s.encode(ctx.Schema)
	if err != nil {
		return nil, err
	}
	w := &writer{
		sink: s, ctx: ctx, encoder: encoder, client: &client{p: s.tm.process, broker: s.tm.w.kafka},
		ids: kafka.IDs{Prefix: sinkPrefix, Identity: ctx.Identity},
	}
	for k := range s.tm.w.idsUsed() {
		w.free = append(w.free, k)
	}
	w.open()
	return w, nil
}

// idsUsed is how many ids of the pool a writer uses: few, so that each is used again soon after it is confirmed. Where a job
// drains while faults strike all are: its last checkpoint may fail more often than others, each time behind some more rows.
// Where disks stand still behind a takeover there are as many as one checkpoint that fails leaves room for: one that is complete,
// and not committed, is one too many.
func (w *world) idsUsed() int {
	switch {
	case w.faults.stop == stopDrain:
		return kafka.PoolSize
	case w.faults.stall:
		return 2
	default:
		return 3
	}
}

// writer implements connectors.Writer.
type writer struct {
	*sink
	ctx     connectors.WriterContext
	encoder formats.Encoder
	client  *client
	ids     kafka.IDs

	free    []int    // ids under which nothing is open
	ahead   *epoch   // opened, nothing in it
	current *epoch   // being written; nil before the first row
	sealed  []*epoch // at a barrier, not confirmed
	opening bool
	busy    bool
	closed  bool
	failed  error
}

// epoch is what is written between two barriers.
type epoch struct {
	k           int
	producer    kafka.Producer
	first       int64
	rows        int64
	pending     int // produces that are not answered
	checkpoint  types.CheckpointID
	marked      bool
	committable []byte
}

// open initialises the next id ahead, again and again until it works.
func (w *writer) open() {
	if w.opening || w.closed || w.ahead != nil || len(w.free) == 0 {
		return
	}
	w.opening = true
	w.tm.after(w.tm.w.latency(), w.tryOpen)
}

func (w *writer) tryOpen() {
	if w.closed {
		return
	}
	k := w.free[0]
	p, err := w.client.Producer(w.tm.w.ctx, kafka.ProducerSpec{
		Topic: w.topic, TransactionalID: w.ids.Transactional(k), TimeoutMillis: w.timeout,
	})
	if err != nil {
		w.tm.after(retryMin, w.tryOpen)
		return
	}
	w.opening = false
	w.free = w.free[1:]
	w.ahead = &epoch{k: k, producer: p}
	w.ctx.Waker.Wake()
}

// Ready implements connectors.Writer.
func (w *writer) Ready() bool {
	return w.failed != nil || !w.busy && (w.current != nil || w.ahead != nil)
}

// tire lets the sink take no more for a while.
func (w *writer) tire() {
	if w.tm.w.healed || !w.tm.w.chance(w.tm.w.faults.slowSink) {
		return
	}
	w.busy = true
	w.tm.after(w.tm.w.between(50, 1_500), func() {
		w.busy = false
		w.ctx.Waker.Wake()
	})
}

// Write implements connectors.Writer.
func (w *writer) Write(b *stream.Batch) error {
	if w.failed != nil {
		return w.failed
	}
	if w.current == nil {
		w.current, w.ahead = w.ahead, nil
		w.current.first = w.tm.Now().UnixMilli()
		w.open()
	}
	w.tire()
	e := w.current
	var out formats.Payloads
	if err := w.encoder.Encode(b, &out); err != nil {
		return fmt.Errorf("encode rows: %w", err)
	}
	from := 0
	for _, end := range out.Ends {
		value := append([]byte{byte(e.rows)}, out.Data[from:end]...)
		from = end
		e.rows++
		e.pending++
		e.producer.Produce(w.tm.w.ctx, []kafka.Record{{Value: value}}, func(err error) {
			e.pending--
			if err != nil && w.failed == nil && !mutant.On(mutant.FlushErrorIgnored) {
				w.failed = fmt.Errorf("checkpoint %d: %w", e.checkpoint, err)
			}
			w.ctx.Waker.Wake()
		})
	}
	return nil
}

// Prepare implements connectors.Writer. The task passes the crash point before it calls: here it strikes.
func (w *writer) Prepare(id types.CheckpointID) error {
	w.tm.here(crash.BeforePrepare)
	if w.failed != nil || w.current == nil {
		return w.failed
	}
	w.current.checkpoint = id
	w.sealed = append(w.sealed, w.current)
	w.current = nil
	return nil
}

// Prepared implements connectors.Writer.
func (w *writer) Prepared(id types.CheckpointID) ([][]byte, bool, error) {
	if w.failed != nil {
		return nil, false, w.failed
	}
	for _, e := range w.sealed {
		if e.checkpoint != id {
			continue
		}
		if e.committable == nil && !w.seal(e) {
			return nil, false, w.failed
		}
		w.tm.here(crash.AfterPrepare)
		return [][]byte{e.committable}, true, nil
	}
	return nil, true, nil
}

// seal goes on with making an epoch safe; false while it is not.
func (w *writer) seal(e *epoch) bool {
	if e.pending > 0 {
		return false // an answer wakes the task
	}
	p := kafka.Prepared{
		Transaction: e.producer.Transaction(), K: e.k, Checkpoint: e.checkpoint, Topic: w.topic, FirstRecordMillis: e.first,
		TimeoutMillis: w.timeout, Rows: e.rows,
	}
	if !e.marked && !mutant.On(mutant.MarkerOmitted) {
		if err := w.client.Mark(w.tm.w.ctx, p.Transaction, w.ids.Marker(p)); err != nil {
			if isDoubt(err) {
				w.tm.after(retryMin, w.ctx.Waker.Wake)
			} else {
				w.failed = err
			}
			return false
		}
	}
	e.marked = true
	e.committable, w.failed = w.ids.Committable(p)
	if mutant.On(mutant.TransactionIDReused) {
		w.free = append([]int{e.k}, w.free...)
		w.open()
	}
	return w.failed == nil
}

// CheckpointComplete implements connectors.Writer.
func (w *writer) CheckpointComplete(id types.CheckpointID) {
	var kept []*epoch
	for _, e := range w.sealed {
		if e.checkpoint > id {
			kept = append(kept, e)
			continue
		}
		w.free = append(w.free, e.k)
	}
	w.sealed = kept
	w.open()
}

// CheckpointAborted implements connectors.Writer.
func (w *writer) CheckpointAborted(types.CheckpointID) {}

// Close implements connectors.Writer: what is open stays open.
func (w *writer) Close() error {
	w.closed = true
	return nil
}
