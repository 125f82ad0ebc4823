package check

import (
	"millrace/internal/invariant"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
	"millrace/types"
)

// Options says what an operator promises beyond the contract.
type Options struct {
	// Changelog allows rows of other kinds than +I in the output.
	Changelog bool
	// WindowEnd is the column of the main output whose windows must not be
	// behind a watermark that was forwarded; negative: none.
	WindowEnd int
}

// OptionsOf returns the promises of the operator that the spec describes.
func OptionsOf(o *jobgraph.OperatorSpec) Options {
	switch body := o.Body.(type) {
	case *jobgraph.WindowAggregateSpec:
		if body.Window.Processing || body.Window.Zone != "" {
			return Options{WindowEnd: -1} // what the end says is no event time
		}
		return Options{WindowEnd: len(body.Keys) + 1}
	case *jobgraph.GroupAggregateSpec:
		return Options{Changelog: !body.FinalOnly, WindowEnd: -1}
	case *jobgraph.OverAggregateSpec:
		return Options{Changelog: len(body.Order) > 0 && !body.FinalOnly, WindowEnd: -1}
	case *jobgraph.LocalAggregateSpec, *jobgraph.LocalGroupAggregateSpec:
		return Options{WindowEnd: -1}
	case *jobgraph.RankSpec:
		return Options{Changelog: body.WindowEnd == jobgraph.NoColumn && !body.FinalOnly, WindowEnd: body.WindowEnd}
	case *jobgraph.DeduplicateSpec:
		return Options{Changelog: body.WindowEnd == jobgraph.NoColumn && !body.FinalOnly && !body.AppendOnly, WindowEnd: body.WindowEnd}
	case *jobgraph.ChangelogNormalizeSpec:
		return Options{Changelog: !body.FinalOnly, WindowEnd: -1}
	case *jobgraph.SortSpec, *jobgraph.LimitSpec:
		return Options{WindowEnd: -1}
	case *jobgraph.IntervalJoinSpec:
		return Options{WindowEnd: -1}
	case *jobgraph.WindowJoinSpec:
		if body.Type.Outer(1) {
			return Options{WindowEnd: -1}
		}
		return Options{WindowEnd: body.LeftEnd}
	case *jobgraph.TemporalJoinSpec:
		return Options{Changelog: body.Left != jobgraph.AppendChangelog, WindowEnd: -1}
	case *jobgraph.JoinSpec:
		return Options{Changelog: body.Output() != jobgraph.AppendChangelog, WindowEnd: -1}
	default:
		return Options{Changelog: true, WindowEnd: -1}
	}
}

// Operator checks the operator inside it and the task around it.
type Operator struct {
	inner operators.Operator
	opts  Options
	ctx   *operators.Context

	phase     phase
	watermark stream.Watermark // of the last Advance
	forwarded stream.Watermark // of the last Advance that is drained
	finished  bool
	held      []stream.Element // signals that the operator has to give
	again     bool             // it may give the watermark of the checkpoint again
	ended     bool             // the end has left
}

type phase uint8

const (
	created phase = iota
	drained
	pending // Next must be called until it returns nothing
	closed
)

func (p phase) String() string {
	return [...]string{"not opened", "drained", "not drained", "closed"}[p]
}

var (
	_ operators.Operator        = (*Operator)(nil)
	_ operators.Finisher        = (*Operator)(nil)
	_ operators.WatermarkMapper = (*Operator)(nil)
	_ operators.Clocked         = (*Operator)(nil)
	_ operators.Resumable       = (*Operator)(nil)
	_ operators.Holder          = (*Operator)(nil)
	_ operators.Bounded         = (*Operator)(nil)
	_ operators.Keeper          = (*Operator)(nil)
)

// Wrap returns an operator that does what inner does, and checks. It has every
// capability; where inner lacks one it does nothing.
func Wrap(inner operators.Operator, opts Options) *Operator {
	return &Operator{inner: inner, opts: opts, watermark: stream.NoWatermark, forwarded: stream.NoWatermark}
}

// Open opens the operator.
func (o *Operator) Open(ctx *operators.Context) error {
	if o.phase != created {
		return invariant.Failedf("operator %s: Open when %s", ctx.Operator, o.phase)
	}
	o.ctx, o.phase, o.watermark = ctx, pending, ctx.Watermark
	_, holds := o.inner.(operators.Holder)
	o.again = holds && ctx.Watermark != stream.NoWatermark
	return o.inner.Open(ctx)
}

// ready reports a call that needs a drained operator and has none.
func (o *Operator) ready(call string) error {
	if o.phase != drained {
		return o.failed("%s when %s", call, o.phase)
	}
	return nil
}

func (o *Operator) failed(format string, args ...any) error {
	var uid types.OperatorUID
	if o.ctx != nil {
		uid = o.ctx.Operator
	}
	return invariant.Failedf("operator %s: "+format, append([]any{uid}, args...)...)
}

// Process checks the input batch.
func (o *Operator) Process(input int, b *stream.Batch) error {
	if err := o.ready("Process"); err != nil {
		return err
	}
	if o.finished {
		return o.failed("Process after Finish")
	}
	if input < 0 || input >= len(o.ctx.Inputs) {
		return o.failed("Process of input %d of %d", input, len(o.ctx.Inputs))
	}
	if err := o.batch(b, o.ctx.Inputs[input], stream.RowsMax); err != nil {
		return err
	}
	o.phase = pending
	return o.inner.Process(input, b)
}

// Advance checks that event time goes forward.
func (o *Operator) Advance(w stream.Watermark) error {
	if err := o.ready("Advance"); err != nil {
		return err
	}
	if w <= o.watermark {
		return o.failed("Advance to %d from %d", w, o.watermark)
	}
	o.watermark, o.phase = w, pending
	return o.inner.Advance(w)
}

// Flush checks the order of calls.
func (o *Operator) Flush() error {
	if err := o.ready("Flush"); err != nil {
		return err
	}
	o.phase = pending
	return o.inner.Flush()
}

// Finish checks that event time is at its end.
func (o *Operator) Finish() error {
	if err := o.ready("Finish"); err != nil {
		return err
	}
	if o.watermark != stream.MaxWatermark || o.finished {
		return o.failed("Finish at watermark %d, finished before: %v", o.watermark, o.finished)
	}
	o.finished, o.phase = true, pending
	if f, ok := o.inner.(operators.Finisher); ok {
		return f.Finish()
	}
	return nil
}

// MapWatermark returns w where the operator does not map.
func (o *Operator) MapWatermark(w stream.Watermark) stream.Watermark {
	if m, ok := o.inner.(operators.WatermarkMapper); ok {
		return m.MapWatermark(w)
	}
	return w
}

// ResumesAdvance is false where the operator does not say.
func (o *Operator) ResumesAdvance() bool {
	r, ok := o.inner.(operators.Resumable)
	return ok && r.ResumesAdvance()
}

// WakeAt is never where the operator has no clock.
func (o *Operator) WakeAt() (int64, bool) {
	if c, ok := o.inner.(operators.Clocked); ok {
		return c.WakeAt()
	}
	return 0, false
}

// Wake checks the order of calls.
func (o *Operator) Wake(now int64) error {
	if err := o.ready("Wake"); err != nil {
		return err
	}
	o.phase = pending
	if c, ok := o.inner.(operators.Clocked); ok {
		return c.Wake(now)
	}
	return nil
}

// Next checks the output batch.
func (o *Operator) Next() (operators.Output, error) {
	if o.phase != drained && o.phase != pending {
		return operators.Output{}, o.failed("Next when %s", o.phase)
	}
	out, err := o.inner.Next()
	if err != nil {
		return out, err
	}
	if out.Drained() {
		o.phase, o.forwarded = drained, o.watermark
		return out, nil
	}
	switch {
	case o.phase == drained:
		return out, o.failed("output after it was drained, without input")
	case o.ended:
		return out, o.failed("output behind the end that it gave")
	case out.Signal.Kind != 0:
		return out, o.signal(out)
	}
	return out, o.output(out)
}

func (o *Operator) output(out operators.Output) error {
	schema := o.ctx.Output
	if out.Port != operators.MainPort {
		if out.Port < 0 || out.Port > len(o.ctx.Sides) {
			return o.failed("output on port %d, it has %d side outputs", out.Port, len(o.ctx.Sides))
		}
		schema = o.ctx.Sides[out.Port-1]
	}
	if err := o.batch(out.Batch, schema, o.ctx.RowsMax); err != nil {
		return err
	}
	if out.Port != operators.MainPort {
		return nil
	}
	if !o.opts.Changelog && out.Batch.Kinds() != nil {
		for i := range out.Batch.Rows() {
			if k := out.Batch.Kind(out.Batch.Row(i)); k != stream.Insert {
				return o.failed("a row of kind %s from an operator that only adds", k)
			}
		}
	}
	return o.inTime(out.Batch)
}

// inTime checks that no row says something about a window which the watermark
// that was forwarded has closed.
func (o *Operator) inTime(b *stream.Batch) error {
	if o.opts.WindowEnd < 0 {
		return nil
	}
	v := &b.Columns[o.opts.WindowEnd]
	for i := range b.Rows() {
		end := stream.Value[int64](v, b.Row(i))
		if stream.Watermark(end-1) <= o.forwarded && o.forwarded != stream.NoWatermark {
			return o.failed("row of the window ending at %d behind the forwarded watermark %d", end, o.forwarded)
		}
	}
	return nil
}

// Close checks that it is called once.
func (o *Operator) Close() error {
	if o.phase == closed {
		return o.failed("Close when %s", o.phase)
	}
	o.phase = closed
	return o.inner.Close()
}
