package physical

import (
	"slices"

	"millrace/catalog"
	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sql/plan"
)

// lookupJoin puts beside each row those of a table outside the job that have its key when it comes.
type lookupJoin struct {
	plain
	spec jobgraph.LookupJoinSpec
	name string // of the table
}

func (*lookupJoin) title() string { return "LookupJoin" }

func (j *lookupJoin) passes(s *step, column int) (int, bool) {
	return column, column < s.inputs[0].out.Len()
}

func (j *lookupJoin) body(*step) jobgraph.OperatorBody {
	spec := j.spec
	return &spec
}

// lookedUp is the right side of a join as of processing time: a table in which rows are looked up, with the conditions that its rows meet, and the
// columns that are made of them, both over what is read of the table.
type lookedUp struct {
	scan    *plan.Scan
	traits  catalog.SourceTraits
	columns []expr.Expr
	filters []expr.Expr
}

// looked returns the right side of a join if rows can be looked up in it, nil where it is read as a stream.
func (p *planner) looked(n *plan.TemporalJoin) *lookedUp {
	if n.Left.Schema()[n.Time].Time != plan.ProcessingTime {
		return nil
	}
	l := &lookedUp{}
	if !l.follow(n.Right) {
		return nil
	}
	table, _ := connectorTable(l.scan.Table, l.scan.Hints)
	traits, err := p.Connectors.Source(table)
	if err != nil || !traits.Lookup {
		return nil
	}
	l.traits = traits
	return l
}

// follow goes down to the table, and back up through what is made of it.
func (l *lookedUp) follow(n plan.Node) bool {
	over := func(e expr.Expr) expr.Expr {
		return plan.Substitute(e, func(c *expr.Column) expr.Expr { return l.columns[c.Index] })
	}
	switch n := n.(type) {
	case *plan.Scan:
		l.scan = n
		for i := range n.Result {
			l.columns = append(l.columns, n.Result.Ref(i))
		}
		return true
	case *plan.Watermark:
		return l.follow(n.Input)
	case *plan.Filter:
		if !l.follow(n.Input) {
			return false
		}
		l.filters = append(l.filters, over(n.Condition))
		return true
	case *plan.Project:
		if !l.follow(n.Input) {
			return false
		}
		columns := make([]expr.Expr, len(n.Columns))
		for i, e := range n.Columns {
			columns[i] = over(e)
		}
		l.columns = columns
		return true
	default:
		return false
	}
}

// lookupJoin joins rows with those that are looked up, and computes behind it what is made of these.
func (p *planner) lookupJoin(n *plan.TemporalJoin, l *lookedUp) *step {
	left := p.step(n.Left)
	table, own := p.tableOptions(l.scan.Path, l.scan.Table, l.scan.Hints)
	p.heed(n.Hints, stateTTLHint)
	if len(metadataOf(l.scan.Table, l.scan.Columns)) > 0 {
		p.refuse("leave them out", "the metadata of table %s can't be looked up", l.scan.Path)
		return nil
	}
	j := &lookupJoin{name: l.scan.Path.String(), spec: jobgraph.LookupJoinSpec{Type: joinTypes[n.Kind], Table: jobgraph.LookupTable{
		Connector: table.Options[connectorOption], Options: ofConnector(table, l.traits.Partitions), Schema: l.scan.Result.Types(),
	}}}
	if own.IsGiven(lookupCache) {
		j.spec.Table.Options[lookupCache] = own.Text(lookupCache)
	}
	if l.traits.Columns != "" {
		p.positions(j.spec.Table.Options, l.scan, l.traits)
	}
	if n.Kind == plan.Left && slices.ContainsFunc(l.columns, func(e expr.Expr) bool { _, is := e.(*expr.Column); return !is }) {
		p.refuse("compute it behind the join", "a column of table %s that is computed is NULL or not where nothing was found: LEFT JOIN with it is not supported", l.scan.Path)
		return nil
	}
	p.lookupKeys(n, l, j, left)
	if len(j.spec.Keys.Left) == 0 {
		p.refuse("ON a = b, with a column of the table", "rows of table %s are looked up without a key of it: %s", l.scan.Path, plan.Line(n))
		return nil
	}
	s := p.add(&step{operator: j, of: n, inputs: []*step{left}, paired: left.paired, changes: left.changes})
	names := n.Result.Types()
	columns := passing(left.out)
	for i, e := range l.columns {
		f := names.Fields[left.out.Len()+i]
		columns = append(columns, jobgraph.Projection{Name: f.Name, Expr: p.retyped(shifted(e, left.out.Len()), s.out)})
	}
	same := len(columns) == s.out.Len()
	for i := range columns {
		columns[i].Name = names.Fields[i].Name
		c, is := columns[i].Expr.(*expr.Column)
		same = same && is && c.Index == i && s.out.Fields[i].Name == columns[i].Name
	}
	if same {
		return s
	}
	return p.calc(n, s, nil, columns)
}

// lookupKeys deals what a join asks for out to keys, which are columns of the table as it is, and a condition.
func (p *planner) lookupKeys(n *plan.TemporalJoin, l *lookedUp, j *lookupJoin, left *step) {
	width := left.out.Len()
	var rest []expr.Expr
	for _, e := range plan.Conjuncts(n.Condition) {
		rest = append(rest, plan.Substitute(e, func(c *expr.Column) expr.Expr {
			if c.Index < width {
				return c
			}
			return shifted(l.columns[c.Index-width], width)
		}))
	}
	for _, f := range l.filters {
		rest = append(rest, shifted(f, width))
	}
	for _, k := range n.Keys {
		if c, ok := l.columns[k.Right].(*expr.Column); ok && !k.NullEquals {
			j.spec.Keys.Left, j.spec.Keys.Right = append(j.spec.Keys.Left, k.Left), append(j.spec.Keys.Right, c.Index)
			continue
		}
		f := left.out.Fields[k.Left]
		rest = append(rest, p.called("=", &expr.Column{Index: k.Left, Name: f.Name, T: f.Type}, shifted(l.columns[k.Right], width)))
	}
	if len(rest) == 1 {
		j.spec.Condition = p.joined(rest[0], left, j)
	} else if len(rest) > 1 {
		j.spec.Condition = p.joined(p.called("AND", rest...), left, j)
	}
}

// joined types a condition by the rows that it is asked of.
func (p *planner) joined(e expr.Expr, left *step, j *lookupJoin) expr.Expr {
	return p.retyped(e, jobgraph.CandidateSchema(left.out, j.spec.Table.Schema))
}

func (p *planner) called(name string, args ...expr.Expr) expr.Expr {
	out, err := expr.NewCall(p.Functions, name, args...)
	if err != nil {
		p.fail(failure.Internalf("%s of a lookup: %w", name, err))
		return expr.Bool(true)
	}
	return out
}

// shifted moves the columns of an expression behind others.
func shifted(e expr.Expr, by int) expr.Expr {
	return plan.Substitute(e, func(c *expr.Column) expr.Expr {
		return &expr.Column{Index: c.Index + by, Name: c.Name, T: c.T}
	})
}
