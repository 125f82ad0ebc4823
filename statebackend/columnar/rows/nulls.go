package rows

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"millrace/statebackend/columnar"
)

// withNulls is a batch in which each column of whose NULL another one tells has these NULLs, and the other one is gone. It takes
// the batch over.
func withNulls(b arrow.RecordBatch) arrow.RecordBatch {
	flags := make(map[string]*array.Boolean)
	for i, f := range b.Schema().Fields() {
		if of, ok := f.Metadata.GetValue(columnar.NullOfKey); ok {
			if flag, ok := b.Column(i).(*array.Boolean); ok {
				flags[of] = flag
			}
		}
	}
	if len(flags) == 0 {
		return b
	}
	defer b.Release()
	var fields []arrow.Field
	var columns []arrow.Array
	for i, f := range b.Schema().Fields() {
		if f.Metadata.FindKey(columnar.NullOfKey) >= 0 {
			continue
		}
		column := b.Column(i)
		if flag := flags[f.Name]; flag != nil && column.NullN() == 0 {
			f.Nullable, column = true, nullWhere(column, flag)
		}
		fields, columns = append(fields, f), append(columns, column)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, b.NumRows())
}

// nullWhere is a column without NULLs in which the values are NULL whose flag is set.
func nullWhere(column arrow.Array, flag *array.Boolean) arrow.Array {
	valid := bytes.Repeat([]byte{0xFF}, (column.Data().Offset()+column.Len()+7)/8)
	nulls := 0
	for i := range column.Len() {
		if flag.Value(i) {
			at := column.Data().Offset() + i
			valid[at/8] &^= 1 << (at % 8)
			nulls++
		}
	}
	d := column.Data()
	buffers := append([]*memory.Buffer{memory.NewBufferBytes(valid)}, d.Buffers()[1:]...)
	return array.MakeFromData(array.NewData(d.DataType(), d.Len(), buffers, d.Children(), nulls, d.Offset()))
}
