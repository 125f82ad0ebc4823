package rank

import (
	"bytes"
	"slices"

	"millrace/operators/keyed"
	"millrace/statebackend"
	"millrace/stream"
)

// lists is memory for the ranks of a partition.
type lists struct {
	before, after, coming []int32
	starts, startsAfter   []int32 // of each group among the scanned rows
	left, entered         []int32
}

// index returns where the rows of each of n groups begin, and where the last one's end: positions has the group of every
// row, ascending.
func index(starts, positions []int32, from, n int) []int32 {
	starts = append(starts[:0], int32(from))
	for at := 0; len(starts) <= n; {
		for at < len(positions) && int(positions[at]) < len(starts) {
			at++
		}
		starts = append(starts, int32(from+at))
	}
	return starts
}

// Kinds of change, as they are said where there are no ranks.
const (
	enters = stream.Insert
	leaves = stream.Delete
)

func (r *Rank) change(kind stream.RowKind, e int32, rank int64) {
	switch {
	case r.silent, kind == stream.UpdateBefore && !r.spec.UpdateBefore:
	default:
		r.changes = append(r.changes, keyed.Change{Rank: rank, Row: e, Kind: kind})
	}
}

// diff says what changes where the ranks of a partition were before and are after.
func (r *Rank) diff(before, after []int32) {
	if r.byRank {
		r.diffRanks(before, after)
		return
	}
	r.diffRows(r.inRange(before), r.inRange(after))
}

// inRange cuts off what stands before the first rank.
func (r *Rank) inRange(list []int32) []int32 {
	return list[min(r.spec.From-1, int64(len(list))):]
}

// diffRanks goes through the ranks: each has another row, or the same.
func (r *Rank) diffRanks(before, after []int32) {
	for rank := r.spec.From; rank <= int64(max(len(before), len(after))); rank++ {
		at := int(rank - 1)
		switch {
		case at >= len(before):
			r.change(stream.Insert, after[at], rank)
		case at >= len(after):
			r.change(stream.Delete, before[at], rank)
		case !r.same(before[at], after[at]):
			r.change(stream.UpdateBefore, before[at], rank)
			r.change(stream.UpdateAfter, after[at], rank)
		}
	}
}

// diffRows compares the rows, whatever their ranks. Both lists are sorted.
func (r *Rank) diffRows(before, after []int32) {
	left, entered := r.lists.left[:0], r.lists.entered[:0]
	for len(before) > 0 || len(after) > 0 {
		var c int
		switch {
		case len(after) == 0:
			c = -1
		case len(before) == 0:
			c = 1
		default:
			c = bytes.Compare(r.orderOf(before[0]), r.orderOf(after[0]))
		}
		if c <= 0 {
			if c < 0 || !r.same(before[0], after[0]) {
				left = append(left, before[0])
			}
		}
		if c >= 0 {
			if c > 0 || !r.same(before[0], after[0]) {
				entered = append(entered, after[0])
			}
		}
		if c <= 0 {
			before = before[1:]
		}
		if c >= 0 {
			after = after[1:]
		}
	}
	r.lists.left, r.lists.entered = left, entered
	if r.unique != nil {
		r.pairUp(left, entered)
		return
	}
	left, entered = r.cancel(left, entered)
	for _, e := range left {
		r.change(leaves, e, 0)
	}
	for _, e := range entered {
		r.change(enters, e, 0)
	}
}

// pairUp says as an update what left and entered with one unique key.
func (r *Rank) pairUp(left, entered []int32) {
	updated := r.lists.coming[:0]
	for _, e := range left {
		k := slices.IndexFunc(entered, func(x int32) bool { return r.sameKey(e, x) })
		if k < 0 {
			r.change(leaves, e, 0)
			continue
		}
		updated = append(updated, e, entered[k])
		entered = slices.Delete(entered, k, k+1)
	}
	r.lists.coming = updated
	for i := 0; i < len(updated); i += 2 {
		if r.same(updated[i], updated[i+1]) {
			continue
		}
		r.change(stream.UpdateBefore, updated[i], 0)
		r.change(stream.UpdateAfter, updated[i+1], 0)
	}
	for _, e := range entered {
		r.change(enters, e, 0)
	}
}

// cancel leaves out pairs of equal rows of which one left and one entered. They have equal orders but for the arrival.
func (r *Rank) cancel(left, entered []int32) (l, e []int32) {
	if len(left) == 0 || len(entered) == 0 {
		return left, entered
	}
	return slices.DeleteFunc(left, func(x int32) bool {
		k := slices.IndexFunc(entered, func(y int32) bool { return r.same(x, y) })
		if k < 0 {
			return false
		}
		entered = slices.Delete(entered, k, k+1)
		return true
	}), entered
}

// same tells whether two entries have the same columns.
func (r *Rank) same(a, b int32) bool {
	if a == b {
		return true
	}
	x, y := r.orderOf(a), r.orderOf(b)
	if !bytes.Equal(x[:len(x)-arrivalBytes], y[:len(y)-arrivalBytes]) {
		return false
	}
	return stream.EqualRows(r.pool.Columns, r.place(a), r.pool.Columns, r.place(b))
}

// place returns where an entry stands in the pool.
func (r *Rank) place(e int32) int {
	if e >= 0 {
		return int(e)
	}
	return r.scanned.Orders.Len() + int(^e-r.chunk[0].from)
}

// fill makes the pool: what was scanned, and behind it the chunk's members.
func (r *Rank) fill() {
	members := r.members[r.chunk[0].from:r.chunk[len(r.chunk)-1].to]
	r.rowsOf = r.rowsOf[:0]
	for _, m := range members {
		r.rowsOf = append(r.rowsOf, int32(r.batch.Row(int(m))))
	}
	r.pool = r.ctx.Pool.NewBatch(r.ctx.Inputs[0], r.scanned.Orders.Len()+len(members))
	for c, b := range r.scanned.Columns {
		b.AppendRows(&r.batch.Columns[c], r.rowsOf)
		r.pool.Columns[c] = b.Finish()
	}
}

// pour makes the pool of what was scanned alone.
func (r *Rank) pour() { r.pool = r.rowsFrom(&r.scanned) }

// seal turns the entries of the changes into rows of the pool, when the chunk is done.
func (r *Rank) seal() {
	for i := range r.changes {
		r.changes[i].Row = int32(r.place(r.changes[i].Row))
	}
	for _, b := range r.scanned.Columns {
		b.Truncate(0) // where no pool was made of them
	}
	reset(&r.scanned)
}

// reset empties rows whose columns were taken.
func reset(rows *statebackend.OrderedRows) {
	rows.Positions = rows.Positions[:0]
	rows.Orders.Reset()
}

// give returns the next changes as a batch.
func (r *Rank) give() *stream.Batch {
	to := min(r.at+r.output.RowsMax(), len(r.changes))
	b := r.output.Write(r.pool, r.changes[r.at:to])
	r.at = to
	return b
}
