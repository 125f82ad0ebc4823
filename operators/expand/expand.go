// Package expand gives each row once for each grouping set, with columns that are
// NULL there and a number that tells the sets apart.
//
// A batch leaves once a set: its vectors are handed through, and constants put in
// for the others. Rows keep their kinds and their order within a set, which is what
// the aggregate behind, whose key has the number, goes by. It keeps no state.
package expand

import (
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
)

// Register adds the operator of this folder.
func Register(r *operators.Registry) { r.Register(jobgraph.KindExpand, New) }

// Expand is the operator.
type Expand struct {
	spec *jobgraph.ExpandSpec
	ctx  *operators.Context

	batch *stream.Batch // nil: no row is left
	set   int           // the next
	from  int           // the next row of it
}

// New makes it. It is an operators.Factory.
func New(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	spec := o.Body.(*jobgraph.ExpandSpec)
	if len(spec.Sets) == 0 {
		return nil, failure.Userf("expand %s has no grouping sets", o.UID)
	}
	return &Expand{spec: spec}, nil
}

// Open checks the columns.
func (e *Expand) Open(ctx *operators.Context) error {
	e.ctx = ctx
	for _, set := range e.spec.Sets {
		for _, c := range set.Nulls {
			if c < 0 || c >= ctx.Inputs[0].Len() {
				return failure.Userf("expand %s: the input has no column %d", ctx.Operator, c)
			}
		}
	}
	return nil
}

// Process takes a batch.
func (e *Expand) Process(_ int, b *stream.Batch) error {
	if b.Rows() > 0 {
		e.batch, e.set, e.from = b.Retain(), 0, 0
	}
	return nil
}

// Advance does nothing: event time passes through.
func (e *Expand) Advance(stream.Watermark) error { return nil }

// Flush does nothing: no row is held back.
func (e *Expand) Flush() error { return nil }

// Next gives the next rows of a set.
func (e *Expand) Next() (operators.Output, error) {
	if e.batch == nil {
		return operators.Output{}, nil
	}
	set := &e.spec.Sets[e.set]
	to := min(e.from+e.ctx.RowsMax, e.batch.Rows())
	part := operators.Slice(e.batch, e.from, to)
	defer part.Release()
	if e.from = to; to == e.batch.Rows() {
		if e.set, e.from = e.set+1, 0; e.set == len(e.spec.Sets) {
			e.batch.Release()
			e.batch = nil
		}
	}
	return operators.Output{Batch: e.rows(part, set)}, nil
}

func (e *Expand) rows(b *stream.Batch, set *jobgraph.GroupingSet) *stream.Batch {
	out := e.ctx.Pool.NewBatch(e.ctx.Output, b.Len())
	b.ShareRows(out)
	n := len(b.Columns)
	for i := range n {
		b.Columns[i].Retain()
		out.Columns[i] = b.Columns[i]
	}
	for _, c := range set.Nulls {
		out.Columns[c].Release()
		out.Columns[c] = stream.NullOf(e.ctx.Pool, e.ctx.Output.Fields[c].Type, b.Len())
	}
	one := stream.NewFixed(e.ctx.Pool, e.ctx.Output.Fields[n].Type, 1)
	defer one.Release()
	stream.Values[int64](&one)[0] = set.ID
	out.Columns[n] = stream.ConstantOf(e.ctx.Pool, &one, 0, b.Len())
	return out
}

// Close releases what nobody took.
func (e *Expand) Close() error {
	e.batch.Release()
	e.batch = nil
	return nil
}
