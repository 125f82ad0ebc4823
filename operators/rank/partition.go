package rank

import (
	"encoding/binary"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// partition is what the table of partitions says of one: what decides about most rows without a look at the others.
type partition struct {
	rows    int64  // of the table of rows
	worst   uint64 // of the last row in the ranks, the beginning of its order; counts where the ranks are full
	next    uint64 // the arrival of the next row
	end     int64  // the last rank, where a column says it
	written int64  // the engine's time of the last change
}

// Words of a partition in its table.
const (
	wordRows, wordWorst, wordNext, wordEnd, wordWritten = 0, 1, 2, 3, 4
	// wordGone is, in a window that is closed, how many of its ranks have been given: windows have no time to live.
	wordGone = wordWritten
)

func partitionColumns() []statebackend.ColumnSpec {
	names := [...]string{"rows", "worst", "next", "end", "written"}
	columns := make([]statebackend.ColumnSpec, len(names))
	for i, name := range names {
		columns[i] = statebackend.ColumnSpec{Name: name, Type: types.Of(types.BigInt)}
	}
	return columns
}

func readPartition(words []uint64) partition {
	return partition{
		rows: int64(words[wordRows]), worst: words[wordWorst], next: words[wordNext], end: int64(words[wordEnd]), written: int64(words[wordWritten]),
	}
}

func (p *partition) write(words []uint64) {
	words[wordRows], words[wordWorst], words[wordNext] = uint64(p.rows), p.worst, p.next
	words[wordEnd], words[wordWritten] = uint64(p.end), uint64(p.written)
}

// beginning returns the first bytes of an order as a number that is ordered as they are.
func beginning(order []byte) uint64 {
	if len(order) >= 8 {
		return binary.BigEndian.Uint64(order)
	}
	var b [8]byte
	copy(b[:], order)
	return binary.BigEndian.Uint64(b[:])
}

// load reads the partitions of the chunk's groups, which are there afterwards.
func (r *Rank) load() error {
	r.keysOf.Reset(r.keys.Layout)
	r.firsts = r.firsts[:0]
	for _, g := range r.chunk {
		r.firsts = append(r.firsts, r.members[g.from])
	}
	r.keysOf.AppendRows(r.keys, r.firsts)
	part, slots, err := r.upsert()
	if err != nil {
		return err
	}
	rows, now := part.Rows(), r.ctx.Time.Now()
	r.parts = r.parts[:0]
	for i, s := range slots {
		p := readPartition(rows.At(s))
		if p.rows > 0 && r.expired(p.written, now) {
			r.ctx.Counts.Expired += p.rows
			r.expire(i)
			p = partition{}
		}
		if p.rows == 0 && p.next == 0 {
			p.end = r.endOf(r.firsts[i])
		}
		if !r.windowed {
			p.written = now
		}
		r.parts = append(r.parts, p)
	}
	return nil
}

// save writes the partitions back; those that are empty go.
func (r *Rank) save() error {
	part, slots, err := r.upsert()
	if err != nil {
		return err
	}
	rows, n := part.Rows(), 0
	for i, s := range slots {
		if r.parts[i].rows > 0 {
			r.parts[i].write(rows.At(s))
			continue
		}
		slots[n] = s
		n++
	}
	part.Delete(slots[:n])
	return nil
}

func (r *Rank) upsert() (statebackend.Part, []statebackend.Slot, error) {
	part := r.partitions.Part(r.chunk[0].window, true)
	slots := r.slots[:len(r.chunk)]
	_, err := part.Upsert(&r.keysOf, slots)
	return part, slots, err
}

// endOf returns the last rank that a row asks for.
func (r *Rank) endOf(ordinal int32) int64 {
	if !r.variable {
		return r.spec.To
	}
	v, row := &r.batch.Columns[r.spec.ToColumn], r.batch.Row(int(ordinal))
	if v.IsNull(row) {
		return 0
	}
	switch v.Type.Layout() {
	case types.LayoutInt8:
		return int64(stream.Value[int8](v, row))
	case types.LayoutInt16:
		return int64(stream.Value[int16](v, row))
	case types.LayoutInt32:
		return int64(stream.Value[int32](v, row))
	default:
		return stream.Value[int64](v, row)
	}
}

// end returns the last rank of a partition.
func (r *Rank) end(p *partition) int64 {
	if r.variable {
		return max(p.end, 0)
	}
	return r.spec.To
}
