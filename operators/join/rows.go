package join

import (
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// none stands for a row of NULLs among references to rows.
const none int32 = -1

// rows are what references refer to: physical rows of a batch, or slots of a table.
type rows interface {
	// gather appends columns of the rows to builders, NULLs for none.
	gather(at []int32, columns []int, out []*stream.Builder)
}

// batchRows are the rows of a batch, which is borrowed.
type batchRows struct{ *stream.Batch }

func (b batchRows) gather(at []int32, columns []int, out []*stream.Builder) {
	for len(at) > 0 {
		n := 0
		for n < len(at) && at[n] != none {
			n++
		}
		for i, c := range columns {
			out[i].AppendRows(&b.Columns[c], at[:n])
		}
		for at = at[n:]; len(at) > 0 && at[0] == none; at = at[1:] {
			for i := range columns {
				out[i].AppendNull()
			}
		}
	}
}

// tableRows are the rows of a table.
type tableRows struct{ statebackend.SlotRows }

func (t tableRows) gather(at []int32, columns []int, out []*stream.Builder) {
	t.Gather(at, columns, out)
}

// noRows are those of a side that gives no columns.
type noRows struct{}

func (noRows) gather([]int32, []int, []*stream.Builder) {}

// pairs are rows of output, as references to rows of both inputs.
type pairs struct {
	kinds       []stream.RowKind
	left, right []int32
}

func (p *pairs) len() int { return len(p.kinds) }

func (p *pairs) reset() { p.kinds, p.left, p.right = p.kinds[:0], p.left[:0], p.right[:0] }

// add adds the pair of a row of an input and one of the other.
func (p *pairs) add(kind stream.RowKind, input int, mine, other int32) {
	if input == 1 {
		mine, other = other, mine
	}
	p.kinds, p.left, p.right = append(p.kinds, kind), append(p.left, mine), append(p.right, other)
}

// writer makes output batches of pairs.
type writer struct {
	ctx         *operators.Context
	builders    []*stream.Builder
	left, right []int // the columns of each input that come out
	// rows is how many to put into a batch: less than RowsMax where they are long.
	rows     int
	variable bool
}

// newWriter returns a writer of the columns of both inputs, or of the left one only.
func newWriter(ctx *operators.Context, leftOnly bool) *writer {
	w := &writer{ctx: ctx, rows: ctx.RowsMax, left: count(ctx.Inputs[0].Len())}
	if !leftOnly {
		w.right = count(ctx.Inputs[1].Len())
	}
	for _, f := range ctx.Output.Fields {
		w.builders = append(w.builders, stream.NewBuilder(ctx.Pool, f.Type, min(ctx.RowsMax, pairsMax)))
		w.variable = w.variable || f.Type.Layout() >= types.LayoutBytes
	}
	if w.variable {
		w.rows = min(ctx.RowsMax, firstRows)
	}
	return w
}

// count returns 0, 1, ... n-1.
func count(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// batch returns the next pairs from a position on as a batch, and how many they are.
func (w *writer) batch(p *pairs, from int, left, right rows) (*stream.Batch, int) {
	n := min(p.len()-from, w.rows)
	left.gather(p.left[from:from+n], w.left, w.builders[:len(w.left)])
	right.gather(p.right[from:from+n], w.right, w.builders[len(w.left):])
	b := w.ctx.Pool.NewBatch(w.ctx.Output, n)
	for i, c := range w.builders {
		b.Columns[i] = c.Finish()
	}
	setKinds(b, p.kinds[from:from+n])
	if w.variable {
		row := max(b.SizeBytes()/n, 1)
		w.rows = min(max(stream.BatchBytesTarget/row, 1), w.ctx.RowsMax)
	}
	return b, n
}

// setKinds gives the rows of a batch their kinds, where any is not +I.
func setKinds(b *stream.Batch, kinds []stream.RowKind) {
	for _, k := range kinds {
		if k != stream.Insert {
			copy(b.MakeKinds(), kinds)
			return
		}
	}
}

// close gives back what is unfinished.
func (w *writer) close() {
	if w == nil {
		return
	}
	for _, b := range w.builders {
		b.Close()
	}
}
