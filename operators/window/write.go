package window

import (
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// keyed is a table whose rows become output: statebackend.Part and Local's own
// table are.
type keyed interface {
	accumulators
	AppendKeys(slots []statebackend.Slot, to *stream.KeyBuilder) error
}

// writer makes output batches of table rows.
type writer struct {
	ctx      *operators.Context
	emitters []emitter
	keys     *stream.KeyBuilder
	nkeys    int
	// rows is how many to put into a batch: less than RowsMax where they are long.
	rows     int
	variable bool
}

// firstRows is the size of a first batch of rows whose length nobody knows.
const firstRows = 256

func newWriter(ctx *operators.Context, keys []types.Type, emitters []emitter, bytes bool) writer {
	w := writer{ctx: ctx, emitters: emitters, nkeys: len(keys), rows: ctx.RowsMax, variable: bytes}
	w.keys = stream.NewKeyBuilder(ctx.Pool, keys, min(ctx.RowsMax, tileRows))
	for _, t := range keys {
		w.variable = w.variable || t.Layout() == types.LayoutBytes
	}
	if w.variable {
		w.rows = min(ctx.RowsMax, firstRows)
	}
	return w
}

func (w *writer) rowsMax() int { return w.rows }

// window returns final rows: keys, window_start, window_end, aggregates.
func (w *writer) window(table keyed, slots []statebackend.Slot, end, size int64) (*stream.Batch, error) {
	b, err := w.begin(table, slots)
	if err != nil {
		return nil, err
	}
	b.Columns[w.nkeys] = constantTime(w.ctx, w.nkeys, end-size, len(slots))
	b.Columns[w.nkeys+1] = constantTime(w.ctx, w.nkeys+1, end, len(slots))
	w.finish(b, table, slots, w.nkeys+2)
	return b, nil
}

// partial returns partial rows: keys, window_end, accumulators, rows.
func (w *writer) partial(table *table, slots []statebackend.Slot) (*stream.Batch, error) {
	b, err := w.begin(table, slots)
	if err != nil {
		return nil, err
	}
	ends := stream.NewFixed(w.ctx.Pool, w.ctx.Output.Fields[w.nkeys].Type, len(slots))
	for i, s := range slots {
		stream.Values[int64](&ends)[i] = table.end(s)
	}
	b.Columns[w.nkeys] = ends
	w.finish(b, table, slots, w.nkeys+1)
	return b, nil
}

// begin makes a batch with its key columns.
func (w *writer) begin(table keyed, slots []statebackend.Slot) (*stream.Batch, error) {
	if err := table.AppendKeys(slots, w.keys); err != nil {
		return nil, err
	}
	b := w.ctx.Pool.NewBatch(w.ctx.Output, len(slots))
	for i := range w.nkeys {
		b.Columns[i] = w.keys.Finish(i)
	}
	return b, nil
}

func (w *writer) finish(b *stream.Batch, table keyed, slots []statebackend.Slot, column int) {
	for i := range w.emitters {
		b.Columns[column+i] = w.emitters[i].emit(w.ctx.Pool, table, slots)
	}
	if w.variable {
		row := max(b.SizeBytes()/len(slots), 1)
		w.rows = min(max(stream.BatchBytesTarget/row, 1), w.ctx.RowsMax)
	}
}

func (w *writer) close() {
	if w.keys != nil {
		w.keys.Close()
	}
}

// constantTime returns a column of n equal times.
func constantTime(ctx *operators.Context, column int, t int64, n int) stream.Vector {
	one := stream.NewFixed(ctx.Pool, ctx.Output.Fields[column].Type, 1)
	stream.Values[int64](&one)[0] = t
	defer one.Release()
	return stream.ConstantOf(ctx.Pool, &one, 0, n)
}
