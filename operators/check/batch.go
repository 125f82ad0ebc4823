package check

import (
	"millrace/stream"
	"millrace/types"
)

// batch checks a batch against its schema and the bound on rows.
func (o *Operator) batch(b *stream.Batch, s *types.Schema, rowsMax int) error {
	if b.Schema == nil {
		return o.failed("batch was released")
	}
	if !b.Schema.Equal(s) {
		return o.failed("batch of schema %s, want %s", b.Schema, s)
	}
	if b.Rows() == 0 || b.Rows() > rowsMax {
		return o.failed("batch of %d rows, want 1 to %d", b.Rows(), rowsMax)
	}
	last := int32(-1)
	for _, row := range b.Sel() {
		if row <= last || int(row) >= b.Len() {
			return o.failed("selection has %d behind %d in a batch of %d", row, last, b.Len())
		}
		last = row
	}
	if kinds := b.Kinds(); kinds != nil {
		for i := range b.Rows() {
			if k := kinds[b.Row(i)]; k > stream.Delete {
				return o.failed("row of the unknown kind %s", k)
			}
		}
	}
	return o.columns(b)
}

func (o *Operator) columns(b *stream.Batch) error {
	for c, f := range b.Schema.Fields {
		v := &b.Columns[c]
		if v.Len() != b.Len() {
			return o.failed("column %s has %d rows in a batch of %d", f.Name, v.Len(), b.Len())
		}
		if !v.Type.EqualIgnoringNull(f.Type) {
			return o.failed("column %s holds %s, want %s", f.Name, v.Type, f.Type)
		}
		if err := o.values(b, f, v); err != nil {
			return err
		}
	}
	return nil
}

// values checks that selected rows have values where there must be some. A
// DECIMAL is excepted: an overflow makes it NULL whatever its type says.
func (o *Operator) values(b *stream.Batch, f types.Field, v *stream.Vector) error {
	for i := range b.Rows() {
		row := b.Row(i)
		if v.Encoding == stream.Dictionary && !o.validIndex(v, row) {
			return o.failed("column %s points outside its dictionary in row %d", f.Name, row)
		}
		if !f.Type.Nullable && f.Type.Kind != types.Decimal && v.IsNull(row) {
			return o.failed("column %s is NULL in row %d and must not be", f.Name, row)
		}
	}
	return nil
}

func (o *Operator) validIndex(v *stream.Vector, row int) bool {
	index := v.Indices()[row]
	if v.Valid() != nil && !v.Valid().Get(row) {
		return true
	}
	return index >= 0 && int(index) < v.Dict().Len()
}
