package over

import (
	"bytes"
	"slices"

	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// layout lays out the rows that changes concern: stretches of a partition, each in order.
type layout struct {
	frame  jobgraph.FrameSpec
	pool   *stream.Pool
	stored *types.Schema

	found found // first the rows that went, then what was scanned
	one   stream.Keys
	scan  statebackend.OrderedScan
	gone  []int32 // the rows that went, physically

	elements []element
	segments []segment
	// all has the rows that elements name; before and after are as many of them as were and are there.
	all, before, after *stream.Batch
	sel                [2][]int32
	// begins are, where ranks are asked for, those of before and after that have another order than the row in front.
	ranked bool
	begins [2]stream.Bitmap
}

// element is a row of a stretch.
type element struct {
	row     int32 // of found
	was, is bool  // before the batch, and after it
	asked   bool  // its answer may be another than before
}

// segment is a stretch: elements from, ..., to-1.
type segment struct{ from, to int }

// forever is how many rows behind a change its effects reach where frames are not bounded.
const forever = 1 << 62

// scanRows is how many rows are read at once.
const scanRows = 64

func (l *layout) open(s *Sorted) {
	l.frame, l.pool, l.stored = s.spec.Frame, s.ctx.Pool, s.stored
	l.ranked = s.plan.Ranked
	l.found = *newFound(l.pool, l.stored)
}

func (l *layout) close() {
	l.found.close()
	l.release()
}

func (l *layout) release() {
	for _, b := range []**stream.Batch{&l.all, &l.before, &l.after} {
		(*b).Release()
		*b = nil
	}
}

func (l *layout) reset() {
	l.elements, l.segments, l.gone = l.elements[:0], l.segments[:0], l.gone[:0]
	l.found.rows.Positions = l.found.rows.Positions[:0]
	l.found.rows.Orders.Reset()
}

// lay lays out what the changes of a batch concern.
func (l *layout) lay(s *Sorted, b *stream.Batch) error {
	l.reset()
	changes := sorted(s.changes)
	for i := range changes {
		if c := &changes[i]; !c.adds {
			l.gone = append(l.gone, int32(b.Row(int(c.row))))
			l.found.rows.Positions = append(l.found.rows.Positions, c.partition)
			l.found.rows.Orders.Append(c.order)
			c.row = int32(len(l.gone) - 1)
		}
	}
	last := len(l.found.rows.Columns) - 1
	for c, builder := range l.found.rows.Columns[:last] {
		builder.AppendRows(&b.Columns[c], l.gone)
	}
	for range l.gone {
		l.found.rows.Columns[last].AppendInt64(0)
	}
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && changes[n].partition == changes[0].partition {
			n++
		}
		l.one.Reset(s.keys.Layout)
		l.one.AppendRows(s.keys, []int32{s.partitions.list[changes[0].partition].first})
		for rest := changes[:n]; len(rest) > 0; {
			var err error
			if rest, err = l.stretch(s, rest); err != nil {
				return err
			}
		}
		changes = changes[n:]
	}
	l.collect()
	return nil
}

// sorted puts changes in order, and leaves those out that came and went within a batch.
func sorted(changes []change) []change {
	slices.SortFunc(changes, func(a, b change) int {
		if a.partition != b.partition {
			return int(a.partition) - int(b.partition)
		}
		return bytes.Compare(a.order, b.order)
	})
	out := changes[:0]
	for i := 0; i < len(changes); i++ {
		if i+1 < len(changes) && changes[i].partition == changes[i+1].partition && bytes.Equal(changes[i].order, changes[i+1].order) {
			i++
			continue
		}
		out = append(out, changes[i])
	}
	return out
}

// stretch lays out the rows from the first change on, and those before it that frames reach, to where no frame has a row that
// changed. It returns the changes behind that.
func (l *layout) stretch(s *Sorted, changes []change) ([]change, error) {
	from := len(l.elements)
	scan := &l.scan
	scan.Key, scan.Taken, scan.Started, scan.Limit, scan.Descending = 0, 0, false, 0, false
	scan.Keys = &l.one
	scan.From.Reset()
	scan.To.Reset()
	first := changes[0].order
	if l.frame.Bounded {
		if err := l.context(s, first); err != nil {
			return nil, err
		}
		scan.Key, scan.Taken, scan.Started, scan.Limit, scan.Descending = 0, 0, false, 0, false
		scan.To.Reset()
		scan.From.Append(first)
	}
	if l.frame.Range { // rows of equal order have one answer
		first = first[:len(first)-numberBytes]
	}
	left := 0 // how many rows the changes before reach
	for {
		before := len(l.found.rows.Positions)
		if err := s.rows.Next(scan, scanRows, &l.found.rows); err != nil {
			return nil, err
		}
		n := len(l.found.rows.Positions)
		for row := before; row < n; row++ {
			order := l.found.rows.Orders.At(row)
			for len(changes) > 0 && !changes[0].adds && bytes.Compare(changes[0].order, order) < 0 {
				left, changes = l.goes(changes)
			}
			if len(changes) > 0 && bytes.Equal(changes[0].order, order) {
				l.elements = append(l.elements, element{row: int32(row), is: true, asked: true})
				left, changes = l.reach(), changes[1:]
				continue
			}
			if l.frame.Bounded && left == 0 {
				l.segments = append(l.segments, segment{from, len(l.elements)})
				return changes, nil
			}
			asked := l.frame.Bounded || bytes.Compare(order, first) >= 0
			l.elements = append(l.elements, element{row: int32(row), was: true, is: true, asked: asked})
			left--
		}
		if n-before < scanRows {
			break
		}
	}
	for len(changes) > 0 {
		_, changes = l.goes(changes)
	}
	l.segments = append(l.segments, segment{from, len(l.elements)})
	return nil, nil
}

func (l *layout) reach() int {
	if l.frame.Bounded {
		return int(l.frame.Preceding)
	}
	return forever
}

// goes lays out the first change, a row that went.
func (l *layout) goes(changes []change) (left int, rest []change) {
	l.elements = append(l.elements, element{row: changes[0].row, was: true, asked: true})
	return l.reach(), changes[1:]
}

// context lays out the rows before an order that frames behind it reach.
func (l *layout) context(s *Sorted, order []byte) error {
	n := int(l.frame.Preceding)
	if n == 0 {
		return nil
	}
	l.scan.To.Append(order)
	l.scan.Descending, l.scan.Limit = true, n
	before := len(l.found.rows.Positions)
	if err := s.rows.Next(&l.scan, n+1, &l.found.rows); err != nil {
		return err
	}
	for row := len(l.found.rows.Positions) - 1; row >= before; row-- {
		l.elements = append(l.elements, element{row: int32(row), was: true, is: true})
	}
	return nil
}

// layWhole lays out whole partitions, of which nothing was told before.
func (l *layout) layWhole(s *Sorted) error {
	l.reset()
	scan := statebackend.OrderedScan{Keys: s.keys}
	for {
		before := len(l.found.rows.Positions)
		if err := s.rows.Next(&scan, stream.RowsMax, &l.found.rows); err != nil {
			return err
		}
		if len(l.found.rows.Positions)-before < stream.RowsMax {
			break
		}
	}
	positions := l.found.rows.Positions
	for row := range positions {
		if row == 0 || positions[row] != positions[row-1] {
			l.segments = append(l.segments, segment{from: row})
		}
		l.elements = append(l.elements, element{row: int32(row), is: true, asked: true})
		l.segments[len(l.segments)-1].to = row + 1
	}
	l.collect()
	return nil
}

// collect makes batches of the rows.
func (l *layout) collect() {
	n := len(l.found.rows.Positions)
	l.all = l.pool.NewBatch(l.stored, n)
	for i, builder := range l.found.rows.Columns {
		l.all.Columns[i] = builder.Finish()
	}
	l.sel[0], l.sel[1] = l.sel[0][:0], l.sel[1][:0]
	for _, e := range l.elements {
		if e.was {
			l.sel[0] = append(l.sel[0], e.row)
		}
		if e.is {
			l.sel[1] = append(l.sel[1], e.row)
		}
	}
	l.before, l.after = selected(l.all, l.sel[0]), selected(l.all, l.sel[1])
	if l.ranked {
		l.findPeers()
	}
}

// findPeers finds out which rows begin peers, of those that were there and of those that are.
func (l *layout) findPeers() {
	var at [2]int
	for side := range l.begins {
		if words := stream.Words(len(l.sel[side])); len(l.begins[side]) < words {
			l.begins[side] = make(stream.Bitmap, 2*words)
		}
	}
	for _, g := range l.segments {
		var last [2][]byte
		for _, e := range l.elements[g.from:g.to] {
			order := l.found.rows.Orders.At(int(e.row))
			order = order[:len(order)-numberBytes]
			for side, there := range [2]bool{e.was, e.is} {
				if there {
					l.begins[side].Put(at[side], last[side] == nil || !bytes.Equal(last[side], order))
					last[side] = order
					at[side]++
				}
			}
		}
	}
}
