package native

import (
	"slices"

	"millrace/operators"
	"millrace/stream"
	"millrace/types"
)

// Out collects the rows of an output port.
type Out struct {
	// Columns take the rows, a builder a column: whoever appends a row appends to each.
	Columns []stream.Builder

	schema *types.Schema
	port   int
	pool   *stream.Pool
	kinds  []stream.RowKind // of the first rows; the others are +I
}

func newOut(pool *stream.Pool, s *types.Schema, port, capacity int) *Out {
	o := &Out{Columns: make([]stream.Builder, s.Len()), schema: s, port: port, pool: pool}
	for i, f := range s.Fields {
		o.Columns[i].Init(pool, f.Type, capacity)
	}
	return o
}

// Rows returns how many rows wait to leave.
func (o *Out) Rows() int { return o.Columns[0].Len() }

// MarkAll says of which kinds the last rows are that were appended. Rows of which nothing is said are +I.
func (o *Out) MarkAll(kinds []stream.RowKind) {
	if len(o.kinds) == 0 && !slices.ContainsFunc(kinds, func(k stream.RowKind) bool { return k != stream.Insert }) {
		return
	}
	for len(o.kinds) < o.Rows()-len(kinds) {
		o.kinds = append(o.kinds, stream.Insert)
	}
	o.kinds = append(o.kinds, kinds...)
}

// full tells whether the rows are worth a batch.
func (o *Out) full(rowsMax int) bool {
	if o.Rows() >= rowsMax {
		return true
	}
	size := 0
	for i := range o.Columns {
		size += o.Columns[i].SizeBytes()
	}
	return size >= stream.BatchBytesTarget
}

// take appends the rows to a queue, as batches of at most rowsMax.
func (o *Out) take(queue []operators.Output, rowsMax int) []operators.Output {
	n := o.Rows()
	if n == 0 {
		return queue
	}
	b := o.pool.NewBatch(o.schema, n)
	for i := range o.Columns {
		b.Columns[i] = o.Columns[i].Finish()
	}
	if len(o.kinds) > 0 {
		copy(b.MakeKinds(), o.kinds) // those behind are +I
		o.kinds = o.kinds[:0]
	}
	return cut(queue, o.port, b, rowsMax)
}

// cut appends a batch, which it takes over, to a queue in parts of at most rowsMax rows.
func cut(queue []operators.Output, port int, b *stream.Batch, rowsMax int) []operators.Output {
	if b.Rows() <= rowsMax {
		return append(queue, operators.Output{Port: port, Batch: b})
	}
	for from := 0; from < b.Rows(); from += rowsMax {
		queue = append(queue, operators.Output{Port: port, Batch: operators.Slice(b, from, min(from+rowsMax, b.Rows()))})
	}
	b.Release()
	return queue
}

func (o *Out) close() {
	for i := range o.Columns {
		o.Columns[i].Close()
	}
}
