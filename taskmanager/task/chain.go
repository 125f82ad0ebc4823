package task

import (
	"fmt"

	"millrace/operators"
	"millrace/stream"
)

// signal is something that passes through the chain behind all rows before it:
// a watermark, a status, a barrier or the end. Each operator is told and then
// drained before the next one is.
type signal struct {
	element stream.Element
	at      int  // the next operator to tell
	flush   bool // only asks operators for what they hold back
}

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
	calls   int             // the operator that is being called; -1: none
	// panicked is the failure of what an operator threw, failed that of what it returned.
	panicked func(thrown any) error
	failed   func(error) error
	deepest  int // the deepest level that may have output; -1 when all are drained
	signal   *signal
	store    signal // the one signal that there can be
	ledger   *ledger
	arrived  func(stream.Element) (bool, error)
}

func newChain(ops []operators.Operator, end terminal, l *ledger, arrived func(stream.Element) (bool, error)) *chain {
	c := &chain{ops: ops, end: end, ledger: l, held: make([]*stream.Batch, len(ops)), deepest: -1, calls: -1, arrived: arrived}
	for i, op := range ops {
		if _, ok := op.(operators.Clocked); ok {
			c.clocked = append(c.clocked, i)
		}
	}
	return c
}

// idle tells that nothing is under way: the chain can take the next element.
func (c *chain) idle() bool { return c.deepest < 0 && c.signal == nil }

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
	c.store = signal{element: e}
	c.signal = &c.store
}

// wake wakes the first operator whose time has come. The chain must be idle.
func (c *chain) wake(now int64) (woke bool, err error) {
	for _, i := range c.clocked {
		op := c.ops[i].(operators.Clocked)
		if at, ok := op.WakeAt(); ok && at <= now {
			c.deepest, c.calls = i, i
			return true, c.called(op.Wake(now))
		}
	}
	return false, nil
}

// wakeAt returns when an operator must be woken, 0 where none must.
func (c *chain) wakeAt() (first int64) {
	for _, i := range c.clocked {
		if at, ok := c.ops[i].(operators.Clocked).WakeAt(); ok {
			first = earlier(first, max(at, 1))
		}
	}
	return first
}

// flush asks every operator for what it holds back. The chain must be idle.
func (c *chain) flush() {
	c.store = signal{flush: true}
	c.signal = &c.store
}

// pump moves the chain until it is idle, a batch has left it, or it can't go
// on. It tells whether anything happened; not so while the terminal is not ready.
func (c *chain) pump() (worked bool, err error) {
	for {
		switch {
		case c.deepest >= 0:
			left, stuck, err := c.pull()
			if stuck || err != nil {
				return worked, err
			}
			worked = true
			if left {
				return true, nil
			}
		case c.signal != nil:
			done, err := c.deliver()
			if err != nil {
				return worked, err
			}
			if !done {
				return worked, nil
			}
			worked = true
		default:
			return worked, nil
		}
	}
}

// pull asks the deepest pending operator for its next batch. left tells that a
// batch went to the terminal, stuck that the terminal is not ready for one.
func (c *chain) pull() (left, stuck bool, err error) {
	i := c.deepest
	last := i == len(c.ops)-1
	if last && !c.end.ready() {
		return false, true, nil
	}
	c.calls = i
	out, err := c.ops[i].Next()
	err = c.called(err)
	switch {
	case err != nil:
		return false, false, err
	case out.Batch == nil:
		c.drained(i)
		return false, false, nil
	case out.Port != operators.MainPort:
		return true, false, c.end.rows(out.Port, out.Batch)
	}
	c.ledger.operators[i].out += int64(out.Batch.Rows())
	switch {
	case last:
		return true, false, c.end.rows(out.Port, out.Batch)
	default:
		return false, false, c.give(i+1, 0, out.Batch)
	}
}

func (c *chain) drained(level int) {
	if b := c.held[level]; b != nil {
		b.Release()
		c.held[level] = nil
	}
	c.deepest = level - 1
}

// deliver brings the signal to the next operator, or out of the chain. done is
// false when it can't leave yet.
func (c *chain) deliver() (done bool, err error) {
	s := c.signal
	if s.at < len(c.ops) {
		c.calls = s.at
		err := c.called(c.tell(s))
		c.deepest = s.at
		s.at++
		return true, err
	}
	if s.flush {
		c.signal = nil
		_, err := c.arrived(stream.Element{})
		return true, err
	}
	out, err := c.arrived(s.element)
	if out {
		c.signal = nil
	}
	return out, err
}

func (c *chain) tell(s *signal) error {
	op := c.ops[s.at]
	if s.flush {
		return op.Flush()
	}
	switch s.element.Kind {
	case stream.WatermarkElement:
		if s.at > 0 {
			s.element.Watermark = mapWatermark(c.ops[s.at-1], s.element.Watermark)
		}
		if s.element.Watermark == stream.NoWatermark {
			return nil
		}
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

// leaving returns the watermark of a signal behind the last operator.
func (c *chain) leaving(w stream.Watermark) stream.Watermark {
	if n := len(c.ops); n > 0 {
		return mapWatermark(c.ops[n-1], w)
	}
	return w
}

func mapWatermark(op operators.Operator, w stream.Watermark) stream.Watermark {
	if m, ok := op.(operators.WatermarkMapper); ok {
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
		if b := c.held[i]; b != nil {
			b.Release()
			c.held[i] = nil
		}
		if err := c.closeOperator(i, op); err != nil && first == nil {
			first = fmt.Errorf("close operator %d: %w", i, err)
		}
	}
	c.deepest, c.signal = -1, nil
	return first
}
