package rank

import (
	"fmt"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/keyed"
	"millrace/statebackend"
	"millrace/stream"
)

// emitted says of a key that its row was given for good.
const emitted = keyed.There + 1

// Deduplicate keeps the first or last row of each key.
type Deduplicate struct {
	spec *jobgraph.DeduplicateSpec
	ctx  *operators.Context
	rows keyed.Rows
	best []int64 // of each group: the time of its row

	ordinals  []int32
	watermark stream.Watermark
	timers    statebackend.TimerTable // of rows that the watermark has not reached
	times     []int64
	none      []int64 // namespaces
	setKeys   stream.Keys
	due       statebackend.Due
	pending   bool // timers may be due
	finishing bool
}

// NewDeduplicate makes a deduplicate. It is an operators.Factory.
func NewDeduplicate(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	s := o.Body.(*jobgraph.DeduplicateSpec)
	if s.AppendOnly && (s.Time == jobgraph.NoColumn || s.KeepLast) || s.WindowEnd != jobgraph.NoColumn && s.Time == jobgraph.NoColumn {
		return nil, failure.Userf("deduplicate %s: only the first row by event time can be given once, and windows need a time", o.UID)
	}
	if s.WindowEnd == jobgraph.NoColumn {
		return &Deduplicate{spec: s, watermark: stream.NoWatermark}, nil
	}
	return newRank(&jobgraph.RankSpec{
		Keys: s.Keys, Order: []jobgraph.SortColumn{{Column: s.Time, Descending: s.KeepLast}}, Strategy: jobgraph.AppendFast, From: 1, To: 1,
		ToColumn: jobgraph.NoColumn, WindowEnd: s.WindowEnd,
	}, s.KeepLast), nil
}

// Open declares the tables.
func (d *Deduplicate) Open(ctx *operators.Context) error {
	d.ctx, d.watermark = ctx, ctx.Watermark
	d.ordinals = make([]int32, 0, stream.RowsMax) // nil stands for all
	err := d.rows.Open(ctx, keyed.Spec{
		Name: "rows", Keys: d.spec.Keys, TTL: d.spec.TTL, UpdateBefore: d.spec.UpdateBefore, Silent: d.spec.FinalOnly || d.spec.AppendOnly, Waits: d.spec.AppendOnly,
	})
	if err == nil && d.spec.AppendOnly {
		keys := keyed.Columns(ctx.Inputs[0], d.spec.Keys)
		d.timers, err = ctx.State.Timers(statebackend.TimerSpec{ID: statebackend.TableID{Operator: ctx.Operator, Name: "times"}, Keys: keys})
		d.pending = true
	}
	if err != nil {
		return fmt.Errorf("deduplicate %s: %w", ctx.Operator, err)
	}
	return nil
}

// Process finds the row of each key that counts, among those of the batch and the one that is there.
func (d *Deduplicate) Process(_ int, b *stream.Batch) error {
	if err := d.process(b); err != nil {
		return fmt.Errorf("deduplicate %s: %w", d.ctx.Operator, err)
	}
	return nil
}

func (d *Deduplicate) process(b *stream.Batch) error {
	if b.Kinds() != nil {
		for i := range b.Rows() {
			if k := b.Kind(b.Row(i)); k != stream.Insert {
				return failure.Internalf("a row of kind %s came where only +I can", k)
			}
		}
	}
	d.ctx.Counts.Folded += int64(b.Rows())
	d.rows.Sweep()
	d.rows.Read(b)
	ordinals, err := d.candidates(b)
	if err != nil {
		return err
	}
	if ordinals != nil && len(ordinals) == 0 {
		return nil
	}
	if err := d.rows.Lookup(ordinals); err != nil {
		return err
	}
	if d.spec.EachChange && d.rows.Deal(b) {
		return nil
	}
	return d.apply(b, ordinals)
}

// apply chooses among the rows that were looked up, with these ordinals (nil: all).
func (d *Deduplicate) apply(b *stream.Batch, ordinals []int32) error {
	switch {
	case d.spec.Time != jobgraph.NoColumn:
		d.chooseByTime(b, ordinals)
	case d.spec.KeepLast:
		for i, g := range d.rows.Of {
			d.rows.Groups[g].Winner = row(b, ordinals, i)
		}
	default:
		for i, g := range d.rows.Of {
			if group := &d.rows.Groups[g]; group.There == keyed.Absent && group.Winner == keyed.Keep {
				group.Winner = row(b, ordinals, i)
			}
		}
	}
	if d.spec.AppendOnly {
		if err := d.setTimers(b); err != nil {
			return err
		}
	}
	return d.rows.Apply(b)
}

// row returns the physical row of the i-th one that was looked up.
func row(b *stream.Batch, ordinals []int32, i int) int32 {
	if ordinals != nil {
		i = int(ordinals[i])
	}
	return int32(b.Row(i))
}

// candidates returns the ordinals of rows that may count, nil for all. Where the first row does, most of the others are found
// to be duplicates without a mark on what is there.
func (d *Deduplicate) candidates(b *stream.Batch) ([]int32, error) {
	var v *stream.Vector
	if d.spec.Time != jobgraph.NoColumn {
		v = &b.Columns[d.spec.Time]
		if err := d.timesOf(b, v); err != nil {
			return nil, err
		}
	}
	if d.spec.KeepLast {
		return nil, nil
	}
	d.ordinals = d.ordinals[:0]
	for i, s := range d.rows.Find() {
		switch {
		case v == nil:
			if s != statebackend.NoSlot {
				continue
			}
		case d.spec.AppendOnly && stream.Watermark(d.times[i]) < d.watermark:
			d.ctx.Counts.Late++
			d.ctx.Counts.Folded--
			continue
		case s != statebackend.NoSlot && d.rows.Word(s, d.spec.Time) <= d.times[i]:
			continue
		}
		d.ordinals = append(d.ordinals, int32(i))
	}
	return d.ordinals, nil
}

// timesOf reads the event time of every row.
func (d *Deduplicate) timesOf(b *stream.Batch, v *stream.Vector) error {
	if cap(d.times) < b.Rows() {
		d.times = make([]int64, stream.RowsMax)
	}
	d.times = d.times[:b.Rows()]
	for i := range d.times {
		if v.IsNull(b.Row(i)) {
			return failure.Userf("time column %s is NULL in a row; which row is first or last needs it, filter such rows out before", b.Schema.Fields[d.spec.Time].Name)
		}
		d.times[i] = stream.Value[int64](v, b.Row(i))
	}
	return nil
}

// chooseByTime has the latest or the earliest row win. Of equal times the last row to come is the last, the first the first.
func (d *Deduplicate) chooseByTime(b *stream.Batch, ordinals []int32) {
	d.best = d.best[:0]
	for i := range d.rows.Groups {
		at := int64(0)
		if g := &d.rows.Groups[i]; g.There != keyed.Absent {
			at = d.rows.Word(g.Slot, d.spec.Time)
		}
		d.best = append(d.best, at)
	}
	for i, k := range d.rows.Of {
		ordinal := i
		if ordinals != nil {
			ordinal = int(ordinals[i])
		}
		g, at := &d.rows.Groups[k], d.times[ordinal]
		switch {
		case g.There == emitted:
		case g.There == keyed.Absent && g.Winner == keyed.Keep, d.spec.KeepLast && at >= d.best[k], !d.spec.KeepLast && at < d.best[k]:
			g.Winner, d.best[k] = int32(b.Row(ordinal)), at
		}
	}
}

// setTimers moves the timers of the keys that have another row.
func (d *Deduplicate) setTimers(b *stream.Batch) error {
	v := &b.Columns[d.spec.Time]
	for _, stale := range []bool{true, false} {
		d.setKeys.Reset(d.rows.Layout())
		d.best, d.none = d.best[:0], d.none[:0]
		for i := range d.rows.Groups {
			g := &d.rows.Groups[i]
			if g.Winner < 0 || stale && g.There == keyed.Absent {
				continue
			}
			at := stream.Value[int64](v, int(g.Winner))
			if stale {
				at = d.rows.Word(g.Slot, d.spec.Time)
			}
			d.rows.AppendKey(&d.setKeys, i)
			d.best, d.none = append(d.best, at), append(d.none, 0)
		}
		if stale {
			d.timers.Unregister(&d.setKeys, d.none, d.best)
			continue
		}
		if err := d.timers.Register(&d.setKeys, d.none, d.best); err != nil {
			return err
		}
	}
	return nil
}

// Advance makes rows due that the watermark has reached.
func (d *Deduplicate) Advance(w stream.Watermark) error {
	d.watermark, d.pending = max(d.watermark, w), d.spec.AppendOnly
	return nil
}

// Flush does nothing: all rows are in the table.
func (d *Deduplicate) Flush() error { return nil }

// Finish gives what was kept, where nothing was given before.
func (d *Deduplicate) Finish() error {
	d.finishing = d.spec.FinalOnly
	return nil
}

// Next gives what has changed, then rows that are due.
func (d *Deduplicate) Next() (operators.Output, error) {
	for {
		if b := d.rows.Next(); b != nil {
			return operators.Output{Batch: b}, nil
		}
		b, ordinals, err := d.rows.NextRound()
		if b != nil {
			err = d.apply(b, ordinals)
		}
		if err != nil {
			return operators.Output{}, fmt.Errorf("deduplicate %s: %w", d.ctx.Operator, err)
		}
		switch {
		case b != nil:
		case d.pending:
			if err := d.fire(); err != nil {
				return operators.Output{}, fmt.Errorf("deduplicate %s: %w", d.ctx.Operator, err)
			}
		case d.finishing && d.rows.Final():
		default:
			d.finishing = false
			return operators.Output{}, nil
		}
	}
}

// ResumesAdvance is true: a timer goes, and its row is marked, as the row is given.
func (d *Deduplicate) ResumesAdvance() bool { return true }

// fire gives the rows of the timers that are due, as many as the next batch may have.
func (d *Deduplicate) fire() error {
	d.due.Namespaces, d.due.Times = d.due.Namespaces[:0], d.due.Times[:0]
	d.due.Raw.Reset(d.due.Raw.Layout)
	n, err := d.timers.Pop(int64(d.watermark), d.rows.RowsMax(), &d.due)
	if err != nil || n == 0 {
		d.pending = false
		return err
	}
	d.rows.GiveOnce(&d.due.Raw, emitted)
	return nil
}

// Close gives back what nobody took.
func (d *Deduplicate) Close() error {
	d.rows.Close()
	return nil
}
