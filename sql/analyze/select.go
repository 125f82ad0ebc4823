package analyze

import (
	"fmt"
	"slices"

	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
	"millrace/types"
)

// selection is a SELECT on its way from FROM to its result.
type selection struct {
	*binder
	tree *ast.Select
	from relation
	// node is the stage at hand. Without keys it has the columns of FROM first; with keys it is behind an aggregation, and
	// expressions are found by fingerprint.
	node  plan.Node
	keys  map[string]int
	slots []*slot
	// window is that of GROUP BY, as it was written there.
	window *groupWindow
	items  []item
	groups []group
	sets   [][]int
}

// item is a column of the select list.
type item struct {
	name string
	x    expr.Expr
	at   ranged
}

// selects binds a SELECT with the ORDER BY of its query.
func (a *analyzer) selects(tree *ast.Select, e *env, orderBy []*ast.OrderItem) (relation, error) {
	from, err := a.fromList(tree, e)
	if err != nil {
		return relation{}, err
	}
	s := &selection{tree: tree, from: from, node: from.node}
	s.binder = a.binder(e, &scope{relation: from, outer: e.outer}, "")
	s.sel = s
	if err := s.where(); err != nil {
		return relation{}, err
	}
	if err := s.bindItems(); err != nil {
		return relation{}, err
	}
	having, err := s.clauseOf(tree.Having, "HAVING", aggregates|subqueries)
	if err != nil {
		return relation{}, err
	}
	order, err := s.orderItems(orderBy)
	if err != nil {
		return relation{}, err
	}
	qualify, err := s.qualify()
	if err != nil {
		return relation{}, err
	}
	if tree.GroupBy != nil || tree.Having != nil || s.has(callSlot, propertySlot) {
		if err := s.aggregateStage(); err != nil {
			return relation{}, err
		}
		if s.oneRowEach(having) {
			return s.oneRow(having)
		}
	}
	if err := s.filter(s.untied(having)); err != nil {
		return relation{}, err
	}
	if err := s.overStage(); err != nil {
		return relation{}, err
	}
	if err := s.filterOne(tree.Qualify, qualify); err != nil {
		return relation{}, err
	}
	return s.finish(order, orderBy)
}

// with returns the binder of a clause.
func (s *selection) with(clause string, allow allowed) *binder {
	b := *s.binder
	b.clause, b.allow = clause, allow
	return &b
}

// conjunct is a part of a condition: bound, or a subquery that becomes a semi-join.
type conjunct struct {
	at    ranged
	x     expr.Expr
	query *membership
}

// clauseOf binds a condition, AND by AND.
func (s *selection) clauseOf(e ast.Expr, clause string, allow allowed) ([]conjunct, error) {
	if e == nil {
		return nil, nil
	}
	b := s.with(clause, allow)
	b.outer = s.env.correlated != nil
	var out []conjunct
	for _, part := range operands(e, ast.And) {
		if m := membershipOf(part); m != nil {
			if err := m.bind(b, ""); err != nil {
				return nil, err
			}
			out = append(out, conjunct{at: part, query: m})
			continue
		}
		x, err := b.condition(part)
		if err != nil {
			return nil, err
		}
		out = append(out, conjunct{at: part, x: x})
	}
	return out, nil
}

func (s *selection) where() error {
	parts, err := s.clauseOf(s.tree.Where, "WHERE", subqueries)
	if err != nil {
		return err
	}
	return s.filter(s.untied(parts))
}

// filter keeps the rows of the stage for which all conditions hold.
func (s *selection) filter(parts []conjunct) error {
	var plain []expr.Expr
	var at ranged
	for _, p := range parts {
		if p.x == nil {
			continue
		}
		x, err := s.settle(p.at, p.x)
		if err != nil {
			return err
		}
		if at == nil {
			at = p.at
		}
		plain = append(plain, x)
	}
	if len(plain) > 0 {
		condition, err := s.joined(at, "AND", plain)
		if err != nil {
			return err
		}
		if s.node, err = s.add(&plan.Filter{Input: s.node, Condition: condition}, at); err != nil {
			return err
		}
	}
	for _, p := range parts {
		if p.query == nil {
			continue
		}
		if err := s.semiJoin(p.query); err != nil {
			return err
		}
	}
	return nil
}

// bindItems binds GROUP BY and the select list.
func (s *selection) bindItems() error {
	if err := s.groupBy(); err != nil {
		return err
	}
	b := s.with("SELECT", anything)
	b.outer = s.env.correlated != nil
	for i, it := range s.tree.Items {
		if star, ok := it.X.(*ast.Star); ok {
			if err := s.star(star); err != nil {
				return err
			}
			continue
		}
		x, err := b.bind(it.X)
		if err != nil {
			return err
		}
		s.items = append(s.items, item{name: itemName(it, i), x: x, at: it})
	}
	if len(s.items) > ColumnsMax {
		return s.failf(s.tree, "%d columns, more than %d", len(s.items), ColumnsMax)
	}
	return nil
}

// itemName is the alias, the name of a column or field, or one by position.
func itemName(it *ast.SelectItem, i int) string {
	if it.Alias != nil {
		return it.Alias.Name
	}
	switch x := it.X.(type) {
	case *ast.ColumnRef:
		return x.Name.Parts[len(x.Name.Parts)-1].Name
	case *ast.FieldOf:
		return x.Field.Name
	}
	return fmt.Sprintf("EXPR$%d", i)
}

// star spells out * and t.*; of a ROW column its fields.
func (s *selection) star(star *ast.Star) error {
	qualifier := star.Qualifier.Strings()
	found := 0
	var texts []string
	for i := range s.from.cols {
		c := &s.from.cols[i]
		if !c.answers(qualifier) || c.hidden && len(qualifier) == 0 {
			continue
		}
		def := s.from.column(c)
		col := &expr.Column{Index: c.index, Name: c.name, T: def.Type}
		s.places[col] = star.Span
		s.items = append(s.items, item{name: c.name, x: col, at: star})
		texts = append(texts, sqlName(append(slices.Clone(c.from), c.name)...))
		found++
	}
	if found > 0 {
		s.edit(star.Span, texts)
		return nil
	}
	if len(qualifier) == 0 {
		return s.failf(star, "* has no columns without FROM")
	}
	return s.rowStar(star)
}

// rowStar is a.b.* of a ROW column.
func (s *selection) rowStar(star *ast.Star) error {
	if ref, _ := s.scope.lookup(star.Qualifier.Parts); ref.column == nil {
		return s.hinted(star, didYouMean(star.Qualifier.Parts[0].Name, s.scope.tables()), "no table %s here", star.Qualifier)
	}
	row, err := s.with("SELECT", nothing).columnRef(&ast.ColumnRef{Span: star.Qualifier.Span, Name: star.Qualifier})
	if err != nil {
		return err
	}
	t := row.Type()
	if t.Kind != types.Row {
		return s.failf(star, "%s is %s: only tables and ROWs have .*", star.Qualifier, t)
	}
	var texts []string
	for _, f := range t.Fields {
		x, err := s.field(star, row, f.Name)
		if err != nil {
			return err
		}
		s.items = append(s.items, item{name: f.Name, x: x, at: star})
		texts = append(texts, sqlName(append(star.Qualifier.Strings(), f.Name)...))
	}
	s.edit(star.Span, texts)
	return nil
}

// qualify binds QUALIFY.
func (s *selection) qualify() (expr.Expr, error) {
	if s.tree.Qualify == nil {
		return nil, nil
	}
	return s.with("QUALIFY", anything).condition(s.tree.Qualify)
}

// filterOne keeps the rows for which one condition holds.
func (s *selection) filterOne(at ranged, x expr.Expr) error {
	if x == nil {
		return nil
	}
	return s.filter([]conjunct{{at: at, x: x}})
}

// sortItem is an item of ORDER BY: a column of the result by position, or an expression.
type sortItem struct {
	column int
	x      expr.Expr
}

// orderItems binds ORDER BY: a name of the select list comes before one of FROM.
func (s *selection) orderItems(list []*ast.OrderItem) ([]sortItem, error) {
	out := make([]sortItem, len(list))
	b := s.with("ORDER BY", anything)
	for i, o := range list {
		var err error
		if out[i].column, err = s.ordinal(o.X, len(s.items)); err != nil {
			return nil, err
		}
		if c, ok := o.X.(*ast.ColumnRef); ok && len(c.Name.Parts) == 1 && out[i].column == noColumn {
			out[i].column = slices.IndexFunc(s.items, func(it item) bool { return it.name == c.Name.Parts[0].Name })
		}
		if out[i].column != noColumn {
			continue
		}
		if out[i].x, err = b.bind(o.X); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// finish computes the select list, makes rows distinct, and sorts.
func (s *selection) finish(order []sortItem, orderBy []*ast.OrderItem) (relation, error) {
	columns := make([]expr.Expr, len(s.items))
	for i, it := range s.items {
		if namesOuter(it.x) {
			return relation{}, s.unsupported(it.at, "a column of the query around in the select list of a subquery that does not aggregate, or has GROUP BY,")
		}
		var err error
		if columns[i], err = s.settle(it.at, it.x); err != nil {
			return relation{}, err
		}
	}
	sorts := make([]plan.Order, len(order))
	for i, o := range order {
		sorts[i] = direction(orderBy[i])
		if sorts[i].Column = o.column; o.column != noColumn {
			continue
		}
		x, err := s.settle(orderBy[i], o.x)
		if err != nil {
			return relation{}, err
		}
		if columns, sorts[i].Column = appended(columns, x); s.tree.Quantifier == ast.Distinct && sorts[i].Column >= len(s.items) {
			return relation{}, s.failf(orderBy[i], "ORDER BY of a SELECT DISTINCT can name columns of its result alone")
		}
	}
	result := make(plan.Schema, len(s.items))
	for i, it := range s.items {
		result[i] = resultColumn(it.name, columns[i], s.node.Schema())
	}
	node, err := s.result(columns, result, sorts, orderBy)
	if err != nil {
		return relation{}, err
	}
	r := named(node)
	r.cols = r.cols[:len(s.items)] // those behind are for conditions with columns of the query around
	return r, nil
}

func (s *selection) result(columns []expr.Expr, result plan.Schema, sorts []plan.Order, orderBy []*ast.OrderItem) (plan.Node, error) {
	switch {
	case s.env.correlated.tied():
		return s.tiedResult(columns[:len(result)], result)
	case s.tree.Quantifier == ast.Distinct:
		node, err := s.projected(s.node, s.tree, columns, result)
		if err != nil {
			return nil, err
		}
		if node, err = s.distinct(node); err != nil || len(sorts) == 0 {
			return node, err
		}
		return s.add(&plan.Sort{Input: node, Order: sorts, Limit: -1}, orderBy[0])
	case len(sorts) > 0:
		return s.sorted(s.node, orderBy[0], columns, result, sorts)
	default:
		return s.projected(s.node, s.tree, columns, result)
	}
}

// distinct groups by all columns.
func (s *selection) distinct(n plan.Node) (plan.Node, error) {
	result := slices.Clone(n.Schema())
	keys := make([]int, len(result))
	for i := range result {
		keys[i] = i
		result[i].Time = plan.NoTime
		if err := s.groupable(s.tree, result[i].Type); err != nil {
			return nil, err
		}
	}
	agg := &plan.Aggregate{Input: n, Keys: keys, Result: result}
	keepWindowTimes(agg)
	return s.add(agg, s.tree)
}
