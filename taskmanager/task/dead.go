package task

import (
	"millrace/connectors"
	"millrace/internal/metrics"
	"millrace/jobgraph"
	"millrace/stream"
)

// DeadLetters collects the records that a reader could not decode, as rows. It
// implements connectors.DeadLetters and belongs to the task's goroutine.
type DeadLetters struct {
	pool     *stream.Pool
	metrics  *metrics.Task
	builders []stream.Builder
}

// NewDeadLetters returns an empty collection.
func NewDeadLetters(p *stream.Pool, m *metrics.Task) *DeadLetters {
	d := &DeadLetters{pool: p, metrics: m, builders: make([]stream.Builder, jobgraph.DeadLetterSchema.Len())}
	for i, f := range jobgraph.DeadLetterSchema.Fields {
		d.builders[i].Init(p, f.Type, 16)
	}
	return d
}

// Put takes a record aside.
func (d *DeadLetters) Put(l connectors.DeadLetter) {
	d.builders[0].AppendString(string(l.Split))
	d.builders[1].AppendString(l.Position)
	d.builders[2].AppendString(l.Reason)
	if l.Raw == nil {
		d.builders[3].AppendNull()
	} else {
		d.builders[3].AppendBytes(l.Raw)
	}
	d.metrics.DeadLetters.Add(1)
}

// take returns what was collected, nil if nothing was.
func (d *DeadLetters) take() *stream.Batch {
	n := d.builders[0].Len()
	if n == 0 {
		return nil
	}
	b := d.pool.NewBatch(jobgraph.DeadLetterSchema, n)
	for i := range d.builders {
		b.Columns[i] = d.builders[i].Finish()
	}
	return b
}

func (d *DeadLetters) close() {
	for i := range d.builders {
		d.builders[i].Close()
	}
}

// sendDead passes dead letters on, before the barrier behind which the reader's
// position includes them. They are few, so they may overdraw a channel.
func (t *Task) sendDead() error {
	if t.Dead == nil {
		return nil
	}
	b := t.Dead.take()
	if b == nil {
		return nil
	}
	defer b.Release()
	for _, o := range t.DeadOutlets {
		if err := o.Rows(b.Share()); err != nil {
			return err
		}
	}
	return nil
}
