package jobgraph_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	"millrace/types"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// cluster is a Known with the connectors kafka and print; the option "bad" is
// refused everywhere.
type cluster struct{}

func (cluster) Sources() []string { return []string{"kafka", "nexmark"} }
func (cluster) Sinks() []string   { return []string{"blackhole", "kafka", "print"} }
func (cluster) Operators() []jobgraph.OperatorKind {
	return []jobgraph.OperatorKind{jobgraph.KindCalc, jobgraph.KindWindowAggregate, jobgraph.KindLocalAggregate, jobgraph.KindUnion, jobgraph.KindGroupAggregate, jobgraph.KindLocalGroupAggregate, jobgraph.KindWindowAssign, jobgraph.KindOverAggregate, jobgraph.KindExpand, jobgraph.KindJoin, jobgraph.KindIntervalJoin, jobgraph.KindWindowJoin, jobgraph.KindTemporalJoin, jobgraph.KindLookupJoin, jobgraph.KindCorrelate}
}
func (cluster) Functions() *expr.Registry                { return expr.Builtins() }
func (cluster) CheckSource(s *jobgraph.SourceSpec) error { return checkOptions(s.Options) }

func (cluster) Lookups() []string { return []string{"filesystem"} }

func (cluster) CheckLookup(t *jobgraph.LookupTable) error { return checkOptions(t.Options) }

func (cluster) CheckSink(s *jobgraph.SinkSpec, _ *types.Schema) error { return checkOptions(s.Options) }

func checkOptions(given map[string]string) error {
	var p failure.Problems
	if _, bad := given["bad"]; bad {
		p.Addf("", "bad", "unknown option")
	}
	return p.Err()
}

func mainJob(t testing.TB) *jobgraph.Graph {
	t.Helper()
	text, err := os.ReadFile("testdata/bids-per-auction.json")
	if err != nil {
		t.Fatal(err)
	}
	g, err := codec.ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestMainJobIsValid(t *testing.T) {
	if err := jobgraph.Validate(mainJob(t), cluster{}); err != nil {
		t.Fatal(err)
	}
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// problemCases are wrong graphs, each made of the main job by a change.
type problemCase struct {
	name   string
	change func(g *jobgraph.Graph)
}

var problemCases = []problemCase{
	{"names", func(g *jobgraph.Graph) {
		g.Name = ""
		g.Vertices[0].ID, g.Vertices[1].Name = "bids/1", "tab\there"
		g.Vertices[0].Operators[0].UID = g.Vertices[1].Sink.UID
		g.Vertices[1].Operators[0].UID = ""
	}},
	{"columns of tables", func(g *jobgraph.Graph) {
		g.Vertices[0].Source.PrimaryKey, g.Vertices[0].Source.Metadata = []int{0, 40}, []jobgraph.MetadataColumn{{Column: -1}}
		g.Vertices[1].Sink.PrimaryKey, g.Vertices[1].Sink.Metadata = []int{-2}, []jobgraph.MetadataColumn{{Column: 9, Key: "headers"}}
	}},
	{"slot sharing groups", func(g *jobgraph.Graph) {
		g.Vertices[0].SlotSharingGroup, g.Vertices[1].SlotSharingGroup = "the sources", strings.Repeat("x", 101)
	}},
	{"same ids", func(g *jobgraph.Graph) {
		g.Vertices[1].ID, g.Vertices[1].Name = g.Vertices[0].ID, strings.Repeat("x", 101)
	}},
	{"numbers and times", func(g *jobgraph.Graph) {
		g.MaxParallelism, g.Parallelism, g.Vertices[0].Parallelism = 100, 101, -1
		g.Checkpoint = jobgraph.CheckpointSpec{Interval: 1, MinPause: -1, Timeout: 1 << 62, TolerableFailures: -1, Retained: 1 << 20}
		g.Restart = jobgraph.RestartSpec{Strategy: 9, Attempts: -1, Delay: 2e9, MaxDelay: 1e9, Poison: -2}
		g.BufferTimeout, g.WatermarkInterval = -1, -2
	}},
	{"labels", func(g *jobgraph.Graph) {
		g.TaskManagerLabels = map[string]string{"": "a", "zone": "a\tb", "a\nzone": "", "disk": "ssd"}
	}},
	{"many labels", func(g *jobgraph.Graph) {
		g.TaskManagerLabels = make(map[string]string)
		for i := range 21 {
			g.TaskManagerLabels[fmt.Sprintf("label-%d", i)] = ""
		}
	}},
	{"max parallelism", func(g *jobgraph.Graph) { g.MaxParallelism = 40_000 }},
	{"connectors", func(g *jobgraph.Graph) {
		g.Vertices[0].Source.Connector, g.Vertices[1].Sink.Connector = "kafak", "oracle"
	}},
	{"options", func(g *jobgraph.Graph) {
		g.Vertices[0].Source.Options["bad"], g.Vertices[1].Sink.Options["bad"] = "1", "1"
	}},
	{"source schema hides nothing elsewhere", func(g *jobgraph.Graph) {
		g.Vertices[0].Source.Schema = types.NewSchema(types.Field{Name: "a", Type: types.DecimalOf(99, 0)})
		windows(g)[1].Window.Size = 0
		g.Vertices[1].Sink.Connector = "ptint"
	}},
	{"edges", func(g *jobgraph.Graph) {
		g.Edges[0].Input = 1
		g.Edges = append(
			g.Edges,
			jobgraph.Edge{From: "bid", To: "nowhere"},
			jobgraph.Edge{From: "bids", Port: 3, To: "bids-per-auction", Input: 2, Partitioning: jobgraph.Partitioning{Kind: 7, Keys: []int{0}}},
			jobgraph.Edge{From: "bids-per-auction", Port: -1, To: "bids"},
		)
	}},
	{"hash keys", func(g *jobgraph.Graph) { g.Edges[0].Keys = []int{0, 99} }},
	{"hash without keys", func(g *jobgraph.Graph) { g.Edges[0].Keys = nil }},
	{"hash by another column", func(g *jobgraph.Graph) { g.Edges[0].Keys = []int{2} }},
	{"aggregate behind rebalance", func(g *jobgraph.Graph) {
		g.Edges[0].Partitioning = jobgraph.Partitioning{Kind: jobgraph.Rebalance}
	}},
	{"forward between unequal vertices", func(g *jobgraph.Graph) {
		g.Edges[0].Partitioning = jobgraph.Partitioning{Kind: jobgraph.Forward}
		g.Vertices[1].Parallelism = 1
	}},
	{"a cycle", func(g *jobgraph.Graph) {
		loop := jobgraph.Vertex{ID: "loop", Operators: []jobgraph.OperatorSpec{{UID: "loop-union", Body: &jobgraph.UnionSpec{}}}}
		g.Vertices = append(g.Vertices, loop)
		g.Vertices[1].Sink = nil
		rebalance := jobgraph.Partitioning{Kind: jobgraph.Rebalance}
		g.Edges = append(
			g.Edges,
			jobgraph.Edge{From: "bids-per-auction", To: "loop", Partitioning: rebalance},
			jobgraph.Edge{From: "loop", To: "bids-per-auction", Input: 1, Partitioning: rebalance},
			jobgraph.Edge{From: "loop", To: "loop", Input: 1, Partitioning: rebalance},
		)
	}},
	{"dangling vertices", func(g *jobgraph.Graph) {
		g.Vertices = append(g.Vertices, jobgraph.Vertex{ID: "island"})
		g.Vertices[0].Sink = &jobgraph.SinkSpec{UID: "s", Connector: "print"}
		g.Vertices[1].Source = &jobgraph.SourceSpec{UID: "t", Connector: "kafka", Schema: g.Vertices[0].Source.Schema}
	}},
	{"watermark of a number", func(g *jobgraph.Graph) {
		g.Vertices[0].Source.Watermark = &jobgraph.WatermarkSpec{Column: 0, Delay: -1, IdleTimeout: -1}
	}},
	{"window", func(g *jobgraph.Graph) {
		for _, w := range windows(g) {
			w.Keys, w.Time = []int{0, 17}, 0
			w.Window = jobgraph.WindowSpec{Size: 10, Offset: 5}
			w.Aggregates = []jobgraph.AggregateCall{
				{Func: "SUMM", Arg: 2, Name: "a"},
				{Func: "SUM", Arg: 3, Name: "b"},
				{Func: "MAX", Arg: jobgraph.CountStar, Name: "c"},
				{Func: "MIN", Arg: 7, Name: ""},
			}
		}
	}},
	{"window offset", func(g *jobgraph.Graph) {
		for _, w := range windows(g) {
			w.Window.Offset = -w.Window.Size
		}
	}},
	{"names of the output", func(g *jobgraph.Graph) {
		windows(g)[1].Aggregates[1].Name = "window_end"
	}},
	{"partial aggregates differ", func(g *jobgraph.Graph) { windows(g)[1].Window.Size *= 2 }},
	{"partial of another input", func(g *jobgraph.Graph) {
		w := windows(g)[1]
		w.Input = types.NewSchema(slices.Clone(w.Input.Fields)...)
		w.Input.Fields[0].Type = types.Of(types.Int)
	}},
	{"partial without input, with late output", func(g *jobgraph.Graph) {
		windows(g)[1].Input, windows(g)[1].LateOutput = nil, true
	}},
	{"partial without local", func(g *jobgraph.Graph) { g.Vertices[0].Operators = nil }},
	{"dead letters go nowhere", func(g *jobgraph.Graph) { g.Vertices[0].Source.Options["on-error"] = "dead-letter" }},
	{"operators without a description", func(g *jobgraph.Graph) {
		g.Vertices[0].Operators[0].Body = nil
		g.Vertices[1].Operators[0].Body = (*jobgraph.UnionSpec)(nil)
	}},
	{"inputs of unequal schemas, and several of one operator", func(g *jobgraph.Graph) {
		g.Vertices[0].Source.Options["on-error"] = "dead-letter"
		g.Edges = append(g.Edges, jobgraph.Edge{
			From: "bids", Port: jobgraph.DeadLetterPort, To: "bids-per-auction", Input: 1,
			Partitioning: jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{0}},
		})
	}},
	{"joins", joinProblems},
	{"table functions", correlateProblems},
	{"expressions", func(g *jobgraph.Graph) {
		price := &expr.Column{Index: 2, Name: "price", T: types.Of(types.BigInt)}
		g.Vertices[0].Operators = slices.Insert(g.Vertices[0].Operators, 0, jobgraph.OperatorSpec{UID: "calc", Body: &jobgraph.CalcSpec{
			Filter: price,
			Columns: []jobgraph.Projection{
				{Name: "a", Expr: &expr.Column{Index: 12, T: types.Of(types.Int)}},
				{Name: "b", Expr: &expr.Call{Func: "UPER", Args: []expr.Expr{price}, T: types.StringType()}},
				{Name: "a", Expr: nil},
				{Name: "d", Expr: (*expr.Call)(nil)},
				{Name: "e", Expr: &expr.Call{Func: "+", Args: []expr.Expr{price, nil}, T: types.Of(types.BigInt)}},
			},
		}})
	}},
	{"too many operators", func(g *jobgraph.Graph) {
		g.Vertices[0].Operators = slices.Repeat(g.Vertices[0].Operators, 200)
	}},
	{"no vertices", func(g *jobgraph.Graph) { *g = jobgraph.Graph{Name: "empty"} }},
}

// windows returns the local and the final aggregate of the main job.
func windows(g *jobgraph.Graph) []*jobgraph.WindowAggregateSpec {
	local := g.Vertices[0].Operators[0].Body.(*jobgraph.LocalAggregateSpec)
	return []*jobgraph.WindowAggregateSpec{(*jobgraph.WindowAggregateSpec)(local), g.Vertices[1].Operators[0].Body.(*jobgraph.WindowAggregateSpec)}
}

func TestProblems(t *testing.T) { checkProblems(t, "problems.txt", problemCases) }

// checkProblems compares what Validate says of changed main jobs with a page.
func checkProblems(t *testing.T, name string, cases []problemCase) {
	t.Helper()
	var page strings.Builder
	for _, c := range cases {
		g := mainJob(t)
		c.change(g)
		err := jobgraph.Validate(g, cluster{})
		var p *failure.Problems
		if !errors.As(err, &p) {
			t.Errorf("%s: got %v, want problems", c.name, err)
			continue
		}
		fmt.Fprintf(&page, "== %s\n", c.name)
		for _, m := range p.All() {
			fmt.Fprintln(&page, m.Error())
		}
	}
	golden(t, name, page.String())
}

func TestNilGraph(t *testing.T) {
	if err := jobgraph.Validate(nil, cluster{}); failure.ClassOf(err).Domain != failure.DomainUser {
		t.Errorf("got %v, want an error of the user", err)
	}
}

// TestRightGraphs are changes of the main job that leave it valid.
func TestRightGraphs(t *testing.T) {
	hash := func(keys ...int) jobgraph.Partitioning { return jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: keys} }
	raw := func(g *jobgraph.Graph) {
		g.Vertices[0].Operators = nil
		w := g.Vertices[1].Operators[0].Body.(*jobgraph.WindowAggregateSpec)
		w.Partial, w.Input = false, nil
	}
	cases := []struct {
		name   string
		change func(g *jobgraph.Graph)
	}{
		{"one subtask needs no hash", func(g *jobgraph.Graph) {
			g.Parallelism, g.Edges[0].Partitioning = 1, jobgraph.Partitioning{Kind: jobgraph.Forward}
		}},
		{"late rows and dead letters have places to go", func(g *jobgraph.Graph) {
			raw(g)
			g.Vertices[1].Operators[0].Body.(*jobgraph.WindowAggregateSpec).LateOutput = true
			g.Vertices[0].Source.Options["on-error"] = "dead-letter"
			g.Vertices = append(
				g.Vertices,
				jobgraph.Vertex{ID: "late", Sink: &jobgraph.SinkSpec{UID: "late", Connector: "print"}},
				jobgraph.Vertex{ID: "dead", Sink: &jobgraph.SinkSpec{UID: "dead", Connector: "print"}},
			)
			g.Edges = append(
				g.Edges,
				jobgraph.Edge{From: "bids-per-auction", Port: 1, To: "late", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Forward}},
				jobgraph.Edge{From: "bids", Port: jobgraph.DeadLetterPort, To: "dead", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Rebalance}},
			)
		}},
		{"a hash holds through forward, union and projection", func(g *jobgraph.Graph) {
			g.Vertices[0].Operators = nil
			in := g.Vertices[0].Source.Schema
			column := func(i int) jobgraph.Projection {
				return jobgraph.Projection{Name: in.Fields[i].Name, Expr: &expr.Column{Index: i, Name: in.Fields[i].Name, T: in.Fields[i].Type}}
			}
			w := g.Vertices[1].Operators[0].Body.(*jobgraph.WindowAggregateSpec)
			*w = jobgraph.WindowAggregateSpec{Keys: []int{1}, Time: 0, Window: w.Window, Aggregates: w.Aggregates[:1]}
			g.Vertices[1].Operators = slices.Insert(g.Vertices[1].Operators, 0, jobgraph.OperatorSpec{
				UID: "narrow", Body: &jobgraph.CalcSpec{Columns: []jobgraph.Projection{column(5), column(0)}},
			})
			g.Vertices = append(g.Vertices, jobgraph.Vertex{ID: "union", Operators: []jobgraph.OperatorSpec{{UID: "union", Body: &jobgraph.UnionSpec{}}}})
			g.Edges = []jobgraph.Edge{
				{From: "bids", To: "union", Partitioning: hash(0)},
				{From: "bids", To: "union", Input: 1, Partitioning: hash(0)},
				{From: "union", To: "bids-per-auction", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Forward}},
			}
		}},
		{"without pre-aggregation", raw},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := mainJob(t)
			c.change(g)
			if err := jobgraph.Validate(g, cluster{}); err != nil {
				t.Fatal(err)
			}
			if _, err := jobgraph.Derive(g); err != nil {
				t.Fatalf("a valid graph has no schemas: %v", err)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	g := mainJob(t)
	g.Vertices[0].Source.Options["properties.sasl.password"] = "hunter2"
	slices.Reverse(g.Vertices)
	golden(t, "bids-per-auction.explain", jobgraph.Explain(g))

	g = mainJob(t)
	bids := g.Vertices[0].Source.Schema
	price := &expr.Column{Index: 2, Name: "price", T: bids.Fields[2].Type}
	more, err := expr.NewCall(expr.Builtins(), ">", price, expr.BigInt(100))
	if err != nil {
		t.Fatal(err)
	}
	g.Parallelism, g.Checkpoint, g.Restart.Strategy = 2, jobgraph.CheckpointSpec{}, jobgraph.RestartNone
	g.Vertices[0].Source.Options["on-error"] = "dead-letter"
	g.Vertices[0].Operators[0] = jobgraph.OperatorSpec{UID: "dear", Body: &jobgraph.CalcSpec{
		Filter: more, Columns: []jobgraph.Projection{{Name: "price", Expr: price}},
	}}
	g.Vertices[1] = jobgraph.Vertex{ID: "all", Parallelism: 1, SlotSharingGroup: "sinks", Sink: &jobgraph.SinkSpec{UID: "print", Connector: "print"}}
	g.TaskManagerLabels = map[string]string{"zone": "a", "disk": "ssd"}
	g.Vertices = append(g.Vertices, jobgraph.Vertex{ID: "dead", Sink: &jobgraph.SinkSpec{UID: "dead", Connector: "blackhole"}})
	g.Edges = []jobgraph.Edge{
		{From: "bids", To: "all", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Rebalance}},
		{From: "bids", Port: jobgraph.DeadLetterPort, To: "dead", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Forward}},
	}
	if err := jobgraph.Validate(g, cluster{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "dear-bids.explain", jobgraph.Explain(g))
}
