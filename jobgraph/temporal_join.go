package jobgraph

import (
	"millrace/expr"
	"millrace/types"
)

// TemporalJoinSpec joins each left row with the version of the right rows of its key that was valid at the left row's time: the
// last one whose time is not later (FOR SYSTEM_TIME AS OF). The join's keys are the right input's primary key.
type TemporalJoinSpec struct {
	Type JoinType // inner or left
	Keys JoinKeys
	// ProcessingTime joins with the version that is the last one when the left row comes; the time columns count for nothing then. Otherwise
	// LeftTime and RightTime are those of event time, TIMESTAMP or TIMESTAMP_LTZ of precision 0 to 3, and a left row leaves when
	// the watermark says that its version has come.
	ProcessingTime      bool
	LeftTime, RightTime int
	// Left is the changelog of the left input, append or retract, which is that of the output. The right input may
	// bring any kinds: -U counts for nothing, -D ends the versions.
	Left      Changelog
	Condition expr.Expr // over the columns of left and right; nil is none
}

func (*TemporalJoinSpec) kind() OperatorKind { return KindTemporalJoin }

func (*TemporalJoinSpec) inputs() (least, most int) { return 2, 2 }

func (s *TemporalJoinSpec) output(in []*types.Schema) (*types.Schema, error) {
	return JoinedSchema(s.Type, in[0], in[1]), nil
}

func (s *TemporalJoinSpec) passes(column int) (input, from int, ok bool) {
	return 0, column, s.Type.passesLeft(&s.Keys, column)
}

func (s *TemporalJoinSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if s.Type > LeftJoin {
		c.addf("type", "a temporal join is inner or left, not %s", s.Type)
	}
	c.joinKeys("keys", &s.Keys, in)
	if len(s.Keys.Left) == 0 {
		c.addf("keys", "there are none: a temporal join needs the primary key of the right input")
	}
	if !s.ProcessingTime {
		c.eventTime("left_time", s.LeftTime, in[0])
		c.eventTime("right_time", s.RightTime, in[1])
	}
	if s.Left > RetractChangelog {
		c.addf("left", "the left input must be append or retract, not %s", s.Left)
	}
	c.meetBoth(&s.Keys)
	return c.joined(s.Type, s.Condition, in)
}

func (s *TemporalJoinSpec) explain(e *explainer, in []*types.Schema) {
	when := "processing time"
	if !s.ProcessingTime {
		when = in[0].Fields[s.LeftTime].Name + ", versions by " + in[1].Fields[s.RightTime].Name
	}
	e.line(2, "%s join on %s, as of %s", s.Type, joinKeysText(&s.Keys, in), when)
	if s.Condition != nil {
		e.line(2, "where %s", s.Condition)
	}
}
