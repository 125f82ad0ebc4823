package join

import (
	"fmt"
	"math"

	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
)

// TemporalFactory returns a factory of temporal joins that know the functions.
func TemporalFactory(functions *expr.Registry) operators.Factory {
	return func(o *jobgraph.OperatorSpec) (operators.Operator, error) {
		spec := o.Body.(*jobgraph.TemporalJoinSpec)
		if spec.ProcessingTime {
			return &Latest{spec: spec, functions: functions}, nil
		}
		return &Temporal{spec: spec, functions: functions}, nil
	}
}

// Temporal joins left rows with the versions of their times. Left rows wait for the watermark, which says that their
// version has come; timers name them by key and time (namespace 0). A right row is a version from its time on; its
// timer (namespace 1) ends those before it, for which no left row that is in time can ask. The mark of a row is its kind.
type Temporal struct {
	spec      *jobgraph.TemporalJoinSpec
	functions *expr.Registry
	ctx       *operators.Context
	sides     [2]*timed
	timers    timers
	condition *condition
	box       outbox
	watermark stream.Watermark
	firing    bool
	batch     *stream.Batch // whose rows leave that have no match for their key
	kept      []int32

	waiting   pairs   // left rows that fire, with their versions
	l, r      []int32 // of those that have one, with their positions in waiting
	asked     []int32
	slots     []statebackend.Slot
	positions []int32
}

const leftTimer, versionTimer = 0, 1

// ended is the mark of a version that leaves its table as soon as no pair refers to it.
const ended = math.MaxUint8

// Open declares the tables.
func (j *Temporal) Open(ctx *operators.Context) error {
	j.ctx, j.watermark = ctx, ctx.Watermark
	if err := j.open(); err != nil {
		return failure.User(fmt.Errorf("temporal join %s: %w", ctx.Operator, err))
	}
	return nil
}

func (j *Temporal) open() (err error) {
	for input, name := range []string{"left", "versions"} {
		column := []int{j.spec.LeftTime, j.spec.RightTime}[input]
		if j.sides[input], err = newTimed(j.ctx, name, input, &j.spec.Keys, column, "$kind"); err != nil {
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
	j.box.writer = newWriter(j.ctx, false)
	return nil
}

// Process stores left rows until they are due, and right rows as versions.
func (j *Temporal) Process(input int, b *stream.Batch) error {
	if err := j.process(input, b); err != nil {
		return fmt.Errorf("temporal join %s: %w", j.ctx.Operator, err)
	}
	return nil
}

func (j *Temporal) process(input int, b *stream.Batch) error {
	own := j.sides[input]
	j.kept = j.kept[:0]
	for i := range b.Rows() {
		row := b.Row(i)
		kind := b.Kind(row)
		switch {
		case input == 0 && j.spec.Left == jobgraph.AppendChangelog && kind != stream.Insert:
			return failure.Internalf("a row of kind %s came where only +I can", kind)
		case input == 1 && kind == stream.UpdateBefore:
			j.ctx.Counts.Filtered++
		case own.keyed(b, row):
			j.kept = append(j.kept, int32(row))
			j.ctx.Counts.Folded++
		case input == 0 && j.spec.Type == jobgraph.LeftJoin:
			j.box.pairs.add(kind, 0, int32(row), none)
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
	if input == 0 {
		if err := own.add(part); err != nil {
			return err
		}
		return j.timers.register(own.keys, leftTimer, own.times, 0)
	}
	if err := own.put(part); err != nil {
		return err
	}
	return j.timers.register(own.keys, versionTimer, own.times, 0)
}

// Advance fires the left rows whose time is at or before w.
func (j *Temporal) Advance(w stream.Watermark) error {
	if w <= j.watermark {
		return nil // restored inputs that come up to where the operator is
	}
	j.watermark, j.firing = w, true
	j.box.fromTables()
	return nil
}

// Flush does nothing: all rows are in the tables.
func (j *Temporal) Flush() error { return nil }

// Next gives the left rows that fire, with their versions.
func (j *Temporal) Next() (operators.Output, error) {
	for j.firing && !j.box.full() {
		if err := j.step(); err != nil {
			return operators.Output{}, fmt.Errorf("temporal join %s: %w", j.ctx.Operator, err)
		}
	}
	b := j.box.next()
	if b == nil {
		j.batch.Release()
		j.batch = nil
	}
	return operators.Output{Batch: b}, nil
}

// step collects a tile of left rows that are due, with their versions, and makes output of them.
func (j *Temporal) step() error {
	j.box.settle()
	j.waiting.reset()
	for j.waiting.len() < pairsMax {
		i, ok, err := j.timers.next(j.watermark)
		if err != nil {
			return err
		}
		if !ok {
			j.firing = false
			break
		}
		if j.timers.due.Namespaces[i] == leftTimer {
			j.collect(i)
		} else {
			j.end(i)
		}
	}
	return j.pair()
}

// collect finds the left rows of a timer and the version that was valid.
func (j *Temporal) collect(i int) {
	left, versions := j.sides[0], j.sides[1]
	due := &j.timers.due
	version := none
	it := versions.upTo(&due.Raw, i, due.Times[i])
	it.Newest = true
	j.slots, j.positions = versions.table.Slots(it, 1, j.slots[:0], j.positions[:0])
	if len(j.slots) > 0 {
		r := versions.table.Rows()
		if kind := r.At(j.slots[0])[versions.mark]; kind != ended && !stream.RowKind(kind).Retracts() {
			version = j.slots[0]
		}
	}
	j.slots, j.positions = left.all(left.at(&due.Raw, i, due.Times[i]), j.slots[:0], j.positions)
	r := left.table.Rows()
	for _, slot := range j.slots {
		j.waiting.add(stream.RowKind(r.At(slot)[left.mark]), 0, slot, version)
		j.box.gone[0] = append(j.box.gone[0], slot)
	}
}

// end ends the versions before that of a timer.
func (j *Temporal) end(i int) {
	versions, due := j.sides[1], &j.timers.due
	j.slots, j.positions = versions.all(versions.upTo(&due.Raw, i, due.Times[i]), j.slots[:0], j.positions)
	r := versions.table.Rows()
	for _, slot := range j.slots[:max(len(j.slots)-1, 0)] {
		if word := &r.At(slot)[versions.mark]; *word != ended {
			*word = ended
			j.box.gone[1] = append(j.box.gone[1], slot)
		}
	}
}

// pair makes output of the left rows that wait.
func (j *Temporal) pair() error {
	w := &j.waiting
	if j.condition != nil {
		j.l, j.r, j.asked = j.l[:0], j.r[:0], j.asked[:0]
		for i, version := range w.right {
			if version != none {
				j.l, j.r, j.asked = append(j.l, w.left[i]), append(j.r, version), append(j.asked, int32(i))
			}
		}
		var kept []int32
		if len(j.l) > 0 {
			var err error
			kept, err = j.condition.keep(j.ctx.Pool, tableRows{j.sides[0].table}, j.l, tableRows{j.sides[1].table}, j.r)
			if err != nil {
				return err
			}
		}
		forsake(w.right, j.asked, kept)
	}
	for i, kind := range w.kinds {
		if w.right[i] != none || j.spec.Type == jobgraph.LeftJoin {
			j.box.pairs.add(kind, 0, w.left[i], w.right[i])
		}
	}
	return nil
}

// forsake takes the match away from the asked rows that are not among the kept ones, which count in asked.
func forsake(matches, asked, kept []int32) {
	for i, at := range asked {
		if len(kept) > 0 && int(kept[0]) == i {
			kept = kept[1:]
			continue
		}
		matches[at] = none
	}
}

// Close gives back what is under way.
func (j *Temporal) Close() error {
	j.batch.Release()
	j.batch = nil
	j.box.writer.close()
	j.condition.close()
	return nil
}
