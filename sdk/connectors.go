package sdk

import (
	"fmt"
	"slices"
	"strings"

	"millrace/cmd/cluster"
	"millrace/connectors"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sdk/query"
)

// Source gives the program a source of its own, by the contract of package connectors. Jobs read it by its name as they read any other: by Connect, and in SQL as the connector of a
// table. The name is none of a built-in connector.
//
// The factory is called wherever the job is described, and in every task manager that runs a part of the source: what it makes may use nothing but its options and schema. Options that
// it refuses are problems of the description.
func Source(name string, f connectors.SourceFactory) MainOption {
	at := callSite()
	return func(o *mainOptions) {
		if o.own.fits("source", name, at, f.Open != nil, o.own.registry.Sources()) {
			o.own.registry.RegisterSource(name, f)
		}
	}
}

// Sink gives the program a sink of its own, as Source does a source. A source and a sink may share a name.
func Sink(name string, f connectors.SinkFactory) MainOption {
	at := callSite()
	return func(o *mainOptions) {
		if o.own.fits("sink", name, at, f.Open != nil, o.own.registry.Sinks()) {
			o.own.registry.RegisterSink(name, f)
		}
	}
}

// connected are the sources and sinks of a program.
type connected struct {
	registry connectors.Registry
	problems []failure.Message // what can't be among them, with the place of the call
}

func (c *connected) empty() bool {
	return len(c.registry.Sources()) == 0 && len(c.registry.Sinks()) == 0
}

// fits tells whether a connector can be registered, and notes what is wrong with it. One whose name a built-in one has is registered all the same: a task manager of the
// program then says so, too.
func (c *connected) fits(what, name, at string, opens bool, others []string) bool {
	refuse := func(hint, format string, args ...any) {
		c.problems = append(c.problems, failure.Message{Primary: at + ": " + fmt.Sprintf(format, args...), Hint: hint})
	}
	switch {
	case slices.Contains(others, name):
		refuse("give it another name", "the program has another %s %s", what, name)
		return false
	case !isConnectorName(name):
		refuse(fmt.Sprintf("take at most %d letters, digits, _ and -, the first of them no -", jobgraph.NameBytesMax), "%q can't name a %s", name, what)
		return false
	case !opens:
		refuse("give its factory a function Open", "the %s %s has nothing that opens it", what, name)
		return false
	case query.Reserved(name) || cluster.NewWiring(nil).Connectors.Taken(name):
		refuse("give it another name", "the %s %s has the name of a built-in connector", what, name)
	}
	return true
}

func isConnectorName(name string) bool {
	word := func(r rune) bool {
		return r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	return name != "" && len(name) <= jobgraph.NameBytesMax && name[0] != '-' && !strings.ContainsFunc(name, func(r rune) bool { return !word(r) })
}

// connect lets the job use a program's sources and sinks.
func (e *Env) connect(c *connected) {
	e.own = c
	for _, m := range c.problems {
		e.problems.Add(m)
	}
}

// wiring is what the job may name: everything built in, and these.
func (c *connected) wiring() *cluster.Wiring {
	w := cluster.NewWiring(nil)
	if all, err := w.Connectors.With(&c.registry); err == nil { // otherwise it was said when they were registered
		w.Connectors = all
	}
	return w
}

// checkOwn has the program's sources and sinks check their options: nobody else can.
func (a *assembly) checkOwn() error {
	if a.env.own.empty() {
		return nil
	}
	flows, err := jobgraph.Derive(a.graph)
	if err != nil {
		return failure.User(err)
	}
	for i := range a.graph.Vertices {
		v := &a.graph.Vertices[i]
		source, sink := a.env.own.registry.Check(v, flows[v.ID].Output(v.Source, 0))
		a.refused(a.heads[i], source)
		a.refused(a.tails[i], sink)
	}
	return a.env.problems.Err()
}

// refused notes what a connector says of its options, at the place of the call.
func (a *assembly) refused(n *node, err error) {
	var all failure.Problems
	all.AddError(err)
	for _, m := range all.All() {
		of := fmt.Sprintf("the source %s", n.uid)
		if n.sink != nil {
			of = fmt.Sprintf("the sink %s", n.uid)
		}
		if m.Field != "" {
			of += ": " + m.Field
		}
		a.env.problems.Add(failure.Message{Primary: n.at + ": " + of + ": " + m.Primary, Detail: m.Detail, Hint: m.Hint})
	}
}
