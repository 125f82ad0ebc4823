package exchangetest

import (
	"fmt"

	"millrace/stream"
	"millrace/types"
)

var schema = types.NewSchema(types.Field{Name: "n", Type: types.Of(types.BigInt)})

// rows returns an element of that many rows, the first of which carries n.
func (s *scene) rows(n int64, count int) stream.Element {
	b := s.pool.NewBatch(schema, count)
	b.Columns[0] = stream.NewFixed(&s.pool, schema.Fields[0].Type, count)
	values := stream.Values[int64](&b.Columns[0])
	for i := range values {
		values[i] = n
	}
	return stream.RowsOf(b)
}

// describe prints an element: rows(number x count) for those that rows made.
func describe(e stream.Element) string {
	if e.Kind != stream.RowsElement {
		return e.String()
	}
	return fmt.Sprintf("rows(%d x %d)", number(e), e.Batch.Rows())
}

func number(e stream.Element) int64 { return stream.Values[int64](&e.Batch.Columns[0])[0] }

// sizeOf returns the credit that an element of that many rows takes.
func (s *scene) sizeOf(count int) int {
	e := s.rows(0, count)
	defer e.Batch.Release()
	return e.Batch.SizeBytes()
}
