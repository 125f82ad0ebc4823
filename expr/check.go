package expr

import (
	"fmt"
	"strings"

	"millrace/types"
)

// Check validates a tree that came from elsewhere as if it were built anew: columns
// against the input, function names, arity, parameter and result types, casts,
// constants against their types, and the limits. It returns every problem up
// to ProblemsMax, each with the path to its node, and nil for a tree that is
// whole. It never panics, whatever the tree.
func Check(e Expr, input *types.Schema, reg *Registry) []error {
	c := checker{input: input, reg: reg, path: []string{"expression"}}
	c.expr(e)
	return c.problems
}

type checker struct {
	input    *types.Schema
	reg      *Registry
	nodes    int
	stopped  bool // a limit was passed: nothing more is looked at
	path     []string
	problems []error
}

// add reports a problem of the node at hand.
func (c *checker) add(format string, args ...any) {
	if len(c.problems) < ProblemsMax {
		c.problems = append(c.problems, fmt.Errorf("%s: %w", strings.Join(c.path, "."), fmt.Errorf(format, args...)))
	}
}

// below checks a child by the name of its place.
func (c *checker) below(e Expr, place string) bool {
	c.path = append(c.path, place)
	whole := c.expr(e)
	c.path = c.path[:len(c.path)-1]
	return whole
}

// expr checks a node and what is below it, and tells whether the node can be
// asked for its type.
func (c *checker) expr(e Expr) bool {
	if c.stopped {
		return false
	}
	c.nodes++
	if len(c.path) > DepthMax || c.nodes > NodesMax {
		c.stopped = true
		c.problems = append(c.problems, fmt.Errorf("the tree is deeper than %d or has more than %d nodes", DepthMax, NodesMax))
		return false
	}
	switch e := e.(type) {
	case *Column:
		return c.present(e != nil) && c.column(e)
	case *Literal:
		return c.present(e != nil) && c.literal(e)
	case *Call:
		return c.present(e != nil) && c.call(e)
	case *Cast:
		return c.present(e != nil) && c.cast(e)
	case *Case:
		return c.present(e != nil) && c.cases(e)
	default:
		return c.present(false)
	}
}

func (c *checker) present(is bool) bool {
	if !is {
		c.add("is missing")
	}
	return is
}

func (c *checker) column(e *Column) bool {
	if e.Index < 0 || e.Index >= c.input.Len() {
		c.add("column %d of an input with %d", e.Index, c.input.Len())
		return false
	}
	if have := c.input.Fields[e.Index].Type; !have.Equal(e.T) {
		c.add("column %d is %s, not %s", e.Index, have, e.T)
		return false
	}
	return true
}

func (c *checker) literal(e *Literal) bool {
	if err := checkLiteral(e); err != nil {
		c.add("%w", err)
		return false
	}
	return true
}

func (c *checker) call(e *Call) bool {
	if len(e.Args) > ArgsMax {
		c.add("%d arguments, more than %d", len(e.Args), ArgsMax)
		return false
	}
	whole := true
	for i, a := range e.Args {
		whole = c.below(a, fmt.Sprintf("args[%d]", i)) && whole
	}
	sig, ok := c.reg.Lookup(e.Func)
	if !ok || sig.Name != e.Func {
		c.add("no function %q", e.Func)
		return false
	}
	if sig.Kind == TableFunc || sig.Kind == AggregateFunc {
		c.add("%s is no function of the values of one row", sig.Name)
		return false
	}
	if !whole {
		return false
	}
	want, err := sig.params(typesOf(e.Args))
	if err != nil {
		c.add("%w", err)
		return false
	}
	for i, a := range e.Args {
		if !a.Type().EqualIgnoringNull(want[i]) {
			c.add("%s: argument %d is %s, want %s", e.Func, i+1, a.Type(), want[i])
			whole = false
		}
	}
	return whole && c.callType(e, sig)
}

func (c *checker) callType(e *Call, sig Signature) bool {
	t, err := sig.result(e.Args)
	if err != nil {
		c.add("%s: %w", e.Func, err)
		return false
	}
	if !t.Equal(e.T) {
		c.add("%s gives %s, not %s", e.Func, t, e.T)
		return false
	}
	return true
}

func (c *checker) cast(e *Cast) bool {
	if err := e.To.Validate(); err != nil {
		c.add("cast: %w", err)
		return false
	}
	if !c.below(e.X, "x") {
		return false
	}
	from := e.X.Type()
	if !CanCast(from, e.To) {
		c.add("can't cast %s to %s", from, e.To)
		return false
	}
	if castNullable(from, e.Try) && !e.To.Nullable {
		c.add("a cast of %s can be NULL, %s can't", from, e.To)
		return false
	}
	return true
}

func (c *checker) cases(e *Case) bool {
	whole := len(e.Whens) > 0
	if !whole {
		c.add("CASE has no WHEN")
	}
	nullable := e.Else == nil
	for i, w := range e.Whens {
		place := fmt.Sprintf("when[%d].if", i)
		switch {
		case !c.below(w.If, place):
			whole = false
		case w.If.Type().Kind != types.Boolean:
			c.add("%s is %s, want BOOLEAN", place, w.If.Type())
			whole = false
		}
		whole = c.branch(w.Then, e.T, fmt.Sprintf("when[%d].then", i), &nullable) && whole
	}
	if e.Else != nil {
		whole = c.branch(e.Else, e.T, "else", &nullable) && whole
	}
	if whole && nullable && !e.T.Nullable {
		c.add("CASE can be NULL, its type %s can't", e.T)
		return false
	}
	return whole
}

func (c *checker) branch(e Expr, want types.Type, place string, nullable *bool) bool {
	if !c.below(e, place) {
		return false
	}
	t := e.Type()
	*nullable = *nullable || t.Nullable
	if !t.EqualIgnoringNull(want) {
		c.add("%s is %s, want %s", place, t, want)
		return false
	}
	return true
}
