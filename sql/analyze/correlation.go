package analyze

import (
	"fmt"
	"slices"

	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
)

// nested is the result of a subquery, with what ties it to the query around.
type nested struct {
	relation
	tie *correlation
}

// correlation is what ties a subquery to the query around: nil of a query that nothing can tie.
type correlation struct {
	ties []tie
	// alike names a subquery whose rows are put together by its ties, which must be equalities therefore; empty: they may be anything.
	alike string
	// one is there of a query that aggregates without GROUP BY.
	one *oneRow
}

// tie is a condition over the columns of a subquery's result and, from outerBase on, of the query around.
type tie struct {
	x  expr.Expr
	at ranged
	// placed tells that it goes by the columns of the stage already, no longer by those of FROM.
	placed bool
}

// oneRow is the row that a query which aggregates without GROUP BY has for each row of the query around, whether anything meets its ties or not. So it is computed
// beside that row: the columns are over the aggregation, which has a row of each group that is there, and outer columns.
type oneRow struct {
	columns []expr.Expr
	having  []expr.Expr
}

// tied tells whether columns of the query around were named.
func (c *correlation) tied() bool { return c != nil && (len(c.ties) > 0 || c.one != nil) }

// nested binds a subquery, which may name columns of the query that the binder binds. Alike is that of the correlation.
func (b *binder) nested(q *ast.Query, alike string) (*nested, error) {
	n := &nested{tie: &correlation{alike: alike}}
	var err error
	if n.relation, err = b.query(q, &env{ctes: b.env.ctes, outer: b.scope, correlated: n.tie}); err != nil {
		return nil, err
	}
	if n.tie.tied() && (q.Limit != nil || q.Offset != nil) {
		return nil, b.unsupported(q, "LIMIT in a subquery that names columns of the query around")
	}
	return n, nil
}

// namesOuter tells whether an expression has columns of the query around, and namesOwn whether it has others.
func namesOuter(e expr.Expr) bool { return names(e, func(c int) bool { return c >= outerBase }) }

func namesOwn(e expr.Expr) bool { return names(e, func(c int) bool { return c < outerBase }) }

func names(e expr.Expr, such func(column int) bool) bool {
	found := false
	expr.Walk(e, func(e expr.Expr) bool {
		c, ok := e.(*expr.Column)
		found = found || ok && such(c.Index)
		return !found
	})
	return found
}

// untied takes the conditions that name columns of the query around for its ties, and returns the others.
func (s *selection) untied(parts []conjunct) (plain []conjunct) {
	for _, p := range parts {
		if p.x == nil || !namesOuter(p.x) {
			plain = append(plain, p)
			continue
		}
		for _, x := range plan.Conjuncts(p.x) {
			s.env.correlated.ties = append(s.env.correlated.ties, tie{x: x, at: p.at})
		}
	}
	return plain
}

// own returns the side of an equality that has the subquery's own columns, if the other has outer ones alone. It is nil of a tie without columns of its own.
func (t *tie) own() (own expr.Expr, ok bool) {
	side, ok := ownSide(t.x, func(c int) bool { return c < outerBase })
	if side < 0 {
		return nil, ok
	}
	return t.x.(*expr.Call).Args[side], true
}

// ownSide returns which side of an equality has nothing but own columns, where the other has none: below 0 where there is none of them at all.
func ownSide(e expr.Expr, own func(column int) bool) (side int, ok bool) {
	others := func(c int) bool { return !own(c) }
	if !names(e, own) {
		return -1, true
	}
	call, ok := e.(*expr.Call)
	if !ok || call.Func != "=" && call.Func != "IS NOT DISTINCT FROM" {
		return -1, false
	}
	for i, x := range call.Args {
		if !names(x, others) && !names(call.Args[1-i], own) {
			return i, true
		}
	}
	return -1, false
}

// alike is own of a tie that has to be an equality, for what.
func (s *selection) alike(t *tie, what string) (expr.Expr, error) {
	own, ok := t.own()
	if !ok {
		return nil, s.hinted(t.at, "compare by =, or join the tables", "a condition with columns of the query around that is no equality, in %s, is not supported yet", what)
	}
	if own == nil {
		return nil, nil
	}
	return own, s.groupable(t.at, own.Type())
}

// replaced is an equality with a column in the place of its own side.
func (s *selection) replaced(t *tie, own expr.Expr, by *expr.Column) (expr.Expr, error) {
	call := t.x.(*expr.Call)
	args := slices.Clone(call.Args)
	args[slices.Index(args, own)] = by
	return s.apply(t.at, call.Func, args...)
}

// tieKeys groups by what the ties compare with the query around, too: each of its rows has a group of its own, if any.
func (s *selection) tieKeys(agg *plan.Aggregate, in *input) error {
	c := s.env.correlated
	if c == nil {
		return nil
	}
	if s.sets != nil && c.tied() {
		return s.unsupported(s.tree, "grouping sets in a subquery that names columns of the query around")
	}
	for i := range c.ties {
		t := &c.ties[i]
		own, err := s.alike(t, "a subquery that aggregates")
		if err != nil {
			return err
		}
		t.placed = true
		if own == nil {
			continue
		}
		x, err := s.settle(t.at, own)
		if err != nil {
			return err
		}
		key := in.add(x)
		at := slices.Index(agg.Keys, key)
		if at < 0 {
			at = len(agg.Keys)
			agg.Keys = append(agg.Keys, key)
			agg.Result = append(agg.Result, plan.Column{Name: ownName(x, at), Type: x.Type()})
		}
		if t.x, err = s.replaced(t, own, agg.Result.Ref(at)); err != nil {
			return err
		}
	}
	return nil
}

// ownName is the name of a column that a tie goes by.
func ownName(e expr.Expr, at int) string {
	if c, ok := e.(*expr.Column); ok {
		return c.Name
	}
	return fmt.Sprintf("$f%d", at)
}

// oneRowEach tells whether the stage aggregated without GROUP BY what is tied to the query around.
func (s *selection) oneRowEach(having []conjunct) bool {
	if s.env.correlated == nil || len(s.groups) > 0 || s.window != nil || s.sets != nil {
		return false
	}
	return s.env.correlated.tied() || slices.ContainsFunc(s.items, func(it item) bool { return namesOuter(it.x) }) ||
		slices.ContainsFunc(having, func(p conjunct) bool { return p.x != nil && namesOuter(p.x) })
}

// oneRow leaves the select list and HAVING to the query around. DISTINCT and ORDER BY make nothing of one row.
func (s *selection) oneRow(having []conjunct) (relation, error) {
	r := relation{node: s.node}
	if s.has(overSlot) || s.tree.Qualify != nil {
		return r, s.unsupported(s.tree, "an OVER call or QUALIFY in a subquery that names columns of the query around")
	}
	one := &oneRow{}
	for i, it := range s.items {
		x, err := s.settle(it.at, it.x)
		if err != nil {
			return r, err
		}
		one.columns = append(one.columns, x)
		r.cols = append(r.cols, column{name: it.name, index: i})
	}
	for _, p := range having {
		if p.query != nil {
			return r, s.within(p.at)
		}
		x, err := s.settle(p.at, p.x)
		if err != nil {
			return r, err
		}
		one.having = append(one.having, x)
	}
	if s.node != r.node { // a subquery was put beside the groups, of which there may be none
		return r, s.within(s.tree)
	}
	s.env.correlated.one = one
	return r, nil
}

func (s *selection) within(at ranged) error {
	return s.hinted(at, "put it into WHERE, or join the tables", "a subquery beside the aggregates of one that names columns of the query around is not supported yet")
}

// tiedResult computes the select list and, behind it, the columns that the ties go by.
func (s *selection) tiedResult(columns []expr.Expr, result plan.Schema) (plan.Node, error) {
	if s.has(overSlot) || s.tree.Qualify != nil {
		return nil, s.unsupported(s.tree, "an OVER call or QUALIFY in a subquery that names columns of the query around")
	}
	c := s.env.correlated
	first := 0
	if c.alike != "" { // what is put together by them is no longer the value of one row
		first = len(columns)
	}
	place := func(x expr.Expr) *expr.Column {
		before := len(columns)
		own, at := appended(columns[first:], x)
		columns, at = append(columns[:first], own...), at+first
		if len(columns) > before {
			result = append(result, resultColumn(ownName(x, at), x, s.node.Schema()))
		}
		return &expr.Column{Index: at, Name: result[at].Name, T: x.Type()}
	}
	for i := range c.ties {
		if err := s.placeTie(&c.ties[i], place); err != nil {
			return nil, err
		}
	}
	node, err := s.projected(s.node, s.tree, columns, result)
	if err != nil || c.alike == "" || s.tree.Quantifier != ast.Distinct {
		return node, err
	}
	return s.distinct(node)
}

// placeTie makes a tie go by columns of the result: one for its own side if it is an equality, or else for each of its own columns.
func (s *selection) placeTie(t *tie, place func(expr.Expr) *expr.Column) error {
	var err error
	if !t.placed {
		if t.x, err = s.settle(t.at, t.x); err != nil {
			return err
		}
	}
	t.placed = true
	own, equal := t.own()
	switch {
	case s.env.correlated.alike != "":
		if own, err = s.alike(t, s.env.correlated.alike); err != nil {
			return err
		}
	case !equal:
		t.x, err = s.placeAll(t, t.x, place)
		return err
	}
	if own == nil {
		return nil
	}
	t.x, err = s.replaced(t, own, place(own))
	return err
}

func (s *selection) placeAll(t *tie, e expr.Expr, place func(expr.Expr) *expr.Column) (expr.Expr, error) {
	if c, ok := e.(*expr.Column); ok {
		if c.Index >= outerBase {
			return c, nil
		}
		return place(c), nil
	}
	return s.rebuilt(t.at, e, func(part expr.Expr) (expr.Expr, error) { return s.placeAll(t, part, place) })
}

// over rewrites an expression of a subquery for what has it beside the stage: outer columns are those of the stage, and own tells what its own are.
func (s *selection) over(at ranged, e expr.Expr, own func(*expr.Column) (expr.Expr, error)) (expr.Expr, error) {
	if !namesOwn(e) { // as a whole: the query around may have grouped by it
		return s.settle(at, plan.Substitute(e, func(c *expr.Column) expr.Expr {
			return &expr.Column{Index: c.Index - outerBase, Name: c.Name, T: c.T}
		}))
	}
	if c, ok := e.(*expr.Column); ok {
		return own(c)
	}
	return s.rebuilt(at, e, func(part expr.Expr) (expr.Expr, error) { return s.over(at, part, own) })
}

// tiesOver returns the ties over the columns of the stage, of which there are width, and those of the subquery behind them.
func (s *selection) tiesOver(at ranged, n *nested, width int) ([]expr.Expr, error) {
	out := make([]expr.Expr, len(n.tie.ties))
	for i, t := range n.tie.ties {
		var err error
		if out[i], err = s.over(at, t.x, func(c *expr.Column) (expr.Expr, error) {
			return &expr.Column{Index: c.Index + width, Name: c.Name, T: c.T}, nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}
