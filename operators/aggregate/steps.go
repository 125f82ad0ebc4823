package aggregate

import (
	"errors"
	"fmt"

	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Stepper is a Function that does many things in their order in one call, as where each row has a result of its own.
type Stepper interface {
	// Steps does steps, one after the other. The values of those that take one, in or back, are the selected rows of args, in the order of the steps. A kernel.RowError names the step, not the row.
	Steps(of Accumulators, steps []Step, args *stream.Batch, out *stream.Builder) error
}

// Step is a thing that is done to an accumulator.
type Step struct {
	Slot statebackend.Slot
	Do   StepKind
}

// StepKind says what is done.
type StepKind uint8

// The kinds of steps.
const (
	TakeIn   StepKind = iota // a value, as Accumulate does
	TakeBack                 // a value, as Retract does
	Clear                    // makes the accumulator that of a group of which nothing came
	Give                     // appends the result
)

// Steps has functions of a program give a result for each row of a batch: what they take in and back, and when they give, is collected and then done for many rows in
// one call of each function, so that a row costs a function no more than its own calls do. The accumulators are those of a table, or of a frame that is the Steps' own, at slot 0. It is for the calls of
// a plan with Input.Stepwise, and for one goroutine. A nil Steps has no calls, and nothing to do.
type Steps struct {
	calls []stepped
	given int // results since the last Take
	// slides says that a frame is made of the one before it: where framed, that of the rows from, ..., to-1 of the batch.
	slides bool
	framed bool
	rows   [2]int
	batch  *stream.Batch
}

// stepped is one call.
type stepped struct {
	own     *own
	source  source
	variant int // of the counted values: the position among their filters
	pool    *stream.Pool

	table Accumulators // nil: frame
	frame frame
	// Of the batch under way: which selected rows count, and where the values of DISTINCT calls repeat (nil: counts says it).
	counts         stream.Bitmap
	before, behind []int32

	args  *stream.Batch // the columns of the arguments
	steps []Step
	of    []int32 // the row of each step, physically
	taken []int32 // of those that take a value
	out   *stream.Builder
}

// stepsMax is how many steps are collected at most.
const stepsMax = 4096

// NewSteps makes what does the steps of a plan. Slides says that functions take back the rows that leave a frame; else frames are made anew.
func NewSteps(pool *stream.Pool, p *Plan, slides bool) *Steps {
	if len(p.stepped) == 0 {
		return nil
	}
	s := &Steps{slides: slides}
	for i := range p.stepped {
		of := &p.stepped[i]
		s.calls = append(s.calls, stepped{own: of.own, source: of.source, variant: of.variant, frame: newFrame(of.own), pool: pool})
	}
	return s
}

// Lay begins with the rows of a batch, which is lent until it is begun with another or Drop is called. The accumulators are those of a table, nil: the frame's. Values of DISTINCT calls are those that f has counted of the
// batch, or where repeats says that they repeat in it.
func (s *Steps) Lay(f *Folder, b *stream.Batch, table Accumulators, repeats *Repeats) {
	if s == nil {
		return
	}
	s.Drop()
	s.batch, s.framed = b, false
	for i := range s.calls {
		c := &s.calls[i]
		if c.args = c.own.arguments(b); table != nil {
			c.table = c.own.over(table)
		}
		c.before, c.behind = nil, nil
		if c.source.counted > 0 && repeats != nil {
			of := &repeats.columns[c.source.counted-1]
			c.before, c.behind = of.before[c.variant], of.behind[c.variant]
			continue
		}
		c.count(f, b)
	}
}

// count finds the rows that count.
func (c *stepped) count(f *Folder, b *stream.Batch) {
	n := b.Rows()
	if words := stream.Words(n); len(c.counts) < words {
		c.counts = make(stream.Bitmap, 2*words)
	}
	if c.source.counted > 0 {
		clear(c.counts)
		for _, x := range f.counted[c.source.counted-1].within(c.variant, 0, n) {
			c.counts.Set(int(x.row))
		}
		return
	}
	for i := range n {
		row := b.Row(i)
		c.counts.Put(i, (c.source.filter == noColumn || admits(&b.Columns[c.source.filter], row)) && !c.own.lacks(b, row))
	}
}

// Add takes the selected rows from, ..., to-1 in, of a frame that begins with row edge.
func (s *Steps) Add(slot statebackend.Slot, from, to, edge int) error {
	if s == nil {
		return nil
	}
	for i := range s.calls {
		c := &s.calls[i]
		for row := from; row < to; row++ {
			if c.before != nil && c.before[row] < int32(edge) || c.before == nil && c.counts.Get(row) {
				if err := c.step(Step{slot, TakeIn}, s.batch.Row(row)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Frame has the accumulators be those of the selected rows from, ..., to-1, where frames follow one another.
func (s *Steps) Frame(from, to int) error {
	if s == nil {
		return nil
	}
	if !s.slides || !s.framed || from < s.rows[0] || to < s.rows[1] || from >= s.rows[1] {
		if err := s.Clear(); err != nil {
			return err
		}
		s.framed, s.rows = true, [2]int{from, from}
	}
	for i := range s.calls { // values of DISTINCT calls go with the last row that has them
		c := &s.calls[i]
		for row := s.rows[0]; row < from; row++ {
			if c.behind != nil && c.behind[row] >= int32(s.rows[1]) || c.behind == nil && c.counts.Get(row) {
				if err := c.step(Step{0, TakeBack}, s.batch.Row(row)); err != nil {
					return err
				}
			}
		}
	}
	err := s.Add(0, s.rows[1], to, from)
	s.rows = [2]int{from, to}
	return err
}

// Clear has the frame's accumulators be those of no row.
func (s *Steps) Clear() error {
	if s == nil {
		return nil
	}
	for i := range s.calls {
		if err := s.calls[i].step(Step{0, Clear}, 0); err != nil {
			return err
		}
	}
	return nil
}

// Give has the functions give what they have, for a selected row, and returns the position of that among what Take will return.
func (s *Steps) Give(slot statebackend.Slot, row int) (int32, error) {
	if s == nil {
		return 0, nil
	}
	for i := range s.calls {
		if err := s.calls[i].step(Step{slot, Give}, s.batch.Row(row)); err != nil {
			return 0, err
		}
	}
	s.given++
	return int32(s.given - 1), nil
}

// step notes a step.
func (c *stepped) step(x Step, row int) error {
	if len(c.steps) == stepsMax {
		if err := c.do(); err != nil {
			return err
		}
	}
	c.steps, c.of = append(c.steps, x), append(c.of, int32(row))
	if x.Do <= TakeBack {
		c.taken = append(c.taken, int32(row))
	}
	return nil
}

// do does what is noted.
func (c *stepped) do() error {
	if len(c.steps) == 0 {
		return nil
	}
	o := c.own
	if c.out == nil {
		c.out = stream.NewBuilder(c.pool, o.declared.Result, stream.RowsMax)
	}
	values := c.args.Share()
	defer values.Release()
	o.choose(values, c.taken)
	table := c.table
	if table == nil {
		table = &c.frame
	}
	steps, of := c.steps, c.of
	c.steps, c.of, c.taken = c.steps[:0], c.of[:0], c.taken[:0]
	err := o.steps(table, steps, values, c.out)
	if err == nil {
		return nil
	}
	if failure.ClassOf(err).Domain == failure.DomainInternal && isElsewhere(o.function) {
		return err
	}
	if e, ok := errors.AsType[*kernel.RowError](err); ok {
		at := *e
		if steps[e.Row].Do == Give && at.Err != nil {
			at.Err = fmt.Errorf("the result: %w", at.Err)
		}
		at.Row = int(of[e.Row])
		err = &at
	}
	return kernel.CallError(o.declared.Name, c.args, err)
}

// steps has the function do steps, one at a time where it can't do many.
func (o *own) steps(table Accumulators, steps []Step, values *stream.Batch, out *stream.Builder) error {
	if f, ok := o.function.(Stepper); ok {
		return f.Steps(table, steps, values, out)
	}
	one := values.Share()
	defer one.Release()
	row := 0
	for i, s := range steps {
		if err := o.single(table, s, values, &row, one, out); err != nil {
			return &kernel.RowError{Row: i, Err: err}
		}
	}
	return nil
}

// single does a step, whose value is the selected row of values that comes next. What the function throws is its error.
func (o *own) single(table Accumulators, s Step, values *stream.Batch, next *int, one *stream.Batch, out *stream.Builder) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New(kernel.Thrown(r))
		}
	}()
	slots := [1]statebackend.Slot{s.Slot}
	switch s.Do {
	case Clear:
		return o.zero(table, s.Slot)
	case Give:
		return o.function.Result(table, slots[:], out)
	default:
		o.choose(one, []int32{int32(values.Row(*next))})
		*next++
	}
	if s.Do == TakeIn {
		return o.function.Accumulate(table, slots[:], one)
	}
	r, ok := o.function.(Retracter)
	if !ok {
		return failure.Internalf("the aggregate function %s takes nothing back", o.declared.Name)
	}
	return r.Retract(table, slots[:], one)
}

// zero makes an accumulator that of a group of which nothing came.
func (o *own) zero(table Accumulators, s statebackend.Slot) error {
	clear(table.Rows().At(s)[:o.width])
	for i, f := range o.declared.Accumulator {
		if f.Type.Layout() == types.LayoutBytes {
			if err := table.SetBytes(i, s, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// Take does what is noted and returns the results since the last Take, a column for each of the plan's calls of functions of the program, in their order.
func (s *Steps) Take() (results []stream.Vector, err error) {
	if s == nil {
		return nil, nil
	}
	given := s.given
	s.given = 0
	for i := range s.calls {
		c := &s.calls[i]
		if err = c.do(); err != nil {
			break
		}
		var v stream.Vector
		if v, err = c.results(given); err != nil {
			break
		}
		results = append(results, v)
	}
	if err != nil {
		for i := range results {
			results[i].Release()
		}
		return nil, err
	}
	return results, nil
}

// results finishes the column of results.
func (c *stepped) results(n int) (stream.Vector, error) {
	d := c.own.declared
	if c.out == nil {
		c.out = stream.NewBuilder(c.pool, d.Result, n)
	}
	if c.out.Len() != n {
		return stream.Vector{}, failure.Userf("%s gave %d results for %d rows", d.Name, c.out.Len(), n)
	}
	v := c.out.Finish()
	if v.HasNulls() && !d.Result.Nullable {
		v.Release()
		return stream.Vector{}, failure.Userf("%s gave NULL, and says that it gives %s", d.Name, d.Result)
	}
	return v, nil
}

// Drop gives the batch back, and forgets what is noted.
func (s *Steps) Drop() {
	if s == nil || s.batch == nil {
		return
	}
	s.batch, s.given = nil, 0
	for i := range s.calls {
		c := &s.calls[i]
		c.args.Release()
		c.args, c.table = nil, nil
		c.steps, c.of, c.taken = c.steps[:0], c.of[:0], c.taken[:0]
		if c.out != nil {
			c.out.Close()
			c.out = nil
		}
	}
}

// Close gives back what is unfinished.
func (s *Steps) Close() {
	if s == nil {
		return
	}
	s.Drop()
}

// frame is the accumulator of a function for one group, in memory.
type frame struct {
	rows  statebackend.Rows
	bytes [][]byte // by column
}

func newFrame(o *own) frame {
	words := make([]uint64, o.width)
	return frame{rows: statebackend.Rows{Blocks: [][]uint64{words}, Stride: o.width, Width: o.width}, bytes: make([][]byte, len(o.columns))}
}

// Rows implements Accumulators.
func (f *frame) Rows() statebackend.Rows { return f.rows }

// Bytes implements Accumulators.
func (f *frame) Bytes(column int, _ statebackend.Slot) []byte { return f.bytes[column] }

// SetBytes implements Accumulators. The bound is that of state, so that a function may keep as much over any frame.
func (f *frame) SetBytes(column int, _ statebackend.Slot, value []byte) error {
	if len(value) > stream.RowBytesMax {
		return failure.Userf("an accumulator has a value of %d bytes, at most %d", len(value), stream.RowBytesMax)
	}
	f.bytes[column] = append(f.bytes[column][:0], value...)
	return nil
}
