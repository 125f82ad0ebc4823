// Package operators is the contract of operators: what a task calls, in which
// order, and what an operator may rely on. One folder a family implements it
// (calc, window, ...); wiring registers factories.
//
// # The cursor
//
// An operator never pushes. It is handed one thing at a time (a batch, a
// watermark, a request to flush) and then asked for its output with Next, one
// batch a call, until that returns nothing. Only then is it handed the next
// thing. So a join that explodes or a window that fires a million rows stops
// wherever the task stops asking, which it does when credit ends, and memory
// stays flat.
//
// # Order of calls
//
//	Open (Process | Advance | Wake | Flush | Finish)* Close
//
// where each but Close is followed by Next until drained.
//
// Before a barrier the task calls Flush, drains, and then freezes the state
// store: everything that an operator must not lose stands in its tables then.
//
// The drain of an Advance may also be frozen in its middle where the operator
// is Resumable: the rows that left have left the tables, and the watermark of
// that Advance is already the operator's (Context.Watermark after a restore), so
// that a row which it makes late is late also where the restored inputs have not
// reached it again. What had not left is pending when the operator is opened;
// the task drains it and then forwards the watermark. Therefore: a row that such
// an Advance emits leaves the tables in the call of Next that returns it, not
// before. The operator must be the first of its chain: one in front of it could
// hold rows back, and they could not be flushed through it in its drain.
//
// # Rows that wait
//
// An operator may keep rows until somebody outside of the task answers (async
// functions do). It is drained all the same, so barriers and later rows pass it;
// when the answer is there, Context.Wake has the task look again, a Clocked
// operator says that its time has come, and the rows leave. Four things see to it
// that nothing overtakes them wrongly and that nothing is lost:
//
//   - Holder: a watermark, a status and the end come behind rows, and leave behind
//     them. The operator keeps them and gives them by Next, as Output.Signal.
//   - Bounded: an operator that is full is given no rows, but for those that stand
//     in the way of a barrier: it must take these.
//   - Keeper: when the store is about to be frozen, what waits goes into tables.
//   - Context.Watermark of the operators behind it is that of the last watermark
//     that it gave; its own is that of the last Advance. What it held at the
//     checkpoint it gives again, at the latest when all rows have left that came
//     from the checkpoint. One that its successor has had already is dropped there.
//
// # Ownership
//
// The batch given to Process is borrowed until the operator is drained; Retain
// it to keep it longer. A batch returned by Next is given away.
//
// One goroutine owns an operator; it takes no locks, starts no goroutines,
// never blocks and has no clock of its own. Errors are returned once a batch. One that
// calls what may block does so in goroutines that it owns, bounds, and has ended when
// Close returns; of what is here they may call Context.Wake alone.
package operators

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Operator is one link of a task's chain.
type Operator interface {
	// Open declares tables and takes restored state in. The rest of a drain that
	// was frozen in its middle is pending afterwards.
	Open(ctx *Context) error
	// Process takes the rows of an input's batch.
	Process(input int, b *stream.Batch) error
	// Advance says that event time, over all inputs, is now w, which is later
	// than ever before. The task forwards w when the operator is drained.
	Advance(w stream.Watermark) error
	// Flush asks for the rows that the operator holds back for efficiency only.
	// It precedes barriers and the end of input, and comes when the latency
	// budget is spent.
	Flush() error
	// Next returns the next pending output, which is none when the operator is
	// drained (Output.Drained).
	Next() (Output, error)
	// Close gives back what the operator holds, drained or not.
	Close() error
}

// Output is a batch on one of an operator's output ports.
type Output struct {
	Port  int // MainPort, or a side output's ordinal from 1
	Batch *stream.Batch
	// Signal is a signal that a Holder held. It leaves by every port, behind the batches before it, and comes without one.
	Signal stream.Element
}

// Drained tells that there is no output, and none will be before the next call of something else.
func (o *Output) Drained() bool { return o.Batch == nil && o.Signal.Kind == 0 }

// MainPort is the port that leads to the next operator of the chain.
const MainPort = 0

// Finisher is an operator that has rows to emit when bounded input ends, after
// the maximum watermark.
type Finisher interface {
	Finish() error
}

// Resumable is an operator for which a barrier need not wait until an Advance is
// drained: what Next has not returned yet stands in its tables and is pending
// again after a restore.
type Resumable interface {
	ResumesAdvance() bool
}

// WatermarkMapper is an operator behind which event time is not that before it.
type WatermarkMapper interface {
	// MapWatermark returns the watermark to forward after Advance(w) is
	// drained; NoWatermark forwards none.
	MapWatermark(w stream.Watermark) stream.Watermark
}

// Holder is an operator in which rows wait, so that what came behind them must wait too.
type Holder interface {
	// Hold is asked of a watermark, a status or the end that is about to go on behind the operator, which was told it (Advance,
	// Finish) and is drained. With true the operator keeps it, and Next gives it later, in the order in which signals came. A later
	// watermark may take the place of one behind which no row came, and a later status that of such a status.
	Hold(signal stream.Element) bool
}

// Bounded is an operator that can have enough rows for now.
type Bounded interface {
	// Full tells that no rows should be given to the operator until it was woken. It is asked when the operator is drained.
	Full() bool
}

// Keeper is an operator that keeps rows beside its tables while nobody needs them there.
type Keeper interface {
	// Keep puts them into the tables. It comes when Flush is drained, in front of a freeze, and nothing else comes before that.
	Keep() error
}

// Clocked is an operator that acts on processing time where no input comes.
type Clocked interface {
	// WakeAt returns the engine's time in milliseconds at which Wake is due;
	// ok is false while none is. It is asked when the operator is drained.
	WakeAt() (at int64, ok bool)
	// Wake says that the engine's time is now, which is at or behind WakeAt. Like Process
	// it is followed by Next until drained.
	Wake(now int64) error
}

// Time is processing time, as all operators of a task see it: that of the task's current step. It does not
// run backwards while the task lives.
type Time struct{ now int64 }

// Now returns the engine's time in milliseconds since the epoch.
func (t *Time) Now() int64 { return t.now }

// Pass says what time it is. An earlier one than before counts for nothing.
func (t *Time) Pass(now int64) { t.now = max(t.now, now) }

// Context is what an operator is given when it is opened. It is valid until Close.
type Context struct {
	Task           types.TaskID
	Operator       types.OperatorUID
	Parallelism    int
	MaxParallelism int
	KeyGroups      types.KeyGroupRange

	Inputs []*types.Schema
	Output *types.Schema
	Sides  []*types.Schema // of side output ports 1, 2, ...

	Pool  *stream.Pool
	State statebackend.Store
	// Watermark is the event time that the operator's input had reached in the
	// checkpoint from which the task restores, NoWatermark in a new job: that of
	// the last Advance, drained or not.
	Watermark stream.Watermark
	// Time is never nil.
	Time *Time
	// Wake has the task ask the operator for its WakeAt soon. Any goroutine may call it, until Close returns; it never blocks.
	// It is nil where nobody could be woken: in the simulator and in harnesses that do not say otherwise.
	Wake func()
	// Zone is the time zone of the job's expressions; nil is UTC.
	Zone *time.Location
	// Functions are those that the job's program adds to what expressions and aggregates may call, on top of those of the process; nil: none.
	Functions *expr.Registry
	// RowsMax is the largest batch that the operator may emit: stream.RowsMax,
	// less in tests.
	RowsMax int
	Counts  *Counts
}

// Counts are what an operator counts, by plain additions once a batch; the task
// publishes them. Together with rows in, out and in state they balance
// (docs/invariants.md).
type Counts struct {
	Filtered int64 // rows that a condition left out
	Folded   int64 // rows merged into state or into another row
	Late     int64 // rows that came behind the watermark and were dropped or sent aside
	Expired  int64 // rows of state that went without output
}

// Factory makes an operator from its description. It reports descriptions that
// it can't serve as errors of the user.
type Factory func(spec *jobgraph.OperatorSpec) (Operator, error)

// Functions are what a program has for the native operators of one job. It is safe for concurrent use.
type Functions interface {
	// Native makes the operator that calls the function of the spec's uid. That there is none is an internal error: program and
	// graph were compared before.
	Native(spec *jobgraph.OperatorSpec) (Operator, error)
}

// Callable are Functions of a program that expressions and aggregates may call too.
type Callable interface {
	// Implementation returns what evaluates a function of the graph's Program, for expr.Signature.Impl. It is safe for concurrent use.
	Implementation(*jobgraph.FunctionSpec) any
}

// Registry returns the functions that the job's program adds to those of a process.
func (c *Context) Registry(process *expr.Registry) *expr.Registry {
	if c.Functions == nil {
		return process
	}
	return c.Functions
}

// Registry knows the operators that a process can run. It is filled by wiring
// before use and read-only afterwards.
type Registry struct {
	factories map[jobgraph.OperatorKind]Factory
}

// Register adds a kind. Adding one twice is a bug and panics.
func (r *Registry) Register(kind jobgraph.OperatorKind, f Factory) {
	if r.factories == nil {
		r.factories = make(map[jobgraph.OperatorKind]Factory)
	}
	if _, ok := r.factories[kind]; ok {
		panic(fmt.Sprintf("operators: %s registered twice", kind))
	}
	r.factories[kind] = f
}

// Kinds returns the kinds that are registered, sorted.
func (r *Registry) Kinds() []jobgraph.OperatorKind { return slices.Sorted(maps.Keys(r.factories)) }

// New makes the operator that the spec describes.
func (r *Registry) New(spec *jobgraph.OperatorSpec) (Operator, error) {
	f, ok := r.factories[spec.Kind()]
	if !ok {
		return nil, failure.Userf("operator %s: this process has no operator of kind %s", spec.UID, spec.Kind())
	}
	return f(spec)
}
