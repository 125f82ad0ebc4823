package optimize

import (
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
)

// build returns the node with the columns that are needed, over inputs that were built.
func (p *pruner) build(n plan.Node) pruned {
	switch n := n.(type) {
	case *plan.Scan:
		return p.buildScan(n)
	case *plan.Project:
		return p.buildProject(n)
	case *plan.Filter:
		in := p.built[n.Input]
		c := &plan.Filter{Input: in.node, Condition: plan.Renumber(n.Condition, in.to)}
		if c.Condition == n.Condition && in.node == n.Input {
			return pruned{n, in.to}
		}
		return pruned{c, in.to}
	case *plan.Watermark:
		in := p.built[n.Input]
		c := *n
		c.Input, c.Column, c.Result = in.node, in.to[n.Column], slices.Clone(in.node.Schema())
		c.Result[c.Column].Time = plan.EventTime
		return pruned{&c, in.to}
	case *plan.Sort:
		in := p.built[n.Input]
		c := *n
		c.Input, c.Order = in.node, in.order(n.Order)
		return pruned{&c, in.to}
	case *plan.Sink:
		return pruned{n.With(p.narrow(n, n.Input).node), nil}
	case *plan.Collect:
		return pruned{n.With(p.narrow(n, n.Input).node), nil}
	case *plan.Set:
		return p.buildSet(n)
	case *plan.Values:
		return pruned{n, plan.Counted(len(n.Result))}
	default:
		return p.buildStateful(n)
	}
}

func (p *pruner) buildStateful(n plan.Node) pruned {
	switch n := n.(type) {
	case *plan.Aggregate:
		return p.buildAggregate(n)
	case *plan.WindowTable:
		in := p.narrow(n, n.Input)
		c := *n
		c.Input, c.Window = in.node, in.window(n.Window)
		to := in.followed(3)
		c.Result = pruned{&c, to}.result(n.Result)
		return pruned{&c, to}
	case *plan.Over:
		return p.buildOver(n)
	case *plan.Rank:
		return p.buildRank(n)
	case *plan.Deduplicate:
		in := p.narrow(n, n.Input)
		c := *n
		c.Input, c.Keys, c.Time, c.WindowEnd = in.node, in.all(n.Keys), in.one(n.Time), in.one(n.WindowEnd)
		return pruned{&c, in.to}
	case *plan.Correlate:
		in := p.narrow(n, n.Input)
		c := *n
		c.Input, c.Args = in.node, make([]expr.Expr, len(n.Args))
		for i, a := range n.Args {
			c.Args[i] = plan.Renumber(a, in.to)
		}
		to := in.followed(len(n.Result) - len(in.to))
		c.Result = pruned{&c, to}.result(n.Result)
		return pruned{&c, to}
	case *plan.Join:
		return p.buildJoin(n)
	case *plan.TemporalJoin:
		return p.buildTemporal(n)
	default: // a node without inputs of its own kind: nothing is known of its columns
		return pruned{n, plan.Counted(len(n.Schema()))}
	}
}

// one returns where a column is, NoColumn for NoColumn.
func (b pruned) one(column int) int {
	if column == plan.NoColumn {
		return plan.NoColumn
	}
	return b.to[column]
}

func (b pruned) all(columns []int) []int {
	out := make([]int, len(columns))
	for i, c := range columns {
		out[i] = b.to[c]
	}
	return out
}

func (b pruned) order(order []plan.Order) []plan.Order {
	out := slices.Clone(order)
	for i := range out {
		out[i].Column = b.to[out[i].Column]
	}
	return out
}

func (b pruned) window(w plan.Window) plan.Window {
	if w.Kind == plan.Attached {
		w.Start, w.End = b.to[w.Start], b.to[w.End]
		return w
	}
	w.Time, w.Keys = b.to[w.Time], b.all(w.Keys)
	return w
}

// result returns the columns of a schema that are still there.
func (b pruned) result(s plan.Schema) (out plan.Schema) {
	for i, c := range s {
		if b.to[i] != plan.NoColumn {
			out = append(out, c)
		}
	}
	return out
}

// followed returns the places of the columns and of n more behind them.
func (b pruned) followed(n int) []int {
	to, width := slices.Clone(b.to), len(b.node.Schema())
	for i := range n {
		to = append(to, width+i)
	}
	return to
}

// narrow returns an input of a node with nothing but what that needs of it.
func (p *pruner) narrow(by, n plan.Node) pruned {
	in, need := p.built[n], p.own[reading{by, n}]
	columns := need.columns()
	if len(columns) == len(in.node.Schema()) || len(columns) == 0 {
		return in
	}
	out := pruned{node: only(in.node, in.all(columns)), to: make([]int, len(need))}
	at := 0
	for i := range need {
		out.to[i] = plan.NoColumn
		if need[i] {
			out.to[i] = at
			at++
		}
	}
	return out
}

func (p *pruner) buildScan(n *plan.Scan) pruned {
	set := p.scans[p.scanKey(n)]
	c := *n
	c.Columns, c.Result = nil, nil
	to := make([]int, len(n.Columns))
	for i := range to {
		to[i] = plan.NoColumn
	}
	for _, column := range set.columns() {
		at := slices.Index(n.Columns, column)
		if at < 0 { // another scan reads it
			t := n.Table.Columns[column]
			c.Result = append(c.Result, plan.Column{Name: t.Name, Type: t.Type})
		} else {
			to[at] = len(c.Columns)
			c.Result = append(c.Result, n.Result[at])
		}
		c.Columns = append(c.Columns, column)
	}
	return pruned{&c, to}
}

func (p *pruner) buildProject(n *plan.Project) pruned {
	in, need := p.built[n.Input], p.need[n]
	out := &plan.Project{Input: in.node}
	to := make([]int, len(n.Columns))
	for i, e := range n.Columns {
		if to[i] = plan.NoColumn; need[i] {
			to[i] = len(out.Columns)
			out.Columns = append(out.Columns, plan.Renumber(e, in.to))
			out.Result = append(out.Result, n.Result[i])
		}
	}
	return pruned{out, to}
}

func (p *pruner) buildSet(n *plan.Set) pruned {
	inputs := make([]plan.Node, len(n.Of))
	need := p.need[n]
	to := make([]int, len(need))
	for i, in := range n.Of {
		b := p.built[in]
		inputs[i] = b.node
		if len(need.columns()) < len(b.node.Schema()) {
			inputs[i] = only(b.node, b.all(need.columns()))
		}
	}
	at := 0
	for i := range need {
		if to[i] = plan.NoColumn; need[i] {
			to[i] = at
			at++
		}
	}
	c := n.With(inputs...).(*plan.Set)
	c.Result = pruned{c, to}.result(n.Result)
	return pruned{c, to}
}

// kept returns the places of columns of which the first at are as they were, and the others are there where they are needed.
func kept(first []int, width, at int, need columnSet) []int {
	to := slices.Clone(first[:at])
	for i := at; i < len(need); i++ {
		if !need[i] {
			to = append(to, plan.NoColumn)
			continue
		}
		to = append(to, width)
		width++
	}
	return to
}

func (p *pruner) buildAggregate(n *plan.Aggregate) pruned {
	in, need := p.narrow(n, n.Input), p.need[n]
	at := len(n.Keys) + len(n.Properties)
	c := *n
	c.Input, c.Keys, c.Calls = in.node, in.all(n.Keys), renumbered(needed(n.Calls, need, at), in.to)
	if n.Window != nil {
		w := in.window(*n.Window)
		c.Window = &w
	}
	to := kept(plan.Counted(at), at, at, need)
	c.Result = pruned{&c, to}.result(n.Result)
	return pruned{&c, to}
}

func (p *pruner) buildOver(n *plan.Over) pruned {
	in, need := p.narrow(n, n.Input), p.need[n]
	at := len(in.to)
	calls := needed(n.Calls, need, at)
	to := kept(in.to, len(in.node.Schema()), at, need)
	if len(calls) == 0 {
		return pruned{in.node, to}
	}
	c := *n
	c.Input, c.Partition, c.Order, c.Calls = in.node, in.all(n.Partition), in.order(n.Order), renumbered(calls, in.to)
	c.Result = pruned{&c, to}.result(n.Result)
	return pruned{&c, to}
}

func (p *pruner) buildRank(n *plan.Rank) pruned {
	in, need := p.narrow(n, n.Input), p.need[n]
	c := *n
	c.Input, c.Partition, c.Order = in.node, in.all(n.Partition), in.order(n.Order)
	c.ToColumn, c.WindowEnd = in.one(n.ToColumn), in.one(n.WindowEnd)
	to := in.to
	if n.Number {
		to = kept(in.to, len(in.node.Schema()), len(in.to), need)
		c.Number = to[len(to)-1] != plan.NoColumn
	}
	c.Result = pruned{&c, to}.result(n.Result)
	return pruned{&c, to}
}

// joinedTo returns the places of the columns of both inputs behind one another.
func joinedTo(l, r pruned) []int {
	to, width := slices.Clone(l.to), len(l.node.Schema())
	for _, c := range r.to {
		if c != plan.NoColumn {
			c += width
		}
		to = append(to, c)
	}
	return to
}

func joinKeysTo(keys []plan.JoinKey, l, r pruned) []plan.JoinKey {
	out := slices.Clone(keys)
	for i := range out {
		out[i].Left, out[i].Right = l.to[out[i].Left], r.to[out[i].Right]
	}
	return out
}

func (p *pruner) buildJoin(n *plan.Join) pruned {
	l, r := p.narrow(n, n.Left), p.narrow(n, n.Right)
	to := joinedTo(l, r)
	c := *n
	c.Left, c.Right, c.Keys = l.node, r.node, joinKeysTo(n.Keys, l, r)
	if n.Condition != nil {
		c.Condition = plan.Renumber(n.Condition, to)
	}
	if w := n.Window; w != nil {
		c.Window = &plan.JoinWindow{LeftStart: l.to[w.LeftStart], LeftEnd: l.to[w.LeftEnd], RightStart: r.to[w.RightStart], RightEnd: r.to[w.RightEnd]}
	}
	if i := n.Interval; i != nil {
		c.Interval = &plan.JoinInterval{LeftTime: l.to[i.LeftTime], RightTime: r.to[i.RightTime], Lower: i.Lower, Upper: i.Upper}
	}
	to = to[:len(n.Result)]
	c.Result = pruned{&c, to}.result(n.Result)
	return pruned{&c, to}
}

func (p *pruner) buildTemporal(n *plan.TemporalJoin) pruned {
	l, r := p.narrow(n, n.Left), p.narrow(n, n.Right)
	to := joinedTo(l, r)
	c := *n
	c.Left, c.Right, c.Keys, c.Time = l.node, r.node, joinKeysTo(n.Keys, l, r), l.to[n.Time]
	if n.Condition != nil {
		c.Condition = plan.Renumber(n.Condition, to)
	}
	c.Result = pruned{&c, to}.result(n.Result)
	return pruned{&c, to}
}
