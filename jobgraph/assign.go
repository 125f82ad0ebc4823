package jobgraph

import "millrace/types"

// WindowAssignSpec gives rows the windows that they fall into, a row for each: the columns of the input,
// then window_start, window_end and window_time, the last millisecond of the window. A row whose time is
// NULL is in no window and left out. Session windows need the rows before: they can't be assigned.
type WindowAssignSpec struct {
	Time   int // as that of a WindowAggregateSpec
	Window WindowSpec
}

// WindowTime is the column that has the last millisecond of a window.
const WindowTime = "window_time"

func (*WindowAssignSpec) kind() OperatorKind { return KindWindowAssign }

func (*WindowAssignSpec) inputs() (least, most int) { return 1, 1 }

func (s *WindowAssignSpec) output(in []*types.Schema) (*types.Schema, error) {
	at := windowTime
	if s.Window.Processing || in[0].Fields[s.Time].Type.Kind == types.TimestampLTZ {
		at = types.Type{Kind: types.TimestampLTZ, Precision: 3}
	}
	fields := append([]types.Field{}, in[0].Fields...)
	fields = append(
		fields, types.Field{Name: WindowStart, Type: windowTime}, types.Field{Name: WindowEnd, Type: windowTime},
		types.Field{Name: WindowTime, Type: at.NotNull()},
	)
	return types.NewSchema(fields...), nil
}

func (s *WindowAssignSpec) passes(column int) (input, from int, ok bool) {
	return 0, column, column >= 0
}

func (s *WindowAssignSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	found := c.problems.Len()
	c.windowSpec("window", &s.Window)
	if k := s.Window.Kind; k == Session || k == Attached {
		c.addf("window.kind", "%s windows can't be assigned", k)
	}
	c.timeColumn("time", s.Time, &s.Window, in[0])
	if in[0] == nil || c.problems.Len() > found {
		return nil
	}
	return c.schemaOf(s.output(in))
}

func (s *WindowAssignSpec) explain(e *explainer, in []*types.Schema) {
	e.line(2, "%s", s.Window.text(in[0], s.Time))
}
