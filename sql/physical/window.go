package physical

import (
	"slices"

	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sql/plan"
	"millrace/types"
)

// windowAggregate aggregates by key and window; what closes a window, the watermark or the clock, clears its state.
type windowAggregate struct {
	plain
	spec jobgraph.WindowAggregateSpec
}

func (*windowAggregate) title() string { return "WindowAggregate" }

func (w *windowAggregate) at() []int {
	if w.spec.Partial {
		return plan.Counted(len(w.spec.Keys))
	}
	return w.spec.Keys
}

// spread has the start of windows that rows have already among the keys.
func (w *windowAggregate) spread(*step, int) spread {
	if w.spec.Window.Kind == jobgraph.Attached {
		return by(append(slices.Clone(w.spec.Keys), w.spec.Start))
	}
	return by(w.at())
}

func (w *windowAggregate) passes(_ *step, column int) (int, bool) {
	if column >= len(w.spec.Keys) {
		return 0, false
	}
	return w.at()[column], true
}

func (w *windowAggregate) body(*step) jobgraph.OperatorBody {
	spec := w.spec
	return &spec
}

// localWindow is the first phase of a windowAggregate.
type localWindow struct {
	plain
	spec jobgraph.WindowAggregateSpec
}

func (*localWindow) title() string { return "LocalWindowAggregate" }

func (w *localWindow) passes(_ *step, column int) (int, bool) {
	if column >= len(w.spec.Keys) {
		return 0, false
	}
	return w.spec.Keys[column], true
}

func (w *localWindow) body(*step) jobgraph.OperatorBody {
	spec := jobgraph.LocalAggregateSpec(w.spec)
	return &spec
}

// windowAssign gives rows the windows that they fall into.
type windowAssign struct {
	plain
	spec jobgraph.WindowAssignSpec
}

func (*windowAssign) title() string { return "WindowTableFunction" }

func (w *windowAssign) passes(s *step, column int) (int, bool) {
	return column, column < s.inputs[0].out.Len()
}

func (w *windowAssign) body(*step) jobgraph.OperatorBody {
	spec := w.spec
	return &spec
}

var windowKinds = map[plan.WindowKind]jobgraph.WindowKind{
	plan.Tumble: jobgraph.Tumbling, plan.Hop: jobgraph.Hopping, plan.Cumulate: jobgraph.Cumulating,
	plan.Session: jobgraph.Session, plan.Attached: jobgraph.Attached,
}

// windowSpec describes a window over the columns of an input. Those of local time lie in the session's zone.
func (p *planner) windowSpec(w *plan.Window, in plan.Schema) jobgraph.WindowSpec {
	spec := jobgraph.WindowSpec{Kind: windowKinds[w.Kind], Size: w.Size, Slide: w.Step, Offset: w.Offset}
	if w.Kind == plan.Attached {
		return spec
	}
	spec.Processing = in[w.Time].Time == plan.ProcessingTime
	if spec.Processing || in[w.Time].Type.Kind == types.TimestampLTZ {
		spec.Zone = p.settings.zone
	}
	return spec
}

func (p *planner) windowAggregate(n *plan.Aggregate) *step {
	in := p.step(n.Input)
	if !p.windowTakes(n, "WindowAggregate", in) {
		return nil
	}
	calls, ok := p.calls(n, n.Calls, n.Keys, in)
	if !ok {
		return nil
	}
	if !p.ownInSession(n, calls) {
		return nil
	}
	spec := jobgraph.WindowAggregateSpec{Keys: n.Keys, Time: n.Window.Time, Aggregates: calls, Window: p.windowSpec(n.Window, n.Input.Schema())}
	if n.Window.Kind == plan.Attached {
		spec.Time, spec.Start = n.Window.End, n.Window.Start
	}
	s := &step{operator: &windowAggregate{spec: spec}, of: n, inputs: []*step{in}, paired: true}
	if p.windowPhases(&spec, in) {
		local := p.add(&step{operator: &localWindow{spec: spec}, of: n, inputs: []*step{in}, paired: true})
		spec.Partial, spec.Input = true, in.out
		s.operator, s.inputs = &windowAggregate{spec: spec}, []*step{local}
	}
	s.upsert = [][]int{plan.Counted(len(n.Keys) + 2)} // a window has one row a key
	p.add(s)
	return p.properties(n, s)
}

// ownInSession refuses functions of the program that can't merge, for sessions become one.
func (p *planner) ownInSession(n *plan.Aggregate, calls []jobgraph.AggregateCall) bool {
	for i := range calls {
		if d := calls[i].Own; n.Window.Kind == plan.Session && d != nil && !d.Merges {
			p.refuse("give the function what merges two accumulators", "%s can't merge, and two sessions become one where a row comes between: %s", d.Name, plan.Line(n))
			return false
		}
	}
	return true
}

// windowTakes refuses updates: rows of a window leave once, when it is closed.
func (p *planner) windowTakes(n plan.Node, what string, in *step) bool {
	if !in.appends() {
		p.refuse("aggregate by windows first: what comes of a window is final",
			"%s does not take updates, and %s gives them", what, p.blame(in))
		return false
	}
	return p.inTime(n, in)
}

func (p *planner) windowPhases(spec *jobgraph.WindowAggregateSpec, in *step) bool {
	w := &spec.Window
	if p.settings.phases == "ONE_PHASE" || w.Processing || w.Kind == jobgraph.Session || w.Kind == jobgraph.Attached || p.dealtBy(in, spec.Keys) {
		return false
	}
	for i := range spec.Aggregates {
		if !partial(&spec.Aggregates[i], false) {
			return false
		}
	}
	return true
}

// properties puts the window's columns where the plan has them: what the operator gives has its start and its end.
func (p *planner) properties(n *plan.Aggregate, s *step) *step {
	keys := len(n.Keys)
	if len(n.Properties) == 2 && n.Properties[0] == plan.WindowStart && n.Properties[1] == plan.WindowEnd {
		return s
	}
	columns := passing(s.out)[:keys:keys]
	names := n.Result.Types()
	for i, property := range n.Properties {
		e := expr.Expr(&expr.Column{Index: keys, Name: jobgraph.WindowStart, T: s.out.Fields[keys].Type})
		if property != plan.WindowStart {
			e = &expr.Column{Index: keys + 1, Name: jobgraph.WindowEnd, T: s.out.Fields[keys+1].Type}
		}
		if property == plan.WindowTime {
			e = p.lastMoment(e, n.Result[keys+i].Type)
		}
		columns = append(columns, jobgraph.Projection{Name: names.Fields[keys+i].Name, Expr: e})
	}
	for i, c := range passing(s.out)[keys+2:] {
		c.Name = names.Fields[keys+len(n.Properties)+i].Name
		columns = append(columns, c)
	}
	if len(columns) == 0 { // nobody reads anything but that there are rows
		columns = passing(s.out)
	}
	return p.calc(n, s, nil, columns)
}

// lastMoment is a millisecond before the end of a window, as a type.
func (p *planner) lastMoment(end expr.Expr, t types.Type) expr.Expr {
	moment := &expr.Literal{T: types.Of(types.IntervalDayTime).NotNull(), Value: int64(1)}
	c, err := expr.NewCall(p.Functions, "-", end, moment)
	if err != nil {
		p.fail(failure.Internalf("the last moment of a window: %w", err))
		return end
	}
	if c.T.EqualIgnoringNull(t) {
		return c
	}
	t.Nullable = c.T.Nullable
	return &expr.Cast{X: c, To: t}
}

// windowTable gives rows their windows, where nothing behind it does so itself.
func (p *planner) windowTable(n *plan.WindowTable) *step {
	in := p.step(n.Input)
	if n.Window.Kind == plan.Session {
		p.refuse("group by window_start and window_end", "rows can't be given their session, which the rows behind them decide: %s", plan.Line(n))
		return nil
	}
	w := &windowAssign{spec: jobgraph.WindowAssignSpec{Time: n.Window.Time, Window: p.windowSpec(&n.Window, n.Input.Schema())}}
	return p.add(&step{operator: w, of: n, inputs: []*step{in}, changes: in.changes, paired: in.paired})
}
