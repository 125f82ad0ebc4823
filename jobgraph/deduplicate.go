package jobgraph

import (
	"time"

	"millrace/types"
)

// DeduplicateSpec keeps one row of each key, the first or the last by time. Its input is +I only, its output has the
// input's columns; the upsert key is Keys.
type DeduplicateSpec struct {
	Keys []int
	// Time is the event-time column, TIMESTAMP(0..3); of equal times the first row to arrive is first and the last is last.
	// NoColumn: the order of arrival counts.
	Time     int
	KeepLast bool
	// UpdateBefore gives a -U in front of each +U.
	UpdateBefore bool
	// AppendOnly gives the first row by event time when the watermark has reached it, as +I; rows behind the watermark
	// are late. Without it each earlier row updates the one before.
	AppendOnly bool
	// WindowEnd is the column of the end of the window, TIMESTAMP(0..3), in which rows are told apart; what is kept of a
	// window is given when the watermark closes it, as +I. It needs Time. NoColumn: no windows.
	WindowEnd int
	// EachChange gives every row that was the last of its key for a while, also where a batch has several: for whom each is a version
	// with a time of its own.
	EachChange bool
	// FinalOnly gives what was kept once, at the end of bounded input, as +I.
	FinalOnly bool
	// TTL is how long a key is kept that does not change; 0: for ever.
	TTL time.Duration
}

func (*DeduplicateSpec) kind() OperatorKind { return KindDeduplicate }

func (*DeduplicateSpec) inputs() (least, most int) { return 1, 1 }

func (*DeduplicateSpec) output(in []*types.Schema) (*types.Schema, error) { return in[0], nil }

func (*DeduplicateSpec) passes(column int) (input, from int, ok bool) { return 0, column, true }

func (s *DeduplicateSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	c.keys(c.id, c.at("keys"), s.Keys, in[0])
	c.storable(in[0])
	c.ttl("ttl", s.TTL)
	c.windowEnd("time", s.Time, in[0])
	c.windowEnd("window_end", s.WindowEnd, in[0])
	switch {
	case s.AppendOnly && (s.Time == NoColumn || s.KeepLast || s.FinalOnly):
		c.addf("append_only", "goes with the first row by event time only, and without final_only")
	case s.WindowEnd != NoColumn && (s.Time == NoColumn || s.AppendOnly || s.FinalOnly || s.TTL > 0):
		c.addf("window_end", "needs time, and neither append_only, final_only nor ttl goes with it")
	}
	if s.EachChange && (!s.KeepLast || s.FinalOnly || s.WindowEnd != NoColumn) {
		c.addf("each_change", "goes with the last row only, and with neither final_only nor window_end")
	}
	c.keyed(0, s.Keys, s.Keys)
	return in[0]
}

func (s *DeduplicateSpec) explain(e *explainer, in []*types.Schema) {
	which, by := "first", "arrival"
	if s.KeepLast {
		which = "last"
	}
	if s.Time != NoColumn {
		by = in[0].Fields[s.Time].Name
	}
	e.line(2, "keys (%s), the %s row by %s", columnNames(in[0], s.Keys), which, by)
	if s.AppendOnly {
		e.line(2, "given when the watermark has reached it")
	}
	if s.WindowEnd != NoColumn {
		e.line(2, "in windows that end at %s", in[0].Fields[s.WindowEnd].Name)
	}
	if s.EachChange {
		e.line(2, "gives each change")
	}
	e.changes(s.UpdateBefore, s.FinalOnly, s.TTL)
}
