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
	keys  []int // of the consumer; none: every -U has its +U
	sel   []int32
	batch *stream.Batch
	from  int
}

// NewDropUpdateBefore makes the operator. It is an operators.Factory.
func NewDropUpdateBefore(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	return &DropUpdateBefore{keys: o.Body.(*jobgraph.DropUpdateBeforeSpec).Keys}, nil
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
	deletes := 0
	for i := range b.Rows() {
		row := b.Row(i)
		switch {
		case kinds[row] != stream.UpdateBefore:
		case len(d.keys) == 0 || d.replaced(b, i):
			continue
		default:
			deletes++
		}
		d.sel = append(d.sel, int32(row))
	}
	d.ctx.Counts.Filtered += int64(b.Rows() - len(d.sel))
	switch {
	case len(d.sel) == 0:
	case deletes > 0:
		d.batch = d.deleting(b)
	case len(d.sel) == b.Rows():
		d.batch = b.Retain()
	default:
		d.batch = operators.Select(b, d.sel)
	}
	return nil
}

// replaced tells whether the row behind a -U takes the place of what it takes back.
func (d *DropUpdateBefore) replaced(b *stream.Batch, i int) bool {
	if i+1 == b.Rows() {
		return false
	}
	row, next := b.Row(i), b.Row(i+1)
	if k := b.Kind(next); k != stream.UpdateAfter && k != stream.Insert {
		return false
	}
	for _, c := range d.keys {
		if v := &b.Columns[c]; !stream.EqualValues(v, row, v, next) {
			return false
		}
	}
	return true
}

// deleting returns the rows to be passed on, with -D for each -U among them.
func (d *DropUpdateBefore) deleting(b *stream.Batch) *stream.Batch {
	c := b.Pool().NewBatch(b.Schema, b.Len())
	c.Split = b.Split
	for i := range b.Columns {
		b.Columns[i].Retain()
		c.Columns[i] = b.Columns[i]
	}
	buf := b.Pool().Get(4 * len(d.sel))
	copy(stream.Int32s(buf), d.sel)
	c.SetSel(buf, len(d.sel))
	kinds := c.MakeKinds()
	copy(kinds, b.Kinds())
	for _, row := range d.sel {
		if kinds[row] == stream.UpdateBefore {
			kinds[row] = stream.Delete
		}
	}
	return c
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
