package query

import (
	"slices"
	"strconv"
	"strings"

	"millrace/catalog"
	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sql/ast"
	"millrace/sql/parser"
	"millrace/types"
)

// NoColumn stands where no column is meant.
const NoColumn = jobgraph.NoColumn

// timePrecision is that of times of which there are watermarks.
const timePrecision = 3

// View is a stream that SQL may read.
type View struct {
	// Schema is that of the stream's batches.
	Schema *types.Schema
	// Rowtime is the column that is event time, NoColumn where the rows have none. Watermarks come with the rows: none is older than a watermark
	// but for late ones. SQL sees the column with at most 3 digits of a second.
	Rowtime int
	// Changelog says which kinds of rows come. Upsert needs the PrimaryKey.
	Changelog catalog.Changelog
	// PrimaryKey are columns by which the rows are told apart, where NULL is a value as any; none where none are known.
	PrimaryKey []int
	// Bounded says that the stream ends.
	Bounded bool
	// Parallelism is that of the stream's vertex; 0 is the job's.
	Parallelism int
}

// The options of a view's table. Nobody else has tables of this connector.
const (
	connectorOption = "connector"
	viewConnector   = "program-view"
	viewOption      = "view"
	parallelism     = "scan.parallelism"
)

// table returns the table as which SQL sees the view.
func (v *View) table(name string) (*catalog.Table, error) {
	if v.Schema.Len() == 0 {
		return nil, failure.Userf("view %s has no columns", catalog.Quoted(name))
	}
	t := &catalog.Table{Options: map[string]string{connectorOption: viewConnector, viewOption: name}}
	if v.Parallelism > 0 {
		t.Options[parallelism] = strconv.Itoa(v.Parallelism)
	}
	for _, f := range v.Schema.Fields {
		t.Columns = append(t.Columns, catalog.Column{Name: f.Name, Type: f.Type})
	}
	for _, k := range v.PrimaryKey {
		if !v.has(k) {
			return nil, failure.Userf("view %s: the primary key has column %d, of %d", catalog.Quoted(name), k, v.Schema.Len())
		}
		t.PrimaryKey = append(t.PrimaryKey, v.Schema.Fields[k].Name)
	}
	if v.Rowtime == NoColumn {
		return t, nil
	}
	if !v.has(v.Rowtime) {
		return nil, failure.Userf("view %s: the event time is column %d, of %d", catalog.Quoted(name), v.Rowtime, v.Schema.Len())
	}
	c := &t.Columns[v.Rowtime]
	if c.Type.Kind != types.Timestamp && c.Type.Kind != types.TimestampLTZ {
		return nil, failure.Userf("view %s: the event time is a TIMESTAMP or TIMESTAMP_LTZ, column %s is %s", catalog.Quoted(name), c.Name, c.Type)
	}
	c.Type.Precision = min(c.Type.Precision, timePrecision)
	t.Watermark = &catalog.Watermark{Column: c.Name, Expr: "`" + strings.ReplaceAll(c.Name, "`", "``") + "`"} // it may be a reserved word
	return t, nil
}

func (v *View) has(column int) bool { return column >= 0 && column < v.Schema.Len() }

// head returns what makes the stream's rows those that a plan reads; nil where they are.
func (v *View) head(read *types.Schema) (out []jobgraph.Projection) {
	same := read.Len() == v.Schema.Len()
	for i, f := range read.Fields {
		at := v.Schema.Index(f.Name)
		have := v.Schema.Fields[at].Type
		var e expr.Expr = &expr.Column{Index: at, Name: f.Name, T: have}
		if !have.Equal(f.Type) {
			e, same = &expr.Cast{X: e, To: f.Type}, false
		}
		same = same && i == at
		out = append(out, jobgraph.Projection{Name: f.Name, Expr: e})
	}
	if same {
		return nil
	}
	return out
}

// tables are the connectors of a program, its views among them.
type tables struct {
	catalog.Connectors
	views []viewTable
}

// viewTable is a view with its table, which is known by its columns: whoever gives a table options has another table of the same columns.
type viewTable struct {
	name string
	view View
	of   *catalog.Table
}

// add makes a view known, in the place of one of its name that was dropped.
func (t *tables) add(name string, v View, of *catalog.Table) {
	t.views = slices.DeleteFunc(t.views, func(v viewTable) bool { return v.name == name })
	t.views = append(t.views, viewTable{name, v, of})
}

// named returns the view of which a plan has a source.
func (t *tables) named(s *jobgraph.SourceSpec) (*View, string, bool) {
	if s == nil || s.Connector != viewConnector {
		return nil, "", false
	}
	for i := range t.views {
		if v := &t.views[i]; v.name == s.Options[viewOption] {
			return &v.view, v.name, true
		}
	}
	return nil, "", false
}

// Source implements catalog.Connectors.
func (t *tables) Source(of *catalog.Table) (catalog.SourceTraits, error) {
	if of.Options[connectorOption] != viewConnector {
		return t.Connectors.Source(of)
	}
	for i := range t.views {
		v := &t.views[i]
		if &v.of.Columns[0] != &of.Columns[0] {
			continue
		}
		for key, value := range of.Options {
			if v.of.Options[key] != value {
				return catalog.SourceTraits{}, failure.User(failure.Message{Field: key, Primary: "a view of the program takes no options"})
			}
		}
		return catalog.SourceTraits{Changelog: v.view.Changelog, Bounded: v.view.Bounded}, nil
	}
	return catalog.SourceTraits{}, reserved()
}

// Sink implements catalog.Connectors.
func (t *tables) Sink(of *catalog.Table) (catalog.SinkTraits, error) {
	if of.Options[connectorOption] != viewConnector {
		return t.Connectors.Sink(of)
	}
	return catalog.SinkTraits{}, failure.User(failure.Message{Primary: "a view of the program is read and not written", Hint: "write to a table of CREATE TABLE"})
}

// Reserved tells whether a connector's name is the planner's.
func Reserved(connector string) bool {
	return connector == viewConnector || connector == outputConnector
}

func reserved() error {
	return failure.User(failure.Message{
		Field: connectorOption, Primary: viewConnector + " is for the views of the program alone", Hint: "take another connector, or read the view",
	})
}

// touchesView tells whether a change makes or alters a table that has the connector of views.
func touchesView(c catalog.Change) bool {
	var o catalog.Object
	switch c := c.(type) {
	case *catalog.Create:
		o = c.Object
	case *catalog.Alter:
		o = c.Object
	}
	t, ok := o.(*catalog.Table)
	return ok && t.Options[connectorOption] == viewConnector
}

// refuseView says where a statement asks for the connector of views.
func refuseView(text string, s ast.Statement) error {
	at := s.Range()
	ast.Walk(s, func(n ast.Node) bool {
		if o, ok := n.(*ast.Option); ok && o.Key.Value == connectorOption {
			at = o.Range()
		}
		return true
	})
	var all failure.Problems
	all.AddError(reserved())
	return parser.ErrorAt(text, at.Start, all.All()[0])
}
