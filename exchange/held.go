package exchange

import (
	"millrace/stream"
	"millrace/types"
)

// heldRows is the rows that an outlet holds back for one channel, copied out of
// the batches in which they came.
type heldRows struct {
	schema  *types.Schema
	pool    *stream.Pool
	columns []stream.Builder
	n       int
	// kinds has the rows' kinds, once one of them is not +I; else it is empty.
	kinds []stream.RowKind
}

func (r *heldRows) init(pool *stream.Pool, s *types.Schema, capacity int) {
	r.pool, r.schema = pool, s
	r.columns = make([]stream.Builder, s.Len())
	for i := range r.columns {
		r.columns[i].Init(pool, s.Fields[i].Type, capacity)
	}
}

// add copies the rows at these positions of the batch.
func (r *heldRows) add(b *stream.Batch, positions []int32) {
	r.addKinds(b.Kinds(), positions)
	for i := range r.columns {
		r.columns[i].AppendRows(&b.Columns[i], positions)
	}
	r.n += len(positions)
}

func (r *heldRows) addKinds(kinds []stream.RowKind, positions []int32) {
	if kinds == nil && len(r.kinds) == 0 {
		return
	}
	for len(r.kinds) < r.n {
		r.kinds = append(r.kinds, stream.Insert)
	}
	for _, p := range positions {
		k := stream.Insert
		if kinds != nil {
			k = kinds[p]
		}
		r.kinds = append(r.kinds, k)
	}
}

func (r *heldRows) sizeBytes() int {
	size := 0
	for i := range r.columns {
		size += r.columns[i].SizeBytes()
	}
	return size
}

// finish returns the rows as a batch and holds nothing any more.
func (r *heldRows) finish() *stream.Batch {
	b := r.pool.NewBatch(r.schema, r.n)
	for i := range r.columns {
		b.Columns[i] = r.columns[i].Finish()
	}
	if len(r.kinds) > 0 {
		copy(b.MakeKinds(), r.kinds)
	}
	r.n, r.kinds = 0, r.kinds[:0]
	return b
}

func (r *heldRows) close() {
	for i := range r.columns {
		r.columns[i].Close()
	}
	r.n, r.kinds = 0, nil
}
