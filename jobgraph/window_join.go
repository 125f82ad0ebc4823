package jobgraph

import (
	"millrace/expr"
	"millrace/types"
)

// WindowJoinSpec joins rows that only come and are of one window: both inputs have its end in a column, as window table
// functions and window aggregates give it. A window's rows leave when the watermark closes it, and are kept no longer.
type WindowJoinSpec struct {
	Type JoinType
	Keys JoinKeys
	// LeftEnd and RightEnd are the columns with the windows' ends, TIMESTAMP or TIMESTAMP_LTZ of precision 0 to 3.
	LeftEnd, RightEnd int
	Condition         expr.Expr // over the columns of left and right; nil is none
}

func (*WindowJoinSpec) kind() OperatorKind { return KindWindowJoin }

func (*WindowJoinSpec) inputs() (least, most int) { return 2, 2 }

func (s *WindowJoinSpec) output(in []*types.Schema) (*types.Schema, error) {
	return JoinedSchema(s.Type, in[0], in[1]), nil
}

func (s *WindowJoinSpec) passes(column int) (input, from int, ok bool) {
	return 0, column, s.Type.passesLeft(&s.Keys, column)
}

func (s *WindowJoinSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if int(s.Type) >= len(joinTypeNames) {
		c.addf("type", "there is no join type %d", s.Type)
	}
	c.joinKeys("keys", &s.Keys, in)
	c.eventTime("left_end", s.LeftEnd, in[0])
	c.eventTime("right_end", s.RightEnd, in[1])
	c.meetBoth(&s.Keys)
	return c.joined(s.Type, s.Condition, in)
}

func (s *WindowJoinSpec) explain(e *explainer, in []*types.Schema) {
	left, right := in[0].Fields[s.LeftEnd].Name, in[1].Fields[s.RightEnd].Name
	e.line(2, "%s join on %s, of the windows that end at %s and %s", s.Type, joinKeysText(&s.Keys, in), left, right)
	if s.Condition != nil {
		e.line(2, "where %s", s.Condition)
	}
}
