package aggregate

import (
	"fmt"
	"slices"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Local is a first phase in front of an exchange: it folds rows by key and
// namespace (a window's end, or nothing). It keeps what it folds in a Table, which
// is emptied when it is full, at Flush, and before a watermark that closes one of
// its windows goes on: a row that is in time here is in time behind the exchange,
// and a late one is late there.
type Local struct {
	phase Phase
	ctx   *operators.Context

	plan   *Plan
	folder Folder
	reader *stream.KeyReader
	table  *Table
	output Writer
	slots  []statebackend.Slot
	tile   stream.Keys
	signs  []int64

	// input is the batch under way, with the windows of its rows; part has the
	// rows of the first of them, from on.
	input  *stream.Batch
	single bool // each row of it becomes a partial row
	groups []Group
	whole  [1]Group
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

// Phase says what a first phase does.
type Phase struct {
	Keys    []int // columns of the input
	Calls   []jobgraph.AggregateCall
	Retract bool // the input may take rows back
	Spaces  Spaces
}

// Spaces deals rows out to namespaces, whose number is a column behind the keys; nil:
// there are none.
type Spaces interface {
	// Split returns the namespaces of a batch, with their rows; they are valid until
	// the next call.
	Split(b *stream.Batch) ([]Group, error)
	// Column returns the namespace of every row; those of rows that are not selected
	// are undefined.
	Column(pool *stream.Pool, b *stream.Batch, t types.Type) stream.Vector
	// Closes tells whether a watermark closes a namespace.
	Closes(w stream.Watermark, space int64) bool
}

// Group is the rows of a batch that are of one namespace.
type Group struct {
	Space int64
	// Rows are physical positions, ascending; nil means every selected row.
	Rows []int32
}

// NewLocal makes a first phase.
func NewLocal(p Phase) *Local { return &Local{phase: p} }

// Open makes the table.
func (l *Local) Open(ctx *operators.Context) error {
	l.ctx = ctx
	in := ctx.Inputs[0]
	keys, err := KeyTypes(l.phase.Keys, in)
	if err == nil {
		l.plan, err = NewPlan(Input{Calls: l.phase.Calls, Raw: in, Retract: l.phase.Retract, Functions: ctx.Functions})
	}
	if err == nil && len(l.plan.Counted) > 0 {
		err = fmt.Errorf("an aggregate needs the values, which partial rows don't have")
	}
	if err == nil {
		l.reader, err = stream.NewKeyReader(in, l.phase.Keys)
	}
	if err != nil {
		return failure.Userf("local aggregate %s: %w", ctx.Operator, err)
	}
	l.folder.Use(l.plan)
	l.table = NewTable(l.reader.Layout(), l.plan)
	l.output = NewWriter(ctx, keys, l.plan.Partial, l.plan.Bytes)
	l.slots = make([]statebackend.Slot, max(ctx.RowsMax, TileRows))
	return nil
}

// Process takes a batch; its rows are folded as Next is called.
func (l *Local) Process(_ int, b *stream.Batch) error {
	if !l.phase.Retract {
		if err := AppendOnly(b); err != nil {
			return fmt.Errorf("local aggregate %s: %w", l.ctx.Operator, err)
		}
	}
	groups := append(l.whole[:0], Group{})
	if l.phase.Spaces != nil {
		var err error
		if groups, err = l.phase.Spaces.Split(b); err != nil {
			return fmt.Errorf("local aggregate %s: %w", l.ctx.Operator, err)
		}
	}
	l.single = l.adapt.bypass()
	if l.single && l.plan.plain && b.Kinds() == nil {
		l.passing, l.passed = l.singles(b), 0
		return l.Flush() // rows that came before go before
	}
	if !l.single {
		l.adapt.batch()
	}
	l.input, l.groups = b.Retain(), groups
	return nil
}

// AppendOnly reports rows that take others back.
func AppendOnly(b *stream.Batch) error {
	if b.Kinds() == nil {
		return nil
	}
	for i := range b.Rows() {
		if k := b.Kind(b.Row(i)); k != stream.Insert {
			return failure.Internalf("a row of kind %s came where only +I can", k)
		}
	}
	return nil
}

// Advance empties the table if the watermark closes a window in it.
func (l *Local) Advance(w stream.Watermark) error {
	if l.table.Len() > 0 && l.phase.Spaces != nil && l.phase.Spaces.Closes(w, l.table.Least()) {
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
			if l.table.Full() {
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

// open begins with the rows of a namespace.
func (l *Local) open(g Group) {
	if g.Rows == nil {
		l.part = l.input.Retain()
	} else {
		l.part = operators.Select(l.input, g.Rows)
	}
	l.keys, l.from = l.reader.Read(l.part), 0
	l.folder.Weigh(l.weights(l.part), nil)
}

func (l *Local) foldTile() error {
	to := min(l.from+TileRows, l.keys.Len())
	Tile(&l.tile, l.keys, l.from, to)
	slots := l.slots[:to-l.from]
	if l.single {
		l.table.Append(&l.tile, l.groups[0].Space, slots)
	} else {
		l.table.Upsert(&l.tile, l.groups[0].Space, slots)
	}
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

// partial returns partial rows: keys, namespace, accumulators, rows.
func (l *Local) partial(slots []statebackend.Slot) (*stream.Batch, error) {
	b, err := l.output.Begin(l.table, slots)
	if err != nil {
		return nil, err
	}
	at := len(l.phase.Keys)
	if l.phase.Spaces != nil {
		spaces := stream.NewFixed(l.ctx.Pool, l.ctx.Output.Fields[at].Type, len(slots))
		for i, s := range slots {
			stream.Values[int64](&spaces)[i] = l.table.Namespace(s)
		}
		b.Columns[at] = spaces
		at++
	}
	if err := l.output.Finish(b, l.table, slots, at); err != nil {
		return nil, err
	}
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

// weights returns what each selected row counts for, nil where that is 1.
func (l *Local) weights(b *stream.Batch) []int64 {
	if b.Kinds() == nil {
		return nil
	}
	l.signs = Signs(l.signs, b)
	return l.signs
}

// Signs returns, in dst's memory, 1 for each selected row that adds and -1 for each
// that takes back.
func Signs(dst []int64, b *stream.Batch) []int64 {
	dst = slices.Grow(dst[:0], b.Rows())[:b.Rows()]
	for i := range dst {
		dst[i] = 1
		if b.Kind(b.Row(i)).Retracts() {
			dst[i] = -1
		}
	}
	return dst
}

// singles returns the rows of a batch, each as a partial row of one.
func (l *Local) singles(b *stream.Batch) *stream.Batch {
	pool := l.ctx.Pool
	out := pool.NewBatch(l.ctx.Output, b.Len())
	b.ShareRows(out)
	fields := l.ctx.Output.Fields
	for i, k := range l.phase.Keys {
		out.Columns[i] = As(pool, &b.Columns[k], fields[i].Type)
	}
	column := len(l.phase.Keys)
	if l.phase.Spaces != nil {
		out.Columns[column] = l.phase.Spaces.Column(pool, b, fields[column].Type)
		column++
	}
	AppendSingles(pool, l.phase.Calls, l.phase.Retract, b, fields[column:], out.Columns[column:])
	return out
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
