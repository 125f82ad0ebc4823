package window

import (
	"math"
	"slices"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/stream"
	"millrace/types"
)

// splitter deals the rows of a batch out to panes, or to one of the windows that
// their panes are in. Its slices are valid until the next call of split.
type splitter struct {
	Shape
	zone   *zone // nil: UTC
	column int
	name   string // of the column
	// ends says that the column has the ends of panes already.
	ends bool
	// each says that rows go to each of their windows, not to their panes.
	each bool
	// clock is where the time of rows comes from in processing time; nil: the column.
	clock *operators.Time

	times     []int64
	positions []int32 // rows that are not late
	late      []int32
	windows   []int64 // the end of each of positions
	sorted    []int32
	counts    []int32
	groups    []aggregate.Group
}

// newSplitter makes a splitter of the rows that a spec is about.
func newSplitter(w *jobgraph.WindowSpec, column int, in *types.Schema, clock *operators.Time) (splitter, error) {
	z, err := newZone(w.Zone)
	s := splitter{Shape: ShapeOf(w), zone: z, column: column, ends: w.Kind == jobgraph.Attached}
	if s.ends {
		s.size, s.pane = 1, 1
	}
	if w.Processing {
		s.clock = clock
		return s, err
	}
	s.name = in.Fields[column].Name
	return s, err
}

// paneOf returns the end of the pane that a value of the column falls into.
func (s *splitter) paneOf(t int64) int64 {
	if s.ends {
		return t
	}
	return s.End(t)
}

// split returns the panes of the batch in ascending order, and the physical
// positions of the rows that are late at the watermark, which is local: all of
// their windows are closed. Where rows go to each of their windows it gives those
// that end the shift behind the panes, and says a row to be late with its last.
func (s *splitter) split(b *stream.Batch, watermark stream.Watermark, shift int64) (windows []aggregate.Group, late []int32, err error) {
	s.groups, s.late = s.groups[:0], s.late[:0]
	if b.Rows() == 0 {
		return nil, nil, nil
	}
	lo, hi, err := s.extremes(b)
	if err != nil {
		return nil, nil, err
	}
	if lo < -timeMax || hi > timeMax {
		return nil, nil, failure.Userf("time column %s has a value beyond the times that windows cover", s.name)
	}
	first, last := s.paneOf(lo), s.paneOf(hi)
	if first == last && shift == 0 && stream.Watermark(s.Last(first)-1) > watermark && (!s.each || stream.Watermark(first-1) > watermark) {
		s.groups = append(s.groups, aggregate.Group{Space: first})
		return s.groups, nil, nil
	}
	times, err := s.read(b)
	if err != nil {
		return nil, nil, err
	}
	s.place(b, times, watermark, shift)
	s.deal(first+shift, last+shift)
	return s.groups, s.late, nil
}

// extremes returns the earliest and the latest time of the selected rows, of
// which there is one at least. Flat times are looked at where they lie: mostly
// they are of one window, and nobody needs each of them.
func (s *splitter) extremes(b *stream.Batch) (lo, hi int64, err error) {
	if s.clock != nil {
		now := s.local(s.clock.Now())
		return now, now, nil
	}
	lo, hi = math.MaxInt64, math.MinInt64
	if v, sel := &b.Columns[s.column], b.Sel(); sel != nil && v.IsPlain() && s.zone == nil {
		times := stream.Values[int64](v)
		for _, row := range sel {
			lo, hi = min(lo, times[row]), max(hi, times[row])
		}
		return lo, hi, nil
	}
	times, err := s.read(b)
	for _, t := range times {
		lo, hi = min(lo, t), max(hi, t)
	}
	return lo, hi, err
}

func (s *splitter) local(t int64) int64 {
	if s.zone == nil || t < -timeMax || t > timeMax {
		return t
	}
	return s.zone.local(t)
}

// read returns the local time of every selected row, where it lies if possible.
func (s *splitter) read(b *stream.Batch) ([]int64, error) {
	if s.clock != nil {
		now := s.local(s.clock.Now())
		s.times = s.times[:0]
		for range b.Rows() {
			s.times = append(s.times, now)
		}
		return s.times, nil
	}
	v := &b.Columns[s.column]
	mayBeNull := v.HasNulls() || v.Encoding == stream.Dictionary
	if b.Sel() == nil && v.IsPlain() && s.zone == nil {
		return stream.Values[int64](v), nil
	}
	s.times = s.times[:0]
	for i := range b.Rows() {
		row := b.Row(i)
		if mayBeNull && v.IsNull(row) {
			return nil, failure.Userf("time column %s is NULL in a row; a window aggregate needs it, filter such rows out before", s.name)
		}
		s.times = append(s.times, s.local(stream.Value[int64](v, row)))
	}
	return s.times, nil
}

// place finds each row's window. Neighbours mostly share one, so that the
// division is rare.
func (s *splitter) place(b *stream.Batch, times []int64, watermark stream.Watermark, shift int64) {
	s.positions, s.windows = s.positions[:0], s.windows[:0]
	end, start, last := int64(math.MinInt64), int64(math.MaxInt64), int64(0)
	for i, t := range times {
		if t < start || t >= end {
			end = s.paneOf(t)
			start, last = end-s.pane, s.Last(end)
			if s.ends {
				start = end // each value names its window
			}
		}
		row := int32(b.Row(i))
		switch {
		case end+shift > last: // it is in no such window
		case stream.Watermark(last-1) <= watermark:
			if !s.each || end+shift == last {
				s.late = append(s.late, row)
			}
		case s.each && stream.Watermark(end+shift-1) <= watermark: // too late for this one
		default:
			s.positions, s.windows = append(s.positions, row), append(s.windows, end+shift)
		}
	}
}

// deal sorts the rows by window, keeping their order within each.
func (s *splitter) deal(first, last int64) {
	n := len(s.positions)
	if n == 0 {
		return
	}
	s.sorted = slices.Grow(s.sorted[:0], n)[:n]
	if buckets := (last-first)/s.pane + 1; buckets <= bucketsMax {
		s.count(first, int(buckets))
	} else {
		s.sort()
	}
}

func (s *splitter) count(first int64, buckets int) {
	s.counts = slices.Grow(s.counts[:0], buckets)[:buckets]
	clear(s.counts)
	for _, w := range s.windows {
		s.counts[(w-first)/s.pane]++
	}
	at := int32(0)
	for k, c := range s.counts {
		s.counts[k] = at
		if c > 0 {
			s.groups = append(s.groups, aggregate.Group{Space: first + int64(k)*s.pane, Rows: s.sorted[at : at+c]})
		}
		at += c
	}
	for i, w := range s.windows {
		k := (w - first) / s.pane
		s.sorted[s.counts[k]] = s.positions[i]
		s.counts[k]++
	}
}

func (s *splitter) sort() {
	order := s.sorted
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		switch x, y := s.windows[a], s.windows[b]; {
		case x < y:
			return -1
		case x > y:
			return 1
		default:
			return 0
		}
	})
	from := 0
	for i := range order {
		end := s.windows[order[i]]
		if i+1 < len(order) && s.windows[order[i+1]] == end {
			continue
		}
		for k := from; k <= i; k++ {
			order[k] = s.positions[order[k]]
		}
		s.groups = append(s.groups, aggregate.Group{Space: end, Rows: order[from : i+1]})
		from = i + 1
	}
}
