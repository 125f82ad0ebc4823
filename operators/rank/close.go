package rank

import (
	"slices"

	"millrace/failure"
	"millrace/operators/keyed"
	"millrace/statebackend"
	"millrace/stream"
)

// closing gives the ranks of windows that the watermark has closed. The rows leave the tables as they are given, so that a
// drain may stop anywhere: how many ranks of a partition have gone stands in its row then.
type closing struct {
	watermark stream.Watermark
	due       []int64
	windows   []windowed
	ordinals  []int32
}

// windowed is a row with the end of its window.
type windowed struct {
	end     int64
	ordinal int32
}

// splitWindows groups the rows of each window; those of a closed one are late.
func (r *Rank) splitWindows(b *stream.Batch) error {
	c, v := &r.closing, &b.Columns[r.spec.WindowEnd]
	c.windows = c.windows[:0]
	sorted := true
	for i := range b.Rows() {
		row := b.Row(i)
		if v.IsNull(row) {
			return failure.Userf("window column %s is NULL in a row; ranks in windows need it, filter such rows out before", b.Schema.Fields[r.spec.WindowEnd].Name)
		}
		end := stream.Value[int64](v, row)
		if stream.Watermark(end-1) <= c.watermark {
			r.ctx.Counts.Late++
			r.ctx.Counts.Folded--
			continue
		}
		sorted = sorted && (len(c.windows) == 0 || c.windows[len(c.windows)-1].end <= end)
		c.windows = append(c.windows, windowed{end, int32(i)})
	}
	if !sorted {
		slices.SortFunc(c.windows, func(a, b windowed) int {
			if a.end != b.end {
				if a.end < b.end {
					return -1
				}
				return 1
			}
			return int(a.ordinal - b.ordinal)
		})
	}
	for from := 0; from < len(c.windows); {
		end := c.windows[from].end
		c.ordinals = c.ordinals[:0]
		for from < len(c.windows) && c.windows[from].end == end {
			c.ordinals = append(c.ordinals, c.windows[from].ordinal)
			from++
		}
		r.skip = r.encoder.Columns(r.orders.At(int(c.ordinals[0])), 1)
		if err := r.group(end, c.ordinals); err != nil {
			return err
		}
	}
	return nil
}

// boundWindow bounds the scan's next key to the rows of a window, whose orders begin with prefix.
func (r *Rank) boundWindow(prefix []byte) {
	r.scan.From.Append(prefix)
	r.above = append(append(r.above[:0], prefix...), beyond...)
	r.scan.To.Append(r.above)
}

// Advance closes windows.
func (r *Rank) Advance(w stream.Watermark) error {
	if r.windowed && w > r.closing.watermark {
		r.closing.watermark = w
		r.arm()
	}
	return nil
}

// arm finds the windows that the watermark has closed.
func (r *Rank) arm() {
	c := &r.closing
	c.due = r.partitions.Namespaces(c.due[:0])
	n, _ := slices.BinarySearchFunc(c.due, c.watermark, func(end int64, w stream.Watermark) int {
		if stream.Watermark(end-1) <= w {
			return -1
		}
		return 1
	})
	c.due = c.due[:n]
}

// nextClosed returns the next rows of the windows that are due, nil where there are none.
func (r *Rank) nextClosed() (*stream.Batch, error) {
	for len(r.closing.due) > 0 {
		window := r.closing.due[0]
		part := r.partitions.Part(window, false)
		more, err := false, error(nil)
		if part != nil {
			more, err = r.page(part, window)
		}
		switch {
		case err != nil:
			return nil, err
		case len(r.changes) > 0:
			return r.give(), nil
		case !more:
			r.partitions.Drop(window)
			r.closing.due = slices.Delete(r.closing.due, 0, 1)
			r.finish.pages = pages{}
		}
	}
	return nil, nil
}

// finish gives the ranks of all partitions, once.
type finish struct {
	on    bool
	pages pages
}

// pages is how far the partitions of a namespace have been read.
type pages struct {
	keys *stream.Keys // of the partitions being read; nil: read more
	n    int
	from statebackend.Slot
	ends []int64 // of each
	gone []int64 // ranks of each that were given before
	last int32   // the partition that was read last, and how many of its rows were
	rank int64
}

// Finish gives the final ranks, where nothing was given before.
func (r *Rank) Finish() error {
	r.finish.on = r.spec.FinalOnly
	return nil
}

func (r *Rank) nextFinal() (*stream.Batch, error) {
	part := r.partitions.Part(0, false)
	for part != nil {
		more, err := r.page(part, 0)
		switch {
		case err != nil:
			return nil, err
		case len(r.changes) > 0:
			return r.give(), nil
		case !more:
			part = nil
		}
	}
	r.finish.on = false
	return nil, nil
}

// page reads the next rows of some partitions, and makes changes of those in the range. more is false at the end.
func (r *Rank) page(part statebackend.Part, window int64) (more bool, err error) {
	p := &r.finish.pages
	if p.keys == nil {
		if more, err = r.turn(part, window); !more || err != nil {
			return more, err
		}
	}
	r.forget()
	most := r.output.RowsMax()
	if err := r.rows.Next(&r.scan, most, &r.scanned); err != nil {
		return false, err
	}
	n := r.scanned.Orders.Len()
	for i, k := range r.scanned.Positions {
		if k != p.last {
			p.last, p.rank = k, p.gone[k]
		}
		if p.rank++; p.rank >= r.spec.From && p.rank <= p.ends[k] {
			r.changes = append(r.changes, keyed.Change{Rank: p.rank, Row: int32(i), Kind: stream.Insert})
		}
	}
	r.pool = r.rowsFrom(&r.scanned)
	if r.windowed {
		r.keysOf.Reset(r.keyLayout())
		r.keysOf.AppendRows(p.keys, r.scanned.Positions)
		r.rows.Delete(&r.keysOf, &r.scanned.Orders, nil)
	}
	reset(&r.scanned)
	if n == most {
		if r.windowed {
			r.note(part)
		}
		return true, nil
	}
	if r.windowed { // what was read is gone: the next page begins at the front
		slots := r.slots[:p.n]
		part.Find(p.keys, slots)
		part.Delete(slots)
		p.from = 0
	}
	p.keys = nil
	return true, nil
}

func (r *Rank) keyLayout() stream.KeyLayout { return r.reader.Layout() }

// note writes down how many ranks of the partition that is being read have been given.
func (r *Rank) note(part statebackend.Part) {
	p := &r.finish.pages
	r.one.Reset(r.keyLayout())
	r.one.AppendRows(p.keys, []int32{p.last})
	slots := r.slots[:1]
	part.Find(&r.one, slots)
	rows := part.Rows()
	rows.At(slots[0])[wordGone] = uint64(p.rank)
	part.Touch(slots)
}

// ResumesAdvance is true: what is to be given stands in the tables until it is.
func (r *Rank) ResumesAdvance() bool { return true }

// turn takes the next partitions of a namespace to be read.
func (r *Rank) turn(part statebackend.Part, window int64) (more bool, err error) {
	p := &r.finish.pages
	slots := r.slots[:sweepRows]
	n, next := part.Scan(p.from, slots)
	if n == 0 {
		return false, nil
	}
	rows := part.Rows()
	p.ends, p.gone = p.ends[:0], p.gone[:0]
	for _, s := range slots[:n] {
		w, gone := readPartition(rows.At(s)), int64(0)
		if r.windowed {
			gone = int64(rows.At(s)[wordGone])
		}
		p.ends, p.gone = append(p.ends, r.end(&w)), append(p.gone, gone)
	}
	if p.keys, err = r.sweeper.ring.Keys(part, slots[:n]); err != nil {
		return false, err
	}
	p.n, p.from, p.last, p.rank = n, next, -1, 0
	r.begin(p.keys)
	if r.windowed {
		prefix := r.windowPrefix(window)
		for range n {
			r.boundWindow(prefix)
		}
	}
	return true, nil
}

// windowPrefix returns how the orders of a window begin.
func (r *Rank) windowPrefix(window int64) []byte {
	r.prefix = r.encoder.AppendInteger(r.prefix[:0], 0, window)
	return r.prefix
}
