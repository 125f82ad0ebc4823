package aggregate

import (
	"bytes"
	"math"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// keepBytes compares bytewise. The empty string is a value like any other, so
// a word in front of the column's says that there is one.
func keepBytes(table Accumulators, o *op, v values) error {
	for i, s := range v.slots {
		x := v.flat.Bytes(v.at(i))
		rows := table.Rows()
		seen := place(&rows, rows.Offset+o.word-1, s)
		if *seen != 0 {
			c := bytes.Compare(x, table.Bytes(o.column, s))
			if c == 0 || (c > 0) != o.max {
				continue
			}
		}
		*seen = 1
		if err := table.SetBytes(o.column, s, x); err != nil {
			return err
		}
	}
	return nil
}

// keepValues keeps the first value of a row or the last.
func (f *Folder) keepValues(table Accumulators, o *op, v values) error {
	layout := v.flat.Type.Layout()
	var words []int64
	var wide []stream.Int128
	switch layout {
	case types.LayoutBytes:
	case types.LayoutInt128:
		wide = f.decimals(v)
	case types.LayoutFloat32, types.LayoutFloat64:
		words = f.floatBits(v)
	default:
		words = f.integers(v)
	}
	rows := table.Rows()
	for i, s := range v.slots {
		at := int(s%statebackend.BlockRows)*rows.Stride + rows.Offset + o.word
		w := rows.Blocks[s/statebackend.BlockRows][at-1:]
		if o.kind == opFirst && w[0] != 0 {
			continue
		}
		w[0] = 1
		switch layout {
		case types.LayoutBytes:
			if err := table.SetBytes(o.column, s, v.flat.Bytes(v.at(i))); err != nil {
				return err
			}
		case types.LayoutInt128:
			w[1], w[2] = uint64(wide[i].Hi), wide[i].Lo
		default:
			w[1] = uint64(words[i])
		}
	}
	return nil
}

// floatBits returns the bits of floating-point values.
func (f *Folder) floatBits(v values) []int64 {
	out := f.ints[:len(v.slots)]
	if v.flat.Type.Layout() == types.LayoutFloat32 {
		xs := stream.Values[float32](v.flat)
		for i := range out {
			out[i] = int64(math.Float32bits(xs[v.at(i)]))
		}
		return out
	}
	xs := stream.Values[float64](v.flat)
	for i := range out {
		out[i] = int64(math.Float64bits(xs[v.at(i)]))
	}
	return out
}

// lengthen appends values to the rows' lists.
func (f *Folder) lengthen(table Accumulators, o *op, v values) error {
	for i, s := range v.slots {
		rows := table.Rows()
		seen := place(&rows, rows.Offset+o.word-1, s)
		f.text = append(f.text[:0], table.Bytes(o.column, s)...)
		if *seen != 0 {
			f.text = append(f.text, o.separator...)
		}
		*seen = 1
		if err := table.SetBytes(o.column, s, append(f.text, v.flat.Bytes(v.at(i))...)); err != nil {
			return err
		}
	}
	return nil
}
