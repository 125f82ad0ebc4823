package kernel

import (
	"fmt"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// implementation is what stands in Signature.Impl of a function of others.
type implementation interface {
	bind(e *expr.Call, args []node) (node, error)
}

// Run is one run of a function that NewVectors made, over all rows of a batch
// or over the values of a dictionary. It is valid for the call.
type Run struct {
	k   *call
	out *stream.Vector
}

// Rows returns the number of rows.
func (r *Run) Rows() int { return r.k.n }

// Arg returns an argument: flat with a value a row, or constant.
func (r *Run) Arg(i int) *stream.Vector { return &r.k.args[i] }

// Counts tells whether row i matters and has no NULL argument. Rows that do
// not are given a value all the same, which nobody reads.
func (r *Run) Counts(i int) bool { return r.k.alive(i) }

// Out returns the result of a type of fixed width, to be filled. It is NULL
// already where an argument is.
func (r *Run) Out() *stream.Vector { return r.out }

// Null makes row i of Out NULL.
func (r *Run) Null(i int) { r.k.null(r.out, i) }

// Texts calls row for each row that counts, in order; it must append one value, or
// NULL, to the builder. It serves results of type CHAR, VARCHAR, BINARY and VARBINARY.
func (r *Run) Texts(row func(b *stream.Builder, i int) error) error {
	return r.k.eachText(func(i int) error {
		if err := row(&r.k.builder, i); err != nil {
			return r.k.fail(i, err)
		}
		return nil
	})
}

// Fail returns the error of row i.
func (r *Run) Fail(i int, err error) error { return r.k.fail(i, err) }

type vectors func(r *Run) error

// NewVectors makes an implementation, for expr.Signature.Impl, of a function
// over whole vectors. It is called with one Run at a time, from any number of
// goroutines. A row with a NULL argument is NULL.
func NewVectors(run func(r *Run) error) any { return vectors(run) }

func (v vectors) bind(e *expr.Call, args []node) (node, error) {
	if l := e.T.Layout(); l == types.LayoutNone || l >= types.LayoutList {
		return nil, noKernel(e)
	}
	r := &Run{}
	return careful(e, args, func(k *call, out *stream.Vector) error {
		*r = Run{k: k, out: out}
		return v(r)
	}), nil
}

// Value is a Go type of arguments and results of functions over rows: the
// element of the layout of the SQL type, []byte for text, which aliases the
// vector and must not be kept.
type Value interface {
	bool | int8 | int16 | int32 | int64 | float32 | float64 | types.Int128 | []byte
}

// layoutOf returns the layout whose values A has.
func layoutOf[A Value]() types.Layout {
	switch any(*new(A)).(type) {
	case bool:
		return types.LayoutBit
	case int8:
		return types.LayoutInt8
	case int16:
		return types.LayoutInt16
	case int32:
		return types.LayoutInt32
	case int64:
		return types.LayoutInt64
	case float32:
		return types.LayoutFloat32
	case float64:
		return types.LayoutFloat64
	case types.Int128:
		return types.LayoutInt128
	default:
		return types.LayoutBytes
	}
}

// reader returns how the values of an argument are read.
func reader[A Value](v *stream.Vector) func(i int) A {
	var read any
	switch layoutOf[A]() {
	case types.LayoutBit:
		read = v.Bool
	case types.LayoutInt8:
		read = fixedReader[int8](v)
	case types.LayoutInt16:
		read = fixedReader[int16](v)
	case types.LayoutInt32:
		read = fixedReader[int32](v)
	case types.LayoutInt64:
		read = fixedReader[int64](v)
	case types.LayoutFloat32:
		read = fixedReader[float32](v)
	case types.LayoutFloat64:
		read = fixedReader[float64](v)
	case types.LayoutInt128:
		read = fixedReader[types.Int128](v)
	default:
		read = v.Bytes
	}
	return read.(func(i int) A)
}

func fixedReader[T stream.Fixed](v *stream.Vector) func(i int) T {
	a := operandOf[T](v)
	return a.at
}

// writer returns how values of a result of fixed width are written.
func writer[R Value](out *stream.Vector) func(i int, x R) {
	var write any
	switch layoutOf[R]() {
	case types.LayoutBit:
		write = out.Bits().Put
	case types.LayoutInt8:
		write = fixedWriter[int8](out)
	case types.LayoutInt16:
		write = fixedWriter[int16](out)
	case types.LayoutInt32:
		write = fixedWriter[int32](out)
	case types.LayoutInt64:
		write = fixedWriter[int64](out)
	case types.LayoutFloat32:
		write = fixedWriter[float32](out)
	case types.LayoutFloat64:
		write = fixedWriter[float64](out)
	default:
		write = fixedWriter[types.Int128](out)
	}
	return write.(func(i int, x R))
}

func fixedWriter[T stream.Fixed](out *stream.Vector) func(i int, x T) {
	o := stream.Values[T](out)
	return func(i int, x T) { o[i] = x }
}

// rowFunc is a function over rows.
type rowFunc struct {
	args   []types.Layout
	result types.Layout
	run    func(r *Run) error
}

// NewRows1 makes an implementation, for expr.Signature.Impl, of a function of
// one argument that is called for each row without a NULL, from any number of
// goroutines. The Go types must be those of the layouts of the arguments that
// the signature lets through; a program that calls it otherwise does not
// compile. A call a row costs what NewVectors saves.
func NewRows1[A, R Value](f func(A) (R, error)) any {
	return rowFunc{args: []types.Layout{layoutOf[A]()}, result: layoutOf[R](), run: func(r *Run) error {
		a := reader[A](r.Arg(0))
		return eachRow(r, func(i int) (R, error) { return f(a(i)) })
	}}
}

// NewRows2 is NewRows1 for two arguments.
func NewRows2[A, B, R Value](f func(A, B) (R, error)) any {
	return rowFunc{args: []types.Layout{layoutOf[A](), layoutOf[B]()}, result: layoutOf[R](), run: func(r *Run) error {
		a, b := reader[A](r.Arg(0)), reader[B](r.Arg(1))
		return eachRow(r, func(i int) (R, error) { return f(a(i), b(i)) })
	}}
}

// NewRows3 is NewRows1 for three arguments.
func NewRows3[A, B, C, R Value](f func(A, B, C) (R, error)) any {
	return rowFunc{args: []types.Layout{layoutOf[A](), layoutOf[B](), layoutOf[C]()}, result: layoutOf[R](), run: func(r *Run) error {
		a, b, c := reader[A](r.Arg(0)), reader[B](r.Arg(1)), reader[C](r.Arg(2))
		return eachRow(r, func(i int) (R, error) { return f(a(i), b(i), c(i)) })
	}}
}

func eachRow[R Value](r *Run, f func(i int) (R, error)) error {
	if layoutOf[R]() == types.LayoutBytes {
		return r.Texts(func(b *stream.Builder, i int) error {
			x, err := f(i)
			b.AppendBytes(any(x).([]byte))
			return err
		})
	}
	write := writer[R](r.Out())
	for i := range r.Rows() {
		if !r.Counts(i) {
			continue
		}
		x, err := f(i)
		if err != nil {
			return r.Fail(i, err)
		}
		write(i, x)
	}
	return nil
}

func (f rowFunc) bind(e *expr.Call, args []node) (node, error) {
	if len(e.Args) != len(f.args) {
		return nil, fmt.Errorf("function %s has %d arguments, its implementation takes %d", e.Func, len(e.Args), len(f.args))
	}
	for i, a := range e.Args {
		if a.Type().Layout() != f.args[i] {
			return nil, fmt.Errorf("function %s: argument %d is %s, which its implementation does not take", e.Func, i+1, a.Type())
		}
	}
	if e.T.Layout() != f.result {
		return nil, fmt.Errorf("function %s: result is %s, which its implementation does not give", e.Func, e.T)
	}
	return vectors(f.run).bind(e, args)
}
