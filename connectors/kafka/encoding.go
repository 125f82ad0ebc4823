package kafka

import (
	"millrace/formats"
	"millrace/internal/invariant"
	"millrace/stream"
	"millrace/types"
)

// encoding turns batches into records. It is for one goroutine.
type encoding struct {
	value formats.Encoder
	// key is nil where records have none. It sees the key's columns only.
	key        formats.Encoder
	keySchema  *types.Schema
	keyColumns []int
}

// slab is the records of one batch with the memory in which they stand.
type slab struct {
	values, keys formats.Payloads
	records      []Record
	epoch        *epoch
	bytes        int64
}

// encode fills an empty slab.
func (e *encoding) encode(b *stream.Batch, s *slab) error {
	if err := e.value.Encode(b, &s.values); err != nil {
		return err
	}
	if err := e.encodeKeys(b, s); err != nil {
		return err
	}
	for i := range s.values.Len() {
		r := Record{Value: s.values.At(i)}
		if e.key != nil {
			r.Key = s.keys.At(i)
		}
		s.records = append(s.records, r)
	}
	s.bytes = int64(len(s.values.Data) + len(s.keys.Data))
	return nil
}

func (e *encoding) encodeKeys(b *stream.Batch, s *slab) error {
	if e.key == nil {
		return nil
	}
	keys := b.Share()
	defer keys.Release()
	for i := range keys.Columns {
		keys.Columns[i].Release()
		keys.Columns[i] = stream.Vector{}
	}
	keys.Schema, keys.Columns = e.keySchema, keys.Columns[:0]
	for _, c := range e.keyColumns {
		b.Columns[c].Retain()
		keys.Columns = append(keys.Columns, b.Columns[c])
	}
	if err := e.key.Encode(keys, &s.keys); err != nil {
		return err
	}
	if s.keys.Len() != s.values.Len() {
		return invariant.Failedf("%d keys for %d values", s.keys.Len(), s.values.Len())
	}
	return nil
}

// reset makes the slab empty and keeps its memory.
func (s *slab) reset() {
	s.values.Reset()
	s.keys.Reset()
	clear(s.records)
	s.records, s.epoch, s.bytes = s.records[:0], nil, 0
}
