package optimize

import (
	"fmt"
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
)

// prune removes columns that nobody reads, down to the scans. Scans of one table read the same columns, all that any of them
// needs, so that the table is read once. A primary key stays: rows may have to be told apart by it.
func (o *optimizer) prune(roots []plan.Node) []plan.Node {
	p := &pruner{optimizer: o, need: make(map[plan.Node]columnSet), own: make(map[reading]columnSet), built: make(map[plan.Node]pruned), scans: make(map[string]columnSet)}
	order := inOrder(roots)
	for _, n := range slices.Backward(order) { // those that read before what they read
		p.ask(n)
		for _, in := range n.Inputs() {
			p.of(in).add(p.from(n, in).columns()...)
		}
	}
	for _, n := range order {
		p.built[n] = p.build(n)
	}
	out := make([]plan.Node, len(roots))
	for i, r := range roots {
		out[i] = p.built[r].node
	}
	return out
}

// inOrder returns all nodes, inputs before those that read them.
func inOrder(roots []plan.Node) (order []plan.Node) {
	seen := make(map[plan.Node]bool)
	for _, r := range roots {
		plan.Walk(r, func(n plan.Node) {
			if !seen[n] {
				seen[n] = true
				order = append(order, n)
			}
		})
	}
	return order
}

// columnSet tells for each column whether it is in the set.
type columnSet []bool

func (s columnSet) add(columns ...int) {
	for _, c := range columns {
		if c != plan.NoColumn {
			s[c] = true
		}
	}
}

func (s columnSet) addRead(e expr.Expr) {
	if e != nil {
		plan.Reads(e, func(c int) { s[c] = true })
	}
}

func (s columnSet) columns() (out []int) {
	for i, in := range s {
		if in {
			out = append(out, i)
		}
	}
	return out
}

// pruned is a node with fewer columns: column i is now column to[i], NoColumn where it is gone. The order stays.
type pruned struct {
	node plan.Node
	to   []int
}

type pruner struct {
	*optimizer
	need  map[plan.Node]columnSet // by anybody
	own   map[reading]columnSet   // by one that reads
	built map[plan.Node]pruned
	scans map[string]columnSet // by table, of the table's columns
}

// reading is a node that reads another.
type reading struct{ by, of plan.Node }

// of returns the set of what is needed of a node by all that read it.
func (p *pruner) of(n plan.Node) columnSet {
	s, ok := p.need[n]
	if !ok {
		s = make(columnSet, len(n.Schema()))
		p.need[n] = s
	}
	return s
}

// from returns the set of what a node needs of one of its inputs, to be added to.
func (p *pruner) from(n, input plan.Node) columnSet {
	s, ok := p.own[reading{n, input}]
	if !ok {
		s = make(columnSet, len(input.Schema()))
		p.own[reading{n, input}] = s
	}
	return s
}

// ask adds what a node needs of its inputs to give what is needed of it.
func (p *pruner) ask(n plan.Node) {
	need := p.of(n)
	switch n := n.(type) {
	case *plan.Sink:
		p.from(n, n.Input).add(plan.Counted(len(n.Schema()))...)
	case *plan.Collect:
		p.from(n, n.Input).add(plan.Counted(len(n.Schema()))...)
	case *plan.Scan:
		p.askScan(n, need)
	case *plan.Project:
		p.askProject(n, need)
	case *plan.Filter:
		in := p.from(n, n.Input)
		in.add(need.columns()...)
		in.addRead(n.Condition)
	case *plan.Watermark:
		in := p.from(n, n.Input)
		in.add(need.columns()...)
		in.add(n.Column)
	case *plan.Sort:
		in := p.from(n, n.Input)
		in.add(need.columns()...)
		in.addOrder(n.Order)
	case *plan.Set:
		p.askSet(n, need)
	default:
		p.askStateful(n, need)
	}
}

func (s columnSet) addOrder(order []plan.Order) {
	for _, o := range order {
		s.add(o.Column)
	}
}

func (s columnSet) addCalls(calls []plan.Call) {
	for _, c := range calls {
		s.add(c.Args...)
		s.add(c.Filter)
	}
}

func (p *pruner) askScan(n *plan.Scan, need columnSet) {
	for _, name := range n.Table.PrimaryKey {
		if i := n.Result.Index(name); i >= 0 {
			need.add(i)
		}
	}
	p.atLeastOne(need, 0)
	key := p.scanKey(n)
	if p.scans[key] == nil {
		p.scans[key] = make(columnSet, len(n.Table.Columns))
	}
	for _, i := range need.columns() {
		p.scans[key].add(n.Columns[i])
	}
}

// scanKey names what is read: by all scans of a table with the same hints.
func (p *pruner) scanKey(n *plan.Scan) string {
	if p.KeepScans {
		return fmt.Sprintf("%p", n)
	}
	bare := &plan.Scan{Path: n.Path, Hints: n.Hints}
	return nodeKey(bare, nil)
}

// atLeastOne sees to it that a relation has a column at all.
func (p *pruner) atLeastOne(need columnSet, otherwise int) {
	if !slices.Contains(need, true) && len(need) > 0 {
		need.add(otherwise)
	}
}

func (p *pruner) askProject(n *plan.Project, need columnSet) {
	p.atLeastOne(need, max(0, slices.IndexFunc(n.Columns, cheap)))
	in := p.from(n, n.Input)
	for _, c := range need.columns() {
		in.addRead(n.Columns[c])
	}
}

func (p *pruner) askSet(n *plan.Set, need columnSet) {
	if n.Kind != plan.Union || !n.All {
		need.add(plan.Counted(len(need))...)
	}
	p.atLeastOne(need, 0)
	for _, in := range n.Of {
		p.from(n, in).add(need.columns()...)
	}
}

func (p *pruner) askStateful(n plan.Node, need columnSet) {
	switch n := n.(type) {
	case *plan.Aggregate:
		p.askAggregate(n, need)
	case *plan.WindowTable:
		in := p.from(n, n.Input)
		in.add(below(need, len(in))...)
		in.add(n.Window.Time)
		in.add(n.Window.Keys...)
	case *plan.Over:
		in := p.from(n, n.Input)
		in.add(below(need, len(in))...)
		in.add(n.Partition...)
		in.addOrder(n.Order)
		in.addCalls(needed(n.Calls, need, len(in)))
	case *plan.Rank:
		in := p.from(n, n.Input)
		in.add(below(need, len(in))...)
		in.add(n.Partition...)
		in.addOrder(n.Order)
		in.add(n.ToColumn, n.WindowEnd)
	case *plan.Deduplicate:
		in := p.from(n, n.Input)
		in.add(need.columns()...)
		in.add(n.Keys...)
		in.add(n.Time, n.WindowEnd)
	case *plan.Correlate:
		in := p.from(n, n.Input)
		in.add(below(need, len(in))...)
		for _, a := range n.Args {
			in.addRead(a)
		}
	case *plan.Join:
		p.askJoin(n, need)
	case *plan.TemporalJoin:
		p.askTemporal(n, need)
	}
}

// below returns the columns of a set in front of column n.
func below(s columnSet, n int) []int { return s[:min(n, len(s))].columns() }

// needed returns the calls of which somebody reads the result; the first stands in column at.
func needed(calls []plan.Call, need columnSet, at int) (out []plan.Call) {
	for i, c := range calls {
		if need[at+i] {
			out = append(out, c)
		}
	}
	return out
}

func (p *pruner) askAggregate(n *plan.Aggregate, need columnSet) {
	at := len(n.Keys) + len(n.Properties)
	need.add(plan.Counted(at)...)
	if n.Sets != nil { // what tells sets apart is computed of all of them
		need.add(plan.Counted(len(need))...)
	}
	p.atLeastOne(need, 0)
	in := p.from(n, n.Input)
	in.add(n.Keys...)
	in.addCalls(needed(n.Calls, need, at))
	switch w := n.Window; {
	case w == nil:
	case w.Kind == plan.Attached:
		in.add(w.Start, w.End)
	default:
		in.add(w.Time)
		in.add(w.Keys...)
	}
}

// askBoth divides what is read of joined columns among the inputs.
func (p *pruner) askBoth(n, left, right plan.Node, need columnSet, condition expr.Expr, keys []plan.JoinKey) (l, r columnSet) {
	l, r = p.from(n, left), p.from(n, right)
	both := make(columnSet, len(l)+len(r))
	both.add(need.columns()...)
	both.addRead(condition)
	for _, c := range both.columns() {
		if c < len(l) {
			l.add(c)
		} else {
			r.add(c - len(l))
		}
	}
	for _, k := range keys {
		l.add(k.Left)
		r.add(k.Right)
	}
	p.atLeastOne(r, 0)
	p.atLeastOne(l, 0)
	return l, r
}

func (p *pruner) askJoin(n *plan.Join, need columnSet) {
	l, r := p.askBoth(n, n.Left, n.Right, need, n.Condition, n.Keys)
	if w := n.Window; w != nil {
		l.add(w.LeftStart, w.LeftEnd)
		r.add(w.RightStart, w.RightEnd)
	}
	if i := n.Interval; i != nil {
		l.add(i.LeftTime)
		r.add(i.RightTime)
	}
}

// askTemporal keeps the right side's times: versions are ordered by them.
func (p *pruner) askTemporal(n *plan.TemporalJoin, need columnSet) {
	l, r := p.askBoth(n, n.Left, n.Right, need, n.Condition, n.Keys)
	l.add(n.Time)
	for i, c := range n.Right.Schema() {
		if c.Time == plan.EventTime {
			r.add(i)
		}
	}
}
