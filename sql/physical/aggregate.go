package physical

import (
	"slices"
	"strconv"
	"time"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/sql/plan"
	"millrace/types"
)

// groupAggregate aggregates by key for ever.
type groupAggregate struct {
	stateful
	keys    []int
	calls   []jobgraph.AggregateCall
	retract bool
	final   bool
	ttl     time.Duration
	raw     *types.Schema // of what a first phase has aggregated already; nil without one
}

func (*groupAggregate) title() string { return "GroupAggregate" }

// at returns where the keys stand in what comes.
func (g *groupAggregate) at() []int {
	if g.raw != nil {
		return plan.Counted(len(g.keys))
	}
	return g.keys
}

func (g *groupAggregate) spread(*step, int) spread { return by(g.at()) }

func (g *groupAggregate) passes(_ *step, column int) (int, bool) {
	if column >= len(g.keys) {
		return 0, false
	}
	return g.at()[column], true
}

func (g *groupAggregate) body(s *step) jobgraph.OperatorBody {
	return &jobgraph.GroupAggregateSpec{
		Keys: g.keys, Aggregates: g.calls, Retract: g.retract, UpdateBefore: s.before && !g.final, TTL: g.ttl, FinalOnly: g.final,
		Partial: g.raw != nil, Input: g.raw,
	}
}

// localAggregate is the first phase, in front of the exchange.
type localAggregate struct {
	plain
	keys    []int
	calls   []jobgraph.AggregateCall
	retract bool
}

func (*localAggregate) title() string { return "LocalGroupAggregate" }

// asks for -U: what rows add is taken back by them. What comes out says nothing of others: partial rows add up.
func (*localAggregate) asks(*step, int) bool { return true }

func (*localAggregate) keeps(*step) bool { return false }

func (l *localAggregate) passes(_ *step, column int) (int, bool) {
	if column >= len(l.keys) {
		return 0, false
	}
	return l.keys[column], true
}

func (l *localAggregate) body(*step) jobgraph.OperatorBody {
	return &jobgraph.LocalGroupAggregateSpec{Keys: l.keys, Aggregates: l.calls, Retract: l.retract}
}

func (p *planner) aggregate(n *plan.Aggregate) *step {
	switch {
	case n.Sets != nil:
		return p.groupingSets(n)
	case n.Window != nil:
		return p.windowAggregate(n)
	default:
		return p.grouped(n, p.step(n.Input), n.Keys, n.Calls)
	}
}

// grouped aggregates rows for ever, in one phase or two.
func (p *planner) grouped(n *plan.Aggregate, in *step, keys []int, of []plan.Call) *step {
	calls, ok := p.calls(n, of, keys, in)
	if !ok {
		return nil
	}
	if !p.ownTakes(n, calls, in) {
		return nil
	}
	g := &groupAggregate{keys: keys, calls: calls, retract: !in.appends(), final: p.settings.batch, ttl: p.ttls(n.Hints, "input")[0]}
	s := &step{operator: g, of: n, inputs: []*step{in}, paired: true, upsert: [][]int{plan.Counted(len(keys))}}
	s.changes = g.changes()
	if p.twoPhases(g, in) {
		g.raw = in.out
		s.inputs = []*step{p.add(&step{operator: &localAggregate{keys: keys, calls: calls, retract: g.retract}, of: n, inputs: []*step{in}, paired: true})}
	}
	return p.add(s)
}

// ownTakes refuses functions of the program over rows that take others back, which they can't.
func (p *planner) ownTakes(n plan.Node, calls []jobgraph.AggregateCall, in *step) bool {
	for i := range calls {
		if d := calls[i].Own; d != nil && !d.Retracts && !in.appends() {
			p.refuse("give the function what takes a value back, or aggregate by windows first, whose results are final",
				"%s can't take values back, and rows that take others back are produced by %s: %s", d.Name, p.blame(in), plan.Line(n))
			return false
		}
	}
	return true
}

// changes are those of a result: none where it is given once, and none where rows can only be new.
func (g *groupAggregate) changes() changes {
	switch {
	case g.final:
		return inserts
	case g.retract:
		return updates | deletes
	case len(g.calls) == 0: // DISTINCT
		return inserts
	default:
		return updates
	}
}

// calls returns the calls as an operator takes them, with names that no key has.
func (p *planner) calls(n plan.Node, calls []plan.Call, keys []int, in *step) (out []jobgraph.AggregateCall, ok bool) {
	taken := make(map[string]bool)
	for _, k := range keys {
		taken[in.out.Fields[k].Name] = true
	}
	for _, c := range calls {
		a := jobgraph.AggregateCall{Func: c.Func, Arg: jobgraph.CountStar, Name: unique(c.Name, taken), Distinct: c.Distinct, Separator: c.Text}
		if sig, _ := p.Functions.Lookup(c.Func); sig.Kind == expr.AggregateFunc {
			a.Own = sig.Declared
		}
		switch {
		case c.Func == "LAG", c.Func == "LEAD", c.Func == "NTILE":
			a.Offset = c.Offset
			if len(c.Args) > 1 {
				a.Defaulted, a.Default = true, c.Args[1]
			}
		case a.Own != nil && len(c.Args) > 1:
			a.Rest = c.Args[1:]
		case len(c.Args) > 1:
			p.refuse("", "%s takes one column here, not %d: %s", c.Func, len(c.Args), plan.Line(n))
			return nil, false
		}
		if len(c.Args) > 0 {
			a.Arg = c.Args[0]
		}
		if c.Filter != plan.NoColumn {
			a.Filtered, a.Filter = true, c.Filter
		}
		if _, err := a.Type(in.out); err != nil {
			p.refuse("", "%s: %s", err, plan.Line(n))
			return nil, false
		}
		out = append(out, a)
	}
	return out, true
}

// unique returns the name, with the first number that makes it one of its own, and takes it.
func unique(name string, taken map[string]bool) string {
	out := name
	for i := 0; taken[out]; i++ {
		out = name + strconv.Itoa(i)
	}
	taken[out] = true
	return out
}

// twoPhases tells whether rows are aggregated before they are dealt out too: where they have to be, and partial rows have all that the
// second phase needs.
func (p *planner) twoPhases(g *groupAggregate, in *step) bool {
	if p.settings.phases == "ONE_PHASE" || len(g.calls) == 0 {
		return false
	}
	return !slices.ContainsFunc(g.calls, func(a jobgraph.AggregateCall) bool { return !partial(&a, g.retract) }) && !p.dealtBy(in, g.keys)
}

// partial tells whether an aggregate can be made of partial rows.
func partial(a *jobgraph.AggregateCall, retract bool) bool {
	if a.Own != nil {
		return a.Own.Merges && !retract && !a.Distinct
	}
	ends := a.Func == "MIN" || a.Func == "MAX"
	return !jobgraph.GoesByOrder(a.Func) && !a.NeedsDistinct() && (!retract || !ends)
}
