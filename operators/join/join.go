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

// Register adds the operators of this folder, with the functions that their
// conditions may call and what opens the tables of lookup joins.
func Register(r *operators.Registry, functions *expr.Registry, open operators.LookupOpener) {
	r.Register(jobgraph.KindLookupJoin, LookupFactory(functions, open))
	r.Register(jobgraph.KindJoin, Factory(functions))
	r.Register(jobgraph.KindIntervalJoin, IntervalFactory(functions))
	r.Register(jobgraph.KindWindowJoin, WindowFactory(functions))
	r.Register(jobgraph.KindTemporalJoin, TemporalFactory(functions))
}

// Factory returns a factory of regular joins that know the functions.
func Factory(functions *expr.Registry) operators.Factory {
	return func(o *jobgraph.OperatorSpec) (operators.Operator, error) {
		return &Join{spec: o.Body.(*jobgraph.JoinSpec), functions: functions}, nil
	}
}

// Join is the regular join.
type Join struct {
	spec      *jobgraph.JoinSpec
	functions *expr.Registry
	ctx       *operators.Context
	sides     [2]*side
	condition *condition
	output    *writer

	pending upserts // what was not begun of the batch that came
	// The batch under way: whose it is, its rows' slots in the input's own table, the
	// candidates that are left, how many matches each row had, and the first row that is not finished.
	batch   *stream.Batch
	input   int
	slots   []statebackend.Slot
	it      statebackend.SlotIterator
	matches []int32
	done    int

	// What leaves, of which from is the first that did not yet.
	out  pairs
	from int

	candidates
}

// Open declares the tables.
func (j *Join) Open(ctx *operators.Context) error {
	j.ctx = ctx
	if err := j.open(); err != nil {
		return failure.User(fmt.Errorf("join %s: %w", ctx.Operator, err))
	}
	return nil
}

func (j *Join) open() (err error) {
	t := j.spec.Type
	for input, name := range []string{"left", "right"} {
		j.sides[input], err = newSide(j.ctx, tableSpec{
			name: name, input: input, keys: &j.spec.Keys, spec: j.spec.Side(input),
			matches: t.Outer(input) || t.LeftOnly() && input == 0,
		})
		if err != nil {
			return fmt.Errorf("%s input: %w", name, err)
		}
	}
	if j.condition, err = newCondition(j.spec.Condition, j.ctx, j.functions); err != nil {
		return fmt.Errorf("condition: %w", err)
	}
	j.output = newWriter(j.ctx, t.LeftOnly())
	return nil
}

// Process brings the batch into its table. Its pairs are looked for as Next is called.
func (j *Join) Process(input int, b *stream.Batch) error {
	for _, s := range j.sides {
		s.sweep(sweepRows + sweepFactor*b.Rows())
	}
	j.input = input
	if j.spec.Side(input).Changelog == jobgraph.UpsertChangelog {
		j.pending.batch, j.pending.from = b.Retain(), 0
		return nil
	}
	if err := j.begin(b.Retain()); err != nil {
		return fmt.Errorf("join %s: %w", j.ctx.Operator, err)
	}
	j.count()
	return nil
}

// begin takes a batch over.
func (j *Join) begin(b *stream.Batch) error {
	n, own := b.Rows(), j.sides[j.input]
	j.batch, j.done = b, 0
	j.slots = slices.Grow(j.slots[:0], n)[:n]
	j.matches = slices.Grow(j.matches[:0], n)[:n]
	clear(j.matches)
	keys := own.reader.Read(b)
	j.it = statebackend.SlotIterator{Keys: keys}
	return own.take(b, keys, j.slots)
}

// count keeps the balance: a row is folded, or changes nothing.
func (j *Join) count() {
	pads := j.sides[j.input].matches >= 0
	idle := 0
	for _, s := range j.slots {
		if s == statebackend.NoSlot || s == unkeyedSlot && !pads {
			idle++
		}
	}
	j.ctx.Counts.Filtered += int64(idle)
	j.ctx.Counts.Folded += int64(len(j.slots) - idle)
}

// Advance does nothing: event time passes through.
func (j *Join) Advance(stream.Watermark) error { return nil }

// Flush does nothing: all rows are in the tables.
func (j *Join) Flush() error { return nil }

// Next gives the pairs that were found, and looks for more while a batch has room.
func (j *Join) Next() (operators.Output, error) {
	b, err := j.next()
	if err != nil {
		return operators.Output{}, fmt.Errorf("join %s: %w", j.ctx.Operator, err)
	}
	return operators.Output{Batch: b}, nil
}

func (j *Join) next() (*stream.Batch, error) {
	for {
		for j.batch != nil && j.done < j.batch.Rows() && j.out.len()-j.from < j.output.rows {
			if err := j.step(); err != nil {
				return nil, err
			}
		}
		if j.from < j.out.len() {
			left, right := j.rows()
			b, n := j.output.batch(&j.out, j.from, left, right)
			j.from += n
			return b, nil
		}
		j.out.reset()
		j.from = 0
		j.batch.Release()
		j.batch = nil
		if more, err := j.nextUpserts(); !more || err != nil {
			return nil, err
		}
	}
}

// rows returns what references of pairs refer to.
func (j *Join) rows() (left, right rows) {
	left, right = batchRows{j.batch}, tableRows{j.sides[1-j.input].table}
	if j.input == 1 {
		left, right = right, left
	}
	if j.spec.Type.LeftOnly() {
		right = noRows{}
	}
	return left, right
}

// Close gives back what is under way.
func (j *Join) Close() error {
	j.batch.Release()
	j.batch = nil
	j.pending.close()
	j.output.close()
	j.condition.close()
	return nil
}
