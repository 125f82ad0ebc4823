package aggregate

import (
	"math/bits"

	"millrace/jobgraph"
	"millrace/stream"
	"millrace/types"
)

// AppendSingles appends the columns of the partial rows that a batch's rows are
// one by one: accumulators of a single row, then the count, as jobgraph lays them
// out, of the types that fields have.
func AppendSingles(pool *stream.Pool, calls []jobgraph.AggregateCall, retract bool, b *stream.Batch, fields []types.Field, columns []stream.Vector) {
	add := func(make func(t types.Type) stream.Vector) {
		columns[0] = make(fields[0].Type)
		columns, fields = columns[1:], fields[1:]
	}
	words := func(arg *stream.Vector, of func(stream.Int128) stream.Int128) {
		for k, v := range wordsOfOne(pool, b, arg, of) {
			columns[k] = v
		}
		columns, fields = columns[jobgraph.SumWords:], fields[jobgraph.SumWords:]
	}
	for i := range calls {
		a := &calls[i]
		fn := name(a)
		switch {
		case fn == "COUNT":
		case sums(fn) && b.Columns[a.Arg].Type.Kind == types.Decimal:
			words(&b.Columns[a.Arg], nil)
		default:
			add(func(t types.Type) stream.Vector { return As(pool, &b.Columns[a.Arg], t) })
		}
		if jobgraph.Deviates(fn) {
			appendSquare(pool, b, &b.Columns[a.Arg], add, words)
		}
		if fn == "COUNT" || a.BringsCount(retract) {
			add(func(t types.Type) stream.Vector { return countOfOne(pool, b, a.Arg, t) })
		}
	}
	add(func(t types.Type) stream.Vector { return countOfOne(pool, b, jobgraph.CountStar, t) })
}

// As returns a column as one of a wider type: the accumulator of one row.
func As(pool *stream.Pool, v *stream.Vector, t types.Type) stream.Vector {
	if v.Type.Layout() == t.Layout() {
		v.Retain()
		out := *v
		out.Type = t
		return out
	}
	out := stream.NewFixed(pool, t, v.Len())
	if v.HasNulls() || v.Encoding == stream.Dictionary {
		valid := out.WithValidity(pool)
		for i := range v.Len() {
			valid.Put(i, !v.IsNull(i))
		}
	}
	switch t.Layout() {
	case types.LayoutInt128:
		widen(stream.Values[stream.Int128](&out), v, func(x int64) stream.Int128 {
			return stream.Int128{Lo: uint64(x), Hi: x >> 63}
		})
	case types.LayoutFloat64:
		xs := stream.Values[float64](&out)
		for i := range xs {
			xs[i] = float64(stream.Value[float32](v, i))
		}
	default:
		widen(stream.Values[int64](&out), v, func(x int64) int64 { return x })
	}
	return out
}

// widen converts the integers of a vector of any layout.
func widen[T any](out []T, v *stream.Vector, convert func(int64) T) {
	for i := range out {
		out[i] = convert(integerAt(v, i))
	}
}

// integerAt returns the integer of a row, whatever its layout.
func integerAt(v *stream.Vector, row int) int64 {
	switch v.Type.Layout() {
	case types.LayoutInt8:
		return int64(stream.Value[int8](v, row))
	case types.LayoutInt16:
		return int64(stream.Value[int16](v, row))
	case types.LayoutInt32:
		return int64(stream.Value[int32](v, row))
	default:
		return stream.Value[int64](v, row)
	}
}

// countOfOne returns 1 for each row in which the column has a value.
func countOfOne(pool *stream.Pool, b *stream.Batch, column int, t types.Type) stream.Vector {
	v := stream.NewFixed(pool, t, b.Len())
	out := stream.Values[int64](&v)
	for i := range out {
		out[i] = 1
	}
	if column == jobgraph.CountStar {
		return v
	}
	if arg := &b.Columns[column]; arg.HasNulls() || arg.Encoding == stream.Dictionary {
		for i := range b.Rows() {
			if row := b.Row(i); arg.IsNull(row) {
				out[row] = 0
			}
		}
	}
	return v
}

// sums tells whether a function, by its name in capitals, adds values up.
func sums(fn string) bool { return fn == "SUM" || fn == "SUM0" || fn == "AVG" || jobgraph.Deviates(fn) }

// appendSquare adds what the squares of a batch's values are one by one.
func appendSquare(
	pool *stream.Pool, b *stream.Batch, arg *stream.Vector,
	add func(func(types.Type) stream.Vector), words func(*stream.Vector, func(stream.Int128) stream.Int128),
) {
	switch arg.Type.Layout() {
	case types.LayoutFloat32, types.LayoutFloat64:
		add(func(t types.Type) stream.Vector { return squaresOfOne(pool, b, arg, t) })
		return
	}
	if arg.Type.Kind == types.Decimal {
		words(arg, newFitting(arg.Type.Scale).square)
		return
	}
	words(arg, func(x stream.Int128) stream.Int128 {
		high, low := bits.Mul64(magnitude(int64(x.Lo)), magnitude(int64(x.Lo)))
		return stream.Int128{Lo: low, Hi: int64(high)}
	})
}

// wordsOfOne returns the words of an exact number in each row, or of what it becomes. Rows that are not selected have any.
func wordsOfOne(pool *stream.Pool, b *stream.Batch, arg *stream.Vector, of func(stream.Int128) stream.Int128) (out [jobgraph.SumWords]stream.Vector) {
	wide := arg.Type.Layout() == types.LayoutInt128
	for k := range out {
		out[k] = stream.NewFixed(pool, types.Of(types.BigInt), b.Len())
	}
	low, mid, high := stream.Values[int64](&out[0]), stream.Values[int64](&out[1]), stream.Values[int64](&out[2])
	for i := range b.Rows() {
		row := b.Row(i)
		if arg.IsNull(row) {
			for k := range out {
				out[k].WithValidity(pool).Clear(row)
			}
			continue
		}
		var x stream.Int128
		if wide {
			x = stream.Value[stream.Int128](arg, row)
		} else {
			n := integerAt(arg, row)
			x = stream.Int128{Lo: uint64(n), Hi: n >> 63}
		}
		if of != nil {
			x = of(x)
		}
		low[row], mid[row], high[row] = int64(x.Lo), x.Hi, x.Hi>>63
	}
	return out
}

// squaresOfOne returns the square of a floating-point number in each row.
func squaresOfOne(pool *stream.Pool, b *stream.Batch, arg *stream.Vector, t types.Type) stream.Vector {
	v := stream.NewFixed(pool, t, b.Len())
	out := stream.Values[float64](&v)
	float := arg.Type.Layout() == types.LayoutFloat32
	for i := range b.Rows() {
		row := b.Row(i)
		switch {
		case arg.IsNull(row):
			v.WithValidity(pool).Clear(row)
		case float:
			x := float64(stream.Value[float32](arg, row))
			out[row] = x * x
		default:
			x := stream.Value[float64](arg, row)
			out[row] = x * x
		}
	}
	return v
}
