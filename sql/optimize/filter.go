package optimize

import (
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
)

// Conditions move towards sources: fewer rows come so far. They don't pass watermarks, which are made of all rows, nor
// Rank, Deduplicate, Sort and OVER but for what holds for whole partitions.
var (
	filterMergeRule     = rule{"filter-merge", mergeFilters}
	filterTrueRule      = rule{"filter-true", dropTrue}
	filterProjectRule   = rule{"filter-project-transpose", filterOverProject}
	filterJoinRule      = rule{"filter-into-join", filterOverJoin}
	filterSetRule       = rule{"filter-set-transpose", filterOverSet}
	filterAggregateRule = rule{"filter-aggregate-transpose", filterOverAggregate}
	filterOverRule      = rule{"filter-over-transpose", filterOverOver}
	filterCorrelateRule = rule{"filter-correlate-transpose", filterOverCorrelate}
	joinConditionRule   = rule{"join-condition-push", joinCondition}
)

func mergeFilters(_ *optimizer, n plan.Node) plan.Node {
	outer, ok := n.(*plan.Filter)
	if !ok {
		return nil
	}
	inner, ok := outer.Input.(*plan.Filter)
	if !ok {
		return nil
	}
	parts := append(plan.Conjuncts(inner.Condition), plan.Conjuncts(outer.Condition)...)
	return &plan.Filter{Input: inner.Input, Condition: and(parts...)}
}

func dropTrue(_ *optimizer, n plan.Node) plan.Node {
	if f, ok := n.(*plan.Filter); ok && isTrue(f.Condition) {
		return f.Input
	}
	return nil
}

// filterOverProject moves conditions below a projection, unless that computes something twice.
func filterOverProject(o *optimizer, n plan.Node) plan.Node {
	f, ok := n.(*plan.Filter)
	if !ok {
		return nil
	}
	p, ok := f.Input.(*plan.Project)
	if !ok {
		return nil
	}
	below, above := part(plan.Conjuncts(f.Condition), func(e expr.Expr) bool {
		free := o.steady(e)
		plan.Reads(e, func(c int) { free = free && cheap(p.Columns[c]) })
		return free
	})
	if len(below) == 0 {
		return nil
	}
	for i := range below {
		below[i] = inline(below[i], p.Columns)
	}
	moved := &plan.Project{Input: &plan.Filter{Input: p.Input, Condition: and(below...)}, Columns: p.Columns, Result: p.Result}
	return filtered(moved, above)
}

// part splits expressions by a test.
func part(in []expr.Expr, test func(expr.Expr) bool) (yes, no []expr.Expr) {
	for _, e := range in {
		if test(e) {
			yes = append(yes, e)
		} else {
			no = append(no, e)
		}
	}
	return yes, no
}

// filtered puts conditions over a node, if there are any.
func filtered(n plan.Node, conditions []expr.Expr) plan.Node {
	if len(conditions) == 0 {
		return n
	}
	return &plan.Filter{Input: n, Condition: and(conditions...)}
}

// inline replaces columns by what computes them.
func inline(e expr.Expr, columns []expr.Expr) expr.Expr {
	return plan.Substitute(e, func(c *expr.Column) expr.Expr { return columns[c.Index] })
}

// cheap tells whether an expression may as well be computed twice: a column, a constant, a field of a column.
func cheap(e expr.Expr) bool {
	switch e := e.(type) {
	case *expr.Column, *expr.Literal:
		return true
	case *expr.Cast:
		_, constant := e.X.(*expr.Literal)
		return constant
	case *expr.Call:
		return e.Func == "GET" && cheap(e.Args[0])
	default:
		return false
	}
}

// sides tells whether an expression reads left columns and right ones, of which the first is number width.
func sides(e expr.Expr, width int) (left, right bool) {
	plan.Reads(e, func(c int) {
		left = left || c < width
		right = right || c >= width
	})
	return left, right
}

// keeps tells which inputs' rows a join gives as they are: a condition over them may as well be asked before.
func keeps(k plan.JoinKind) (left, right bool) {
	switch k {
	case plan.Inner:
		return true, true
	case plan.Left, plan.Semi, plan.Anti:
		return true, false
	case plan.Right:
		return false, true
	default:
		return false, false
	}
}

func filterOverJoin(o *optimizer, n plan.Node) plan.Node {
	f, ok := n.(*plan.Filter)
	if !ok {
		return nil
	}
	switch j := f.Input.(type) {
	case *plan.Join:
		return o.filterIntoJoin(f, j)
	case *plan.TemporalJoin:
		width := len(j.Left.Schema())
		below, above := part(plan.Conjuncts(f.Condition), func(e expr.Expr) bool {
			_, right := sides(e, width)
			return !right && o.steady(e)
		})
		if len(below) > 0 {
			return filtered(j.With(filtered(j.Left, below), j.Right), above)
		}
	}
	return nil
}

func (o *optimizer) filterIntoJoin(f *plan.Filter, j *plan.Join) plan.Node {
	width := len(j.Left.Schema())
	toLeft, toRight := keeps(j.Kind)
	var left, right, on, above []expr.Expr
	for _, e := range plan.Conjuncts(f.Condition) {
		l, r := sides(e, width)
		switch {
		case !o.steady(e):
			above = append(above, e)
		case l && !r && toLeft:
			left = append(left, e)
		case r && !l && toRight:
			right = append(right, plan.Shift(e, -width))
		case j.Kind == plan.Inner && !j.Single:
			on = append(on, e)
		default:
			above = append(above, e)
		}
	}
	if len(left)+len(right)+len(on) == 0 {
		return nil
	}
	c := *j
	c.Left, c.Right = filtered(j.Left, left), filtered(j.Right, right)
	if len(on) > 0 {
		c.Condition = and(append(plan.Conjuncts(j.Condition), on...)...)
	}
	return filtered(&c, above)
}

// joinCondition asks what ON asks of one side alone before the join, where rows of that side need not come out.
func joinCondition(o *optimizer, n plan.Node) plan.Node {
	j, ok := n.(*plan.Join)
	if !ok || j.Condition == nil || j.NullAware {
		return nil
	}
	width := len(j.Left.Schema())
	toLeft := j.Kind == plan.Inner || j.Kind == plan.Right || j.Kind == plan.Semi
	toRight := j.Kind != plan.Right && j.Kind != plan.Full
	var left, right, on []expr.Expr
	for _, e := range plan.Conjuncts(j.Condition) {
		l, r := sides(e, width)
		switch {
		case l && !r && toLeft && o.steady(e):
			left = append(left, e)
		case r && !l && toRight && o.steady(e):
			right = append(right, plan.Shift(e, -width))
		default:
			on = append(on, e)
		}
	}
	if len(left)+len(right) == 0 {
		return nil
	}
	c := *j
	c.Left, c.Right, c.Condition = filtered(j.Left, left), filtered(j.Right, right), nil
	if len(on) > 0 {
		c.Condition = and(on...)
	}
	return &c
}

func filterOverSet(o *optimizer, n plan.Node) plan.Node {
	f, ok := n.(*plan.Filter)
	if !ok || !o.steady(f.Condition) {
		return nil
	}
	s, ok := f.Input.(*plan.Set)
	if !ok {
		return nil
	}
	inputs := make([]plan.Node, len(s.Of))
	for i, in := range s.Of {
		inputs[i] = &plan.Filter{Input: in, Condition: retyped(f.Condition, in.Schema())}
	}
	return s.With(inputs...)
}

// retyped returns the expression over columns of the same place with the types that a schema gives them. Only whether they
// may be NULL can differ.
func retyped(e expr.Expr, in plan.Schema) expr.Expr {
	return plan.Substitute(e, func(c *expr.Column) expr.Expr {
		if c.T.Equal(in[c.Index].Type) {
			return c
		}
		return &expr.Column{Index: c.Index, Name: c.Name, T: in[c.Index].Type}
	})
}

// filterOverAggregate asks what is said of keys before rows are grouped. What is said of their window is asked behind: the aggregate is to deal rows
// out itself, and a session is not known before.
func filterOverAggregate(o *optimizer, n plan.Node) plan.Node {
	f, ok := n.(*plan.Filter)
	if !ok {
		return nil
	}
	a, ok := f.Input.(*plan.Aggregate)
	if !ok || a.Sets != nil || len(a.Keys) == 0 {
		return nil
	}
	w := windowColumns(a.Input)
	below, above := part(plan.Conjuncts(f.Condition), func(e expr.Expr) bool {
		return o.steady(e) && readsOnly(e, func(c int) bool { return c < len(a.Keys) && !w.has(a.Keys[c]) })
	})
	if len(below) == 0 {
		return nil
	}
	for i := range below {
		below[i] = plan.Renumber(below[i], a.Keys)
	}
	return filtered(a.With(filtered(a.Input, below)), above)
}

// readsOnly tells whether an expression reads a column, and none but those.
func readsOnly(e expr.Expr, these func(int) bool) bool {
	some, all := false, true
	plan.Reads(e, func(c int) {
		some = true
		all = all && these(c)
	})
	return some && all
}

// filterOverOver asks what is said of a partition before its rows are looked at.
func filterOverOver(o *optimizer, n plan.Node) plan.Node {
	f, ok := n.(*plan.Filter)
	if !ok {
		return nil
	}
	x, ok := f.Input.(*plan.Over)
	if !ok {
		return nil
	}
	below, above := part(plan.Conjuncts(f.Condition), func(e expr.Expr) bool {
		return o.steady(e) && readsOnly(e, func(c int) bool { return slices.Contains(x.Partition, c) })
	})
	if len(below) == 0 {
		return nil
	}
	return filtered(x.With(filtered(x.Input, below)), above)
}

func filterOverCorrelate(o *optimizer, n plan.Node) plan.Node {
	f, ok := n.(*plan.Filter)
	if !ok {
		return nil
	}
	x, ok := f.Input.(*plan.Correlate)
	if !ok {
		return nil
	}
	width := len(x.Input.Schema())
	below, above := part(plan.Conjuncts(f.Condition), func(e expr.Expr) bool {
		return o.steady(e) && readsOnly(e, func(c int) bool { return c < width })
	})
	if len(below) == 0 {
		return nil
	}
	return filtered(x.With(filtered(x.Input, below)), above)
}
