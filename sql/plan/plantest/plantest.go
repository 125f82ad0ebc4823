// Package plantest builds plans for tests by short texts, as the analyzer would build them of SQL. What is wrong fails the test.
package plantest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/catalog"
	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

// Builder builds the plans of one test.
type Builder struct {
	t         testing.TB
	Functions *expr.Registry
}

// New returns a builder.
func New(t testing.TB) *Builder { return &Builder{t: t, Functions: expr.Builtins()} }

// Path returns the full name of a table.
func Path(name string) catalog.Path {
	return catalog.Path{Catalog: catalog.DefaultCatalog, Database: catalog.DefaultDatabase, Name: name}
}

// Field is a physical column.
func Field(name string, t types.Type) catalog.Column { return catalog.Column{Name: name, Type: t} }

// Types that tables of tests have.
var (
	BigInt    = types.Of(types.BigInt)
	Text      = types.StringType()
	Time      = types.TimestampOf(3)
	LocalTime = types.TimestampLTZOf(3).NotNull()
)

// Bids is a table of bids with an event time, dateTime, that Stream reads.
func Bids() *catalog.Table {
	return &catalog.Table{
		Columns: []catalog.Column{
			Field("auction", BigInt), Field("bidder", BigInt), Field("price", BigInt), Field("channel", Text), Field("url", Text),
			Field("dateTime", Time), Field("extra", Text),
		},
		Watermark: &catalog.Watermark{Column: "dateTime", Expr: "dateTime - INTERVAL '4' SECOND"},
		Options:   map[string]string{"connector": "kafka", "topic": "bids", "format": "json"},
	}
}

// Table returns a table with a connector; keys are its primary key.
func Table(connector, keys string, columns ...catalog.Column) *catalog.Table {
	return &catalog.Table{Columns: columns, PrimaryKey: split(keys), Options: map[string]string{"connector": connector}}
}

// Scan reads all columns of a table.
func (b *Builder) Scan(name string, t *catalog.Table) plan.Node {
	s := &plan.Scan{Path: Path(name), Table: t}
	for i, c := range t.Columns {
		s.Columns = append(s.Columns, i)
		s.Result = append(s.Result, plan.Column{Name: c.Name, Type: c.Type})
	}
	return s
}

// Stream reads all columns of a table and makes event time of dateTime, 4 s behind.
func (b *Builder) Stream(name string, t *catalog.Table) plan.Node {
	return b.Watermark(b.Scan(name, t), "dateTime", 4*time.Second)
}

// Watermark makes a column event time.
func (b *Builder) Watermark(n plan.Node, column string, delay time.Duration) plan.Node {
	out := &plan.Watermark{Input: n, Column: b.column(n.Schema(), column), Delay: delay, Result: slices.Clone(n.Schema())}
	out.Result[out.Column].Time = plan.EventTime
	return out
}

// Filter keeps rows by a condition.
func (b *Builder) Filter(n plan.Node, condition string) plan.Node {
	b.t.Helper()
	return &plan.Filter{Input: n, Condition: b.E(n.Schema(), condition)}
}

// Project computes columns, each of "name" or "name = expression".
func (b *Builder) Project(n plan.Node, columns ...string) plan.Node {
	b.t.Helper()
	out := &plan.Project{Input: n}
	for _, text := range columns {
		name, what, ok := strings.Cut(text, " = ")
		if !ok {
			what = name
		}
		e := b.E(n.Schema(), what)
		c := plan.Column{Name: name, Type: e.Type()}
		if ref, ok := e.(*expr.Column); ok {
			c.Time = n.Schema()[ref.Index].Time
		}
		out.Columns, out.Result = append(out.Columns, e), append(out.Result, c)
	}
	return out
}

// ProcTime adds a column of processing time.
func (b *Builder) ProcTime(n plan.Node, name string) plan.Node {
	p := b.Project(n, names(n.Schema())...).(*plan.Project)
	p.Columns = append(p.Columns, &expr.Call{Func: "PROCTIME", T: LocalTime})
	p.Result = append(p.Result, plan.Column{Name: name, Type: LocalTime, Time: plan.ProcessingTime})
	return p
}

func names(s plan.Schema) (out []string) {
	for _, f := range s.Types().Fields {
		out = append(out, f.Name)
	}
	return out
}

// Group aggregates by keys; calls are "name = FUNC(column)", "name = COUNT(*)", with DISTINCT before the column and
// " FILTER column" behind.
func (b *Builder) Group(n plan.Node, keys string, calls ...string) plan.Node {
	b.t.Helper()
	in := n.Schema()
	a := &plan.Aggregate{Input: n, Keys: b.columns(in, keys)}
	for _, k := range a.Keys {
		a.Result = append(a.Result, plan.Column{Name: in[k].Name, Type: in[k].Type})
	}
	for _, c := range calls {
		a.Calls = append(a.Calls, b.call(in, c))
	}
	a.Result = append(a.Result, results(a.Calls)...)
	return a
}

func results(calls []plan.Call) (out plan.Schema) {
	for _, c := range calls {
		out = append(out, plan.Column{Name: c.Name, Type: c.Type})
	}
	return out
}

func (b *Builder) call(in plan.Schema, text string) plan.Call {
	b.t.Helper()
	name, what, _ := strings.Cut(text, " = ")
	what, filter, filtered := strings.Cut(what, " FILTER ")
	fn, arg, _ := strings.Cut(strings.TrimSuffix(what, ")"), "(")
	c := plan.Call{Func: fn, Name: name, Filter: plan.NoColumn, Type: BigInt.NotNull()}
	arg, c.Distinct = strings.CutPrefix(arg, "DISTINCT ")
	if filtered {
		c.Filter = b.column(in, filter)
	}
	if arg == "*" || arg == "" {
		return c
	}
	c.Args = b.columns(in, arg)
	t, err := expr.AggregateType(fn, in[c.Args[0]].Type)
	if err != nil {
		b.t.Fatal(err)
	}
	c.Type = t
	return c
}

// Window is a window table function over a time column.
func (b *Builder) Window(n plan.Node, kind plan.WindowKind, column string, size, step time.Duration) plan.Node {
	b.t.Helper()
	w := &plan.WindowTable{Input: n, Window: plan.Window{Kind: kind, Time: b.column(n.Schema(), column), Size: size, Step: step}}
	w.Result = append(slices.Clone(n.Schema()),
		plan.Column{Name: "window_start", Type: Time.NotNull()}, plan.Column{Name: "window_end", Type: Time.NotNull()},
		plan.Column{Name: "window_time", Type: Time.NotNull(), Time: n.Schema()[w.Window.Time].Time})
	return w
}

// Over adds calls over partitions in an order, of columns that are "name" or "name DESC".
func (b *Builder) Over(n plan.Node, partition, order string, calls ...string) plan.Node {
	b.t.Helper()
	in := n.Schema()
	o := &plan.Over{Input: n, Partition: b.columns(in, partition), Order: b.order(in, order), Frame: plan.Frame{Unbounded: true}}
	for _, c := range calls {
		o.Calls = append(o.Calls, b.call(in, c))
	}
	o.Result = append(slices.Clone(in), results(o.Calls)...)
	return o
}

func (b *Builder) order(in plan.Schema, order string) (out []plan.Order) {
	for _, text := range split(order) {
		name, down := strings.CutSuffix(text, " DESC")
		out = append(out, plan.Order{Column: b.column(in, name), Descending: down, NullsFirst: !down})
	}
	return out
}

// Join joins by a condition over the columns of both sides, whose names have numbers where they occur twice.
func (b *Builder) Join(kind plan.JoinKind, l, r plan.Node, condition string) plan.Node {
	b.t.Helper()
	both := slices.Concat(l.Schema(), r.Schema())
	for i, name := range names(both) {
		both[i].Name = name
	}
	j := &plan.Join{Kind: kind, Left: l, Right: r, Result: slices.Clone(both)}
	if condition != "" {
		j.Condition = b.E(both, condition)
	}
	for i := range j.Result {
		if kind == plan.Full || kind == plan.Left && i >= len(l.Schema()) || kind == plan.Right && i < len(l.Schema()) {
			j.Result[i].Type = j.Result[i].Type.AsNullable()
		}
	}
	if kind == plan.Semi || kind == plan.Anti {
		j.Result = l.Schema()
	}
	return j
}

// Set combines relations.
func (b *Builder) Set(kind plan.SetKind, all bool, of ...plan.Node) plan.Node {
	return &plan.Set{Kind: kind, All: all, Of: of, Result: of[0].Schema()}
}

// Sort orders rows and limits them; a limit below 0 is none.
func (b *Builder) Sort(n plan.Node, order string, limit, offset int64) plan.Node {
	b.t.Helper()
	return &plan.Sort{Input: n, Order: b.order(n.Schema(), order), Limit: limit, Offset: offset}
}

// Sink writes all columns of a relation to a table of the same columns.
func (b *Builder) Sink(n plan.Node, name string, t *catalog.Table) plan.Node {
	s := &plan.Sink{Input: n, Path: Path(name), Table: t}
	for i := range n.Schema() {
		s.Columns = append(s.Columns, i)
	}
	return s
}

// Into writes a relation to a table that has just its columns.
func (b *Builder) Into(n plan.Node, name, connector, keys string) plan.Node {
	var columns []catalog.Column
	for _, f := range n.Schema().Types().Fields {
		columns = append(columns, Field(f.Name, f.Type))
	}
	return b.Sink(n, name, Table(connector, keys, columns...))
}
