package physical

import (
	"math"
	"slices"

	"millrace/jobgraph"
	"millrace/sql/plan"
)

// rank keeps the first rows of each partition.
type rank struct {
	stateful
	spec jobgraph.RankSpec
}

func (*rank) title() string { return "Rank" }

// asks for -U where whole rows are taken back. Where a row's place in the order only gets better, its key says what it replaces.
func (r *rank) asks(*step, int) bool { return r.spec.Strategy == jobgraph.Retract }

func (r *rank) spread(*step, int) spread { return by(r.spec.Keys) }

func (r *rank) passes(s *step, column int) (int, bool) { return column, column < s.inputs[0].out.Len() }

func (r *rank) body(s *step) jobgraph.OperatorBody {
	spec := r.spec
	spec.UpdateBefore = s.before
	return &spec
}

func (p *planner) rank(n *plan.Rank) *step {
	in := p.step(n.Input)
	r := &rank{spec: jobgraph.RankSpec{
		Keys: n.Partition, Order: sortColumns(n.Order), Strategy: jobgraph.AppendFast, From: n.From, To: n.To,
		ToColumn: n.ToColumn, WindowEnd: n.WindowEnd, FinalOnly: p.settings.batch, TTL: p.settings.ttl,
	}}
	if n.ToColumn != plan.NoColumn {
		r.spec.To = 0
	}
	if n.Number {
		r.spec.RankNumber = n.Result.Types().Fields[len(n.Result)-1].Name
	}
	if !in.appends() {
		r.spec.Strategy = jobgraph.Retract
		if key := p.improves(n, in); key != nil {
			r.spec.Strategy, r.spec.UniqueKey = jobgraph.UpdateFast, key
			in = p.withoutBefore(in)
		}
	}
	s := &step{operator: r, of: n, inputs: []*step{in}, paired: true, changes: updates | deletes}
	if n.WindowEnd != plan.NoColumn {
		if !p.windowTakes(n, "WindowRank", in) {
			return nil
		}
		r.spec.FinalOnly, r.spec.TTL, s.changes = false, 0, inserts
	}
	if r.spec.FinalOnly {
		s.changes = inserts
	}
	s.upsert = r.upsert(in)
	return p.add(s)
}

// upsert are the sets of columns that tell the rows of a rank apart: the partition and the rank, and those of the input that have the partition.
func (r *rank) upsert(in *step) [][]int {
	out := in.told(r.spec.Keys)
	if r.spec.RankNumber != "" {
		number := append(slices.Clone(r.spec.Keys), in.out.Len())
		if r.spec.WindowEnd != jobgraph.NoColumn {
			number = append(number, r.spec.WindowEnd)
		}
		// What moves up a rank is told apart by its rank only: its own key gets another one.
		return [][]int{number}
	}
	if r.spec.WindowEnd == jobgraph.NoColumn && r.spec.From == 1 && r.spec.To == 1 && r.spec.ToColumn == jobgraph.NoColumn {
		out = append(out, r.spec.Keys) // one row a partition
	}
	return out
}

// improves returns the key of the rows of an input whose place in the order of a rank gets better with each update, nil where that
// is not known: counts of rows that are never taken back only grow, and so do the greatest values.
func (p *planner) improves(n *plan.Rank, in *step) []int {
	if in.changes&deletes != 0 || len(n.Order) == 0 {
		return nil
	}
	i := slices.IndexFunc(in.upsert, func(u []int) bool { return within(n.Partition, u) })
	if i < 0 {
		return nil
	}
	for _, o := range n.Order {
		if slices.Contains(in.upsert[i], o.Column) {
			continue
		}
		if way := growth(in, o.Column); way == stays || (way == grows) != o.Descending {
			return nil
		}
	}
	return in.upsert[i]
}

// monotony tells how a column changes with updates.
type monotony int

const (
	stays monotony = iota // nothing is known
	grows
	falls
)

// growth tells how the updates of a step's rows change a column.
func growth(s *step, column int) monotony {
	switch o := s.operator.(type) {
	case *calc:
		if from, ok := o.passes(s, column); ok && o.filter == nil {
			return growth(s.inputs[0], from)
		}
	case *groupAggregate:
		if o.retract || column < len(o.keys) {
			return stays
		}
		switch o.calls[column-len(o.keys)].Func {
		case "COUNT", "MAX":
			return grows
		case "MIN":
			return falls
		}
	}
	return stays
}

func sortColumns(order []plan.Order) (out []jobgraph.SortColumn) {
	for _, o := range order {
		out = append(out, jobgraph.SortColumn{Column: o.Column, Descending: o.Descending, NullsLast: !o.NullsFirst})
	}
	return out
}

// deduplicate keeps one row a key, the first or the last by time.
type deduplicate struct {
	stateful
	spec jobgraph.DeduplicateSpec
}

func (*deduplicate) title() string { return "Deduplicate" }

func (d *deduplicate) spread(*step, int) spread { return by(d.spec.Keys) }

func (d *deduplicate) body(s *step) jobgraph.OperatorBody {
	spec := d.spec
	spec.UpdateBefore = s.before
	spec.EachChange = s.versions && spec.KeepLast && spec.WindowEnd == jobgraph.NoColumn
	return &spec
}

func (p *planner) deduplicate(n *plan.Deduplicate) *step {
	in := p.step(n.Input)
	if !in.appends() { // then it is a rank like any other
		r := &plan.Rank{
			Input: n.Input, Partition: n.Keys, From: 1, To: 1, ToColumn: plan.NoColumn, WindowEnd: n.WindowEnd, Result: n.Schema(),
			Order: []plan.Order{{Column: n.Time, Descending: n.KeepLast, NullsFirst: !n.KeepLast}},
		}
		return p.rank(r)
	}
	d := &deduplicate{spec: jobgraph.DeduplicateSpec{
		Keys: n.Keys, Time: n.Time, KeepLast: n.KeepLast, WindowEnd: n.WindowEnd, FinalOnly: p.settings.batch, TTL: p.settings.ttl,
	}}
	event := n.Schema()[n.Time].Time == plan.EventTime
	if !event {
		d.spec.Time = jobgraph.NoColumn
	}
	s := &step{operator: d, of: n, inputs: []*step{in}, paired: true, changes: updates, upsert: [][]int{n.Keys}}
	switch {
	case n.WindowEnd != plan.NoColumn:
		if !p.inTime(n, in) {
			return nil
		}
		d.spec.FinalOnly, d.spec.TTL, s.changes = false, 0, inserts
		s.upsert = [][]int{append(slices.Clone(n.Keys), n.WindowEnd)}
	case d.spec.FinalOnly, !event && !n.KeepLast:
		s.changes = inserts
	case event && !n.KeepLast:
		d.spec.AppendOnly, s.changes = true, inserts
	}
	return p.add(s)
}

// sorter puts rows in order: of bounded input at its end, or by event time.
type sorter struct {
	plain
	spec jobgraph.SortSpec
}

func (*sorter) title() string                      { return "Sort" }
func (*sorter) spread(*step, int) spread           { return spread{single: true} }
func (o *sorter) body(*step) jobgraph.OperatorBody { spec := o.spec; return &spec }

// limit passes a number of rows on.
type limit struct {
	plain
	spec jobgraph.LimitSpec
}

func (*limit) title() string                      { return "Limit" }
func (*limit) spread(*step, int) spread           { return spread{single: true} }
func (l *limit) body(*step) jobgraph.OperatorBody { spec := l.spec; return &spec }

// sort orders, limits or does both. With both, and where rows are taken back, it is a rank of all rows.
func (p *planner) sort(n *plan.Sort) *step {
	in := p.step(n.Input)
	switch {
	case n.Limit >= 0 && (len(n.Order) > 0 || !in.appends()):
		return p.rank(p.ranked(n))
	case len(n.Order) == 0:
		return p.limit(n, in)
	case !in.appends():
		p.refuse("add a LIMIT, or set execution.runtime-mode to batch", "rows that are updated can't be put in order without end: %s, and %s gives updates", plan.Line(n), p.blame(in))
		return nil
	}
	spec := jobgraph.SortSpec{Order: sortColumns(n.Order), Time: jobgraph.NoColumn}
	first := n.Order[0]
	if n.Schema()[first.Column].Time == plan.EventTime && !first.Descending && !p.settings.batch {
		spec.Time, spec.Order = first.Column, spec.Order[1:]
	} else if !p.settings.batch {
		p.refuse("order by an event time first, add a LIMIT, or set execution.runtime-mode to batch", "rows without end can't be put in order: %s", plan.Line(n))
		return nil
	}
	out := p.add(&step{operator: &sorter{spec: spec}, of: n, inputs: []*step{in}, paired: true, upsert: in.upsert})
	if n.Offset > 0 {
		return p.limit(n, out)
	}
	return out
}

func (p *planner) limit(n *plan.Sort, in *step) *step {
	spec := jobgraph.LimitSpec{Offset: n.Offset, Count: max(n.Limit, 0)}
	if n.Limit == 0 {
		p.refuse("leave the query out", "LIMIT 0 gives no rows: %s", plan.Line(n))
		return nil
	}
	return p.add(&step{operator: &limit{spec: spec}, of: n, inputs: []*step{in}, paired: true, upsert: in.upsert})
}

// ranked is a limit as a rank without partitions.
func (p *planner) ranked(n *plan.Sort) *plan.Rank {
	r := &plan.Rank{
		Input: n.Input, Order: n.Order, From: n.Offset + 1, To: math.MaxInt64, ToColumn: plan.NoColumn, WindowEnd: plan.NoColumn, Result: n.Schema(),
	}
	if n.Limit < math.MaxInt64-n.Offset {
		r.To = n.Offset + n.Limit
	}
	return r
}
