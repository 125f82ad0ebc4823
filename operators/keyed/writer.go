package keyed

import (
	"millrace/operators"
	"millrace/stream"
	"millrace/types"
)

// Change is a row of the output.
type Change struct {
	Rank int64 // of a rank that is given
	Row  int32 // of the pool
	Kind stream.RowKind
}

// Writer makes batches of rows of a pool. It is for one goroutine.
type Writer struct {
	ctx       *operators.Context
	builders  []*stream.Builder // of the input's columns
	positions []int32
	// rows is how many to put into a batch: less than RowsMax where they are long.
	rows     int
	variable bool
}

// Open makes the writer ready: its batches have the columns of the operator's input, and behind them the rank where the
// output has a column more.
func (w *Writer) Open(ctx *operators.Context) {
	w.ctx, w.rows = ctx, ctx.RowsMax
	for _, f := range ctx.Output.Fields[:ctx.Inputs[0].Len()] {
		w.builders = append(w.builders, stream.NewBuilder(ctx.Pool, f.Type, min(ctx.RowsMax, firstRows)))
		w.variable = w.variable || f.Type.Layout() == types.LayoutBytes
	}
	if w.variable {
		w.rows = min(ctx.RowsMax, firstRows)
	}
}

// RowsMax is how many rows the next batch may have.
func (w *Writer) RowsMax() int { return w.rows }

// Write returns a batch of changes over the pool, of which there is one at least.
func (w *Writer) Write(pool *stream.Batch, changes []Change) *stream.Batch {
	w.positions = w.positions[:0]
	for _, c := range changes {
		w.positions = append(w.positions, c.Row)
	}
	b := w.ctx.Pool.NewBatch(w.ctx.Output, len(changes))
	for c, builder := range w.builders {
		builder.AppendRows(&pool.Columns[c], w.positions)
		b.Columns[c] = builder.Finish()
	}
	if n := len(w.builders); n < w.ctx.Output.Len() {
		b.Columns[n] = stream.NewFixed(w.ctx.Pool, w.ctx.Output.Fields[n].Type, len(changes))
		ranks := stream.Values[int64](&b.Columns[n])
		for i, c := range changes {
			ranks[i] = c.Rank
		}
	}
	w.kinds(b, changes)
	if w.variable {
		w.rows = min(max(stream.BatchBytesTarget/max(b.SizeBytes()/len(changes), 1), 1), w.ctx.RowsMax)
	}
	return b
}

func (w *Writer) kinds(b *stream.Batch, changes []Change) {
	for _, c := range changes {
		if c.Kind != stream.Insert {
			kinds := b.MakeKinds()
			for i, c := range changes {
				kinds[i] = c.Kind
			}
			return
		}
	}
}

// Close gives back what the writer holds.
func (w *Writer) Close() {
	for _, b := range w.builders {
		b.Close()
	}
}

// Builders returns a builder for each column of a schema, NULL allowed in all.
func Builders(pool *stream.Pool, s *types.Schema) []*stream.Builder {
	bs := make([]*stream.Builder, s.Len())
	for i, f := range s.Fields {
		bs[i] = stream.NewBuilder(pool, f.Type.AsNullable(), firstRows)
	}
	return bs
}

// Columns returns the types of columns of a schema.
func Columns(s *types.Schema, columns []int) []types.Type {
	ts := make([]types.Type, len(columns))
	for i, c := range columns {
		ts[i] = s.Fields[c].Type
	}
	return ts
}
