package jobgraph

import (
	"time"

	"millrace/expr"
	"millrace/types"
)

// IntervalJoinSpec joins rows that only come and whose event times are near each other: the right row's minus the left row's is
// from Lower to Upper. Rows are kept until the watermark says that nothing can meet them any more. Behind it,
// event time is later by the wider of both bounds, for pairs come behind the time of their earlier row.
type IntervalJoinSpec struct {
	Type JoinType // inner, left, right or full
	Keys JoinKeys
	// LeftTime and RightTime are the event-time columns, TIMESTAMP or TIMESTAMP_LTZ of precision 0 to 3.
	LeftTime, RightTime int
	Lower, Upper        time.Duration // whole milliseconds; may be negative
	Condition           expr.Expr     // over the columns of left and right; nil is none
}

// Delay returns by how much event time is later behind the join.
func (s *IntervalJoinSpec) Delay() time.Duration { return max(s.Upper, -s.Lower, 0) }

func (*IntervalJoinSpec) kind() OperatorKind { return KindIntervalJoin }

func (*IntervalJoinSpec) inputs() (least, most int) { return 2, 2 }

func (s *IntervalJoinSpec) output(in []*types.Schema) (*types.Schema, error) {
	return JoinedSchema(s.Type, in[0], in[1]), nil
}

func (s *IntervalJoinSpec) passes(column int) (input, from int, ok bool) {
	return 0, column, s.Type.passesLeft(&s.Keys, column)
}

func (s *IntervalJoinSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if s.Type > FullJoin {
		c.addf("type", "an interval join is inner, left, right or full, not %s", s.Type)
	}
	c.joinKeys("keys", &s.Keys, in)
	c.eventTime("left_time", s.LeftTime, in[0])
	c.eventTime("right_time", s.RightTime, in[1])
	for i, d := range []time.Duration{s.Lower, s.Upper} {
		if field := []string{"lower", "upper"}[i]; d%time.Millisecond != 0 || d > IntervalMax || d < -IntervalMax {
			c.addf(field, "%s is not a whole number of milliseconds up to %s either way", d, IntervalMax)
		}
	}
	if s.Lower > s.Upper {
		c.addf("lower", "%s is above the upper bound, %s: no rows would meet", s.Lower, s.Upper)
	}
	c.meetBoth(&s.Keys)
	return c.joined(s.Type, s.Condition, in)
}

// eventTime checks a column of event time in milliseconds.
func (c *operatorCheck) eventTime(field string, column int, in *types.Schema) {
	if in == nil || !c.column(c.id, c.at(field), column, in) {
		return
	}
	f := in.Fields[column]
	if k := f.Type.Kind; k != types.Timestamp && k != types.TimestampLTZ || f.Type.Unit() != types.Millis {
		c.addf(field, "column %s must be a TIMESTAMP or TIMESTAMP_LTZ of precision 0 to 3, not %s", f.Name, f.Type)
	}
}

func (s *IntervalJoinSpec) explain(e *explainer, in []*types.Schema) {
	left, right := in[0].Fields[s.LeftTime].Name, in[1].Fields[s.RightTime].Name
	e.line(2, "%s join on %s, %s of the right input from %s to %s behind %s of the left", s.Type, joinKeysText(&s.Keys, in), right, s.Lower, s.Upper, left)
	if s.Condition != nil {
		e.line(2, "where %s", s.Condition)
	}
}
