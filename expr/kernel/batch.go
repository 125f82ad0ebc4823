package kernel

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"millrace/expr"
	"millrace/failure"
	"millrace/internal/stack"
	"millrace/stream"
	"millrace/types"
)

// BatchFunc is a function over batches of arguments. The columns of args are the arguments, of any encoding, and lent for the call: it appends a value for each selected
// row, in their order, to out, which has the type of the result.
//
// An error, and a panic, is taken for one of the row for which the next value would have been appended, unless it is a RowError.
type BatchFunc func(args *stream.Batch, out *stream.Builder) error

// RowError is an error of one row: of the selected row with that number, from 0. Where Err is nil the function panicked, and Panic is what is to be said of that.
type RowError struct {
	Row   int
	Err   error
	Panic string
}

// Error says what it is an error of.
func (e *RowError) Error() string {
	if e.Err == nil {
		return e.Panic
	}
	return e.Err.Error()
}

// Unwrap returns the row's error.
func (e *RowError) Unwrap() error { return e.Err }

type batches struct {
	strict []bool
	call   BatchFunc
}

// NewBatches makes an implementation, for expr.Signature.Impl, of a function over batches. It is called by any number of goroutines. Rows
// that have NULL in an argument that is strict are NULL, and not selected.
func NewBatches(strict []bool, f BatchFunc) any { return batches{strict, f} }

// Elsewhere is an implementation of functions, for expr.Signature.Impl, that this process does not have: what calls them compiles, and fails
// when it is evaluated.
type Elsewhere struct{}

func (Elsewhere) bind(e *expr.Call, args []node) (node, error) {
	return batches{call: func(*stream.Batch, *stream.Builder) error { return errElsewhere }}.bind(e, args)
}

var errElsewhere = failure.Internalf("the function is one of a program that this process is not")

func (f batches) bind(e *expr.Call, args []node) (node, error) {
	fields := make([]types.Field, len(e.Args))
	for i, a := range e.Args {
		fields[i] = types.Field{Name: fmt.Sprintf("arg%d", i), Type: a.Type()}
	}
	return &batchNode{e: e, args: args, of: f, in: types.NewSchema(fields...)}, nil
}

// batchNode calls a BatchFunc.
type batchNode struct {
	e    *expr.Call
	args []node
	of   batches
	in   *types.Schema
	sel  []int32 // scratch
	out  stream.Builder
}

func (*batchNode) guarded() bool { return true }

func (n *batchNode) eval(f frame) (stream.Vector, error) {
	b, err := n.arguments(f)
	defer b.Release()
	if err != nil {
		return stream.Vector{}, err
	}
	if b.Rows() == 0 {
		return stream.NullOf(f.pool, n.e.T, f.n), nil
	}
	n.out.Init(f.pool, n.e.T, b.Rows())
	if err := n.call(b); err != nil {
		n.out.Close()
		return stream.Vector{}, err
	}
	v := n.out.Finish()
	if v.HasNulls() && !n.e.T.Nullable {
		v.Release()
		return stream.Vector{}, failure.Userf("%s gave NULL, and says that it gives %s", n.e.Func, n.e.T)
	}
	if b.Sel() == nil {
		return v, nil
	}
	return n.spread(f, b, v), nil
}

// arguments returns the batch of arguments of the rows that count. The batch is there to be released after an error too.
func (n *batchNode) arguments(f frame) (*stream.Batch, error) {
	b := f.pool.NewBatch(n.in, f.n)
	n.sel = f.appendAll(n.sel[:0])
	for i, a := range n.args {
		v, err := a.eval(f)
		if err != nil {
			return b, err
		}
		if v.Encoding == stream.Constant && v.Len() != f.n {
			one := v
			v = stream.ConstantOf(f.pool, &one, 0, f.n)
			one.Release()
		}
		v.Type = n.in.Fields[i].Type
		b.Columns[i] = v
		if i < len(n.of.strict) && n.of.strict[i] && (v.HasNulls() || v.Encoding != stream.Flat) {
			n.sel = slices.DeleteFunc(n.sel, func(row int32) bool { return v.IsNull(int(row)) })
		}
	}
	if len(n.sel) < f.n {
		buf := f.pool.Get(4 * max(len(n.sel), 1))
		copy(stream.Int32s(buf), n.sel)
		b.SetSel(buf, len(n.sel))
	}
	return b, nil
}

// call calls the function, which may panic.
func (n *batchNode) call(args *stream.Batch) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = n.failed(args, &RowError{Row: n.out.Len(), Panic: Thrown(r)})
		}
	}()
	if err := n.of.call(args, &n.out); err != nil {
		return n.failed(args, err)
	}
	if got := n.out.Len(); got != args.Rows() {
		return failure.Userf("%s gave %d values for %d rows", n.e.Func, got, args.Rows())
	}
	return nil
}

// failed is the failure of a row.
func (n *batchNode) failed(args *stream.Batch, err error) error {
	if errors.Is(err, errElsewhere) {
		return err
	}
	if _, ok := errors.AsType[*RowError](err); !ok {
		err = &RowError{Row: n.out.Len(), Err: err}
	}
	return CallError(n.e.Func, args, err)
}

// spread returns a vector of all rows that has the values of a batch's selected rows.
func (n *batchNode) spread(f frame, b *stream.Batch, values stream.Vector) stream.Vector {
	buf := f.pool.Get(f.n * 4)
	indices := stream.Int32s(buf)[:f.n]
	clear(indices)
	for i := range b.Rows() {
		indices[b.Row(i)] = int32(i)
	}
	out := stream.DictionaryOf(n.e.T, buf, f.n, values)
	if b.Rows() == f.rows() {
		return out
	}
	valid := out.WithValidity(f.pool)
	valid.Fill(false)
	for i := range b.Rows() {
		valid.Set(b.Row(i))
	}
	return out
}

const (
	// argsTextMax bounds what an error shows of the arguments of a call, argTextMax of one.
	argsTextMax = 300
	argTextMax  = 80
)

// CallError is the failure of a call of a user's function over a batch of arguments. Those of the row are shown where the error is a RowError. The restart strategy says
// what follows.
func CallError(name string, args *stream.Batch, err error) error {
	if e, ok := errors.AsType[*RowError](err); ok {
		name = fmt.Sprintf("%s(%s)", name, argsText(args, e.Row))
	}
	return failure.With(fmt.Errorf("function %s: %w", name, err), userFault)
}

// userFault is the class of what functions of users do: trying again may help.
var userFault = failure.Class{Domain: failure.DomainUser, Retry: failure.Restart}

func argsText(args *stream.Batch, row int) string {
	if args.Rows() == 0 {
		return ""
	}
	at := args.Row(min(max(row, 0), args.Rows()-1))
	var out []string
	room := argsTextMax
	for i := range args.Columns {
		text := valueText(&args.Columns[i], at)
		if room -= len(text); room < 0 {
			out = append(out, "...")
			break
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// valueText shows a value as CAST AS STRING does; of nested values only what they are.
func valueText(v *stream.Vector, row int) string {
	t := v.Type.AsNullable()
	if v.IsNull(row) {
		return "NULL"
	}
	s := types.NewSchema(types.Field{Name: "value", Type: t})
	e, err := expr.NewCast(&expr.Column{Name: "value", T: t}, types.StringType(), false)
	if err != nil {
		return "a value of type " + t.String()
	}
	p, err := Compile(e, s, expr.Builtins())
	if err != nil {
		return "a value of type " + t.String()
	}
	var pool stream.Pool
	b := pool.NewBatch(s, 1)
	defer b.Release()
	one := stream.NewBuilder(&pool, t, 1)
	one.AppendFrom(v, row)
	b.Columns[0] = one.Finish()
	texts, err := p.Eval(&pool, b)
	if err != nil {
		return "a value of type " + t.String()
	}
	defer texts.Release()
	text := string(texts.Bytes(0))
	if len(text) > argTextMax {
		text = strings.ToValidUTF8(text[:argTextMax], "") + "..."
	}
	if isText(t) {
		return "'" + text + "'"
	}
	return text
}

// Thrown says what a function threw and where, for the deferred function that recovered it.
func Thrown(r any) string { return stack.Panic(r) }
