package aggregate

import (
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
	for i := range calls {
		a := &calls[i]
		fn := name(a)
		if fn != "COUNT" {
			add(func(t types.Type) stream.Vector { return As(pool, &b.Columns[a.Arg], t) })
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
