// Package correlate gives for each row the rows that a table function makes of it: the elements of an ARRAY or MAP (UNNEST), the row itself
// as often as a number says (for INTERSECT ALL and EXCEPT ALL), or what a registered Function gives.
//
// Arguments are evaluated over the batch as a calc does. UNNEST moves nothing: its columns are the children of the argument's
// vector, and a cursor over rows and elements gathers as many as a batch of output may have. So a row with a
// million elements is no special case. Other functions get a part of the batch at a time, for nobody knows what they make of it.
//
// Row kinds pass to the rows made. There is no state, and nothing is held back.
package correlate

import (
	"fmt"
	"strings"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
	"millrace/types"
)

// Register adds the operator of this folder, with the scalar and table functions that jobs may call.
func Register(r *operators.Registry, scalar *expr.Registry, tables Functions) {
	r.Register(jobgraph.KindCorrelate, Factory(scalar, tables))
}

// Factory returns a factory of operators that know the functions.
func Factory(scalar *expr.Registry, tables Functions) operators.Factory {
	return func(o *jobgraph.OperatorSpec) (operators.Operator, error) {
		spec := o.Body.(*jobgraph.CorrelateSpec)
		c := &Correlate{spec: spec, scalar: scalar}
		if spec.Func == jobgraph.Unnest || spec.Func == jobgraph.ReplicateRows {
			return c, nil
		}
		f, ok := tables[strings.ToUpper(spec.Func)]
		if !ok {
			return c, nil // one of the job's program, which Open knows
		}
		if err := f.check(spec); err != nil {
			return nil, failure.Userf("correlate %s: table function %s: %w", o.UID, spec.Func, err)
		}
		c.function = &f
		return c, nil
	}
}

// partRows is how many rows a registered function gets at once.
const partRows = 256

// Correlate is the operator.
type Correlate struct {
	spec     *jobgraph.CorrelateSpec
	scalar   *expr.Registry
	function *Function // nil: UNNEST, or replicated rows
	ctx      *operators.Context

	args     []*kernel.Program
	argsOf   *types.Schema
	results  []*stream.Builder // of a function
	builders []*stream.Builder // of the output
	width    int               // of the input

	// The batch under way, the part of it of which rows were made, and the next row to leave.
	batch *stream.Batch
	from  int
	part  *stream.Batch
	given *stream.Batch // the arguments
	made  made
	row   int
	at    int64

	left, right []int32 // scratch: what leaves, as physical rows of the part and rows made
	ordinals    []int32
}

// Open compiles the arguments.
func (c *Correlate) Open(ctx *operators.Context) error {
	c.ctx, c.width = ctx, ctx.Inputs[0].Len()
	fields := make([]types.Field, len(c.spec.Args))
	for i, a := range c.spec.Args {
		p, err := ctx.Session().Compile(a, ctx.Inputs[0], ctx.Registry(c.scalar))
		if err != nil {
			return fmt.Errorf("correlate %s: argument %d: %w", ctx.Operator, i+1, err)
		}
		c.args = append(c.args, p)
		fields[i] = types.Field{Name: fmt.Sprintf("arg%d", i), Type: a.Type()}
	}
	if c.spec.Func == jobgraph.Unnest && (len(fields) != 1 || fields[0].Type.Layout() != types.LayoutList) {
		return failure.Userf("correlate %s: UNNEST needs an ARRAY or a MAP", ctx.Operator)
	}
	if c.spec.Func == jobgraph.ReplicateRows && (len(fields) != 1 || fields[0].Type.Kind != types.BigInt) {
		return failure.Userf("correlate %s: %s needs a BIGINT", ctx.Operator, c.spec.Func)
	}
	if err := c.find(); err != nil {
		return err
	}
	c.argsOf = types.NewSchema(fields...)
	for _, f := range ctx.Output.Fields {
		c.builders = append(c.builders, stream.NewBuilder(ctx.Pool, f.Type, min(ctx.RowsMax, partRows)))
	}
	for _, f := range c.columns() {
		c.results = append(c.results, stream.NewBuilder(ctx.Pool, f.Type, partRows))
	}
	return nil
}

// find looks for the function among those of the job's program.
func (c *Correlate) find() error {
	name := c.spec.Func
	if c.function != nil || name == jobgraph.Unnest || name == jobgraph.ReplicateRows {
		return nil
	}
	sig, ok := c.ctx.Registry(c.scalar).Lookup(name)
	if !ok || sig.Kind != expr.TableFunc || sig.Impl == nil {
		return failure.Userf("correlate %s: this process has no table function %s", c.ctx.Operator, name)
	}
	switch f := sig.Impl.(type) {
	case Function:
		if err := f.check(c.spec); err != nil {
			return failure.Userf("correlate %s: table function %s: %w", c.ctx.Operator, name, err)
		}
		c.function = &f
	case kernel.Elsewhere:
		c.function = &Function{Eval: func(*stream.Batch, []*stream.Builder, []int32) error {
			return failure.Internalf("the table function %s is one of a program that this process is not", name)
		}}
	default:
		return failure.Internalf("correlate %s: the table function %s is a %T", c.ctx.Operator, name, f)
	}
	return nil
}

// columns returns those that the function gives.
func (c *Correlate) columns() []types.Field {
	if c.spec.Ordinality {
		return c.spec.Columns[:len(c.spec.Columns)-1]
	}
	return c.spec.Columns
}

// Process takes a batch. Rows are made of it as Next is called.
func (c *Correlate) Process(_ int, b *stream.Batch) error {
	if b.Rows() > 0 {
		c.batch, c.from = b.Retain(), 0
	}
	return nil
}

// Advance does nothing: event time passes through.
func (c *Correlate) Advance(stream.Watermark) error { return nil }

// Flush does nothing: no row is held back.
func (c *Correlate) Flush() error { return nil }

// Next gives the next rows made.
func (c *Correlate) Next() (operators.Output, error) {
	for {
		if c.part == nil {
			if c.batch == nil {
				return operators.Output{}, nil
			}
			if err := c.begin(); err != nil {
				c.release()
				return operators.Output{}, fmt.Errorf("correlate %s: %s: %w", c.ctx.Operator, c.spec.Func, err)
			}
		}
		c.collect()
		var b *stream.Batch
		if len(c.left) > 0 {
			b = c.emit()
		}
		if c.row == c.part.Rows() {
			c.release()
		}
		if b != nil {
			return operators.Output{Batch: b}, nil
		}
	}
}

// begin makes rows of the next part of the batch.
func (c *Correlate) begin() error {
	n := c.batch.Rows() - c.from
	if c.function != nil {
		n = min(n, partRows)
	}
	c.part = operators.Slice(c.batch, c.from, c.from+n)
	c.row, c.at = 0, 0
	if c.from += n; c.from == c.batch.Rows() {
		c.batch.Release()
		c.batch = nil
	}
	c.given = c.ctx.Pool.NewBatch(c.argsOf, c.part.Len())
	c.part.ShareRows(c.given)
	for i, p := range c.args {
		v, err := p.Eval(c.ctx.Pool, c.part)
		if err != nil {
			return err
		}
		c.given.Columns[i] = v
	}
	switch c.spec.Func {
	case jobgraph.Unnest:
		c.made.unnest(c.part, &c.given.Columns[0])
	case jobgraph.ReplicateRows:
		c.made.replicate(c.part, &c.given.Columns[0])
	default:
		if err := c.made.call(c.function, c.given, c.results); err != nil {
			return err
		}
	}
	c.count()
	return nil
}

// count keeps the balance: a row became others, or nothing was made of it.
func (c *Correlate) count() {
	none := 0
	for i, from := range c.made.from {
		if from == c.made.to[i] && c.spec.Type == jobgraph.InnerJoin {
			none++
		}
	}
	c.ctx.Counts.Filtered += int64(none)
	c.ctx.Counts.Folded += int64(len(c.made.from) - none)
}

// collect finds the next rows to leave, as many as a batch may have.
func (c *Correlate) collect() {
	c.left, c.right, c.ordinals = c.left[:0], c.right[:0], c.ordinals[:0]
	for ; c.row < c.part.Rows(); c.row, c.at = c.row+1, 0 {
		physical := int32(c.part.Row(c.row))
		from, to := c.made.from[c.row], c.made.to[c.row]
		if from == to && c.spec.Type == jobgraph.LeftJoin {
			if len(c.left) == c.ctx.RowsMax {
				return
			}
			c.left, c.right, c.ordinals = append(c.left, physical), append(c.right, none), append(c.ordinals, none)
		}
		for ; from+c.at < to; c.at++ {
			if len(c.left) == c.ctx.RowsMax {
				return
			}
			at := from + c.at
			if c.made.structs != nil && c.made.structs.IsNull(int(at)) {
				at = none
			}
			c.left, c.right, c.ordinals = append(c.left, physical), append(c.right, int32(at)), append(c.ordinals, int32(c.at+1))
		}
	}
}

// none stands for a row of NULLs.
const none = -1

// emit gathers the rows that were collected.
func (c *Correlate) emit() *stream.Batch {
	for i := range c.width {
		c.builders[i].AppendRows(&c.part.Columns[i], c.left)
	}
	for i := range c.made.columns {
		appendRows(c.builders[c.width+i], &c.made.columns[i], c.right)
	}
	if c.spec.Ordinality {
		b := c.builders[len(c.builders)-1]
		for _, n := range c.ordinals {
			if n == none {
				b.AppendNull()
			} else {
				stream.AppendFixed(b, n)
			}
		}
	}
	out := c.ctx.Pool.NewBatch(c.ctx.Output, len(c.left))
	out.Split = c.part.Split
	for i, b := range c.builders {
		out.Columns[i] = b.Finish()
	}
	if from := c.part.Kinds(); from != nil {
		kinds := out.MakeKinds()
		for i, row := range c.left {
			kinds[i] = from[row]
		}
	}
	return out
}

// appendRows appends rows of a vector, NULL for none.
func appendRows(b *stream.Builder, v *stream.Vector, at []int32) {
	for len(at) > 0 {
		n := 0
		for n < len(at) && at[n] != none {
			n++
		}
		b.AppendRows(v, at[:n])
		for at = at[n:]; len(at) > 0 && at[0] == none; at = at[1:] {
			b.AppendNull()
		}
	}
}

// release gives the part back.
func (c *Correlate) release() {
	c.made.release()
	c.given.Release()
	c.part.Release()
	c.given, c.part = nil, nil
}

// Close gives back what nobody took.
func (c *Correlate) Close() error {
	c.release()
	c.batch.Release()
	c.batch = nil
	for _, b := range append(c.builders, c.results...) {
		b.Close()
	}
	return nil
}
