package analyze

import (
	"fmt"
	"strings"

	"millrace/expr"
)

// fingerprint returns a text that equal expressions have in common and others don't: columns by number, with all types.
func fingerprint(e expr.Expr) string {
	var b strings.Builder
	print(&b, e)
	return b.String()
}

func print(b *strings.Builder, e expr.Expr) {
	switch e := e.(type) {
	case nil:
		b.WriteString("-")
	case *expr.Column:
		fmt.Fprintf(b, "$%d", e.Index)
	case *expr.Literal:
		fmt.Fprintf(b, "%q:%s", fmt.Sprint(e.Value), e.T)
	case *expr.Call:
		fmt.Fprintf(b, "%s(", e.Func)
		for _, a := range e.Args {
			print(b, a)
			b.WriteByte(',')
		}
		b.WriteByte(')')
	case *expr.Cast:
		fmt.Fprintf(b, "CAST(%t,%s,", e.Try, e.To)
		print(b, e.X)
		b.WriteByte(')')
	case *expr.Case:
		b.WriteString("CASE(")
		for _, w := range e.Whens {
			print(b, w.If)
			b.WriteByte('?')
			print(b, w.Then)
			b.WriteByte(';')
		}
		print(b, e.Else)
		b.WriteByte(')')
	}
}

// rebuilt returns the expression with f applied to its parts, its types derived anew: they change with those of the parts. The
// place is for errors.
func (a *analyzer) rebuilt(at ranged, e expr.Expr, f func(expr.Expr) (expr.Expr, error)) (expr.Expr, error) {
	switch e := e.(type) {
	case *expr.Call:
		args, changed, err := each(e.Args, f)
		if err != nil || !changed {
			return e, err
		}
		return a.apply(at, e.Func, args...)
	case *expr.Cast:
		x, err := f(e.X)
		if err != nil || x == e.X {
			return e, err
		}
		c, err := expr.NewCast(x, e.To, e.Try)
		if err != nil {
			return nil, a.wrap(at, err)
		}
		return c, nil
	case *expr.Case:
		return a.rebuiltCase(at, e, f)
	default:
		return e, nil
	}
}

func (a *analyzer) rebuiltCase(at ranged, e *expr.Case, f func(expr.Expr) (expr.Expr, error)) (expr.Expr, error) {
	whens := make([]expr.When, len(e.Whens))
	for i, w := range e.Whens {
		parts, _, err := each([]expr.Expr{w.If, w.Then}, f)
		if err != nil {
			return nil, err
		}
		whens[i] = expr.When{If: parts[0], Then: parts[1]}
	}
	otherwise := e.Else
	if otherwise != nil {
		var err error
		if otherwise, err = f(otherwise); err != nil {
			return nil, err
		}
	}
	c, err := expr.NewCase(whens, otherwise)
	if err != nil {
		return nil, a.wrap(at, err)
	}
	return c, nil
}

func each(list []expr.Expr, f func(expr.Expr) (expr.Expr, error)) (out []expr.Expr, changed bool, err error) {
	out = make([]expr.Expr, len(list))
	for i, e := range list {
		if out[i], err = f(e); err != nil {
			return nil, false, err
		}
		changed = changed || out[i] != e
	}
	return out, changed, nil
}
