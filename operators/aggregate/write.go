package aggregate

import (
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Keyed is a table whose rows become output: statebackend.Part and Table are.
type Keyed interface {
	Accumulators
	AppendKeys(slots []statebackend.Slot, to *stream.KeyBuilder) error
}

// Writer makes output batches of table rows: their keys, columns that the caller
// fills, and what the emitters give.
type Writer struct {
	ctx      *operators.Context
	emitters []Emitter
	keys     *stream.KeyBuilder
	nkeys    int
	// rows is how many to put into a batch: less than RowsMax where they are long.
	rows     int
	variable bool
}

// firstRows is the size of a first batch of rows whose length nobody knows.
const firstRows = 256

// NewWriter makes a writer of the operator's output; bytes tells whether what the
// emitters give has variable length.
func NewWriter(ctx *operators.Context, keys []types.Type, emitters []Emitter, bytes bool) Writer {
	w := Writer{ctx: ctx, emitters: emitters, nkeys: len(keys), rows: ctx.RowsMax, variable: bytes}
	w.keys = stream.NewKeyBuilder(ctx.Pool, keys, min(ctx.RowsMax, TileRows))
	for _, t := range keys {
		w.variable = w.variable || t.Layout() == types.LayoutBytes
	}
	if w.variable {
		w.rows = min(ctx.RowsMax, firstRows)
	}
	return w
}

// RowsMax is how many rows to put into the next batch.
func (w *Writer) RowsMax() int { return w.rows }

// Begin makes a batch with its key columns, 0, 1, ...
func (w *Writer) Begin(table Keyed, slots []statebackend.Slot) (*stream.Batch, error) {
	if err := table.AppendKeys(slots, w.keys); err != nil {
		return nil, err
	}
	b := w.ctx.Pool.NewBatch(w.ctx.Output, len(slots))
	for i := range w.nkeys {
		b.Columns[i] = w.keys.Finish(i)
	}
	return b, nil
}

// Finish fills the columns from column on. After an error the batch has been released.
func (w *Writer) Finish(b *stream.Batch, table Keyed, slots []statebackend.Slot, column int) (err error) {
	for i := range w.emitters {
		if b.Columns[column+i], err = w.emitters[i].Result(w.ctx.Pool, table, slots); err != nil {
			b.Release()
			return err
		}
	}
	if w.variable {
		row := max(b.SizeBytes()/len(slots), 1)
		w.rows = min(max(stream.BatchBytesTarget/row, 1), w.ctx.RowsMax)
	}
	return nil
}

// Close gives back what is unfinished.
func (w *Writer) Close() {
	if w.keys != nil {
		w.keys.Close()
	}
}
