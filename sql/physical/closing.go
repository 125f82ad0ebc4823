package physical

import "millrace/sql/plan"

// Operators of a batch job that give their result once do so when all that they read has come to its end. Event time has passed by then, so
// that operators that go by it must not stand behind them: they would take the rows for late ones.

// closes tells whether an operator gives its rows at the end.
func closes(o operator) bool {
	switch o := o.(type) {
	case *groupAggregate:
		return o.final
	case *rank:
		return o.spec.FinalOnly
	case *deduplicate:
		return o.spec.FinalOnly
	case *normalize:
		return o.final
	case *over:
		return o.spec.FinalOnly
	default:
		return false
	}
}

// closing returns the step because of which rows of one come at the end only, nil where there is none.
func closing(s *step) *step {
	if closes(s.operator) {
		return s
	}
	for _, in := range s.inputs {
		if c := closing(in); c != nil {
			return c
		}
	}
	return nil
}

// inTime refuses an operator that goes by event time behind one whose rows come at the end.
func (p *planner) inTime(n plan.Node, in *step) bool {
	c := closing(in)
	if c != nil {
		p.refuse("write what comes first to a table, and read that; or set execution.runtime-mode to streaming",
			"in batch mode %s gives its rows when event time has ended, and this goes by it: %s", describe(c), plan.Line(n))
	}
	return c == nil
}
