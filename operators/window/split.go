package window

import (
	"math"
	"slices"

	"millrace/internal/failure"
	"millrace/jobgraph"
	"millrace/operators/aggregate"
	"millrace/stream"
)

// splitter deals the rows of a batch out to windows. Its slices are valid until
// the next call of split.
type splitter struct {
	column int
	name   string // of the column
	// size is the windows' in milliseconds. For partial rows, whose column has
	// the ends of windows already, ends is set.
	size, offset int64
	ends         bool

	times     []int64
	positions []int32 // rows that are not late
	late      []int32
	windows   []int64 // the end of each of positions
	sorted    []int32
	counts    []int32
	groups    []aggregate.Group
}

func newSplitter(spec *jobgraph.WindowAggregateSpec, column int, name string, ends bool) splitter {
	return splitter{
		column: column, name: name, ends: ends,
		size: spec.Window.Size.Milliseconds(), offset: spec.Window.Offset.Milliseconds(),
	}
}

// end returns the end of the window that a value of the column falls into.
func (s *splitter) end(t int64) int64 {
	if s.ends {
		return t
	}
	r := (t - s.offset) % s.size
	if r < 0 {
		r += s.size
	}
	return t - r + s.size
}

// split returns the windows of the batch in ascending order, and the physical
// positions of the rows that are late at the watermark.
func (s *splitter) split(b *stream.Batch, watermark stream.Watermark) (windows []aggregate.Group, late []int32, err error) {
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
	first, last := s.end(lo), s.end(hi)
	if first == last && stream.Watermark(first-1) > watermark {
		s.groups = append(s.groups, aggregate.Group{Space: first})
		return s.groups, nil, nil
	}
	times, err := s.read(b)
	if err != nil {
		return nil, nil, err
	}
	s.place(b, times, watermark)
	s.deal(first, last)
	return s.groups, s.late, nil
}

// extremes returns the earliest and the latest time of the selected rows, of
// which there is one at least. Flat times are looked at where they lie: mostly
// they are of one window, and nobody needs each of them.
func (s *splitter) extremes(b *stream.Batch) (lo, hi int64, err error) {
	lo, hi = math.MaxInt64, math.MinInt64
	if v, sel := &b.Columns[s.column], b.Sel(); sel != nil && v.IsPlain() {
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

// read returns the time of every selected row, where it lies if possible.
func (s *splitter) read(b *stream.Batch) ([]int64, error) {
	v := &b.Columns[s.column]
	mayBeNull := v.HasNulls() || v.Encoding == stream.Dictionary
	if b.Sel() == nil && v.IsPlain() {
		return stream.Values[int64](v), nil
	}
	s.times = s.times[:0]
	for i := range b.Rows() {
		row := b.Row(i)
		if mayBeNull && v.IsNull(row) {
			return nil, failure.Userf("time column %s is NULL in a row; a window aggregate needs it, filter such rows out before", s.name)
		}
		s.times = append(s.times, stream.Value[int64](v, row))
	}
	return s.times, nil
}

// place finds each row's window. Neighbours mostly share one, so that the
// division is rare.
func (s *splitter) place(b *stream.Batch, times []int64, watermark stream.Watermark) {
	s.positions, s.windows = s.positions[:0], s.windows[:0]
	end, start := int64(math.MinInt64), int64(math.MaxInt64)
	for i, t := range times {
		if t < start || t >= end {
			end = s.end(t)
			start = end - s.size
			if s.ends {
				start = end // each value names its window
			}
		}
		row := int32(b.Row(i))
		if stream.Watermark(end-1) <= watermark {
			s.late = append(s.late, row)
			continue
		}
		s.positions, s.windows = append(s.positions, row), append(s.windows, end)
	}
}

// deal sorts the rows by window, keeping their order within each.
func (s *splitter) deal(first, last int64) {
	n := len(s.positions)
	if n == 0 {
		return
	}
	s.sorted = slices.Grow(s.sorted[:0], n)[:n]
	if buckets := (last-first)/s.size + 1; buckets <= bucketsMax {
		s.count(first, int(buckets))
	} else {
		s.sort()
	}
}

func (s *splitter) count(first int64, buckets int) {
	s.counts = slices.Grow(s.counts[:0], buckets)[:buckets]
	clear(s.counts)
	for _, w := range s.windows {
		s.counts[(w-first)/s.size]++
	}
	at := int32(0)
	for k, c := range s.counts {
		s.counts[k] = at
		if c > 0 {
			s.groups = append(s.groups, aggregate.Group{Space: first + int64(k)*s.size, Rows: s.sorted[at : at+c]})
		}
		at += c
	}
	for i, w := range s.windows {
		k := (w - first) / s.size
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
