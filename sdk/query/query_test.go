package query_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"millrace/catalog"
	"millrace/cmd/cluster"
	"millrace/jobgraph"
	"millrace/sdk/query"
	"millrace/types"
)

func field(name string, t types.Type) types.Field { return types.Field{Name: name, Type: t} }

var bigint = types.Of(types.BigInt)

// schemas are those that the scripts' views have.
var schemas = map[string]*types.Schema{
	"bids": types.NewSchema(
		field("auction", bigint.NotNull()), field("bidder", bigint), field("price", bigint.NotNull()), field("channel", types.StringType()),
		field("moment", types.TimestampLTZOf(3).NotNull()),
	),
	"odd":    types.NewSchema(field("at", types.TimestampOf(3))),
	"people": types.NewSchema(field("id", bigint.NotNull()), field("name", types.StringType()), field("born", types.TimestampOf(9))),
}

// TestScripts plans: "planner" begins one with the options of its input, "view" adds a view, "execute", "query" and "insert" give it a text. What comes
// back of the last two is the fragment within a job that has a source for each view and a sink for the rows.
func TestScripts(t *testing.T) {
	w := cluster.NewWiring(nil)
	if err := w.Functions.Register(functions()...); err != nil {
		t.Fatal(err)
	}
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var p *planned
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "planner":
				p = begin(t, w, d.Input)
				return ""
			case "view":
				return line(p.view(t, d))
			case "execute":
				warnings, err := p.Execute(d.Input)
				if err == nil {
					return strings.Join(append(warnings, "ok"), "\n") + "\n"
				}
				return line(err)
			case "query":
				name := p.name(d)
				f, err := p.Query(name, d.Input)
				return p.show(t, name, f, err)
			case "insert":
				name := p.name(d)
				f, err := p.Insert(name, d.Input)
				return p.show(t, name, f, err)
			default:
				t.Fatalf("no command %q", d.Cmd)
				return ""
			}
		})
	})
}

// planned is a planner with the streams that its views are.
type planned struct {
	*query.Planner
	wiring  *cluster.Wiring
	views   map[string]query.View
	queries int
}

func begin(t *testing.T, w *cluster.Wiring, options string) *planned {
	t.Helper()
	given := make(map[string]string)
	for option := range strings.Lines(options) {
		key, value, _ := strings.Cut(strings.TrimSpace(option), "=")
		given[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	p, err := query.New(query.Config{Connectors: w.Catalog(), Functions: w.Functions, Options: given})
	if err != nil {
		t.Fatal(err)
	}
	return &planned{Planner: p, wiring: w, views: make(map[string]query.View)}
}

func (p *planned) add(name string, v query.View) error {
	err := p.AddView(name, v)
	if err == nil {
		p.views[name] = v
	}
	return err
}

func (p *planned) view(t *testing.T, d *datadriven.TestData) error {
	t.Helper()
	v := query.View{Rowtime: query.NoColumn}
	name := ""
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "name":
			name = a.Vals[0]
		case "of":
			v.Schema = schemas[a.Vals[0]]
		case "rowtime":
			v.Rowtime = v.Schema.Index(a.Vals[0])
		case "key":
			for _, k := range a.Vals {
				v.PrimaryKey = append(v.PrimaryKey, v.Schema.Index(k))
			}
		case "changes":
			v.Changelog = map[string]catalog.Changelog{"upsert": catalog.Upsert, "retract": catalog.Retract}[a.Vals[0]]
		case "parallelism":
			v.Parallelism, _ = strconv.Atoi(a.Vals[0])
		case "bounded":
			v.Bounded = true
		default:
			t.Fatalf("no argument %q", a.Key)
		}
	}
	return p.add(name, v)
}

// name returns what a query is called: q1, q2 and so on where the script says nothing else.
func (p *planned) name(d *datadriven.TestData) string {
	p.queries++
	for _, a := range d.CmdArgs {
		if a.Key == "name" {
			return strings.Join(a.Vals, "")
		}
	}
	return fmt.Sprintf("q%d", p.queries)
}

func line(err error) string {
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	return "ok\n"
}

// job puts fragments into a job that has a source without rows for each view that one reads, and a sink for the rows of each.
func (p *planned) job(fragments ...*query.Fragment) *jobgraph.Graph {
	g := p.Graph()
	g.Name = "job"
	sources := make(map[string]bool)
	for i, f := range fragments {
		g.Zone = f.Zone
		for _, tap := range f.Taps {
			id := types.VertexID("in-" + tap.View)
			if !sources[tap.View] {
				v := p.views[tap.View]
				sources[tap.View] = true
				g.Vertices = append(g.Vertices, jobgraph.Vertex{ID: id, Name: tap.View, Parallelism: v.Parallelism, Source: &jobgraph.SourceSpec{
					UID: types.OperatorUID(id), Connector: "values", Schema: v.Schema,
				}})
			}
			g.Edges = append(g.Edges, jobgraph.Edge{From: id, To: tap.To, Input: tap.Input, Partitioning: tap.Partitioning})
		}
		g.Vertices, g.Edges = append(g.Vertices, f.Vertices...), append(g.Edges, f.Edges...)
		if o := f.Output; o != nil {
			id := types.VertexID(fmt.Sprintf("out-%d", i))
			g.Vertices = append(g.Vertices, jobgraph.Vertex{ID: id, Name: string(id), Parallelism: o.Parallelism, Sink: &jobgraph.SinkSpec{UID: types.OperatorUID(id), Connector: "print"}})
			g.Edges = append(g.Edges, jobgraph.Edge{From: o.Vertex, Port: o.Port, To: id})
		}
	}
	return g
}

// show writes what a text came to.
func (p *planned) show(t *testing.T, name string, f *query.Fragment, err error) string {
	t.Helper()
	if err != nil {
		return line(err)
	}
	g := p.job(f)
	if err := jobgraph.Validate(g, p.wiring.Known()); err != nil {
		t.Errorf("the job is not valid: %v", err)
	}
	var b strings.Builder
	for _, w := range f.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	if o := f.Output; o != nil {
		changes := "appends"
		if o.Changelog != catalog.AppendOnly {
			changes = "changes"
		}
		key := "no key"
		if o.Key != nil {
			key = fmt.Sprintf("key %v", o.Key)
		}
		fmt.Fprintf(&b, "output of %s: %s %s, %s, rowtimes %v\n", o.Vertex, o.Schema, changes, key, o.Rowtimes)
	}
	for _, tap := range f.Taps {
		fmt.Fprintf(&b, "tap of %s to %s, input %d, by %s %v\n", tap.View, tap.To, tap.Input, tap.Kind, tap.Keys)
	}
	for vertex := range strings.SplitSeq(jobgraph.Explain(g), "\n\n") {
		if strings.HasPrefix(vertex, "vertex "+name+".") {
			fmt.Fprintf(&b, "%s\n", strings.TrimSpace(vertex))
		}
	}
	return b.String()
}
