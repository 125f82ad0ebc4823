package query

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"millrace/catalog"
	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sql/physical"
	"millrace/sql/plan"
	"millrace/types"
)

// Fragment is the plan of a text as a part of a job's graph. Whoever has it may change it.
type Fragment struct {
	Vertices []jobgraph.Vertex
	Edges    []jobgraph.Edge
	Taps     []Tap
	// Output is where the rows of a query leave; nil: the text writes tables.
	Output *Output
	// Zone is the time zone of the job's expressions, as jobgraph.Graph has it: the same for all fragments of a planner.
	Zone string
	// Warnings are for whoever runs the program, a sentence each.
	Warnings []string
}

// Tap is an edge to be: from the vertex of a view's stream to an input of the fragment. The partitioning is right where that vertex has the parallelism
// that the view was added with.
type Tap struct {
	View  string
	To    types.VertexID
	Input int
	jobgraph.Partitioning
}

// Output is the end of a query, and what comes there.
type Output struct {
	Vertex types.VertexID
	Port   int
	// Parallelism is that of the vertex; 0 is the job's.
	Parallelism int
	Schema      *types.Schema
	// Changelog is AppendOnly or Retract.
	Changelog catalog.Changelog
	// Key are columns by which rows that follow one another are told apart: changes of one key keep their order where rows are dealt out by them. It is nil where
	// none are known, and has no columns where there is one row at all.
	Key []int
	// Rowtimes are the columns that are event time: by each of them no row is older than the watermarks in front of it, but for late ones.
	Rowtimes []int
}

// outputConnector is that of the sink that stands in a plan for the Output.
const outputConnector = "program-output"

// splicer makes a fragment of a plan.
type splicer struct {
	name   string
	tables *tables
	rows   physical.Rows
	out    *Fragment
	// gone are the vertices that did nothing but read a view, which the map names.
	gone map[types.VertexID]string
	// titles are the names of vertices.
	titles map[string]bool
}

// splice takes the sources that are views and the sink that is the output out of a plan's graph, which it consumes.
func splice(name string, j *physical.Job, t *tables) (*Fragment, error) {
	s := &splicer{
		name: name, tables: t, out: &Fragment{Zone: j.Graph.Zone, Warnings: j.Warnings},
		gone: make(map[types.VertexID]string), titles: make(map[string]bool),
	}
	s.rows, _ = j.Rows()
	for i := range j.Graph.Vertices {
		if err := s.vertex(&j.Graph.Vertices[i]); err != nil {
			return nil, err
		}
	}
	for _, e := range j.Graph.Edges {
		s.edge(e)
	}
	return s.out, nil
}

// id returns what a vertex of the plan is called in the job.
func (s *splicer) id(id types.VertexID) types.VertexID {
	return types.VertexID(s.name + "." + string(id))
}

func (s *splicer) uid(uid types.OperatorUID) types.OperatorUID {
	return types.OperatorUID(s.name + "." + string(uid))
}

// vertex takes a vertex over, unless all that it does is read a view.
func (s *splicer) vertex(v *jobgraph.Vertex) error {
	titles := strings.Split(v.Name, arrow)
	output := v.Sink != nil && v.Sink.Connector == outputConnector
	if output {
		v.Sink = nil
		titles = titles[:len(titles)-1]
	}
	var head []jobgraph.Projection // in front of the operators
	var above types.OperatorUID
	if v.Source != nil && v.Source.Connector == viewConnector {
		view, name, ok := s.tables.named(v.Source)
		if !ok {
			return failure.Internalf("vertex %s reads a view %q", v.ID, v.Source.Options[viewOption])
		}
		head, above = view.head(v.Source.Output()), "view-"+v.Source.UID
		v.Source = nil
		if head == nil && len(v.Operators) == 0 && v.Sink == nil && !output {
			s.gone[v.ID] = name
			return nil
		}
		s.out.Taps = append(s.out.Taps, Tap{View: name, To: s.id(v.ID)})
		titles[0] = "View: " + name
	}
	if output && head == nil && v.Source == nil && len(v.Operators) == 0 {
		head, above = passing(s.rows.Schema), "output"
	}
	if head != nil && !headed(v, head) {
		v.Operators = slices.Insert(v.Operators, 0, jobgraph.OperatorSpec{UID: above, Name: "Calc", Body: &jobgraph.CalcSpec{Columns: head}})
		titles = slices.Insert(titles, min(1, len(titles)), "Calc")
	}
	s.take(v, titles)
	if output {
		s.out.Output = &Output{
			Vertex: v.ID, Parallelism: v.Parallelism, Schema: s.rows.Schema, Changelog: s.rows.Changelog, Key: s.rows.Key, Rowtimes: s.rows.Times,
		}
	}
	return nil
}

// headed has a calc that is a vertex' first operator compute of the columns in front of others what it computed of these.
func headed(v *jobgraph.Vertex, head []jobgraph.Projection) bool {
	if len(v.Operators) == 0 {
		return false
	}
	calc, ok := v.Operators[0].Body.(*jobgraph.CalcSpec)
	if !ok {
		return false
	}
	of := func(c *expr.Column) expr.Expr { return head[c.Index].Expr }
	next := &jobgraph.CalcSpec{Columns: slices.Clone(calc.Columns)}
	if calc.Filter != nil {
		next.Filter = plan.Substitute(calc.Filter, of)
	}
	for i := range next.Columns {
		next.Columns[i].Expr = plan.Substitute(next.Columns[i].Expr, of)
	}
	v.Operators[0].Body = next
	return true
}

// arrow stands between what a vertex does in the vertex's name.
const arrow = " -> "

// take puts a vertex into the fragment, under names that other fragments do not have.
func (s *splicer) take(v *jobgraph.Vertex, titles []string) {
	v.ID, v.Name = s.id(v.ID), s.title(s.name+": "+strings.Join(titles, arrow))
	if v.Source != nil {
		v.Source.UID = s.uid(v.Source.UID)
	}
	for i := range v.Operators {
		v.Operators[i].UID = s.uid(v.Operators[i].UID)
	}
	if v.Sink != nil {
		v.Sink.UID = s.uid(v.Sink.UID)
	}
	s.out.Vertices = append(s.out.Vertices, *v)
}

// title returns a name that no vertex has yet and that is not too long.
func (s *splicer) title(text string) string {
	out := cut(text, jobgraph.NameBytesMax)
	for n := 2; s.titles[out]; n++ {
		number := fmt.Sprintf(" (%d)", n)
		out = cut(text, jobgraph.NameBytesMax-len(number)) + number
	}
	s.titles[out] = true
	return out
}

// cut returns what fits into so many bytes, of whole characters.
func cut(text string, most int) string {
	for len(text) > most {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

// edge takes an edge over; one from a view is a tap.
func (s *splicer) edge(e jobgraph.Edge) {
	to := s.id(e.To)
	if view, ok := s.gone[e.From]; ok {
		s.out.Taps = append(s.out.Taps, Tap{View: view, To: to, Input: e.Input, Partitioning: e.Partitioning})
		return
	}
	e.From, e.To = s.id(e.From), to
	s.out.Edges = append(s.out.Edges, e)
}

// passing gives all columns as they are.
func passing(of *types.Schema) []jobgraph.Projection {
	out := make([]jobgraph.Projection, of.Len())
	for i, f := range of.Fields {
		out[i] = jobgraph.Projection{Name: f.Name, Expr: &expr.Column{Index: i, Name: f.Name, T: f.Type}}
	}
	return out
}
