package over

import (
	"bytes"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// frames are questions: for each key, the rows from an order on are to be answered.
type frames struct {
	keys stream.Keys
	// from is the first row to answer, to the first behind the last (none: there is
	// none), back the first that a range reaches.
	from, to, back statebackend.Orders
}

func (f *frames) reset() {
	f.keys = stream.Keys{}
	f.from.Reset()
	f.to.Reset()
	f.back.Reset()
}

// add asks for rows of a time, from a number on.
func (f *frames) add(spec *jobgraph.OverAggregateSpec, time int64, number uint64, ends bool) {
	f.from.Append(orderOf(nil, time, number))
	if ends {
		f.to.Append(orderOf(nil, time+1, 0))
	}
	f.back.Append(orderOf(nil, time-spec.Frame.Preceding, 0))
}

// found receives the rows of a scan.
type found struct {
	rows   statebackend.OrderedRows
	schema *types.Schema
}

func newFound(pool *stream.Pool, s *types.Schema) *found {
	f := &found{schema: s}
	for _, field := range s.Fields {
		f.rows.Columns = append(f.rows.Columns, stream.NewBuilder(pool, field.Type, aggregate.TileRows))
	}
	return f
}

// scan returns all rows of a scan as one batch.
func (f *found) scan(o *Over, scan *statebackend.OrderedScan) (*stream.Batch, error) {
	for {
		before := len(f.rows.Positions)
		if err := o.rows.Next(scan, aggregate.TileRows, &f.rows); err != nil {
			return nil, err
		}
		if len(f.rows.Positions)-before < aggregate.TileRows {
			break
		}
	}
	return f.batch(o, len(f.rows.Positions)), nil
}

func (f *found) batch(o *Over, n int) *stream.Batch {
	b := o.ctx.Pool.NewBatch(f.schema, n)
	for i, builder := range f.rows.Columns {
		b.Columns[i] = builder.Finish()
	}
	return b
}

func (f *found) close() {
	for _, b := range f.rows.Columns {
		b.Close()
	}
}

// answer answers questions.
func (o *Over) answer(d *frames) error {
	var err error
	switch f := o.spec.Frame; {
	case !f.Bounded:
		err = o.answerRunning(d)
	case f.Range:
		err = o.answerRange(d)
	default:
		err = o.answerRows(d)
	}
	return err
}

// answerRunning is for frames that begin with the first row: the rows leave the map
// and go into the accumulators of their key.
func (o *Over) answerRunning(d *frames) error {
	f := newFound(o.ctx.Pool, o.ctx.Inputs[0])
	defer f.close()
	b, err := f.scan(o, &statebackend.OrderedScan{Keys: &d.keys, From: d.from, To: d.to})
	if err != nil {
		return err
	}
	defer b.Release()
	if err := o.count(b); err != nil {
		return err
	}
	part, err := o.groupsOf(&d.keys)
	if err != nil {
		return err
	}
	a := o.begin(b)
	o.steps.Lay(&o.folder, b, part, nil)
	defer o.steps.Drop()
	positions := f.rows.Positions
	o.findPeers(b, positions)
	for i := 0; i < len(positions); {
		key := positions[i]
		last := i
		for last < len(positions) && positions[last] == key {
			last++
		}
		if o.spec.Frame.Range {
			err = a.runAll(part, o.slots[key], b, i, last)
		}
		for ; err == nil && !o.spec.Frame.Range && i < last; i++ {
			err = a.run(part, o.slots[key], b, i)
		}
		if err != nil {
			return err
		}
		i = last
	}
	if err := a.flush(); err != nil {
		return err
	}
	o.remove(&d.keys, positions, &f.rows.Orders)
	return nil
}

// findPeers finds out which rows, that questions at positions ask for, begin peers. All rows of a key's time are due at once, so that none has
// peers that were answered before.
func (o *Over) findPeers(b *stream.Batch, positions []int32) {
	if !o.plan.Ranked {
		return
	}
	if words := stream.Words(len(positions)); len(o.peers) < words {
		o.peers = make(stream.Bitmap, 2*words)
	}
	times := &b.Columns[o.spec.Time]
	for i, key := range positions {
		begins := i == 0 || key != positions[i-1] ||
			stream.Value[int64](times, b.Row(i)) != stream.Value[int64](times, b.Row(i-1))
		o.peers.Put(i, begins)
	}
	o.folder.Peers(o.peers)
}

// answerRange is for ranges of time.
func (o *Over) answerRange(d *frames) error {
	f := newFound(o.ctx.Pool, o.ctx.Inputs[0])
	defer f.close()
	b, err := f.scan(o, &statebackend.OrderedScan{Keys: &d.keys, From: d.back, To: d.to})
	if err != nil {
		return err
	}
	defer b.Release()
	o.values.Lay(b)
	a := o.begin(b)
	o.steps.Lay(&o.folder, b, nil, o.values)
	defer o.steps.Drop()
	positions := f.rows.Positions
	for i := 0; i < len(positions); {
		key, first, last := positions[i], i, i
		for last < len(positions) && positions[last] == key {
			if bytes.Compare(f.rows.Orders.At(last), d.from.At(int(key))) < 0 {
				first = last + 1
			}
			last++
		}
		if o.spec.Arrival { // each row ends its own range
			for k := first; err == nil && k < last; k++ {
				err = a.fold(b, i, k+1, k)
			}
		} else {
			err = a.fold(b, i, last, first)
		}
		if err != nil {
			return err
		}
		i = last
	}
	return a.flush()
}

// answerRows is for frames of so many rows: those before the first question are
// looked up from there back.
func (o *Over) answerRows(d *frames) error {
	n := int(o.spec.Frame.Preceding)
	before, after := newFound(o.ctx.Pool, o.ctx.Inputs[0]), newFound(o.ctx.Pool, o.ctx.Inputs[0])
	defer before.close()
	defer after.close()
	back := o.ctx.Pool.NewBatch(o.ctx.Inputs[0], 0)
	var err error
	if n > 0 {
		back.Release()
		if back, err = before.scan(o, &statebackend.OrderedScan{Keys: &d.keys, To: d.from, Descending: true, Limit: n}); err != nil {
			return err
		}
	}
	defer back.Release()
	rows, err := after.scan(o, &statebackend.OrderedScan{Keys: &d.keys, From: d.from, To: d.to})
	if err != nil {
		return err
	}
	defer rows.Release()
	all := newFound(o.ctx.Pool, o.ctx.Inputs[0])
	defer all.close()
	b, starts := all.join(o, d.keys.Len(), before, back, after, rows)
	defer b.Release()
	o.slider.forget()
	o.values.Lay(b)
	a := o.begin(b)
	o.steps.Lay(&o.folder, b, nil, o.values)
	defer o.steps.Drop()
	var dead []int32
	var orders statebackend.Orders
	for key, x := range starts {
		for k := x.asked; k < x.end; k++ {
			if err := a.fold(b, max(x.first, k-n), k+1, k); err != nil {
				return err
			}
		}
		for k := x.first; k < x.end-n; k++ {
			dead = append(dead, int32(key))
			orders.Append(all.rows.Orders.At(k))
		}
	}
	if err := a.flush(); err != nil {
		return err
	}
	o.remove(&d.keys, dead, &orders)
	return nil
}

// stretch is the rows of a question: first, ..., end-1, answered from asked on.
type stretch struct{ first, asked, end int }

// join puts the rows of each question one behind the other: those before, turned
// round, and those that are asked for.
func (f *found) join(o *Over, questions int, before *found, back *stream.Batch, after *found, rows *stream.Batch) (*stream.Batch, []stretch) {
	out := make([]stretch, questions)
	i, k, n := 0, 0, 0
	for q := range out {
		var turned, asked []int32
		for i < len(before.rows.Positions) && before.rows.Positions[i] == int32(q) {
			turned = append(turned, int32(i))
			i++
		}
		for a, z := 0, len(turned)-1; a < z; a, z = a+1, z-1 {
			turned[a], turned[z] = turned[z], turned[a]
		}
		for k < len(after.rows.Positions) && after.rows.Positions[k] == int32(q) {
			asked = append(asked, int32(k))
			k++
		}
		for c, builder := range f.rows.Columns {
			if len(turned) > 0 {
				builder.AppendRows(&back.Columns[c], turned)
			}
			builder.AppendRows(&rows.Columns[c], asked)
		}
		for _, p := range turned {
			f.rows.Orders.Append(before.rows.Orders.At(int(p)))
		}
		for _, p := range asked {
			f.rows.Orders.Append(after.rows.Orders.At(int(p)))
		}
		out[q] = stretch{n, n + len(turned), n + len(turned) + len(asked)}
		n = out[q].end
	}
	return f.batch(o, n), out
}

// answers collects rows with the scratch rows of their aggregates.
type answers struct {
	o     *Over
	from  *stream.Batch
	rows  []int32 // of from, physically
	slots []statebackend.Slot
	gives []int32 // of each: where the results of its steps are; none where there are no steps
	tile  []statebackend.Slot
}

// begin begins answers to rows of a batch, in memory that is reused.
func (o *Over) begin(b *stream.Batch) *answers {
	a := &o.answers
	a.o, a.from = o, b
	a.rows, a.slots, a.gives = a.rows[:0], a.slots[:0], a.gives[:0]
	return a
}

// run takes selected row i into the accumulators of its key, and answers it.
func (a *answers) run(groups statebackend.Part, group statebackend.Slot, b *stream.Batch, i int) error {
	if err := a.into(groups, group, b, i, i+1); err != nil {
		return err
	}
	return a.copy(groups, group, i, i+1)
}

// runAll takes rows in and gives all of them the same answer.
func (a *answers) runAll(groups statebackend.Part, group statebackend.Slot, b *stream.Batch, from, to int) error {
	if err := a.into(groups, group, b, from, to); err != nil {
		return err
	}
	return a.copy(groups, group, from, to)
}

// copy answers rows with the accumulators of their key as they are.
func (a *answers) copy(groups statebackend.Part, group statebackend.Slot, from, to int) error {
	slot, err := a.slot()
	if err != nil {
		return err
	}
	if err := a.o.plan.Copy(a.o.scratch, slot, groups, group); err != nil {
		return err
	}
	if err := a.o.steps.Add(group, from, to, 0); err != nil {
		return err
	}
	return a.add(slot, group, from, to)
}

// fold answers the selected rows from asked to the end with the aggregates over all
// of them.
func (a *answers) fold(b *stream.Batch, from, to, asked int) error {
	slot, err := a.slot()
	if err != nil {
		return err
	}
	if a.o.slider != nil {
		err = a.o.slider.frame(a.o.scratch, slot, b, from, to)
	} else {
		a.o.folder.Enter(a.o.values, from)
		err = a.into(a.o.scratch, slot, b, from, to)
	}
	if err != nil {
		return err
	}
	if err := a.o.steps.Frame(from, to); err != nil {
		return err
	}
	return a.add(slot, 0, asked, to)
}

// into folds rows into one row of a table.
func (a *answers) into(table aggregate.Accumulators, slot statebackend.Slot, b *stream.Batch, from, to int) error {
	for from < to {
		next := min(from+aggregate.TileRows, to)
		a.tile = a.tile[:0]
		for range next - from {
			a.tile = append(a.tile, slot)
		}
		if err := a.o.folder.Fold(table, b, from, a.tile); err != nil {
			return err
		}
		from = next
	}
	return nil
}

// slot returns a new scratch row.
func (a *answers) slot() (statebackend.Slot, error) {
	if a.o.scratch.Full() {
		if err := a.flush(); err != nil {
			return 0, err
		}
	}
	return a.o.scratch.Blank(), nil
}

// add answers the selected rows from, ..., to-1 with a scratch row, and with what functions of the program have in a group now.
func (a *answers) add(slot, group statebackend.Slot, from, to int) error {
	for i := from; i < to; i++ {
		a.rows, a.slots = append(a.rows, int32(a.from.Row(i))), append(a.slots, slot)
	}
	if a.o.steps == nil {
		return nil
	}
	at, err := a.o.steps.Give(group, to-1)
	for range to - from {
		a.gives = append(a.gives, at)
	}
	return err
}

// flush makes batches of the answers that there are.
func (a *answers) flush() error {
	o := a.o
	results, err := o.steps.Take()
	if err != nil {
		return err
	}
	defer func() {
		for i := range results {
			results[i].Release()
		}
	}()
	for from := 0; from < len(a.rows); from += o.ctx.RowsMax {
		to := min(from+o.ctx.RowsMax, len(a.rows))
		n := to - from
		b := o.ctx.Pool.NewBatch(o.ctx.Output, n)
		columns := len(a.from.Columns)
		for c := range columns {
			builder := stream.NewBuilder(o.ctx.Pool, o.ctx.Output.Fields[c].Type, n)
			builder.AppendRows(&a.from.Columns[c], a.rows[from:to])
			b.Columns[c] = builder.Finish()
		}
		for i := range o.plan.Final {
			if at := o.given[i]; at >= 0 {
				b.Columns[columns+i] = picked(o.ctx.Pool, &results[at], a.gives[from:to])
				continue
			}
			b.Columns[columns+i] = o.plan.Final[i].Emit(o.ctx.Pool, o.scratch, a.slots[from:to])
		}
		o.out = append(o.out, b)
	}
	a.rows, a.slots, a.gives = a.rows[:0], a.slots[:0], a.gives[:0]
	o.scratch.Clear()
	return nil
}

// picked returns the values at some positions of a vector.
func picked(pool *stream.Pool, v *stream.Vector, positions []int32) stream.Vector {
	builder := stream.NewBuilder(pool, v.Type, len(positions))
	builder.AppendRows(v, positions)
	return builder.Finish()
}

var _ operators.Clocked = (*Over)(nil)
