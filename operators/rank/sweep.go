package rank

import (
	"millrace/operators/keyed"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// sweeper forgets partitions that have not changed for the time that state lives.
type sweeper struct {
	ring keyed.Ring
	ttl  int64 // milliseconds; 0: for ever
	at   statebackend.Slot
	gone []statebackend.Slot
}

func (s *sweeper) open(pool *stream.Pool, keys []types.Type, ttl int64) error {
	s.ttl = ttl
	return s.ring.Open(pool, keys)
}

func (s *sweeper) close() {
	s.ring.Close()
}

// expired tells whether what was written then counts no longer.
func (r *Rank) expired(written, now int64) bool {
	return r.sweeper.ttl > 0 && written+r.sweeper.ttl <= now
}

// expire deletes the rows of the chunk's i-th partition.
func (r *Rank) expire(i int) {
	r.one.Reset(r.keys.Layout)
	r.one.AppendRows(&r.keysOf, []int32{int32(i)})
	r.deleteAll(&r.one)
}

// deleteAll deletes every row of partitions.
func (r *Rank) deleteAll(keys *stream.Keys) {
	r.rows.DeleteAll(keys)
	if r.places.table != nil {
		r.places.table.DeleteAll(keys)
	}
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
	keys, err := s.ring.Keys(part, s.gone)
	if err != nil {
		return err
	}
	r.deleteAll(keys)
	part.Delete(s.gone)
	return nil
}
