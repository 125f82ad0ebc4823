package changelog

import (
	"millrace/expr"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
)

// Register adds the operators of this folder. The functions are those that a filter may call.
func Register(r *operators.Registry, functions *expr.Registry) {
	r.Register(jobgraph.KindChangelogNormalize, NormalizeFactory(functions))
	r.Register(jobgraph.KindSinkMaterialize, NewMaterialize)
	r.Register(jobgraph.KindDropUpdateBefore, NewDropUpdateBefore)
}

// DropUpdateBefore passes rows on that are no -U. It has no state and holds nothing back.
type DropUpdateBefore struct {
	ctx   *operators.Context
	sel   []int32
	batch *stream.Batch
	from  int
}

// NewDropUpdateBefore makes the operator. It is an operators.Factory.
func NewDropUpdateBefore(*jobgraph.OperatorSpec) (operators.Operator, error) {
	return &DropUpdateBefore{}, nil
}

// Open keeps the context.
func (d *DropUpdateBefore) Open(ctx *operators.Context) error {
	d.ctx = ctx
	return nil
}

// Process selects the rows to be passed on. No value moves.
func (d *DropUpdateBefore) Process(_ int, b *stream.Batch) error {
	d.from = 0
	kinds := b.Kinds()
	if kinds == nil {
		d.batch = b.Retain()
		return nil
	}
	d.sel = d.sel[:0]
	for i := range b.Rows() {
		if row := b.Row(i); kinds[row] != stream.UpdateBefore {
			d.sel = append(d.sel, int32(row))
		}
	}
	d.ctx.Counts.Filtered += int64(b.Rows() - len(d.sel))
	switch len(d.sel) {
	case 0:
	case b.Rows():
		d.batch = b.Retain()
	default:
		d.batch = operators.Select(b, d.sel)
	}
	return nil
}

// Advance does nothing: event time passes through.
func (d *DropUpdateBefore) Advance(stream.Watermark) error { return nil }

// Flush does nothing: no row is held back.
func (d *DropUpdateBefore) Flush() error { return nil }

// Next hands the rows on.
func (d *DropUpdateBefore) Next() (operators.Output, error) {
	if d.batch == nil {
		return operators.Output{}, nil
	}
	to := min(d.from+d.ctx.RowsMax, d.batch.Rows())
	part := operators.Slice(d.batch, d.from, to)
	if d.from = to; to == d.batch.Rows() {
		d.batch.Release()
		d.batch = nil
	}
	return operators.Output{Batch: part}, nil
}

// Close releases what nobody took.
func (d *DropUpdateBefore) Close() error {
	d.batch.Release()
	d.batch = nil
	return nil
}
