package optimize

import (
	"millrace/expr"
	"millrace/sql/plan"
)

var (
	projectMergeRule   = rule{"project-merge", mergeProjects}
	projectTrivialRule = rule{"project-remove", dropTrivial}
	limitProjectRule   = rule{"limit-project-transpose", limitOverProject}
	limitMergeRule     = rule{"limit-merge", mergeLimits}
	limitNothingRule   = rule{"limit-nothing", limitNothing}
)

// mergeProjects makes one projection of two, unless that computes something twice.
func mergeProjects(o *optimizer, n plan.Node) plan.Node {
	outer, ok := n.(*plan.Project)
	if !ok {
		return nil
	}
	inner, ok := outer.Input.(*plan.Project)
	if !ok || !o.mayInline(outer.Columns, inner.Columns) {
		return nil
	}
	columns := make([]expr.Expr, len(outer.Columns))
	for i, e := range outer.Columns {
		columns[i] = inline(e, inner.Columns)
	}
	return &plan.Project{Input: inner.Input, Columns: columns, Result: outer.Result}
}

// mayInline tells whether what inner columns compute is computed once at most when they stand in the outer ones.
func (o *optimizer) mayInline(outer, inner []expr.Expr) bool {
	uses := make([]int, len(inner))
	for _, e := range outer {
		plan.Reads(e, func(c int) { uses[c]++ })
	}
	for i, e := range inner {
		if uses[i] > 1 && (!cheap(e) || !o.steady(e)) {
			return false
		}
	}
	return true
}

// dropTrivial removes a projection that passes all columns on under their names.
func dropTrivial(_ *optimizer, n plan.Node) plan.Node {
	p, ok := n.(*plan.Project)
	if !ok || !passesAll(p) || !p.Result.Equal(p.Input.Schema()) {
		return nil
	}
	return p.Input
}

// passesAll tells whether a projection gives its input's columns in their order.
func passesAll(p *plan.Project) bool {
	if len(p.Columns) != len(p.Input.Schema()) {
		return false
	}
	for i, e := range p.Columns {
		if c, ok := e.(*expr.Column); !ok || c.Index != i {
			return false
		}
	}
	return true
}

// limitOverProject lets a limit without an order come before columns are computed.
func limitOverProject(_ *optimizer, n plan.Node) plan.Node {
	s, ok := n.(*plan.Sort)
	if !ok || len(s.Order) > 0 {
		return nil
	}
	p, ok := s.Input.(*plan.Project)
	if !ok {
		return nil
	}
	return p.With(s.With(p.Input))
}

// mergeLimits makes one limit of two without an order of the outer one.
func mergeLimits(_ *optimizer, n plan.Node) plan.Node {
	outer, ok := n.(*plan.Sort)
	if !ok || len(outer.Order) > 0 {
		return nil
	}
	inner, ok := outer.Input.(*plan.Sort)
	if !ok {
		return nil
	}
	out := *inner
	out.Offset = inner.Offset + outer.Offset
	if inner.Limit >= 0 {
		out.Limit = max(inner.Limit-outer.Offset, 0)
	}
	if outer.Limit >= 0 && (out.Limit < 0 || outer.Limit < out.Limit) {
		out.Limit = outer.Limit
	}
	return &out
}

// limitNothing makes a table without rows of what may have none.
func limitNothing(_ *optimizer, n plan.Node) plan.Node {
	if s, ok := n.(*plan.Sort); ok && s.Limit == 0 {
		return &plan.Values{Result: s.Schema()}
	}
	return nil
}

// projection is being made.
type projection struct {
	columns []expr.Expr
	result  plan.Schema
}

func (p *projection) add(e expr.Expr, c plan.Column) {
	p.columns = append(p.columns, e)
	p.result = append(p.result, c)
}

// pass adds a column of a schema as it is.
func (p *projection) pass(in plan.Schema, column int) { p.add(in.Ref(column), in[column]) }

func (p *projection) over(n plan.Node) plan.Node {
	return &plan.Project{Input: n, Columns: p.columns, Result: p.result}
}

// only returns the node with these columns alone.
func only(n plan.Node, columns []int) plan.Node {
	in := n.Schema()
	var p projection
	for _, c := range columns {
		p.pass(in, c)
	}
	return p.over(n)
}
