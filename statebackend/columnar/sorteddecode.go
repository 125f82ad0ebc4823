package columnar

import "millrace/types"

// applySorted puts or removes the rows from lo to hi of a sorted table.
func (d *decoder) applySorted(o op, lo, hi int) error {
	t := d.table.sorted
	if o == opPut {
		if err := t.reserve(hi - lo); err != nil {
			return err
		}
		d.stageColumns(lo, hi)
	}
	for i := lo; i < hi; i++ {
		at, err := d.orderAt(i)
		if err != nil {
			return err
		}
		if o == opPut {
			err = d.putSorted(i-lo, i, at)
		} else if h := t.findKey(&d.keys, i-lo); h != noSlot {
			if row, ok := t.find(h, at); ok {
				t.remove(h, row)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// orderAt returns the order of a row.
func (d *decoder) orderAt(i int) (order, error) {
	if d.orders != nil {
		return orderOf(d.orders.bytes(i)), nil
	}
	if d.times[i] < 0 || d.times[i] > sequenceMax {
		return order{}, damaged("a row of table %s has sequence number %d", d.info.Name, d.times[i])
	}
	return order{number: uint64(d.times[i])}, nil
}

// stageColumns turns rows into words, as sortedTable.stage does.
func (d *decoder) stageColumns(lo, hi int) {
	t := d.table.sorted
	stride := t.nullWords + t.width
	t.staged = make([]uint64, (hi-lo)*stride)
	words := make([]int64, hi-lo)
	for c, col := range t.columns {
		v := &d.columns[1+c]
		at := t.staged[t.nullWords+t.words[c]:]
		switch col.Type.Layout() {
		case types.LayoutBytes:
		case types.LayoutInt128:
			for i, x := range view[[2]uint64](v.data)[lo:hi] {
				at[i*stride], at[i*stride+1] = x[0], x[1]
			}
		default:
			scatter(v, col.Type, lo, words)
			for i, x := range words {
				at[i*stride] = uint64(x)
			}
		}
		for i := range hi - lo {
			if v.isNull(lo + i) {
				t.staged[i*stride+c>>6] |= 1 << (c & 63)
			}
		}
	}
}

// putSorted sets the row of key k and an order to row i of the section.
func (d *decoder) putSorted(k, i int, o order) error {
	t := d.table.sorted
	h, err := t.addKey(&d.keys, k)
	if err != nil {
		return err
	}
	var s Slot
	if at, ok := t.find(h, o); ok {
		s = t.get(at)
	} else if s, err = t.insert(h, o); err != nil {
		return err
	}
	if t.shape == shapeMultimap {
		t.next = max(t.next, o.number+1)
	}
	stride := t.nullWords + t.width
	row, staged := t.row(s)[sortedFront:], t.staged[k*stride:(k+1)*stride]
	for _, w := range t.byteWord {
		staged[t.nullWords+w] = row[t.nullWords+w]
	}
	copy(row, staged)
	for c, col := range t.columns {
		if col.Type.Layout() != types.LayoutBytes {
			continue
		}
		if err := t.bytes.set(&row[t.nullWords+t.words[c]], d.columns[1+c].bytes(i)); err != nil {
			return err
		}
	}
	return nil
}
