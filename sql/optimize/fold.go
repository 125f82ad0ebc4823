package optimize

import (
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

var foldRule = rule{"constant-folding", foldNode}

// foldNode folds the expressions of a node.
func foldNode(o *optimizer, n plan.Node) plan.Node {
	switch n := n.(type) {
	case *plan.Project:
		columns, changed := o.foldAll(n.Columns)
		if !changed {
			return nil
		}
		return &plan.Project{Input: n.Input, Columns: columns, Result: n.Result}
	case *plan.Values:
		return o.foldValues(n)
	case *plan.Sink:
		if values, changed := o.foldAll(n.Partition); changed {
			c := *n
			c.Partition = values
			return &c
		}
	case *plan.Filter:
		if e := o.condition(n.Condition); e != n.Condition {
			return &plan.Filter{Input: n.Input, Condition: e}
		}
	case *plan.Join:
		if n.Condition == nil {
			return nil
		}
		if e := o.condition(n.Condition); e != n.Condition {
			c := *n
			c.Condition = e
			return &c
		}
	case *plan.Correlate:
		if args, changed := o.foldAll(n.Args); changed {
			c := *n
			c.Args = args
			return &c
		}
	}
	return nil
}

// foldValues folds rows; nil where nothing changes.
func (o *optimizer) foldValues(n *plan.Values) plan.Node {
	rows, changed := make([][]expr.Expr, len(n.Rows)), false
	for i, row := range n.Rows {
		var c bool
		rows[i], c = o.foldAll(row)
		changed = changed || c
	}
	if !changed {
		return nil
	}
	return &plan.Values{Rows: rows, Result: n.Result}
}

func (o *optimizer) foldAll(in []expr.Expr) (out []expr.Expr, changed bool) {
	out = make([]expr.Expr, len(in))
	for i, e := range in {
		out[i] = o.fold(e)
		changed = changed || out[i] != e
	}
	return out, changed
}

// fold evaluates what has no columns, from the largest parts down.
func (o *optimizer) fold(e expr.Expr) expr.Expr {
	if l := o.constant(e); l != nil {
		return l
	}
	switch e := e.(type) {
	case *expr.Call:
		if args, changed := o.foldAll(e.Args); changed {
			return &expr.Call{Func: e.Func, Args: args, T: e.T}
		}
	case *expr.Cast:
		if x := o.fold(e.X); x != e.X {
			return &expr.Cast{X: x, To: e.To, Try: e.Try}
		}
	case *expr.Case:
		return o.foldCase(e)
	}
	return e
}

func (o *optimizer) foldCase(e *expr.Case) expr.Expr {
	out := &expr.Case{Whens: make([]expr.When, len(e.Whens)), T: e.T}
	changed := false
	for i, w := range e.Whens {
		out.Whens[i] = expr.When{If: o.fold(w.If), Then: o.fold(w.Then)}
		changed = changed || out.Whens[i] != w
	}
	if e.Else != nil {
		out.Else = o.fold(e.Else)
		changed = changed || out.Else != e.Else
	}
	if !changed {
		return e
	}
	return out
}

// constant returns the value of an expression that has one whatever the row, nil for others, for constants, and where the
// evaluator fails. The value has the expression's type to the letter, nullability included: what reads it has been typed by it.
func (o *optimizer) constant(e expr.Expr) *expr.Literal {
	if _, is := e.(*expr.Literal); is || o.Fold == nil || !o.steady(e) || e.Type().Layout() >= types.LayoutList {
		return nil
	}
	bound := false
	plan.Reads(e, func(int) { bound = true })
	if bound {
		return nil
	}
	l, err := o.Fold(e)
	if err != nil || l == nil || l.Value == nil && !e.Type().Nullable {
		return nil
	}
	if text, ok := l.Value.(string); ok && len(text) > foldedBytesMax {
		return nil
	}
	return &expr.Literal{T: e.Type(), Value: l.Value}
}

// steady tells whether equal rows give equal values.
func (o *optimizer) steady(e expr.Expr) bool {
	steady := true
	expr.Walk(e, func(e expr.Expr) bool {
		if c, ok := e.(*expr.Call); ok {
			sig, known := o.Functions.Lookup(c.Func)
			steady = steady && known && !sig.Varies
		}
		return steady
	})
	return steady
}

// condition folds a condition that counts by being TRUE or not: parts that are TRUE vanish, and one that can't be makes all FALSE.
func (o *optimizer) condition(e expr.Expr) expr.Expr {
	parts := plan.Conjuncts(e)
	kept := make([]expr.Expr, 0, len(parts))
	for _, p := range parts {
		p = o.fold(p)
		if isTrue(p) || slices.ContainsFunc(kept, func(k expr.Expr) bool { return exprKey(k) == exprKey(p) && o.steady(p) }) {
			continue
		}
		if l, ok := p.(*expr.Literal); ok && l.Value != true {
			return expr.Bool(false)
		}
		kept = append(kept, p)
	}
	if slices.Equal(parts, kept) {
		return e
	}
	return and(kept...)
}

func isTrue(e expr.Expr) bool {
	l, ok := e.(*expr.Literal)
	return ok && l.Value == true
}

// and returns the condition that all parts must meet, TRUE for none.
func and(parts ...expr.Expr) expr.Expr {
	switch len(parts) {
	case 0:
		return expr.Bool(true)
	case 1:
		return parts[0]
	}
	t := types.Of(types.Boolean).NotNull()
	for _, p := range parts {
		t.Nullable = t.Nullable || p.Type().Nullable
	}
	return &expr.Call{Func: "AND", Args: parts, T: t}
}
