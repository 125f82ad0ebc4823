// Package calc filters rows and computes columns: a WHERE and a SELECT list
// over one batch.
//
// The condition narrows the batch's selection; no value moves. Columns are
// vectors of the same physical rows, so that a column that is handed through
// costs a reference, and row kinds and split stay as they are. A batch of which
// no row is left is not emitted.
//
// It keeps no state and holds no row back. What it means for a changelog is the
// planner's business: a condition that treats an -U unlike its +U is not its
// concern.
package calc

import (
	"fmt"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
	"millrace/types"
)

// Register adds the operator of this folder, with the functions that its
// expressions may call.
func Register(r *operators.Registry, functions *expr.Registry) {
	r.Register(jobgraph.KindCalc, Factory(functions))
}

// Factory returns a factory of calcs that know the functions.
func Factory(functions *expr.Registry) operators.Factory {
	return func(o *jobgraph.OperatorSpec) (operators.Operator, error) {
		spec := o.Body.(*jobgraph.CalcSpec)
		if len(spec.Columns) == 0 {
			return nil, failure.Userf("calc %s computes no column", o.UID)
		}
		return &Calc{spec: spec, functions: functions}, nil
	}
}

// Calc is the operator.
type Calc struct {
	spec      *jobgraph.CalcSpec
	functions *expr.Registry
	ctx       *operators.Context

	filter  *kernel.Predicate // nil keeps every row
	columns *kernel.Projection
	sel     []int32 // scratch

	batch *stream.Batch // what the filter left, to be computed from row from on
	from  int
}

// Open compiles the expressions.
func (c *Calc) Open(ctx *operators.Context) error {
	c.ctx = ctx
	in := ctx.Inputs[0]
	if err := c.compile(in); err != nil {
		return fmt.Errorf("calc %s: %w", ctx.Operator, err)
	}
	return nil
}

func (c *Calc) compile(in *types.Schema) (err error) {
	session, functions := c.ctx.Session(), c.ctx.Registry(c.functions)
	if c.spec.Filter != nil {
		if c.filter, err = session.CompilePredicate(c.spec.Filter, in, functions); err != nil {
			return fmt.Errorf("filter: %w", err)
		}
	}
	columns := make([]expr.Expr, len(c.spec.Columns))
	for i, p := range c.spec.Columns {
		columns[i] = p.Expr
	}
	c.columns, err = session.CompileProjection(columns, in, c.ctx.Output, functions)
	return err
}

// Process filters the batch. Its columns are computed by Next.
func (c *Calc) Process(_ int, b *stream.Batch) error {
	if c.filter == nil {
		c.keep(b.Retain())
		return nil
	}
	var err error
	c.sel, err = c.filter.Select(c.ctx.Pool, b, c.sel[:0])
	if err != nil {
		return fmt.Errorf("calc %s: filter: %w", c.ctx.Operator, err)
	}
	c.ctx.Counts.Filtered += int64(b.Rows() - len(c.sel))
	if len(c.sel) == b.Rows() {
		c.keep(b.Retain())
	} else if len(c.sel) > 0 {
		c.keep(operators.Select(b, c.sel))
	}
	return nil
}

// keep takes over a reference.
func (c *Calc) keep(b *stream.Batch) {
	if b.Rows() == 0 {
		b.Release()
		return
	}
	c.batch, c.from = b, 0
}

// Advance does nothing: event time passes through.
func (c *Calc) Advance(stream.Watermark) error { return nil }

// Flush does nothing: no row is held back.
func (c *Calc) Flush() error { return nil }

// Next computes the columns of the rows that are left.
func (c *Calc) Next() (operators.Output, error) {
	if c.batch == nil {
		return operators.Output{}, nil
	}
	to := min(c.from+c.ctx.RowsMax, c.batch.Rows())
	part := operators.Slice(c.batch, c.from, to)
	defer part.Release()
	if c.from = to; to == c.batch.Rows() {
		c.batch.Release()
		c.batch = nil
	}
	out, err := c.columns.Apply(c.ctx.Pool, part)
	if err != nil {
		return operators.Output{}, fmt.Errorf("calc %s: %w", c.ctx.Operator, err)
	}
	return operators.Output{Batch: out}, nil
}

// Close releases what nobody took.
func (c *Calc) Close() error {
	c.batch.Release()
	c.batch = nil
	return nil
}
