package analyze

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"millrace/catalog"
	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/parser"
	"millrace/sql/plan"
	"millrace/types"
)

// tablePlan is the plan of a table or view.
type tablePlan struct {
	node plan.Node
	err  error
}

// tableNamed is a query of WITH, a view or a table by name.
func (a *analyzer) tableNamed(t *ast.TableName, e *env) (relation, error) {
	if t.Sample != nil {
		return relation{}, a.unsupported(t.Sample, "TABLESAMPLE")
	}
	if len(t.Name.Parts) == 1 {
		if c := e.ctes.find(t.Name.Parts[0].Name); c != nil {
			r, err := a.aliased(c.relation, &ast.TableAlias{Span: t.Span, Name: t.Name.Parts[0]})
			if err != nil {
				return r, err
			}
			return a.aliased(r, t.Alias)
		}
	}
	path, err := a.path(t.Name)
	if err != nil {
		return relation{}, err
	}
	hints, err := a.options(t.Hints)
	if err != nil {
		return relation{}, err
	}
	key := fmt.Sprintf("%q %q", path, hints)
	if a.tables[key] == nil {
		node, err := a.object(t, path, hints)
		a.tables[key] = &tablePlan{node, err}
	}
	p := a.tables[key]
	if p.err != nil {
		return relation{}, p.err
	}
	if a.edits != nil {
		a.edits[t.Name.Span] = sqlName(path.Catalog, path.Database, path.Name)
	}
	return a.aliased(named(p.node, path.Catalog, path.Database, path.Name), t.Alias)
}

// options returns those of an OPTIONS hint.
func (a *analyzer) options(list []*ast.Hint) (map[string]string, error) {
	var out map[string]string
	for _, h := range list {
		if !strings.EqualFold(h.Name.Name, "OPTIONS") {
			return nil, a.unsupported(h, "the hint "+h.Name.Name+" for a table")
		}
		for _, arg := range h.Args {
			if arg.Value == nil {
				return nil, a.failf(arg, "a hint OPTIONS has 'key' = 'value'")
			}
			if out == nil {
				out = make(map[string]string, len(h.Args))
			}
			out[arg.Key] = arg.Value.Value
		}
	}
	return out, nil
}

// object plans what a path leads to.
func (a *analyzer) object(t *ast.TableName, path catalog.Path, hints map[string]string) (plan.Node, error) {
	o, ok := a.Catalog.Lookup(path)
	if !ok {
		return nil, a.missing(t.Name, "OBJECT", path, a.Catalog.Objects(path.Catalog, path.Database))
	}
	switch o := o.(type) {
	case *catalog.View:
		if hints != nil {
			return nil, a.failf(t.Hints[0], "%s is a view: options are those of tables", path)
		}
		return a.viewNode(t, path, o)
	case *catalog.Table:
		return a.tableNode(t, path, o, hints)
	default:
		return nil, a.failf(t, "%s is a %s", path, o.ObjectKind())
	}
}

// viewNode expands a view.
func (a *analyzer) viewNode(at ranged, path catalog.Path, v *catalog.View) (plan.Node, error) {
	switch {
	case slices.Contains(a.expanding, path):
		return nil, a.failf(at, "view %s is defined by itself", path)
	case len(a.expanding) >= ViewDepthMax:
		return nil, a.failf(at, "views stand within views more than %d deep", ViewDepthMax)
	}
	a.expanding = append(a.expanding, path)
	defer func() { a.expanding = a.expanding[:len(a.expanding)-1] }()
	s, err := parser.ParseStatement(v.Query)
	if err != nil {
		return nil, a.failf(at, "the text of view %s can't be read: %v", path, err)
	}
	q, ok := s.(*ast.Query)
	if !ok {
		return nil, a.failf(at, "the text of view %s is no query", path)
	}
	in := a.within(v.Query, "view "+path.String())
	in.depth = a.depth
	r, err := in.query(q, &env{})
	if err != nil {
		return nil, err
	}
	return a.viewColumns(at, path, v.Columns, r)
}

// viewColumns gives the columns of a view their names.
func (a *analyzer) viewColumns(at ranged, path catalog.Path, names []string, r relation) (plan.Node, error) {
	if names == nil {
		return r.node, nil
	}
	if len(names) != len(r.cols) {
		return nil, a.hinted(at, "create the view anew", "view %s has %d columns, its query gives %d", path, len(names), len(r.cols))
	}
	columns := make([]expr.Expr, len(names))
	result := make(plan.Schema, len(names))
	for i := range names {
		columns[i] = columnOf(r.node, r.cols[i].index)
		result[i] = resultColumn(names[i], columns[i], r.node.Schema())
	}
	return a.projected(r.node, at, columns, result)
}

// tableNode reads a table: its stored columns, then those computed of them, then the watermark.
func (a *analyzer) tableNode(at ranged, path catalog.Path, t *catalog.Table, hints map[string]string) (plan.Node, error) {
	if len(hints) > 0 {
		changed := *t
		changed.Options = merged(t.Options, hints)
		t = &changed
	}
	traits, err := a.Connectors.Source(t)
	if err != nil {
		return nil, a.wrap(at, fmt.Errorf("table %s can't be read: %w", path, err))
	}
	scan := &plan.Scan{Path: path, Table: t, Hints: hints}
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Kind == catalog.Computed {
			continue
		}
		typ := c.Type
		if c.Kind == catalog.Metadata {
			if typ, err = a.metadataType(at, path, c, traits.Metadata); err != nil {
				return nil, err
			}
		}
		scan.Columns = append(scan.Columns, i)
		scan.Result = append(scan.Result, plan.Column{Name: c.Name, Type: typ})
	}
	node, err := a.add(scan, at)
	if err != nil {
		return nil, err
	}
	return a.derived(at, path, t, node)
}

func merged(options, hints map[string]string) map[string]string {
	out := make(map[string]string, len(options)+len(hints))
	maps.Copy(out, options)
	maps.Copy(out, hints)
	return out
}

// metadataType is the type that the connector gives a metadata column.
func (a *analyzer) metadataType(at ranged, path catalog.Path, c *catalog.Column, known []types.Field) (types.Type, error) {
	keys := make([]string, len(known))
	for i, f := range known {
		if keys[i] = f.Name; f.Name == c.MetadataKey {
			if !f.Type.EqualIgnoringNull(c.Type) && !expr.CanCast(f.Type, c.Type) {
				return f.Type, a.failf(at, "column %s of %s is %s, its metadata %s", catalog.Quoted(c.Name), path, c.Type, f.Type)
			}
			return f.Type, nil
		}
	}
	return types.Type{}, a.hinted(at, didYouMean(c.MetadataKey, keys), "the connector of %s has no metadata %q, which column %s asks for", path, c.MetadataKey, catalog.Quoted(c.Name))
}

// derived adds computed columns and the watermark to the columns that are read.
func (a *analyzer) derived(at ranged, path catalog.Path, t *catalog.Table, scan plan.Node) (plan.Node, error) {
	in := a.within("", "table "+path.String())
	columns := make([]expr.Expr, len(t.Columns))
	result := make(plan.Schema, len(t.Columns))
	stored := 0
	for i := range t.Columns {
		c := &t.Columns[i]
		var err error
		if c.Kind == catalog.Computed {
			columns[i], err = in.derivedExpr(c.Expr, scan)
		} else {
			columns[i], err = a.castTo(at, columnOf(scan, stored), c.Type)
			stored++
		}
		if err != nil {
			return nil, err
		}
		result[i] = resultColumn(c.Name, columns[i], scan.Schema())
	}
	node, err := a.projected(scan, at, columns, result)
	if err != nil || t.Watermark == nil {
		return node, err
	}
	return in.watermark(at, t.Watermark, node)
}

// derivedExpr binds the text of a computed column or watermark.
func (a *analyzer) derivedExpr(text string, n plan.Node) (expr.Expr, error) {
	a.text = text
	tree, err := parser.ParseExpr(text)
	if err != nil {
		return nil, a.wrap(ast.Span{}, err)
	}
	return a.binder(&env{}, &scope{relation: named(n)}, "the definition of a column").bind(tree)
}

// watermark marks a column as event time.
func (a *analyzer) watermark(at ranged, w *catalog.Watermark, n plan.Node) (plan.Node, error) {
	x, err := a.derivedExpr(w.Expr, n)
	if err != nil {
		return nil, err
	}
	column := n.Schema().Index(w.Column)
	if column < 0 {
		return nil, a.failf(ast.Span{}, "the watermark is for %s, which is no column", catalog.Quoted(w.Column))
	}
	delay, err := a.watermarkDelay(ast.Span{}, x, column)
	if err != nil {
		return nil, err
	}
	result := slices.Clone(n.Schema())
	if t := result[column].Type; !isTimestamp(t) || t.Precision > 3 {
		return nil, a.failf(ast.Span{}, "a watermark needs a column of type TIMESTAMP(0..3) or TIMESTAMP_LTZ(0..3), %s is %s", catalog.Quoted(w.Column), t)
	}
	result[column].Time = plan.EventTime
	return a.add(&plan.Watermark{Input: n, Column: column, Delay: delay, Result: result}, at)
}

func isTimestamp(t types.Type) bool {
	return t.Kind == types.Timestamp || t.Kind == types.TimestampLTZ
}

// watermarkDelay reads a watermark of the form column - INTERVAL, or the column alone.
func (a *analyzer) watermarkDelay(at ranged, x expr.Expr, column int) (time.Duration, error) {
	if c, ok := x.(*expr.Column); ok && c.Index == column {
		return 0, nil
	}
	if call, ok := x.(*expr.Call); ok && call.Func == "-" && len(call.Args) == 2 {
		c, isColumn := call.Args[0].(*expr.Column)
		l, isLiteral := call.Args[1].(*expr.Literal)
		if isColumn && isLiteral && c.Index == column && l.T.Kind == types.IntervalDayTime {
			if v, ok := l.Value.(int64); ok && v >= 0 && v <= int64(1<<63-1)/int64(time.Millisecond) {
				return time.Duration(v) * time.Millisecond, nil
			}
		}
	}
	return 0, a.hinted(at, "WATERMARK FOR t AS t - INTERVAL '5' SECOND", "a watermark other than its column minus a constant interval is not supported yet")
}
