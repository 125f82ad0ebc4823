package analyze_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"millrace/catalog"
	"millrace/catalog/memory"
	"millrace/expr"
	"millrace/failure"
	"millrace/sql/analyze"
	"millrace/sql/ast"
	"millrace/sql/parser"
	"millrace/sql/plan"
	"millrace/types"
)

// TestScripts runs the files of testdata. Each has a catalog of its own, in which its commands work one after the other:
//
//	run
//	    analyzes the statements of the input. What changes the catalog is applied; a plan is printed with the columns of what
//	    it gives; an error is printed with its place
//	show
//	    prints each object that a line of the input names, as a statement that creates it
//
//	describe
//	    prints the columns of each object that a line of the input names
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		env := newEnvironment(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "run":
				return env.run(t, d.Input)
			case "show":
				return env.show(t, d.Input)
			case "describe":
				return env.describe(t, d.Input)
			default:
				t.Fatalf("no command %q", d.Cmd)
				return ""
			}
		})
	})
}

// environment is a session with a catalog.
type environment struct {
	store   *memory.Store
	session analyze.Session
}

func newEnvironment(t testing.TB) *environment {
	t.Helper()
	return &environment{store: memory.New()}
}

func (e *environment) input(t testing.TB, text string) analyze.Input {
	t.Helper()
	snap, err := e.store.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return analyze.Input{Text: text, Catalog: snap, Connectors: connectors{}, Functions: functions, Session: e.session}
}

func (e *environment) run(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	for _, p := range parser.ParseScript(text) {
		if p.Err != nil {
			fmt.Fprintf(&b, "error %v\n", p.Err)
			continue
		}
		e.statement(t, &b, text, p.Statement)
	}
	return b.String()
}

func (e *environment) statement(t *testing.T, b *strings.Builder, text string, s ast.Statement) {
	t.Helper()
	r, err := analyze.Statement(e.input(t, text), s)
	if err != nil {
		var placed *parser.Error
		if !errors.As(err, &placed) || failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%s: the error %v is not the user's, with a place", ast.Print(s), err)
		}
		fmt.Fprintf(b, "error %v\n", err)
		return
	}
	switch r := r.(type) {
	case *analyze.Query:
		printQuery(t, b, r)
	case *analyze.Explain:
		fmt.Fprintf(b, "explain %v\n", r.Details)
		printQuery(t, b, r.Query)
	case *analyze.Use:
		e.session = analyze.Session(*r)
		fmt.Fprintf(b, "use %s.%s\n", r.Catalog, r.Database)
	case *analyze.Changes:
		if err := e.store.Apply(t.Context(), r.List...); err != nil {
			fmt.Fprintf(b, "refused %v\n", err)
		}
	}
}

// printQuery prints plans and what they give, and checks that every expression is one that evaluation takes.
func printQuery(t *testing.T, b *strings.Builder, q *analyze.Query) {
	t.Helper()
	b.WriteString(plan.Explain(q.Roots...))
	for _, r := range q.Roots {
		fmt.Fprintf(b, "%s\n", r.Schema())
		plan.Walk(r, func(n plan.Node) { checkNode(t, n) })
	}
}

// checkNode checks expressions against the columns that they are over, and results against expressions.
func checkNode(t *testing.T, n plan.Node) {
	t.Helper()
	check := func(e expr.Expr, inputs ...plan.Node) {
		if e == nil {
			return
		}
		var in plan.Schema
		for _, i := range inputs {
			in = append(in, i.Schema()...)
		}
		for _, problem := range expr.Check(e, in.Types(), functions) {
			t.Errorf("%s: %v", plan.Line(n), problem)
		}
	}
	switch n := n.(type) {
	case *plan.Project:
		for i, c := range n.Columns {
			check(c, n.Input)
			if !c.Type().Equal(n.Result[i].Type) {
				t.Errorf("%s: column %d is %s, its expression %s", plan.Line(n), i, n.Result[i].Type, c.Type())
			}
		}
	case *plan.Filter:
		check(n.Condition, n.Input)
	case *plan.Join:
		check(n.Condition, rawSide{n.Left}, rawSide{n.Right})
	case *plan.TemporalJoin:
		check(n.Condition, rawSide{n.Left}, rawSide{n.Right})
	case *plan.Correlate:
		for _, a := range n.Args {
			check(a, n.Input)
		}
	}
	for _, in := range n.Inputs() {
		if in == nil {
			t.Errorf("%s: an input is missing", plan.Line(n))
		}
	}
}

// rawSide is a side of a join as its condition sees it.
type rawSide struct{ plan.Node }

func (e *environment) show(t *testing.T, names string) string {
	t.Helper()
	snap := e.input(t, "").Catalog
	var b strings.Builder
	for name := range strings.SplitSeq(strings.TrimSpace(names), "\n") {
		path := catalog.Path{Catalog: catalog.DefaultCatalog, Database: catalog.DefaultDatabase, Name: name}
		o, ok := snap.Lookup(path)
		if !ok {
			fmt.Fprintf(&b, "no %s\n", name)
			continue
		}
		text := analyze.ShowCreate(path, o)
		b.WriteString(text + "\n")
		e.roundTrip(t, path, o, text)
	}
	return b.String()
}

func (e *environment) describe(t *testing.T, names string) string {
	t.Helper()
	var b strings.Builder
	for name := range strings.SplitSeq(strings.TrimSpace(names), "\n") {
		text := "DESCRIBE " + name
		s, err := parser.ParseStatement(text)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := analyze.Columns(e.input(t, text), s.(*ast.Describe).Name)
		if err != nil {
			fmt.Fprintf(&b, "error %v\n", err)
			continue
		}
		for _, c := range columns {
			fmt.Fprintln(&b, strings.Trim(plan.Schema{c}.String(), "()"))
		}
	}
	return b.String()
}

// roundTrip creates from the text of an object, and wants the same text of what comes out.
func (e *environment) roundTrip(t *testing.T, path catalog.Path, o catalog.Object, text string) {
	t.Helper()
	s, err := parser.ParseStatement(text)
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return
	}
	r, err := analyze.Statement(e.input(t, text), s)
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return
	}
	again := r.(*analyze.Changes).List[0].(*catalog.Create)
	if again.Path != path {
		t.Errorf("%s: creates %s", text, again.Path)
	}
	if back := analyze.ShowCreate(path, again.Object); back != text {
		t.Errorf("%s becomes %s", text, back)
	}
}

// functions are the built-in ones, a function of a user, and a table function.
var functions = func() *expr.Registry {
	r := expr.Builtins()
	err := r.Register(
		expr.Signature{
			Name: "COUNTCHAR", Kind: expr.ScalarFunc, MinArgs: 2, MaxArgs: 2, Doc: "A user's.",
			Resolve: func([]types.Type) (types.Type, error) { return types.Of(types.BigInt), nil },
		},
		expr.Signature{
			Name: "com.example.CountChar", Kind: expr.ScalarFunc, MinArgs: 2, MaxArgs: 2, Doc: "A user's, in the place of a class.",
			Resolve: func([]types.Type) (types.Type, error) { return types.Of(types.BigInt), nil },
		},
		expr.Signature{
			Name: "WORDS", Kind: expr.TableFunc, MinArgs: 1, MaxArgs: 1, Doc: "A user's table function.",
			Resolve: func([]types.Type) (types.Type, error) {
				return types.RowOf(types.Field{Name: "word", Type: types.StringType()}, types.Field{Name: "length", Type: types.Of(types.Int)}), nil
			},
		},
	)
	if err != nil {
		panic(err)
	}
	return r
}()

// connectors are those of the tests: "log" has metadata, "kv" takes upserts and can be looked up, "files" has partitions, "out" is
// written alone.
type connectors struct{}

func (connectors) Names() []string { return []string{"files", "kv", "log", "out"} }

func (connectors) Source(t *catalog.Table) (catalog.SourceTraits, error) {
	switch t.Options["connector"] {
	case "log":
		return catalog.SourceTraits{Metadata: logMetadata}, nil
	case "kv":
		return catalog.SourceTraits{Changelog: catalog.Upsert, Lookup: true}, nil
	case "files":
		return catalog.SourceTraits{Bounded: true}, nil
	default:
		return catalog.SourceTraits{}, failure.Userf("the connector %q is no source", t.Options["connector"])
	}
}

func (connectors) Sink(t *catalog.Table) (catalog.SinkTraits, error) {
	switch t.Options["connector"] {
	case "log":
		return catalog.SinkTraits{Metadata: logMetadata[:1]}, nil
	case "kv":
		return catalog.SinkTraits{Changelog: catalog.Upsert}, nil
	case "files":
		return catalog.SinkTraits{Partitions: true, Overwrite: true}, nil
	case "out":
		return catalog.SinkTraits{Changelog: catalog.Retract}, nil
	default:
		return catalog.SinkTraits{}, failure.Userf("the connector %q is no sink", t.Options["connector"])
	}
}

var logMetadata = []types.Field{
	{Name: "timestamp", Type: types.TimestampLTZOf(3).NotNull()},
	{Name: "offset", Type: types.Of(types.BigInt).NotNull()},
}
