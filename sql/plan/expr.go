package plan

import "millrace/expr"

// Substitute returns the expression with each column replaced by what column returns for it. What does not change is shared.
func Substitute(e expr.Expr, column func(*expr.Column) expr.Expr) expr.Expr {
	switch e := e.(type) {
	case *expr.Column:
		return column(e)
	case *expr.Call:
		args, changed := substituteAll(e.Args, column)
		if !changed {
			return e
		}
		return &expr.Call{Func: e.Func, Args: args, T: e.T}
	case *expr.Cast:
		x := Substitute(e.X, column)
		if x == e.X {
			return e
		}
		return &expr.Cast{X: x, To: e.To, Try: e.Try}
	case *expr.Case:
		return substituteCase(e, column)
	default:
		return e
	}
}

func substituteAll(in []expr.Expr, column func(*expr.Column) expr.Expr) (out []expr.Expr, changed bool) {
	out = make([]expr.Expr, len(in))
	for i, e := range in {
		out[i] = Substitute(e, column)
		changed = changed || out[i] != e
	}
	return out, changed
}

func substituteCase(e *expr.Case, column func(*expr.Column) expr.Expr) expr.Expr {
	out := &expr.Case{Whens: make([]expr.When, len(e.Whens)), Else: e.Else, T: e.T}
	changed := false
	for i, w := range e.Whens {
		out.Whens[i] = expr.When{If: Substitute(w.If, column), Then: Substitute(w.Then, column)}
		changed = changed || out.Whens[i] != w
	}
	if e.Else != nil {
		out.Else = Substitute(e.Else, column)
		changed = changed || out.Else != e.Else
	}
	if !changed {
		return e
	}
	return out
}

// Renumber returns the expression with the columns counted anew: column i becomes to[i].
func Renumber(e expr.Expr, to []int) expr.Expr {
	return Substitute(e, func(c *expr.Column) expr.Expr {
		if to[c.Index] == c.Index {
			return c
		}
		return &expr.Column{Index: to[c.Index], Name: c.Name, T: c.T}
	})
}

// Shift returns the expression with all columns counted by n more.
func Shift(e expr.Expr, n int) expr.Expr {
	return Substitute(e, func(c *expr.Column) expr.Expr {
		if n == 0 {
			return c
		}
		return &expr.Column{Index: c.Index + n, Name: c.Name, T: c.T}
	})
}

// Reads calls visit for each column that the expression reads, as often as it stands there.
func Reads(e expr.Expr, visit func(column int)) {
	expr.Walk(e, func(e expr.Expr) bool {
		if c, ok := e.(*expr.Column); ok {
			visit(c.Index)
		}
		return true
	})
}

// Conjuncts returns the conditions that must all be TRUE for the condition to be; none for nil.
func Conjuncts(condition expr.Expr) (out []expr.Expr) {
	if condition == nil {
		return nil
	}
	if c, ok := condition.(*expr.Call); ok && c.Func == "AND" {
		for _, a := range c.Args {
			out = append(out, Conjuncts(a)...)
		}
		return out
	}
	return []expr.Expr{condition}
}

// Ref returns the expression that reads a column of a schema.
func (s Schema) Ref(i int) *expr.Column {
	return &expr.Column{Index: i, Name: s[i].Name, T: s[i].Type}
}

// Equal tells whether both schemas have the same columns.
func (s Schema) Equal(o Schema) bool {
	if len(s) != len(o) {
		return false
	}
	for i := range s {
		if s[i].Name != o[i].Name || s[i].Time != o[i].Time || !s[i].Type.Equal(o[i].Type) {
			return false
		}
	}
	return true
}
