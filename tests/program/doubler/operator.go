package main

import (
	"fmt"
	"os"

	"millrace/operators"
	"millrace/stream"
)

// operator doubles numbers, a batch at a time.
type operator struct {
	settings settings
	ctx      *operators.Context
	out      stream.Builder
	batch    *stream.Batch
}

// Open implements operators.Operator.
func (o *operator) Open(ctx *operators.Context) error {
	o.ctx = ctx
	o.out.Init(ctx.Pool, schema.Fields[0].Type, 64)
	return nil
}

// Process implements operators.Operator.
func (o *operator) Process(_ int, b *stream.Batch) error {
	n := stream.Values[int64](&b.Columns[0])
	for i := range b.Rows() {
		if sel := b.Sel(); sel != nil {
			i = int(sel[i])
		}
		o.out.AppendInt64(o.double(n[i]))
	}
	o.batch = o.ctx.Pool.NewBatch(o.ctx.Output, b.Rows())
	o.batch.Columns[0] = o.out.Finish()
	return nil
}

// double is the user's function.
func (o *operator) double(n int64) int64 {
	switch n {
	case o.settings.panicAt:
		panic(fmt.Sprintf("%d is an unlucky number", n))
	case o.settings.exitAt:
		os.Exit(3)
	case o.settings.hangAt:
		fmt.Fprintln(os.Stderr, "hangs at", n)
		select {}
	}
	return o.settings.factor * n
}

// Advance implements operators.Operator.
func (*operator) Advance(stream.Watermark) error { return nil }

// Flush implements operators.Operator.
func (*operator) Flush() error { return nil }

// Next implements operators.Operator.
func (o *operator) Next() (operators.Output, error) {
	b := o.batch
	o.batch = nil
	return operators.Output{Batch: b}, nil
}

// Close implements operators.Operator.
func (o *operator) Close() error {
	o.batch.Release()
	o.out.Close()
	return nil
}
