package sdk

import (
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/native"
	"millrace/sdk/rows"
	"millrace/stream"
)

// Filter passes the rows on for which keep returns true. keep borrows the row.
func (s *Stream[T]) Filter(keep func(*T) bool, options ...Option) *Stream[T] {
	if !s.ok() {
		return s
	}
	n := s.env.add("filter", options, s.forward())
	n.native(&jobgraph.NativeSpec{Inputs: []jobgraph.NativeInput{s.input()}}, func() native.Function {
		return &filter[T]{guard: guardOf(n), tile: s.tile(), keep: keep}
	})
	out := *s
	out.node, out.port = n, 0
	return &out
}

// filter implements native.Function.
type filter[T any] struct {
	guard
	rt   *native.Runtime
	tile *rows.Tile[T]
	keep func(*T) bool
	sel  []int32
}

func (f *filter[T]) Open(rt *native.Runtime) error {
	f.rt = rt
	f.open(rt.Context)
	return nil
}

func (f *filter[T]) Rows(_ int, b *stream.Batch, _ int) (to int, err error) {
	defer f.recovered(&err)
	f.sel = f.sel[:0]
	n := b.Rows()
	for from := 0; from < n; from += rows.TileRows {
		tile, err := f.tile.Read(b, from, min(from+rows.TileRows, n))
		if err != nil {
			return from, f.failed(err)
		}
		at := 0
		f.row = func() any { return tile[at] }
		for at = range tile {
			if f.keep(&tile[at]) {
				f.sel = append(f.sel, int32(b.Row(from+at)))
			}
		}
		f.row = nil
	}
	f.rt.Counts.Filtered += int64(n - len(f.sel))
	f.rt.Give(operators.MainPort, operators.Select(b, f.sel))
	return n, nil
}

func (*filter[T]) Close() error { return nil }

// Map makes a row of each row. f borrows the row that it is given; an error fails the job.
func Map[T, U any](s *Stream[T], f func(*T) (U, error), options ...Option) *Stream[U] {
	return FlatMap(s, func(row *T, out *Collector[U]) error {
		made, err := f(row)
		if err == nil {
			out.Collect(made)
		}
		return err
	}, append([]Option{as("map")}, options...)...)
}

// as says what an operator is to people.
func as(what string) Option { return func(n *node) { n.what = what } }

// FlatMap makes any number of rows of each row. f borrows the row that it is given; an error fails the job. Of a stream with updates, what is made of a row
// does to the table what the row did.
func FlatMap[T, U any](s *Stream[T], f func(*T, *Collector[U]) error, options ...Option) *Stream[U] {
	if !s.ok() {
		return broken[U](s.env)
	}
	m := mappingOf[U](s.env)
	if m == nil {
		s.refused()
		return broken[U](s.env)
	}
	n := s.env.add("flat-map", options, s.forward())
	n.native(&jobgraph.NativeSpec{Inputs: []jobgraph.NativeInput{s.input()}, Output: m.Schema}, func() native.Function {
		return &flatMap[T, U]{guard: guardOf(n), tile: s.tile(), f: f, out: newCollector[U](m)}
	})
	out := streamOf[U](n, 0, m)
	out.changes = s.changes
	return out
}

// flatMap implements native.Function.
type flatMap[T, U any] struct {
	guard
	rt   *native.Runtime
	tile *rows.Tile[T]
	f    func(*T, *Collector[U]) error
	out  *Collector[U]
}

func (f *flatMap[T, U]) Open(rt *native.Runtime) error {
	f.rt, f.out.out = rt, rt.Out(operators.MainPort)
	f.open(rt.Context)
	return nil
}

func (f *flatMap[T, U]) Rows(_ int, b *stream.Batch, from int) (to int, err error) {
	defer f.recovered(&err)
	for n := b.Rows(); from < n && !f.rt.Enough(); from += rows.TileRows {
		tile, err := f.tile.Read(b, from, min(from+rows.TileRows, n))
		if err != nil {
			return from, f.failed(err)
		}
		at := 0
		f.row = func() any { return tile[at] }
		for at = range tile {
			f.out.kind = b.Kind(b.Row(from + at))
			if err := f.f(&tile[at], f.out); err != nil {
				return from, f.failed(err)
			}
		}
		f.row = nil
		if err := f.out.settle(); err != nil {
			return from, f.failed(err)
		}
	}
	return min(from, b.Rows()), nil
}

func (*flatMap[T, U]) Close() error { return nil }
