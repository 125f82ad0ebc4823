package sdk

import (
	"fmt"
	"slices"

	"millrace/catalog"
	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sdk/query"
	"millrace/sdk/rows"
	"millrace/types"
)

// sql is what a job has of SQL, once it has any.
type sql struct {
	planner   *query.Planner
	functions *expr.Registry // those of the engine, and those that were added
	added     []function
	views     map[string]viewed
	scripts   int
	warnings  []string
}

// viewed is a stream that SQL reads.
type viewed struct {
	node *node
	port int
}

// language returns what the job has of SQL; nil notes why it can't.
func (e *Env) language() *sql {
	if e.sql != nil {
		return e.sql
	}
	w := e.own.wiring()
	functions, err := w.Functions.With()
	if err == nil {
		given := make(map[string]string)
		if e.job.Zone != "" {
			given["table.local-time-zone"] = e.job.Zone
		}
		var p *query.Planner
		if p, err = query.New(query.Config{Connectors: w.Catalog(), Functions: functions, Options: given}); err == nil {
			e.sql = &sql{planner: p, functions: functions, views: make(map[string]viewed)}
			return e.sql
		}
	}
	e.problem(failure.Message{Primary: err.Error()})
	return nil
}

// Execute carries out SQL statements that neither read nor write rows: CREATE TABLE, CREATE VIEW, SET and their like. Queries of the job see what they define. What SET says of the
// whole job applies where Configure says nothing.
func (e *Env) Execute(text string) {
	l := e.language()
	if l == nil {
		return
	}
	warnings, err := l.planner.Execute(text)
	e.told(warnings, err)
}

// Insert makes an INSERT, or a statement set, a part of the job. State is found by the uid, as everywhere.
func (e *Env) Insert(uid, text string) {
	l := e.language()
	if l == nil {
		return
	}
	f, err := l.planner.Insert(uid, text)
	if e.told(nil, err) {
		e.attach(f)
	}
}

// SQL carries out a script: its INSERTs are parts of the job, whose uids are sql-1, sql-2 and so on in the order in which they stand in the program. Use Insert
// to give a uid that stays the same when others are put in front.
func (e *Env) SQL(text string) {
	l := e.language()
	if l == nil {
		return
	}
	fragments, warnings, err := l.planner.Script(text, func() string {
		l.scripts++
		return fmt.Sprintf("sql-%d", l.scripts)
	})
	e.told(warnings, err)
	for _, f := range fragments {
		e.attach(f)
	}
}

// told notes what is wrong with a text, and what is to be said of it.
func (e *Env) told(warnings []string, err error) (fine bool) {
	e.sql.warnings = append(e.sql.warnings, warnings...)
	if err == nil {
		return true
	}
	e.problem(failure.Message{Primary: err.Error()})
	for _, v := range e.sql.views { // that nobody reads them is no news
		v.node.meant = true
	}
	return false
}

// Warnings are what planning the job's SQL has to say to whoever runs it, a sentence each: options without effect, state that is kept for ever.
func (e *Env) Warnings() []string {
	if e.sql == nil {
		return nil
	}
	return slices.Clone(e.sql.warnings)
}

// Readable is a stream that SQL can read: a Stream or Keyed of any type.
type Readable interface {
	readable() (s view, ok bool)
}

// view is a stream as SQL sees it.
type view struct {
	viewed
	env *Env
	of  query.View
}

func (s *Stream[T]) readable() (view, bool) {
	if !s.ok() {
		return view{env: s.env}, false
	}
	p := s.plain()
	v := query.View{Schema: p.schema, Rowtime: query.NoColumn, Parallelism: p.node.parallelism}
	if p.mapping.Rowtime != rows.NoRowtime {
		v.Rowtime = p.column(p.mapping.Rowtime)
	}
	if p.changes {
		v.Changelog = catalog.Retract
	}
	return view{viewed{p.node, p.port}, p.env, v}, true
}

// View has SQL read a stream as a table, whose columns are those of the stream's type: a temporary table of the default database. A rowtime is event time there too.
func (e *Env) View(name string, s Readable) {
	v, ok := s.readable()
	l := e.language()
	if !ok || l == nil {
		return
	}
	if v.env != e {
		e.Problemf("the view %s is of a stream of another job", name)
		return
	}
	if err := l.planner.AddView(name, v.of); err != nil {
		v.node.meant = true
		e.problem(failure.Message{Primary: err.Error()})
		return
	}
	l.views[name] = v.viewed
}

// Query plans a query over the job's views and tables, and returns its rows. The columns of T are found among those of the query by their names; the query may have others. Where
// the query gives updates, the stream has them. State is found by the uid, as everywhere. A uid of SQL has at most 40 letters, digits, _ and -.
func Query[T any](e *Env, uid, text string) *Stream[T] {
	m, l := mappingOf[T](e), e.language()
	if m == nil || l == nil {
		return broken[T](e)
	}
	f, err := l.planner.Query(uid, text)
	if !e.told(nil, err) {
		return broken[T](e)
	}
	n := e.attach(f)
	o := f.Output
	over, at, err := m.Over(o.Schema)
	if err != nil {
		n.meant = true
		e.problem(failure.Message{Primary: fmt.Sprintf("the query %s: %s", uid, err), Hint: fmt.Sprintf("the query gives %s", o.Schema)})
		return broken[T](e)
	}
	if over.Rowtime != rows.NoRowtime && !slices.Contains(o.Rowtimes, at[over.Rowtime]) {
		n.meant = true
		e.problem(failure.Message{
			Primary: fmt.Sprintf("the rowtime of %s is column %s, which is no event time in the query %s", m.Go, over.Schema.Fields[over.Rowtime].Name, uid),
			Hint:    "hand the event time of a view or table through, or take window_time of a window; or leave the tag out",
		})
		return broken[T](e)
	}
	if slices.Equal(at, counted(o.Schema.Len())) { // as they are
		at = nil
	}
	return &Stream[T]{env: e, node: n, mapping: over, at: at, schema: o.Schema, changes: o.Changelog != catalog.AppendOnly}
}

// counted returns 0, 1, ... n-1.
func counted(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// attach puts a part of a plan into the job, and returns the operator at its output; nil where it has none.
func (e *Env) attach(f *query.Fragment) *node {
	e.sql.warnings = append(e.sql.warnings, f.Warnings...)
	ends := make(map[types.VertexID]*node) // the last node of each vertex
	for i := range f.Vertices {
		v := &f.Vertices[i]
		ends[v.ID] = e.attachVertex(v, e.inputsOf(f, v.ID, ends))
	}
	if f.Output == nil {
		return nil
	}
	return ends[f.Output.Vertex]
}

// inputsOf returns the edges into a vertex, in order. Those from which they come are there already.
func (e *Env) inputsOf(f *query.Fragment, to types.VertexID, ends map[types.VertexID]*node) []input {
	var out []input
	put := func(at int, in input) {
		for len(out) <= at {
			out = append(out, input{})
		}
		out[at] = in
	}
	for _, x := range f.Edges {
		if x.To == to {
			put(x.Input, input{from: ends[x.From], port: x.Port, kind: x.Kind, keys: x.Keys})
		}
	}
	for _, t := range f.Taps {
		if t.To == to {
			v := e.sql.views[t.View]
			put(t.Input, input{from: v.node, port: v.port, kind: t.Kind, keys: t.Keys})
		}
	}
	return out
}

// attachVertex makes nodes of the source, the operators and the sink of a vertex, and returns the last.
func (e *Env) attachVertex(v *jobgraph.Vertex, inputs []input) (last *node) {
	add := func(uid types.OperatorUID, set func(n *node)) {
		if last != nil {
			inputs = []input{{from: last}}
		}
		name := ""
		if last == nil {
			name = v.Name
		}
		last = e.add("query", []Option{UID(string(uid)), Name(name), Parallelism(v.Parallelism), set}, inputs...)
	}
	if v.Source != nil {
		add(v.Source.UID, func(n *node) { n.source = v.Source })
	}
	for i := range v.Operators {
		add(v.Operators[i].UID, func(n *node) { n.body, n.operator = v.Operators[i].Body, v.Operators[i].Name })
	}
	if v.Sink != nil {
		add(v.Sink.UID, func(n *node) { n.sink = v.Sink })
	}
	return last
}
