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

// Latest is the temporal join in processing time: each left row leaves at once, with the right row that its key has now. Of
// the left input nothing is kept.
type Latest struct {
	spec      *jobgraph.TemporalJoinSpec
	functions *expr.Registry
	ctx       *operators.Context
	versions  *side
	keys      *stream.KeyReader // of left rows
	condition *condition
	output    *writer

	batch   *stream.Batch // of the left input
	it      statebackend.SlotIterator
	done    int
	out     pairs
	from    int
	slots   []statebackend.Slot
	matches []int32 // a version a row

	candidates candidates
}

// Open declares the table.
func (j *Latest) Open(ctx *operators.Context) error {
	j.ctx = ctx
	if err := j.open(); err != nil {
		return failure.User(fmt.Errorf("temporal join %s: %w", ctx.Operator, err))
	}
	return nil
}

func (j *Latest) open() (err error) {
	j.versions, err = newSide(j.ctx, tableSpec{
		name: "versions", input: 1, keys: &j.spec.Keys, spec: &jobgraph.JoinSide{Changelog: jobgraph.RetractChangelog, Unique: j.spec.Keys.Right},
	})
	if err != nil {
		return err
	}
	if j.keys, err = stream.NewKeyReader(j.ctx.Inputs[0], j.spec.Keys.Left); err != nil {
		return err
	}
	if j.condition, err = newCondition(j.spec.Condition, j.ctx, j.functions); err != nil {
		return fmt.Errorf("condition: %w", err)
	}
	j.output = newWriter(j.ctx, false)
	return nil
}

// Process stores versions, and begins to look for those of left rows.
func (j *Latest) Process(input int, b *stream.Batch) error {
	var err error
	if input == 1 {
		err = j.store(b)
	} else {
		err = j.begin(b)
	}
	if err != nil {
		return fmt.Errorf("temporal join %s: %w", j.ctx.Operator, err)
	}
	return nil
}

// store brings versions in. An -U is followed by what replaces it.
func (j *Latest) store(b *stream.Batch) error {
	j.slots = slices.Grow(j.slots[:0], b.Rows())[:b.Rows()]
	if err := j.versions.take(b, j.versions.reader.Read(b), j.slots); err != nil {
		return err
	}
	for _, s := range j.slots {
		if s >= 0 {
			j.ctx.Counts.Folded++
		} else {
			j.ctx.Counts.Filtered++
		}
	}
	return nil
}

func (j *Latest) begin(b *stream.Batch) error {
	for i := range b.Rows() {
		if k := b.Kind(b.Row(i)); k != stream.Insert && j.spec.Left == jobgraph.AppendChangelog {
			return failure.Internalf("a row of kind %s came where only +I can", k)
		}
	}
	j.batch, j.done = b.Retain(), 0
	j.it = statebackend.SlotIterator{Keys: j.keys.Read(b)}
	n := b.Rows()
	j.matches = slices.Grow(j.matches[:0], n)[:n]
	for i := range j.matches {
		j.matches[i] = none
	}
	j.ctx.Counts.Folded += int64(n)
	return nil
}

// Advance does nothing: event time passes through.
func (j *Latest) Advance(stream.Watermark) error { return nil }

// Flush does nothing: no row is held back.
func (j *Latest) Flush() error { return nil }

// Next gives left rows with their versions.
func (j *Latest) Next() (operators.Output, error) {
	if j.batch == nil {
		return operators.Output{}, nil
	}
	for j.done < j.batch.Rows() {
		if err := j.step(); err != nil {
			return operators.Output{}, fmt.Errorf("temporal join %s: %w", j.ctx.Operator, err)
		}
	}
	if j.from < j.out.len() {
		b, n := j.output.batch(&j.out, j.from, batchRows{j.batch}, tableRows{j.versions.table})
		j.from += n
		return operators.Output{Batch: b}, nil
	}
	j.release()
	return operators.Output{}, nil
}

func (j *Latest) release() {
	j.out.reset()
	j.from = 0
	j.batch.Release()
	j.batch = nil
}

// step looks at the next tile of rows.
func (j *Latest) step() error {
	c := &j.candidates
	c.others, c.positions = j.versions.table.Slots(&j.it, pairsMax, c.others[:0], c.positions[:0])
	complete := j.it.Key
	if len(c.others) < pairsMax {
		complete = j.batch.Rows()
	} else if j.it.Started {
		complete++ // a key has one row, which was the last
	}
	if err := c.meet(j.ctx.Pool, j.condition, j.batch, 0, tableRows{j.versions.table}); err != nil {
		return err
	}
	for i, p := range c.positions {
		j.matches[p] = c.others[i]
	}
	for ; j.done < complete; j.done++ {
		row := j.batch.Row(j.done)
		if m := j.matches[j.done]; m != none || j.spec.Type == jobgraph.LeftJoin {
			j.out.add(j.batch.Kind(row), 0, int32(row), m)
		}
	}
	return nil
}

// Close gives back what is under way.
func (j *Latest) Close() error {
	j.release()
	j.output.close()
	j.condition.close()
	return nil
}
