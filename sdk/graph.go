package sdk

import (
	"cmp"
	"fmt"
	"maps"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/native"
	"millrace/types"
)

// unusedSuffix is that of the uid of a sink that takes what nobody asked for.
const unusedSuffix = "-unused"

// Describe completes the description: the graph of the job, with no program, and the functions of its native operators. The error, of the user, lists everything that is
// wrong.
func (e *Env) Describe() (*jobgraph.Graph, operators.Functions, error) {
	if len(e.nodes) == 0 && e.problems.Len() == 0 {
		e.problems.Add(failure.Message{Primary: "the job has no streams", Hint: "begin with sdk.From"}) // it has no place
	}
	a := &assembly{env: e, graph: e.job.graph(), places: make(map[*node]int), consumers: make(map[*node]int), ports: make(map[*node]map[int]bool)}
	a.count()
	a.ends()
	if err := e.problems.Err(); err != nil {
		return nil, nil, err
	}
	for _, n := range e.nodes {
		a.place(n)
	}
	a.edges()
	if e.sql != nil {
		if err := e.sql.planner.Settle(a.graph); err != nil {
			return nil, nil, err
		}
	}
	if err := a.checkOwn(); err != nil {
		return nil, nil, err
	}
	return a.graph, a.functions(), nil
}

// assembly puts the nodes of a job into vertices.
type assembly struct {
	env       *Env
	graph     *jobgraph.Graph
	places    map[*node]int          // the vertex of each node
	consumers map[*node]int          // how many read its output, by any port
	ports     map[*node]map[int]bool // which ports are read
	heads     []*node                // the first node of each vertex
	tails     []*node                // the last
	named     []bool                 // whether a vertex has an id that a user gave
}

func (a *assembly) count() {
	for _, n := range a.env.nodes {
		for _, in := range n.inputs {
			a.consumers[in.from]++
			if a.ports[in.from] == nil {
				a.ports[in.from] = make(map[int]bool)
			}
			a.ports[in.from][in.port] = true
		}
	}
}

// ends finds rows that go nowhere. Where a side output is all that is read of a node, the rest of it is meant to go nowhere.
func (a *assembly) ends() {
	for _, n := range a.env.nodes {
		if n.sink != nil || n.meant || a.ports[n][0] {
			continue
		}
		if a.consumers[n] == 0 {
			a.env.problems.Add(failure.Message{
				Primary: fmt.Sprintf("%s: the stream of the %s %s goes nowhere", n.at, n.what, n.uid), Hint: "end it with To, or leave it out",
			})
			continue
		}
		a.discard(n)
	}
}

func (a *assembly) discard(n *node) {
	s := &node{
		env: a.env, what: "sink", uid: n.uid + unusedSuffix, at: n.at, parallelism: n.parallelism,
		inputs: []input{{from: n}}, sink: &jobgraph.SinkSpec{Connector: "blackhole"},
	}
	a.env.nodes = append(a.env.nodes, s)
	a.consumers[n]++
}

// place puts a node behind the one that it reads, in one vertex, or makes a vertex of it.
func (a *assembly) place(n *node) {
	if v, ok := a.chained(n); ok {
		a.places[n], a.tails[v] = v, n
		a.append(v, n)
		return
	}
	v := len(a.graph.Vertices)
	a.places[n] = v
	a.heads, a.tails, a.named = append(a.heads, n), append(a.tails, n), append(a.named, false)
	a.graph.Vertices = append(a.graph.Vertices, jobgraph.Vertex{ID: types.VertexID(n.uid), Parallelism: n.parallelism, SlotSharingGroup: n.group})
	a.append(v, n)
}

// chained returns the vertex at whose end a node can stand: that of the one node it reads, which nobody else does, in equal subtasks.
func (a *assembly) chained(n *node) (int, bool) {
	if len(n.inputs) != 1 || n.source != nil {
		return 0, false
	}
	in := n.inputs[0]
	v, placed := a.places[in.from]
	return v, placed && in.kind == jobgraph.Forward && in.port == 0 && a.alone(in.from, n) && n.parallelism == in.from.parallelism && n.group == in.from.group
}

// alone tells whether a node may be the only one behind another: a sink beside side outputs stands in the vertex too.
func (a *assembly) alone(from, n *node) bool {
	if n.sink == nil {
		return a.consumers[from] == 1
	}
	main := 0
	for _, other := range a.env.nodes {
		for _, in := range other.inputs {
			if in.from == from && in.port == 0 {
				main++
			}
		}
	}
	return main == 1
}

// append adds a node to its vertex, which is called after the first node to which a user gave a uid.
func (a *assembly) append(v int, n *node) {
	x := &a.graph.Vertices[v]
	if n.named && !a.named[v] {
		x.ID, a.named[v] = types.VertexID(n.uid), true
	}
	if n.name != "" {
		if x.Name != "" {
			x.Name += " -> "
		}
		x.Name += n.name
	}
	switch {
	case n.source != nil:
		x.Source = n.source
		x.Source.UID = n.uid
	case n.sink != nil:
		x.Sink = n.sink
		x.Sink.UID = n.uid
	default:
		x.Operators = append(x.Operators, jobgraph.OperatorSpec{UID: n.uid, Name: cmp.Or(n.operator, n.name), Body: n.body})
	}
}

// edges connects the vertices. Rows that stay in their subtask where both have as many are dealt out otherwise.
func (a *assembly) edges() {
	for _, n := range a.env.nodes {
		to := a.places[n]
		if a.heads[to] != n {
			continue
		}
		for i, in := range n.inputs {
			from := a.places[in.from]
			e := jobgraph.Edge{From: a.graph.Vertices[from].ID, Port: in.port, To: a.graph.Vertices[to].ID, Input: i}
			e.Kind, e.Keys = in.kind, in.keys
			if e.Kind == jobgraph.Forward && in.from.parallelism != n.parallelism {
				e.Kind = jobgraph.Rebalance
			}
			a.graph.Edges = append(a.graph.Edges, e)
		}
	}
}

func (a *assembly) functions() functions {
	out := functions{natives: make(map[types.OperatorUID]func() native.Function), calls: make(map[string]any)}
	for _, n := range a.env.nodes {
		if n.make != nil {
			out.natives[n.uid] = n.make
		}
	}
	if a.env.sql != nil {
		for _, f := range a.env.sql.added {
			out.calls[f.spec.Name] = f.impl
		}
	}
	return out
}

// functions implements operators.Functions and operators.Callable.
type functions struct {
	natives map[types.OperatorUID]func() native.Function
	calls   map[string]any // by the names that SQL calls them
}

// Implementation implements operators.Callable.
func (f functions) Implementation(spec *jobgraph.FunctionSpec) any { return f.calls[spec.Name] }

// Native implements operators.Functions.
func (f functions) Native(spec *jobgraph.OperatorSpec) (operators.Operator, error) {
	make, ok := f.natives[spec.UID]
	if !ok {
		return nil, failure.Internalf("the program has no function %s", spec.UID)
	}
	return native.New(spec.Body.(*jobgraph.NativeSpec), make()), nil
}

// Functions are the signatures of what the job's SQL may call beside the engine's own, for jobgraph.ProgramSpec.
func (e *Env) Functions() (out []jobgraph.FunctionSpec) {
	if e.sql == nil {
		return nil
	}
	for _, f := range e.sql.added {
		out = append(out, f.spec)
	}
	return out
}

// Environment returns what the description asked its environment for.
func (e *Env) Environment() map[string]string { return maps.Clone(e.asked) }
