package rank

import (
	"bytes"
	"slices"

	"millrace/statebackend"
	"millrace/stream"
)

// search finds rows that are taken back.
type search struct {
	takers       []int32                  // ordinals of the chunk's rows that take one back
	placed       []int32                  // the takers, by position, for which there is a place
	found        statebackend.OrderedRows // the rows there, by position in placed
	foundRows    *stream.Batch            // their columns
	taker, match int                      // the next one to be served, and its row
	exact        statebackend.OrderedScan
	further      statebackend.OrderedRows // of a search that found another row first
	key          stream.Keys              // of a row to be deleted
	there        [1]uint64                // whether it was there
	affected     []int32                  // positions in the chunk of partitions whose ranks may change
}

// retract takes rows in and takes rows back. All rows are in the table, so that one behind the last rank can come forward:
// the ranks are read before and after, of those partitions only in which a row comes or goes before the last rank.
func (r *Rank) retract() error {
	if err := r.searchAll(); err != nil {
		return err
	}
	r.affected = r.affected[:0]
	for i, g := range r.chunk {
		r.number(g, &r.parts[i])
		if !r.silent && r.affects(g, &r.parts[i]) {
			r.affected = append(r.affected, int32(i))
		}
	}
	if err := r.scanAffected(&r.lists.starts); err != nil {
		return err
	}
	for i, g := range r.chunk {
		if err := r.applyTo(g, i); err != nil {
			return err
		}
	}
	r.dropFound()
	if err := r.apply(); err != nil {
		return err
	}
	if err := r.scanAffected(&r.lists.startsAfter); err != nil {
		return err
	}
	r.pour()
	for k, i := range r.affected {
		p := &r.parts[i]
		before := span(r.lists.before[:0], r.lists.starts, k, r.end(p))
		after := span(r.lists.after[:0], r.lists.startsAfter, k, r.end(p))
		r.lists.before, r.lists.after = before, after
		if len(after) > 0 {
			p.worst = beginning(r.orderOf(after[len(after)-1]))
		}
		r.diff(before, after)
	}
	return nil
}

// span appends the entries of the k-th of some partitions, best first, up to the last rank.
func span(to, starts []int32, k int, end int64) []int32 {
	for e := starts[k]; e < starts[k+1] && int64(len(to)) < end; e++ {
		to = append(to, e)
	}
	return to
}

// affects tells whether a row of the group stands before the last rank, or there is room.
func (r *Rank) affects(g group, p *partition) bool {
	if p.rows < r.end(p) {
		return true
	}
	for _, m := range r.members[g.from:g.to] {
		order := r.orders.At(int(m))
		if beginning(order[:len(order)-arrivalBytes]) <= p.worst { // whatever its arrival
			return true
		}
	}
	return false
}

// scanAffected scans the ranks of the affected partitions and notes where each one's begin.
func (r *Rank) scanAffected(starts *[]int32) error {
	from, most := r.scanned.Orders.Len(), int64(0)
	r.one.Reset(r.keys.Layout)
	for _, i := range r.affected {
		r.one.AppendRows(&r.keysOf, []int32{i})
		most = max(most, min(r.end(&r.parts[i]), r.parts[i].rows))
	}
	if most > 0 {
		r.begin(&r.one)
		r.scan.Limit = int(most)
		if err := r.scanAll(&r.scanned); err != nil {
			return err
		}
	}
	*starts = index(*starts, r.scanned.Positions[from:], from, len(r.affected))
	return nil
}

// searchAll finds for every row of the chunk that takes one back the earliest row with its hash: mostly that is the one.
func (r *Rank) searchAll() error {
	r.takers = r.takers[:0]
	for _, m := range r.members[r.chunk[0].from:r.chunk[len(r.chunk)-1].to] {
		if r.retracts(m) {
			r.takers = append(r.takers, m)
		}
	}
	r.taker, r.match, r.placed = 0, 0, r.placed[:0]
	if len(r.takers) == 0 {
		return nil
	}
	r.one.Reset(r.keys.Layout)
	r.one.AppendRows(r.keys, r.takers)
	r.begin(&r.one)
	for _, m := range r.takers {
		r.places.bound(&r.scan, m)
	}
	r.scan.Limit = 1
	p := &r.places
	if err := p.next(&r.scan, chunkRows, true); err != nil || p.found.Orders.Len() == 0 {
		return err
	}
	r.placed = append(r.placed, p.found.Positions...)
	r.one.Reset(r.keys.Layout)
	r.begin(&r.one)
	for i, k := range r.placed {
		m := r.takers[k]
		r.one.AppendRows(r.keys, []int32{m})
		r.boundOrder(&r.scan, m, p.found.Orders.At(i)[8:])
	}
	if err := r.scanAll(&r.found); err != nil {
		return err
	}
	r.foundRows = r.rowsFrom(&r.found)
	return nil
}

// boundOrder bounds a scan's next key to the one row that has the order of a row of the batch but for its arrival.
func (r *Rank) boundOrder(scan *statebackend.OrderedScan, ordinal int32, arrival []byte) {
	order := r.orders.At(int(ordinal))
	r.above = append(append(r.above[:0], order[:len(order)-arrivalBytes]...), arrival...)
	scan.From.Append(r.above)
	r.above = append(r.above, 0)
	scan.To.Append(r.above)
}

func (r *Rank) retracts(ordinal int32) bool {
	return r.batch.Kind(r.batch.Row(int(ordinal))).Retracts()
}

// beyond is behind every arrival.
var beyond = bytes.Repeat([]byte{0xFF}, arrivalBytes+1)

// rowsFrom takes the columns of scanned rows as a batch, which the caller owns.
func (r *Rank) rowsFrom(rows *statebackend.OrderedRows) *stream.Batch {
	b := r.ctx.Pool.NewBatch(r.ctx.Inputs[0], rows.Orders.Len())
	for c, builder := range rows.Columns {
		b.Columns[c] = builder.Finish()
	}
	return b
}

// applyTo puts and deletes the rows of a group, in the order in which they came.
func (r *Rank) applyTo(g group, i int) error {
	p := &r.parts[i]
	pending := r.lists.coming[:0]
	for m := g.from; m < g.to; m++ {
		if !r.retracts(r.members[m]) {
			pending = append(pending, ^m)
			continue
		}
		found, err := r.deleteOne(r.members[m])
		if err != nil {
			return err
		}
		if found {
			p.rows--
			continue
		}
		if k := slices.IndexFunc(pending, func(e int32) bool { return r.takesBack(r.members[m], r.members[^e]) }); k >= 0 {
			pending = slices.Delete(pending, k, k+1)
			continue
		}
		r.ctx.Counts.Expired++
	}
	for _, e := range pending {
		r.putting.Set(int(r.members[^e]))
	}
	p.rows += int64(len(pending))
	r.lists.coming = pending
	return nil
}

// takesBack tells whether a row of the batch has the columns of another.
func (r *Rank) takesBack(ordinal, of int32) bool {
	if r.places.hashes[ordinal] != r.places.hashes[of] {
		return false
	}
	a, b := r.orders.At(int(ordinal)), r.orders.At(int(of))
	return bytes.Equal(a[:len(a)-arrivalBytes], b[:len(b)-arrivalBytes]) &&
		stream.EqualRows(r.batch.Columns, r.batch.Row(int(ordinal)), r.batch.Columns, r.batch.Row(int(of)))
}

// deleteOne deletes the earliest row of the table that a row takes back; found is false where there is none. It is
// called for the takers in their order.
func (r *Rank) deleteOne(ordinal int32) (found bool, err error) {
	k := r.taker
	r.taker++
	at, placed := slices.BinarySearch(r.placed, int32(k))
	if !placed {
		return false, nil
	}
	for r.match < len(r.found.Positions) && int(r.found.Positions[r.match]) < at {
		r.match++
	}
	if r.match == len(r.found.Positions) || int(r.found.Positions[r.match]) > at {
		return r.searchFurther(ordinal)
	}
	if r.takes(ordinal, r.foundRows, r.match, r.found.Orders.At(r.match)) {
		return true, nil
	}
	return r.searchFurther(ordinal)
}

// takes deletes row i of others, which stands at an order, if it is there still and has the columns of a row of the batch.
func (r *Rank) takes(ordinal int32, rows *stream.Batch, i int, order []byte) bool {
	if !stream.EqualRows(r.batch.Columns, r.batch.Row(int(ordinal)), rows.Columns, i) {
		return false
	}
	r.gone.Reset()
	r.gone.Append(order)
	r.key.Reset(r.keys.Layout)
	r.key.AppendRows(r.keys, []int32{ordinal})
	r.rows.Delete(&r.key, &r.gone, r.there[:])
	r.gone.Reset()
	if r.there[0]&1 == 0 {
		return false
	}
	r.places.appendPlace(&r.gone, ordinal, order)
	r.places.table.Delete(&r.key, &r.gone, nil)
	r.gone.Reset()
	return true
}

// searchFurther looks at all rows with a hash: equal ones, and what hashes by chance alike, or stands elsewhere in the order.
func (r *Rank) searchFurther(ordinal int32) (found bool, err error) {
	r.one.Reset(r.keys.Layout)
	r.one.AppendRows(r.keys, []int32{ordinal})
	r.begin(&r.one)
	r.places.bound(&r.scan, ordinal)
	for {
		if err := r.places.next(&r.scan, searchRows, false); err != nil {
			return false, err
		}
		n := r.places.found.Orders.Len()
		for i := range n {
			if found, err = r.fetch(ordinal, r.places.found.Orders.At(i)[8:]); found || err != nil {
				return found, err
			}
		}
		if n < searchRows {
			return false, nil
		}
	}
}

// fetch takes the row back that has an arrival and the order of a row of the batch, if there is one and it is equal.
func (r *Rank) fetch(ordinal int32, arrival []byte) (bool, error) {
	reset(&r.further)
	begin(&r.exact, &r.one)
	r.boundOrder(&r.exact, ordinal, arrival)
	if err := r.rows.Next(&r.exact, 1, &r.further); err != nil || r.further.Orders.Len() == 0 {
		return false, err
	}
	rows := r.rowsFrom(&r.further)
	defer rows.Release()
	return r.takes(ordinal, rows, 0, r.further.Orders.At(0)), nil
}

func (r *Rank) dropFound() {
	r.foundRows.Release()
	r.foundRows = nil
	reset(&r.found)
}
