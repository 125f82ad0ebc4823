package expr

import (
	"fmt"

	"millrace/types"
)

// Check validates a tree that came from elsewhere as if it were built anew: columns
// against the input, function names, arity, parameter and result types, casts,
// constants against their types, and the limits. It returns every problem up
// to ProblemsMax, each with the path to its node, and nil for a tree that is
// whole. It never panics, whatever the tree.
func Check(e Expr, input *types.Schema, reg *Registry) []error {
	c := checker{input: input, reg: reg}
	c.expr(e, "expression", 1)
	return c.problems
}

type checker struct {
	input    *types.Schema
	reg      *Registry
	nodes    int
	stopped  bool // a limit was passed: nothing more is looked at
	problems []error
}

func (c *checker) add(path, format string, args ...any) {
	if len(c.problems) < ProblemsMax {
		c.problems = append(c.problems, fmt.Errorf("%s: %w", path, fmt.Errorf(format, args...)))
	}
}

// expr checks a node and what is below it, and tells whether the node can be
// asked for its type.
func (c *checker) expr(e Expr, path string, depth int) bool {
	if c.stopped {
		return false
	}
	c.nodes++
	if depth > DepthMax || c.nodes > NodesMax {
		c.stopped = true
		c.add(path, "the tree is deeper than %d or has more than %d nodes", DepthMax, NodesMax)
		return false
	}
	switch e := e.(type) {
	case *Column:
		return e != nil && c.column(e, path) || c.missing(e == nil, path)
	case *Literal:
		return e != nil && c.literal(e, path) || c.missing(e == nil, path)
	case *Call:
		return e != nil && c.call(e, path, depth) || c.missing(e == nil, path)
	case *Cast:
		return e != nil && c.cast(e, path, depth) || c.missing(e == nil, path)
	case *Case:
		return e != nil && c.cases(e, path, depth) || c.missing(e == nil, path)
	default:
		return c.missing(true, path)
	}
}

func (c *checker) missing(is bool, path string) bool {
	if is {
		c.add(path, "is missing")
	}
	return false
}

func (c *checker) column(e *Column, path string) bool {
	if e.Index < 0 || e.Index >= c.input.Len() {
		c.add(path, "column %d of an input with %d", e.Index, c.input.Len())
		return false
	}
	if have := c.input.Fields[e.Index].Type; !have.Equal(e.T) {
		c.add(path, "column %d is %s, not %s", e.Index, have, e.T)
		return false
	}
	return true
}

func (c *checker) literal(e *Literal, path string) bool {
	if err := checkLiteral(e); err != nil {
		c.add(path, "%w", err)
		return false
	}
	return true
}

func (c *checker) call(e *Call, path string, depth int) bool {
	if len(e.Args) > ArgsMax {
		c.add(path, "%d arguments, more than %d", len(e.Args), ArgsMax)
		return false
	}
	whole := true
	for i, a := range e.Args {
		whole = c.expr(a, fmt.Sprintf("%s.args[%d]", path, i), depth+1) && whole
	}
	sig, ok := c.reg.Lookup(e.Func)
	if !ok || sig.Name != e.Func {
		c.add(path, "no function %q", e.Func)
		return false
	}
	if !whole {
		return false
	}
	want, err := sig.params(typesOf(e.Args))
	if err != nil {
		c.add(path, "%w", err)
		return false
	}
	for i, a := range e.Args {
		if !a.Type().EqualIgnoringNull(want[i]) {
			c.add(path, "%s: argument %d is %s, want %s", e.Func, i+1, a.Type(), want[i])
			whole = false
		}
	}
	return whole && c.callType(e, sig, path)
}

func (c *checker) callType(e *Call, sig Signature, path string) bool {
	t, err := sig.Resolve(typesOf(e.Args))
	if err != nil {
		c.add(path, "%s: %w", e.Func, err)
		return false
	}
	if !t.Equal(e.T) {
		c.add(path, "%s gives %s, not %s", e.Func, t, e.T)
		return false
	}
	return true
}

func (c *checker) cast(e *Cast, path string, depth int) bool {
	if err := e.To.Validate(); err != nil {
		c.add(path, "cast: %w", err)
		return false
	}
	if !c.expr(e.X, path+".x", depth+1) {
		return false
	}
	from := e.X.Type()
	if !CanCast(from, e.To) {
		c.add(path, "can't cast %s to %s", from, e.To)
		return false
	}
	if castNullable(from, e.Try) && !e.To.Nullable {
		c.add(path, "a cast of %s can be NULL, %s can't", from, e.To)
		return false
	}
	return true
}

func (c *checker) cases(e *Case, path string, depth int) bool {
	whole := len(e.Whens) > 0
	if !whole {
		c.add(path, "CASE has no WHEN")
	}
	nullable := e.Else == nil
	for i, w := range e.Whens {
		at := fmt.Sprintf("%s.when[%d]", path, i)
		if c.expr(w.If, at+".if", depth+1) {
			if k := w.If.Type().Kind; k != types.Boolean {
				c.add(at+".if", "is %s, want BOOLEAN", w.If.Type())
				whole = false
			}
		} else {
			whole = false
		}
		whole = c.branch(w.Then, e.T, at+".then", depth, &nullable) && whole
	}
	if e.Else != nil {
		whole = c.branch(e.Else, e.T, path+".else", depth, &nullable) && whole
	}
	if whole && nullable && !e.T.Nullable {
		c.add(path, "CASE can be NULL, its type %s can't", e.T)
		return false
	}
	return whole
}

func (c *checker) branch(e Expr, want types.Type, path string, depth int, nullable *bool) bool {
	if !c.expr(e, path, depth+1) {
		return false
	}
	t := e.Type()
	*nullable = *nullable || t.Nullable
	if !t.EqualIgnoringNull(want) {
		c.add(path, "is %s, want %s", t, want)
		return false
	}
	return true
}
