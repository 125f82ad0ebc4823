package columnar

import "millrace/stream"

// side tells where a link stands.
type side uint8

const (
	left side = iota
	right
	rootOf // of a head
)

// link is a place that names a row: a child of a row, or the root of a head.
type link struct {
	at   Slot
	side side
}

// Links are kept as slot + 1, so that fresh words name no row: two halves of a
// word in a row, a whole word in a head.

func (t *sortedTable) get(l link) Slot {
	switch l.side {
	case left:
		return Slot(uint32(t.row(l.at)[rowChildren])) - 1
	case right:
		return Slot(t.row(l.at)[rowChildren]>>32) - 1
	default:
		return t.root(l.at)
	}
}

func (t *sortedTable) set(l link, s Slot) {
	x := uint64(uint32(s + 1))
	switch l.side {
	case left:
		w := &t.row(l.at)[rowChildren]
		*w = *w>>32<<32 | x
	case right:
		w := &t.row(l.at)[rowChildren]
		*w = uint64(uint32(*w)) | x<<32
	default:
		t.heads.row(l.at)[headRoot] = x
	}
}

func (t *sortedTable) root(h Slot) Slot { return Slot(t.heads.row(h)[headRoot]) - 1 }

// priority orders rows from the root down.
func (t *sortedTable) priority(s Slot) uint64 { return stream.HashUint64(uint64(s)) }

// step returns the link below s that leads to an order.
func (t *sortedTable) step(s Slot, o order) link {
	if t.compare(s, o) < 0 {
		return link{s, right}
	}
	return link{s, left}
}

// find returns the link to the row at an order; ok is false where there is none.
func (t *sortedTable) find(h Slot, o order) (at link, ok bool) {
	at = link{h, rootOf}
	for {
		s := t.get(at)
		if s == noSlot {
			return at, false
		}
		switch c := t.compare(s, o); {
		case c == 0:
			return at, true
		case c < 0:
			at = link{s, right}
		default:
			at = link{s, left}
		}
	}
}

// split hangs the rows of a tree that stand before an order below one link, and
// the others below another.
func (t *sortedTable) split(s Slot, o order, before, behind link) {
	for s != noSlot {
		next := t.step(s, o)
		if next.side == right {
			t.set(before, s)
			before = next
		} else {
			t.set(behind, s)
			behind = next
		}
		s = t.get(next)
	}
	t.set(before, noSlot)
	t.set(behind, noSlot)
}

// merge hangs two trees below a link, of which the first stands before the second.
func (t *sortedTable) merge(at link, a, b Slot) {
	for a != noSlot && b != noSlot {
		if t.priority(a) > t.priority(b) {
			t.set(at, a)
			at = link{a, right}
			a = t.get(at)
		} else {
			t.set(at, b)
			at = link{b, left}
			b = t.get(at)
		}
	}
	t.set(at, max(a, b)) // one of them is noSlot, which is -1
}

// bound is where a walk begins or ends.
type bound struct {
	order     order
	exclusive bool // without the row at the order
	open      bool // there is none
}

// walk appends up to n slots of a key's rows from a bound on, to the end or to
// the other bound, and returns them in the order of the walk.
func (t *sortedTable) walk(h Slot, from, to bound, descending bool, n int, out []Slot) []Slot {
	ahead, behind := left, right
	if descending {
		ahead, behind = right, left
	}
	// outside tells whether a row stands beyond a bound, in a direction.
	outside := func(s Slot, b *bound, beyond int) bool {
		if b.open {
			return false
		}
		c := t.compare(s, b.order)
		if descending {
			c = -c
		}
		return c == beyond || c == 0 && b.exclusive
	}
	stack := t.stack[:0]
	push := func(s Slot) {
		for s != noSlot {
			if outside(s, &from, -1) {
				s = t.get(link{s, behind})
				continue
			}
			stack = append(stack, s)
			s = t.get(link{s, ahead})
		}
	}
	push(t.root(h))
	for n > 0 && len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if outside(s, &to, 1) {
			break
		}
		out = append(out, s)
		n--
		push(t.get(link{s, behind}))
	}
	t.stack = stack[:0]
	return out
}
