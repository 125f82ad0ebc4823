package task

import (
	"millrace/connectors"
	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
)

// computed is a reader whose rows have other columns than were read: event time may be made of a computed one, so
// that they can't wait for the chain.
type computed struct {
	connectors.Reader
	columns *kernel.Projection
	pool    *stream.Pool
}

// Computed returns a reader of the columns that a source gives, computed of those that r reads, or r where it gives what it reads. It takes r over. Of the
// context it needs what expressions go by: task, operator, time, zone, functions and pool.
func Computed(r connectors.Reader, spec *jobgraph.SourceSpec, ctx *operators.Context) (connectors.Reader, error) {
	if len(spec.Computed) == 0 {
		return r, nil
	}
	columns := make([]expr.Expr, len(spec.Computed))
	for i, c := range spec.Computed {
		columns[i] = c.Expr
	}
	p, err := ctx.Session().CompileProjection(columns, spec.Schema, spec.Output(), ctx.Functions)
	if err != nil {
		return nil, failure.User(err)
	}
	return &computed{Reader: r, columns: p, pool: ctx.Pool}, nil
}

// Began implements connectors.Locator.
func (c *computed) Began() string { return began(c.Reader) }

// Read implements connectors.Reader.
func (c *computed) Read() (*stream.Batch, connectors.ReadStatus, error) {
	b, status, err := c.Reader.Read()
	if b == nil || err != nil {
		return b, status, err
	}
	defer b.Release()
	out, err := c.columns.Apply(c.pool, b)
	return out, status, err
}
