package join

import (
	"fmt"
	"slices"

	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
)

// WindowFactory returns a factory of window joins that know the functions.
func WindowFactory(functions *expr.Registry) operators.Factory {
	return func(o *jobgraph.OperatorSpec) (operators.Operator, error) {
		return &Window{spec: o.Body.(*jobgraph.WindowJoinSpec), functions: functions}, nil
	}
}

// Window joins the rows of a window when the watermark closes it. Its timers name the windows of a key by their ends.
type Window struct {
	spec      *jobgraph.WindowJoinSpec
	functions *expr.Registry
	ctx       *operators.Context
	sides     [2]*timed
	timers    timers
	condition *condition
	box       outbox

	watermark stream.Watermark
	firing    bool
	batch     *stream.Batch // whose rows leave that have no match for their key
	kept      []int32       // scratch: rows to be stored
	group     group
}

// group is the rows of a window and key, of which the first pairs have been looked at.
type group struct {
	active      bool
	slots       [2][]statebackend.Slot
	matched     [2][]bool
	left, right int // the next pair
	l, r        []statebackend.Slot
	at          [2][]int32 // of the candidates, in slots
	positions   []int32
}

// Open declares the tables.
func (j *Window) Open(ctx *operators.Context) error {
	j.ctx, j.watermark = ctx, ctx.Watermark
	if err := j.open(); err != nil {
		return failure.User(fmt.Errorf("window join %s: %w", ctx.Operator, err))
	}
	return nil
}

func (j *Window) open() (err error) {
	for input, name := range []string{"left", "right"} {
		column := []int{j.spec.LeftEnd, j.spec.RightEnd}[input]
		if j.sides[input], err = newTimed(j.ctx, name, input, &j.spec.Keys, column, "$mark"); err != nil {
			return err
		}
		j.box.tables[input] = j.sides[input].table
	}
	if j.timers, err = newTimers(j.ctx, j.ctx.Inputs[0], j.spec.Keys.Left); err != nil {
		return err
	}
	if j.condition, err = newCondition(j.spec.Condition, j.ctx, j.functions); err != nil {
		return fmt.Errorf("condition: %w", err)
	}
	j.box.writer = newWriter(j.ctx, j.spec.Type.LeftOnly())
	return nil
}

// Process stores the rows of the batch whose windows are open.
func (j *Window) Process(input int, b *stream.Batch) error {
	if err := j.process(input, b); err != nil {
		return fmt.Errorf("window join %s: %w", j.ctx.Operator, err)
	}
	return nil
}

func (j *Window) process(input int, b *stream.Batch) error {
	if err := appendOnly(b); err != nil {
		return err
	}
	own := j.sides[input]
	pads := j.spec.Type.Outer(input) || j.spec.Type == jobgraph.AntiJoin && input == 0
	j.kept = j.kept[:0]
	for i := range b.Rows() {
		row := b.Row(i)
		end, err := own.time(b, row)
		switch {
		case err != nil:
			return err
		case stream.Watermark(end-1) <= j.watermark:
			j.ctx.Counts.Late++
		case own.keyed(b, row):
			j.kept = append(j.kept, int32(row))
			j.ctx.Counts.Folded++
		case pads:
			j.box.pairs.add(stream.Insert, input, int32(row), none)
			j.ctx.Counts.Folded++
		default:
			j.ctx.Counts.Filtered++
		}
	}
	if j.box.pairs.len() > 0 {
		j.batch = b.Retain()
		j.box.fromBatch(input, b)
	}
	if len(j.kept) == 0 {
		return nil
	}
	part := operators.Select(b, j.kept)
	defer part.Release()
	if err := own.read(part); err != nil {
		return err
	}
	if err := own.add(part); err != nil {
		return err
	}
	return j.timers.register(own.keys, 0, own.times, -1)
}

// Advance fires the windows whose last millisecond is at or before w.
func (j *Window) Advance(w stream.Watermark) error {
	if w <= j.watermark {
		return nil // restored inputs that come up to where the operator is
	}
	j.watermark, j.firing = w, true
	j.box.fromTables()
	return nil
}

// Flush does nothing: all rows are in the tables.
func (j *Window) Flush() error { return nil }

// Next gives the pairs of windows that fire. Their rows leave the tables with them.
func (j *Window) Next() (operators.Output, error) {
	for j.firing && !j.box.full() {
		if err := j.step(); err != nil {
			return operators.Output{}, fmt.Errorf("window join %s: %w", j.ctx.Operator, err)
		}
	}
	b := j.box.next()
	if b == nil {
		j.batch.Release()
		j.batch = nil
	}
	return operators.Output{Batch: b}, nil
}

// step looks at the next candidates, or goes on to the next window and key.
func (j *Window) step() error {
	g := &j.group
	if !g.active {
		j.box.settle()
		i, ok, err := j.timers.next(j.watermark)
		if !ok || err != nil {
			j.firing = false
			return err
		}
		j.load(i)
	}
	if err := j.pair(); err != nil {
		return err
	}
	if len(g.slots[1]) == 0 || g.left == len(g.slots[0]) {
		j.finish()
	}
	return nil
}

// load finds the rows of the window and key of a timer.
func (j *Window) load(i int) {
	g := &j.group
	end := j.timers.due.Times[i] + 1
	for input, s := range j.sides {
		g.slots[input], g.positions = s.all(s.at(&j.timers.due.Raw, i, end), g.slots[input][:0], g.positions)
		n := len(g.slots[input])
		g.matched[input] = slices.Grow(g.matched[input][:0], n)[:n]
		clear(g.matched[input])
	}
	g.active, g.left, g.right = true, 0, 0
}

// pair makes output of a tile of candidates of the group.
func (j *Window) pair() error {
	g := &j.group
	g.l, g.r, g.at[0], g.at[1] = g.l[:0], g.r[:0], g.at[0][:0], g.at[1][:0]
	for len(g.slots[1]) > 0 && g.left < len(g.slots[0]) && len(g.l) < pairsMax {
		n := min(len(g.slots[1])-g.right, pairsMax-len(g.l))
		for k := g.right; k < g.right+n; k++ {
			g.l, g.r = append(g.l, g.slots[0][g.left]), append(g.r, g.slots[1][k])
			g.at[0], g.at[1] = append(g.at[0], int32(g.left)), append(g.at[1], int32(k))
		}
		if g.right += n; g.right == len(g.slots[1]) {
			g.left, g.right = g.left+1, 0
		}
	}
	if len(g.l) == 0 {
		return nil
	}
	if j.condition == nil {
		for k := range g.l {
			j.meet(k)
		}
		return nil
	}
	kept, err := j.condition.keep(j.ctx.Pool, tableRows{j.sides[0].table}, g.l, tableRows{j.sides[1].table}, g.r)
	for _, k := range kept {
		j.meet(int(k))
	}
	return err
}

// meet makes output of a candidate.
func (j *Window) meet(k int) {
	g := &j.group
	g.matched[0][g.at[0][k]], g.matched[1][g.at[1][k]] = true, true
	if !j.spec.Type.LeftOnly() {
		j.box.pairs.add(stream.Insert, 0, g.l[k], g.r[k])
	}
}

// finish makes output of rows of the group for which all that counts is whether they had a match.
func (j *Window) finish() {
	g := &j.group
	for input := range g.slots {
		for k, s := range g.slots[input] {
			matched := g.matched[input][k]
			if j.spec.Type.Outer(input) && !matched ||
				input == 0 && (j.spec.Type == jobgraph.SemiJoin && matched || j.spec.Type == jobgraph.AntiJoin && !matched) {
				j.box.pairs.add(stream.Insert, input, s, none)
			}
		}
		j.box.gone[input] = append(j.box.gone[input], g.slots[input]...)
	}
	g.active = false
}

// Close gives back what is under way.
func (j *Window) Close() error {
	j.batch.Release()
	j.batch = nil
	j.box.writer.close()
	j.condition.close()
	return nil
}
