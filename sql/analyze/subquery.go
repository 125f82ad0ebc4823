package analyze

import (
	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
	"millrace/types"
)

// subquery binds a query in the place of a value.
func (b *binder) subquery(e *ast.Subquery) (expr.Expr, error) {
	if b.allow&subqueries == 0 || b.sel == nil {
		return nil, b.unsupported(e, "a subquery in "+b.clause)
	}
	q, err := b.nested(e.Query, "a subquery that is a value")
	if err != nil {
		return nil, err
	}
	if n := len(q.cols); n != 1 {
		return nil, b.failf(e, "a subquery that is a value has one column, this one has %d", n)
	}
	n := b.sel.slot(&slot{kind: querySlot, at: e, query: q, t: q.typeOf(0).AsNullable()})
	return n.placeholder(), nil
}

// typeOf is the type of a column of the select list.
func (n *nested) typeOf(i int) types.Type {
	if n.tie.one != nil {
		return n.tie.one.columns[i].Type()
	}
	return n.column(&n.cols[i]).Type
}

// queryValue returns the value of a subquery over the stage, beside whose columns it is put when it is first asked for.
func (s *selection) queryValue(n *slot) (expr.Expr, error) {
	if n.value != nil {
		return n.value, nil
	}
	var err error
	switch {
	case n.kind == memberSlot:
		n.value, err = s.memberValue(n)
	case n.query.tie.one != nil:
		n.value, err = s.oneValue(n)
	default:
		width := len(s.node.Schema())
		if err = s.joinNested(n.at, n.query, true); err != nil {
			return nil, err
		}
		n.value = columnOf(s.node, width+n.query.cols[0].index)
	}
	return n.value, err
}

// oneValue is the value of a query that aggregates for each row of the stage: NULL where HAVING does not hold.
func (s *selection) oneValue(n *slot) (expr.Expr, error) {
	one, err := s.joinOneRow(n.at, n.query)
	if err != nil {
		return nil, err
	}
	if len(one.having) == 0 {
		return one.columns[0], nil
	}
	having, err := s.joined(n.at, "AND", one.having)
	if err != nil {
		return nil, err
	}
	c, err := expr.NewCase([]expr.When{{If: having, Then: one.columns[0]}}, nil)
	return c, s.wrap(n.at, err)
}

// joinNested puts what a subquery has for each row of the stage behind its columns. Single says that there is one row at most, or else the job fails.
func (s *selection) joinNested(at ranged, q *nested, single bool) error {
	ties, err := s.tiesOver(at, q, len(s.node.Schema()))
	if err != nil {
		return err
	}
	return s.joinLeft(at, q.node, ties, single)
}

// joinLeft puts the columns of rows that meet all conditions behind those of the stage, NULL where there are none.
func (s *selection) joinLeft(at ranged, rows plan.Node, conditions []expr.Expr, single bool) error {
	width := len(s.node.Schema())
	join := &plan.Join{Kind: plan.Left, Left: s.node, Right: rows, Single: single, Result: sideBySide(s.node, rows, plan.Left)}
	for i := range join.Result[width:] {
		join.Result[width+i].Time = plan.NoTime
	}
	var err error
	if len(conditions) > 0 {
		if join.Condition, err = s.joined(at, "AND", conditions); err != nil {
			return err
		}
	}
	s.node, err = s.add(join, at)
	return err
}

// joinOneRow returns the row of a query that aggregates over the stage, beside which its groups are put. Where there is no group, a count is 0 and any other call
// NULL, as over no rows.
func (s *selection) joinOneRow(at ranged, q *nested) (*oneRow, error) {
	width := len(s.node.Schema())
	if err := s.joinNested(at, q, len(q.tie.ties) == 0); err != nil {
		return nil, err
	}
	call := func(c *expr.Column) (expr.Expr, error) {
		x := columnOf(s.node, width+c.Index)
		if c.T.Nullable {
			return x, nil
		}
		zero, err := s.castTo(at, expr.Int(0), c.T)
		if err != nil {
			return nil, err
		}
		return s.apply(at, "COALESCE", x, zero)
	}
	beside := func(list []expr.Expr) ([]expr.Expr, error) {
		out, _, err := each(list, func(e expr.Expr) (expr.Expr, error) { return s.over(at, e, call) })
		return out, err
	}
	var err error
	one := &oneRow{}
	if one.columns, err = beside(q.tie.one.columns); err != nil {
		return nil, err
	}
	one.having, err = beside(q.tie.one.having)
	return one, err
}
