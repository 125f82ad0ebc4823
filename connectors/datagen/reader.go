package datagen

import (
	"fmt"

	"millrace/connectors"
	"millrace/failure"
	"millrace/formats"
	"millrace/stream"
	"millrace/types"
)

// reader reads the splits of one task, the one that is furthest behind first.
type reader struct {
	ctx     connectors.ReaderContext
	source  *source
	columns []column
	out     *formats.Rows
	rows    []row      // of the batch at hand, reused
	last    *readSplit // of the batch that was given last
	rowsMax int
	alarm   *connectors.Alarm

	splits   []*readSplit
	noMore   bool
	finished []int32 // not yet told
}

// readSplit is a split as its reader sees it.
type readSplit struct {
	split
	ordinal int32
	done    bool
}

func newReader(s *source, ctx connectors.ReaderContext) (*reader, error) {
	columns, rowBytes, err := s.columns(ctx.Schema)
	if err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, source: s, columns: columns, rowsMax: min(ctx.RowsMax, stream.RowsMax)}
	if r.rowsMax < 1 || len(columns) == 0 {
		return nil, failure.Internalf("datagen: batches of at most %d rows of %d columns", ctx.RowsMax, len(columns))
	}
	r.rowsMax = min(r.rowsMax, max(stream.BatchBytesTarget/max(rowBytes, 1), 1))
	r.out = formats.NewRows(ctx.Pool, ctx.Schema, r.rowsMax)
	r.alarm = connectors.NewAlarm(ctx.Clock, ctx.Waker)
	return r, nil
}

// Assign implements connectors.Reader.
func (r *reader) Assign(splits []connectors.SplitState) error {
	for _, p := range splits {
		s, err := decodeSplit(p)
		if err != nil {
			return err
		}
		rs := &readSplit{split: s, ordinal: int32(len(r.splits))}
		r.splits = append(r.splits, rs)
		r.end(rs)
	}
	return nil
}

// NoMoreSplits implements connectors.Reader.
func (r *reader) NoMoreSplits() { r.noMore = true }

// Read implements connectors.Reader.
func (r *reader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	var s *readSplit
	for _, other := range r.splits {
		if !other.done && (s == nil || other.next < s.next) {
			s = other
		}
	}
	if s == nil {
		if r.noMore {
			return nil, connectors.Done, nil
		}
		return nil, connectors.Dry, nil
	}
	if now := r.ctx.Clock.NowMillis(); !r.due(s, now) {
		r.alarm.Set(max(r.source.at(s.start, s.next)-now, dueMillisMin))
		return nil, connectors.Dry, nil
	}
	r.last = s
	b := r.make()
	b.Split = s.ordinal
	r.end(s)
	return b, connectors.More, nil
}

// Began implements connectors.Locator.
func (r *reader) Began() string {
	if r.last == nil || len(r.rows) == 0 {
		return ""
	}
	return fmt.Sprintf("split %s, row %d", r.last.id(), r.rows[0].number)
}

// at returns when a row is due.
func (c *config) at(start, number int64) int64 {
	return start + number*1000/c.rate // rowsMax * 1000 fits
}

// due takes the next rows of a split that are due, moves the split behind them,
// and tells whether there are any.
func (r *reader) due(s *readSplit, now int64) bool {
	r.rows = r.rows[:0]
	for s.next < r.source.stop && len(r.rows) < r.rowsMax {
		at := r.source.at(s.start, s.next)
		if at > now {
			break
		}
		r.rows = append(r.rows, row{number: s.next, due: at})
		s.next += s.splits
	}
	return len(r.rows) > 0
}

// make makes a batch of the rows.
func (r *reader) make() *stream.Batch {
	for i := range r.columns {
		c, b := &r.columns[i], &r.out.Columns[i]
		for _, at := range r.rows {
			r := randomOf(c.salt, at.number)
			c.make(b, &r, at)
		}
	}
	return r.out.Finish()
}

// end notes that a split has come to its end, if it has.
func (r *reader) end(s *readSplit) {
	if s.next < r.source.stop || s.done {
		return
	}
	s.done = true
	r.finished = append(r.finished, s.ordinal)
}

// Finished implements connectors.Reader.
func (r *reader) Finished() []int32 {
	f := r.finished
	r.finished = nil
	return f
}

// Positions implements connectors.Reader. Splits at their end keep their entry:
// without it they would be read again.
func (r *reader) Positions(dst []connectors.SplitState) []connectors.SplitState {
	for _, s := range r.splits {
		dst = append(dst, s.state())
	}
	return dst
}

// CheckpointComplete implements connectors.Reader.
func (*reader) CheckpointComplete(types.CheckpointID) {}

// Close implements connectors.Reader.
func (r *reader) Close() error {
	r.alarm.Close()
	r.out.Close()
	return nil
}
