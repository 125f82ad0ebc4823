package task

import (
	"fmt"

	"millrace/connectors"
	"millrace/operators"
	"millrace/operators/watermark"
	"millrace/stream"
)

// Source is the head of a source task: a reader and the event time of its splits.
type Source struct {
	reader    connectors.Reader
	generator *watermark.Generator // nil: the source has no event time
	column    int
	interval  int64 // milliseconds between watermarks that nothing forces

	splits  []connectors.SplitState // as assigned, for their ids' event time
	kept    []connectors.SplitState // assigned behind the end: they stay where they are
	batch   *stream.Batch           // being cut; rows before from are gone
	from    int
	due     bool  // a watermark must go before the next row
	lastDue int64 // when one was last looked for
	idle    bool  // said to be idle
	noMore  bool
	drained bool
	done    bool // the reader is at its end
	ended   bool // End was given
}

// NewSource returns the head for a reader. Without a generator there are no
// watermarks but the last one.
func NewSource(r connectors.Reader, g *watermark.Generator, column int, intervalMillis int64) *Source {
	return &Source{reader: r, generator: g, column: column, interval: intervalMillis}
}

func (s *Source) assign(c Assign) error {
	if s.drained {
		s.kept = append(s.kept, c.Splits...)
		return nil
	}
	if len(c.Splits) > 0 {
		if err := s.reader.Assign(c.Splits); err != nil {
			return fmt.Errorf("assign splits: %w", err)
		}
		s.splits = append(s.splits, c.Splits...)
		if s.generator != nil {
			for _, p := range c.Splits {
				s.generator.AddSplit(p.Watermark)
			}
		}
	}
	if c.NoMore && !s.noMore {
		s.noMore = true
		s.reader.NoMoreSplits()
		if s.generator != nil {
			s.generator.NoMoreSplits()
		}
	}
	return nil
}

// drain ends the input here, as if it were bounded.
func (s *Source) drain() { s.drained = true }

// midBatch tells that a part of a batch that the reader has given is not in the
// chain yet: its position is no place for a barrier.
func (s *Source) midBatch() bool { return s.batch != nil }

// positions returns the splits with their positions and event times.
func (s *Source) positions() []connectors.SplitState {
	p := s.reader.Positions(nil)
	if s.generator == nil {
		return append(p, s.kept...)
	}
	ordinals := make(map[connectors.SplitID]int32, len(s.splits))
	for i, a := range s.splits {
		ordinals[a.ID] = int32(i)
	}
	for i := range p {
		if o, ok := ordinals[p[i].ID]; ok {
			p[i].Watermark = s.generator.SplitWatermark(o)
		}
	}
	return append(p, s.kept...)
}

// next returns the next element; one without a kind when there is none, with
// the time at which to look again, 0 for none.
func (s *Source) next(now int64) (stream.Element, int64, error) {
	if s.ended {
		return stream.Element{}, 0, nil
	}
	if e, ok := s.watermark(now); ok {
		return e, 0, nil
	}
	if s.batch != nil {
		return s.cut()
	}
	s.finish()
	if s.done || s.drained {
		return s.end(), 0, nil
	}
	b, status, err := s.reader.Read()
	if err != nil {
		return stream.Element{}, 0, err
	}
	if b == nil {
		s.finish()
	}
	switch {
	case b != nil:
		return s.give(b)
	case status == connectors.Done:
		s.done = true
		return s.next(now)
	case status == connectors.More:
		return s.next(now)
	default:
		return s.dry(now)
	}
}

// watermark returns the watermark that is due, or the task's coming back to life.
func (s *Source) watermark(now int64) (stream.Element, bool) {
	if s.generator == nil {
		said := s.idle
		s.idle = true // for ever: what has no event time holds that of others back nowhere
		return stream.StatusOf(true), !said
	}
	if s.idle && !s.generator.Idle() {
		s.idle = false
		return stream.StatusOf(false), true
	}
	if !s.due && now-s.lastDue < s.interval {
		return stream.Element{}, false
	}
	s.due, s.lastDue = false, now
	s.generator.Tick(now)
	w, ok := s.generator.Take()
	return stream.WatermarkOf(w), ok
}

// dry handles a reader without rows: event time must not wait for the next.
func (s *Source) dry(now int64) (stream.Element, int64, error) {
	if s.generator == nil {
		return stream.Element{}, 0, nil
	}
	s.generator.Tick(now)
	if w, ok := s.generator.Take(); ok {
		s.lastDue = now
		return stream.WatermarkOf(w), 0, nil
	}
	if !s.idle && s.generator.Idle() {
		s.idle = true
		return stream.StatusOf(true), 0, nil
	}
	next := now + s.interval
	if at, ok := s.generator.IdleAt(); ok {
		next = min(next, max(at, now+1))
	}
	return stream.Element{}, next, nil
}

// finish takes splits at their end out of event time. The reader names a split
// together with its last rows, so it is asked only when all of them have gone:
// otherwise a watermark that must go between two of those rows would be that
// of the other splits, or the maximum, and the rest of them late.
func (s *Source) finish() {
	if s.generator == nil {
		return
	}
	for _, o := range s.reader.Finished() {
		s.generator.FinishSplit(o)
		s.due = true
	}
}

func (s *Source) give(b *stream.Batch) (stream.Element, int64, error) {
	if s.generator == nil {
		return stream.RowsOf(b), 0, nil
	}
	s.batch, s.from = b, 0
	return s.cut()
}

// cut gives the rows up to the next one that must find a watermark sent.
func (s *Source) cut() (stream.Element, int64, error) {
	b := s.batch
	upTo, err := s.generator.Cut(b.Split, &b.Columns[s.column], b.Sel(), s.from)
	if err != nil {
		return stream.Element{}, 0, fmt.Errorf("split %s: %w", s.splits[b.Split].ID, err)
	}
	from := s.from
	s.from = upTo
	if upTo < b.Rows() {
		s.due = true
		if upTo == from {
			w, ok := s.generator.Take()
			s.due = false
			if ok {
				return stream.WatermarkOf(w), 0, nil
			}
			return s.cut()
		}
		return stream.RowsOf(operators.Slice(b, from, upTo)), 0, nil
	}
	s.batch = nil
	if from == 0 {
		return stream.RowsOf(b), 0, nil
	}
	rest := operators.Slice(b, from, upTo)
	b.Release()
	return stream.RowsOf(rest), 0, nil
}

// end gives the maximum watermark, then the end.
func (s *Source) end() stream.Element {
	if s.generator == nil || s.generator.Taken() == stream.MaxWatermark {
		s.ended = true
		return stream.End()
	}
	for o := range s.splits {
		s.generator.FinishSplit(int32(o))
	}
	s.generator.NoMoreSplits()
	if w, ok := s.generator.Take(); ok {
		return stream.WatermarkOf(w)
	}
	s.ended = true
	return stream.End()
}

// where says where the batch stands that the source gave last: in the connector's words, or at least in which split.
func (s *Source) where(split int32) string {
	if at := began(s.reader); at != "" {
		return at
	}
	if split >= 0 && int(split) < len(s.splits) {
		return fmt.Sprintf("split %s", s.splits[split].ID)
	}
	return ""
}

func began(r connectors.Reader) string {
	if l, ok := r.(connectors.Locator); ok {
		return l.Began()
	}
	return ""
}

func (s *Source) close() error {
	s.batch.Release()
	s.batch = nil
	return s.reader.Close()
}
