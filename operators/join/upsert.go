package join

import (
	"slices"

	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
)

// upserts turns a batch of an upsert changelog into retractions of what the table has and rows that come. It
// does so for a few rows at a time, no two of one key, since the second would have to take the first one back.
type upserts struct {
	batch *stream.Batch // nil: nothing is left
	from  int

	builders [2][]*stream.Builder // of each input, whose columns differ
	kinds    []stream.RowKind
	slots    []statebackend.Slot
	seen     []uint64 // hashes of the part's keys, in an open table
}

// upsertRows bounds a part; upsertTable is the size of its table of hashes.
const upsertRows, upsertTable = 1024, 4096

// nextUpserts begins with the next part of the batch that came. false: nothing was left of it.
func (j *Join) nextUpserts() (bool, error) {
	u := &j.pending
	for u.batch != nil {
		own := j.sides[j.input]
		to := u.distinct(own)
		part := operators.Slice(u.batch, u.from, to)
		if u.from = to; to == u.batch.Rows() {
			u.batch.Release()
			u.batch = nil
		}
		b := u.changes(own, part, &u.builders[j.input])
		part.Release()
		if b.Rows() == 0 {
			b.Release()
			continue
		}
		return true, j.begin(b)
	}
	return false, nil
}

// distinct returns the end of a part that has no key twice.
func (u *upserts) distinct(own *side) int {
	u.seen = slices.Grow(u.seen[:0], upsertTable)[:upsertTable]
	clear(u.seen)
	to := min(u.from+upsertRows, u.batch.Rows())
	part := operators.Slice(u.batch, u.from, to)
	defer part.Release()
	for i, h := range own.identities(part).Hashes {
		h |= 1 // 0 is a free place
		at := h >> 32 % upsertTable
		for u.seen[at] != 0 && u.seen[at] != h {
			at = (at + 1) % upsertTable
		}
		if u.seen[at] == h {
			return u.from + i
		}
		u.seen[at] = h
	}
	return to
}

// identities reads what identifies the rows of a batch whose input has a unique key.
func (s *side) identities(b *stream.Batch) *stream.Keys {
	if s.unique != nil {
		return s.unique.Read(b)
	}
	return s.reader.Read(b)
}

// changes returns the rows of a part as retractions and additions. The caller owns them.
func (u *upserts) changes(own *side, part *stream.Batch, builders *[]*stream.Builder) *stream.Batch {
	pool, n := own.ctx.Pool, part.Rows()
	keys := own.reader.Read(part)
	own.readOrders(part, keys)
	u.slots = slices.Grow(u.slots[:0], n)[:n]
	own.ordered.FindSlots(keys, &own.orders, u.slots)
	if *builders == nil {
		for _, f := range own.in.Fields {
			*builders = append(*builders, stream.NewBuilder(pool, f.Type, upsertRows))
		}
	}
	u.kinds = u.kinds[:0]
	columns := count(own.in.Len())
	r, now := own.table.Rows(), own.ctx.Time.Now()
	for i, slot := range u.slots {
		row := part.Row(i)
		gone := part.Kind(row).Retracts()
		there := slot != statebackend.NoSlot && !own.expired(&r, slot, now)
		if there {
			own.table.Gather(u.slots[i:i+1], columns, *builders)
			u.kinds = append(u.kinds, stream.UpdateBefore)
		}
		switch {
		case gone && there:
			u.kinds[len(u.kinds)-1] = stream.Delete
		case gone:
			own.ctx.Counts.Expired++
			own.ctx.Counts.Filtered++
			continue
		default:
			for c, b := range *builders {
				b.AppendFrom(&part.Columns[c], row)
			}
			kind := stream.Insert
			if there {
				kind = stream.UpdateAfter
			}
			u.kinds = append(u.kinds, kind)
		}
		own.ctx.Counts.Folded++
	}
	return u.finish(own, *builders)
}

func (u *upserts) finish(own *side, builders []*stream.Builder) *stream.Batch {
	b := own.ctx.Pool.NewBatch(own.in, len(u.kinds))
	for c := range builders {
		b.Columns[c] = builders[c].Finish()
	}
	setKinds(b, u.kinds)
	return b
}

// close gives back what is left.
func (u *upserts) close() {
	u.batch.Release()
	u.batch = nil
	for _, builders := range u.builders {
		for _, b := range builders {
			b.Close()
		}
	}
}
