// Package union merges inputs of one schema: it hands every batch on as it
// came. Which input's rows come first is free; within an input the order stays.
//
// It is not the union of two sets: nothing is compared.
package union

import (
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
)

// Register adds the operator of this folder.
func Register(r *operators.Registry) { r.Register(jobgraph.KindUnion, New) }

// Union passes batches through. It has no state and holds nothing back.
type Union struct {
	ctx   *operators.Context
	batch *stream.Batch
	from  int
}

// New makes a union. It is an operators.Factory.
func New(*jobgraph.OperatorSpec) (operators.Operator, error) { return &Union{}, nil }

// Open checks that the inputs have one schema.
func (u *Union) Open(ctx *operators.Context) error {
	u.ctx = ctx
	for i, in := range ctx.Inputs {
		if !in.Equal(ctx.Output) {
			return failure.Userf("union %s: input %d is %s, want %s", ctx.Operator, i, in, ctx.Output)
		}
	}
	return nil
}

// Process takes a batch to hand on.
func (u *Union) Process(_ int, b *stream.Batch) error {
	if b.Rows() > 0 {
		u.batch, u.from = b.Retain(), 0
	}
	return nil
}

// Advance does nothing: event time passes through.
func (u *Union) Advance(stream.Watermark) error { return nil }

// Flush does nothing: no row is held back.
func (u *Union) Flush() error { return nil }

// Next hands the batch on, whole unless it is larger than what may be emitted.
func (u *Union) Next() (operators.Output, error) {
	if u.batch == nil {
		return operators.Output{}, nil
	}
	b := u.batch
	if u.from == 0 && b.Rows() <= u.ctx.RowsMax {
		u.batch = nil
		return operators.Output{Batch: b}, nil
	}
	to := min(u.from+u.ctx.RowsMax, b.Rows())
	part := operators.Slice(b, u.from, to)
	if u.from = to; to == b.Rows() {
		b.Release()
		u.batch = nil
	}
	return operators.Output{Batch: part}, nil
}

// Close releases what nobody took.
func (u *Union) Close() error {
	u.batch.Release()
	u.batch = nil
	return nil
}
