package window

import (
	"fmt"
	"slices"
	"time"

	"millrace/internal/failure"
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
}

// Aggregate is the keyed tumbling window aggregate. Its state is one Value
// table, a namespace for each window, named by its end.
type Aggregate struct {
	spec *jobgraph.WindowAggregateSpec
	ctx  *operators.Context

	plan     *aggregate.Plan
	folder   aggregate.Folder
	splitter splitter
	reader   *stream.KeyReader
	table    statebackend.ValueTable
	output   aggregate.Writer
	slots    []statebackend.Slot
	tile     stream.Keys
	weights  int // the column that says how many rows a partial row is, -1: each is one

	watermark stream.Watermark
	late      *stream.Batch // to go to LatePort, from row lateAt on
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
	return &Aggregate{spec: spec, watermark: stream.NoWatermark, weights: -1}, nil
}

func checkSpec(spec *jobgraph.WindowAggregateSpec) error {
	w := spec.Window
	switch {
	case w.Size < time.Millisecond || w.Size%time.Millisecond != 0:
		return fmt.Errorf("window size %s must be whole milliseconds, at least 1", w.Size)
	case w.Offset%time.Millisecond != 0 || w.Offset >= w.Size || -w.Offset >= w.Size:
		return fmt.Errorf("window offset %s must be whole milliseconds and smaller than the size %s", w.Offset, w.Size)
	case spec.Partial && spec.Input == nil:
		return fmt.Errorf("the schema of the raw input is missing")
	case spec.Partial && spec.LateOutput:
		return fmt.Errorf("late rows can't be given out behind a local aggregate, which has merged them")
	default:
		return nil
	}
}

// Open declares the table. Windows that the restored watermark closes are
// pending afterwards.
func (a *Aggregate) Open(ctx *operators.Context) error {
	a.ctx = ctx
	if err := a.bind(ctx.Inputs[0]); err != nil {
		return failure.Userf("window aggregate %s: %w", ctx.Operator, err)
	}
	keys, _ := aggregate.KeyTypes(a.spec.Keys, a.raw()) // bind has checked them
	var err error
	a.table, err = ctx.State.Value(statebackend.ValueSpec{
		ID:         statebackend.TableID{Operator: ctx.Operator, Name: "windows"},
		Keys:       keys,
		Namespaced: true,
		Columns:    a.plan.Columns,
	})
	if err != nil {
		return fmt.Errorf("window aggregate %s: %w", ctx.Operator, err)
	}
	a.slots = make([]statebackend.Slot, max(ctx.RowsMax, aggregate.TileRows))
	a.output = aggregate.NewWriter(ctx, keys, a.plan.Final, a.plan.Bytes)
	a.watermark = ctx.Watermark
	a.arm()
	return nil
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
	if _, err := aggregate.KeyTypes(a.spec.Keys, raw); err != nil {
		return err
	}
	plan := aggregate.Input{Calls: a.spec.Aggregates, Raw: raw, Merge: a.spec.Partial, MergeFrom: len(a.spec.Keys) + 1}
	if a.plan, err = aggregate.NewPlan(plan); err != nil {
		return err
	}
	a.folder.Use(a.plan)
	keys := a.spec.Keys
	a.splitter = newSplitter(a.spec, a.spec.Time, raw.Fields[a.spec.Time].Name, false)
	if a.spec.Partial {
		if err := checkPartial(a.spec, in); err != nil {
			return err
		}
		keys = make([]int, len(a.spec.Keys))
		for i := range keys {
			keys[i] = i
		}
		a.splitter = newSplitter(a.spec, len(keys), jobgraph.WindowEnd, true)
		a.weights = in.Len() - 1
	}
	a.reader, err = stream.NewKeyReader(in, keys)
	return err
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
	if err := aggregate.AppendOnly(b); err != nil {
		return fmt.Errorf("window aggregate %s: %w", a.ctx.Operator, err)
	}
	groups, late, err := a.splitter.split(b, a.watermark)
	if err != nil {
		return fmt.Errorf("window aggregate %s: %w", a.ctx.Operator, err)
	}
	for _, g := range groups {
		if err := a.foldGroup(b, g); err != nil {
			return fmt.Errorf("window aggregate %s: %w", a.ctx.Operator, err)
		}
	}
	a.count(b, late)
	if len(late) > 0 && a.spec.LateOutput {
		a.late, a.lateAt = operators.Select(b, late), 0
	}
	return nil
}

// count keeps the balance: every raw row is folded or late.
func (a *Aggregate) count(b *stream.Batch, late []int32) {
	all, behind := int64(b.Rows()), int64(len(late))
	if a.weights >= 0 {
		all, behind = 0, 0
		v := &b.Columns[a.weights]
		for i := range b.Rows() {
			all += stream.Value[int64](v, b.Row(i))
		}
		for _, row := range late {
			behind += stream.Value[int64](v, int(row))
		}
	}
	a.ctx.Counts.Late += behind
	a.ctx.Counts.Folded += all - behind
}

func (a *Aggregate) foldGroup(b *stream.Batch, g aggregate.Group) error {
	if g.Rows != nil {
		b = operators.Select(b, g.Rows)
		defer b.Release()
	}
	keys := a.reader.Read(b)
	part := a.table.Part(g.Space, true)
	for from := 0; from < keys.Len(); from += aggregate.TileRows {
		to := min(from+aggregate.TileRows, keys.Len())
		aggregate.Tile(&a.tile, keys, from, to)
		slots := a.slots[:to-from]
		if _, err := part.Upsert(&a.tile, slots); err != nil {
			return err
		}
		if err := a.folder.Fold(part, b, from, slots); err != nil {
			return err
		}
	}
	return nil
}

// Advance fires the windows whose last millisecond is at or before w.
func (a *Aggregate) Advance(w stream.Watermark) error {
	if w <= a.watermark {
		return nil // restored inputs that come up to where the operator is
	}
	a.watermark = w
	a.arm()
	return nil
}

func (a *Aggregate) arm() {
	a.due = a.table.Namespaces(a.due[:0])
	n, _ := slices.BinarySearchFunc(a.due, a.watermark, func(end int64, w stream.Watermark) int {
		if stream.Watermark(end-1) <= w {
			return -1
		}
		return 1
	})
	a.due, a.cursor = a.due[:n], 0
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
		a.table.Drop(a.due[0])
		a.due, a.cursor = slices.Delete(a.due, 0, 1), 0
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

// fire returns the next rows of a window, nil when there are none left. The
// last rows leave by the drop of the window, which costs less than their
// removal.
func (a *Aggregate) fire(end int64) (*stream.Batch, error) {
	part := a.table.Part(end, false)
	if part == nil {
		return nil, nil
	}
	n, next := part.Scan(a.cursor, a.slots[:a.output.RowsMax()])
	if n == 0 {
		return nil, nil
	}
	slots := a.slots[:n]
	b, err := a.rows(part, slots, end)
	if err != nil {
		return nil, err
	}
	if n < part.Len() {
		part.Delete(slots)
		a.cursor = next
		return b, nil
	}
	a.table.Drop(end)
	a.due, a.cursor = slices.Delete(a.due, 0, 1), 0
	return b, nil
}

// rows returns final rows: keys, window_start, window_end, aggregates.
func (a *Aggregate) rows(part statebackend.Part, slots []statebackend.Slot, end int64) (*stream.Batch, error) {
	b, err := a.output.Begin(part, slots)
	if err != nil {
		return nil, err
	}
	at := len(a.spec.Keys)
	b.Columns[at] = constantTime(a.ctx, at, end-a.splitter.size, len(slots))
	b.Columns[at+1] = constantTime(a.ctx, at+1, end, len(slots))
	a.output.Finish(b, part, slots, at+2)
	return b, nil
}

// constantTime returns a column of n equal times.
func constantTime(ctx *operators.Context, column int, t int64, n int) stream.Vector {
	one := stream.NewFixed(ctx.Pool, ctx.Output.Fields[column].Type, 1)
	stream.Values[int64](&one)[0] = t
	defer one.Release()
	return stream.ConstantOf(ctx.Pool, &one, 0, n)
}

// ResumesAdvance is true: the windows that are due are in the table until their
// rows leave.
func (a *Aggregate) ResumesAdvance() bool { return true }

// Close releases late rows that nobody took.
func (a *Aggregate) Close() error {
	a.late.Release()
	a.late = nil
	a.output.Close()
	return nil
}

// checkTime reports a time column that can't place rows in windows.
func checkTime(spec *jobgraph.WindowAggregateSpec, raw *types.Schema) error {
	if spec.Time < 0 || spec.Time >= raw.Len() {
		return fmt.Errorf("the input has no column %d for the time", spec.Time)
	}
	f := raw.Fields[spec.Time]
	if f.Type.Kind != types.Timestamp || f.Type.Unit() != types.Millis {
		return fmt.Errorf("time column %s must be a TIMESTAMP of precision 0 to 3, not %s", f.Name, f.Type)
	}
	return nil
}
