package analyze

import (
	"fmt"
	"slices"

	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
	"millrace/types"
)

// env is what a query sees of those around it.
type env struct {
	ctes *cte
	// outer is the scope of the query around, nil where its columns are not to be seen.
	outer *scope
	// correlated collects what ties the query to the one around; nil where nothing can.
	correlated *correlation
}

// cte is a query of WITH, with those before it.
type cte struct {
	name     string
	relation relation
	next     *cte
}

func (c *cte) find(name string) *cte {
	for ; c != nil; c = c.next {
		if c.name == name {
			return c
		}
	}
	return nil
}

// query returns the result of a whole query. Its columns have no qualifier.
func (a *analyzer) query(q *ast.Query, e *env) (relation, error) {
	a.depth++
	defer func() { a.depth-- }()
	if a.depth > QueryDepthMax {
		return relation{}, a.failf(q, "queries are nested deeper than %d", QueryDepthMax)
	}
	inner := *e
	for _, w := range q.With {
		r, err := a.query(w.Query, &env{ctes: inner.ctes})
		if err != nil {
			return relation{}, err
		}
		if w.Columns != nil {
			if r, err = a.aliased(r, &ast.TableAlias{Span: w.Span, Name: w.Name, Columns: w.Columns}); err != nil {
				return relation{}, err
			}
		}
		inner.ctes = &cte{name: w.Name.Name, relation: r, next: inner.ctes}
	}
	limit := rowLimit{limit: q.Limit, offset: q.Offset}
	if s, ok := q.Body.(*ast.Select); ok {
		r, err := a.selects(s, &inner, q.OrderBy)
		if err != nil {
			return r, err
		}
		return a.limited(r, limit)
	}
	if e.correlated != nil {
		inner.correlated, inner.outer = nil, e.outer
	}
	r, err := a.body(q.Body, &inner)
	if err != nil {
		return r, err
	}
	if r, err = a.ordered(r, q.OrderBy, &inner); err != nil {
		return r, err
	}
	return a.limited(r, limit)
}

func (a *analyzer) body(b ast.QueryBody, e *env) (relation, error) {
	switch b := b.(type) {
	case *ast.Select:
		return a.selects(b, e, nil)
	case *ast.SetOp:
		return a.setOp(b, e)
	case *ast.Values:
		return a.values(b, e)
	case *ast.TableQuery:
		r, err := a.tableNamed(&ast.TableName{Span: b.Span, Name: b.Name}, e)
		if err != nil {
			return r, err
		}
		return named(r.node), nil
	case *ast.Query:
		return a.query(b, e)
	default:
		return relation{}, a.failf(b, "%s is no query", ast.Print(b))
	}
}

// rowLimit is LIMIT and OFFSET as they are written.
type rowLimit struct{ limit, offset ast.Expr }

// limited adds them to the sort below, or makes a node of their own.
func (a *analyzer) limited(r relation, l rowLimit) (relation, error) {
	if l.limit == nil && l.offset == nil {
		return r, nil
	}
	limit, offset := int64(-1), int64(0)
	at := l.limit
	var err error
	if l.limit != nil {
		if limit, err = a.count(l.limit); err != nil {
			return r, err
		}
	}
	if l.offset != nil {
		if offset, err = a.count(l.offset); err != nil {
			return r, err
		}
		at = l.offset
	}
	// The order is below a projection where it goes by columns that are not in the result.
	if p, ok := r.node.(*plan.Project); ok {
		if s, ok := p.Input.(*plan.Sort); ok && unlimited(s) {
			sort, err := a.add(&plan.Sort{Input: s.Input, Order: s.Order, Limit: limit, Offset: offset}, at)
			if err != nil {
				return r, err
			}
			r.node, err = a.add(p.With(sort), at)
			return r, err
		}
	}
	sort := &plan.Sort{Input: r.node, Limit: limit, Offset: offset}
	if s, ok := r.node.(*plan.Sort); ok && unlimited(s) {
		sort.Input, sort.Order = s.Input, s.Order
	}
	r.node, err = a.add(sort, at)
	return r, err
}

func unlimited(s *plan.Sort) bool { return s.Limit < 0 && s.Offset == 0 }

// ordered sorts a result by its own columns, where there is no SELECT to look into: by name, number or expression.
func (a *analyzer) ordered(r relation, items []*ast.OrderItem, e *env) (relation, error) {
	if len(items) == 0 {
		return r, nil
	}
	b := a.binder(e, &scope{relation: r}, "ORDER BY")
	width := len(r.node.Schema())
	columns := make([]expr.Expr, width)
	for i := range columns {
		columns[i] = columnOf(r.node, i)
	}
	order := make([]plan.Order, len(items))
	for i, item := range items {
		order[i] = direction(item)
		at, err := a.ordinal(item.X, len(r.cols))
		if err != nil {
			return r, err
		}
		if at != noColumn {
			order[i].Column = r.cols[at].index
			continue
		}
		x, err := b.bind(item.X)
		if err != nil {
			return r, err
		}
		columns, order[i].Column = appended(columns, x)
	}
	node, err := a.sorted(r.node, items[0], columns, r.node.Schema(), order)
	return relation{node: node, cols: r.cols}, err
}

// ordinal returns the position, from 0, that a number in ORDER BY means; noColumn for anything else.
func (a *analyzer) ordinal(e ast.Expr, width int) (int, error) {
	l, ok := e.(*ast.Literal)
	if !ok || l.Kind != ast.IntegerLiteral {
		return noColumn, nil
	}
	n, err := a.count(e)
	if err != nil || n < 1 || n > int64(width) {
		return noColumn, a.failf(e, "ORDER BY %s: the result has columns 1 to %d", l.Text, width)
	}
	return int(n) - 1, nil
}

// appended returns the place of an expression in a list, which it is added to if it is not there.
func appended(list []expr.Expr, e expr.Expr) ([]expr.Expr, int) {
	key := fingerprint(e)
	for i, have := range list {
		if fingerprint(have) == key {
			return list, i
		}
	}
	return append(list, e), len(list)
}

// sorted orders by columns of which those behind the result are for the order alone.
func (a *analyzer) sorted(n plan.Node, at ranged, columns []expr.Expr, result plan.Schema, order []plan.Order) (plan.Node, error) {
	full := slices.Clone(result)
	for _, c := range columns[len(result):] {
		full = append(full, resultColumn("EXPR$", c, n.Schema()))
	}
	for _, o := range order {
		if t := full[o.Column].Type; t.Layout() >= types.LayoutList {
			return nil, a.failf(at, "values of type %s have no order", t)
		}
	}
	node, err := a.projected(n, at, columns, full)
	if err != nil {
		return nil, err
	}
	if node, err = a.add(&plan.Sort{Input: node, Order: order, Limit: -1}, at); err != nil || len(full) == len(result) {
		return node, err
	}
	kept := make([]expr.Expr, len(result))
	for i := range kept {
		kept[i] = columnOf(node, i)
	}
	return a.projected(node, at, kept, result)
}

// values makes rows of constants; a row that is no constant is an error.
func (a *analyzer) values(v *ast.Values, e *env) (relation, error) {
	b := a.binder(e, &scope{}, "VALUES")
	rows := make([][]expr.Expr, len(v.Rows))
	for i, row := range v.Rows {
		items := []ast.Expr{row}
		if r, ok := row.(*ast.Row); ok {
			items = r.Items
		}
		var err error
		if rows[i], err = b.bindAll(items); err != nil {
			return relation{}, err
		}
		if len(rows[i]) != len(rows[0]) {
			return relation{}, a.failf(row, "row %d has %d values, the first has %d", i+1, len(rows[i]), len(rows[0]))
		}
	}
	result := make(plan.Schema, len(rows[0]))
	for c := range result {
		ts := make([]types.Type, len(rows))
		for i := range rows {
			ts[i] = rows[i][c].Type()
		}
		t, err := expr.CommonType(ts...)
		if err != nil {
			return relation{}, a.wrap(v, fmt.Errorf("column %d of VALUES: %w", c+1, err))
		}
		result[c] = plan.Column{Name: fmt.Sprintf("EXPR$%d", c), Type: t}
		for i := range rows {
			if rows[i][c], err = a.castTo(v.Rows[i], rows[i][c], t); err != nil {
				return relation{}, err
			}
		}
	}
	n, err := a.add(&plan.Values{Rows: rows, Result: result}, v)
	if err != nil {
		return relation{}, err
	}
	return named(n), nil
}

// setOp combines queries. A chain of one operation that has any number of inputs is one node.
func (a *analyzer) setOp(s *ast.SetOp, e *env) (relation, error) {
	var branches []ast.QueryBody
	for left := ast.QueryBody(s); ; {
		op, ok := left.(*ast.SetOp)
		if !ok || op.Op != s.Op || op.All != s.All || s.Op != ast.Union && len(branches) > 0 {
			branches = append(branches, left)
			break
		}
		branches = append(branches, op.Right)
		left = op.Left
	}
	slices.Reverse(branches)
	inputs := make([]relation, len(branches))
	for i, b := range branches {
		var err error
		if inputs[i], err = a.body(b, e); err != nil {
			return relation{}, err
		}
		if n, want := len(inputs[i].cols), len(inputs[0].cols); n != want {
			return relation{}, a.failf(b, "%s of queries with %d and %d columns", s.Op, want, n)
		}
	}
	result, err := a.unified(s, inputs)
	if err != nil {
		return relation{}, err
	}
	set := &plan.Set{Kind: plan.SetKind(s.Op), All: s.All, Result: result}
	for _, in := range inputs {
		columns := make([]expr.Expr, len(result))
		for i, c := range in.cols {
			if columns[i], err = a.castTo(s, columnOf(in.node, c.index), result[i].Type); err != nil {
				return relation{}, err
			}
		}
		branch := slices.Clone(result)
		for i := range branch {
			branch[i].Type.Nullable = columns[i].Type().Nullable
		}
		n, err := a.projected(in.node, s, columns, branch)
		if err != nil {
			return relation{}, err
		}
		set.Of = append(set.Of, n)
	}
	n, err := a.add(set, s)
	if err != nil {
		return relation{}, err
	}
	return named(n), nil
}

// unified returns the columns of a set operation: names of the first input, common types, and times that all inputs agree on.
func (a *analyzer) unified(s *ast.SetOp, inputs []relation) (plan.Schema, error) {
	result := make(plan.Schema, len(inputs[0].cols))
	for i := range result {
		first := &inputs[0].cols[i]
		def := inputs[0].column(first)
		result[i] = plan.Column{Name: first.name, Time: def.Time}
		ts := make([]types.Type, len(inputs))
		for j := range inputs {
			c := inputs[j].column(&inputs[j].cols[i])
			ts[j] = c.Type
			if c.Time != def.Time || !c.Type.EqualIgnoringNull(def.Type) || !s.All || s.Op != ast.Union {
				result[i].Time = plan.NoTime
			}
		}
		t, err := expr.CommonType(ts...)
		if err != nil {
			return nil, a.wrap(s, fmt.Errorf("column %d of %s (%s): %w", i+1, s.Op, first.name, err))
		}
		result[i].Type = t
	}
	return result, nil
}
