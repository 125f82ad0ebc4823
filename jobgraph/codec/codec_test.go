package codec_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	jobv1 "millrace/proto/millrace/job/v1"
	"millrace/types"
)

// sameGraph compares graphs but for nil and empty, and NaN with NaN.
var sameGraph = []cmp.Option{cmpopts.EquateEmpty(), cmpopts.EquateNaNs()}

// overTheWire sends a graph through bytes and back.
func overTheWire(t testing.TB, g *jobgraph.Graph) *jobgraph.Graph {
	t.Helper()
	m := asProto(t, g)
	bytes, err := proto.Marshal(m)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	var back jobv1.JobGraph
	if err := proto.Unmarshal(bytes, &back); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	out, err := codec.FromProto(&back)
	if err != nil {
		t.Fatalf("from proto: %v", err)
	}
	return out
}

func TestGraphsSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := drawGraph(rt)
		if diff := cmp.Diff(g, overTheWire(t, g), sameGraph...); diff != "" {
			rt.Fatalf("the graph changed (-before +after):\n%s", diff)
		}
	})
}

func TestUnspecifiedEnums(t *testing.T) {
	g, err := codec.FromProto(&jobv1.JobGraph{Name: "x", Restart: &jobv1.RestartSpec{Attempts: 3}})
	if err != nil {
		t.Fatal(err)
	}
	if g.Restart.Strategy != jobgraph.RestartExponentialDelay || g.Restart.Attempts != 3 {
		t.Errorf("restart is %+v, want exponential delay", g.Restart)
	}
}

func nested(depth int) *jobv1.Expression {
	bigint := &jobv1.Type{Kind: jobv1.TypeKind_TYPE_KIND_BIGINT}
	e := &jobv1.Expression{Type: bigint, Node: &jobv1.Expression_Column{Column: &jobv1.Column{}}}
	for range depth - 1 {
		e = &jobv1.Expression{Type: bigint, Node: &jobv1.Expression_Call{Call: &jobv1.Call{Func: "NEG", Args: []*jobv1.Expression{e}}}}
	}
	return e
}

func filtered(e *jobv1.Expression) *jobv1.JobGraph {
	return &jobv1.JobGraph{Vertices: []*jobv1.Vertex{{Id: "v", Operators: []*jobv1.OperatorSpec{
		{Uid: "o", Body: &jobv1.OperatorSpec_Calc{Calc: &jobv1.CalcSpec{Filter: e}}},
	}}}}
}

// asProto is ToProto of a graph that a message can carry.
func asProto(t testing.TB, g *jobgraph.Graph) *jobv1.JobGraph {
	t.Helper()
	m, err := codec.ToProto(g)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wide(args, each int) *jobv1.Expression {
	bigint := &jobv1.Type{Kind: jobv1.TypeKind_TYPE_KIND_BIGINT}
	call := &jobv1.Call{Func: "COALESCE"}
	for range args {
		call.Args = append(call.Args, nested(each))
	}
	return &jobv1.Expression{Type: bigint, Node: &jobv1.Expression_Call{Call: call}}
}

func TestLimitsOfExpressions(t *testing.T) {
	cases := []struct {
		name string
		e    *jobv1.Expression
		want string // part of the only problem; empty: none
	}{
		{"as deep as may be", nested(codec.ExprDepthMax), ""},
		{"deeper", nested(codec.ExprDepthMax + 1), "deeper than 1000"},
		{"far deeper", nested(100_000), "deeper than 1000"},
		{"many nodes", wide(999, 50), ""},
		{"more nodes", wide(1000, 50), "more than 50000 nodes"},
		{"many more", wide(1000, 500), "more than 50000 nodes"},
		{"too many arguments", wide(1001, 1), "1001 arguments"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g, err := codec.FromProto(filtered(c.e))
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				// Not by cmp: its time is exponential in the depth of slices within interfaces.
				if !proto.Equal(filtered(c.e), asProto(t, overTheWire(t, g))) {
					t.Error("the graph changed")
				}
				return
			}
			var p *failure.Problems
			if !errors.As(err, &p) || p.Len() != 1 || !strings.Contains(p.Error(), c.want) || len(p.Error()) > 1000 {
				t.Fatalf("got %.300v, want one problem with %q", err, c.want)
			}
		})
	}
}

func TestProblemsNameVertexAndField(t *testing.T) {
	bigint := &jobv1.Type{Kind: jobv1.TypeKind_TYPE_KIND_BIGINT}
	literal := func(l *jobv1.Literal) *jobv1.JobGraph {
		return filtered(&jobv1.Expression{Type: bigint, Node: &jobv1.Expression_Literal{Literal: l}})
	}
	deep := bigint
	for range 40 {
		deep = &jobv1.Type{Kind: jobv1.TypeKind_TYPE_KIND_ARRAY, Elem: deep}
	}
	source := func(t *jobv1.Type) *jobv1.JobGraph {
		return &jobv1.JobGraph{Vertices: []*jobv1.Vertex{{Id: "v", Source: &jobv1.SourceSpec{Schema: &jobv1.Schema{Fields: []*jobv1.Field{{Name: "a", Type: t}}}}}}}
	}
	cases := []struct {
		name  string
		graph *jobv1.JobGraph
		want  string
	}{
		{"nothing", nil, "the job graph is missing"},
		{"a nil vertex and a nil edge", &jobv1.JobGraph{Vertices: []*jobv1.Vertex{nil}, Edges: []*jobv1.Edge{nil}}, "field edges[0].partitioning: is missing"},
		{"no schema", &jobv1.JobGraph{Vertices: []*jobv1.Vertex{{Source: &jobv1.SourceSpec{}}}}, "vertex number 0, field source.schema: is missing"},
		{"no type", source(nil), "vertex v, field source.schema.fields[0].type: is missing"},
		{"an unknown type", source(&jobv1.Type{Kind: 99}), "vertex v, field source.schema.fields[0].type: no type has the kind 99"},
		{"an array of nothing", source(&jobv1.Type{Kind: jobv1.TypeKind_TYPE_KIND_ARRAY}), "vertex v, field source.schema.fields[0].type: ARRAY: element type is missing"},
		{"a deep type", source(deep), "type is nested deeper than 32"},
		{"an unknown strategy", &jobv1.JobGraph{Restart: &jobv1.RestartSpec{Strategy: 9}}, "field restart.strategy: no restart strategy has the number 9"},
		{"an unknown partitioning", &jobv1.JobGraph{Edges: []*jobv1.Edge{{Partitioning: 9}}}, "field edges[0].partitioning: no partitioning has the number 9"},
		{"an operator without body", &jobv1.JobGraph{Vertices: []*jobv1.Vertex{{Id: "v", Operators: []*jobv1.OperatorSpec{nil}}}}, "vertex v, field operators[0]: operator has no description that is known here"},
		{"a broken duration", &jobv1.JobGraph{BufferTimeout: &durationpb.Duration{Seconds: 1, Nanos: -1}}, "field buffer_timeout: 1 s and -1 ns are no duration"},
		{"a duration beyond Go's", &jobv1.JobGraph{BufferTimeout: &durationpb.Duration{Seconds: 300_000_000_000}}, "field buffer_timeout: a duration of 300000000000 s is longer than 292 years"},
		{"a literal without value", literal(nil), "vertex v, field operators[0].calc.filter.literal: has no value; NULL is written as null = true"},
		{"a literal that is not NULL", literal(&jobv1.Literal{Value: &jobv1.Literal_Null{}}), "vertex v, field operators[0].calc.filter.literal: null = false is no value"},
		{"a literal of another type", literal(&jobv1.Literal{Value: &jobv1.Literal_String_{String_: "x"}}), "vertex v, field operators[0].calc.filter.literal: a string is no value of type BIGINT"},
		{"a call of nothing", filtered(&jobv1.Expression{Type: bigint, Node: &jobv1.Expression_Cast{}}), "vertex v, field operators[0].calc.filter.cast.x: is missing"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := codec.FromProto(c.graph)
			if err == nil || !strings.Contains(err.Error(), c.want) || failure.ClassOf(err).Domain != failure.DomainUser {
				t.Errorf("got %v, want an error of the user with %q", err, c.want)
			}
		})
	}
}

func TestWhatNoMessageCanCarry(t *testing.T) {
	calc := func(e expr.Expr) *jobgraph.Graph {
		return &jobgraph.Graph{Vertices: []jobgraph.Vertex{{ID: "v", Operators: []jobgraph.OperatorSpec{{UID: "o", Body: &jobgraph.CalcSpec{Filter: e}}}}}}
	}
	loop := &expr.Cast{To: types.Of(types.Int)}
	loop.X = loop
	cases := map[string]*jobgraph.Graph{
		"nothing":             nil,
		"a large number":      {Parallelism: math.MaxInt32 + 1},
		"an unknown strategy": {Restart: jobgraph.RestartSpec{Strategy: 9}},
		"no description":      {Vertices: []jobgraph.Vertex{{Operators: make([]jobgraph.OperatorSpec, 1)}}},
		"unknown edge":        {Edges: []jobgraph.Edge{{Partitioning: jobgraph.Partitioning{Kind: 9}}}},
		"a typed nil":         calc((*expr.Call)(nil)),
		"a nil below":         calc(&expr.Cast{To: types.Of(types.Int)}),
		"an endless tree":     calc(loop),
		"broken text":         calc(expr.String("\xff")),
		"a Go int":            calc(&expr.Literal{T: types.Of(types.Int), Value: 1}),
	}
	for name, g := range cases {
		if _, err := codec.ToProto(g); failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%s: got %v, want an error of the user", name, err)
		}
	}
}

// FuzzFromProto: whatever the bytes, no panic; a graph that is read survives the
// wire; one that is valid has schemas and an explanation.
func FuzzFromProto(f *testing.F) {
	g, err := codec.ParseJSON(mainJob(f))
	if err != nil {
		f.Fatal(err)
	}
	m, err := codec.ToProto(g)
	if err != nil {
		f.Fatal(err)
	}
	seed, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	calc, err := proto.Marshal(filtered(nested(3)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(calc)
	f.Fuzz(func(t *testing.T, bytes []byte) {
		var m jobv1.JobGraph
		if proto.Unmarshal(bytes, &m) != nil {
			return
		}
		g, err := codec.FromProto(&m)
		if err != nil {
			return
		}
		if m := asProto(t, g); !proto.Equal(m, asProto(t, overTheWire(t, g))) {
			t.Fatalf("the graph changed: %v", m)
		}
		if jobgraph.Validate(g, anything{}) != nil {
			return
		}
		if _, err := jobgraph.Derive(g); err != nil {
			t.Fatalf("a valid graph has no schemas: %v", err)
		}
		if jobgraph.Explain(g) == "" {
			t.Fatal("a valid graph has no explanation")
		}
	})
}

// anything is a cluster that refuses no connector it knows.
type anything struct{}

func (anything) Sources() []string { return []string{"kafka"} }
func (anything) Sinks() []string   { return []string{"kafka"} }
func (anything) Operators() []jobgraph.OperatorKind {
	return []jobgraph.OperatorKind{jobgraph.KindCalc, jobgraph.KindWindowAggregate, jobgraph.KindLocalAggregate, jobgraph.KindUnion, jobgraph.KindGroupAggregate, jobgraph.KindLocalGroupAggregate, jobgraph.KindWindowAssign, jobgraph.KindOverAggregate, jobgraph.KindExpand}
}
func (anything) Functions() *expr.Registry                         { return expr.Builtins() }
func (anything) Lookups() []string                                 { return nil }
func (anything) CheckLookup(*jobgraph.LookupTable) error           { return nil }
func (anything) CheckSource(*jobgraph.SourceSpec) error            { return nil }
func (anything) CheckSink(*jobgraph.SinkSpec, *types.Schema) error { return nil }

func FuzzParseJSON(f *testing.F) {
	f.Add(mainJob(f))
	f.Add([]byte(`{"vertices": [{"id": "v"}], "edges": [{"partitioning": 2}], "buffer_timeout": "5ms"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := codec.ParseJSON(text); err != nil && failure.ClassOf(err).Domain != failure.DomainUser {
			t.Fatalf("%v is not the user's", err)
		}
	})
}

func TestDurationsAreExact(t *testing.T) {
	for _, d := range []time.Duration{1, -1, time.Millisecond, -4 * time.Second, 290 * 365 * 24 * time.Hour} {
		g := &jobgraph.Graph{BufferTimeout: d}
		if got := overTheWire(t, g).BufferTimeout; got != d {
			t.Errorf("%d became %d", d, got)
		}
	}
}
