package analyze

import (
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

// member binds IN (query) or EXISTS in the place of a value.
func (b *binder) member(m *membership, as use) (expr.Expr, error) {
	if b.sel == nil {
		return nil, b.unsupported(m.at, "a subquery in "+b.clause)
	}
	if err := m.bind(b, "IN or EXISTS that is no condition of its own, joined to others by AND"); err != nil {
		return nil, err
	}
	n := b.sel.slot(&slot{kind: memberSlot, at: m.at, member: m, as: as, t: types.Of(types.Boolean)})
	return n.placeholder(), nil
}

// memberValue returns the truth of IN or EXISTS over the stage, beside which stand flags: whether the query has a row that equals the left side; whether it has a row
// that is NULL; whether it has any. So it changes as one of these does, not with each row of the query.
func (s *selection) memberValue(n *slot) (expr.Expr, error) {
	m := n.member
	if m.right.tie.one != nil {
		return s.oneMember(m)
	}
	left, err := s.settleAll(m.at, m.bound)
	if err != nil {
		return nil, err
	}
	x, err := s.flag(m, m.right.node, left)
	if err != nil {
		return nil, err
	}
	if m.nullable(left) && (n.as == asValue || m.not) {
		if x, err = s.orUnknown(m, x, left); err != nil {
			return nil, err
		}
	}
	if m.not {
		return s.apply(m.at, "NOT", x)
	}
	return x, nil
}

// orUnknown is NULL where nothing was found, but a value that is not known may be what is looked for.
func (s *selection) orUnknown(m *membership, found expr.Expr, left []expr.Expr) (expr.Expr, error) {
	if len(left) > 1 {
		return nil, s.hinted(m.at, "let it be a condition of its own, joined to others by AND, or ask whether it IS TRUE", "IN of rows with values that may be NULL, where its truth may be unknown, is not supported yet")
	}
	whens := []expr.When{{If: found, Then: expr.Bool(true)}}
	unknown := func(flag expr.Expr, also ...expr.Expr) error {
		condition, err := s.joined(m.at, "AND", append([]expr.Expr{flag}, also...))
		whens = append(whens, expr.When{If: condition, Then: expr.Null(types.Of(types.Boolean))})
		return err
	}
	if right := columnOf(m.right.node, m.right.cols[0].index); right.T.Nullable {
		isNull, err := s.apply(m.at, "IS NULL", right)
		if err != nil {
			return nil, err
		}
		rows, err := s.add(&plan.Filter{Input: m.right.node, Condition: isNull}, m.at)
		if err != nil {
			return nil, err
		}
		nulls, err := s.flag(m, rows, nil)
		if err != nil {
			return nil, err
		}
		if err := unknown(nulls); err != nil {
			return nil, err
		}
	}
	if left[0].Type().Nullable {
		isNull, err := s.apply(m.at, "IS NULL", left[0])
		if err != nil {
			return nil, err
		}
		some, err := s.flag(m, m.right.node, nil)
		if err != nil {
			return nil, err
		}
		if err := unknown(some, isNull); err != nil {
			return nil, err
		}
	}
	c, err := expr.NewCase(whens, expr.Bool(false))
	return c, s.wrap(m.at, err)
}

// flag tells for each row of the stage whether some of the query's meet its ties, and equal the left side if that is given: distinct ones, of which there is one at
// most, are put beside it.
func (s *selection) flag(m *membership, rows plan.Node, left []expr.Expr) (expr.Expr, error) {
	width := len(s.node.Schema())
	parts, err := s.equalities(m, left, width, false)
	if err != nil {
		return nil, err
	}
	ties, err := s.tiesOver(m.at, m.right, width)
	if err != nil {
		return nil, err
	}
	parts = append(parts, ties...)
	var columns []expr.Expr
	var result plan.Schema
	for i, x := range parts {
		side, _ := ownSide(x, func(c int) bool { return c >= width })
		if side < 0 {
			continue
		}
		call := x.(*expr.Call)
		own := plan.Shift(call.Args[side], -width)
		var at int
		if columns, at = appended(columns, own); at == len(result) {
			result = append(result, plan.Column{Name: ownName(own, at), Type: own.Type()})
		}
		args := slices.Clone(call.Args)
		args[side] = &expr.Column{Index: width + at, Name: result[at].Name, T: own.Type()}
		if parts[i], err = s.apply(m.at, call.Func, args...); err != nil {
			return nil, err
		}
	}
	right, err := s.distinctTrue(m, rows, columns, result)
	if err != nil {
		return nil, err
	}
	if err := s.joinLeft(m.at, right, parts, false); err != nil {
		return nil, err
	}
	return s.apply(m.at, "IS NOT NULL", columnOf(s.node, len(s.node.Schema())-1))
}

// distinctTrue computes columns of rows, and gives each once, with a TRUE behind.
func (s *selection) distinctTrue(m *membership, rows plan.Node, columns []expr.Expr, result plan.Schema) (plan.Node, error) {
	flag := plan.Column{Name: "$found", Type: types.Of(types.Boolean).NotNull()}
	if len(columns) == 0 {
		n, err := s.projected(rows, m.at, []expr.Expr{expr.Bool(true)}, plan.Schema{flag})
		if err != nil {
			return nil, err
		}
		return s.distinct(n)
	}
	n, err := s.projected(rows, m.at, columns, result)
	if err != nil {
		return nil, err
	}
	if n, err = s.distinct(n); err != nil {
		return nil, err
	}
	kept := make([]expr.Expr, len(columns))
	for i := range kept {
		kept[i] = columnOf(n, i)
	}
	return s.projected(n, m.at, append(kept, expr.Bool(true)), append(slices.Clone(n.Schema()), flag))
}
