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

// Register adds the operators of this folder.
func Register(r *operators.Registry) {
	r.Register(jobgraph.KindGroupAggregate, NewGroup)
	r.Register(jobgraph.KindLocalGroupAggregate, NewLocalGroup)
}

// NewLocalGroup makes the first phase of a group aggregate. It is an operators.Factory.
func NewLocalGroup(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	spec := o.Body.(*jobgraph.LocalGroupAggregateSpec)
	return NewLocal(Phase{Keys: spec.Keys, Calls: spec.Aggregates, Retract: spec.Retract}), nil
}

// Groups is the aggregate by key for ever: a row of accumulators a key in one Value
// table. A batch goes through it as a whole: find the slots of its keys, show the
// keys as they are, fold, show them again, and what differs is the output. So a
// batch is one change of a key, however many rows it has of it.
type Groups struct {
	spec *jobgraph.GroupAggregateSpec
	ctx  *operators.Context

	plan    *Plan
	folder  Folder
	counted []*Counted
	listed  []*Listed
	reader  *stream.KeyReader
	table   statebackend.ValueTable
	expiry  Expiry
	written int // the word that has the time of the last write
	sweep   sweep
	weights int // the column that says how many rows a partial row is, -1: each is one

	// Of the batch under way: the slot of each selected row, what it counts for, and
	// behind which rows a group was empty.
	slots []statebackend.Slot
	signs []int64
	cuts  []int
	// touched are the groups of the batch.
	touched touched
	output  changelog
	rows    Writer // of what leaves at the end
	ending  bool
	cursor  statebackend.Slot
}

// NewGroup makes a group aggregate. It is an operators.Factory.
func NewGroup(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	spec := o.Body.(*jobgraph.GroupAggregateSpec)
	if spec.Partial && spec.Input == nil {
		return nil, failure.Userf("group aggregate %s: the schema of the raw input is missing", o.UID)
	}
	return &Groups{spec: spec, weights: -1}, nil
}

// Open declares the tables.
func (g *Groups) Open(ctx *operators.Context) error {
	g.ctx = ctx
	if err := g.open(ctx.Inputs[0]); err != nil {
		return fmt.Errorf("group aggregate %s: %w", ctx.Operator, err)
	}
	return nil
}

func (g *Groups) open(in *types.Schema) (err error) {
	raw, keys := in, g.spec.Keys
	if g.spec.Partial {
		if err := g.checkPartial(in); err != nil {
			return err
		}
		raw, keys = g.spec.Input, make([]int, len(g.spec.Keys))
		for i := range keys {
			keys[i] = i
		}
		g.weights = in.Len() - 1
	}
	keyTypes, err := KeyTypes(g.spec.Keys, raw)
	if err != nil {
		return failure.User(err)
	}
	if g.reader, err = stream.NewKeyReader(in, keys); err != nil {
		return failure.User(err)
	}
	g.plan, err = NewPlan(Input{
		Calls: g.spec.Aggregates, Raw: raw, Merge: g.spec.Partial, MergeFrom: len(keys), Retract: g.spec.Retract, Empty: true, Functions: g.ctx.Functions,
	})
	if err != nil {
		return failure.User(err)
	}
	g.plan.countRows = g.plan.countRows && !g.spec.Retract // else admit counts them
	g.folder.Use(g.plan)
	g.expiry = NewExpiry(g.ctx.Time, g.spec.TTL)
	if err := g.openTables(keyTypes); err != nil {
		return err
	}
	g.output = newChangelog(g.ctx, keyTypes, g.plan.Final, g.spec.UpdateBefore)
	g.rows = NewWriter(g.ctx, keyTypes, g.plan.Final, g.plan.Bytes)
	return nil
}

func (g *Groups) openTables(keys []types.Type) (err error) {
	g.counted, err = OpenCounted(g.ctx, g.plan.Counted, CountedInput{Keys: g.spec.Keys, Retract: g.spec.Retract, Expiry: g.expiry})
	if err != nil {
		return err
	}
	if g.listed, err = OpenListed(g.ctx, g.plan.Listed, g.spec.Keys); err != nil {
		return err
	}
	columns := g.plan.Columns
	if g.expiry.On() {
		columns = append(slices.Clip(columns), writtenColumn)
		_, width := statebackend.WordOf(columns)
		g.written = width - 1
	}
	g.table, err = g.ctx.State.Value(statebackend.ValueSpec{
		ID: statebackend.TableID{Operator: g.ctx.Operator, Name: "groups"}, Keys: keys, Columns: columns,
	})
	return err
}

func (g *Groups) checkPartial(in *types.Schema) error {
	want, err := jobgraph.GroupPartialSchema(g.spec.Local(), g.spec.Input)
	if err != nil {
		return failure.User(err)
	}
	if !want.Equal(in) {
		return failure.Userf("the input is %s, want the partial rows %s", in, want)
	}
	return nil
}

// Process folds a batch. What it changes is given out by Next.
func (g *Groups) Process(_ int, b *stream.Batch) error {
	if err := g.process(b); err != nil {
		return fmt.Errorf("group aggregate %s: %w", g.ctx.Operator, err)
	}
	return nil
}

func (g *Groups) process(b *stream.Batch) error {
	if !g.spec.Retract || g.spec.Partial {
		if err := AppendOnly(b); err != nil {
			return err
		}
	}
	part := g.table.Part(0, true)
	if err := g.forget(part, b); err != nil {
		return err
	}
	keys := g.reader.Read(b)
	if cap(g.slots) < keys.Len() {
		g.slots = make([]statebackend.Slot, max(keys.Len(), stream.RowsMax))
	}
	g.slots = g.slots[:keys.Len()]
	if _, err := part.Upsert(keys, g.slots); err != nil {
		return err
	}
	if err := g.touch(part, keys); err != nil {
		return err
	}
	g.admit(part.Rows(), b)
	if len(g.counted)+len(g.listed) > 0 {
		if err := g.count(part, keys, b); err != nil {
			return err
		}
	}
	if err := g.fold(part, keys, b); err != nil {
		return err
	}
	g.touched.after(part.Rows())
	for k, is := range g.touched.is {
		if !is {
			g.forgetListed(keys, int(g.touched.first[k]))
		}
	}
	if g.spec.FinalOnly {
		g.touched.drop(part)
		return nil
	}
	g.output.after(part, !g.expiry.On())
	return nil
}

// forget removes groups and values that were not written for longer than the TTL,
// some a batch.
func (g *Groups) forget(part statebackend.Part, b *stream.Batch) error {
	if !g.expiry.On() {
		return nil
	}
	over := g.sweep.next(&g.expiry, part, g.written)
	for _, c := range g.counted {
		if err := c.Age(b); err != nil {
			return err
		}
	}
	if len(g.counted)+len(g.listed) > 0 && len(over) > 0 {
		keys, err := g.keysOf(part, over)
		if err != nil {
			return err
		}
		for _, c := range g.counted {
			c.Forget(keys)
		}
		for _, l := range g.listed {
			l.Forget(keys)
		}
	}
	part.Delete(over)
	return nil
}

// keysOf returns the keys of groups; they are good until the reader reads again.
func (g *Groups) keysOf(part statebackend.Part, slots []statebackend.Slot) (*stream.Keys, error) {
	if err := part.AppendKeys(slots, g.output.keys); err != nil {
		return nil, err
	}
	b := g.ctx.Pool.NewBatch(g.ctx.Inputs[0], len(slots))
	defer b.Release()
	for i, column := range g.spec.Keys {
		b.Columns[column] = g.output.keys.Finish(i)
	}
	return g.reader.Read(b), nil
}

// touch finds the groups of the batch, empties those that have expired, and takes
// down how they are.
func (g *Groups) touch(part statebackend.Part, keys *stream.Keys) error {
	g.touched.find(g.slots, part.Slots())
	rows := part.Rows()
	if g.expiry.On() {
		stamp := g.expiry.Stamp()
		for k, s := range g.touched.slots {
			w := rows.At(s)
			if w[rowsWord] != 0 && g.expiry.Over(w[g.written]) {
				if err := g.plan.empty(part, s); err != nil {
					return err
				}
				g.forgetListed(keys, int(g.touched.first[k]))
			}
			w[g.written] = stamp
		}
	}
	g.touched.before(rows)
	if !g.spec.FinalOnly {
		return g.output.before(part, &g.touched, g.spec.UpdateBefore || !g.expiry.On())
	}
	return nil
}

// forgetListed forgets the listed values of a key.
func (g *Groups) forgetListed(keys *stream.Keys, i int) {
	if len(g.listed) == 0 {
		return
	}
	one := PickKeys(keys, []int{i})
	for _, l := range g.listed {
		l.Forget(&one)
	}
}

// admit settles what each row counts for, and counts the rows of each group where
// some may be taken back: one that takes back what is not there counts for nothing.
func (g *Groups) admit(rows statebackend.Rows, b *stream.Batch) {
	g.signs, g.cuts = g.signs[:0], g.cuts[:0]
	all, ignored := int64(b.Rows()), int64(0)
	switch {
	case g.weights >= 0:
		all = 0
		for i := range b.Rows() {
			all += stream.Value[int64](&b.Columns[g.weights], b.Row(i))
		}
	case !g.spec.Retract:
	case b.Kinds() == nil:
		addOne(rows, rowsWord, g.slots)
	default:
		g.signs = Signs(g.signs, b)
		ignored = g.admitSigned(rows)
	}
	g.ctx.Counts.Expired += ignored
	g.ctx.Counts.Folded += all - ignored
}

func (g *Groups) admitSigned(rows statebackend.Rows) (ignored int64) {
	word := rows.Offset + rowsWord
	for i, sign := range g.signs {
		n := place(&rows, word, g.slots[i])
		if sign < 0 && *n == 0 {
			g.signs[i] = 0
			ignored++
			continue
		}
		*n += uint64(sign)
		if *n == 0 && g.plan.Inexact {
			g.cuts = append(g.cuts, i+1)
		}
	}
	return ignored
}

// count counts the values of DISTINCT, lists those whose order matters, and looks the slots up again: where rows
// may leave memory, those of one table are good until another is asked.
func (g *Groups) count(part statebackend.Part, keys *stream.Keys, b *stream.Batch) error {
	for _, c := range g.counted {
		if err := c.Count(b, 0, g.weighed()); err != nil {
			return err
		}
	}
	for _, l := range g.listed {
		if err := l.Take(b, g.weighed(), g.counted, g.slots, part.Slots()); err != nil {
			return err
		}
	}
	part.Find(keys, g.slots)
	g.touched.locate(g.slots)
	return nil
}

func (g *Groups) weighed() []int64 {
	if len(g.signs) == 0 {
		return nil
	}
	return g.signs
}

// fold runs the loops, a tile at a time; a tile ends where a group was empty, whose
// sums begin anew.
func (g *Groups) fold(part statebackend.Part, keys *stream.Keys, b *stream.Batch) error {
	g.folder.Weigh(g.weighed(), g.counted)
	cuts := g.cuts
	for from := 0; from < len(g.slots); {
		to := min(from+TileRows, len(g.slots))
		cut := len(cuts) > 0 && cuts[0] <= to
		if cut {
			to, cuts = cuts[0], cuts[1:]
		}
		if err := g.folder.Fold(part, b, from, g.slots[from:to]); err != nil {
			return err
		}
		if cut {
			if err := g.plan.restart(part, g.slots[to-1]); err != nil {
				return err
			}
		}
		from = to
	}
	for _, l := range g.listed {
		if err := l.Mend(part, keys, g.slots, &g.folder); err != nil {
			return err
		}
	}
	return g.plan.Extremes(part, g.counted, b, g.slots)
}

// Advance does nothing: event time passes through.
func (g *Groups) Advance(stream.Watermark) error { return nil }

// Flush does nothing: no row is held back.
func (g *Groups) Flush() error { return nil }

// Finish begins to give the groups out, where they leave at the end only.
func (g *Groups) Finish() error {
	if !g.spec.FinalOnly {
		return nil
	}
	g.ending, g.cursor = true, 0
	part := g.table.Part(0, true)
	if len(g.spec.Keys) > 0 || part.Len() > 0 {
		return nil
	}
	one := g.ctx.Pool.NewBatch(g.ctx.Inputs[0], 1) // without columns: the key has none
	defer one.Release()
	var slot [1]statebackend.Slot
	_, err := part.Upsert(g.reader.Read(one), slot[:])
	return err
}

// Next gives what the last batch changed, or the next groups at the end.
func (g *Groups) Next() (operators.Output, error) {
	var b *stream.Batch
	var err error
	if g.ending {
		b, err = g.final()
	} else {
		b, err = g.output.next(&g.touched)
	}
	if err != nil {
		return operators.Output{}, fmt.Errorf("group aggregate %s: %w", g.ctx.Operator, err)
	}
	if b == nil {
		g.touched.drop(g.table.Part(0, false))
	}
	return operators.Output{Batch: b}, nil
}

func (g *Groups) final() (*stream.Batch, error) {
	part := g.table.Part(0, true)
	if cap(g.slots) < g.rows.RowsMax() {
		g.slots = make([]statebackend.Slot, stream.RowsMax)
	}
	n, next := part.Scan(g.cursor, g.slots[:g.rows.RowsMax()])
	if g.cursor = next; n == 0 {
		g.ending = false
		return nil, nil
	}
	b, err := g.rows.Begin(part, g.slots[:n])
	if err != nil {
		return nil, err
	}
	if err := g.rows.Finish(b, part, g.slots[:n], len(g.spec.Keys)); err != nil {
		return nil, err
	}
	return b, nil
}

// Close releases what nobody took.
func (g *Groups) Close() error {
	for _, c := range g.counted {
		c.Close()
	}
	for _, l := range g.listed {
		l.Close()
	}
	g.output.close()
	g.rows.Close()
	return nil
}
