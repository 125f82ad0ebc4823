package physical

import (
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sql/plan"
	"millrace/types"
)

// correlate puts beside each row what a table function makes of it.
type correlate struct {
	plain
	spec jobgraph.CorrelateSpec
}

func (*correlate) title() string { return "Correlate" }

func (c *correlate) passes(s *step, column int) (int, bool) {
	return column, column < s.inputs[0].out.Len()
}

func (c *correlate) body(*step) jobgraph.OperatorBody {
	spec := c.spec
	return &spec
}

func (p *planner) correlate(n *plan.Correlate) *step {
	in := p.step(n.Input)
	c := &correlate{spec: jobgraph.CorrelateSpec{Type: joinTypes[n.Kind], Func: n.Func, Ordinality: n.Ordinality}}
	for _, a := range n.Args {
		c.spec.Args = append(c.spec.Args, p.retyped(a, in.out))
	}
	var err error
	if c.spec.Columns, err = p.correlated(n, c); err != nil {
		p.fail(failure.Internalf("%s: %w", plan.Line(n), err))
		return nil
	}
	return p.add(&step{operator: c, of: n, inputs: []*step{in}, changes: in.changes, paired: in.paired})
}

// correlated returns the columns that a function gives: those of UNNEST follow from what it is given, as an outer join has not
// made them yet.
func (p *planner) correlated(n *plan.Correlate, c *correlate) ([]types.Field, error) {
	out := n.Result.Types().Fields[len(n.Input.Schema()):]
	if n.Func != jobgraph.Unnest || len(c.spec.Args) != 1 {
		return out, nil
	}
	made, err := jobgraph.UnnestTypes(c.spec.Args[0].Type())
	if n.Ordinality {
		made = append(made, jobgraph.Ordinal)
	}
	for i := range min(len(out), len(made)) {
		out[i].Type = made[i]
	}
	return out, err
}
