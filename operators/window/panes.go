package window

import (
	"slices"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// firedColumn has, for a row of a pane, the last window in which the row was: its
// end as a code of which zero is before all windows.
var firedColumn = statebackend.ColumnSpec{Name: "fired", Type: types.Of(types.BigInt)}

const firedNever = 0

func firedCode(end int64) uint64 { return uint64(end) ^ 1<<63 }

// panes makes windows of panes: a row is folded once, into its pane, and panes are
// merged when a window fires, as the slices of Flink are. What a pane has goes into
// the merge as partial rows, as if a first phase had made them.
//
// The rows of a hopping window are merged into a table of windows, which they leave
// as they are given out. The panes of a cumulating window are merged into the last
// of them, which is shown, and stays. Which windows a row was in stands in the row:
// so it is in each once, wherever a drain is frozen.
type panes struct {
	shape   Shape
	table   statebackend.ValueTable
	windows statebackend.ValueTable // of hopping windows
	fired   int                     // the word of firedColumn

	plan   *aggregate.Plan
	folder aggregate.Folder
	schema *types.Schema     // of partial rows
	ctx    operators.Context // of the writer
	writer aggregate.Writer
	reader *stream.KeyReader
	slots  []statebackend.Slot
	names  []int64
	codes  []uint64
	keys   int
	merged bool // the first of the windows that are due has its panes
}

func (p *panes) open(a *Aggregate) (err error) {
	p.shape, p.table, p.keys = a.splitter.Shape, a.table, len(a.keys)
	_, p.fired = statebackend.WordOf(a.plan.Columns)
	raw := a.raw()
	local := *a.spec
	local.Partial = false
	if p.schema, err = jobgraph.PartialSchema(&local, raw); err != nil {
		return err
	}
	if p.plan, err = aggregate.NewPlan(aggregate.Input{Calls: a.spec.Aggregates, Raw: raw, Merge: true, MergeFrom: len(a.keys) + 1, Functions: a.ctx.Functions}); err != nil {
		return err
	}
	p.folder.Use(p.plan)
	if p.reader, err = stream.NewKeyReader(p.schema, count(len(a.keys))); err != nil {
		return err
	}
	p.ctx = *a.ctx
	p.ctx.Output, p.ctx.RowsMax = p.schema, aggregate.TileRows
	p.writer = aggregate.NewWriter(&p.ctx, a.types, a.plan.Partial, a.plan.Bytes)
	p.slots = make([]statebackend.Slot, aggregate.TileRows)
	if p.shape.kind == jobgraph.Cumulating {
		return nil
	}
	id := statebackend.TableID{Operator: a.ctx.Operator, Name: "merged"}
	p.windows, err = a.ctx.State.Value(statebackend.ValueSpec{ID: id, Keys: a.types, Namespaced: true, Columns: p.plan.Columns})
	return err
}

// begin marks the new rows of a pane as having been in the windows that are closed.
func (p *panes) begin(part statebackend.Part, slots []statebackend.Slot, pane int64, watermark stream.Watermark) {
	if stream.Watermark(pane-1) > watermark {
		return
	}
	last := pane
	for last < p.shape.Last(pane) && stream.Watermark(last+p.shape.pane-1) <= watermark {
		last += p.shape.pane
	}
	rows := part.Rows()
	for _, s := range slots {
		if w := rows.At(s); aggregate.RowsBehind(w) == 0 {
			w[p.fired] = firedCode(last)
		}
	}
}

// due appends the windows that are closed to the panes that there are, and leaves
// the panes out.
func (p *panes) due(names []int64, before, watermark stream.Watermark) []int64 {
	p.merged = false
	p.names = append(p.names[:0], names...)
	due := names[:0]
	if p.windows != nil {
		due = p.windows.Namespaces(due) // of a drain that was frozen in its middle
	}
	for _, pane := range p.names {
		end := pane
		if before != stream.NoWatermark && stream.Watermark(end-1) <= before {
			end += (int64(before) + 1 - end) / p.shape.pane * p.shape.pane // the last that was closed before
			end = max(end, pane)
		}
		for last := p.shape.Last(pane); end <= last && stream.Watermark(end-1) <= watermark; end += p.shape.pane {
			if stream.Watermark(end-1) > before || before == stream.NoWatermark {
				due = append(due, end)
			}
		}
	}
	slices.Sort(due)
	return slices.Compact(due)
}

// merge brings the rows of a window's panes together that have not been in it, and
// forgets panes that are in no later one.
func (p *panes) merge(a *Aggregate, end int64) error {
	if p.merged {
		return nil
	}
	p.merged = true
	p.names = p.table.Namespaces(p.names[:0])
	for _, pane := range p.names {
		if pane > end || pane <= p.shape.Start(end) {
			continue
		}
		if p.shape.kind == jobgraph.Cumulating {
			if pane == end {
				continue
			}
			if err := p.mergePane(pane, p.table.Part(end, true), firedNever); err != nil {
				return err
			}
			p.table.Drop(pane)
			continue
		}
		if err := p.mergePane(pane, p.windows.Part(end, true), firedCode(end)); err != nil {
			return err
		}
		if p.shape.Last(pane) <= end {
			p.table.Drop(pane)
		}
	}
	return nil
}

// mergePane merges rows of a pane into a part: with a code, those that were in no
// window as late as it names, which they are then; without, all.
func (p *panes) mergePane(pane int64, to statebackend.Part, code uint64) error {
	part := p.table.Part(pane, false)
	for from := statebackend.Slot(0); part != nil; {
		n, next := part.Scan(from, p.slots[:p.writer.RowsMax()])
		if n == 0 {
			return nil
		}
		from = next
		slots := p.slots[:n]
		if code != firedNever {
			slots = p.pass(part, slots, code)
		}
		if len(slots) == 0 {
			continue
		}
		p.keep(part, slots)
		b, err := p.writer.Begin(part, slots)
		if err != nil {
			return err
		}
		at := p.keys
		b.Columns[at] = constantTime(&p.ctx, at, pane, len(slots))
		if err := p.writer.Finish(b, part, slots, at+1); err != nil {
			return err
		}
		err = p.fold(to, b)
		b.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// pass returns those of the rows that have not been in a window, and says that now
// they have.
func (p *panes) pass(part statebackend.Part, slots []statebackend.Slot, code uint64) []statebackend.Slot {
	rows, n := part.Rows(), 0
	for _, s := range slots {
		if w := rows.At(s); w[p.fired] < code {
			w[p.fired] = code
			slots[n] = s
			n++
		}
	}
	part.Touch(slots[:n])
	return slots[:n]
}

func (p *panes) fold(to statebackend.Part, b *stream.Batch) error {
	slots := p.slots[:b.Rows()] // what stood there is in the batch
	if _, err := to.Upsert(p.reader.Read(b), slots); err != nil {
		return err
	}
	if p.windows == nil {
		p.inherit(to, slots)
	}
	return p.folder.Fold(to, b, 0, slots)
}

// keep takes down in which windows rows were, that are about to be merged.
func (p *panes) keep(part statebackend.Part, slots []statebackend.Slot) {
	rows := part.Rows()
	p.codes = p.codes[:0]
	for _, s := range slots {
		p.codes = append(p.codes, rows.At(s)[p.fired])
	}
}

// inherit gives the new rows of a pane what was kept: they may have come too late for
// its window, too.
func (p *panes) inherit(part statebackend.Part, slots []statebackend.Slot) {
	rows := part.Rows()
	for i, s := range slots {
		if w := rows.At(s); aggregate.RowsBehind(w) == 0 {
			w[p.fired] = p.codes[i]
		}
	}
}

func (p *panes) close() { p.writer.Close() }

// show returns the next rows of a cumulating window, which stay where they are.
func (a *Aggregate) show(end int64) (*stream.Batch, error) {
	part := a.table.Part(end, false)
	for part != nil {
		n, next := part.Scan(a.cursor, a.slots[:a.output.RowsMax()])
		if n == 0 {
			break
		}
		a.cursor = next
		if slots := a.panes.pass(part, a.slots[:n], firedCode(end)); len(slots) > 0 {
			return a.rows(part, slots, end)
		}
	}
	if a.splitter.Last(end) == end {
		a.table.Drop(end)
	}
	a.done()
	return nil, nil
}

// clocked is an aggregate in processing time: it fires by the clock, and event time
// does not concern it.
type clocked struct {
	*Aggregate
	woken int64 // when it was woken last
}

// Advance does nothing.
func (c *clocked) Advance(stream.Watermark) error { return nil }

// WakeAt returns when the first window ends. Where clocks are put back that may have
// to be asked again.
func (c *clocked) WakeAt() (at int64, ok bool) {
	c.due = c.table.Namespaces(c.due[:0])
	if len(c.due) == 0 {
		return 0, false
	}
	end := c.due[0]
	for end < c.splitter.Last(c.due[0]) && stream.Watermark(end-1) <= c.watermark {
		end += c.splitter.pane
	}
	c.due = c.due[:0]
	if at = c.splitter.zone.until(end); at <= c.woken {
		at = c.woken + retryMillis
	}
	return at, true
}

// Wake fires the windows that have ended.
func (c *clocked) Wake(now int64) error {
	c.woken = now
	c.advance(c.splitter.zone.passed(stream.Watermark(now - 1)))
	return nil
}

var _ operators.Clocked = (*clocked)(nil)
