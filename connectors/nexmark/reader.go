package nexmark

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
	g       *generator
	plan    *plan
	out     *formats.Rows
	events  []event // reused
	rowsMax int
	alarm   *connectors.Alarm // set where the rate is limited

	splits   []*readSplit
	last     *readSplit // of the batch that was given last
	began    int64      // its first event
	noMore   bool
	finished []int32 // not yet told
}

// readSplit is a split as its reader sees it.
type readSplit struct {
	split
	ordinal  int32
	done     bool
	prepared *prepared
}

func newReader(s *Source, ctx connectors.ReaderContext) (*reader, error) {
	p, err := newPlan(s.config.only, ctx.Schema)
	if err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, g: s.generator(p), plan: p, rowsMax: min(ctx.RowsMax, stream.RowsMax)}
	if r.rowsMax < 1 {
		return nil, failure.Internalf("nexmark: batches of at most %d rows", ctx.RowsMax)
	}
	r.out = formats.NewRows(ctx.Pool, ctx.Schema, r.rowsMax)
	r.events = make([]event, 0, r.rowsMax)
	if s.config.limited {
		r.alarm = connectors.NewAlarm(ctx.Clock, ctx.Waker)
	}
	return r, nil
}

// Assign implements connectors.Reader. With prepared batches it makes them.
func (r *reader) Assign(splits []connectors.SplitState) error {
	for _, p := range splits {
		s, err := decodeSplit(p)
		if err != nil {
			return err
		}
		rs := &readSplit{split: s, ordinal: int32(len(r.splits))}
		if r.g.prepared > 0 {
			rs.prepared = r.prepare(&s)
		}
		r.splits = append(r.splits, rs)
		r.end(rs)
	}
	return nil
}

// NoMoreSplits implements connectors.Reader.
func (r *reader) NoMoreSplits() { r.noMore = true }

// Read implements connectors.Reader.
func (r *reader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	s := r.furthestBehind()
	if s == nil {
		if r.noMore && !r.g.keepAlive {
			return nil, connectors.Done, nil
		}
		return nil, connectors.Dry, nil
	}
	limit := r.limit(s)
	if limit <= s.next {
		return nil, connectors.Dry, nil
	}
	r.last, r.began = s, s.next
	b := r.make(s, limit)
	if b != nil {
		b.Split = s.ordinal
	}
	r.end(s)
	return b, connectors.More, nil
}

// Began implements connectors.Locator.
func (r *reader) Began() string {
	if r.last == nil {
		return ""
	}
	return fmt.Sprintf("split %s, event %d", r.last.id(), r.began)
}

// furthestBehind returns the split with the earliest next event, nil where all
// are done.
func (r *reader) furthestBehind() *readSplit {
	var least *readSplit
	for _, s := range r.splits {
		if !s.done && (least == nil || s.next < least.next) {
			least = s
		}
	}
	return least
}

// limit returns up to which event the split may be read now. Where none is due
// the alarm is set.
func (r *reader) limit(s *readSplit) int64 {
	if r.alarm == nil {
		return r.g.stop
	}
	now := r.ctx.Clock.NowMillis()
	limit := r.g.pace.due(s.next, min(s.next+scanMax, r.g.stop), now-s.start)
	if limit == s.next {
		r.alarm.Set(max(s.start+r.g.pace.at(s.next)-now, dueMillisMin))
	}
	return limit
}

// make returns the next batch of events before limit, nil if none of them is
// wanted, and moves the split behind it.
func (r *reader) make(s *readSplit, limit int64) *stream.Batch {
	if s.prepared != nil {
		return r.replay(s, limit)
	}
	rows := r.events[:0]
	rows, s.next = r.g.fill(rows, s.next, limit, s.splits, s.base)
	if len(rows) == 0 {
		return nil
	}
	return r.plan.batch(r.g, rows, r.out, r.ctx.Pool)
}

// end notes that a split has come to its end, if it has.
func (r *reader) end(s *readSplit) {
	if s.next < r.g.stop || s.done {
		return
	}
	s.done = true
	if s.prepared != nil {
		s.prepared.release()
	}
	if !r.g.keepAlive {
		r.finished = append(r.finished, s.ordinal)
	}
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
	r.out.Close()
	for _, s := range r.splits {
		if s.prepared != nil {
			s.prepared.release()
		}
	}
	if r.alarm != nil {
		r.alarm.Close()
	}
	return nil
}
