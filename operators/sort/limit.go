package sort

import (
	"fmt"
	"math"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
)

// Limit passes some rows on, by their number.
type Limit struct {
	ctx      *operators.Context
	from, to int64 // the numbers of rows, counted from 0, that pass
	seen     counter
	done     bool // to has been reached: nothing needs to be counted
	batch    *stream.Batch
	at       int
}

// NewLimit makes a limit. It is an operators.Factory.
func NewLimit(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	s := o.Body.(*jobgraph.LimitSpec)
	if s.Offset < 0 || s.Count < 0 {
		return nil, failure.Userf("limit %s: offset %d and count %d must not be negative", o.UID, s.Offset, s.Count)
	}
	l := &Limit{from: s.Offset, to: math.MaxInt64}
	if s.Count > 0 && s.Count < math.MaxInt64-s.Offset {
		l.to = s.Offset + s.Count
	}
	return l, nil
}

// Open declares the table.
func (l *Limit) Open(ctx *operators.Context) error {
	l.ctx = ctx
	if err := l.seen.open(ctx, "seen"); err != nil {
		return fmt.Errorf("limit %s: %w", ctx.Operator, err)
	}
	return nil
}

// Process keeps the rows whose numbers are in the range.
func (l *Limit) Process(_ int, b *stream.Batch) error {
	if err := insertsOnly(b); err != nil {
		return fmt.Errorf("limit %s: %w", l.ctx.Operator, err)
	}
	n := int64(b.Rows())
	if l.done {
		l.ctx.Counts.Filtered += n
		return nil
	}
	seen, err := l.seen.add(int(n))
	if err != nil {
		return fmt.Errorf("limit %s: %w", l.ctx.Operator, err)
	}
	from, to := min(max(l.from-seen, 0), n), min(max(l.to-seen, 0), n)
	l.done = to < n
	l.ctx.Counts.Filtered += n - (to - from)
	if from < to {
		l.batch, l.at = operators.Slice(b, int(from), int(to)), 0
	}
	return nil
}

// Advance does nothing: event time passes through.
func (l *Limit) Advance(stream.Watermark) error { return nil }

// Flush does nothing: no row is held back.
func (l *Limit) Flush() error { return nil }

// Next hands the rows on.
func (l *Limit) Next() (operators.Output, error) {
	if l.batch == nil {
		return operators.Output{}, nil
	}
	to := min(l.at+l.ctx.RowsMax, l.batch.Rows())
	part := operators.Slice(l.batch, l.at, to)
	if l.at = to; to == l.batch.Rows() {
		l.batch.Release()
		l.batch = nil
	}
	return operators.Output{Batch: part}, nil
}

// Close releases what nobody took.
func (l *Limit) Close() error {
	l.batch.Release()
	l.batch = nil
	return nil
}
