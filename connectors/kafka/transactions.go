package kafka

import (
	"context"
	"fmt"

	"millrace/failure"
)

// transactionLane writes every epoch as a transaction with an id of the pool. An
// id is free, open (an epoch has it, or it is initialised ahead), or parked (its
// transaction awaits confirmation). The steps are numbered as in
// docs/design/0002-kafka-transactions.md.
type transactionLane struct {
	w     *writer
	free  chan int    // never full: it has room for the whole pool
	ahead chan opened // unbuffered: one is open ahead, in the hands of run
	// current is the transaction of the epoch that is being produced; epochs are
	// produced one after the other.
	current opened
}

// opened is a transaction that no record is in.
type opened struct {
	k        int
	producer Producer
}

func newTransactionLane(w *writer) *transactionLane {
	l := &transactionLane{w: w, free: make(chan int, poolSize), ahead: make(chan opened)}
	for k := range poolSize {
		l.free <- k
	}
	w.wait.Go(func() { l.run(w.running) })
	return l
}

// run opens the next transaction while the current one is written (step 1).
func (l *transactionLane) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case k := <-l.free:
			p, err := l.initialise(ctx, k)
			if err != nil {
				l.w.fail(err)
				return
			}
			select {
			case l.ahead <- opened{k, p}:
			case <-ctx.Done():
				p.Close()
				return
			}
		}
	}
}

func (l *transactionLane) names() names {
	return names{l.w.opts.prefix, l.w.ctx.Job, l.w.ctx.Operator}
}

// initialise opens a client of its own for an id: whatever was open under the id
// is over then, and whoever wrote it is fenced.
func (l *transactionLane) initialise(ctx context.Context, k int) (Producer, error) {
	s := l.w.opts.producer(l.w.ctx.Subtask)
	s.TransactionalID = l.names().id(l.w.ctx.Subtask, k, l.w.ctx.Attempt)
	s.TimeoutMillis = l.w.opts.timeoutMillis
	for pause := doubtPauseMin; ; pause = min(2*pause, doubtPauseMax) {
		p, err := l.w.cluster.Producer(ctx, s)
		if err == nil || failure.ClassOf(err).Retry != failure.Backoff {
			return p, err
		}
		l.w.warn("to initialise "+s.TransactionalID, err)
		if !sleep(ctx, pause) {
			return nil, err
		}
	}
}

// open implements lane.
func (l *transactionLane) open(ctx context.Context) (Producer, error) {
	select {
	case l.current = <-l.ahead:
		return l.current.producer, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// seal implements lane: it makes the transaction one that survives its client.
func (l *transactionLane) seal(ctx context.Context, e *epoch, p Producer) ([]byte, error) {
	e.pooled, l.current = l.current.k, opened{}
	defer p.Close() // step 6; before it is acknowledged nothing of it is in flight
	if err := p.Flush(ctx); err != nil {
		return nil, fmt.Errorf("checkpoint %d: %w", e.checkpoint, err)
	}
	if err := e.settle(ctx); err != nil {
		return nil, err
	}
	close(e.flushed)
	l.w.steps.Add(1)
	c := l.committable(e, p.Transaction())
	if err := l.w.cluster.Mark(ctx, p.Transaction(), l.marker(c)); err != nil { // step 4
		return nil, fmt.Errorf("%s: %w", c, err)
	}
	if err := p.Unchanged(ctx); err != nil { // step 5
		return nil, fmt.Errorf("%s: %w", c, err)
	}
	c.covers(p.Written())
	return c.encode()
}

func (l *transactionLane) committable(e *epoch, t Transaction) *committable {
	return &committable{
		TransactionalID: t.TransactionalID, MarkerGroup: l.names().group(l.w.ctx.Subtask, e.pooled), ProducerID: t.ProducerID, Epoch: t.Epoch, TransactionVersion: t.Version,
		Checkpoint: e.checkpoint, Topic: l.w.opts.topic, FirstRecordMillis: e.firstMillis,
		TimeoutMillis: l.w.opts.timeoutMillis, Rows: e.rows, Attempt: l.w.ctx.Attempt,
	}
}

// marker is the proof of the commit, for programs by its offset, for people by
// its text.
func (l *transactionLane) marker(c *committable) Marker {
	text := fmt.Sprintf("job=%s checkpoint=%d operator=%s subtask=%d attempt=%d rows=%d",
		l.w.ctx.Job, c.Checkpoint, l.w.ctx.Operator, l.w.ctx.Subtask, c.Attempt, c.Rows)
	return Marker{Group: c.group(), Topic: c.Topic, Offset: int64(c.Checkpoint), Metadata: text[:min(len(text), metadataBytesMax)]}
}

// confirmed implements lane: the id may be used again.
func (l *transactionLane) confirmed(e *epoch) { l.free <- e.pooled }

// close implements lane. A transaction that was being written stays open; it is
// in no checkpoint, and a restore aborts it.
func (l *transactionLane) close() {
	if l.current.producer != nil {
		l.current.producer.Close()
	}
}
