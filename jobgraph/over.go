package jobgraph

import (
	"fmt"

	"millrace/types"
)

// OverAggregateSpec adds to each row the aggregates over the rows of its key up to it: the columns of the
// input, then a column an aggregate.
//
// ROW_NUMBER() over all rows before is COUNT(*) of an unbounded frame of rows.
type OverAggregateSpec struct {
	Keys []int // columns of the input; none: all rows have one key
	// Time is the event-time column by which rows are in order, TIMESTAMP or TIMESTAMP_LTZ of precision 0 to 3: they wait
	// for the watermark. With Arrival it is not looked at, and rows are in the order of their arrival.
	Time    int
	Arrival bool
	Frame   FrameSpec
	// Aggregates go over the frame; of DISTINCT ones each value in it counts once. Functions that go by the place of a row are among them where the frame
	// is all rows up to the row. Of rows in the order of arrival none is another's peer.
	Aggregates []AggregateCall
	// Order is an order of rows that is neither time nor arrival; Time and Arrival are not looked at then. Rows
	// are answered when they come. One that comes or goes before others changes what these were told: the output is a changelog. Rows of
	// equal order stand as they arrived, and a frame with Range has all of them; it can't be bounded.
	Order []SortColumn
	// Retract says that the input may take rows back, which it needs an Order for.
	Retract bool
	// UpdateBefore has a -U in front of each +U.
	UpdateBefore bool
	// FinalOnly has each row once, at the end of bounded input. It needs an Order.
	FinalOnly bool
}

// FrameSpec says over which rows the aggregates of a row go. The last of them is the row itself; with Range, all
// that have its time.
type FrameSpec struct {
	Range   bool // Preceding counts milliseconds, not rows
	Bounded bool // else all rows before
	// Preceding is how far before the row the frame begins.
	Preceding int64
}

func (f *FrameSpec) String() string {
	unit, from := "rows", "unbounded preceding"
	if f.Range {
		unit = "range"
	}
	if f.Bounded {
		from = fmt.Sprintf("%d preceding", f.Preceding)
		if f.Range {
			from = fmt.Sprintf("%d ms preceding", f.Preceding)
		}
	}
	return unit + " from " + from
}

func (*OverAggregateSpec) kind() OperatorKind { return KindOverAggregate }

func (*OverAggregateSpec) inputs() (least, most int) { return 1, 1 }

func (s *OverAggregateSpec) output(in []*types.Schema) (*types.Schema, error) {
	fields := append([]types.Field{}, in[0].Fields...)
	for i := range s.Aggregates {
		f, err := s.Aggregates[i].field(in[0])
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return types.NewSchema(fields...), nil
}

func (s *OverAggregateSpec) passes(column int) (input, from int, ok bool) {
	return 0, column, column >= 0
}

func (s *OverAggregateSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	found := c.problems.Len()
	c.keys(c.id, c.at("keys"), s.Keys, in[0])
	switch {
	case len(s.Order) > 0:
		c.sortColumns("order", s.Order, in[0])
		c.storable(in[0])
	case s.Retract || s.UpdateBefore || s.FinalOnly:
		c.addf("order", "there is none, which retract, update_before and final_only need")
	case !s.Arrival:
		c.timeColumn("time", s.Time, &WindowSpec{}, in[0])
	}
	switch f := s.Frame; {
	case f.Bounded && f.Range && len(s.Order) > 0:
		c.addf("frame.range", "a range of time needs rows in the order of their time, not another")
	case f.Bounded && f.Preceding < 0:
		c.addf("frame.preceding", "is %d, less than 0", f.Preceding)
	case f.Bounded && !f.Range && f.Preceding > FrameRowsMax:
		c.addf("frame.preceding", "is %d, at most %d rows", f.Preceding, FrameRowsMax)
	case f.Bounded && f.Range && f.Preceding > IntervalMax.Milliseconds():
		c.addf("frame.preceding", "is %d ms, at most %s", f.Preceding, IntervalMax)
	}
	if len(s.Aggregates) == 0 {
		c.addf("aggregates", "there are none")
	}
	c.aggregates("aggregates", s.Aggregates, in[0], callsCheck{place: !s.Frame.Range && !s.Frame.Bounded, whole: s.FinalOnly, leaves: s.Retract || s.Frame.Bounded})
	if in[0] == nil || c.problems.Len() > found {
		return nil
	}
	c.keyed(0, s.Keys, s.Keys)
	return c.schemaOf(s.output(in))
}

func (s *OverAggregateSpec) explain(e *explainer, in []*types.Schema) {
	by := "arrival"
	switch {
	case len(s.Order) > 0:
		by = sortText(in[0], s.Order)
	case !s.Arrival:
		by = in[0].Fields[s.Time].Name
	}
	e.line(2, "keys (%s), by %s, %s", columnNames(in[0], s.Keys), by, &s.Frame)
	for i := range s.Aggregates {
		e.line(2, "%s", s.Aggregates[i].text(in[0]))
	}
	e.changes(s.UpdateBefore, s.FinalOnly, 0)
}
