package task

import (
	"fmt"

	"millrace/operators"
	"millrace/stream"
	"millrace/types"
)

// signal is something that passes through the chain behind all rows before it:
// a watermark, a status, a barrier or the end. Each operator is told and then
// drained before the next one is.
type signal struct {
	element stream.Element
	from    int  // the operator that held it and gives it now; outside for one of the input
	at      int  // the next operator to tell
	flush   bool // only asks operators for what they hold back
}

// outside is in front of all operators.
const outside = -1

// terminal is what stands behind the last operator: a sink or outlets.
type terminal interface {
	// ready tells whether another batch may be pulled from the chain.
	ready() bool
	// rows takes a batch over.
	rows(port int, b *stream.Batch) error
}

// chain drives the operators of a task. It pulls at the deepest operator that
// may have output, so that everything downstream of a batch is done before
// anything upstream moves, and memory is one batch a level.
type chain struct {
	ops     []operators.Operator
	clocked []int // those that act on processing time
	end     terminal
	held    []*stream.Batch // what each operator was given and may still look at
	kept    []*stream.Batch // what each operator is given when it is no longer full
	deepest int             // the deepest level that may have output; -1 when all are drained
	calls   int             // the operator that is being called; outside: none
	aside   int             // the operator that was woken in the middle of rows, which are no concern of its; outside: none
	// panicked is the failure of what an operator threw, failed that of what it returned.
	panicked func(thrown any) error
	failed   func(error) error
	// signals are on their way: the first is one of the input, where any is; those behind it were given by operators meanwhile,
	// each further down than the one before, and go first.
	signals []signal
	// watermarks are the event times of the operators: those of their last Advance.
	watermarks []stream.Watermark
	ledger     *ledger
	arrived    func(e stream.Element, whole bool) error
	now        int64
	// urgent lets rows go to operators that are full: a barrier presses.
	urgent bool
	// waits tells that the chain can't go on because an operator is full.
	waits bool
}

// newChain returns a chain. arrived takes what comes out of it behind the rows; whole tells that it came from the input, so that every
// operator was told and has given what it held back.
func newChain(ops []operators.Operator, end terminal, l *ledger, arrived func(e stream.Element, whole bool) error) *chain {
	c := &chain{ops: ops, end: end, ledger: l, deepest: outside, calls: outside, aside: outside, arrived: arrived}
	c.held, c.kept = make([]*stream.Batch, len(ops)), make([]*stream.Batch, len(ops))
	c.watermarks = make([]stream.Watermark, len(ops))
	for i, op := range ops {
		c.watermarks[i] = stream.NoWatermark
		if _, ok := op.(operators.Clocked); ok {
			c.clocked = append(c.clocked, i)
		}
	}
	return c
}

// restore says where event time stands in the operators. One of which nothing is known begins anew, as it was told when it was opened.
func (c *chain) restore(links []Link, restored map[types.OperatorUID]stream.Watermark) {
	for i, l := range links {
		if w, ok := restored[l.UID]; ok {
			c.watermarks[i] = w
		}
	}
}

// idle tells that nothing is under way: the chain can take the next element.
func (c *chain) idle() bool { return c.deepest == outside && len(c.signals) == 0 }

// full tells that the operator of a level should be given no rows.
func (c *chain) full(level int) bool {
	if level >= len(c.ops) {
		return false
	}
	b, ok := c.ops[level].(operators.Bounded)
	return ok && b.Full()
}

// barrier returns the barrier that is under way.
func (c *chain) barrier() (stream.Barrier, bool) {
	if len(c.signals) == 0 || c.signals[0].element.Kind != stream.BarrierElement {
		return stream.Barrier{}, false
	}
	return c.signals[0].element.Barrier, true
}

// process gives the chain a batch, taking it over. The chain must be idle and,
// without operators, the terminal ready.
func (c *chain) process(input int, b *stream.Batch) error {
	if len(c.ops) == 0 {
		return c.end.rows(operators.MainPort, b)
	}
	return c.give(0, input, b)
}

// called ends the call of an operator.
func (c *chain) called(err error) error {
	if err != nil {
		err = c.failed(err)
	}
	c.calls = -1
	return err
}

func (c *chain) give(level, input int, b *stream.Batch) error {
	c.held[level] = b
	c.deepest = level
	c.ledger.operators[level].in += int64(b.Rows())
	c.calls = level
	return c.called(c.ops[level].Process(input, b))
}

// send starts a signal. The chain must be idle.
func (c *chain) send(e stream.Element) {
	c.signals = append(c.signals, signal{element: e, from: outside})
}

// wake wakes the first operator from a level on whose time has come. The operators from there on must be drained.
func (c *chain) wake(now int64, from int) (woke bool, err error) {
	for _, i := range c.clocked {
		if i < from {
			continue
		}
		op := c.ops[i].(operators.Clocked)
		if at, ok := op.WakeAt(); ok && at <= now {
			c.deepest, c.calls = i, i
			return true, c.called(op.Wake(now))
		}
	}
	return false, nil
}

// wakeAt returns when an operator from a level on must be woken, 0 where none must.
func (c *chain) wakeAt(from int) (first int64) {
	for _, i := range c.clocked {
		if i < from {
			continue
		}
		if at, ok := c.ops[i].(operators.Clocked).WakeAt(); ok {
			first = earlier(first, max(at, 1))
		}
	}
	return first
}

// flush asks every operator for what it holds back. The chain must be idle.
func (c *chain) flush() {
	c.signals = append(c.signals, signal{flush: true, from: outside})
}

// pump moves the chain until it is idle, a batch has left it, or it can't go
// on. It tells whether anything happened; not so while the terminal is not ready
// or, as waits says, an operator is full.
func (c *chain) pump(now int64, urgent bool) (worked bool, err error) {
	c.now, c.urgent, c.waits = now, urgent, false
	for {
		drainedTo := outside
		if n := len(c.signals); n > 0 {
			drainedTo = c.signals[n-1].from
		}
		switch {
		case c.deepest > drainedTo:
			left, stuck, err := c.pull()
			if stuck || err != nil {
				return worked, err
			}
			worked = true
			if left {
				return true, nil
			}
		case len(c.signals) > 0:
			if err := c.deliver(); err != nil {
				return worked, err
			}
			worked = true
		default:
			return worked, nil
		}
	}
}

// pull asks the deepest pending operator for its next batch. left tells that a
// batch went to the terminal, stuck that the chain can't go on.
func (c *chain) pull() (left, stuck bool, err error) {
	i := c.deepest
	last := i == len(c.ops)-1
	switch {
	case last && !c.end.ready():
		return false, true, nil
	case !last && c.kept[i+1] != nil:
		return c.giveKept(i + 1)
	}
	c.calls = i
	out, err := c.ops[i].Next()
	err = c.called(err)
	switch {
	case err != nil:
		return false, false, err
	case out.Drained():
		c.drained(i)
		return false, false, nil
	case out.Signal.Kind != 0:
		c.signals = append(c.signals, signal{element: out.Signal, from: i, at: i + 1})
		return false, false, nil
	case out.Port != operators.MainPort:
		return true, false, c.end.rows(out.Port, out.Batch)
	}
	c.ledger.operators[i].out += int64(out.Batch.Rows())
	switch {
	case last:
		return true, false, c.end.rows(out.Port, out.Batch)
	case c.full(i + 1):
		c.kept[i+1] = out.Batch
		return false, false, nil
	default:
		return false, false, c.give(i+1, 0, out.Batch)
	}
}

// giveKept gives an operator the batch that waits for it, if it is not full any more or a barrier stands behind the rows. Otherwise
// it, and those behind it, may have something to do meanwhile.
func (c *chain) giveKept(level int) (left, stuck bool, err error) {
	if _, barrier := c.barrier(); barrier || c.urgent || !c.full(level) {
		b := c.kept[level]
		c.kept[level] = nil
		return false, false, c.give(level, 0, b)
	}
	c.aside = level
	woke, err := c.wake(c.now, level)
	if c.waits = !woke; woke {
		c.aside = c.deepest
	} else {
		c.aside = outside
	}
	return false, c.waits, err
}

func (c *chain) drained(level int) {
	if b := c.held[level]; b != nil {
		b.Release()
		c.held[level] = nil
	}
	c.deepest = level - 1
	if level == c.aside {
		c.aside = outside
	}
}

// deliver brings the foremost signal to the next operator, or out of the chain.
func (c *chain) deliver() error {
	s := &c.signals[len(c.signals)-1]
	if passed := s.at - 1; passed > s.from && !s.flush {
		if goes, err := c.behind(passed, s); !goes || err != nil {
			c.done()
			return err
		}
	}
	if s.at == len(c.ops) {
		e, whole := s.element, s.from == outside
		c.done()
		return c.arrived(e, whole)
	}
	at := s.at
	if s.element.Kind == stream.WatermarkElement {
		if s.from != outside && s.element.Watermark <= c.watermarks[at] {
			c.done() // it was held at the checkpoint for all that the operator knew, and had left
			return nil
		}
		c.watermarks[at] = s.element.Watermark
	}
	s.at++
	c.deepest, c.calls = at, at
	return c.called(c.tell(c.ops[at], s))
}

// done forgets the foremost signal.
func (c *chain) done() { c.signals = c.signals[:len(c.signals)-1] }

// behind lets an operator that was told of a signal change it, or keep it for later.
func (c *chain) behind(level int, s *signal) (goes bool, err error) {
	op := c.ops[level]
	switch s.element.Kind { //nolint:exhaustive // the others go on as they are, or are held
	case stream.BarrierElement:
		if k, ok := op.(operators.Keeper); ok {
			c.calls = level
			return true, c.called(k.Keep())
		}
		return true, nil
	case stream.WatermarkElement:
		s.element.Watermark = mapWatermark(op, s.element.Watermark)
		if s.element.Watermark == stream.NoWatermark {
			return false, nil
		}
	}
	h, ok := op.(operators.Holder)
	return !ok || !h.Hold(s.element), nil
}

func (c *chain) tell(op operators.Operator, s *signal) error {
	if s.flush {
		return op.Flush()
	}
	switch s.element.Kind {
	case stream.WatermarkElement:
		return op.Advance(s.element.Watermark)
	case stream.BarrierElement:
		return op.Flush()
	case stream.EndElement:
		if f, ok := op.(operators.Finisher); ok {
			return f.Finish()
		}
		return op.Flush()
	default:
		return nil
	}
}

func mapWatermark(op operators.Operator, w stream.Watermark) stream.Watermark {
	if m, ok := op.(operators.WatermarkMapper); ok && w != stream.NoWatermark {
		return m.MapWatermark(w)
	}
	return w
}

// closeOperator closes an operator. One that panics keeps nothing else from being closed.
func (c *chain) closeOperator(i int, op operators.Operator) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = c.panicked(r)
		}
		c.calls = -1
	}()
	c.calls = i
	return op.Close()
}

// close closes every operator and releases what is under way.
func (c *chain) close() error {
	var first error
	for i, op := range c.ops {
		for _, under := range [][]*stream.Batch{c.held, c.kept} {
			if b := under[i]; b != nil {
				b.Release()
				under[i] = nil
			}
		}
		if err := c.closeOperator(i, op); err != nil && first == nil {
			first = fmt.Errorf("close operator %d: %w", i, err)
		}
	}
	c.deepest, c.signals = outside, nil
	return first
}
