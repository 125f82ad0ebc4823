package kernel

import (
	"fmt"
	"maps"

	"millrace/expr"
	"millrace/stream"
)

// compiler binds the nodes of a checked tree to kernels.
type compiler struct {
	reg     *expr.Registry
	session *session
	// literals holds the program's constants: never given back, since the
	// program refers to them as long as it lives.
	literals *stream.Pool
}

// binder makes the node of a call whose arguments are bound.
type binder func(e *expr.Call, args []node) (node, error)

// binders says for each function how it is evaluated. A function that others
// express stands among the rewrites instead.
var binders = joined(
	map[string]binder{
		"+": bindSum, "-": bindSum, "*": bindProduct, "/": bindQuotient, "%": bindRemainder, "NEG": bindNegation,
		"ABS": bindAbs,
		"=":   bindComparison, "<>": bindComparison, "<": bindComparison, "<=": bindComparison, ">": bindComparison, ">=": bindComparison,
		"IS DISTINCT FROM": bindDistinct, "IS NOT DISTINCT FROM": bindDistinct,
		"AND": bindAnd, "OR": bindOr, "NOT": bindNot,
		"IS NULL": bindNullTest, "IS NOT NULL": bindNullTest, "IS UNKNOWN": bindNullTest, "IS NOT UNKNOWN": bindNullTest,
		"IS TRUE": bindTruthTest, "IS NOT TRUE": bindTruthTest, "IS FALSE": bindTruthTest, "IS NOT FALSE": bindTruthTest,
		"COALESCE": bindCoalesce,
	},
	map[string]binder{"IN": bindIn},
	nestedBinders, mathBinders, textBinders, encodingBinders, jsonBinders, matchBinders, splitBinders, zoneBinders, bucketBinders,
)

// sessionBinder makes the node of a call whose value depends on the session.
type sessionBinder func(s *session, e *expr.Call, args []node) (node, error)

var sessionBinders = joined(calendarBinders, clockBinders, dateFormatBinders)

func joined[B any](tables ...map[string]B) map[string]B {
	all := make(map[string]B)
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

func (c *compiler) expr(e expr.Expr) (node, error) {
	switch e := e.(type) {
	case *expr.Column:
		return columnNode(e.Index), nil
	case *expr.Literal:
		return &constantNode{v: literalVector(c.literals, e)}, nil
	case *expr.Cast:
		return c.cast(e)
	case *expr.Case:
		return c.cases(e)
	case *expr.Call:
		return c.call(e)
	default:
		return nil, fmt.Errorf("no expression %T", e)
	}
}

func (c *compiler) exprs(es []expr.Expr) ([]node, error) {
	nodes := make([]node, len(es))
	for i, e := range es {
		n, err := c.expr(e)
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return nodes, nil
}

func (c *compiler) call(e *expr.Call) (node, error) {
	if rewrite, ok := rewrites[e.Func]; ok {
		other, err := rewrite(c.reg, e)
		if err != nil {
			return nil, err
		}
		if other != nil {
			return c.expr(other)
		}
	}
	args, err := c.exprs(e.Args)
	if err != nil {
		return nil, err
	}
	n, err := c.bound(e, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Func, err)
	}
	return n, nil
}

func (c *compiler) bound(e *expr.Call, args []node) (node, error) {
	if b, ok := binders[e.Func]; ok {
		return b(e, args)
	}
	if b, ok := sessionBinders[e.Func]; ok {
		return b(c.session, e, args)
	}
	sig, _ := c.reg.Lookup(e.Func)
	given, ok := sig.Impl.(implementation)
	if !ok {
		return nil, fmt.Errorf("the function can't be evaluated here")
	}
	return given.bind(e, args)
}

// literalVector returns a constant as a vector of one row.
func literalVector(pool *stream.Pool, l *expr.Literal) stream.Vector {
	b := stream.NewBuilder(pool, l.T, 1)
	b.AppendValue(l.Value)
	v := b.Finish()
	v.Encoding = stream.Constant
	return v
}

// strict makes the node of a function that can't fail and is cheap.
func strict(e expr.Expr, args []node, run loop) node {
	return newCall(&callNode{args: args, run: run, typ: e.Type()}, e)
}

// careful makes the node of a function that looks at the rows that count only.
func careful(e expr.Expr, args []node, run loop) node {
	return newCall(&callNode{args: args, run: run, typ: e.Type(), careful: true}, e)
}

func newCall(c *callNode, e expr.Expr) node {
	c.k.name = e
	c.k.args = make([]stream.Vector, 0, len(c.args))
	return c
}
