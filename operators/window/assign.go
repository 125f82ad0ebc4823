package window

import (
	"fmt"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
	"millrace/types"
)

// Assign gives rows the windows that they fall into, as columns: a row of a hopping
// or cumulating window leaves once for each. It keeps no state. The vectors of the
// input are handed through; a batch leaves once for each place that a window can
// have among those of a row.
type Assign struct {
	spec     *jobgraph.WindowAssignSpec
	ctx      *operators.Context
	splitter splitter

	batch *stream.Batch // rows that are in windows, nil: none are left
	panes []int64       // the end of the pane of each selected row
	part  int64         // the next place
	from  int           // the next row of it
	sel   []int32
}

// NewAssign makes it. It is an operators.Factory.
func NewAssign(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	spec := o.Body.(*jobgraph.WindowAssignSpec)
	if k := spec.Window.Kind; k == jobgraph.Session || k == jobgraph.Attached {
		return nil, failure.Userf("window assign %s: %s windows can't be assigned", o.UID, k)
	}
	if err := Check(&spec.Window); err != nil {
		return nil, failure.Userf("window assign %s: %w", o.UID, err)
	}
	return &Assign{spec: spec}, nil
}

// Open checks the time column.
func (a *Assign) Open(ctx *operators.Context) (err error) {
	a.ctx = ctx
	if !a.spec.Window.Processing {
		err = checkColumn(a.spec.Time, ctx.Inputs[0], true)
	}
	if err == nil {
		a.splitter, err = newSplitter(&a.spec.Window, a.spec.Time, ctx.Inputs[0], ctx.Time)
	}
	if err != nil {
		return failure.Userf("window assign %s: %w", ctx.Operator, err)
	}
	return nil
}

// Process finds the panes of a batch's rows.
func (a *Assign) Process(_ int, b *stream.Batch) error {
	a.batch = a.timed(b)
	if a.batch.Rows() == 0 {
		a.batch.Release()
		a.batch = nil
		return nil
	}
	times, err := a.splitter.read(a.batch)
	if err != nil {
		return fmt.Errorf("window assign %s: %w", a.ctx.Operator, err)
	}
	a.panes = a.panes[:0]
	for _, t := range times {
		if !Covers(t) {
			return failure.Userf("window assign %s: time column %s has a value beyond the times that windows cover", a.ctx.Operator, a.splitter.name)
		}
		a.panes = append(a.panes, a.splitter.End(t))
	}
	a.part, a.from = 0, 0
	return nil
}

// timed returns the rows that have a time; others are in no window.
func (a *Assign) timed(b *stream.Batch) *stream.Batch {
	if a.spec.Window.Processing {
		return b.Retain()
	}
	v := &b.Columns[a.spec.Time]
	if !v.HasNulls() && v.Encoding != stream.Dictionary {
		return b.Retain()
	}
	a.sel = a.sel[:0]
	for i := range b.Rows() {
		if row := b.Row(i); !v.IsNull(row) {
			a.sel = append(a.sel, int32(row))
		}
	}
	a.ctx.Counts.Filtered += int64(b.Rows() - len(a.sel))
	if len(a.sel) == b.Rows() {
		return b.Retain()
	}
	return operators.Select(b, a.sel)
}

// Advance does nothing: event time passes through.
func (a *Assign) Advance(stream.Watermark) error { return nil }

// Flush does nothing: no row is held back.
func (a *Assign) Flush() error { return nil }

// Next gives the next rows of a place.
func (a *Assign) Next() (operators.Output, error) {
	for a.batch != nil {
		to := min(a.from+a.ctx.RowsMax, a.batch.Rows())
		b := a.rows(a.from, to)
		if a.from = to; to == a.batch.Rows() {
			if a.part, a.from = a.part+1, 0; a.part == a.splitter.Parts() {
				a.batch.Release()
				a.batch = nil
			}
		}
		if b != nil {
			return operators.Output{Batch: b}, nil
		}
	}
	return operators.Output{}, nil
}

// rows returns those of the selected rows from, ..., to-1 that have a window in the
// place, nil where none has.
func (a *Assign) rows(from, to int) *stream.Batch {
	a.sel = a.sel[:0]
	shift := a.part * a.splitter.pane
	for i, pane := range a.panes[from:to] {
		if pane+shift <= a.splitter.Last(pane) {
			a.sel = append(a.sel, int32(from+i))
		}
	}
	if len(a.sel) == 0 {
		return nil
	}
	pool, fields := a.ctx.Pool, a.ctx.Output.Fields
	out := pool.NewBatch(a.ctx.Output, a.batch.Len())
	a.batch.ShareRows(out)
	n := len(a.batch.Columns)
	for i := range n {
		a.batch.Columns[i].Retain()
		out.Columns[i] = a.batch.Columns[i]
	}
	var columns [3][]int64
	for k := range columns {
		out.Columns[n+k] = stream.NewFixed(pool, fields[n+k].Type, a.batch.Len())
		columns[k] = stream.Values[int64](&out.Columns[n+k])
		clear(columns[k])
	}
	buf := pool.Get(4 * len(a.sel))
	sel := stream.Int32s(buf)
	for k, i := range a.sel {
		row, end := a.batch.Row(int(i)), a.panes[i]+shift
		sel[k] = int32(row)
		columns[0][row], columns[1][row], columns[2][row] = a.splitter.Start(end), end, a.time(end-1, fields[n+2].Type)
	}
	out.SetSel(buf, len(a.sel))
	return out
}

// time returns the last millisecond of a window as a time attribute.
func (a *Assign) time(local int64, t types.Type) int64 {
	if t.Kind == types.TimestampLTZ {
		return a.splitter.zone.until(local)
	}
	return local
}

// Close releases what nobody took.
func (a *Assign) Close() error {
	a.batch.Release()
	a.batch = nil
	return nil
}
