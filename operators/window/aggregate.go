package window

import (
	"fmt"
	"slices"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// LatePort is the side output of late rows.
const LatePort = 1

// Register adds the operators of this folder.
func Register(r *operators.Registry) {
	r.Register(jobgraph.KindWindowAggregate, New)
	r.Register(jobgraph.KindLocalAggregate, NewLocal)
	r.Register(jobgraph.KindWindowAssign, NewAssign)
}

// Aggregate is the keyed window aggregate. Its state is one Value table, a
// namespace for each pane, named by its end; where windows have more panes than
// one, a second has the windows that are being fired.
type Aggregate struct {
	spec *jobgraph.WindowAggregateSpec
	ctx  *operators.Context

	plan     *aggregate.Plan
	folder   aggregate.Folder
	counted  []*aggregate.Counted
	splitter splitter
	zone     *zone // of the watermark: windows of partial rows lie in it as they come
	keys     []int // columns of the input that are the key
	types    []types.Type
	reader   *stream.KeyReader
	table    statebackend.ValueTable
	panes    *panes // nil: each pane is a window
	output   aggregate.Writer
	fired    *stream.KeyReader // of the keys in the output
	slots    []statebackend.Slot
	tile     stream.Keys
	weights  int // the column that says how many rows a partial row is, -1: each is one

	watermark stream.Watermark // local, where windows are
	late      *stream.Batch    // to go to LatePort, from row lateAt on
	lateAt    int
	due       []int64 // windows to fire, ascending; the first may be half fired
	cursor    statebackend.Slot
}

// New makes a window aggregate. It is an operators.Factory.
func New(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	spec := o.Body.(*jobgraph.WindowAggregateSpec)
	if err := checkSpec(spec); err != nil {
		return nil, failure.Userf("window aggregate %s: %w", o.UID, err)
	}
	if spec.Window.Kind == jobgraph.Session {
		return newSessions(spec), nil
	}
	a := &Aggregate{spec: spec, watermark: stream.NoWatermark, weights: -1}
	if spec.Window.Processing {
		return &clocked{Aggregate: a}, nil
	}
	return a, nil
}

func checkSpec(spec *jobgraph.WindowAggregateSpec) error {
	switch {
	case spec.Partial && spec.Input == nil:
		return fmt.Errorf("the schema of the raw input is missing")
	case spec.Partial && spec.LateOutput:
		return fmt.Errorf("late rows can't be given out behind a local aggregate, which has merged them")
	case spec.Partial && (spec.Window.Processing || spec.Window.Kind > jobgraph.Cumulating):
		return fmt.Errorf("windows in processing time, sessions, and windows that rows have already need one phase")
	default:
		return Check(&spec.Window)
	}
}

// Open declares the tables. Windows that the restored watermark closes are
// pending afterwards.
func (a *Aggregate) Open(ctx *operators.Context) error {
	a.ctx = ctx
	if err := a.bind(ctx.Inputs[0]); err != nil {
		return failure.Userf("window aggregate %s: %w", ctx.Operator, err)
	}
	if err := a.declare(); err != nil {
		return fmt.Errorf("window aggregate %s: %w", ctx.Operator, err)
	}
	a.slots = make([]statebackend.Slot, max(ctx.RowsMax, aggregate.TileRows))
	a.output = aggregate.NewWriter(ctx, a.types, a.plan.Final, a.plan.Bytes)
	if !a.spec.Window.Processing {
		a.watermark = a.zone.passed(ctx.Watermark)
	}
	a.arm(stream.NoWatermark)
	return nil
}

func (a *Aggregate) declare() (err error) {
	columns := a.plan.Columns
	if a.panes != nil {
		columns = append(slices.Clip(columns), firedColumn)
	}
	id := statebackend.TableID{Operator: a.ctx.Operator, Name: "windows"}
	a.table, err = a.ctx.State.Value(statebackend.ValueSpec{ID: id, Keys: a.types, Namespaced: true, Columns: columns})
	if err != nil {
		return err
	}
	if a.panes != nil {
		return a.panes.open(a)
	}
	a.counted, err = aggregate.OpenCounted(a.ctx, a.plan.Counted, aggregate.CountedInput{Keys: a.keys, Spaces: true})
	if err != nil || len(a.counted) == 0 {
		return err
	}
	a.fired, err = stream.NewKeyReader(a.ctx.Output, count(len(a.keys)))
	return err
}

func (a *Aggregate) raw() *types.Schema {
	if a.spec.Partial {
		return a.spec.Input
	}
	return a.ctx.Inputs[0]
}

// bind makes what depends on the input's schema.
func (a *Aggregate) bind(in *types.Schema) (err error) {
	raw := a.raw()
	if err := checkTime(a.spec, raw); err != nil {
		return err
	}
	a.keys = a.spec.Keys
	if a.spec.Window.Kind == jobgraph.Attached {
		a.keys = append(slices.Clone(a.keys), a.spec.Start)
	}
	if a.types, err = aggregate.KeyTypes(a.keys, raw); err != nil {
		return err
	}
	plan := aggregate.Input{Calls: a.spec.Aggregates, Raw: raw, Merge: a.spec.Partial, MergeFrom: len(a.spec.Keys) + 1, Functions: a.ctx.Functions}
	if a.plan, err = aggregate.NewPlan(plan); err != nil {
		return err
	}
	a.folder.Use(a.plan)
	if a.splitter, err = newSplitter(&a.spec.Window, a.spec.Time, raw, a.ctx.Time); err != nil {
		return err
	}
	a.zone = a.splitter.zone
	if a.spec.Partial {
		if err := checkPartial(a.spec, in); err != nil {
			return err
		}
		a.keys = count(len(a.spec.Keys))
		a.splitter.column, a.splitter.name, a.splitter.ends, a.splitter.zone = len(a.keys), jobgraph.WindowEnd, true, nil
		a.weights = in.Len() - 1
	}
	switch a.splitter.each = len(a.plan.Counted) > 0 || a.plan.Unmerged; {
	case a.splitter.Parts() > 1 && !a.splitter.each:
		a.panes = &panes{}
	case a.splitter.Parts() == 1:
		a.splitter.each = false
	}
	a.reader, err = stream.NewKeyReader(in, a.keys)
	return err
}

// count returns 0, 1, ... n-1.
func count(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func checkPartial(spec *jobgraph.WindowAggregateSpec, in *types.Schema) error {
	want, err := jobgraph.PartialSchema(spec, spec.Input)
	if err != nil {
		return err
	}
	if !want.Equal(in) {
		return fmt.Errorf("the input is %s, want the partial rows %s", in, want)
	}
	return nil
}

// Process folds the batch's rows into their windows; late ones go aside.
func (a *Aggregate) Process(_ int, b *stream.Batch) error {
	if err := a.process(b); err != nil {
		return fmt.Errorf("window aggregate %s: %w", a.ctx.Operator, err)
	}
	return nil
}

func (a *Aggregate) process(b *stream.Batch) error {
	if err := aggregate.AppendOnly(b); err != nil {
		return err
	}
	shifts := int64(1)
	if a.splitter.each {
		shifts = a.splitter.Parts()
	}
	late := int64(0)
	for i := range shifts {
		groups, behind, err := a.splitter.split(b, a.watermark, i*a.splitter.pane)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if err := a.foldGroup(b, g); err != nil {
				return err
			}
		}
		late += a.weigh(b, behind)
		if len(behind) > 0 && a.spec.LateOutput {
			a.setAside(b, behind)
		}
	}
	// Every raw row is folded or late.
	a.ctx.Counts.Late += late
	a.ctx.Counts.Folded += a.weighAll(b) - late
	return nil
}

// weigh returns how many raw rows stand behind some rows of a batch.
func (a *Aggregate) weigh(b *stream.Batch, rows []int32) (n int64) {
	if a.weights < 0 {
		return int64(len(rows))
	}
	for _, row := range rows {
		n += stream.Value[int64](&b.Columns[a.weights], int(row))
	}
	return n
}

// weighAll returns how many stand behind all of them.
func (a *Aggregate) weighAll(b *stream.Batch) (n int64) {
	if a.weights < 0 {
		return int64(b.Rows())
	}
	for i := range b.Rows() {
		n += stream.Value[int64](&b.Columns[a.weights], b.Row(i))
	}
	return n
}

// setAside keeps late rows for LatePort. Where rows go to each of their windows,
// they may be found out to be late some at a time.
func (a *Aggregate) setAside(b *stream.Batch, rows []int32) {
	if a.late == nil {
		a.late, a.lateAt = operators.Select(b, rows), 0
		return
	}
	all := append(slices.Clone(a.late.Sel()), rows...)
	slices.Sort(all)
	a.late.Release()
	a.late = operators.Select(b, all)
}

func (a *Aggregate) foldGroup(b *stream.Batch, g aggregate.Group) error {
	if g.Rows != nil {
		b = operators.Select(b, g.Rows)
		defer b.Release()
	}
	for _, c := range a.counted {
		if err := c.Count(b, g.Space, nil); err != nil {
			return err
		}
	}
	a.folder.Weigh(nil, a.counted)
	keys := a.reader.Read(b)
	part := a.table.Part(g.Space, true)
	for from := 0; from < keys.Len(); from += aggregate.TileRows {
		to := min(from+aggregate.TileRows, keys.Len())
		aggregate.Tile(&a.tile, keys, from, to)
		slots := a.slots[:to-from]
		if _, err := part.Upsert(&a.tile, slots); err != nil {
			return err
		}
		if a.panes != nil {
			a.panes.begin(part, slots, g.Space, a.watermark)
		}
		if err := a.folder.Fold(part, b, from, slots); err != nil {
			return err
		}
	}
	return nil
}

// Advance fires the windows whose last millisecond is at or before w.
func (a *Aggregate) Advance(w stream.Watermark) error {
	a.advance(a.zone.passed(w))
	return nil
}

func (a *Aggregate) advance(w stream.Watermark) {
	if w <= a.watermark {
		return // restored inputs that come up to where the operator is
	}
	before := a.watermark
	a.watermark = w
	a.arm(before)
}

// arm finds the windows that are closed; those that a watermark before closed have
// fired.
func (a *Aggregate) arm(before stream.Watermark) {
	a.due, a.cursor = a.table.Namespaces(a.due[:0]), 0
	if a.panes != nil {
		a.due = a.panes.due(a.due, before, a.watermark)
		return
	}
	n, _ := slices.BinarySearchFunc(a.due, a.watermark, func(end int64, w stream.Watermark) int {
		if stream.Watermark(end-1) <= w {
			return -1
		}
		return 1
	})
	a.due = a.due[:n]
}

// Flush does nothing: all rows are in the table.
func (a *Aggregate) Flush() error { return nil }

// Next gives late rows first, then the rows of the windows that are due. Rows
// leave the table as they are returned.
func (a *Aggregate) Next() (operators.Output, error) {
	if a.late != nil {
		return operators.Output{Port: LatePort, Batch: a.nextLate()}, nil
	}
	for len(a.due) > 0 {
		b, err := a.fire(a.due[0])
		if err != nil {
			return operators.Output{}, fmt.Errorf("window aggregate %s: %w", a.ctx.Operator, err)
		}
		if b != nil {
			return operators.Output{Batch: b}, nil
		}
	}
	return operators.Output{}, nil
}

func (a *Aggregate) nextLate() *stream.Batch {
	to := min(a.lateAt+a.ctx.RowsMax, a.late.Rows())
	b := operators.Slice(a.late, a.lateAt, to)
	a.lateAt = to
	if to == a.late.Rows() {
		a.late.Release()
		a.late = nil
	}
	return b
}

// fire returns the next rows of a window. It returns nil when there are none left,
// and the window is done.
func (a *Aggregate) fire(end int64) (*stream.Batch, error) {
	table := a.table
	if a.panes != nil {
		if err := a.panes.merge(a, end); err != nil {
			return nil, err
		}
		if a.splitter.kind == jobgraph.Cumulating {
			return a.show(end)
		}
		table = a.panes.windows
	}
	part := table.Part(end, false)
	if part == nil {
		a.done()
		return nil, nil
	}
	n, next := part.Scan(a.cursor, a.slots[:a.output.RowsMax()])
	if n == 0 {
		table.Drop(end)
		a.done()
		return nil, nil
	}
	b, err := a.rows(part, a.slots[:n], end)
	if err != nil {
		return nil, err
	}
	if err := a.dropValues(b, end); err != nil {
		b.Release()
		return nil, err
	}
	// The last rows leave by the drop of the window, which costs less than their removal.
	if n < part.Len() {
		part.Delete(a.slots[:n])
		a.cursor = next
		return b, nil
	}
	table.Drop(end)
	a.done()
	return b, nil
}

// done goes on to the next window.
func (a *Aggregate) done() {
	a.due, a.cursor = slices.Delete(a.due, 0, 1), 0
	if a.panes != nil {
		a.panes.merged = false
	}
}

// dropValues forgets the values that were counted for rows which leave.
func (a *Aggregate) dropValues(b *stream.Batch, end int64) error {
	if len(a.counted) == 0 {
		return nil
	}
	keys, spaces := a.fired.Read(b), slices.Repeat([]int64{end}, b.Rows())
	for _, c := range a.counted {
		if err := c.DropSpaces(keys, spaces); err != nil {
			return err
		}
	}
	return nil
}

// rows returns final rows: keys, window_start, window_end, aggregates. The start of
// an attached window is the last of its keys.
func (a *Aggregate) rows(part statebackend.Part, slots []statebackend.Slot, end int64) (*stream.Batch, error) {
	b, err := a.output.Begin(part, slots)
	if err != nil {
		return nil, err
	}
	at := len(a.spec.Keys)
	if a.spec.Window.Kind != jobgraph.Attached {
		b.Columns[at] = constantTime(a.ctx, at, a.splitter.Start(end), len(slots))
	}
	b.Columns[at+1] = constantTime(a.ctx, at+1, end, len(slots))
	if err := a.output.Finish(b, part, slots, at+2); err != nil {
		return nil, err
	}
	return b, nil
}

// constantTime returns a column of n equal times.
func constantTime(ctx *operators.Context, column int, t int64, n int) stream.Vector {
	one := stream.NewFixed(ctx.Pool, ctx.Output.Fields[column].Type, 1)
	stream.Values[int64](&one)[0] = t
	defer one.Release()
	return stream.ConstantOf(ctx.Pool, &one, 0, n)
}

// ResumesAdvance is true: the windows that are due are in the tables until their
// rows leave.
func (a *Aggregate) ResumesAdvance() bool { return true }

// Close releases late rows that nobody took.
func (a *Aggregate) Close() error {
	a.late.Release()
	a.late = nil
	a.output.Close()
	if a.panes != nil {
		a.panes.close()
	}
	for _, c := range a.counted {
		c.Close()
	}
	return nil
}

// checkTime reports columns that can't place rows in windows.
func checkTime(spec *jobgraph.WindowAggregateSpec, raw *types.Schema) error {
	if spec.Window.Processing {
		return nil
	}
	if spec.Window.Kind == jobgraph.Attached {
		if err := checkColumn(spec.Start, raw, false); err != nil {
			return err
		}
	}
	return checkColumn(spec.Time, raw, spec.Window.Kind != jobgraph.Attached)
}

func checkColumn(column int, raw *types.Schema, zoned bool) error {
	if column < 0 || column >= raw.Len() {
		return fmt.Errorf("the input has no column %d for the time", column)
	}
	f := raw.Fields[column]
	if f.Type.Kind != types.Timestamp && (!zoned || f.Type.Kind != types.TimestampLTZ) || f.Type.Unit() != types.Millis {
		return fmt.Errorf("time column %s must be a TIMESTAMP of precision 0 to 3, not %s", f.Name, f.Type)
	}
	return nil
}
