package kernel

import (
	"fmt"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// Projection computes the columns of one schema over batches of another. Like its programs it is for one goroutine.
type Projection struct {
	out     *types.Schema
	columns []*Program
}

// CompileProjection is Session's without one, as Compile.
func CompileProjection(columns []expr.Expr, in, out *types.Schema, functions *expr.Registry) (*Projection, error) {
	return Session{}.CompileProjection(columns, in, out, functions)
}

// CompileProjection compiles an expression for each column of out.
func (s Session) CompileProjection(columns []expr.Expr, in, out *types.Schema, functions *expr.Registry) (*Projection, error) {
	shared := newSession(s)
	p := &Projection{out: out, columns: make([]*Program, len(columns))}
	for i, e := range columns {
		var err error
		if p.columns[i], err = compile(e, in, functions, shared); err != nil {
			return nil, fmt.Errorf("column %s: %w", out.Fields[i].Name, err)
		}
	}
	return p, nil
}

// Apply returns a batch of the same rows, of their kinds and split, with the computed columns. b is borrowed, the
// result is the caller's.
func (p *Projection) Apply(pool *stream.Pool, b *stream.Batch) (*stream.Batch, error) {
	out := pool.NewBatch(p.out, b.Len())
	b.ShareRows(out)
	for i, program := range p.columns {
		v, err := program.Eval(pool, b)
		if err != nil {
			out.Release()
			return nil, fmt.Errorf("column %s: %w", p.out.Fields[i].Name, err)
		}
		out.Columns[i] = v
	}
	return out, nil
}
