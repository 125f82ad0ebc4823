package analyze

import (
	"maps"
	"slices"

	"millrace/catalog"
	"millrace/sql/ast"
)

func (a *analyzer) use(s *ast.Use) (*Use, error) {
	if s.Object == ast.CatalogObject {
		name := s.Name.Parts[0].Name
		if cats := a.Catalog.Catalogs(); !slices.Contains(cats, name) {
			return nil, a.missing(s.Name, "CATALOG", catalog.Path{Catalog: name}, nil)
		}
		return &Use{Catalog: name, Database: catalog.DefaultDatabase}, nil
	}
	cat, name, err := a.databasePath(s.Name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(a.Catalog.Databases(cat), name) {
		return nil, a.missing(s.Name, "DATABASE", catalog.Path{Catalog: cat, Database: name}, nil)
	}
	return &Use{Catalog: cat, Database: name}, nil
}

func (a *analyzer) drop(s *ast.Drop) (*Changes, error) {
	var c catalog.Change
	switch s.Object {
	case ast.CatalogObject:
		name := s.Name.Parts[0].Name
		if name == a.Session.Catalog {
			return nil, a.hinted(s.Name, "USE CATALOG another first", "catalog %s is the current one", s.Name)
		}
		c = &catalog.DropCatalog{Name: name, IfExists: s.IfExists}
	case ast.DatabaseObject:
		cat, name, err := a.databasePath(s.Name)
		if err != nil {
			return nil, err
		}
		if cat == a.Session.Catalog && name == a.Session.Database {
			return nil, a.hinted(s.Name, "USE another first", "database %s is the current one", s.Name)
		}
		c = &catalog.DropDatabase{Catalog: cat, Name: name, IfExists: s.IfExists, Cascade: s.Behavior == ast.Cascade}
	default:
		path, err := a.path(s.Name)
		if s.Object == ast.FunctionObject {
			path, err = a.functionPath(s.Name, s.System)
		}
		if err != nil {
			return nil, err
		}
		c = &catalog.Drop{Path: path, Kind: string(s.Object), Temporary: s.Temporary || s.System, IfExists: s.IfExists}
	}
	return &Changes{List: []catalog.Change{c}}, nil
}

func (a *analyzer) alter(s *ast.Alter) (*Changes, error) {
	var c catalog.Change
	var err error
	switch s.Object {
	case ast.TableObject, ast.ViewObject:
		c, err = a.alterObject(s)
	case ast.FunctionObject:
		c, err = a.alterFunction(s)
	default:
		c, err = a.alterSpace(s)
	}
	if err != nil {
		return nil, err
	}
	if c == nil { // IF EXISTS, and it does not
		return &Changes{}, nil
	}
	return &Changes{List: []catalog.Change{c}}, nil
}

// alterSpace changes options or the comment of a database or catalog.
func (a *analyzer) alterSpace(s *ast.Alter) (catalog.Change, error) {
	c := &catalog.Describe{Catalog: s.Name.Parts[0].Name}
	var err error
	if s.Object == ast.DatabaseObject {
		if c.Catalog, c.Database, err = a.databasePath(s.Name); err != nil {
			return nil, err
		}
	}
	switch action := s.Action.(type) {
	case *ast.SetOptions:
		c.Set, err = a.optionMap(action.Options)
	case *ast.ResetOptions:
		for _, k := range action.Keys {
			c.Reset = append(c.Reset, k.Value)
		}
	case *ast.SetComment:
		c.Comment = &action.Comment.Value
	default:
		err = a.unsupported(s.Action, "this change")
	}
	return c, err
}

func (a *analyzer) alterFunction(s *ast.Alter) (catalog.Change, error) {
	action, ok := s.Action.(*ast.SetFunction)
	if !ok {
		return nil, a.unsupported(s.Action, "this change")
	}
	path, err := a.functionPath(s.Name, s.System)
	if err != nil {
		return nil, err
	}
	was, ok := a.Catalog.LookupFunction(path)
	if !ok {
		if s.IfExists {
			return nil, nil
		}
		return nil, a.missing(s.Name, "FUNCTION", path, a.Catalog.Functions(path.Catalog, path.Database))
	}
	f, err := a.functionOf(s, action.As, action.Language)
	if err != nil {
		return nil, err
	}
	return &catalog.Alter{Path: path, Was: was, Object: f}, nil
}

// alterObject changes a table or view.
func (a *analyzer) alterObject(s *ast.Alter) (catalog.Change, error) {
	path, err := a.path(s.Name)
	if err != nil {
		return nil, err
	}
	o, ok := a.Catalog.Lookup(path)
	switch {
	case ok && o.ObjectKind() != string(s.Object):
		return nil, a.hinted(s.Name, "ALTER "+o.ObjectKind(), "%s is a %s", path, o.ObjectKind())
	case !ok && s.IfExists:
		return nil, nil
	case !ok:
		return nil, a.missing(s.Name, string(s.Object), path, a.Catalog.Objects(path.Catalog, path.Database))
	}
	if r, ok := s.Action.(*ast.Rename); ok {
		to, err := a.path(r.To)
		if err != nil {
			return nil, err
		}
		if len(r.To.Parts) > 1 && (to.Catalog != path.Catalog || to.Database != path.Database) {
			return nil, a.unsupported(r.To, "moving to another database")
		}
		return &catalog.Rename{Path: path, To: to.Name, Kind: string(s.Object), IfExists: s.IfExists}, nil
	}
	if was, ok := o.(*catalog.View); ok {
		return a.alterView(s, path, was)
	}
	return a.alterTable(s, path, o.(*catalog.Table))
}

func (a *analyzer) alterView(s *ast.Alter, path catalog.Path, was *catalog.View) (catalog.Change, error) {
	q, ok := s.Action.(*ast.SetQuery)
	if !ok {
		return nil, a.unsupported(s.Action, "this change")
	}
	a.expanding = append(a.expanding, path) // a view that would read itself is refused
	v, err := a.viewOf(q.Query)
	if err != nil {
		return nil, err
	}
	v.Comment = was.Comment
	return &catalog.Alter{Path: path, Was: was, Object: v}, nil
}

func (a *analyzer) alterTable(s *ast.Alter, path catalog.Path, was *catalog.Table) (catalog.Change, error) {
	t := *was
	t.Columns = slices.Clone(was.Columns)
	t.PrimaryKey = slices.Clone(was.PrimaryKey)
	t.PartitionedBy = slices.Clone(was.PartitionedBy)
	t.Options = maps.Clone(was.Options)
	if t.Options == nil {
		t.Options = make(map[string]string)
	}
	if err := a.alterWith(s.Action, &t); err != nil {
		return nil, err
	}
	if err := a.checkTable(s.Action, path, &t); err != nil {
		return nil, err
	}
	return &catalog.Alter{Path: path, Was: was, Object: &t}, nil
}

// alterWith changes a copy.
func (a *analyzer) alterWith(action ast.AlterAction, t *catalog.Table) error {
	switch action := action.(type) {
	case *ast.SetOptions:
		options, err := a.optionMap(action.Options)
		maps.Copy(t.Options, options)
		return err
	case *ast.ResetOptions:
		for _, k := range action.Keys {
			if k.Value == "connector" {
				return a.failf(k, "the option 'connector' can't be reset: every table has one")
			}
			delete(t.Options, k.Value)
		}
		return nil
	case *ast.RenameColumn:
		return a.renameColumn(action, t)
	case *ast.DropColumns:
		return a.dropColumns(action, t)
	case *ast.DropPart:
		return a.dropPart(action, t)
	case *ast.ChangeSchema:
		return a.changeSchema(action, t)
	default:
		return a.unsupported(action, "this change")
	}
}

// ownColumn returns the position of a column that a name of one part means.
func (a *analyzer) ownColumn(n ast.Name, t *catalog.Table) (int, error) {
	if len(n.Parts) != 1 {
		return 0, a.unsupported(n, "a change of a field of a column")
	}
	i := slices.Index(columnNames(t), n.Parts[0].Name)
	if i < 0 {
		return 0, a.hinted(n, didYouMean(n.Parts[0].Name, columnNames(t)), "the table has no column %s", n)
	}
	return i, nil
}

// fixed refuses a change of a column that a key, a partition or the watermark is made of.
func (a *analyzer) fixed(at ranged, name string, t *catalog.Table) error {
	switch {
	case slices.Contains(t.PrimaryKey, name):
		return a.failf(at, "column %s is part of the primary key", catalog.Quoted(name))
	case slices.Contains(t.PartitionedBy, name):
		return a.failf(at, "the table is partitioned by column %s", catalog.Quoted(name))
	case t.Watermark != nil && t.Watermark.Column == name:
		return a.failf(at, "the watermark is for column %s", catalog.Quoted(name))
	default:
		return nil
	}
}

func (a *analyzer) renameColumn(r *ast.RenameColumn, t *catalog.Table) error {
	i, err := a.ownColumn(r.From, t)
	if err != nil {
		return err
	}
	if len(r.To.Parts) != 1 {
		return a.unsupported(r.To, "a change of a field of a column")
	}
	to := r.To.Parts[0].Name
	if t.Column(to) != nil {
		return a.failf(r.To, "the table has a column %s already", r.To)
	}
	old := t.Columns[i].Name
	for _, names := range [][]string{t.PrimaryKey, t.PartitionedBy} {
		if at := slices.Index(names, old); at >= 0 {
			names[at] = to
		}
	}
	if t.Watermark != nil && t.Watermark.Column == old {
		return a.fixed(r.From, old, t)
	}
	if t.Columns[i].Kind == catalog.Metadata && t.Columns[i].MetadataKey == old {
		return a.unsupported(r.From, "renaming a metadata column without FROM")
	}
	t.Columns[i].Name = to
	return nil
}

func (a *analyzer) dropColumns(d *ast.DropColumns, t *catalog.Table) error {
	for _, n := range d.Columns {
		i, err := a.ownColumn(n, t)
		if err != nil {
			return err
		}
		if err := a.fixed(n, t.Columns[i].Name, t); err != nil {
			return err
		}
		t.Columns = slices.Delete(t.Columns, i, i+1)
	}
	if len(t.Columns) == 0 {
		return a.failf(d, "the table would have no columns")
	}
	return nil
}

func (a *analyzer) dropPart(d *ast.DropPart, t *catalog.Table) error {
	switch d.Kind {
	case ast.DropPrimaryKey, ast.DropConstraint:
		if t.PrimaryKey == nil {
			return a.failf(d, "the table has no primary key")
		}
		t.PrimaryKey = nil
	case ast.DropWatermark:
		if t.Watermark == nil {
			return a.failf(d, "the table has no watermark")
		}
		t.Watermark = nil
	default:
		return a.unsupported(d, "DISTRIBUTED")
	}
	return nil
}

// changeSchema adds or modifies columns, the key and the watermark.
func (a *analyzer) changeSchema(c *ast.ChangeSchema, t *catalog.Table) error {
	if c.Distributed != nil {
		return a.unsupported(c.Distributed, "DISTRIBUTED")
	}
	for _, change := range c.Columns {
		if err := a.changeColumn(change, c.Modify, t); err != nil {
			return err
		}
	}
	for _, k := range c.Constraints {
		if c.Modify {
			t.PrimaryKey = nil
		}
		if err := a.primaryKey(t, k, k.Columns); err != nil {
			return err
		}
	}
	for i, w := range c.Watermarks {
		var err error
		if t.Watermark, err = a.watermarkOf(w, t.Watermark != nil && (!c.Modify || i > 0)); err != nil {
			return err
		}
	}
	return nil
}

func (a *analyzer) changeColumn(change *ast.ColumnChange, modify bool, t *catalog.Table) error {
	def, err := a.column(change.Column)
	if err != nil {
		return err
	}
	at := len(t.Columns)
	old := slices.Index(columnNames(t), def.Name)
	switch {
	case modify && old < 0:
		return a.hinted(change.Column.Name, didYouMean(def.Name, columnNames(t)), "the table has no column %s", change.Column.Name)
	case !modify && old >= 0:
		return a.failf(change.Column.Name, "the table has a column %s already", change.Column.Name)
	case modify:
		if slices.Contains(t.PrimaryKey, def.Name) {
			def.Type.Nullable = false
		}
		at = old
		t.Columns = slices.Delete(t.Columns, old, old+1)
	}
	switch {
	case change.First:
		at = 0
	case change.After != nil:
		i, err := a.ownColumn(*change.After, t)
		if err != nil {
			return err
		}
		at = i + 1
	}
	t.Columns = slices.Insert(t.Columns, at, def)
	if change.Column.Constraint != nil {
		return a.primaryKey(t, change.Column.Constraint, change.Column.Name.Parts)
	}
	return nil
}
