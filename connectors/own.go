package connectors

import (
	"fmt"
	"maps"

	"millrace/failure"
	"millrace/internal/stack"
	"millrace/jobgraph"
	"millrace/types"
)

// With returns a registry that has the sources and sinks of another too. The error, of the user, is about the first name that both have, whichever kind of connector
// it is of.
func (r *Registry) With(more *Registry) (*Registry, error) {
	out := &Registry{maps.Clone(r.sources), maps.Clone(r.sinks), maps.Clone(r.lookups)}
	for _, name := range more.Sources() {
		if r.Taken(name) {
			return nil, taken("source", name)
		}
		out.RegisterSource(name, more.sources[name])
	}
	for _, name := range more.Sinks() {
		if r.Taken(name) {
			return nil, taken("sink", name)
		}
		out.RegisterSink(name, more.sinks[name])
	}
	return out, nil
}

// Taken tells whether a connector has a name.
func (r *Registry) Taken(name string) bool {
	_, source := r.sources[name]
	_, sink := r.sinks[name]
	_, lookup := r.lookups[name]
	return source || sink || lookup
}

func taken(what, name string) error {
	return failure.User(failure.Message{Primary: fmt.Sprintf("the %s %s has the name of a built-in connector", what, name), Hint: "give it another name"})
}

// CheckAll checks every vertex of a graph that is sound otherwise.
func (r *Registry) CheckAll(g *jobgraph.Graph) error {
	flows, err := jobgraph.Derive(g)
	if err != nil {
		return failure.User(err)
	}
	var problems failure.Problems
	for i := range g.Vertices {
		v := &g.Vertices[i]
		source, sink := r.Check(v, flows[v.ID].Output(v.Source, 0))
		var of failure.Problems
		of.AddError(source)
		of.AddError(sink)
		of.Within(string(v.ID))
		problems.AddError(of.Err())
	}
	return problems.Err()
}

// Check opens the source and the sink of a vertex, where the registry has them, as a task will: over the schema of what the sink takes. What it finds is the user's, and so
// is a panic of a connector, which the user may have written.
func (r *Registry) Check(v *jobgraph.Vertex, taken *types.Schema) (source, sink error) {
	if v.Source != nil && r.sources[v.Source.Connector].Open != nil {
		source = guarded(func() error {
			_, err := r.Source(v.Source.Connector, v.Source.Options, v.Source.Schema)
			return err
		})
	}
	if v.Sink != nil && r.sinks[v.Sink.Connector].Open != nil {
		sink = guarded(func() error {
			_, err := r.Sink(v.Sink, taken)
			return err
		})
	}
	return source, sink
}

func guarded(open func() error) (err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err = failure.Userf("%s", stack.Panic(thrown))
		}
	}()
	return open()
}
