package physical

import (
	"slices"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sql/plan"
)

// over adds to each row what is aggregated over the rows of its partition up to it.
type over struct {
	spec jobgraph.OverAggregateSpec
}

func (*over) title() string { return "OverAggregate" }

func (o *over) spread(*step, int) spread { return by(o.spec.Keys) }

func (o *over) passes(s *step, column int) (int, bool) {
	return column, column < s.inputs[0].out.Len()
}

// sorted tells whether rows are in an order that is no time, or may change: then they are kept, and what is told of them changes.
func (o *over) sorted() bool { return len(o.spec.Order) > 0 }

func (o *over) asks(s *step, _ int) bool { return s.before || o.sorted() }

func (o *over) keeps(s *step) bool {
	if o.sorted() {
		return s.before && s.changes&updates != 0
	}
	return s.inputs[0].gives
}

func (o *over) body(s *step) jobgraph.OperatorBody {
	spec := o.spec
	spec.UpdateBefore = o.sorted() && s.before && !spec.FinalOnly
	return &spec
}

// overSpec says how rows are in order: by time where they only come, by any order otherwise, and where calls need the rows behind a row.
func (p *planner) overSpec(n *plan.Over, in *step) (spec jobgraph.OverAggregateSpec, ok bool) {
	spec = jobgraph.OverAggregateSpec{
		Keys: n.Partition, Frame: jobgraph.FrameSpec{Range: n.Frame.Range, Bounded: !n.Frame.Unbounded, Preceding: n.Frame.Preceding},
	}
	schema := n.Input.Schema()
	time := plan.NoTime
	if len(n.Order) == 1 && !n.Order[0].Descending {
		time = schema[n.Order[0].Column].Time
	}
	whole := slices.ContainsFunc(n.Calls, func(c plan.Call) bool { return jobgraph.GoesByWhole(c.Func) })
	switch {
	case whole && time == plan.ProcessingTime:
		p.refuse("order by a column of the rows", "rows that come later are not there in the order of processing time: %s", plan.Line(n))
		return spec, false
	case whole:
	case time != plan.NoTime && in.appends() && (time != plan.EventTime || closing(in) == nil):
		spec.Time, spec.Arrival = n.Order[0].Column, time == plan.ProcessingTime
		return spec, true
	case time == plan.ProcessingTime:
		p.refuse("order by a column of the rows", "rows that are updated are not in the order of processing time, and %s gives them", p.blame(in))
		return spec, false
	}
	spec.Order, spec.Retract, spec.FinalOnly = sortColumns(n.Order), !in.appends(), p.settings.batch
	return spec, true
}

func (p *planner) over(n *plan.Over) *step {
	in := p.step(n.Input)
	spec, ok := p.overSpec(n, in)
	if !ok {
		return nil
	}
	o := &over{spec: spec}
	calls, ok := p.overCalls(n, o)
	if !ok {
		return nil
	}
	if o.spec.Aggregates, ok = p.calls(n, calls, plan.Counted(len(n.Input.Schema())), in); !ok {
		return nil
	}
	if !p.ownOver(n, o) || !p.ownTakes(n, o.spec.Aggregates, in) {
		return nil
	}
	s := &step{operator: o, of: n, inputs: []*step{in}, paired: true}
	if o.sorted() && !o.spec.FinalOnly {
		s.changes, s.upsert = updates, in.told(o.spec.Keys)
		if o.spec.Retract {
			s.changes |= deletes
		}
	}
	return p.add(s)
}

// overCalls returns the calls as aggregates: a row's number is how many rows there are up to it.
func (p *planner) overCalls(n *plan.Over, o *over) ([]plan.Call, bool) {
	calls := slices.Clone(n.Calls)
	for i, c := range calls {
		switch {
		case c.Func == "ROW_NUMBER":
			calls[i].Func = "COUNT"
		case c.Func == "LAG" && c.Offset > jobgraph.LagRowsMax:
			p.refuse("", "LAG looks %d rows back at most, not %d: %s", jobgraph.LagRowsMax, c.Offset, plan.Line(n))
			return nil, false
		case jobgraph.GoesByWhole(c.Func) && !p.settings.batch:
			p.refuseWhole(n, c.Func)
			return nil, false
		}
	}
	f := &o.spec.Frame
	switch {
	case o.sorted() && f.Range && f.Bounded:
		p.refuse("write ROWS BETWEEN ... AND CURRENT ROW, or order rows that are not updated by a time attribute",
			"a range of time needs rows in the order of their time: %s", plan.Line(n))
		return nil, false
	case f.Range && f.Bounded && o.spec.Arrival:
		p.refuse("write ROWS BETWEEN ... AND CURRENT ROW", "there is no operator for this frame: %s", plan.Line(n))
		return nil, false
	case o.spec.Arrival: // rows that come at once are still one behind the other
		f.Range = false
	}
	if !f.Bounded {
		f.Preceding = 0
	}
	return calls, true
}

// ownOver refuses functions of the program where rows leave their frames and they can't take values back, and where what they gave has to be worked out again and
// may be another.
func (p *planner) ownOver(n *plan.Over, o *over) bool {
	for i := range o.spec.Aggregates {
		switch d := o.spec.Aggregates[i].Own; {
		case d == nil:
		case o.spec.Frame.Bounded && !d.Retracts:
			p.refuse("give the function Retract, or have the frame begin with UNBOUNDED PRECEDING",
				"%s can't take values back, and rows leave its frame: %s", d.Name, plan.Line(n))
			return false
		case o.sorted() && !o.spec.FinalOnly && d.Varies:
			p.refuse("order rows that are not updated by a time attribute, or give the function what does not vary",
				"%s may give something else for the same rows, and what was told of a row is worked out again where rows come and go before it: %s", d.Name, plan.Line(n))
			return false
		}
	}
	return true
}

// refuseWhole refuses a function that needs the rows behind a row in streaming mode, where Flink has none either.
func (p *planner) refuseWhole(n *plan.Over, function string) {
	remedy := "SET 'execution.runtime-mode' = 'batch', or rank rows with ROW_NUMBER, RANK or DENSE_RANK"
	if function == "LEAD" {
		remedy = "SET 'execution.runtime-mode' = 'batch', or look back with LAG"
	}
	p.refuse(remedy, "%s goes by rows that come later: it is for batch mode only: %s", function, plan.Line(n))
}

// expand gives each row once for each grouping set.
type expand struct {
	plain
	spec jobgraph.ExpandSpec
}

func (*expand) title() string { return "Expand" }

func (e *expand) passes(s *step, column int) (int, bool) {
	nulled := slices.ContainsFunc(e.spec.Sets, func(g jobgraph.GroupingSet) bool { return slices.Contains(g.Nulls, column) })
	return column, !nulled && column < s.inputs[0].out.Len()
}

func (e *expand) body(*step) jobgraph.OperatorBody {
	spec := e.spec
	return &spec
}

// setID is the column that tells grouping sets apart.
const setID = "$set"

// groupingSets aggregates by each of the sets, and by which it is.
func (p *planner) groupingSets(n *plan.Aggregate) *step {
	if n.Window != nil {
		p.refuse("write a query for each of them, and UNION ALL between", "there is no operator for grouping sets in windows: %s", plan.Line(n))
		return nil
	}
	in, calls := p.copies(n)
	e := &expand{spec: jobgraph.ExpandSpec{ID: setID}}
	for i, set := range n.Sets {
		g := jobgraph.GroupingSet{ID: int64(i)}
		for k, column := range n.Keys {
			if !slices.Contains(set, k) && !slices.Contains(g.Nulls, column) {
				g.Nulls = append(g.Nulls, column)
			}
		}
		e.spec.Sets = append(e.spec.Sets, g)
	}
	in = p.add(&step{operator: e, of: n, inputs: []*step{in}, changes: in.changes, paired: in.paired})
	set := in.out.Len() - 1
	in, calls = p.ofTheirSets(n, in, calls)
	var counts []plan.Call
	for _, c := range calls {
		if c.Func != "GROUPING" {
			counts = append(counts, c)
		}
	}
	s := p.grouped(n, in, append(slices.Clone(n.Keys), set), counts)
	if s == nil {
		return nil
	}
	return p.withoutSet(n, s)
}

// copies gives calls columns of their own where they read a key, which is NULL in rows of some sets.
func (p *planner) copies(n *plan.Aggregate) (*step, []plan.Call) {
	in := p.step(n.Input)
	columns := passing(in.out)
	width := len(columns)
	own := func(column int) int {
		if column == plan.NoColumn || !slices.Contains(n.Keys, column) {
			return column
		}
		c := columns[column]
		c.Name = "$of$" + c.Name
		if at := slices.IndexFunc(columns, func(o jobgraph.Projection) bool { return o.Name == c.Name }); at >= 0 {
			return at
		}
		columns = append(columns, c)
		return len(columns) - 1
	}
	calls := slices.Clone(n.Calls)
	for i := range calls {
		if calls[i].Func == "GROUPING" {
			continue
		}
		calls[i].Args = slices.Clone(calls[i].Args)
		for k, arg := range calls[i].Args {
			calls[i].Args[k] = own(arg)
		}
		calls[i].Filter = own(calls[i].Filter)
	}
	if len(columns) == width {
		return in, calls
	}
	return p.calc(n, in, nil, columns), calls
}

// withoutSet gives the columns of a plan's aggregate: keys, then calls, of which GROUPING follows from the set.
func (p *planner) withoutSet(n *plan.Aggregate, s *step) *step {
	all, names := passing(s.out), n.Result.Types()
	set, counted := all[len(n.Keys)].Expr, all[len(n.Keys)+1:]
	columns := slices.Clone(all[:len(n.Keys)])
	for i, c := range n.Calls {
		var next jobgraph.Projection
		if c.Func == "GROUPING" {
			next.Expr = p.grouping(n, &n.Calls[i], set)
		} else {
			next, counted = counted[0], counted[1:]
		}
		columns = append(columns, next)
	}
	for i := range columns {
		columns[i].Name = names.Fields[i].Name
	}
	if len(columns) == 0 {
		p.fail(failure.Internalf("%s gives no columns", plan.Line(n)))
		return nil
	}
	return p.calc(n, s, nil, columns)
}
