package window

import (
	"fmt"

	"millrace/internal/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Local folds rows by key and window before the exchange. It keeps what it
// folds in a table of its own, which is emptied when it is full, at Flush, and
// before a watermark that closes one of its windows goes on: a row that is in
// time here is in time behind the exchange, and a late one is late there.
type Local struct {
	spec *jobgraph.WindowAggregateSpec
	ctx  *operators.Context

	plan     *aggregate.Plan
	folder   aggregate.Folder
	splitter splitter
	reader   *stream.KeyReader
	table    *aggregate.Table
	output   aggregate.Writer
	slots    []statebackend.Slot
	tile     stream.Keys

	// input is the batch under way, with the windows of its rows; part has the
	// rows of the first of them, from on.
	input  *stream.Batch
	groups []group
	part   *stream.Batch
	keys   *stream.Keys
	from   int

	emptying bool // the table's rows are leaving, from cursor on
	cursor   int
	// passing is a batch that goes on as partial rows, from passed on.
	passing *stream.Batch
	passed  int

	adapt adaptation
	rows  int64 // folded since the table was empty
}

// NewLocal makes a local aggregate. It is an operators.Factory.
func NewLocal(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	spec := (*jobgraph.WindowAggregateSpec)(o.Body.(*jobgraph.LocalAggregateSpec))
	if err := checkSpec(spec); err != nil {
		return nil, failure.Userf("local aggregate %s: %w", o.UID, err)
	}
	if spec.Partial || spec.LateOutput {
		return nil, failure.Userf("local aggregate %s: it takes raw rows and has no side output", o.UID)
	}
	return &Local{spec: spec}, nil
}

// Open makes the table.
func (l *Local) Open(ctx *operators.Context) error {
	l.ctx = ctx
	in := ctx.Inputs[0]
	keys, err := aggregate.KeyTypes(l.spec.Keys, in)
	if err == nil {
		err = checkTime(l.spec, in)
	}
	if err == nil {
		l.plan, err = aggregate.NewPlan(l.spec.Aggregates, in, aggregate.Raw)
	}
	if err == nil {
		l.reader, err = stream.NewKeyReader(in, l.spec.Keys)
	}
	if err != nil {
		return failure.Userf("local aggregate %s: %w", ctx.Operator, err)
	}
	l.folder.Use(l.plan)
	l.splitter = newSplitter(l.spec, l.spec.Time, in.Fields[l.spec.Time].Name, false)
	l.table = aggregate.NewTable(l.reader.Layout(), l.plan)
	l.output = aggregate.NewWriter(ctx, keys, l.plan.Partial, l.plan.Bytes)
	l.slots = make([]statebackend.Slot, max(ctx.RowsMax, aggregate.TileRows))
	return nil
}

// Process takes a batch; its rows are folded as Next is called.
func (l *Local) Process(_ int, b *stream.Batch) error {
	if err := appendOnly(b); err != nil {
		return fmt.Errorf("local aggregate %s: %w", l.ctx.Operator, err)
	}
	groups, _, err := l.splitter.split(b, stream.NoWatermark)
	if err != nil {
		return fmt.Errorf("local aggregate %s: %w", l.ctx.Operator, err)
	}
	if l.plan.Wide || l.adapt.bypass() {
		l.passing, l.passed = l.partialRows(b), 0
		return l.Flush() // rows that came before go before
	}
	l.adapt.batch()
	l.input, l.groups = b.Retain(), groups
	return nil
}

// Advance empties the table if the watermark closes a window in it.
func (l *Local) Advance(w stream.Watermark) error {
	if l.table.Len() > 0 && stream.Watermark(l.table.Least()-1) <= w {
		l.empty()
	}
	return nil
}

// Flush empties the table.
func (l *Local) Flush() error {
	if l.table.Len() > 0 {
		l.empty()
	}
	return nil
}

func (l *Local) empty() { l.emptying, l.cursor = true, 0 }

// Next folds the batch under way and gives partial rows when some must leave.
func (l *Local) Next() (operators.Output, error) {
	for {
		switch {
		case l.emptying:
			b, err := l.drain()
			return operators.Output{Batch: b}, err
		case l.passing != nil:
			return operators.Output{Batch: l.pass()}, nil
		case l.part != nil:
			if l.table.Full() || l.rows >= localInputMax {
				l.empty()
				continue
			}
			if err := l.foldTile(); err != nil {
				return operators.Output{}, fmt.Errorf("local aggregate %s: %w", l.ctx.Operator, err)
			}
		case len(l.groups) > 0:
			l.open(l.groups[0])
		default:
			l.input.Release()
			l.input = nil
			return operators.Output{}, nil
		}
	}
}

// open begins with the rows of a window.
func (l *Local) open(g group) {
	if g.rows == nil {
		l.part = l.input.Retain()
	} else {
		l.part = operators.Select(l.input, g.rows)
	}
	l.keys, l.from = l.reader.Read(l.part), 0
}

func (l *Local) foldTile() error {
	to := min(l.from+aggregate.TileRows, l.keys.Len())
	aggregate.Tile(&l.tile, l.keys, l.from, to)
	slots := l.slots[:to-l.from]
	l.table.Upsert(&l.tile, l.groups[0].end, slots)
	if err := l.folder.Fold(l.table, l.part, l.from, slots); err != nil {
		return err
	}
	l.rows += int64(len(slots))
	if l.from = to; to == l.keys.Len() {
		l.part.Release()
		l.part, l.groups = nil, l.groups[1:]
	}
	return nil
}

// drain returns the next partial rows of the table.
func (l *Local) drain() (*stream.Batch, error) {
	n := min(l.table.Len()-l.cursor, l.output.RowsMax())
	slots := l.slots[:n]
	for i := range slots {
		slots[i] = statebackend.Slot(l.cursor + i)
	}
	b, err := l.partial(slots)
	if err != nil {
		return nil, fmt.Errorf("local aggregate %s: %w", l.ctx.Operator, err)
	}
	if l.cursor += n; l.cursor == l.table.Len() {
		l.adapt.emptied(l.rows, int64(l.table.Len()))
		l.ctx.Counts.Folded += l.rows - int64(l.table.Len())
		l.table.Clear()
		l.rows, l.emptying = 0, false
	}
	return b, nil
}

// partial returns partial rows: keys, window_end, accumulators, rows.
func (l *Local) partial(slots []statebackend.Slot) (*stream.Batch, error) {
	b, err := l.output.Begin(l.table, slots)
	if err != nil {
		return nil, err
	}
	at := len(l.spec.Keys)
	ends := stream.NewFixed(l.ctx.Pool, l.ctx.Output.Fields[at].Type, len(slots))
	for i, s := range slots {
		stream.Values[int64](&ends)[i] = l.table.Namespace(s)
	}
	b.Columns[at] = ends
	l.output.Finish(b, l.table, slots, at+1)
	return b, nil
}

func (l *Local) pass() *stream.Batch {
	to := min(l.passed+l.ctx.RowsMax, l.passing.Rows())
	b := operators.Slice(l.passing, l.passed, to)
	if l.passed = to; to == l.passing.Rows() {
		l.passing.Release()
		l.passing = nil
	}
	return b
}

// partialRows returns the rows of a batch, each as a partial row of one.
func (l *Local) partialRows(b *stream.Batch) *stream.Batch {
	pool := l.ctx.Pool
	out := pool.NewBatch(l.ctx.Output, b.Len())
	b.ShareRows(out)
	fields, column := l.ctx.Output.Fields, 0
	add := func(v stream.Vector) {
		out.Columns[column] = v
		column++
	}
	for _, k := range l.spec.Keys {
		add(aggregate.As(pool, &b.Columns[k], fields[column].Type))
	}
	add(l.windowEnds(b, fields[column].Type))
	aggregate.AppendSingles(pool, l.spec.Aggregates, b, fields[column:], out.Columns[column:])
	return out
}

// windowEnds returns the end of the window of every row; those of rows that are
// not selected are undefined.
func (l *Local) windowEnds(b *stream.Batch, t types.Type) stream.Vector {
	v := stream.NewFixed(l.ctx.Pool, t, b.Len())
	out := stream.Values[int64](&v)
	times := &b.Columns[l.spec.Time]
	end := l.splitter.end(0)
	for i := range b.Rows() {
		row := b.Row(i)
		x := stream.Value[int64](times, row)
		if x >= end || x < end-l.splitter.size {
			end = l.splitter.end(x)
		}
		out[row] = end
	}
	return v
}

// Close releases what is under way.
func (l *Local) Close() error {
	l.part.Release()
	l.input.Release()
	l.passing.Release()
	l.part, l.input, l.passing = nil, nil, nil
	l.output.Close()
	return nil
}

// adaptation decides when folding does not pay: rows that hardly repeat cost a
// probe here and the same probe again behind the exchange.
type adaptation struct {
	batches int // since the last decision
	in, out int64
	passing int // batches still to pass untouched
}

// bypass tells whether the next batch passes untouched.
func (a *adaptation) bypass() bool {
	if a.passing == 0 {
		return false
	}
	a.passing--
	return true
}

func (a *adaptation) batch() { a.batches++ }

// emptied takes in what a table made of its rows.
func (a *adaptation) emptied(in, out int64) {
	a.in, a.out = a.in+in, a.out+out
	if a.batches < trialBatches {
		return
	}
	if a.in*bypassRatioDenominator < a.out*bypassRatioNumerator {
		a.passing = bypassBatches
	}
	a.batches, a.in, a.out = 0, 0, 0
}
