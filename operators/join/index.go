package join

import (
	"bytes"
	"math/bits"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
)

// index is a table in memory by key: rows in the order in which they came, chained by hash.
type index struct {
	rows  *stream.Batch
	keys  *stream.Keys
	heads []int32 // by the low bits of a hash, the first row
	chain []int32 // of each row, the next one
}

// loadIndex reads a table.
func loadIndex(pool *stream.Pool, source operators.LookupSource, table *jobgraph.LookupTable, keys []int) (*index, error) {
	reader, err := stream.NewKeyReader(table.Schema, keys)
	if err != nil {
		return nil, failure.User(err)
	}
	builders := make([]stream.Builder, table.Schema.Len())
	for i, f := range table.Schema.Fields {
		builders[i].Init(pool, f.Type, pairsMax)
		defer builders[i].Close()
	}
	n, positions := 0, []int32(nil)
	err = source.Load(pool, func(b *stream.Batch) error {
		positions = positions[:0]
		for i := range b.Rows() {
			positions = append(positions, int32(b.Row(i)))
		}
		n += b.Rows()
		size := 0
		for i := range builders {
			builders[i].AppendRows(&b.Columns[i], positions)
			size += builders[i].SizeBytes()
		}
		if n > lookupRowsMax || size > lookupBytesMax {
			return failure.Userf("the table has more than %d rows or %d bytes, which each task holds in memory; join it as a stream instead", lookupRowsMax, lookupBytesMax)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows := pool.NewBatch(table.Schema, n)
	for i := range builders {
		rows.Columns[i] = builders[i].Finish()
	}
	return newIndex(rows, reader.Read(rows), keys), nil
}

// newIndex takes rows and keys over. Rows of which a key column is NULL are in no chain.
func newIndex(rows *stream.Batch, keys *stream.Keys, columns []int) *index {
	n := rows.Len()
	x := &index{rows: rows, keys: keys, heads: make([]int32, 1<<bits.Len(uint(n))), chain: make([]int32, n)}
	for i := range x.heads {
		x.heads[i] = none
	}
	for i := n - 1; i >= 0; i-- {
		if null(rows, columns, i) {
			continue
		}
		head := x.head(keys.Hashes[i])
		x.chain[i], *head = *head, int32(i)
	}
	return x
}

// null tells whether any of the columns is NULL in a row.
func null(b *stream.Batch, columns []int, row int) bool {
	for _, c := range columns {
		if b.Columns[c].IsNull(row) {
			return true
		}
	}
	return false
}

func (x *index) head(hash uint64) *int32 { return &x.heads[hash&uint64(len(x.heads)-1)] }

// first returns the first row of key i of others, none where there is none.
func (x *index) first(keys *stream.Keys, i int) int32 {
	return x.same(*x.head(keys.Hashes[i]), keys, i)
}

// next returns the row of the same key behind one.
func (x *index) next(at int32, keys *stream.Keys, i int) int32 { return x.same(x.chain[at], keys, i) }

// same returns the first row of a chain that has a key.
func (x *index) same(at int32, keys *stream.Keys, i int) int32 {
	for ; at != none; at = x.chain[at] {
		if x.keys.Hashes[at] != keys.Hashes[i] {
			continue
		}
		if keys.Layout == stream.KeyBytes {
			if bytes.Equal(x.keys.Bytes(int(at)), keys.Bytes(i)) {
				return at
			}
		} else if !keys.IsNull(i) && x.keys.Fixed[at] == keys.Fixed[i] {
			return at
		}
	}
	return none
}

func (x *index) close() {
	if x != nil {
		x.rows.Release()
	}
}
