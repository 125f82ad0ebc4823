package session

import (
	"slices"
	"strings"

	"millrace/catalog"
	"millrace/failure"
	"millrace/sql/analyze"
	"millrace/sql/ast"
	"millrace/sql/plan"
)

// show carries out SHOW.
func (s *Session) show(in analyze.Input, st *ast.Show) (Outcome, error) {
	w := &shown{Session: s, in: in, st: st}
	if st.Like != nil {
		w.like = s.Like(w.cased(st.Like.Value))
	}
	switch st.Kind {
	case ast.ShowCatalogs:
		return w.list("catalog name", in.Catalog.Catalogs()), nil
	case ast.ShowCurrentCatalog:
		return w.list("current catalog name", []string{s.names.Catalog}), nil
	case ast.ShowCurrentDatabase:
		return w.list("current database name", []string{s.names.Database}), nil
	case ast.ShowJobs:
		return &Jobs{}, nil
	case ast.ShowModules, ast.ShowFullModules:
		return w.list("module name", []string{"core"}), nil
	case ast.ShowUserFunctions, ast.ShowFunctions, ast.ShowTables, ast.ShowViews, ast.ShowDatabases:
		return w.names()
	case ast.ShowCreateTable, ast.ShowCreateView:
		return w.create()
	case ast.ShowColumns:
		return w.columns()
	default:
		return nil, at(in.Text, st, failure.Message{Primary: "SHOW " + string(st.Kind) + " is not supported yet"})
	}
}

// shown is a SHOW that is being answered.
type shown struct {
	*Session
	in analyze.Input
	st *ast.Show
	// like is LIKE's or ILIKE's pattern; nil where there is none.
	like func(string) bool
}

// list answers with names, of those that LIKE lets through.
func (w *shown) list(column string, names []string) *Rows {
	out := &Rows{Columns: []string{column}}
	for _, n := range names {
		if w.matches(n) {
			out.add(n)
		}
	}
	return out
}

// matches tells whether LIKE, or NOT LIKE, lets a name through.
func (w *shown) matches(name string) bool {
	return w.like == nil || w.like(w.cased(name)) != w.st.Not
}

// cased returns a text as it is compared.
func (w *shown) cased(text string) string {
	if w.st.CaseBlind {
		return strings.ToUpper(text)
	}
	return text
}

// names lists what is in a catalog or database: the one behind FROM, or the current one.
func (w *shown) names() (Outcome, error) {
	place, err := w.place()
	if err != nil {
		return nil, err
	}
	all := w.in.Catalog
	switch w.st.Kind {
	case ast.ShowDatabases:
		return w.list("database name", all.Databases(place.Catalog)), nil
	case ast.ShowUserFunctions:
		return w.list("function name", all.Functions(place.Catalog, place.Database)), nil
	case ast.ShowFunctions:
		return w.list("function name", w.functions(place)), nil
	default: // tables and views follow
	}
	var kept []string
	for _, name := range all.Objects(place.Catalog, place.Database) {
		place.Name = name
		o, ok := all.Lookup(place)
		_, view := o.(*catalog.View)
		if ok && (w.st.Kind == ast.ShowTables || view) {
			kept = append(kept, name)
		}
	}
	if w.st.Kind == ast.ShowViews {
		return w.list("view name", kept), nil
	}
	return w.list("table name", kept), nil
}

func (w *shown) functions(place catalog.Path) []string {
	out := w.in.Catalog.Functions(place.Catalog, place.Database)
	for _, name := range w.Functions.Names() {
		if name == catalog.Quoted(name) { // operators are functions too, and go by their symbols
			out = append(out, strings.ToLower(name))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// place returns the catalog and database that SHOW names, which are there.
func (w *shown) place() (catalog.Path, error) {
	out := catalog.Path{Catalog: w.Session.names.Catalog, Database: w.Session.names.Database}
	parts := w.st.Name.Strings()
	switch {
	case len(parts) == 0:
		return out, nil
	case w.st.Kind == ast.ShowDatabases && len(parts) == 1:
		out.Catalog, out.Database = parts[0], ""
	case len(parts) == 1:
		out.Database = parts[0]
	case len(parts) == 2 && w.st.Kind != ast.ShowDatabases:
		out.Catalog, out.Database = parts[0], parts[1]
	default:
		return out, at(w.in.Text, w.st.Name, failure.Message{Primary: w.st.Name.String() + " names no place that could be listed"})
	}
	if known := w.in.Catalog.Catalogs(); !slices.Contains(known, out.Catalog) {
		return out, at(w.in.Text, w.st.Name, catalog.NotFound("CATALOG", catalog.Quoted(out.Catalog), out.Catalog, known).Message())
	}
	known := w.in.Catalog.Databases(out.Catalog)
	if out.Database != "" && !slices.Contains(known, out.Database) {
		return out, at(w.in.Text, w.st.Name, catalog.NotFound("DATABASE", catalog.Quoted(out.Catalog)+"."+catalog.Quoted(out.Database), out.Database, known).Message())
	}
	return out, nil
}

// create prints the statement that makes a table or view.
func (w *shown) create() (Outcome, error) {
	path, o, err := w.object(w.st.Name)
	if err != nil {
		return nil, err
	}
	if want := strings.TrimPrefix(string(w.st.Kind), "CREATE "); o.ObjectKind() != want {
		return nil, at(w.in.Text, w.st.Name, failure.Message{
			Primary: path.String() + " is a " + o.ObjectKind(), Hint: "SHOW CREATE " + o.ObjectKind() + " shows it",
		})
	}
	return &Text{analyze.ShowCreate(path, o)}, nil
}

// object returns what a name means.
func (w *shown) object(name ast.Name) (catalog.Path, catalog.Object, error) {
	path, err := catalog.Resolve(name.Strings(), w.Session.names.Catalog, w.Session.names.Database)
	if err != nil {
		return path, nil, at(w.in.Text, name, failure.Message{Primary: err.Error()})
	}
	if o, ok := w.in.Catalog.Lookup(path); ok {
		return path, o, nil
	}
	return path, nil, at(w.in.Text, name, catalog.NotFound("OBJECT", path.String(), path.Name, w.in.Catalog.Objects(path.Catalog, path.Database)).Message())
}

// columns lists the columns of a table as DESCRIBE does, of those that LIKE lets through.
func (w *shown) columns() (Outcome, error) {
	return describeColumns(w.in, w.st.Name, w.matches)
}

// describe carries out DESCRIBE.
func describe(in analyze.Input, st *ast.Describe) (Outcome, error) {
	switch st.Object {
	case ast.JobObject:
		return &Jobs{ID: st.Job.Value}, nil
	case ast.TableObject, "":
		return describeColumns(in, st.Name, func(string) bool { return true })
	default:
		return nil, at(in.Text, st, failure.Message{Primary: "DESCRIBE " + string(st.Object) + " is not supported yet"})
	}
}

// describeColumns answers with the columns of a table or view, as Flink lays them out.
func describeColumns(in analyze.Input, name ast.Name, wanted func(string) bool) (Outcome, error) {
	schema, err := analyze.Columns(in, name)
	if err != nil {
		return nil, told(err)
	}
	path, err := catalog.Resolve(name.Strings(), in.Session.Catalog, in.Session.Database)
	if err != nil {
		return nil, err
	}
	o, _ := in.Catalog.Lookup(path)
	t, ok := o.(*catalog.Table)
	if !ok {
		t = &catalog.Table{}
	}
	out := &Rows{Columns: []string{"name", "type", "null", "key", "extras", "watermark"}}
	for _, f := range schema {
		if wanted(f.Name) {
			out.Cells = append(out.Cells, describeColumn(t, f))
		}
	}
	return out, nil
}

func describeColumn(t *catalog.Table, f plan.Column) []*string {
	some := func(text string) *string { return &text }
	row := make([]*string, 6)
	row[0], row[1], row[2] = some(f.Name), some(typeText(f)), some(strings.ToUpper(boolText(f.Type.Nullable)))
	if slices.Contains(t.PrimaryKey, f.Name) {
		row[3] = some("PRI(" + strings.Join(t.PrimaryKey, ", ") + ")")
	}
	if c := t.Column(f.Name); c != nil {
		switch c.Kind {
		case catalog.Computed:
			row[4] = some("AS " + c.Expr)
		case catalog.Metadata:
			text := "METADATA"
			if c.MetadataKey != "" && c.MetadataKey != c.Name {
				text += " FROM '" + c.MetadataKey + "'"
			}
			if c.Virtual {
				text += " VIRTUAL"
			}
			row[4] = some(text)
		default: // a physical column says nothing more
		}
	}
	if t.Watermark != nil && t.Watermark.Column == f.Name {
		row[5] = some(t.Watermark.Expr)
	}
	return row
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// typeText prints a type without NOT NULL, which has a column of its own, and with what makes it a time attribute.
func typeText(f plan.Column) string {
	t := f.Type
	t.Nullable = true
	switch f.Time {
	case plan.EventTime:
		return t.String() + " *ROWTIME*"
	case plan.ProcessingTime:
		return t.String() + " *PROCTIME*"
	default:
		return t.String()
	}
}
