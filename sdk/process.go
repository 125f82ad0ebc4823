package sdk

import (
	"fmt"
	"time"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/native"
	"millrace/sdk/rows"
	"millrace/stream"
)

// Context is where a function is, for the call in which it got it.
//
// What it collects is inserted, also of a row that does something else: but for a function with the option Updates.
type Context[K, Out any] struct {
	*Collector[Out]
	core    *core
	key     K
	at      stream.RowKind // of the row at hand
	updates bool           // see Updates
}

// Key returns the key of the row or the timer. Of a stream without keys it is the zero K.
func (c *Context[K, Out]) Key() K { return c.key }

// Kind returns what the row at hand does to the table that a stream with updates describes: Insert for every row of another, and in a timer's call.
func (c *Context[K, Out]) Kind() Kind { return Kind(c.at) }

// CollectAs gives a row of a kind of choice, whatever the row at hand does. Any but Insert fails the job where the function has not the option Updates.
func (c *Context[K, Out]) CollectAs(kind Kind, row Out) {
	if kind != Insert && !c.updates {
		c.core.fail(fmt.Errorf("a row is given as %s by a function that has not said that it gives updates: give it the option sdk.Updates()", kind))
		return
	}
	was := c.kind
	c.kind = stream.RowKind(kind)
	c.Collect(row)
	c.kind = was
}

// Watermark returns how far event time is; the zero time where it is not known yet.
func (c *Context[K, Out]) Watermark() time.Time { return timeOf(int64(c.core.watermark)) }

// Now returns processing time: the engine's clock, which does not run backwards.
func (c *Context[K, Out]) Now() time.Time { return timeOf(c.core.rt.Time.Now()) }

// SetTimer has the function's Timer called for this key when event time has reached a time, which counts in whole milliseconds; where it has already, with the next watermark. A timer
// that is set twice is called once. Timers are state, and need a key: a broadcast row has none.
func (c *Context[K, Out]) SetTimer(at time.Time) { c.core.setTimer(c.core.events, at) }

// SetClockTimer has Timer called for this key when processing time has reached a time, as SetTimer does by event time. At the end of the input, those that are not due are not called.
func (c *Context[K, Out]) SetClockTimer(at time.Time) { c.core.setTimer(c.core.clock, at) }

// DeleteTimer deletes the timer of this key at a time, if it was not called yet.
func (c *Context[K, Out]) DeleteTimer(at time.Time) { c.core.deleteTimer(c.core.events, at) }

// DeleteClockTimer does so with one of processing time.
func (c *Context[K, Out]) DeleteClockTimer(at time.Time) { c.core.deleteTimer(c.core.clock, at) }

func (c *core) setTimer(t *native.Timers, at time.Time) {
	if t == nil {
		c.fail(fmt.Errorf("a timer is set, but the function has no Timer to call"))
		return
	}
	c.fail(t.Set(c.key, at.UnixMilli()))
}

func (c *core) deleteTimer(t *native.Timers, at time.Time) {
	if t != nil {
		t.Delete(c.key, at.UnixMilli())
	}
}

// begin has the context be that of a row of a kind.
func (c *Context[K, Out]) begin(kind stream.RowKind) {
	c.at = kind
	if c.updates {
		c.kind = kind
	}
}

// Updates says that a process gives rows that update and delete others: what it makes of a row does to the table what the row did, as that of Map does, or what
// CollectAs says. Its stream goes only where updates go. Without the option a process gives rows that only come, also where its input has updates.
func Updates() Option {
	return func(n *node) {
		if n.updates = true; !n.processes {
			n.refuse("the option Updates has no meaning for the "+n.what+" "+string(n.uid), "it is for Process, KeyedProcess, CoProcess and BroadcastProcess")
		}
	}
}

// Timer is a timer that is due.
type Timer struct {
	At time.Time
	// Clock tells that it is one of processing time.
	Clock bool
}

// Kind is what a row does to the table that a stream with updates describes.
type Kind uint8

// The kinds: +I, -U, +U and -D. An update is a -U of the row as it was, and a +U of the row as it has become.
const (
	Insert       = Kind(stream.Insert)
	UpdateBefore = Kind(stream.UpdateBefore)
	UpdateAfter  = Kind(stream.UpdateAfter)
	Delete       = Kind(stream.Delete)
)

// String prints the kind as Flink does: +I, -U, +U, -D.
func (k Kind) String() string { return stream.RowKind(k).String() }

// Processor is a function with state and time. An error of it fails the job, which restarts from its last checkpoint.
type Processor[K, In, Out any] struct {
	// Row takes a row, which it borrows.
	Row func(c *Context[K, Out], row *In) error
	// Timer, which need not be, is called for timers that are due.
	Timer func(c *Context[K, Out], timer Timer) error
}

// Process gives any number of rows of each row, with side outputs, which make declares. The stream has no keys, so there is neither state by key nor time: that is KeyedProcess.
func Process[In, Out any](s *Stream[In], make func(*Setup) func(*Context[struct{}, Out], *In) error, options ...Option) *Stream[Out] {
	return processOf(s.env, "process", options, func(setup *Setup) processing[struct{}, Out] {
		f := make(setup)
		return processing[struct{}, Out]{inputs: []rowInput[struct{}, Out]{inputOf(s, nil, f)}}
	}, nil, sideOf[struct{}](s, nil))
}

// KeyedProcess gives any number of rows of each row, with state by key, timers and side outputs. make says what the function keeps and returns it (see Setup). What is kept
// is found by the uid.
func KeyedProcess[K, In, Out any](s *Keyed[K, In], uid string, make func(*Setup) Processor[K, In, Out], options ...Option) *Stream[Out] {
	return processOf(s.env, "process", append([]Option{UID(uid)}, options...), func(setup *Setup) processing[K, Out] {
		p := make(setup)
		return processing[K, Out]{inputs: []rowInput[K, Out]{inputOf(s.Stream, s, p.Row)}, timer: p.Timer}
	}, s.keys, sideOf(s.Stream, s))
}

// CoProcessor is a function of two streams with equal keys. Rows of the two come in any order. Each function borrows its row; Timer need not be. An error fails the job.
type CoProcessor[K, Left, Right, Out any] struct {
	Left  func(c *Context[K, Out], row *Left) error
	Right func(c *Context[K, Out], row *Right) error
	Timer func(c *Context[K, Out], timer Timer) error
}

// CoProcess is KeyedProcess of two streams, which share what is kept.
func CoProcess[K, L, R, Out any](left *Keyed[K, L], right *Keyed[K, R], uid string, make func(*Setup) CoProcessor[K, L, R, Out], options ...Option) *Stream[Out] {
	return processOf(left.env, "co-process", append([]Option{UID(uid)}, options...), func(setup *Setup) processing[K, Out] {
		p := make(setup)
		return processing[K, Out]{inputs: []rowInput[K, Out]{inputOf(left.Stream, left, p.Left), inputOf(right.Stream, right, p.Right)}, timer: p.Timer}
	}, left.keys, sideOf(left.Stream, left), sideOf(right.Stream, right))
}

// BroadcastProcessor is a function of a keyed stream, and of one of which every task gets every row. Rows of the two come in any order: one of the keyed stream may come before the
// rules that it needs. Each function borrows its row; Timer need not be. An error fails the job.
type BroadcastProcessor[K, In, Rule, Out any] struct {
	Row func(c *Context[K, Out], row *In) error
	// Broadcast takes a row that every task gets. It must do the same in each: it changes broadcast state, and neither reads nor changes state by key.
	Broadcast func(c *Context[K, Out], row *Rule) error
	Timer     func(c *Context[K, Out], timer Timer) error
}

// BroadcastProcess is KeyedProcess with a second stream whose rows every task gets: rules, prices, settings. They are kept in broadcast state (NewBroadcast).
func BroadcastProcess[K, In, Rule, Out any](
	s *Keyed[K, In], rules *Stream[Rule], uid string, make func(*Setup) BroadcastProcessor[K, In, Rule, Out], options ...Option,
) *Stream[Out] {
	return processOf(s.env, "broadcast-process", append([]Option{UID(uid)}, options...), func(setup *Setup) processing[K, Out] {
		p := make(setup)
		return processing[K, Out]{inputs: []rowInput[K, Out]{inputOf(s.Stream, s, p.Row), inputOf[K](rules, nil, p.Broadcast)}, timer: p.Timer}
	}, s.keys, sideOf(s.Stream, s), broadcastSide(rules))
}

// processing is a function as the engine calls it.
type processing[K, Out any] struct {
	inputs []rowInput[K, Out]
	timer  func(*Context[K, Out], Timer) error
}

// rowInput takes rows of one input.
type rowInput[K, Out any] interface {
	open(*process[K, Out]) error
	rows(*process[K, Out], *stream.Batch, int) (int, error)
}

// side is an input as the graph has it.
type side struct {
	ok    bool
	edge  input
	input jobgraph.NativeInput
}

func sideOf[K, T any](s *Stream[T], k *Keyed[K, T]) side {
	switch {
	case !s.ok():
		return side{}
	case k == nil:
		return side{ok: true, edge: s.forward(), input: s.input()}
	default:
		return side{ok: true, edge: k.hash(), input: k.keyedInput()}
	}
}

func broadcastSide[T any](s *Stream[T]) side {
	if !s.ok() {
		return side{}
	}
	in := s.input()
	in.Broadcast = true
	return side{ok: true, edge: input{from: s.node, port: s.port, kind: jobgraph.Broadcast}, input: in}
}

// processOf makes the node of a function.
func processOf[K, Out any](e *Env, what string, options []Option, make func(*Setup) processing[K, Out], keys *rows.Mapping, sides ...side) *Stream[Out] {
	spec := &jobgraph.NativeSpec{}
	var edges []input
	for _, s := range sides {
		if !s.ok {
			return broken[Out](e)
		}
		edges, spec.Inputs = append(edges, s.edge), append(spec.Inputs, s.input)
	}
	m := mappingOf[Out](e)
	if m == nil {
		for _, in := range edges {
			in.from.meant = true
		}
		return broken[Out](e)
	}
	spec.Output = m.Schema
	n := e.add(what, append([]Option{func(n *node) { n.processes = true }}, options...), edges...)
	p, ok := declare(n, spec, keys != nil, make)
	if !ok {
		return broken[Out](e)
	}
	if p.timer != nil {
		if keys == nil {
			n.refuse("timers are set by key, but the stream has none", "use KeyBy in front")
		}
		(&Setup{spec: spec}).timers()
	}
	n.native(spec, func() native.Function { return newProcess(n, m, keys, make) })
	out := streamOf[Out](n, 0, m)
	out.changes = n.updates
	return out
}

// process implements native.Function.
type process[K, Out any] struct {
	core
	env  *Env
	make func(*Setup) processing[K, Out]
	of   processing[K, Out]
	keys *rows.Mapping // nil: there are none
	due  *rows.Tile[K]
	ctx  Context[K, Out]
}

func newProcess[K, Out any](n *node, m *rows.Mapping, keys *rows.Mapping, make func(*Setup) processing[K, Out]) *process[K, Out] {
	p := &process[K, Out]{env: n.env, make: make, keys: keys}
	p.guard = guardOf(n)
	p.ctx = Context[K, Out]{Collector: newCollector[Out](m), core: &p.core, updates: n.updates}
	return p
}

// Open has the user's function made for this task.
func (p *process[K, Out]) Open(rt *native.Runtime) (err error) {
	if err := p.begin(rt); err != nil {
		return err
	}
	p.ctx.out = rt.Out(operators.MainPort)
	p.settle = append(p.settle, p.ctx.settle)
	if p.keys != nil {
		p.due = rows.NewTile[K](p.keys, nil)
	}
	defer p.recovered(&err)
	p.of = p.make(&Setup{env: NewEnv(nil, nil), core: &p.core, keyed: p.keys != nil})
	for _, in := range p.of.inputs {
		if err := in.open(p); err != nil {
			return err
		}
	}
	return p.err
}

// Rows implements native.Function.
func (p *process[K, Out]) Rows(input int, b *stream.Batch, from int) (to int, err error) {
	defer p.recovered(&err)
	if from == 0 {
		if err := p.sweep(); err != nil {
			return 0, err
		}
	}
	return p.of.inputs[input].rows(p, b, from)
}

// Fire implements native.Firer.
func (p *process[K, Out]) Fire(w stream.Watermark) (bool, error) {
	p.watermark = w
	return p.fire(p.events, int64(w), false)
}

// WakeAt implements native.Waker.
func (p *process[K, Out]) WakeAt() (int64, bool) {
	if p.clock == nil {
		return 0, false
	}
	return p.clock.First()
}

// Wake implements native.Waker.
func (p *process[K, Out]) Wake(now int64) (bool, error) { return p.fire(p.clock, now, true) }

// fire calls the timers that are due, until enough was given.
func (p *process[K, Out]) fire(timers *native.Timers, upTo int64, clock bool) (done bool, err error) {
	if timers == nil {
		return true, nil
	}
	defer p.recovered(&err)
	var keys []K
	for !p.rt.Enough() {
		d, ok, err := timers.Next(upTo)
		if err != nil || !ok {
			return true, err
		}
		if keys, err = p.due.ReadColumns(d.Keys, d.Nth, d.Nth+1); err != nil {
			return true, p.failed(err)
		}
		p.key, p.ctx.key = d.Key, keys[0]
		p.ctx.begin(stream.Insert)
		p.row = func() any {
			return fmt.Sprintf("of the timer at %s of key %v", timeOf(d.At).Format(time.RFC3339Nano), keys[0])
		}
		if err := p.of.timer(&p.ctx, Timer{At: timeOf(d.At), Clock: clock}); err != nil {
			return true, p.failed(err)
		}
		if err := p.settled(); err != nil {
			return true, p.failed(err)
		}
		p.row = nil
	}
	return false, nil
}

// Close implements native.Function.
func (p *process[K, Out]) Close() error {
	p.end()
	return nil
}

// typedInput takes rows of T.
type typedInput[K, T, Out any] struct {
	stream *Stream[T]
	keyed  *Keyed[K, T] // nil: without keys
	f      func(*Context[K, Out], *T) error
	tile   *rows.Tile[T]
	keys   *rows.Tile[K]
	reader *stream.KeyReader
	cursor native.Keys
}

func inputOf[K, T, Out any](s *Stream[T], k *Keyed[K, T], f func(*Context[K, Out], *T) error) rowInput[K, Out] {
	return &typedInput[K, T, Out]{stream: s, keyed: k, f: f}
}

func (t *typedInput[K, T, Out]) open(*process[K, Out]) (err error) {
	t.tile = t.stream.tile()
	if t.keyed != nil {
		t.keys = rows.NewTile[K](t.keyed.keys, t.keyed.by)
		t.reader, err = stream.NewKeyReader(t.stream.schema, t.keyed.by)
	}
	return err
}

func (t *typedInput[K, T, Out]) rows(p *process[K, Out], b *stream.Batch, from int) (int, error) {
	if from == 0 && t.reader != nil {
		t.cursor.Set(t.reader.Read(b))
	}
	for n := b.Rows(); from < n && !p.rt.Enough(); from += rows.TileRows {
		if err := t.some(p, b, from, min(from+rows.TileRows, n)); err != nil {
			return from, p.failed(err)
		}
	}
	return min(from, b.Rows()), nil
}

// some calls the function for the rows of a tile.
func (t *typedInput[K, T, Out]) some(p *process[K, Out], b *stream.Batch, from, to int) error {
	tile, err := t.tile.Read(b, from, to)
	if err != nil {
		return err
	}
	var keys []K
	if t.keys != nil {
		if keys, err = t.keys.Read(b, from, to); err != nil {
			return err
		}
	}
	at := 0
	p.row = func() any { return tile[at] }
	for at = range tile {
		p.ctx.begin(b.Kind(b.Row(from + at)))
		if p.key = nil; keys != nil {
			p.key, p.ctx.key = t.cursor.At(from+at), keys[at]
		}
		if err := t.f(&p.ctx, &tile[at]); err != nil {
			return err
		}
		if p.err != nil {
			return p.err
		}
	}
	err = p.settled()
	p.row = nil
	return err
}
