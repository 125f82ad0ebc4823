// Package native runs the functions of a job's program: user code in Go.
//
// The functions are not here. A program that describes a job has them in a table
// of its own (operators.Functions), under the uids of its native operators; a task
// manager that is that program makes the operators from there. Anybody else, the
// job manager first of all, can only tell what they keep: Register gives a process
// operators that declare the tables and run nothing.
package native

import (
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
)

// Register adds the kind for processes that have no program.
func Register(r *operators.Registry) {
	r.Register(jobgraph.KindNative, func(spec *jobgraph.OperatorSpec) (operators.Operator, error) {
		return &absent{spec: spec.Body.(*jobgraph.NativeSpec)}, nil
	})
}

// absent is a native operator whose function is elsewhere.
type absent struct{ spec *jobgraph.NativeSpec }

// Open declares the tables.
func (a *absent) Open(ctx *operators.Context) error {
	_, err := Declare(ctx, a.spec)
	return err
}

var errAbsent = failure.Internalf("a native operator runs where its program is not")

// Process implements operators.Operator.
func (*absent) Process(int, *stream.Batch) error { return errAbsent }

// Advance implements operators.Operator.
func (*absent) Advance(stream.Watermark) error { return errAbsent }

// Flush implements operators.Operator.
func (*absent) Flush() error { return errAbsent }

// Next implements operators.Operator.
func (*absent) Next() (operators.Output, error) { return operators.Output{}, errAbsent }

// Close implements operators.Operator.
func (*absent) Close() error { return nil }
