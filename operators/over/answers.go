package over

import (
	"bytes"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/statebackend"
	"millrace/stream"
)

// selected returns some rows of a batch.
func selected(b *stream.Batch, rows []int32) *stream.Batch { return operators.Select(b, rows) }

// answerer makes a changelog of what is laid out: for each partition first the rows that went, then the others in order.
type answerer struct {
	spec    *jobgraph.OverAggregateSpec
	ctx     *operators.Context
	plan    *aggregate.Plan
	folder  aggregate.Folder
	scratch *aggregate.Table // a row for each answer, as it was or as it is
	running [2]runner        // of frames that are not bounded
	sliders [2]*slider       // of bounded ones; nil: they are made anew
	// values tells where the values of DISTINCT calls repeat among the rows that were there and that are.
	values [2]*aggregate.Repeats
	peers  [2]stream.Bitmap // that begin with a row, among both
	// steps are of functions of the program, over the rows that were there and those that are; given tells of each of the plan's results which of theirs it is. Frames are made anew, but where nothing
	// was told before: what was told must come out again, to the last bit.
	steps   [2]*aggregate.Steps
	given   []int
	results []stream.Vector // of both, those of the rows that are there behind the others
	fresh   int32           // where they begin

	told []told
	rows struct { // to go
		rows  []int32
		slots []statebackend.Slot
		gives []int32
		kinds []stream.RowKind
	}
	gives     [2][]int32
	ascending []int32 // 0, 1, ...
	tile      []statebackend.Slot
	slots     [2][]statebackend.Slot
	differ    stream.Bitmap
	out       []*stream.Batch
}

// told is an answer: what was told of a row and what is to be told; NoSlot: nothing.
type told struct {
	row     int32
	was, is statebackend.Slot
	gives   [2]int32 // where the results of the steps of both are
}

// runner has the accumulators over all rows up to one, in the first row of a table. Values of variable length leave
// gaps behind when they are replaced, so that a full table moves to the other.
type runner struct {
	table, spare *aggregate.Table
	at           int // how many rows of the batch are in it
}

func (a *answerer) open(s *Sorted) {
	a.spec, a.ctx, a.plan = s.spec, s.ctx, s.plan
	a.folder.Use(s.plan)
	a.scratch = aggregate.NewTable(s.reader.Layout(), s.plan)
	if a.sliders[0] != nil {
		a.sliders[1] = &slider{plan: s.plan}
		for side, x := range a.sliders {
			x.open(s.reader.Layout(), a.values[side])
		}
	}
	a.given = givenOf(s.plan)
	for i := range a.steps {
		a.steps[i] = aggregate.NewSteps(s.ctx.Pool, s.plan, s.spec.FinalOnly && long(s.spec))
	}
	for i := range a.running {
		if !s.spec.Frame.Bounded {
			a.running[i].table, a.running[i].spare = aggregate.NewTable(s.reader.Layout(), s.plan), aggregate.NewTable(s.reader.Layout(), s.plan)
		}
	}
}

// all answers everything that is laid out.
func (a *answerer) all(s *Sorted) error {
	l := &s.layout
	defer l.release()
	a.peers = l.begins
	a.sliders[0].forget()
	a.sliders[1].forget()
	a.values[0].Lay(l.before)
	a.values[1].Lay(l.after)
	for side, b := range [2]*stream.Batch{l.before, l.after} {
		a.steps[side].Lay(&a.folder, b, nil, a.values[side])
	}
	defer a.drop()
	var from [2]int // where the stretch begins among the rows that were and are there
	for _, g := range l.segments {
		went := false
		for _, e := range l.elements[g.from:g.to] {
			went = went || !e.is
		}
		if went {
			if err := a.stretch(l, g, from, true); err != nil {
				return err
			}
		}
		if err := a.stretch(l, g, from, false); err != nil {
			return err
		}
		for _, e := range l.elements[g.from:g.to] {
			from[0], from[1] = from[0]+count(e.was), from[1]+count(e.is)
		}
	}
	return a.flush(l)
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// stretch answers the rows of a stretch that went, or all others.
func (a *answerer) stretch(l *layout, g segment, from [2]int, went bool) error {
	if a.spec.FinalOnly { // all rows of the partition are there
		a.folder.Partition(from[1], from[1]+g.to-g.from)
	}
	if !a.spec.Frame.Bounded {
		for i := range a.running {
			a.running[i].begin(from[i])
			if err := a.steps[i].Clear(); err != nil {
				return err
			}
		}
	}
	at := from
	var up [2]int
	peers := g.from // behind the last element whose frames end at up
	for i := g.from; i < g.to; i++ {
		e := l.elements[i]
		end := [2]int{at[0] + count(e.was), at[1] + count(e.is)}
		if e.asked && went == !e.is {
			switch {
			case !a.spec.Frame.Range:
				up = end
			case i >= peers:
				up, peers = l.peers(g, i, at)
			}
			if err := a.row(l, e, from, end, up); err != nil {
				return err
			}
		}
		at = end
	}
	return nil
}

// peers returns where the rows end whose order is that of an element, whose own rows begin at these, and the first element
// behind them.
func (l *layout) peers(g segment, i int, at [2]int) (end [2]int, to int) {
	order := l.found.rows.Orders.At(int(l.elements[i].row))
	order = order[:len(order)-numberBytes]
	for ; i < g.to; i++ {
		e := l.elements[i]
		if other := l.found.rows.Orders.At(int(e.row)); !bytes.Equal(order, other[:len(other)-numberBytes]) {
			break
		}
		at[0], at[1] = at[0]+count(e.was), at[1]+count(e.is)
	}
	return at, i
}

// row answers an element: end is behind the row itself, up behind the last of its frames.
func (a *answerer) row(l *layout, e element, from, end, up [2]int) error {
	if a.scratch.Full() {
		if err := a.flush(l); err != nil {
			return err
		}
	}
	t := told{row: e.row, was: statebackend.NoSlot, is: statebackend.NoSlot}
	var err error
	if e.was {
		if t.was, err = a.frame(0, l.before, from[0], end[0], up[0]); err != nil {
			return err
		}
		if t.gives[0], err = a.steps[0].Give(0, end[0]-1); err != nil {
			return err
		}
	}
	if e.is {
		if t.is, err = a.frame(1, l.after, from[1], end[1], up[1]); err != nil {
			return err
		}
		if t.gives[1], err = a.steps[1].Give(0, end[1]-1); err != nil {
			return err
		}
	}
	a.told = append(a.told, t)
	return nil
}

// frame returns the accumulators of a frame that ends at a row, or with those of its order.
func (a *answerer) frame(side int, b *stream.Batch, from, end, up int) (statebackend.Slot, error) {
	slot := a.scratch.Blank()
	if f := a.spec.Frame; f.Bounded {
		first := max(from, end-1-int(f.Preceding))
		if err := a.steps[side].Frame(first, end); err != nil {
			return slot, err
		}
		if x := a.sliders[side]; x != nil {
			return slot, x.frame(a.scratch, slot, b, first, end)
		}
		a.folder.Enter(a.values[side], first)
		return slot, a.fold(a.scratch, slot, b, first, end)
	}
	a.folder.Enter(a.values[side], from)
	if a.plan.Ranked {
		a.folder.Peers(a.peers[side])
	}
	r := &a.running[side]
	if r.table.Full() {
		if err := r.move(a.plan); err != nil {
			return slot, err
		}
	}
	if err := a.fold(r.table, 0, b, r.at, up); err != nil {
		return slot, err
	}
	if err := a.steps[side].Add(0, r.at, up, from); err != nil {
		return slot, err
	}
	r.at = max(r.at, up)
	return slot, a.plan.Copy(a.scratch, slot, r.table, 0)
}

// fold folds rows from, ..., to-1 into a row of a table.
func (a *answerer) fold(table *aggregate.Table, slot statebackend.Slot, b *stream.Batch, from, to int) error {
	for from < to {
		next := min(from+aggregate.TileRows, to)
		a.tile = a.tile[:0]
		for range next - from {
			a.tile = append(a.tile, slot)
		}
		if err := a.folder.Fold(table, b, from, a.tile); err != nil {
			return err
		}
		from = next
	}
	return nil
}

func (r *runner) begin(at int) {
	r.table.Clear()
	r.table.Blank()
	r.at = at
}

func (r *runner) move(p *aggregate.Plan) error {
	r.spare.Clear()
	r.spare.Blank()
	if err := p.Copy(r.spare, 0, r.table, 0); err != nil {
		return err
	}
	r.table, r.spare = r.spare, r.table
	return nil
}

// flush makes batches of the answers that there are, but for those that say what was said before.
func (a *answerer) flush(l *layout) error {
	if err := a.take(); err != nil {
		return err
	}
	a.compare()
	r := &a.rows
	r.rows, r.slots, r.gives, r.kinds = r.rows[:0], r.slots[:0], r.gives[:0], r.kinds[:0]
	own := len(a.results) > 0
	add := func(row int32, slot statebackend.Slot, gives int32, kind stream.RowKind) {
		r.rows, r.slots, r.kinds = append(r.rows, row), append(r.slots, slot), append(r.kinds, kind)
		if own {
			r.gives = append(r.gives, gives)
		}
	}
	for i, t := range a.told {
		was, is := t.gives[0], a.fresh+t.gives[1]
		switch {
		case t.is == statebackend.NoSlot:
			add(t.row, t.was, was, stream.Delete)
		case t.was == statebackend.NoSlot:
			add(t.row, t.is, is, stream.Insert)
		case a.differ.Get(i):
			if a.spec.UpdateBefore {
				add(t.row, t.was, was, stream.UpdateBefore)
			}
			add(t.row, t.is, is, stream.UpdateAfter)
		}
	}
	for from := 0; from < len(r.rows); from += a.ctx.RowsMax {
		to := min(from+a.ctx.RowsMax, len(r.rows))
		a.out = append(a.out, a.batch(l, from, to))
	}
	a.told = a.told[:0]
	a.scratch.Clear()
	a.releaseResults()
	return nil
}

// take takes what functions of the program give: of the rows that were there, and behind that of those that are.
func (a *answerer) take() error {
	was, err := a.steps[0].Take()
	if err != nil {
		return err
	}
	is, err := a.steps[1].Take()
	if err != nil {
		for i := range was {
			was[i].Release()
		}
		return err
	}
	a.fresh = 0
	for i := range was {
		a.fresh = int32(was[i].Len())
		a.results = append(a.results, a.joined(&was[i], &is[i]))
		was[i].Release()
		is[i].Release()
	}
	return nil
}

// joined returns a vector that has the values of two.
func (a *answerer) joined(was, is *stream.Vector) stream.Vector {
	if was.Len() == 0 {
		is.Retain()
		return *is
	}
	builder := stream.NewBuilder(a.ctx.Pool, was.Type, was.Len()+is.Len())
	for _, v := range []*stream.Vector{was, is} {
		for len(a.ascending) < v.Len() {
			a.ascending = append(a.ascending, int32(len(a.ascending)))
		}
		builder.AppendRows(v, a.ascending[:v.Len()])
	}
	return builder.Finish()
}

func (a *answerer) releaseResults() {
	for i := range a.results {
		a.results[i].Release()
	}
	a.results = a.results[:0]
}

// drop forgets what is laid out, and what is not done.
func (a *answerer) drop() {
	for _, s := range a.steps {
		s.Drop()
	}
	a.releaseResults()
}

func (a *answerer) close() {
	a.releaseResults()
	for _, s := range a.steps {
		s.Close()
	}
}

// compare finds out which rows that were and are there have another answer.
func (a *answerer) compare() {
	words := stream.Words(len(a.told))
	if len(a.differ) < words {
		a.differ = make(stream.Bitmap, 2*words)
	}
	clear(a.differ[:words])
	a.slots[0], a.slots[1] = a.slots[0][:0], a.slots[1][:0]
	a.gives[0], a.gives[1] = a.gives[0][:0], a.gives[1][:0]
	both := false
	for _, t := range a.told {
		was, is := t.was, t.is
		switch statebackend.NoSlot {
		case was:
			was = is
		case is:
			is = was
		default:
			both = true
		}
		a.slots[0], a.slots[1] = append(a.slots[0], was), append(a.slots[1], is)
	}
	if !both {
		return
	}
	a.compareGiven()
	for i := range a.plan.Final {
		was, is := a.result(i, a.slots[0], a.gives[0], 0), a.result(i, a.slots[1], a.gives[1], 0)
		aggregate.Compare(a.differ, &was, 0, &is)
		was.Release()
		is.Release()
	}
}

// compareGiven notes where the results of functions of the program are that compare looks at.
func (a *answerer) compareGiven() {
	if len(a.results) == 0 {
		return
	}
	for _, t := range a.told {
		was, is := t.gives[0], a.fresh+t.gives[1]
		switch statebackend.NoSlot {
		case t.was:
			was = is
		case t.is:
			is = was
		}
		a.gives[0], a.gives[1] = append(a.gives[0], was), append(a.gives[1], is)
	}
}

// result returns a column of answers: those of functions of the program are where gives says it, from a position on.
func (a *answerer) result(i int, slots []statebackend.Slot, gives []int32, from int) stream.Vector {
	if at := a.given[i]; at >= 0 {
		return picked(a.ctx.Pool, &a.results[at], gives[from:from+len(slots)])
	}
	return a.plan.Final[i].Emit(a.ctx.Pool, a.scratch, slots)
}

// batch makes a batch of the answers from, ..., to-1.
func (a *answerer) batch(l *layout, from, to int) *stream.Batch {
	b := a.ctx.Pool.NewBatch(a.ctx.Output, to-from)
	columns := a.ctx.Inputs[0].Len()
	for c := range columns {
		builder := stream.NewBuilder(a.ctx.Pool, a.ctx.Output.Fields[c].Type, to-from)
		builder.AppendRows(&l.all.Columns[c], a.rows.rows[from:to])
		b.Columns[c] = builder.Finish()
	}
	for i := range a.plan.Final {
		b.Columns[columns+i] = a.result(i, a.rows.slots[from:to], a.rows.gives, from)
	}
	copy(b.MakeKinds(), a.rows.kinds[from:to])
	return b
}

var (
	_ operators.Operator = (*Sorted)(nil)
	_ operators.Finisher = (*Sorted)(nil)
)
