package join

import (
	"fmt"
	"slices"
	"time"

	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
)

// IntervalFactory returns a factory of interval joins that know the functions.
func IntervalFactory(functions *expr.Registry) operators.Factory {
	return func(o *jobgraph.OperatorSpec) (operators.Operator, error) {
		return &Interval{spec: o.Body.(*jobgraph.IntervalJoinSpec), functions: functions}, nil
	}
}

// Interval joins rows whose times are near each other. A row is looked up among the other input's when it comes, and kept while
// the watermark says that more may meet it: a timer, whose namespace is the input, ends it. The mark of a row of an outer side
// tells that it had a match.
type Interval struct {
	spec      *jobgraph.IntervalJoinSpec
	functions *expr.Registry
	ctx       *operators.Context
	sides     [2]*timed
	timers    timers
	condition *condition
	box       outbox
	watermark stream.Watermark
	expiring  bool

	// The keyed rows of the batch under way: which input's, the candidates that are left, which rows had a match, the
	// first that is not finished.
	batch   *stream.Batch
	input   int
	it      statebackend.SlotIterator
	slots   []statebackend.Slot // of its rows, NoSlot for those that are not kept
	matched []bool
	done    int
	whole   *stream.Batch // the batch as it came, whose unkeyed rows leave

	candidates candidates
	kept       []int32
	expired    []statebackend.Slot
}

// Open declares the tables.
func (j *Interval) Open(ctx *operators.Context) error {
	j.ctx, j.watermark = ctx, ctx.Watermark
	if err := j.open(); err != nil {
		return failure.User(fmt.Errorf("interval join %s: %w", ctx.Operator, err))
	}
	return nil
}

func (j *Interval) open() (err error) {
	for input, name := range []string{"left", "right"} {
		column := []int{j.spec.LeftTime, j.spec.RightTime}[input]
		if j.sides[input], err = newTimed(j.ctx, name, input, &j.spec.Keys, column, "$matched"); err != nil {
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

// keep returns how long behind a row's time rows of the other input may meet it.
func (j *Interval) keep(input int) int64 {
	if input == 0 {
		return int64(j.spec.Upper / time.Millisecond)
	}
	return -int64(j.spec.Lower / time.Millisecond)
}

// Process stores the rows of the batch that are not late for it. Their pairs are looked for as Next is called.
func (j *Interval) Process(input int, b *stream.Batch) error {
	if err := j.process(input, b); err != nil {
		return fmt.Errorf("interval join %s: %w", j.ctx.Operator, err)
	}
	return nil
}

func (j *Interval) process(input int, b *stream.Batch) error {
	if err := appendOnly(b); err != nil {
		return err
	}
	j.input, j.whole = input, b.Retain()
	j.box.fromBatch(input, b)
	own := j.sides[input]
	j.kept = j.kept[:0]
	for i := range b.Rows() {
		row := b.Row(i)
		switch {
		case own.keyed(b, row):
			j.kept = append(j.kept, int32(row))
			j.ctx.Counts.Folded++
		case j.spec.Type.Outer(input):
			j.box.pairs.add(stream.Insert, input, int32(row), none)
			j.ctx.Counts.Folded++
		default:
			j.ctx.Counts.Filtered++
		}
	}
	if len(j.kept) == 0 {
		return nil
	}
	j.batch, j.done = operators.Select(b, j.kept), 0
	n := j.batch.Rows()
	j.matched = slices.Grow(j.matched[:0], n)[:n]
	clear(j.matched)
	return j.store()
}

// store brings the rows of the batch that something may still meet into their table, and begins to look for pairs.
func (j *Interval) store() error {
	own, keep := j.sides[j.input], j.keep(j.input)
	if err := own.read(j.batch); err != nil {
		return err
	}
	if err := j.add(own, keep); err != nil {
		return err
	}
	j.it = statebackend.SlotIterator{Keys: own.keys, From: j.it.From, To: j.it.To}
	j.it.From.Reset()
	j.it.To.Reset()
	before := j.keep(1 - j.input)
	for _, t := range own.times {
		first, last := order(t-before), order(t+keep+1)
		j.it.From.Append(first[:])
		j.it.To.Append(last[:])
	}
	return nil
}

// add stores the rows that were read, but for those that nothing can meet any more, whose slot is NoSlot.
func (j *Interval) add(own *timed, keep int64) error {
	j.kept, j.slots = j.kept[:0], j.slots[:0]
	for i, t := range own.times {
		if stream.Watermark(t+keep) > j.watermark {
			j.kept = append(j.kept, int32(j.batch.Row(i)))
		}
	}
	if len(j.kept) == j.batch.Rows() {
		if err := own.add(j.batch); err != nil {
			return err
		}
		j.slots = append(j.slots, own.slots...)
		return j.timers.register(own.keys, int64(j.input), own.times, keep)
	}
	if len(j.kept) > 0 {
		part := operators.Select(j.batch, j.kept)
		defer part.Release()
		if err := own.read(part); err != nil {
			return err
		}
		if err := own.add(part); err != nil {
			return err
		}
		if err := j.timers.register(own.keys, int64(j.input), own.times, keep); err != nil {
			return err
		}
	}
	added := own.slots
	if err := own.read(j.batch); err != nil {
		return err
	}
	for i, next := 0, 0; i < j.batch.Rows(); i++ {
		slot := statebackend.NoSlot
		if next < len(j.kept) && j.kept[next] == int32(j.batch.Row(i)) {
			slot = added[next]
			next++
		}
		j.slots = append(j.slots, slot)
	}
	return nil
}

// Advance ends the rows that nothing can meet behind w.
func (j *Interval) Advance(w stream.Watermark) error {
	if w <= j.watermark {
		return nil // restored inputs that come up to where the operator is
	}
	j.watermark, j.expiring = w, true
	j.box.fromTables()
	return nil
}

// MapWatermark holds event time back, for a pair comes behind the time of its earlier row.
func (j *Interval) MapWatermark(w stream.Watermark) stream.Watermark {
	if w == stream.MaxWatermark {
		return w
	}
	return w - stream.Watermark(j.spec.Delay()/time.Millisecond)
}

// Flush does nothing: all rows are in the tables.
func (j *Interval) Flush() error { return nil }

// Next gives the pairs of the batch, or the rows that end without a match.
func (j *Interval) Next() (operators.Output, error) {
	var err error
	for err == nil && !j.box.full() && (j.expiring || j.batch != nil && j.done < j.batch.Rows()) {
		if j.expiring {
			err = j.expire()
		} else {
			err = j.step()
		}
	}
	if err != nil {
		return operators.Output{}, fmt.Errorf("interval join %s: %w", j.ctx.Operator, err)
	}
	b := j.box.next()
	if b == nil {
		j.release()
	}
	return operators.Output{Batch: b}, nil
}

func (j *Interval) release() {
	j.batch.Release()
	j.whole.Release()
	j.batch, j.whole = nil, nil
}

// step looks at the next tile of candidates.
func (j *Interval) step() error {
	other, c := j.sides[1-j.input], &j.candidates
	c.others, c.positions = other.table.Slots(&j.it, pairsMax, c.others[:0], c.positions[:0])
	complete := j.it.Key
	if len(c.others) < pairsMax {
		complete = j.batch.Rows()
	}
	if err := c.meet(j.ctx.Pool, j.condition, j.batch, j.input, tableRows{other.table}); err != nil {
		return err
	}
	if j.spec.Type.Outer(1 - j.input) {
		j.markAll(other, c.others)
	}
	for i, p := range c.positions {
		j.matched[p] = true
		j.box.pairs.add(stream.Insert, j.input, int32(j.batch.Row(int(p))), c.others[i])
	}
	for ; j.done < complete; j.done++ {
		j.finish(j.done)
	}
	return nil
}

// markAll notes that rows had a match.
func (j *Interval) markAll(s *timed, slots []statebackend.Slot) {
	r := s.table.Rows()
	for i, slot := range slots {
		if word := &r.At(slot)[s.mark]; *word == 0 {
			s.table.Touch(slots[i : i+1])
			*word = 1
		}
	}
}

// finish notes whether a row of the batch had a match, and pads it if it had none and is not kept.
func (j *Interval) finish(i int) {
	if !j.spec.Type.Outer(j.input) {
		return
	}
	own := j.sides[j.input]
	slot := j.slots[i]
	switch {
	case slot != statebackend.NoSlot && j.matched[i]:
		r := own.table.Rows()
		r.At(slot)[own.mark] = 1
	case slot == statebackend.NoSlot && !j.matched[i]:
		j.box.pairs.add(stream.Insert, j.input, int32(j.batch.Row(i)), none)
	}
}

// expire ends the rows of the next timer.
func (j *Interval) expire() error {
	j.box.settle()
	i, ok, err := j.timers.next(j.watermark)
	if !ok || err != nil {
		j.expiring = false
		return err
	}
	input := int(j.timers.due.Namespaces[i])
	s := j.sides[input]
	at := j.timers.due.Times[i] - j.keep(input)
	j.expired, j.kept = s.all(s.at(&j.timers.due.Raw, i, at), j.expired[:0], j.kept)
	if j.spec.Type.Outer(input) {
		r := s.table.Rows()
		for _, slot := range j.expired {
			if r.At(slot)[s.mark] == 0 {
				j.box.pairs.add(stream.Insert, input, slot, none)
			}
		}
	}
	j.box.gone[input] = append(j.box.gone[input], j.expired...)
	return nil
}

// Close gives back what is under way.
func (j *Interval) Close() error {
	j.release()
	j.box.writer.close()
	j.condition.close()
	return nil
}
