package analyze

import (
	"cmp"
	"slices"
	"strings"

	"millrace/catalog"
	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
	"millrace/types"
)

// definition turns a statement that defines something into changes of the catalog.
func (a *analyzer) definition(s ast.Statement) (*Changes, error) {
	switch s := s.(type) {
	case *ast.CreateTable:
		return a.createTable(s)
	case *ast.CreateView:
		return a.createView(s)
	case *ast.CreateFunction:
		return a.createFunction(s)
	case *ast.CreateDatabase:
		cat, name, err := a.databasePath(s.Name)
		if err != nil {
			return nil, err
		}
		about, err := a.space(s.Comment, s.Options)
		return &Changes{List: []catalog.Change{&catalog.CreateDatabase{Catalog: cat, Name: name, Space: about, IfNotExists: s.IfNotExists}}}, err
	case *ast.CreateCatalog:
		about, err := a.space(s.Comment, s.Options)
		return &Changes{List: []catalog.Change{&catalog.CreateCatalog{Name: s.Name.Name, Space: about, IfNotExists: s.IfNotExists}}}, err
	case *ast.Drop:
		return a.drop(s)
	case *ast.Alter:
		return a.alter(s)
	default:
		word, _, _ := strings.Cut(ast.Print(s), " ")
		return nil, a.unsupported(s, word+" as a statement to plan")
	}
}

func (a *analyzer) space(comment *ast.Text, options []*ast.Option) (catalog.Space, error) {
	out := catalog.Space{}
	if comment != nil {
		out.Comment = comment.Value
	}
	var err error
	out.Options, err = a.optionMap(options)
	return out, err
}

// optionMap returns the options of WITH; a key stands once.
func (a *analyzer) optionMap(list []*ast.Option) (map[string]string, error) {
	out := make(map[string]string, len(list))
	for _, o := range list {
		if _, twice := out[o.Key.Value]; twice {
			return nil, a.failf(o, "the option '%s' is given twice", o.Key.Value)
		}
		out[o.Key.Value] = o.Value.Value
	}
	return out, nil
}

// databasePath completes the name of a database.
func (a *analyzer) databasePath(n ast.Name) (cat, name string, err error) {
	switch len(n.Parts) {
	case 1:
		return a.Session.Catalog, n.Parts[0].Name, nil
	case 2:
		return n.Parts[0].Name, n.Parts[1].Name, nil
	default:
		return "", "", a.failf(n, "the name of a database has at most two parts")
	}
}

// source returns the text of a tree as it was written.
func (a *analyzer) source(n ast.Node) string {
	if s := n.Range(); s.Start >= 0 && s.Start < s.End && s.End <= len(a.text) {
		return a.text[s.Start:s.End]
	}
	return ast.Print(n)
}

func (a *analyzer) createTable(s *ast.CreateTable) (*Changes, error) {
	path, err := a.path(s.Name)
	if err != nil {
		return nil, err
	}
	switch {
	case s.As != nil:
		return nil, a.hinted(s.As, "CREATE TABLE and INSERT INTO", "CREATE TABLE ... AS is not supported yet")
	case s.Distributed != nil:
		return nil, a.unsupported(s.Distributed, "DISTRIBUTED")
	}
	d := &definer{analyzer: a, tree: s, path: path, table: &catalog.Table{}}
	if err := d.define(); err != nil {
		return nil, err
	}
	c := &catalog.Create{Path: path, Object: d.table, Temporary: s.Temporary}
	switch {
	case s.IfNotExists:
		c.Existing = catalog.Keep
	case s.Mode == ast.CreateOrReplace:
		c.Existing = catalog.Replace
	case s.Mode == ast.Replace:
		c.Existing = catalog.MustExist
	}
	return &Changes{List: []catalog.Change{c}}, nil
}

// definer makes a table of CREATE TABLE.
type definer struct {
	*analyzer
	tree  *ast.CreateTable
	path  catalog.Path
	table *catalog.Table
	like  likeRules
}

func (d *definer) define() error {
	options, err := d.optionMap(d.tree.Options)
	if err != nil {
		return err
	}
	d.table.Options = options
	if d.tree.Comment != nil {
		d.table.Comment = d.tree.Comment.Value
	}
	if d.tree.Like != nil {
		if err := d.base(d.tree.Like); err != nil {
			return err
		}
	}
	if err := d.columns(); err != nil {
		return err
	}
	for _, id := range d.tree.Partitioned {
		if err := d.partitionBy(id); err != nil {
			return err
		}
	}
	if err := d.constraints(); err != nil {
		return err
	}
	for i, w := range d.tree.Watermarks {
		if i > 0 {
			return d.failf(w, "a table has one watermark")
		}
		if d.table.Watermark, err = d.watermarkOf(w, d.table.Watermark != nil && !d.like.overwrites("WATERMARKS")); err != nil {
			return err
		}
	}
	return d.checkTable(d.tree, d.path, d.table)
}

// columns adds those of the statement.
func (d *definer) columns() error {
	for _, c := range d.tree.Columns {
		def, err := d.column(c)
		if err != nil {
			return err
		}
		old := d.table.Column(def.Name)
		switch {
		case old == nil:
			d.table.Columns = append(d.table.Columns, def)
		case d.like.mayReplace(old, &def):
			*old = def
		default:
			return d.failf(c.Name, "column %s is defined twice", c.Name)
		}
		if len(d.table.Columns) > ColumnsMax {
			return d.failf(c, "a table has at most %d columns", ColumnsMax)
		}
	}
	if len(d.table.Columns) == 0 {
		return d.failf(d.tree, "table %s has no columns", d.path)
	}
	return nil
}

// column returns the definition of one column.
func (a *analyzer) column(c *ast.Column) (catalog.Column, error) {
	out := catalog.Column{}
	if len(c.Name.Parts) != 1 {
		return out, a.unsupported(c.Name, "a change of a field of a column")
	}
	out.Name = c.Name.Parts[0].Name
	if c.Comment != nil {
		out.Comment = c.Comment.Value
	}
	switch c.Kind {
	case ast.ComputedColumn:
		out.Kind, out.Expr = catalog.Computed, a.source(c.As)
		return out, nil
	case ast.MetadataColumn:
		out.Kind, out.Virtual, out.MetadataKey = catalog.Metadata, c.Virtual, out.Name
		if c.From != nil {
			out.MetadataKey = c.From.Value
		}
	case ast.NamedColumn:
		return out, a.failf(c, "column %s has no type", c.Name)
	case ast.PhysicalColumn:
	}
	t, err := a.typeNamed(c.Type)
	if err != nil {
		return out, err
	}
	if t.Kind == types.Null {
		return out, a.failf(c.Type, "a column can't be of type NULL")
	}
	out.Type = t
	return out, nil
}

// partitionBy adds a column to PARTITIONED BY.
func (d *definer) partitionBy(id ast.Ident) error {
	switch c := d.table.Column(id.Name); {
	case c == nil:
		return d.hinted(id, didYouMean(id.Name, columnNames(d.table)), "PARTITIONED BY %s, which is no column", id)
	case c.Kind == catalog.Computed:
		return d.failf(id, "PARTITIONED BY %s, which is computed", id)
	case slices.Contains(d.table.PartitionedBy, id.Name):
		return d.failf(id, "PARTITIONED BY %s twice", id)
	}
	d.table.PartitionedBy = append(d.table.PartitionedBy, id.Name)
	return nil
}

func columnNames(t *catalog.Table) []string {
	out := make([]string, len(t.Columns))
	for i := range t.Columns {
		out[i] = t.Columns[i].Name
	}
	return out
}

// constraints finds the primary key, behind a column or by itself.
func (d *definer) constraints() error {
	for _, c := range d.tree.Columns {
		if c.Constraint == nil {
			continue
		}
		if err := d.primaryKey(d.table, c.Constraint, c.Name.Parts[:1]); err != nil {
			return err
		}
	}
	for _, c := range d.tree.Constraints {
		if err := d.primaryKey(d.table, c, c.Columns); err != nil {
			return err
		}
	}
	return nil
}

// primaryKey sets the key of a table, whose columns become NOT NULL.
func (a *analyzer) primaryKey(t *catalog.Table, c *ast.Constraint, columns []ast.Ident) error {
	switch {
	case c.Unique:
		return a.unsupported(c, "UNIQUE")
	case c.Enforcement != ast.NotEnforced:
		return a.hinted(c, "PRIMARY KEY (...) NOT ENFORCED", "a primary key must be NOT ENFORCED: the data is not the engine's own")
	case t.PrimaryKey != nil:
		return a.failf(c, "the table has a primary key already")
	}
	for _, id := range columns {
		col := t.Column(id.Name)
		switch {
		case col == nil:
			return a.hinted(id, didYouMean(id.Name, columnNames(t)), "PRIMARY KEY of %s, which is no column", id)
		case col.Kind != catalog.Physical:
			return a.failf(id, "PRIMARY KEY of %s, which is no physical column", id)
		case slices.Contains(t.PrimaryKey, id.Name):
			return a.failf(id, "PRIMARY KEY of %s twice", id)
		}
		col.Type.Nullable = false
		t.PrimaryKey = append(t.PrimaryKey, id.Name)
	}
	return nil
}

// watermarkOf returns the definition of a watermark.
func (a *analyzer) watermarkOf(w *ast.Watermark, taken bool) (*catalog.Watermark, error) {
	switch {
	case taken:
		return nil, a.failf(w, "the table has a watermark already")
	case len(w.Column.Parts) != 1:
		return nil, a.unsupported(w.Column, "a watermark for a field of a column")
	}
	return &catalog.Watermark{Column: w.Column.Parts[0].Name, Expr: a.source(w.As)}, nil
}

// checkTable binds what of a table is computed. What is wrong has its place in the statement where that has the text, and otherwise
// in the definition itself.
func (a *analyzer) checkTable(at ranged, path catalog.Path, t *catalog.Table) error {
	if err := a.checkPlaces(at, t); err != nil {
		return err
	}
	_, err := a.derived(at, path, t, storedOf(t))
	return err
}

// storedOf stands for the columns of a table that are not computed.
func storedOf(t *catalog.Table) plan.Node {
	stored := &plan.Values{}
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Kind != catalog.Computed {
			stored.Result = append(stored.Result, plan.Column{Name: c.Name, Type: c.Type})
		}
	}
	return stored
}

// checkPlaces binds the trees of a statement, whose errors have better places than those of texts, and makes the texts that are
// kept independent of where they were written.
func (a *analyzer) checkPlaces(at ranged, t *catalog.Table) error {
	var columns []*ast.Column
	var watermarks []*ast.Watermark
	switch s := at.(type) {
	case *ast.CreateTable:
		columns, watermarks = s.Columns, s.Watermarks
	case *ast.ChangeSchema:
		watermarks = s.Watermarks
		for _, c := range s.Columns {
			columns = append(columns, c.Column)
		}
	}
	stored := storedOf(t)
	for _, c := range columns {
		if c.Kind != ast.ComputedColumn {
			continue
		}
		a.edits = make(map[ast.Span]string)
		if _, err := a.binder(&env{}, &scope{relation: named(stored)}, "a computed column").bind(c.As); err != nil {
			return err
		}
		t.Column(c.Name.Parts[0].Name).Expr = a.edited(c.As)
		a.edits = nil
	}
	for _, w := range watermarks {
		if err := a.checkWatermark(w, t, stored); err != nil {
			return err
		}
	}
	return nil
}

func (a *analyzer) checkWatermark(w *ast.Watermark, t *catalog.Table, stored plan.Node) error {
	all := &plan.Values{}
	for i := range t.Columns {
		c := plan.Column{Name: t.Columns[i].Name, Type: t.Columns[i].Type}
		if t.Columns[i].Kind == catalog.Computed {
			x, err := a.within("", "").derivedExpr(t.Columns[i].Expr, stored)
			if err != nil {
				return err
			}
			c.Type = x.Type()
		}
		all.Result = append(all.Result, c)
	}
	column := all.Result.Index(w.Column.Parts[0].Name)
	if column < 0 {
		return a.hinted(w.Column, didYouMean(w.Column.Parts[0].Name, columnNames(t)), "WATERMARK FOR %s, which is no column", w.Column)
	}
	if c := all.Result[column]; !isTimestamp(c.Type) || c.Type.Precision > 3 {
		return a.failf(w.Column, "a watermark needs a column of type TIMESTAMP(0..3) or TIMESTAMP_LTZ(0..3), %s is %s", w.Column, c.Type)
	}
	x, err := a.binder(&env{}, &scope{relation: named(all)}, "WATERMARK").bind(w.As)
	if err != nil {
		return err
	}
	_, err = a.watermarkDelay(w.As, x, column)
	return err
}

func (a *analyzer) createView(s *ast.CreateView) (*Changes, error) {
	path, err := a.path(s.Name)
	if err != nil {
		return nil, err
	}
	v, err := a.viewOf(s.Query)
	if err != nil {
		return nil, err
	}
	if s.Comment != nil {
		v.Comment = s.Comment.Value
	}
	if s.Columns != nil {
		if len(s.Columns) != len(v.Columns) {
			return nil, a.failf(s.Columns[0], "the view has %d names for columns, its query gives %d", len(s.Columns), len(v.Columns))
		}
		for i, c := range s.Columns {
			if slices.Contains(v.Columns[:i], c.Name.Name) {
				return nil, a.failf(c, "column %s is named twice", c.Name)
			}
			v.Columns[i] = c.Name.Name
		}
	}
	c := &catalog.Create{Path: path, Object: v, Temporary: s.Temporary}
	if s.IfNotExists {
		c.Existing = catalog.Keep
	}
	return &Changes{List: []catalog.Change{c}}, nil
}

// viewOf binds a query and returns the view of it: names complete, * spelled out, columns of unique names.
func (a *analyzer) viewOf(q *ast.Query) (*catalog.View, error) {
	a.edits = make(map[ast.Span]string)
	r, err := a.query(q, &env{})
	if err != nil {
		return nil, err
	}
	schema := make(plan.Schema, len(r.cols))
	for i := range r.cols {
		schema[i] = r.column(&r.cols[i])
		schema[i].Name = r.cols[i].name
	}
	v := &catalog.View{Query: a.edited(q)}
	for _, f := range schema.Types().Fields {
		v.Columns = append(v.Columns, f.Name)
	}
	return v, nil
}

func (a *analyzer) createFunction(s *ast.CreateFunction) (*Changes, error) {
	path, err := a.functionPath(s.Name, s.System)
	if err != nil {
		return nil, err
	}
	f, err := a.functionOf(s, s.As, s.Language)
	if err != nil {
		return nil, err
	}
	if len(s.Resources) > 0 {
		return nil, a.unsupported(s, "USING "+s.Resources[0].Kind)
	}
	if len(s.Options) > 0 {
		return nil, a.unsupported(s.Options[0], "WITH of a function")
	}
	c := &catalog.Create{Path: path, Object: f, Temporary: s.Temporary || s.System}
	if s.IfNotExists {
		c.Existing = catalog.Keep
	}
	return &Changes{List: []catalog.Change{c}}, nil
}

// functionPath is the path of a function; a system function has a name alone.
func (a *analyzer) functionPath(n ast.Name, system bool) (catalog.Path, error) {
	if !system {
		return a.path(n)
	}
	if len(n.Parts) != 1 {
		return catalog.Path{}, a.failf(n, "a system function is in no database")
	}
	return catalog.Path{Name: n.Parts[0].Name}, nil
}

// Languages of functions. All are of Go: that a class of Java is replaced by is registered under the name of the class.
const (
	languageGo   = "GO"
	languageJava = "JAVA"
)

// functionOf returns a function that is registered. Without a language the name says which is meant.
func (a *analyzer) functionOf(at ranged, as ast.Text, language string) (*catalog.Function, error) {
	if language != "" && language != languageGo && language != languageJava {
		return nil, a.hinted(at, "LANGUAGE GO, with the name that the program registers", "LANGUAGE %s is not supported yet", language)
	}
	sig, ok := a.Functions.Callable(as.Value)
	if !ok {
		return nil, a.hinted(as, "start the cluster with the program that registers it", "nobody registered a function '%s'", as.Value)
	}
	if sig.Kind != expr.ScalarFunc && sig.Kind != expr.TableFunc {
		return nil, a.unsupported(as, "a function of this kind")
	}
	if language == languageJava && !sig.IsClass() {
		return nil, a.hinted(as, "LANGUAGE GO", "'%s' is the name of no class", as.Value)
	}
	if sig.IsClass() && language == "" {
		language = languageJava
	}
	return &catalog.Function{Name: as.Value, Language: cmp.Or(language, languageGo)}, nil
}
