package analyze

import (
	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
)

// membership is IN (query) or EXISTS (query) as a condition of its own.
type membership struct {
	at    ast.Expr
	not   bool
	left  []ast.Expr // of IN; none for EXISTS
	tree  *ast.Query
	bound []expr.Expr
	right relation
	tie   *correlation
}

// membershipOf returns what a condition asks of a query; nil if it is no such condition.
func membershipOf(e ast.Expr) *membership {
	switch e := e.(type) {
	case *ast.Exists:
		return &membership{at: e, tree: e.Query}
	case *ast.Unary:
		if e.Op != ast.Not {
			return nil
		}
		m := membershipOf(e.X)
		if m != nil {
			m.not = !m.not
		}
		return m
	case *ast.In:
		if e.Query == nil {
			return nil
		}
		return &membership{at: e, not: e.Not, left: rowItems(e.X), tree: e.Query}
	case *ast.Quantified:
		isIn := e.Op == ast.Equals && !e.All || e.Op == ast.NotEquals && e.All
		if e.Query == nil || !isIn {
			return nil
		}
		return &membership{at: e, not: e.All, left: rowItems(e.X), tree: e.Query}
	default:
		return nil
	}
}

func rowItems(e ast.Expr) []ast.Expr {
	if r, ok := e.(*ast.Row); ok {
		return r.Items
	}
	return []ast.Expr{e}
}

// bind binds both sides.
func (m *membership) bind(b *binder) error {
	if b.allow&subqueries == 0 {
		return b.unsupported(m.at, "a subquery in "+b.clause)
	}
	var err error
	if m.bound, err = b.bindAll(m.left); err != nil {
		return err
	}
	for i, x := range m.bound {
		if namesOuter(x) {
			return b.unsupported(m.left[i], "a column of the query around on the left of IN (query)")
		}
	}
	m.tie = &correlation{}
	if m.right, err = b.query(m.tree, &env{ctes: b.env.ctes, outer: b.scope, correlated: m.tie}); err != nil {
		return err
	}
	if len(m.tie.conditions) > 0 && (m.tree.Limit != nil || m.tree.Offset != nil) {
		return b.unsupported(m.tree, "LIMIT in a subquery that names columns of the query around")
	}
	if n := len(m.right.cols); m.left != nil && n != len(m.left) {
		return b.failf(m.tree, "the query of IN has %d columns, the row on its left %d", n, len(m.left))
	}
	return nil
}

// semiJoin keeps the rows of the stage that have a partner in the query, or those that have none.
func (s *selection) semiJoin(m *membership, clause string) error {
	var parts []expr.Expr
	nullable := false
	left, err := s.settleAll(m.at, m.bound)
	if err != nil {
		return err
	}
	width := len(s.node.Schema()) // a scalar subquery on the left may have widened the stage
	for i, x := range left {
		right := columnOf(m.right.node, m.right.cols[i].index)
		right.Index += width
		nullable = nullable || x.Type().Nullable || right.T.Nullable
		eq, err := s.apply(m.at, "=", x, right)
		if err != nil {
			return err
		}
		parts = append(parts, eq)
	}
	for _, c := range m.tie.conditions {
		x, err := s.tied(m.at, c, width)
		if err != nil {
			return err
		}
		parts = append(parts, x)
	}
	join := &plan.Join{Kind: plan.Semi, Left: s.node, Right: m.right.node, Result: s.node.Schema()}
	if m.not {
		join.Kind = plan.Anti
		join.NullAware = nullable && len(left) > 0
	}
	if join.NullAware && len(m.tie.conditions) > 0 {
		return s.hinted(m.at, "use NOT EXISTS", "NOT IN of values that may be NULL, with a query that names columns of the one around, in %s is not supported yet", clause)
	}
	if len(parts) > 0 {
		if join.Condition, err = s.joined(m.at, "AND", parts); err != nil {
			return err
		}
	}
	s.node, err = s.add(join, m.at)
	return err
}

// tied rewrites a condition of a subquery for the join: outer columns are those of the stage, its own come behind them.
func (s *selection) tied(at ranged, e expr.Expr, width int) (expr.Expr, error) {
	c, ok := e.(*expr.Column)
	switch {
	case !ok:
		return s.rebuilt(at, e, func(part expr.Expr) (expr.Expr, error) { return s.tied(at, part, width) })
	case c.Index >= outerBase:
		return s.settle(at, &expr.Column{Index: c.Index - outerBase, Name: c.Name, T: c.T})
	default:
		return &expr.Column{Index: c.Index + width, Name: c.Name, T: c.T}, nil
	}
}

// correlatedResult computes the select list and, behind it, the columns that the conditions with outer columns name.
func (s *selection) correlatedResult(columns []expr.Expr, result plan.Schema) (plan.Node, error) {
	if s.keys != nil || s.has(overSlot) {
		return nil, s.unsupported(s.tree, "a subquery with aggregate or OVER calls that names columns of the query around")
	}
	tie := s.env.correlated
	in := s.node.Schema()
	// A condition goes by the places that its columns get in the result.
	var placed func(expr.Expr) (expr.Expr, error)
	placed = func(e expr.Expr) (expr.Expr, error) {
		c, ok := e.(*expr.Column)
		if !ok {
			return s.rebuilt(s.tree, e, placed)
		}
		if c.Index >= outerBase {
			return c, nil
		}
		before := len(columns)
		var at int
		columns, at = appended(columns, c)
		if len(columns) > before {
			result = append(result, in[c.Index])
		}
		return &expr.Column{Index: at, Name: c.Name, T: c.T}, nil
	}
	for i, c := range tie.conditions {
		settled, err := s.settle(s.tree, c)
		if err != nil {
			return nil, err
		}
		in = s.node.Schema()
		if tie.conditions[i], err = placed(settled); err != nil {
			return nil, err
		}
	}
	return s.projected(s.node, s.tree, columns, result)
}
