package rank

import (
	"fmt"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// ring turns rows of a table into keys.
type ring struct {
	pool    *stream.Pool
	schema  *types.Schema
	builder *stream.KeyBuilder
	reader  *stream.KeyReader
}

func (k *ring) open(pool *stream.Pool, keys []types.Type) error {
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

// keys returns the keys of rows, valid until the next call.
func (k *ring) keys(part statebackend.Part, slots []statebackend.Slot) (*stream.Keys, error) {
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

// sweeper forgets partitions that have not changed for the time that state lives.
type sweeper struct {
	ring ring
	ttl  int64 // milliseconds; 0: for ever
	at   statebackend.Slot
	gone []statebackend.Slot
}

func (s *sweeper) open(pool *stream.Pool, keys []types.Type, ttl int64) error {
	s.ttl = ttl
	return s.ring.open(pool, keys)
}

func (s *sweeper) close() {
	if s.ring.builder != nil {
		s.ring.builder.Close()
	}
}

// expired tells whether what was written then counts no longer.
func (r *Rank) expired(written, now int64) bool {
	return r.sweeper.ttl > 0 && written+r.sweeper.ttl <= now
}

// expire deletes the rows of the chunk's i-th partition.
func (r *Rank) expire(i int) {
	r.one.Reset(r.keys.Layout)
	r.one.AppendRows(&r.keysOf, []int32{int32(i)})
	r.rows.DeleteAll(&r.one)
}

// sweep looks at the next partitions of the table.
func (r *Rank) sweep() error {
	s := &r.sweeper
	if s.ttl == 0 {
		return nil
	}
	part := r.partitions.Part(0, false)
	if part == nil {
		return nil
	}
	slots := r.slots[:sweepRows]
	n, next := part.Scan(s.at, slots)
	if s.at = next; n == 0 {
		s.at = 0
		return nil
	}
	rows, now := part.Rows(), r.ctx.Time.Now()
	s.gone = s.gone[:0]
	for _, slot := range slots[:n] {
		if p := readPartition(rows.At(slot)); r.expired(p.written, now) {
			r.ctx.Counts.Expired += p.rows
			s.gone = append(s.gone, slot)
		}
	}
	if len(s.gone) == 0 {
		return nil
	}
	keys, err := s.ring.keys(part, s.gone)
	if err != nil {
		return err
	}
	r.rows.DeleteAll(keys)
	part.Delete(s.gone)
	return nil
}
