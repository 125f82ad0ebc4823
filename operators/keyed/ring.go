package keyed

import (
	"fmt"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Ring turns rows of a value table into keys, for look-ups in other tables. It is for one goroutine.
type Ring struct {
	pool    *stream.Pool
	schema  *types.Schema
	builder *stream.KeyBuilder
	reader  *stream.KeyReader
}

// Open makes the ring ready for keys of these types.
func (k *Ring) Open(pool *stream.Pool, keys []types.Type) error {
	k.pool, k.schema, k.builder = pool, types.NewSchema(), stream.NewKeyBuilder(pool, keys, sweepRows)
	columns := make([]int, len(keys))
	for i, t := range keys {
		columns[i] = i
		k.schema.Fields = append(k.schema.Fields, types.Field{Name: fmt.Sprintf("k%d", i), Type: t})
	}
	var err error
	k.reader, err = stream.NewKeyReader(k.schema, columns)
	return err
}

// Keys returns the keys of rows, valid until the next call.
func (k *Ring) Keys(part statebackend.Part, slots []statebackend.Slot) (*stream.Keys, error) {
	if err := part.AppendKeys(slots, k.builder); err != nil {
		return nil, err
	}
	b := k.pool.NewBatch(k.schema, len(slots))
	for i := range b.Columns {
		b.Columns[i] = k.builder.Finish(i)
	}
	defer b.Release()
	return k.reader.Read(b), nil
}

// Close gives back what the ring holds.
func (k *Ring) Close() {
	if k.builder != nil {
		k.builder.Close()
	}
}
