package rank

import (
	"bytes"
	"encoding/binary"
	"slices"

	"millrace/statebackend"
	"millrace/stream"
)

// An entry is a row that takes part in a chunk: one that was scanned by its position, or a member of a group by the
// complement of its position in members, which is negative.

// orderOf returns the order of an entry.
func (r *Rank) orderOf(e int32) []byte {
	if e >= 0 {
		return r.scanned.Orders.At(int(e))
	}
	return r.orders.At(int(r.members[^e]))
}

// number gives the rows of a group their arrivals.
func (r *Rank) number(g group, p *partition) {
	for _, m := range r.members[g.from:g.to] {
		order := r.orders.At(int(m))
		a := p.next
		if r.latest {
			a = ^a
		}
		binary.BigEndian.PutUint64(order[len(order)-arrivalBytes:], a)
		p.next++
	}
}

// remove marks an entry of the table to be deleted.
func (r *Rank) remove(g group, e int32) {
	r.gone.Append(r.orderOf(e))
	r.goneOf = append(r.goneOf, r.members[g.from])
}

// insertTail takes new rows in where nobody asks for ranks: it looks at as many rows of a partition's end as there are new
// ones, and what leaves or enters the range is all that changes.
func (r *Rank) insertTail() error {
	for i, g := range r.chunk {
		if err := r.insertTailOf(g, i); err != nil {
			return err
		}
	}
	if !r.silent && len(r.changes) > 0 {
		r.fill()
	}
	return r.apply()
}

func (r *Rank) insertTailOf(g group, i int) error {
	p := &r.parts[i]
	r.number(g, p)
	coming := r.best(g, r.end(p))
	surplus := p.rows + int64(len(coming)) - r.end(p)
	first := int32(r.scanned.Orders.Len())
	stored := first
	if surplus >= 0 {
		if err := r.scanEnd(g, i, min(surplus+1, p.rows)); err != nil {
			return err
		}
		stored = int32(r.scanned.Orders.Len())
	}
	// Both from the worst on: of the rows that were there, and of the new ones.
	at := first
	for range max(surplus, 0) {
		if at < stored && r.isBehind(at, coming) {
			r.remove(g, at)
			r.change(leaves, at, 0)
			at++
		} else {
			coming = coming[:len(coming)-1]
		}
	}
	switch {
	case surplus < 0:
	case at < stored && r.isBehind(at, coming):
		p.worst = beginning(r.orderOf(at)[r.skip:])
	case len(coming) > 0:
		p.worst = beginning(r.orderOf(coming[len(coming)-1])[r.skip:])
	}
	p.rows += int64(len(coming)) - int64(at-first)
	for _, e := range coming {
		r.putting.Set(int(r.members[^e]))
	}
	if !r.silent {
		r.enterInOrder(coming)
	}
	return nil
}

// isBehind tells whether an entry stands behind all of a sorted list.
func (r *Rank) isBehind(e int32, list []int32) bool {
	return len(list) == 0 || bytes.Compare(r.orderOf(e), r.orderOf(list[len(list)-1])) > 0
}

// selectMax is how many ranks a list has at most that is kept sorted while rows come.
const selectMax = 64

// best returns the members of a group in their order, up to a number. Of many that are new to a partition few are left then,
// without sorting them all.
func (r *Rank) best(g group, n int64) []int32 {
	out := r.lists.coming[:0]
	if n > selectMax || n >= int64(g.to-g.from) {
		for m := g.from; m < g.to; m++ {
			out = append(out, ^m)
		}
		slices.SortFunc(out, func(a, b int32) int { return bytes.Compare(r.orderOf(a), r.orderOf(b)) })
		r.lists.coming = out
		return out[:min(n, int64(len(out)))]
	}
	for m := g.from; m < g.to && n > 0; m++ {
		order := r.orderOf(^m)
		at := len(out)
		for at > 0 && bytes.Compare(order, r.orderOf(out[at-1])) < 0 {
			at--
		}
		if at == len(out) && int64(at) == n {
			continue
		}
		if int64(len(out)) == n {
			out = out[:n-1]
		}
		out = slices.Insert(out, at, ^m)
	}
	r.lists.coming = out
	return out
}

// enterInOrder says that new rows enter the range, as they arrived.
func (r *Rank) enterInOrder(es []int32) {
	slices.SortFunc(es, func(a, b int32) int { return int(b - a) }) // complements
	for _, e := range es {
		r.change(enters, e, 0)
	}
}

// scanEnd scans the last n rows of a group's partition, from the last on.
func (r *Rank) scanEnd(g group, i int, n int64) error {
	if n <= 0 {
		return nil
	}
	r.one.Reset(r.keys.Layout)
	r.one.AppendRows(r.keys, r.members[g.from:g.from+1])
	r.begin(&r.one)
	r.scan.Descending, r.scan.Limit = true, int(n)
	if r.windowed {
		r.boundWindow(r.orders.At(int(r.members[g.from]))[:r.skip])
	}
	return r.scanAll(&r.scanned)
}

// begin makes the scan ready for keys.
func (r *Rank) begin(keys *stream.Keys) { begin(&r.scan, keys) }

func begin(scan *statebackend.OrderedScan, keys *stream.Keys) {
	scan.From.Reset()
	scan.To.Reset()
	*scan = statebackend.OrderedScan{Keys: keys, From: scan.From, To: scan.To, Last: scan.Last[:0]}
}

func (r *Rank) scanAll(out *statebackend.OrderedRows) error {
	for {
		before := out.Orders.Len()
		if err := r.rows.Next(&r.scan, chunkRows, out); err != nil {
			return err
		}
		if out.Orders.Len()-before < chunkRows {
			return nil
		}
	}
}

// insert takes new rows in where ranks are asked for: it reads the ranks of every partition that changes.
func (r *Rank) insert() error {
	if err := r.scanRanks(); err != nil {
		return err
	}
	r.fill()
	for i, g := range r.chunk {
		p := &r.parts[i]
		r.number(g, p)
		before := r.rangeOf(i)
		r.merge(before, r.best(g, r.end(p)), r.end(p))
		r.settle(g, p, before, r.lists.after)
	}
	return r.apply()
}

// merge puts two sorted lists together, up to the last rank.
func (r *Rank) merge(a, b []int32, end int64) {
	out := r.lists.after[:0]
	for (len(a) > 0 || len(b) > 0) && int64(len(out)) < end {
		if len(b) == 0 || len(a) > 0 && bytes.Compare(r.orderOf(a[0]), r.orderOf(b[0])) < 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	r.lists.after = out
}

// settle makes a partition's ranks those of after, and says what that changes.
func (r *Rank) settle(g group, p *partition, before, after []int32) {
	for _, e := range before {
		if !r.has(after, e) {
			r.remove(g, e)
		}
	}
	for _, e := range after {
		if e < 0 {
			r.putting.Set(int(r.members[^e]))
		}
	}
	p.rows = int64(len(after))
	if p.rows > 0 {
		p.worst = beginning(r.orderOf(after[len(after)-1])[r.skip:])
	}
	if !r.silent {
		r.diff(before, after)
	}
}

// has tells whether a sorted list has a row at the order of an entry.
func (r *Rank) has(list []int32, e int32) bool {
	order := r.orderOf(e)
	_, ok := slices.BinarySearchFunc(list, order, func(x int32, o []byte) int { return bytes.Compare(r.orderOf(x), o) })
	return ok
}

// scanRanks scans the ranks of every partition of the chunk. rangeOf says which rows are whose.
func (r *Rank) scanRanks() error {
	most := int64(0)
	for i := range r.parts {
		most = max(most, min(r.end(&r.parts[i]), r.parts[i].rows))
	}
	from := r.scanned.Orders.Len()
	r.begin(&r.keysOf)
	if r.scan.Limit = int(most); most > 0 {
		if err := r.scanAll(&r.scanned); err != nil {
			return err
		}
	}
	r.lists.starts = index(r.lists.starts, r.scanned.Positions[from:], from, len(r.chunk))
	return nil
}

// rangeOf returns the entries of a group that scanRanks found, best first.
func (r *Rank) rangeOf(i int) []int32 {
	from, to := r.lists.starts[i], r.lists.starts[i+1]
	if end := r.end(&r.parts[i]); int64(to-from) > end {
		to = from + int32(end)
	}
	out := r.lists.before[:0]
	for e := from; e < to; e++ {
		out = append(out, e)
	}
	r.lists.before = out
	return out
}
