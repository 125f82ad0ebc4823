package rank

import (
	"millrace/operators"
	"millrace/stream"
	"millrace/types"
)

// writer makes batches of rows of a pool.
type writer struct {
	ctx       *operators.Context
	builders  []*stream.Builder // of the input's columns
	positions []int32
	// rows is how many to put into a batch: less than RowsMax where they are long.
	rows     int
	variable bool
}

func (w *writer) open(ctx *operators.Context) {
	w.ctx, w.rows = ctx, ctx.RowsMax
	for _, f := range ctx.Output.Fields[:ctx.Inputs[0].Len()] {
		w.builders = append(w.builders, stream.NewBuilder(ctx.Pool, f.Type, min(ctx.RowsMax, chunkRows)))
		w.variable = w.variable || f.Type.Layout() == types.LayoutBytes
	}
	if w.variable {
		w.rows = min(ctx.RowsMax, firstRows)
	}
}

// write returns a batch of changes over the pool.
func (w *writer) write(pool *stream.Batch, changes []change) *stream.Batch {
	w.positions = w.positions[:0]
	for _, c := range changes {
		w.positions = append(w.positions, c.row)
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
			ranks[i] = c.rank
		}
	}
	w.kinds(b, changes)
	if w.variable {
		w.rows = min(max(stream.BatchBytesTarget/max(b.SizeBytes()/len(changes), 1), 1), w.ctx.RowsMax)
	}
	return b
}

func (w *writer) kinds(b *stream.Batch, changes []change) {
	for _, c := range changes {
		if c.kind != stream.Insert {
			kinds := b.MakeKinds()
			for i, c := range changes {
				kinds[i] = c.kind
			}
			return
		}
	}
}

func (w *writer) close() {
	for _, b := range w.builders {
		b.Close()
	}
}

// give returns the next changes as a batch.
func (r *Rank) give() *stream.Batch {
	to := min(r.at+r.output.rows, len(r.changes))
	b := r.output.write(r.pool, r.changes[r.at:to])
	r.at = to
	return b
}
