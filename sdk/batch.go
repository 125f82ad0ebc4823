package sdk

import (
	"fmt"
	"reflect"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/native"
	"millrace/sdk/rows"
	"millrace/stream"
	"millrace/types"
)

// Column is a column of a stream, for functions of batches. V is what its values are in memory: int8 to int64, float32 or float64; of times and DECIMALs up to 18 digits,
// int64: milliseconds (by the type's precision) and the number without its point; of dates int32.
type Column[V Value] struct{ at int }

// Value are the Go types of columns of a fixed width.
type Value interface {
	int8 | int16 | int32 | int64 | float32 | float64
}

// Texts is a column of text or bytes, for functions of batches.
type Texts struct{ at int }

// ColumnOf returns a column of a stream by its name.
func ColumnOf[V Value, T any](s *Stream[T], name string) Column[V] {
	var v V
	return Column[V]{s.find(name, fmt.Sprintf("%T", v), func(l types.Layout) bool { return layouts[reflect.TypeFor[V]()] == l })}
}

// TextsOf returns a column of text or bytes of a stream by its name.
func TextsOf[T any](s *Stream[T], name string) Texts {
	return Texts{s.find(name, "text", func(l types.Layout) bool { return l == types.LayoutBytes })}
}

var layouts = map[reflect.Type]types.Layout{
	reflect.TypeFor[int8](): types.LayoutInt8, reflect.TypeFor[int16](): types.LayoutInt16, reflect.TypeFor[int32](): types.LayoutInt32,
	reflect.TypeFor[int64](): types.LayoutInt64, reflect.TypeFor[float32](): types.LayoutFloat32, reflect.TypeFor[float64](): types.LayoutFloat64,
}

// find returns where a column stands that has a layout, and notes what is wrong otherwise.
func (s *Stream[T]) find(name, what string, fits func(types.Layout) bool) int {
	if !s.ok() {
		return 0
	}
	i := s.mapping.Column(name)
	if i < 0 {
		s.env.problem(failure.Message{Primary: fmt.Sprintf("%s has no column %q", s.mapping.Go, name), Hint: "its columns are " + list(s.mapping.Names())})
		return 0
	}
	if t := s.schema.Fields[s.column(i)].Type; !fits(t.Layout()) {
		s.env.Problemf("column %s is %s, whose values are no %s", name, t, what)
	}
	return s.column(i)
}

// Batch is rows as columns. It is for the call in which a function got it.
type Batch struct {
	b *stream.Batch
	// dense has the columns that were asked for without the rows that were filtered out, which stand among the others.
	dense map[int]*stream.Vector
	pool  *stream.Pool
	at    []int32
}

// Len returns the number of rows.
func (b *Batch) Len() int { return b.b.Rows() }

// vector returns a column in which all rows stand one behind the other, flat.
func (b *Batch) vector(at int) *stream.Vector {
	v := &b.b.Columns[at]
	if b.b.Sel() == nil && v.Encoding == stream.Flat {
		return v
	}
	if d := b.dense[at]; d != nil {
		return d
	}
	if b.at == nil {
		for i := range b.Len() {
			b.at = append(b.at, int32(b.b.Row(i)))
		}
	}
	builder := stream.NewBuilder(b.pool, v.Type, len(b.at))
	builder.AppendRows(v, b.at)
	d := builder.Finish()
	if b.dense == nil {
		b.dense = make(map[int]*stream.Vector)
	}
	b.dense[at] = &d
	return &d
}

func (b *Batch) release() {
	for _, v := range b.dense {
		v.Release()
	}
}

// In returns the values of the batch's rows. They must not be changed. What stands for NULL is undefined.
func (c Column[V]) In(b *Batch) []V { return stream.Values[V](b.vector(c.at)) }

// Null tells whether a row is NULL.
func (c Column[V]) Null(b *Batch, row int) bool { return b.vector(c.at).IsNull(row) }

// In returns the text of a row. It aliases the batch, so it is for the call, and must not be changed.
func (c Texts) In(b *Batch, row int) []byte { return b.vector(c.at).Bytes(row) }

// Null tells whether a row is NULL.
func (c Texts) Null(b *Batch, row int) bool { return b.vector(c.at).IsNull(row) }

// FilterBatch passes on the rows whose keep a function sets. There is a keep for each row of the batch, all false at first. f is called by
// several tasks at once; an error fails the job.
func (s *Stream[T]) FilterBatch(f func(b *Batch, keep []bool) error, options ...Option) *Stream[T] {
	if !s.ok() {
		return s
	}
	n := s.env.add("filter-batch", options, s.forward())
	n.native(&jobgraph.NativeSpec{Inputs: []jobgraph.NativeInput{s.input()}}, func() native.Function {
		return &filterBatch{guard: guardOf(n), f: f}
	})
	out := *s
	out.node, out.port = n, 0
	return &out
}

// filterBatch implements native.Function.
type filterBatch struct {
	guard
	rt   *native.Runtime
	f    func(*Batch, []bool) error
	keep []bool
	sel  []int32
}

func (f *filterBatch) Open(rt *native.Runtime) error {
	f.rt = rt
	f.open(rt.Context)
	return nil
}

func (f *filterBatch) Rows(_ int, b *stream.Batch, _ int) (to int, err error) {
	defer f.recovered(&err)
	n := b.Rows()
	if cap(f.keep) < n {
		f.keep = make([]bool, max(n, stream.RowsMax))
	}
	keep := f.keep[:n]
	clear(keep)
	of := &Batch{b: b, pool: f.rt.Pool}
	defer of.release()
	if err := f.f(of, keep); err != nil {
		return 0, f.failed(err)
	}
	f.sel = f.sel[:0]
	for i, k := range keep {
		if k {
			f.sel = append(f.sel, int32(b.Row(i)))
		}
	}
	f.rt.Counts.Filtered += int64(n - len(f.sel))
	f.rt.Give(operators.MainPort, operators.Select(b, f.sel))
	return n, nil
}

func (*filterBatch) Close() error { return nil }

// Columns takes the columns of the rows that a function of batches gives. Each column of U must be given, all with as many rows.
type Columns struct {
	in      *Batch
	from    *types.Schema
	schema  *types.Schema
	vectors []stream.Vector
	given   []bool
	pool    *stream.Pool
	err     error
}

// Keep gives a column of the rows that came, unchanged, under its own name.
func (c *Columns) Keep(name string) {
	from := c.from.Index(name)
	if from < 0 {
		c.fail("the rows that came have no column %q", name)
		return
	}
	v := c.in.vector(from)
	v.Retain()
	c.give(name, *v)
}

// Put gives the values of a column that has no NULL. They are copied.
func Put[V Value](c *Columns, name string, values []V) {
	i := c.schema.Index(name)
	if i < 0 || layouts[reflect.TypeFor[V]()] != c.schema.Fields[i].Type.Layout() {
		c.fail("there is no column %q of %s to put", name, reflect.TypeFor[V]())
		return
	}
	v := stream.NewFixed(c.pool, c.schema.Fields[i].Type, len(values))
	copy(stream.Values[V](&v), values)
	c.give(name, v)
}

// PutTexts gives the values of a column of text or bytes that has no NULL. They are copied.
func (c *Columns) PutTexts(name string, values [][]byte) {
	i := c.schema.Index(name)
	if i < 0 || c.schema.Fields[i].Type.Layout() != types.LayoutBytes {
		c.fail("there is no column %q of text to put", name)
		return
	}
	b := stream.NewBuilder(c.pool, c.schema.Fields[i].Type, len(values))
	for _, v := range values {
		b.AppendBytes(v)
	}
	c.give(name, b.Finish())
}

func (c *Columns) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// give takes a vector over.
func (c *Columns) give(name string, v stream.Vector) {
	i := c.schema.Index(name)
	switch {
	case i < 0:
		c.fail("the rows that leave have no column %q", name)
	case c.given[i]:
		c.fail("column %q is given twice", name)
	case !c.schema.Fields[i].Type.EqualIgnoringNull(v.Type) || v.HasNulls() && !c.schema.Fields[i].Type.Nullable:
		c.fail("column %q is %s, and is given as %s", name, c.schema.Fields[i].Type, v.Type)
	default:
		v.Type = c.schema.Fields[i].Type
		c.vectors[i], c.given[i] = v, true
		return
	}
	v.Release()
}

// batch returns the rows that were given.
func (c *Columns) batch(kinds *stream.Batch) (*stream.Batch, error) {
	n := -1
	for i, given := range c.given {
		switch {
		case !given:
			c.fail("column %q is not given", c.schema.Fields[i].Name)
		case n >= 0 && c.vectors[i].Len() != n:
			c.fail("column %q has %d rows, others %d", c.schema.Fields[i].Name, c.vectors[i].Len(), n)
		default:
			n = c.vectors[i].Len()
		}
	}
	if kinds.Kinds() != nil && n != kinds.Rows() {
		c.fail("of a stream with updates a row must be made of each row: %d of %d", n, kinds.Rows())
	}
	if c.err != nil {
		for i := range c.vectors {
			c.vectors[i].Release()
		}
		return nil, c.err
	}
	b := c.pool.NewBatch(c.schema, n)
	copy(b.Columns, c.vectors)
	if kinds.Kinds() != nil {
		to := b.MakeKinds()
		for i := range to {
			to[i] = kinds.Kind(kinds.Row(i))
		}
	}
	return b, nil
}

// MapBatch makes rows of rows, a batch at a time, as columns. It may make any number of them, but of a stream with updates one of each. f is called by several tasks at once; an
// error fails the job.
func MapBatch[U, T any](s *Stream[T], f func(b *Batch, out *Columns) error, options ...Option) *Stream[U] {
	if !s.ok() {
		return broken[U](s.env)
	}
	m := mappingOf[U](s.env)
	if m == nil {
		s.refused()
		return broken[U](s.env)
	}
	n := s.env.add("map-batch", options, s.forward())
	n.native(&jobgraph.NativeSpec{Inputs: []jobgraph.NativeInput{s.input()}, Output: m.Schema}, func() native.Function {
		return &mapBatch{guard: guardOf(n), f: f, from: s.schema, to: m}
	})
	out := streamOf[U](n, 0, m)
	out.changes = s.changes
	return out
}

// mapBatch implements native.Function.
type mapBatch struct {
	guard
	rt   *native.Runtime
	f    func(*Batch, *Columns) error
	from *types.Schema
	to   *rows.Mapping
}

func (f *mapBatch) Open(rt *native.Runtime) error {
	f.rt = rt
	f.open(rt.Context)
	return nil
}

func (f *mapBatch) Rows(_ int, b *stream.Batch, _ int) (to int, err error) {
	defer f.recovered(&err)
	in := &Batch{b: b, pool: f.rt.Pool}
	defer in.release()
	n := f.to.Schema.Len()
	out := &Columns{in: in, from: f.from, schema: f.to.Schema, vectors: make([]stream.Vector, n), given: make([]bool, n), pool: f.rt.Pool}
	err = f.f(in, out)
	if err == nil {
		err = out.err
	}
	if err != nil {
		for i := range out.vectors {
			out.vectors[i].Release()
		}
		return 0, f.failed(err)
	}
	made, err := out.batch(b)
	if err != nil {
		return 0, f.failed(err)
	}
	made.Split = b.Split
	f.rt.Give(operators.MainPort, made)
	return b.Rows(), nil
}

func (*mapBatch) Close() error { return nil }
