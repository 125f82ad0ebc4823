package query_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/cmd/cluster"
	"millrace/cmd/command/script"
	"millrace/connectors/collect"
	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	"millrace/operators"
	"millrace/sdk/query"
	"millrace/sql/physical"
	"millrace/sql/session"
	"millrace/stream"
	"millrace/tests/sqltest"
	"millrace/types"
)

// world is a cluster with a planner over its wiring, and the vertices that the planner's views are of.
type world struct {
	*sqltest.Cluster
	*query.Planner
	graph   *jobgraph.Graph
	streams map[string]end
	program *program
}

// program has the jobs of a test, and their functions.
type program struct {
	functions []expr.Signature
	mu        struct {
		sync.Mutex
		jobs []*jobgraph.Graph
	}
}

func (*program) Build() string   { return strings.Repeat("ab", jobgraph.BuildBytes) }
func (*program) Name() string    { return "test" }
func (*program) Version() string { return "1" }

// Describe returns the job whose number is its argument.
func (p *program) Describe(args []string, _ map[string]string) (*jobgraph.Graph, operators.Functions, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, nil, err
	}
	return p.mu.jobs[n], p, nil
}

// Native implements operators.Functions.
func (*program) Native(spec *jobgraph.OperatorSpec) (operators.Operator, error) {
	return nil, fmt.Errorf("no operator %s", spec.UID)
}

// Implementation implements operators.Callable.
func (p *program) Implementation(f *jobgraph.FunctionSpec) any {
	for _, s := range p.functions {
		if s.Name == f.Name {
			return s.Impl
		}
	}
	return nil
}

// own makes a job one of the program.
func (p *program) own(t *testing.T, g *jobgraph.Graph) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	spec := &jobgraph.ProgramSpec{Name: p.Name(), Version: p.Version(), Build: p.Build(), Args: []string{strconv.Itoa(len(p.mu.jobs))}}
	for _, s := range p.functions {
		spec.Functions = append(spec.Functions, specOf(s.Declared))
	}
	g.Program = spec
	digest, err := codec.Digest(g)
	if err != nil {
		t.Fatal(err)
	}
	spec.Digest = digest
	p.mu.jobs = append(p.mu.jobs, g)
}

func specOf(d *expr.Declared) jobgraph.FunctionSpec {
	kinds := map[expr.FuncKind]jobgraph.FunctionKind{
		expr.ScalarFunc: jobgraph.ScalarFunction, expr.AggregateFunc: jobgraph.AggregateFunction, expr.TableFunc: jobgraph.TableFunction,
	}
	f := jobgraph.FunctionSpec{
		Name: d.Name, Kind: kinds[d.Kind], Args: d.Args, Result: d.Result, Deterministic: !d.Varies,
		Accumulator: d.Accumulator, Retracts: d.Retracts, Merges: d.Merges,
	}
	if f.Kind == jobgraph.TableFunction {
		f.Result, f.Columns = types.Type{}, d.Result.Fields
	}
	return f
}

// end is where a stream leaves a vertex.
type end struct {
	vertex      types.VertexID
	parallelism int
}

func newWorld(t *testing.T, functions ...expr.Signature) *world {
	t.Helper()
	w := cluster.NewWiring(nil)
	p := &program{functions: functions}
	c, err := sqltest.Start(t.Context(), cluster.Options{Wiring: w, Slots: 2, Program: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	c.Ready(t)
	return (&world{Cluster: c, program: p}).again(t)
}

// again begins another job on the cluster.
func (w *world) again(t *testing.T) *world {
	t.Helper()
	known, err := w.Wiring.Functions.With(w.program.functions...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := query.New(query.Config{Connectors: w.Wiring.Catalog(), Functions: known, Options: map[string]string{
		"parallelism.default": "2", "restart-strategy.type": "none",
	}})
	if err != nil {
		t.Fatal(err)
	}
	out := &world{Cluster: w.Cluster, program: w.program, Planner: p, streams: make(map[string]end), graph: p.Graph()}
	out.graph.Name = "job"
	return out
}

// source adds a source of constant rows, a view of them, and watermarks by the column that is its Rowtime.
func (w *world) source(t *testing.T, name string, v query.View, rows ...[]any) {
	t.Helper()
	literals := make([][]*expr.Literal, len(rows))
	for i, row := range rows {
		for k, value := range row {
			literals[i] = append(literals[i], &expr.Literal{T: v.Schema.Fields[k].Type, Value: value})
		}
	}
	options, err := jobgraph.EncodeValues(literals)
	if err != nil {
		t.Fatal(err)
	}
	s := &jobgraph.SourceSpec{UID: types.OperatorUID(name), Connector: "values", Options: options, Schema: v.Schema}
	if v.Rowtime != query.NoColumn {
		s.Watermark = &jobgraph.WatermarkSpec{Column: v.Rowtime}
	}
	w.graph.Vertices = append(w.graph.Vertices, jobgraph.Vertex{ID: types.VertexID(name), Name: name, Parallelism: v.Parallelism, Source: s})
	w.view(t, name, v, end{types.VertexID(name), v.Parallelism})
}

func (w *world) view(t *testing.T, name string, v query.View, of end) {
	t.Helper()
	w.streams[name] = of
	if err := w.AddView(name, v); err != nil {
		t.Fatal(err)
	}
}

// add puts a fragment into the job.
func (w *world) add(t *testing.T, f *query.Fragment, err error) *query.Output {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	w.graph.Vertices, w.graph.Edges = append(w.graph.Vertices, f.Vertices...), append(w.graph.Edges, f.Edges...)
	for _, tap := range f.Taps {
		w.graph.Edges = append(w.graph.Edges, jobgraph.Edge{From: w.streams[tap.View].vertex, To: tap.To, Input: tap.Input, Partitioning: tap.Partitioning})
	}
	return f.Output
}

// query puts a query into the job, of which another may read the rows as a view of the query's name.
func (w *world) query(t *testing.T, name, text string) *query.Output {
	t.Helper()
	f, err := w.Query(name, text)
	o := w.add(t, f, err)
	v := query.View{Schema: o.Schema, Rowtime: query.NoColumn, Changelog: o.Changelog, PrimaryKey: o.Key, Bounded: true, Parallelism: o.Parallelism}
	if len(o.Rowtimes) > 0 {
		v.Rowtime = o.Rowtimes[0]
	}
	w.view(t, name, v, end{o.Vertex, o.Parallelism})
	return o
}

// rows runs the job and returns what an output comes to, sorted.
func (w *world) rows(t *testing.T, o *query.Output) []string {
	t.Helper()
	out, err := w.run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// settled returns the job with what options say that were set since it was begun.
func settled(w *world) *jobgraph.Graph {
	g := w.Graph()
	g.Name, g.Vertices, g.Edges = w.graph.Name, w.graph.Vertices, w.graph.Edges
	return g
}

// run is rows, for a job that may fail.
func (w *world) run(t *testing.T, o *query.Output) ([]string, error) {
	t.Helper()
	return w.runWith(t, o, func(*sqltest.Query) {})
}

// runWith is run, with what is done while the job runs.
func (w *world) runWith(t *testing.T, o *query.Output, meanwhile func(*sqltest.Query)) ([]string, error) {
	t.Helper()
	w.graph.Vertices = append(w.graph.Vertices, jobgraph.Vertex{ID: "out", Name: "out", Parallelism: o.Parallelism, Sink: &jobgraph.SinkSpec{UID: "out", Connector: collect.Name}})
	w.graph.Edges = append(w.graph.Edges, jobgraph.Edge{From: o.Vertex, Port: o.Port, To: "out"})
	texts, err := script.NewTexts(o.Schema, w.Wiring.Functions, kernel.Session{})
	if err != nil {
		t.Fatal(err)
	}
	if len(w.program.functions) > 0 {
		w.program.own(t, w.graph)
	}
	count := make(map[string]int)
	q := w.Begin(t, &session.Job{Job: &physical.Job{Graph: w.graph}, Query: o.Schema}, func(b *stream.Batch) error {
		return texts.Each(b, func(kind stream.RowKind, cells []*string) error {
			row := make([]string, len(cells))
			for i, c := range cells {
				if row[i] = "NULL"; c != nil {
					row[i] = *c
				}
			}
			if kind.Retracts() {
				count[strings.Join(row, " ")]--
			} else {
				count[strings.Join(row, " ")]++
			}
			return nil
		})
	})
	defer q.Drop()
	meanwhile(q)
	if err := q.End(t); err != nil {
		return nil, err
	}
	var out []string
	for row, n := range count {
		if n < 0 {
			t.Errorf("the row %s was taken back %d times more than it came", row, -n)
		}
		out = append(out, slices.Repeat([]string{row}, max(0, n))...)
	}
	slices.Sort(out)
	return out, nil
}

// bidRows are bids: the third digit of a bidder says when it came.
func bidRows() (out [][]any) {
	for i := range int64(40) {
		out = append(out, []any{i % 4, i % 8, 100 + i, string(rune('a' + i%3)), i * 1000})
	}
	return out
}

// TestQueriesOverStreams: streams of the program are joined, windowed and grouped, and a query reads the changes of another, which it takes back.
func TestQueriesOverStreams(t *testing.T) {
	world := newWorld(t)
	bids := query.View{Schema: schemas["bids"], Rowtime: 4, Bounded: true, Parallelism: 1}
	people := query.View{Schema: schemas["people"], Rowtime: query.NoColumn, Bounded: true}
	for _, c := range []struct {
		name, first, text string
		want              []string
	}{
		{"filter", "", "SELECT * FROM bids WHERE price > 138", []string{"3 7 139 a 1970-01-01 00:00:39.000"}},
		{"some columns", "", "SELECT price - 100 AS above, channel FROM bids WHERE auction = 1 AND price < 110", []string{"1 b", "5 c", "9 a"}},
		{"join", "", "SELECT name, MAX(price) AS top FROM bids JOIN people ON bidder = id GROUP BY name", []string{"ann 133", "bob 134", "cid 135"}},
		{
			"window", "", `SELECT auction, COUNT(*) AS n, window_end FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(moment), INTERVAL '20' SECOND))
				WHERE auction < 2 GROUP BY auction, window_start, window_end`,
			[]string{"0 5 1970-01-01 00:00:20.000", "0 5 1970-01-01 00:00:40.000", "1 5 1970-01-01 00:00:20.000", "1 5 1970-01-01 00:00:40.000"},
		},
		{"changes", "SELECT channel, COUNT(*) AS n FROM bids GROUP BY channel", "SELECT n, COUNT(*) AS channels FROM counts GROUP BY n", []string{"13 2", "14 1"}},
		{"event time of a query", "SELECT moment, auction FROM bids WHERE bidder = 7", `SELECT COUNT(*) AS n, window_start
			FROM TABLE(TUMBLE(TABLE counts, DESCRIPTOR(moment), INTERVAL '20' SECOND)) GROUP BY window_start, window_end`, []string{"2 1970-01-01 00:00:00.000", "3 1970-01-01 00:00:20.000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world.again(t)
			w.source(t, "bids", bids, bidRows()...)
			if strings.Contains(c.text, "people") {
				w.source(t, "people", people, []any{int64(1), "ann", nil}, []any{int64(2), "bob", nil}, []any{int64(3), "cid", int64(0)})
			}
			if c.first != "" {
				w.query(t, "counts", c.first)
			}
			got := w.rows(t, w.query(t, "second", c.text))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}
