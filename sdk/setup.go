package sdk

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators/native"
	"millrace/sdk/rows"
	"millrace/stream"
)

// Setup is where a function says what it keeps and gives beside its rows. A function that makes a Processor is called once when the job is described, and once for
// each task that runs it: it must ask for the same things each time, and do nothing else. What it returns belongs to that one task, so it may keep
// what it wants in its variables; only state survives.
type Setup struct {
	env   *Env
	spec  *jobgraph.NativeSpec // while the job is described
	core  *core                // where it runs
	keyed bool
	sides []*sideInfo
}

// sideInfo is a side output that a function declared.
type sideInfo struct {
	name    string
	mapping *rows.Mapping
}

// core is what the parts of one running function share.
type core struct {
	guard
	rt        *native.Runtime
	key       *stream.Keys // that is under way
	watermark stream.Watermark
	events    *native.Timers // nil: the function has no timers
	clock     *native.Timers
	settle    []func() error // of side outputs
	swept     []func() error // of states with a time to live
	closes    []func()       // of states
	err       error          // what state could not do
}

// fail notes the first thing that state could not do.
func (c *core) fail(err error) {
	if err != nil && c.err == nil {
		c.err = err
	}
}

// keyless tells whether there is no key under way, and notes that state was asked for all the same.
func (c *core) keyless() bool {
	if c.key == nil {
		c.fail(errKeyless)
	}
	return c.key == nil
}

var errKeyless = errors.New("state by key was asked for in a row that has no key: a broadcast row reads and changes broadcast state alone")

// settled hands on what was given, and returns what went wrong in the user's call.
func (c *core) settled() error {
	for _, settle := range c.settle {
		c.fail(settle())
	}
	return c.err
}

// sweep has states with a time to live look after some of their rows.
func (c *core) sweep() error {
	for _, sweep := range c.swept {
		if err := sweep(); err != nil {
			return err
		}
	}
	return nil
}

// Names of the tables of timers. No state may have them.
const (
	eventTimers = "event_timers"
	clockTimers = "clock_timers"
)

// table declares a table, or finds out that it is declared.
func (s *Setup) table(t jobgraph.NativeTable) {
	if s.spec == nil {
		return
	}
	switch {
	case t.Name == eventTimers || t.Name == clockTimers:
		s.env.Problemf("state can't be called %s: that is the name of the engine's own table", t.Name)
	case slices.ContainsFunc(s.spec.Tables, func(o jobgraph.NativeTable) bool { return o.Name == t.Name }):
		s.env.problem(failure.Message{Primary: fmt.Sprintf("two states are called %q", t.Name), Hint: "a name is that of one state of the function"})
	case !s.keyed && t.Shape <= jobgraph.NativeTimers:
		s.env.problem(failure.Message{Primary: fmt.Sprintf("the state %q is kept by key, but the stream has none", t.Name), Hint: "use KeyBy in front"})
	}
	s.spec.Tables = append(s.spec.Tables, t)
}

// timers declares the tables of timers.
func (s *Setup) timers() {
	s.spec.Tables = append(s.spec.Tables,
		jobgraph.NativeTable{Name: eventTimers, Shape: jobgraph.NativeTimers}, jobgraph.NativeTable{Name: clockTimers, Shape: jobgraph.NativeTimers})
}

// Side is a side output of a function. It is for the function's own calls. Its rows only come, whatever those of the function do.
type Side[T any] struct{ *Collector[T] }

// NewSide declares a side output. SideOutput is its stream.
func NewSide[T any](s *Setup, name string) *Side[T] {
	m := mappingOf[T](s.env)
	if m == nil {
		return &Side[T]{}
	}
	for _, other := range s.sides {
		if other.name == name {
			s.env.Problemf("two side outputs are called %q", name)
		}
	}
	s.sides = append(s.sides, &sideInfo{name: name, mapping: m})
	if s.spec != nil {
		s.spec.Sides = append(s.spec.Sides, m.Schema)
		return &Side[T]{}
	}
	side := &Side[T]{newCollector[T](m)}
	side.out = s.core.rt.Out(len(s.sides))
	s.core.settle = append(s.core.settle, side.settle)
	return side
}

// SideOutput returns the stream of a side output of the function that made a stream, by the name that it gave to NewSide. T is the type that it gave, too. Where nothing else is read of
// the function, its own rows go nowhere.
func SideOutput[T, Main any](of *Stream[Main], name string) *Stream[T] {
	if !of.ok() {
		return broken[T](of.env)
	}
	m := mappingOf[T](of.env)
	if m == nil {
		of.refused()
		return broken[T](of.env)
	}
	var names []string
	for i, side := range of.node.sides {
		if side.name == name && side.mapping.Schema.Equal(m.Schema) {
			return streamOf[T](of.node, i+1, m)
		}
		names = append(names, side.name+" of "+side.mapping.Go.String())
	}
	of.env.problem(failure.Message{
		Primary: fmt.Sprintf("the %s %s has no side output %q of %s", of.node.what, of.node.uid, name, m.Go), Hint: "it has " + list(names),
	})
	of.refused()
	return broken[T](of.env)
}

// timeOf returns a time of the engine's as people have it; the zero time where there is none yet.
func timeOf(millis int64) time.Time {
	if stream.Watermark(millis) == stream.NoWatermark {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// declare calls the user's function to learn what it asks for.
func declare[P any](n *node, spec *jobgraph.NativeSpec, keyed bool, make func(*Setup) P) (p P, ok bool) {
	s := &Setup{env: n.env, spec: spec, keyed: keyed}
	var err error
	func() {
		g := guardOf(n)
		defer g.recovered(&err)
		p = make(s)
	}()
	if err != nil {
		n.env.problem(failure.Message{Primary: err.Error()})
		n.meant = true
		return p, false
	}
	n.sides = s.sides
	return p, true
}

// begin makes the core of a function that runs.
func (c *core) begin(rt *native.Runtime) error {
	c.rt, c.watermark = rt, rt.Watermark
	c.open(rt.Context)
	keys := rt.Spec.KeyTypes()
	for name, to := range map[string]**native.Timers{eventTimers: &c.events, clockTimers: &c.clock} {
		if table, ok := rt.Tables.Timers[name]; ok {
			var err error
			if *to, err = native.NewTimers(rt.Pool, table, keys); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *core) end() {
	for _, t := range []*native.Timers{c.events, c.clock} {
		if t != nil {
			t.Close()
		}
	}
	for _, release := range c.closes {
		release()
	}
	c.closes = nil
}
