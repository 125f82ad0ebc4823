package physical

import (
	"millrace/expr"
	"millrace/failure"
	"millrace/sql/plan"
	"millrace/types"
)

// retyped returns an expression over the columns that an operator really has. A plan may say that a column can be NULL that
// can't, where a rule has changed what is below: then the types of what is computed of it change too.
func (p *planner) retyped(e expr.Expr, in *types.Schema) expr.Expr {
	e = plan.Substitute(e, func(c *expr.Column) expr.Expr {
		f := in.Fields[c.Index]
		return &expr.Column{Index: c.Index, Name: f.Name, T: f.Type}
	})
	e = p.derived(e)
	p.compiles(e, in)
	return e
}

// compiles refuses what could not be evaluated, whatever the row: a pattern that is none, a function that only is declared.
func (p *planner) compiles(e expr.Expr, in *types.Schema) {
	if p.Compile == nil {
		return
	}
	if err := p.Compile(e, in); err != nil {
		p.fail(err)
	}
}

// derived derives the types of calls and casts anew, from the leaves up.
func (p *planner) derived(e expr.Expr) expr.Expr {
	switch e := e.(type) {
	case *expr.Call:
		args := make([]expr.Expr, len(e.Args))
		for i, a := range e.Args {
			args[i] = p.derived(a)
		}
		c, err := expr.NewCall(p.Functions, e.Func, args...)
		if err != nil {
			p.fail(failure.Internalf("%s over %s: %w", e.Func, e, err))
			return e
		}
		return c
	case *expr.Cast:
		x := p.derived(e.X)
		to := e.To
		to.Nullable = e.To.Nullable || x.Type().Nullable || e.Try
		return &expr.Cast{X: x, To: to, Try: e.Try}
	case *expr.Case:
		return p.derivedCase(e)
	default:
		return e
	}
}

func (p *planner) derivedCase(e *expr.Case) expr.Expr {
	out := &expr.Case{T: e.T}
	nullable := e.Else == nil
	for _, w := range e.Whens {
		w = expr.When{If: p.derived(w.If), Then: p.derived(w.Then)}
		nullable = nullable || w.Then.Type().Nullable
		out.Whens = append(out.Whens, w)
	}
	if e.Else != nil {
		out.Else = p.derived(e.Else)
		nullable = nullable || out.Else.Type().Nullable
	}
	out.T.Nullable = nullable
	return out
}
