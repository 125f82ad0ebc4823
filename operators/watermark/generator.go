package watermark

import (
	"math"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/types"
)

// Generator makes the event time of a source task from the rows of its splits.
// It belongs to the task's goroutine.
type Generator struct {
	column  string
	delay   int64 // milliseconds, and one more
	timeout int64 // milliseconds; 0: no split is ever idle

	splits []split
	noMore bool
	taken  stream.Watermark // the last one that Take returned
	// empty is since when, by Tick, there has been no split.
	empty idleness
}

// split is what is known of a split's event time.
type split struct {
	watermark stream.Watermark // of the rows so far
	finished  bool
	idleness
}

// idleness is the part of a split that the clock decides.
type idleness struct {
	idle  bool
	seen  bool // rows came since the last Tick
	since int64
	timed bool // since is set
}

// New returns a generator for a source of the schema. It reports a column that
// has no event time in milliseconds as an error of the user.
func New(spec *jobgraph.WatermarkSpec, s *types.Schema) (*Generator, error) {
	if spec.Column < 0 || spec.Column >= s.Len() {
		return nil, failure.Userf("watermark: the source has no column %d", spec.Column)
	}
	f := s.Fields[spec.Column]
	if k := f.Type.Kind; (k != types.Timestamp && k != types.TimestampLTZ) || f.Type.Unit() != types.Millis {
		return nil, failure.Userf("watermark: column %s must be a TIMESTAMP or TIMESTAMP_LTZ of precision 0 to 3, not %s", f.Name, f.Type)
	}
	if spec.Delay < 0 || spec.IdleTimeout < 0 {
		return nil, failure.Userf("watermark: delay and idle timeout must not be negative")
	}
	return &Generator{
		column:  f.Name,
		delay:   spec.Delay.Milliseconds() + 1,
		timeout: spec.IdleTimeout.Milliseconds(),
		taken:   stream.NoWatermark,
	}, nil
}

// AddSplit adds a split that has reached a watermark: NoWatermark, or what its
// snapshot says. Splits are numbered from 0 in the order of the calls, as
// batches number them.
func (g *Generator) AddSplit(restored stream.Watermark) (ordinal int32) {
	g.splits = append(g.splits, split{watermark: restored})
	return int32(len(g.splits) - 1)
}

// FinishSplit takes a split that is at its end, or was taken away, out of the minimum.
func (g *Generator) FinishSplit(ordinal int32) { g.splits[ordinal].finished = true }

// NoMoreSplits says that no AddSplit follows: when every split is finished,
// event time is at its end.
func (g *Generator) NoMoreSplits() { g.noMore = true }

// SplitWatermark returns what a split has reached, for its snapshot.
func (g *Generator) SplitWatermark(ordinal int32) stream.Watermark {
	return g.splits[ordinal].watermark
}

// Cut takes in the times of a split's rows from position from on (positions
// count selected rows; a nil sel selects all) up to the first row that must not
// go before the task has sent the watermark that the rows before it make. It
// returns that row's position, or the number of rows. When it returns less,
// the task sends the rows before the position, then Take's watermark, and calls
// Cut again from the position. The position may be from itself.
func (g *Generator) Cut(ordinal int32, times *stream.Vector, sel []int32, from int) (upTo int, err error) {
	rows := times.Len()
	if sel != nil {
		rows = len(sel)
	}
	if from >= rows {
		return rows, nil
	}
	s := &g.splits[ordinal]
	s.seen, s.idle = true, false
	others := g.minimum(ordinal)
	if times.HasNulls() || times.Encoding == stream.Dictionary {
		if err := g.refuseNulls(times, sel, from, rows); err != nil {
			return from, err
		}
	}
	if times.Encoding == stream.Flat {
		return g.cutFlat(s, others, stream.Values[int64](times), sel, from, rows), nil
	}
	return g.cutEncoded(s, others, times, sel, from, rows), nil
}

// cutFlat looks at the extremes first: rows in order, the rule, need no look at
// each row against the watermark before it.
func (g *Generator) cutFlat(s *split, others stream.Watermark, xs []int64, sel []int32, from, rows int) int {
	lo, hi := extremes(xs, sel, from, rows)
	end := max(s.watermark, g.after(hi))
	if bound := min(end, others); bound <= g.taken || stream.Watermark(lo) > bound {
		s.watermark = end
		return rows
	}
	for i := from; i < rows; i++ {
		row := i
		if sel != nil {
			row = int(sel[i])
		}
		if g.mustCut(s, others, xs[row]) {
			return i
		}
	}
	return rows
}

func (g *Generator) cutEncoded(s *split, others stream.Watermark, v *stream.Vector, sel []int32, from, rows int) int {
	for i := from; i < rows; i++ {
		row := i
		if sel != nil {
			row = int(sel[i])
		}
		if g.mustCut(s, others, stream.Value[int64](v, row)) {
			return i
		}
	}
	return rows
}

// mustCut tells whether a row at time t is at or behind a watermark that is not
// sent yet; if not, it takes the row in.
func (g *Generator) mustCut(s *split, others stream.Watermark, t int64) bool {
	if w := min(s.watermark, others); w > g.taken && stream.Watermark(t) <= w {
		return true
	}
	s.watermark = max(s.watermark, g.after(t))
	return false
}

// after returns the watermark that a row at time t makes.
func (g *Generator) after(t int64) stream.Watermark {
	if t < math.MinInt64+g.delay {
		return stream.NoWatermark
	}
	return stream.Watermark(t - g.delay)
}

func extremes(xs []int64, sel []int32, from, rows int) (lo, hi int64) {
	lo, hi = math.MaxInt64, math.MinInt64
	if sel == nil {
		for _, x := range xs[from:rows] {
			lo, hi = min(lo, x), max(hi, x)
		}
		return lo, hi
	}
	for _, i := range sel[from:rows] {
		lo, hi = min(lo, xs[i]), max(hi, xs[i])
	}
	return lo, hi
}

func (g *Generator) refuseNulls(v *stream.Vector, sel []int32, from, rows int) error {
	for i := from; i < rows; i++ {
		row := i
		if sel != nil {
			row = int(sel[i])
		}
		if v.IsNull(row) {
			return failure.Userf("event-time column %s is NULL in a row; filter such rows out before time is taken from them", g.column)
		}
	}
	return nil
}

// minimum returns the least watermark of the active splits but one (-1: of
// all); MaxWatermark where there are none.
func (g *Generator) minimum(but int32) stream.Watermark {
	w := stream.MaxWatermark
	for i := range g.splits {
		if s := &g.splits[i]; int32(i) != but && !s.finished && !s.idle {
			w = min(w, s.watermark)
		}
	}
	return w
}

// Take returns the task's watermark if it is later than the one returned
// before; the task sends it at once.
func (g *Generator) Take() (w stream.Watermark, ok bool) {
	active, open := false, false
	for i := range g.splits {
		s := &g.splits[i]
		open = open || !s.finished
		active = active || (!s.finished && !s.idle)
	}
	switch {
	case active:
		w = g.minimum(-1)
	case !open && g.noMore:
		w = stream.MaxWatermark
	default:
		return 0, false // idle, or waiting for splits
	}
	if w <= g.taken {
		return 0, false
	}
	g.taken = w
	return w, true
}

// Taken returns the watermark that Take returned last, NoWatermark before.
func (g *Generator) Taken() stream.Watermark { return g.taken }

// Tick says that the engine's time is now, in milliseconds: a split that gave
// no row for the idle timeout becomes idle. The first Tick after a split was
// added starts its timeout.
func (g *Generator) Tick(now int64) {
	if g.timeout == 0 {
		return
	}
	open := false
	for i := range g.splits {
		if s := &g.splits[i]; !s.finished {
			open = true
			s.tick(now, g.timeout)
		}
	}
	g.empty.seen = open
	g.empty.tick(now, g.timeout)
}

func (s *idleness) tick(now, timeout int64) {
	if s.seen || !s.timed {
		s.seen, s.timed, s.since, s.idle = false, true, now, false
		return
	}
	s.idle = s.idle || now-s.since >= timeout
}

// IdleAt returns the earliest time, by Tick, at which a split, or the lack of any, becomes idle if nothing comes until then; ok is false where none can.
func (g *Generator) IdleAt() (at int64, ok bool) {
	at = math.MaxInt64
	if g.timeout == 0 {
		return at, false
	}
	of := func(s *idleness) {
		if s.timed && !s.idle {
			at, ok = min(at, s.since+g.timeout), true
		}
	}
	open := false
	for i := range g.splits {
		if s := &g.splits[i]; !s.finished {
			open = true
			of(&s.idleness)
		}
	}
	if !open {
		of(&g.empty)
	}
	return at, ok
}

// Idle tells whether the task should say that it is idle: nothing that is open
// gives rows, and event time is not at its end either.
func (g *Generator) Idle() bool {
	open := false
	for i := range g.splits {
		s := &g.splits[i]
		if !s.finished && !s.idle {
			return false
		}
		open = open || !s.finished
	}
	return open || (!g.noMore && g.empty.idle)
}
