package optimize

import (
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

var (
	unionFlattenRule  = rule{"union-merge", flattenUnion}
	unionDistinctRule = rule{"union-to-distinct", distinctUnion}
	intersectRule     = rule{"intersect-to-semi-join", intersect}
	exceptRule        = rule{"except-to-anti-join", except}
	nullAwareRule     = rule{"null-aware-anti-join", nullAware}
)

// flattenUnion makes one union of unions within unions.
func flattenUnion(_ *optimizer, n plan.Node) plan.Node {
	s, ok := n.(*plan.Set)
	if !ok || s.Kind != plan.Union || !slices.ContainsFunc(s.Of, func(in plan.Node) bool { return mergesInto(in, s) }) {
		return nil
	}
	var inputs []plan.Node
	for _, in := range s.Of {
		if mergesInto(in, s) {
			inputs = append(inputs, in.(*plan.Set).Of...)
		} else {
			inputs = append(inputs, in)
		}
	}
	return s.With(inputs...)
}

// mergesInto tells whether a union within another may as well stand beside its other inputs: where the outer one leaves
// doubles out, it does not matter whether the inner one did.
func mergesInto(in plan.Node, outer *plan.Set) bool {
	s, ok := in.(*plan.Set)
	return ok && s.Kind == plan.Union && (s.All || !outer.All)
}

func distinctUnion(_ *optimizer, n plan.Node) plan.Node {
	s, ok := n.(*plan.Set)
	if !ok || s.Kind != plan.Union || s.All {
		return nil
	}
	all := *s
	all.All = true
	return distinct(&all)
}

// distinct gives each row once.
func distinct(n plan.Node) *plan.Aggregate {
	in := n.Schema()
	result := slices.Clone(in)
	for i := range result {
		result[i].Time = plan.NoTime
	}
	return &plan.Aggregate{Input: n, Keys: plan.Counted(len(in)), Result: result}
}

// intersect gives the distinct left rows that the right side has too, except those that it does not have. NULL equals NULL in a
// set. With ALL rows count, which no join tells: see countedSet.
func intersect(_ *optimizer, n plan.Node) plan.Node { return setJoin(n, plan.Intersect, plan.Semi) }

func except(_ *optimizer, n plan.Node) plan.Node { return setJoin(n, plan.Except, plan.Anti) }

func setJoin(n plan.Node, kind plan.SetKind, join plan.JoinKind) plan.Node {
	s, ok := n.(*plan.Set)
	if !ok || s.Kind != kind || s.All || len(s.Of) != 2 {
		return nil
	}
	left, right := s.Of[0].Schema(), s.Of[1].Schema()
	parts := make([]expr.Expr, len(left))
	for i := range left {
		r := right.Ref(i)
		r.Index += len(left)
		parts[i] = &expr.Call{Func: "IS NOT DISTINCT FROM", Args: []expr.Expr{left.Ref(i), r}, T: types.Of(types.Boolean).NotNull()}
	}
	out := distinct(&plan.Join{Kind: join, Left: s.Of[0], Right: s.Of[1], Condition: and(parts...), Result: left})
	if out.Result.Equal(s.Result) {
		return out
	}
	return renamed(out, s.Result)
}

// renamed gives a node's columns by other names.
func renamed(n plan.Node, result plan.Schema) plan.Node {
	in := n.Schema()
	var p projection
	for i := range in {
		p.add(in.Ref(i), plan.Column{Name: result[i].Name, Type: in[i].Type, Time: in[i].Time})
	}
	return p.over(n)
}

// nullAware spells out what NOT IN asks: a row also goes where a comparison is neither TRUE nor FALSE. Where neither side can be
// NULL that makes no difference.
func nullAware(_ *optimizer, n plan.Node) plan.Node {
	j, ok := n.(*plan.Join)
	if !ok || !j.NullAware {
		return nil
	}
	parts := plan.Conjuncts(j.Condition)
	for i, e := range parts {
		if e.Type().Nullable {
			unknown := &expr.Call{Func: "IS NOT FALSE", Args: []expr.Expr{e}, T: types.Of(types.Boolean).NotNull()}
			parts[i] = unknown
		}
	}
	c := *j
	c.NullAware, c.Condition = false, nil
	if len(parts) > 0 {
		c.Condition = and(parts...)
	}
	return &c
}
