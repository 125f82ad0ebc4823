package correlate

import (
	"fmt"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/stream"
	"millrace/types"
)

// NewFunction returns the table function that a program declares. Eval is as Function has it, but sees no row that has NULL in an argument that takes none. An error of it, which may
// be a kernel.RowError, and a panic are told with the function's name.
func NewFunction(d *expr.Declared, eval func(args *stream.Batch, out []*stream.Builder, counts []int32) error) Function {
	strict := d.Strict()
	return Function{
		Columns: func(args []types.Type) ([]types.Type, error) {
			if len(args) != len(d.Args) {
				return nil, fmt.Errorf("it takes %d arguments, not %d", len(d.Args), len(args))
			}
			out := make([]types.Type, len(d.Result.Fields))
			for i, f := range d.Result.Fields {
				out[i] = f.Type
			}
			return out, nil
		},
		Eval: func(args *stream.Batch, out []*stream.Builder, counts []int32) error {
			some, rows := without(args, strict)
			defer some.Release()
			if rows == nil {
				return guarded(d.Name, eval, some, out, counts)
			}
			of := make([]int32, len(rows))
			if len(rows) > 0 {
				if err := guarded(d.Name, eval, some, out, of); err != nil {
					return err
				}
			}
			for i, row := range rows {
				counts[row] = of[i]
			}
			return nil
		},
	}
}

// guarded calls a function of the user's.
func guarded(name string, eval func(*stream.Batch, []*stream.Builder, []int32) error, args *stream.Batch, out []*stream.Builder, counts []int32) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = kernel.CallError(name, args, fmt.Errorf("%s", kernel.Thrown(r)))
		}
	}()
	if err := eval(args, out, counts); err != nil {
		return kernel.CallError(name, args, err)
	}
	return nil
}

// without returns the batch less the selected rows that have NULL in a column that takes none, and which of them are left; nil for all.
func without(b *stream.Batch, strict []bool) (out *stream.Batch, rows []int32) {
	null := func(row int) bool {
		for i := range b.Columns {
			if strict[i] && b.Columns[i].IsNull(row) {
				return true
			}
		}
		return false
	}
	left := make([]int32, 0, b.Rows())
	for i := range b.Rows() {
		if !null(b.Row(i)) {
			left = append(left, int32(i))
		}
	}
	if len(left) == b.Rows() {
		return b.Retain(), nil
	}
	out = b.Share()
	buf := b.Pool().Get(4 * max(len(left), 1))
	for i, at := range left {
		stream.Int32s(buf)[i] = int32(b.Row(int(at)))
	}
	out.SetSel(buf, len(left))
	return out, left
}
