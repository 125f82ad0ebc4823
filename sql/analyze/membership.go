package analyze

import (
	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
)

// membership is IN (query) or EXISTS (query): as a condition of its own a semi-join or anti-join, else a value.
type membership struct {
	at    ast.Expr
	not   bool
	left  []ast.Expr // of IN; none for EXISTS
	tree  *ast.Query
	bound []expr.Expr
	right *nested
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

// bind binds both sides. Alike is that of the correlation.
func (m *membership) bind(b *binder, alike string) error {
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
	if m.right, err = b.nested(m.tree, alike); err != nil {
		return err
	}
	if n := len(m.right.cols); m.left != nil && n != len(m.left) {
		return b.failf(m.tree, "the query of IN has %d columns, the row on its left %d", n, len(m.left))
	}
	return nil
}

// oneMember is the condition where the query has one row for each of the stage, or none where HAVING does not hold.
func (s *selection) oneMember(m *membership) (expr.Expr, error) {
	if m.left == nil && len(m.right.tie.one.having) == 0 {
		return expr.Bool(!m.not), nil
	}
	left, err := s.settleAll(m.at, m.bound)
	if err != nil {
		return nil, err
	}
	one, err := s.joinOneRow(m.at, m.right)
	if err != nil {
		return nil, err
	}
	parts := make([]expr.Expr, 0, len(left)+1)
	for _, h := range one.having { // so that nothing is NULL for want of a row
		x, err := s.apply(m.at, "IS TRUE", h)
		if err != nil {
			return nil, err
		}
		parts = append(parts, x)
	}
	for i, x := range left {
		eq, err := s.apply(m.at, "=", x, one.columns[i])
		if err != nil {
			return nil, err
		}
		parts = append(parts, eq)
	}
	in, err := s.joined(m.at, "AND", parts)
	if err != nil || !m.not {
		return in, err
	}
	return s.apply(m.at, "NOT", in)
}

// semiJoin keeps the rows of the stage that have a partner in the query, or those that have none.
func (s *selection) semiJoin(m *membership) error {
	if m.right.tie.one != nil {
		x, err := s.oneMember(m)
		if err != nil {
			return err
		}
		s.node, err = s.add(&plan.Filter{Input: s.node, Condition: x}, m.at)
		return err
	}
	left, err := s.settleAll(m.at, m.bound)
	if err != nil {
		return err
	}
	width := len(s.node.Schema()) // a scalar subquery on the left may have widened the stage
	ties, err := s.tiesOver(m.at, m.right, width)
	if err != nil {
		return err
	}
	join := &plan.Join{Kind: plan.Semi, Left: s.node, Right: m.right.node, Result: s.node.Schema()}
	if m.not {
		join.Kind = plan.Anti
		join.NullAware = m.nullable(left) && len(ties) == 0
	}
	// A row that meets the ties keeps a left one out unless it is known to differ from it; one that does not meet them, or may not, is none of the query's.
	equal, err := s.equalities(m, left, width, m.not && len(ties) > 0)
	if err != nil {
		return err
	}
	if parts := append(equal, ties...); len(parts) > 0 {
		if join.Condition, err = s.joined(m.at, "AND", parts); err != nil {
			return err
		}
	}
	s.node, err = s.add(join, m.at)
	return err
}

// equalities compare the left side of IN with the columns of the query, which stand behind the stage's, of which there are width. Or they ask whether both
// are not known to differ.
func (s *selection) equalities(m *membership, left []expr.Expr, width int, orUnknown bool) ([]expr.Expr, error) {
	parts := make([]expr.Expr, len(left))
	for i, x := range left {
		right := columnOf(m.right.node, m.right.cols[i].index)
		right.Index += width
		var err error
		if parts[i], err = s.apply(m.at, "=", x, right); err != nil {
			return nil, err
		}
		if orUnknown && parts[i].Type().Nullable {
			if parts[i], err = s.apply(m.at, "IS NOT FALSE", parts[i]); err != nil {
				return nil, err
			}
		}
	}
	return parts, nil
}

// nullable tells whether a comparison of the left side with the query's columns can be unknown.
func (m *membership) nullable(left []expr.Expr) bool {
	for i, x := range left {
		if x.Type().Nullable || m.right.typeOf(i).Nullable {
			return true
		}
	}
	return false
}
