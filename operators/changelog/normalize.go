package changelog

import (
	"fmt"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/keyed"
	"millrace/stream"
)

// Normalize keeps the last row of each key and says what changes.
type Normalize struct {
	spec      *jobgraph.ChangelogNormalizeSpec
	functions *expr.Registry
	ctx       *operators.Context
	rows      keyed.Rows
	filter    *kernel.Predicate // nil: all rows pass
	sel       []int32
	passes    stream.Bitmap // by physical row
	finishing bool
}

// NormalizeFactory returns a factory of normalizers whose filters know the functions.
func NormalizeFactory(functions *expr.Registry) operators.Factory {
	return func(o *jobgraph.OperatorSpec) (operators.Operator, error) {
		spec := o.Body.(*jobgraph.ChangelogNormalizeSpec)
		if len(spec.Keys) == 0 {
			return nil, failure.Userf("changelog normalize %s has no keys", o.UID)
		}
		return &Normalize{spec: spec, functions: functions}, nil
	}
}

// Open declares the table.
func (n *Normalize) Open(ctx *operators.Context) error {
	n.ctx = ctx
	err := n.rows.Open(ctx, keyed.Spec{
		Name: "rows", Keys: n.spec.Keys, TTL: n.spec.TTL, UpdateBefore: n.spec.UpdateBefore, Silent: n.spec.FinalOnly,
	})
	if err == nil && n.spec.Filter != nil {
		n.filter, err = ctx.Session().CompilePredicate(n.spec.Filter, ctx.Inputs[0], ctx.Registry(n.functions))
	}
	if err != nil {
		return fmt.Errorf("changelog normalize %s: %w", ctx.Operator, err)
	}
	return nil
}

// Process makes the last change of each key the key's.
func (n *Normalize) Process(_ int, b *stream.Batch) error {
	if err := n.process(b); err != nil {
		return fmt.Errorf("changelog normalize %s: %w", n.ctx.Operator, err)
	}
	return nil
}

func (n *Normalize) process(b *stream.Batch) error {
	n.ctx.Counts.Folded += int64(b.Rows())
	n.rows.Sweep()
	if err := n.examine(b); err != nil {
		return err
	}
	n.rows.Read(b)
	if err := n.rows.Lookup(nil); err != nil {
		return err
	}
	if n.spec.EachChange && n.rows.Deal(b) {
		return nil
	}
	return n.apply(b, nil)
}

// apply makes the last of the rows of each key that were looked up the key's.
func (n *Normalize) apply(b *stream.Batch, ordinals []int32) error {
	for i, k := range n.rows.Of {
		if ordinals != nil {
			i = int(ordinals[i])
		}
		g, row := &n.rows.Groups[k], b.Row(i)
		switch there := g.Winner >= 0 || g.Winner == keyed.Keep && g.There != keyed.Absent; {
		case b.Kind(row).Retracts():
			if !there {
				n.ctx.Counts.Expired++
			}
			g.Winner = keyed.Delete
		case n.filter != nil && !n.passes.Get(row):
			g.Winner = keyed.Delete
		default:
			g.Winner = int32(row)
		}
	}
	return n.rows.Apply(b)
}

// examine finds the rows that pass the filter. Deletions are not asked: they may have no more than their key.
func (n *Normalize) examine(b *stream.Batch) (err error) {
	if n.filter == nil {
		return nil
	}
	n.sel = n.sel[:0]
	for i := range b.Rows() {
		if row := b.Row(i); !b.Kind(row).Retracts() {
			n.sel = append(n.sel, int32(row))
		}
	}
	n.passes = n.passes[:0]
	for range stream.Words(b.Len()) {
		n.passes = append(n.passes, 0)
	}
	if len(n.sel) == 0 {
		return nil
	}
	rows := operators.Select(b, n.sel)
	defer rows.Release()
	if n.sel, err = n.filter.Select(n.ctx.Pool, rows, n.sel[:0]); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	for _, row := range n.sel {
		n.passes.Set(int(row))
	}
	return nil
}

// Advance does nothing: event time passes through.
func (n *Normalize) Advance(stream.Watermark) error { return nil }

// Flush does nothing: all rows are in the table.
func (n *Normalize) Flush() error { return nil }

// Finish gives the rows, where nothing was given before.
func (n *Normalize) Finish() error {
	n.finishing = n.spec.FinalOnly
	return nil
}

// Next gives what has changed.
func (n *Normalize) Next() (operators.Output, error) {
	for {
		if b := n.rows.Next(); b != nil {
			return operators.Output{Batch: b}, nil
		}
		b, ordinals, err := n.rows.NextRound()
		if b != nil {
			err = n.apply(b, ordinals)
		}
		if err != nil {
			return operators.Output{}, fmt.Errorf("changelog normalize %s: %w", n.ctx.Operator, err)
		}
		if b != nil {
			continue
		}
		if !n.finishing || !n.rows.Final() {
			n.finishing = false
			return operators.Output{}, nil
		}
	}
}

// Close gives back what nobody took.
func (n *Normalize) Close() error {
	n.rows.Close()
	return nil
}
