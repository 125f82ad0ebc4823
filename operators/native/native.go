package native

import (
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
)

// Function is a function of a program over batches, as an SDK makes it of what a user wrote. One goroutine calls it; it never blocks.
type Function interface {
	// Open is called first. The runtime is the function's until Close.
	Open(*Runtime) error
	// Rows takes selected rows of an input's batch, from one on, and returns up to which it has taken them: at least one more. The rest comes with the
	// next call, when what was given has left. The batch is borrowed.
	Rows(input int, b *stream.Batch, from int) (to int, err error)
	// Close gives back what the function holds.
	Close() error
}

// The functions that can do more. What returns done is called again until it is true, each time when what was given has left.
type (
	// Firer acts on event time, which is w now.
	Firer interface {
		Fire(w stream.Watermark) (done bool, err error)
	}
	// Waker acts on processing time: see operators.Clocked.
	Waker interface {
		WakeAt() (at int64, ok bool)
		Wake(now int64) (done bool, err error)
	}
	// Flusher gives what it holds back for efficiency, or puts it into its tables: a barrier or the end comes behind it.
	Flusher interface {
		Flush() (done bool, err error)
	}
	// Awaiter waits for what goes on beside the task, and is woken (Context.Wake) when some of it is done: it says how much there is.
	Awaiter interface {
		Awaits() int
	}
	// Finisher gives what is left at the end of bounded input.
	Finisher interface {
		Finish() (done bool, err error)
	}
	// Holder is that of operators. What it holds it gives by Runtime.Signal.
	Holder = operators.Holder
	// Bounded is that of operators.
	Bounded = operators.Bounded
	// Keeper is that of operators.
	Keeper = operators.Keeper
)

// Runtime is where a function runs.
type Runtime struct {
	*operators.Context
	Spec   *jobgraph.NativeSpec
	Tables *Tables

	outs  []*Out // by port
	queue []operators.Output
}

// Out returns where rows of a port go: 0 is the main one.
func (r *Runtime) Out(port int) *Out { return r.outs[port] }

// Give gives a batch, which it takes over, behind all rows of the port's Out.
func (r *Runtime) Give(port int, b *stream.Batch) {
	r.queue = r.outs[port].take(r.queue, r.RowsMax)
	if b.Rows() == 0 {
		b.Release()
		return
	}
	r.queue = cut(r.queue, port, b, r.RowsMax)
}

// Signal gives a signal that the function held, behind all rows of all ports.
func (r *Runtime) Signal(e stream.Element) {
	for _, o := range r.outs {
		r.queue = o.take(r.queue, r.RowsMax)
	}
	r.queue = append(r.queue, operators.Output{Signal: e})
}

// Enough tells whether as many rows wait to leave as fill a batch: whoever has more to give should return.
func (r *Runtime) Enough() bool {
	if len(r.queue) > 0 {
		return true
	}
	for _, o := range r.outs {
		if o.full(r.RowsMax) {
			return true
		}
	}
	return false
}

// Operator runs a function.
type Operator struct {
	f    Function
	rt   Runtime
	busy func() (done bool, err error) // what goes on until it is done
	left int                           // how many outputs of the queue have left
	// The batch under way.
	batch *stream.Batch
	input int
	at    int
}

// New returns the operator of a native spec that runs a function.
func New(spec *jobgraph.NativeSpec, f Function) *Operator {
	return &Operator{f: f, rt: Runtime{Spec: spec}}
}

// outCapacity is for how many rows an output has room at first.
const outCapacity = 1024

// Open declares the tables and opens the function.
func (o *Operator) Open(ctx *operators.Context) (err error) {
	o.rt.Context = ctx
	if o.rt.Tables, err = Declare(ctx, o.rt.Spec); err != nil {
		return err
	}
	capacity := min(ctx.RowsMax, outCapacity)
	o.rt.outs = append(o.rt.outs, newOut(ctx.Pool, ctx.Output, operators.MainPort, capacity))
	for i, s := range o.rt.Spec.Sides {
		o.rt.outs = append(o.rt.outs, newOut(ctx.Pool, s, i+1, capacity))
	}
	return o.f.Open(&o.rt)
}

// Process takes a batch. The function gets its rows as Next is called.
func (o *Operator) Process(input int, b *stream.Batch) error {
	if b.Rows() > 0 {
		o.batch, o.input, o.at = b, input, 0
		o.busy = o.rows
	}
	return nil
}

func (o *Operator) rows() (done bool, err error) {
	o.at, err = o.f.Rows(o.input, o.batch, o.at)
	return o.batch.Rows() == o.at, err
}

// Advance has the function act on event time.
func (o *Operator) Advance(w stream.Watermark) error {
	if f, ok := o.f.(Firer); ok {
		o.busy = func() (bool, error) { return f.Fire(w) }
	}
	return nil
}

// Flush has the function give what it holds back.
func (o *Operator) Flush() error {
	if f, ok := o.f.(Flusher); ok {
		o.busy = f.Flush
	}
	return nil
}

// Finish has it give what is left.
func (o *Operator) Finish() error {
	if f, ok := o.f.(Finisher); ok {
		o.busy = f.Finish
	}
	return nil
}

// Hold asks the function whether it holds a signal.
func (o *Operator) Hold(signal stream.Element) bool {
	f, ok := o.f.(Holder)
	return ok && f.Hold(signal)
}

// Full asks it whether it has enough rows.
func (o *Operator) Full() bool {
	f, ok := o.f.(Bounded)
	return ok && f.Full()
}

// Keep has it put what waits into its tables.
func (o *Operator) Keep() error {
	if f, ok := o.f.(Keeper); ok {
		return f.Keep()
	}
	return nil
}

// WakeAt asks the function when processing time matters to it.
func (o *Operator) WakeAt() (at int64, ok bool) {
	if f, is := o.f.(Waker); is {
		return f.WakeAt()
	}
	return 0, false
}

// Awaits returns for how many things beside the task the function waits.
func (o *Operator) Awaits() int {
	if f, ok := o.f.(Awaiter); ok {
		return f.Awaits()
	}
	return 0
}

// Wake has it act on processing time.
func (o *Operator) Wake(now int64) error {
	if f, ok := o.f.(Waker); ok {
		o.busy = func() (bool, error) { return f.Wake(now) }
	}
	return nil
}

// Next gives what the function gave, or has it go on.
func (o *Operator) Next() (operators.Output, error) {
	for {
		if o.left < len(o.rt.queue) {
			out := o.rt.queue[o.left]
			o.rt.queue[o.left] = operators.Output{}
			o.left++
			return out, nil
		}
		o.rt.queue, o.left = o.rt.queue[:0], 0
		if o.busy == nil {
			return operators.Output{}, nil
		}
		done, err := o.busy()
		if err != nil {
			return operators.Output{}, err
		}
		if done {
			o.busy, o.batch = nil, nil
		}
		o.collect(done)
	}
}

// collect queues what is worth a batch, or all of it.
func (o *Operator) collect(all bool) {
	for _, out := range o.rt.outs {
		if all || out.full(o.rt.RowsMax) {
			o.rt.queue = out.take(o.rt.queue, o.rt.RowsMax)
		}
	}
}

// Close closes the function.
func (o *Operator) Close() error {
	for _, out := range o.rt.queue[o.left:] {
		out.Batch.Release() // nil, and nothing to do, of a signal
	}
	o.rt.queue, o.left = nil, 0
	for _, out := range o.rt.outs {
		out.close()
	}
	if o.rt.Context == nil {
		return nil
	}
	return o.f.Close()
}
