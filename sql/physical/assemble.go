package physical

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"millrace/jobgraph"
	"millrace/sql/plan"
	"millrace/types"
)

// assembly puts steps into vertices: a step stands in the vertex of its input where nobody else reads that and its rows need not be
// dealt out anew.
type assembly struct {
	*planner
	graph   *jobgraph.Graph
	places  map[*step][]int // the vertices at whose ends a step's rows come out: several of a union that nobody needed yet
	readers map[*step]int
	names   map[string]bool
}

func (a *assembly) all(steps []*step) {
	for _, s := range steps {
		for _, in := range s.inputs {
			a.readers[in]++
		}
	}
	for i, s := range steps {
		a.places[s] = a.put(s, steps[i+1:])
	}
	a.nameAll(steps)
}

func (a *assembly) put(s *step, later []*step) []int {
	switch o := s.operator.(type) {
	case *source:
		v := a.vertex(s, o.parallelism)
		spec := o.spec
		a.graph.Vertices[v].Source = &spec
		return []int{v}
	case union:
		if a.mergesLater(s, later) {
			return a.flat(s)
		}
		return []int{a.merged(s.inputs, a.flat(s), s, anywhere)}
	}
	v := a.home(s)
	vertex := &a.graph.Vertices[v]
	if k, ok := s.operator.(*sink); ok {
		spec := k.spec
		vertex.Sink = &spec
		return nil
	}
	vertex.Operators = append(vertex.Operators, jobgraph.OperatorSpec{UID: s.uid, Name: s.title(), Body: s.body(s)})
	return []int{v}
}

// flat are the vertices of all inputs.
func (a *assembly) flat(s *step) (out []int) {
	for _, in := range s.inputs {
		out = append(out, a.places[in]...)
	}
	return out
}

// mergesLater tells whether whoever reads a union has one input: then rows are merged there, behind one exchange and not two.
func (a *assembly) mergesLater(s *step, later []*step) bool {
	if a.readers[s] != 1 {
		return false
	}
	i := slices.IndexFunc(later, func(r *step) bool { return slices.Contains(r.inputs, s) })
	_, again := later[i].operator.(union)
	return len(later[i].inputs) == 1 || again
}

// home returns the vertex in which a step stands, with the edges into it.
func (a *assembly) home(s *step) int {
	if len(s.inputs) == 1 {
		in := s.inputs[0]
		want := a.wanted(s, 0)
		if places := a.places[in]; len(places) > 1 {
			return a.merged(a.members(in), places, s, want)
		}
		if v := a.places[in][0]; a.readers[in] == 1 && in.dealt.serves(want) && a.fits(v, s) {
			return v
		}
	}
	v := a.vertex(s, a.parallelism(s))
	for i, in := range s.inputs {
		from := a.places[in]
		if len(from) > 1 {
			from = []int{a.merged(a.members(in), from, in, anywhere)}
		}
		a.edge(in, from[0], v, i, a.wanted(s, i))
	}
	return v
}

// members are the steps that a union merges, unions within it included.
func (a *assembly) members(s *step) (out []*step) {
	for _, in := range s.inputs {
		if _, again := in.operator.(union); again && len(a.places[in]) > 1 {
			out = append(out, a.members(in)...)
		} else {
			out = append(out, in)
		}
	}
	return out
}

// wanted is the spread that a step needs of an input: a sink with a parallelism of its own keeps the order of changes.
func (a *assembly) wanted(s *step, input int) spread {
	k, ok := s.operator.(*sink)
	if !ok || k.parallelism == 0 || s.inputs[0].appends() {
		return s.spread(s, input)
	}
	if len(k.key) > 0 {
		return by(k.key)
	}
	return by(plan.Counted(s.inputs[0].out.Len()))
}

// parallelism is that of a new vertex: 1 where all rows meet, the job's where they are dealt out by keys, and otherwise that of what
// comes.
func (a *assembly) parallelism(s *step) int {
	if k, ok := s.operator.(*sink); ok && k.parallelism > 0 {
		return k.parallelism
	}
	want := a.wanted(s, 0)
	switch {
	case want.single:
		return 1
	case len(want.keys) > 0:
		return 0
	}
	from := a.places[s.inputs[0]]
	n := a.graph.Vertices[from[0]].Parallelism
	for _, v := range from {
		if a.graph.Vertices[v].Parallelism != n {
			return 0
		}
	}
	return n
}

// fits tells whether a step may stand in a vertex.
func (a *assembly) fits(v int, s *step) bool {
	x := &a.graph.Vertices[v]
	if k, ok := s.operator.(*sink); ok && k.parallelism > 0 && k.parallelism != x.Parallelism {
		return false
	}
	return len(x.Operators) < jobgraph.OperatorsMax
}

// merged makes a vertex that begins with a union of several.
func (a *assembly) merged(members []*step, from []int, s *step, want spread) int {
	v := a.vertex(s, a.unionParallelism(s, from, want))
	uid := s.uid
	if _, is := s.operator.(union); !is {
		uid = "union-" + s.uid
	}
	a.graph.Vertices[v].Operators = append(a.graph.Vertices[v].Operators, jobgraph.OperatorSpec{UID: uid, Name: "Union", Body: &jobgraph.UnionSpec{}})
	for i, m := range members {
		a.edge(m, from[i], v, i, want)
	}
	return v
}

func (a *assembly) unionParallelism(s *step, from []int, want spread) int {
	switch {
	case want.single:
		return 1
	case len(want.keys) > 0:
		return 0
	}
	n := a.graph.Vertices[from[0]].Parallelism
	for _, v := range from {
		if a.graph.Vertices[v].Parallelism != n {
			return 0
		}
	}
	return n
}

// edge leads the rows of a step from the vertex at whose end they come out to an input of another.
func (a *assembly) edge(in *step, from, to, input int, want spread) {
	e := jobgraph.Edge{From: a.graph.Vertices[from].ID, To: a.graph.Vertices[to].ID, Input: input}
	same := a.graph.Vertices[from].Parallelism == a.graph.Vertices[to].Parallelism
	switch {
	case same && in.dealt.serves(want):
		e.Kind = jobgraph.Forward
	case len(want.keys) > 0:
		e.Kind, e.Keys = jobgraph.Hash, want.keys
	case a.graph.Vertices[to].Parallelism == 1 || in.appends():
		e.Kind = jobgraph.Rebalance
	case len(in.upsert) > 0 && len(in.upsert[0]) > 0: // the changes of a row stay in order
		e.Kind, e.Keys = jobgraph.Hash, in.upsert[0]
	default:
		e.Kind, e.Keys = jobgraph.Hash, plan.Counted(in.out.Len())
	}
	a.graph.Edges = append(a.graph.Edges, e)
}

// vertex makes a vertex that begins with a step.
func (a *assembly) vertex(s *step, parallelism int) int {
	a.graph.Vertices = append(a.graph.Vertices, jobgraph.Vertex{ID: types.VertexID("v-" + string(s.uid)), Parallelism: parallelism})
	return len(a.graph.Vertices) - 1
}

// nameAll names vertices by what is in them, as Flink does, and the job by what it writes.
func (a *assembly) nameAll(steps []*step) {
	var tables []string
	byUID := make(map[types.OperatorUID]*step)
	for _, s := range steps {
		byUID[s.uid] = s
	}
	for i := range a.graph.Vertices {
		v := &a.graph.Vertices[i]
		var parts []string
		if v.Source != nil {
			parts = append(parts, "Source: "+tableOf(byUID[v.Source.UID], string(v.Source.UID)))
		}
		for _, o := range v.Operators {
			parts = append(parts, o.Name)
		}
		if v.Sink != nil {
			name := tableOf(byUID[v.Sink.UID], string(v.Sink.UID))
			tables = append(tables, name)
			parts = append(parts, "Sink: "+name)
		}
		v.Name = a.name(strings.Join(parts, " -> "))
	}
	switch {
	case a.graph.Name != "":
	case slices.Equal(tables, []string{collectName}):
		a.graph.Name = collectName
	default:
		a.graph.Name = cut(printable("insert-into_"+strings.Join(tables, ",")), jobgraph.NameBytesMax)
	}
}

func tableOf(s *step, otherwise string) string {
	if s == nil {
		return otherwise
	}
	switch o := s.operator.(type) {
	case *source:
		return o.path.Name
	case *sink:
		return o.name[strings.LastIndexByte(o.name, '.')+1:]
	default:
		return otherwise
	}
}

// name returns a name that no vertex has yet.
func (a *assembly) name(text string) string {
	text = printable(text)
	out := cut(text, jobgraph.NameBytesMax)
	for n := 2; a.names[out]; n++ {
		number := fmt.Sprintf(" (%d)", n)
		out = cut(text, jobgraph.NameBytesMax-len(number)) + number
	}
	a.names[out] = true
	return out
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, text)
}

// cut returns what fits into so many bytes, of whole characters.
func cut(text string, most int) string {
	for len(text) > most {
		runes := []rune(text)
		text = string(runes[:len(runes)-1])
	}
	return text
}
