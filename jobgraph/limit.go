package jobgraph

import "millrace/types"

// LimitSpec passes rows on by their number: those behind the first Offset, and Count of them. Its input is +I only; over an
// input that takes rows back, a limit is a RankSpec without keys. It needs one task.
type LimitSpec struct {
	Offset int64
	Count  int64 // 0: all
}

func (*LimitSpec) kind() OperatorKind { return KindLimit }

func (*LimitSpec) inputs() (least, most int) { return 1, 1 }

func (*LimitSpec) output(in []*types.Schema) (*types.Schema, error) { return in[0], nil }

func (*LimitSpec) passes(column int) (input, from int, ok bool) { return 0, column, true }

func (s *LimitSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if s.Offset < 0 || s.Count < 0 {
		c.addf("", "offset %d and count %d must not be negative", s.Offset, s.Count)
	}
	c.single()
	return in[0]
}

func (s *LimitSpec) explain(e *explainer, _ []*types.Schema) {
	if s.Count == 0 {
		e.line(2, "offset %d", s.Offset)
		return
	}
	e.line(2, "%d rows, offset %d", s.Count, s.Offset)
}

// single checks that the operator has one task, which all rows reach.
func (c *operatorCheck) single() {
	if c.effective(&c.g.Vertices[c.vertex]) != 1 {
		c.addf("", "all rows must meet: it needs parallelism 1 of its vertex")
	}
}
