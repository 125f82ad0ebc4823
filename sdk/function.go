package sdk

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators/correlate"
	"millrace/sdk/rows"
	"millrace/stream"
	"millrace/types"
)

// function is one that SQL calls.
type function struct {
	spec jobgraph.FunctionSpec
	impl any
}

// FuncOption says something of a function for SQL that it need not say.
type FuncOption func(*jobgraph.FunctionSpec)

// Varies says that a function may give something else for the same arguments: it is called for every row, and not ahead of time.
func Varies() FuncOption { return func(f *jobgraph.FunctionSpec) { f.Deterministic = false } }

// declareFunction makes a function known to the job's SQL.
func (e *Env) declareFunction(f jobgraph.FunctionSpec, impl func(*expr.Declared) any, options []FuncOption) {
	l := e.language()
	if l == nil {
		return
	}
	f.Name, f.Deterministic = strings.ToUpper(f.Name), true
	for _, o := range options {
		o(&f)
	}
	d := f.Declared()
	if err := l.functions.CheckDeclared(d); err != nil {
		e.problem(failure.Message{Primary: err.Error()})
		return
	}
	made := impl(d)
	if err := l.functions.Register(d.Signature(made)); err != nil {
		e.problem(failure.Message{Primary: err.Error()})
		return
	}
	l.added = append(l.added, function{f, made})
}

// one, two, ... are arguments that are no struct of the user's.
type (
	one[A any]    struct{ A A }
	two[A, B any] struct {
		A A
		B B
	}
	three[A, B, C any] struct {
		A A
		B B
		C C
	}
	four[A, B, C, D any] struct {
		A A
		B B
		C C
		D D
	}
	value[R any] struct{ Value R }
)

// ScalarFunc has SQL call a function of one argument: Query[T](e, uid, "SELECT NAME(a) ..."). Names are as SQL's: case does not count, and a name of the engine's is refused. An argument that is a
// struct of the user's stands for as many arguments as it has columns. An argument that is no pointer takes no NULL: for rows that have one, the result is NULL and
// the function is not called. An error or a panic fails the job, and tells the arguments. The function is called by several goroutines at once.
func ScalarFunc[A, R any](e *Env, name string, f func(A) (R, error), options ...FuncOption) {
	if reflect.TypeFor[A]().Kind() == reflect.Pointer {
		scalar(e, name, func(a *one[A]) (R, error) { return f(a.A) }, options)
		return
	}
	scalar(e, name, func(a *A) (R, error) { return f(*a) }, options)
}

// ScalarFunc2 is ScalarFunc for two arguments.
func ScalarFunc2[A, B, R any](e *Env, name string, f func(A, B) (R, error), options ...FuncOption) {
	scalar(e, name, func(a *two[A, B]) (R, error) { return f(a.A, a.B) }, options)
}

// ScalarFunc3 is ScalarFunc for three arguments.
func ScalarFunc3[A, B, C, R any](e *Env, name string, f func(A, B, C) (R, error), options ...FuncOption) {
	scalar(e, name, func(a *three[A, B, C]) (R, error) { return f(a.A, a.B, a.C) }, options)
}

// ScalarFunc4 is ScalarFunc for four arguments.
func ScalarFunc4[A, B, C, D, R any](e *Env, name string, f func(A, B, C, D) (R, error), options ...FuncOption) {
	scalar(e, name, func(a *four[A, B, C, D]) (R, error) { return f(a.A, a.B, a.C, a.D) }, options)
}

// signature returns how the arguments of a function stand in columns, and notes why they can't.
func signature[Args any](e *Env, name string) *rows.Mapping {
	m, err := rows.Of(reflect.TypeFor[Args]())
	if err != nil {
		e.problem(failure.Message{Primary: fmt.Sprintf("the arguments of the function %s: %s", name, err)})
		return nil
	}
	return m
}

func typesOf(m *rows.Mapping) (out []types.Type) {
	for _, f := range m.Schema.Fields {
		out = append(out, f.Type)
	}
	return out
}

// resultOf returns how a result stands in a column.
func resultOf[R any](e *Env, name string) *rows.Mapping {
	m, err := rows.Of(reflect.TypeFor[value[R]]())
	if err != nil {
		e.problem(failure.Message{Primary: fmt.Sprintf("the result of the function %s: %s", name, err)})
		return nil
	}
	return m
}

func scalar[Args, R any](e *Env, name string, f func(*Args) (R, error), options []FuncOption) {
	in, out := signature[Args](e, name), resultOf[R](e, name)
	if in == nil || out == nil {
		return
	}
	spec := jobgraph.FunctionSpec{Name: name, Kind: jobgraph.ScalarFunction, Args: typesOf(in), Result: out.Schema.Fields[0].Type}
	e.declareFunction(spec, func(d *expr.Declared) any {
		pool := sync.Pool{New: func() any { return &scalarCall[Args, R]{f: f, tile: rows.NewTile[Args](in, nil), out: out} }}
		return kernel.NewBatches(d.Strict(), func(args *stream.Batch, to *stream.Builder) error {
			c := pool.Get().(*scalarCall[Args, R])
			defer pool.Put(c)
			return c.run(args, to)
		})
	}, options)
}

// scalarCall calls a function for the rows of a batch. It is for one goroutine.
type scalarCall[Args, R any] struct {
	f       func(*Args) (R, error)
	tile    *rows.Tile[Args]
	out     *rows.Mapping
	results [rows.TileRows]value[R]
}

func (c *scalarCall[Args, R]) run(args *stream.Batch, to *stream.Builder) (err error) {
	row := 0
	defer func() {
		if r := recover(); r != nil {
			err = &kernel.RowError{Row: row, Panic: kernel.Thrown(r)}
		}
	}()
	for from, n := 0, args.Rows(); from < n; from += rows.TileRows {
		tile, err := c.tile.Read(args, from, min(from+rows.TileRows, n))
		if err != nil {
			return err
		}
		for i := range tile {
			row = from + i
			if c.results[i].Value, err = c.f(&tile[i]); err != nil {
				return &kernel.RowError{Row: row, Err: err}
			}
		}
		if err := rows.Append(c.out, c.results[:len(tile)], unsafe.Slice(to, 1)); err != nil {
			return err
		}
	}
	clear(c.results[:])
	return nil
}

// ScalarBatch has SQL call a function of batches: args has the columns of Args, of rows of which none has NULL where Args takes none, and f gives a result for each. It is
// ScalarFunc otherwise.
func ScalarBatch[Args, R any](e *Env, name string, f func(args *Batch, out []R) error, options ...FuncOption) {
	in, out := signature[Args](e, name), resultOf[R](e, name)
	if in == nil || out == nil {
		return
	}
	spec := jobgraph.FunctionSpec{Name: name, Kind: jobgraph.ScalarFunction, Args: typesOf(in), Result: out.Schema.Fields[0].Type}
	e.declareFunction(spec, func(d *expr.Declared) any {
		pool := sync.Pool{New: func() any { return new([]R) }}
		return kernel.NewBatches(d.Strict(), func(args *stream.Batch, to *stream.Builder) error {
			b := &Batch{b: args, pool: args.Pool()}
			defer b.release()
			kept := pool.Get().(*[]R)
			defer pool.Put(kept)
			*kept = slices.Grow((*kept)[:0], args.Rows())
			results := (*kept)[:args.Rows()]
			clear(results)
			if err := f(b, results); err != nil {
				return err
			}
			if appendNumbers(to, results) {
				return nil
			}
			wrapped := unsafe.Slice((*value[R])(unsafe.Pointer(unsafe.SliceData(results))), len(results))
			return rows.Append(out, wrapped, unsafe.Slice(to, 1))
		})
	}, options)
}

// appendNumbers appends values that lie in Go as they do in a column.
func appendNumbers[R any](to *stream.Builder, values []R) bool {
	switch xs := any(values).(type) {
	case []int8:
		stream.AppendAll(to, xs)
	case []int16:
		stream.AppendAll(to, xs)
	case []int32:
		stream.AppendAll(to, xs)
	case []int64:
		stream.AppendAll(to, xs)
	case []float32:
		stream.AppendAll(to, xs)
	case []float64:
		stream.AppendAll(to, xs)
	default:
		return false
	}
	return true
}

// Argument returns a column of the arguments of a ScalarBatch function, by its place.
func Argument[V Value](i int) Column[V] { return Column[V]{i} }

// TextArgument returns a column of text or bytes of the arguments.
func TextArgument(i int) Texts { return Texts{i} }

// TableFunc has SQL call a function that makes rows of its arguments: FROM t, LATERAL TABLE(NAME(a)). The columns of R are those of its rows. emit is for the call; what slices, maps and pointers of a row lead to must not be changed after it. Of equal
// arguments the function makes equal rows: rows that are taken back come through it once more. Arguments and failures are as ScalarFunc's; rows with a NULL where none is taken have
// nothing made of them.
func TableFunc[A, R any](e *Env, name string, f func(a A, emit func(R)) error, options ...FuncOption) {
	if reflect.TypeFor[A]().Kind() == reflect.Pointer {
		table(e, name, func(a *one[A], emit func(R)) error { return f(a.A, emit) }, options)
		return
	}
	table(e, name, func(a *A, emit func(R)) error { return f(*a, emit) }, options)
}

// TableFunc2 is TableFunc for two arguments.
func TableFunc2[A, B, R any](e *Env, name string, f func(a A, b B, emit func(R)) error, options ...FuncOption) {
	table(e, name, func(a *two[A, B], emit func(R)) error { return f(a.A, a.B, emit) }, options)
}

func table[Args, R any](e *Env, name string, f func(*Args, func(R)) error, options []FuncOption) {
	in, out := signature[Args](e, name), mappingOf[R](e)
	if in == nil || out == nil {
		return
	}
	spec := jobgraph.FunctionSpec{Name: name, Kind: jobgraph.TableFunction, Args: typesOf(in), Columns: out.Schema.Fields}
	e.declareFunction(spec, func(d *expr.Declared) any {
		pool := sync.Pool{New: func() any { return newTableCall(f, in, out) }}
		return correlate.NewFunction(d, func(args *stream.Batch, to []*stream.Builder, counts []int32) error {
			c := pool.Get().(*tableCall[Args, R])
			defer pool.Put(c)
			return c.run(args, to, counts)
		})
	}, options)
}

// tableCall calls a function for the rows of a batch. It is for one goroutine.
type tableCall[Args, R any] struct {
	f    func(*Args, func(R)) error
	tile *rows.Tile[Args]
	out  *rows.Mapping
	made []R
	emit func(R)
}

func newTableCall[Args, R any](f func(*Args, func(R)) error, in, out *rows.Mapping) *tableCall[Args, R] {
	c := &tableCall[Args, R]{f: f, tile: rows.NewTile[Args](in, nil), out: out}
	c.emit = func(row R) { c.made = append(c.made, row) }
	return c
}

func (c *tableCall[Args, R]) run(args *stream.Batch, to []*stream.Builder, counts []int32) (err error) {
	row := 0
	defer func() {
		if r := recover(); r != nil {
			err = &kernel.RowError{Row: row, Panic: kernel.Thrown(r)}
		}
	}()
	for from, n := 0, args.Rows(); from < n; from += rows.TileRows {
		tile, err := c.tile.Read(args, from, min(from+rows.TileRows, n))
		if err != nil {
			return err
		}
		for i := range tile {
			row = from + i
			before := len(c.made)
			if err := c.f(&tile[i], c.emit); err != nil {
				return &kernel.RowError{Row: row, Err: err}
			}
			counts[row] = int32(len(c.made) - before)
			if len(c.made) > givenMax {
				return &kernel.RowError{Row: row, Err: fmt.Errorf("calls gave more than %d rows", givenMax)}
			}
		}
	}
	made := c.made
	c.made = nil
	return appendTo(c.out, made, to)
}

// appendTo appends rows to builders that stand apart.
func appendTo[R any](m *rows.Mapping, made []R, to []*stream.Builder) error {
	columns := make([]stream.Builder, len(to))
	for i := range to {
		columns[i] = *to[i]
	}
	err := rows.Append(m, made, columns)
	for i := range to {
		*to[i] = columns[i]
	}
	return err
}
