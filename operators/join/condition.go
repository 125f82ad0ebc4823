package join

import (
	"slices"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
	"millrace/types"
)

// condition picks among candidates. A nil one keeps all.
type condition struct {
	predicate *kernel.Predicate
	schema    *types.Schema
	// The columns that it reads: of each input, as they stand there, with the builders of their
	// values. What it does not read stays empty.
	left, right []int
	builders    []*stream.Builder
	width       int // of the left input
	sel         []int32
}

func newCondition(e expr.Expr, ctx *operators.Context, functions *expr.Registry) (*condition, error) {
	if e == nil {
		return nil, nil
	}
	c := &condition{schema: jobgraph.CandidateSchema(ctx.Inputs[0], ctx.Inputs[1]), width: ctx.Inputs[0].Len()}
	var err error
	if c.predicate, err = ctx.Session().CompilePredicate(e, c.schema, ctx.Registry(functions)); err != nil {
		return nil, err
	}
	read := columnsOf(e, nil)
	slices.Sort(read)
	for _, i := range slices.Compact(read) {
		if i < c.width {
			c.left = append(c.left, i)
		} else {
			c.right = append(c.right, i-c.width)
		}
		c.builders = append(c.builders, stream.NewBuilder(ctx.Pool, c.schema.Fields[i].Type, pairsMax))
	}
	return c, nil
}

// columnsOf appends the columns that an expression reads.
func columnsOf(e expr.Expr, to []int) []int {
	switch e := e.(type) {
	case *expr.Column:
		return append(to, e.Index)
	case *expr.Call:
		for _, a := range e.Args {
			to = columnsOf(a, to)
		}
	case *expr.Cast:
		return columnsOf(e.X, to)
	case *expr.Case:
		for _, w := range e.Whens {
			to = columnsOf(w.Then, columnsOf(w.If, to))
		}
		if e.Else != nil {
			to = columnsOf(e.Else, to)
		}
	}
	return to
}

// keep returns the positions of the candidates for which the condition is TRUE, ascending. They are valid
// until the next call.
func (c *condition) keep(pool *stream.Pool, left rows, l []int32, right rows, r []int32) ([]int32, error) {
	left.gather(l, c.left, c.builders[:len(c.left)])
	right.gather(r, c.right, c.builders[len(c.left):])
	b := pool.NewBatch(c.schema, len(l))
	defer b.Release()
	for i, k := range c.left {
		b.Columns[k] = c.builders[i].Finish()
	}
	for i, k := range c.right {
		b.Columns[c.width+k] = c.builders[len(c.left)+i].Finish()
	}
	var err error
	c.sel, err = c.predicate.Select(pool, b, c.sel[:0])
	return c.sel, err
}

// close gives back what is unfinished.
func (c *condition) close() {
	if c == nil {
		return
	}
	for _, b := range c.builders {
		b.Close()
	}
}
