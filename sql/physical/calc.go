package physical

import (
	"millrace/expr"
	"millrace/jobgraph"
	"millrace/sql/plan"
	"millrace/types"
)

// calc keeps rows by a condition and computes columns.
type calc struct {
	plain
	filter  expr.Expr
	columns []jobgraph.Projection
}

func (*calc) title() string { return "Calc" }

// asks for -U where one half of an update may be kept: then the other is the news that the row is gone.
func (c *calc) asks(s *step, _ int) bool { return s.before || c.filter != nil }

func (c *calc) passes(_ *step, column int) (from int, ok bool) {
	if ref, is := c.columns[column].Expr.(*expr.Column); is {
		return ref.Index, true
	}
	return 0, false
}

func (c *calc) body(*step) jobgraph.OperatorBody {
	return &jobgraph.CalcSpec{Filter: c.filter, Columns: c.columns}
}

// to returns where a column of the input comes out first, -1 where it does not.
func (c *calc) to(column int) int {
	for i, p := range c.columns {
		if ref, is := p.Expr.(*expr.Column); is && ref.Index == column {
			return i
		}
	}
	return -1
}

// project makes a calc of a projection, with the condition below it if nobody else reads what that keeps.
func (p *planner) project(n *plan.Project) *step {
	input, filter := n.Input, expr.Expr(nil)
	if f, ok := input.(*plan.Filter); ok && p.readers[f] == 1 {
		input, filter = f.Input, f.Condition
	}
	in := p.step(input)
	names := n.Result.Types()
	columns := make([]jobgraph.Projection, len(n.Columns))
	for i, e := range n.Columns {
		columns[i] = jobgraph.Projection{Name: names.Fields[i].Name, Expr: p.retyped(e, in.out)}
	}
	return p.calc(n, in, filter, columns)
}

func (p *planner) filter(n *plan.Filter) *step {
	in := p.step(n.Input)
	return p.calc(n, in, n.Condition, passing(in.out))
}

// passing are all columns as they are.
func passing(in *types.Schema) []jobgraph.Projection {
	out := make([]jobgraph.Projection, in.Len())
	for i, f := range in.Fields {
		out[i] = jobgraph.Projection{Name: f.Name, Expr: &expr.Column{Index: i, Name: f.Name, T: f.Type}}
	}
	return out
}

func (p *planner) calc(n plan.Node, in *step, filter expr.Expr, columns []jobgraph.Projection) *step {
	c := &calc{columns: columns}
	if filter != nil {
		c.filter = p.retyped(filter, in.out)
	}
	s := p.add(&step{operator: c, of: n, inputs: []*step{in}, changes: in.changes, paired: in.paired})
	if filter != nil && in.changes&updates != 0 {
		s.changes, s.paired = in.changes|deletes, false
	}
	s.upsert = passed(in.upsert, c.to)
	return s
}
