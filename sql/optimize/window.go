package optimize

import (
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

var (
	windowAggregateRule = rule{"window-aggregate", windowAggregate}
	windowAttachedRule  = rule{"window-aggregate-attached", windowAttached}
)

// window tells in which columns of a relation its rows have their window, NoColumn: not there.
type window struct {
	start, end, time int
	// event tells that the windows are of event time: what closes them is the watermark.
	event bool
	// local tells that they lie in the time of the session's zone.
	local bool
	// of is the window that rows were dealt out to.
	of plan.Window
}

// has tells whether a column is one of the window's.
func (w *window) has(column int) bool {
	return w != nil && (column == w.start || column == w.end || column == w.time)
}

// windowOf returns the window of a node's rows, nil where they have none, or not both its start and its end.
func windowOf(n plan.Node) *window {
	w := windowColumns(n)
	if w == nil || w.start == plan.NoColumn || w.end == plan.NoColumn {
		return nil
	}
	return w
}

func windowColumns(n plan.Node) *window {
	switch n := n.(type) {
	case *plan.WindowTable:
		at := len(n.Input.Schema())
		w := &window{start: at, end: at + 1, time: at + 2, of: n.Window}
		w.goesBy(n.Input.Schema()[n.Window.Time])
		return w
	case *plan.Filter:
		return windowColumns(n.Input)
	case *plan.Rank:
		if n.WindowEnd != plan.NoColumn {
			return windowColumns(n.Input)
		}
	case *plan.Deduplicate:
		if n.WindowEnd != plan.NoColumn {
			return windowColumns(n.Input)
		}
	case *plan.Project:
		return windowProjected(n)
	case *plan.Aggregate:
		return windowAggregated(n)
	case *plan.Join:
		if n.Window != nil { // Semi and Anti give left columns alone, and so does what others give begin
			return windowColumns(n.Left)
		}
	}
	return nil
}

// goesBy notes by which time the windows go.
func (w *window) goesBy(c plan.Column) {
	w.event, w.local = c.Time == plan.EventTime, c.Type.Kind == types.TimestampLTZ
}

// closed tells whether a watermark closes windows for whoever has their ends alone. Operators compare both as they are, so that ends
// which are the clocks' of another zone than UTC would close hours too early or too late.
func (o *optimizer) closed(w *window) bool { return w.event && (!w.local || !o.Zoned) }

func windowProjected(n *plan.Project) *window {
	w := windowColumns(n.Input)
	if w == nil {
		return nil
	}
	out := &window{start: plan.NoColumn, end: plan.NoColumn, time: plan.NoColumn, event: w.event, local: w.local, of: w.of}
	for i, e := range slices.Backward(n.Columns) {
		c, ok := e.(*expr.Column)
		switch {
		case !ok:
		case c.Index == w.start:
			out.start = i
		case c.Index == w.end:
			out.end = i
		case c.Index == w.time:
			out.time = i
		}
	}
	return out
}

// windowAggregated says where an aggregate in windows has its properties: behind the keys.
func windowAggregated(n *plan.Aggregate) *window {
	if n.Window == nil || n.Window.Kind == plan.Session {
		return nil
	}
	out := &window{start: plan.NoColumn, end: plan.NoColumn, time: plan.NoColumn, of: *n.Window}
	if n.Window.Kind == plan.Attached {
		below := windowColumns(n.Input)
		if below == nil {
			return nil
		}
		out.event, out.local, out.of = below.event, below.local, below.of
	} else {
		out.goesBy(n.Input.Schema()[n.Window.Time])
	}
	for i, p := range n.Properties {
		at := len(n.Keys) + i
		switch p {
		case plan.WindowStart:
			out.start = at
		case plan.WindowEnd:
			out.end = at
		case plan.WindowTime:
			out.time = at
		}
	}
	return out
}

// windowAggregate turns an aggregate whose keys have the start and the end of a window table function into one that deals rows
// out to windows itself: what it keeps is a pane a window, not a row a window.
func windowAggregate(o *optimizer, n plan.Node) plan.Node {
	a, ok := n.(*plan.Aggregate)
	if !ok || a.Window != nil || a.Sets != nil {
		return nil
	}
	w := windowOf(a.Input)
	if w == nil || !slices.Contains(a.Keys, w.start) || !slices.Contains(a.Keys, w.end) {
		return nil
	}
	below, ok := withoutWindow(a.Input)
	if !ok || w.of.Kind == plan.Attached || !below.serves(a) {
		return nil
	}
	of := w.of
	of.Time, of.Keys = below.time, below.keys
	return regrouped(a, w, &of, below.input, below.to)
}

// windowAttached does so where rows have their window from further below, as those of an aggregate in windows.
func windowAttached(o *optimizer, n plan.Node) plan.Node {
	a, ok := n.(*plan.Aggregate)
	if !ok || a.Window != nil || a.Sets != nil {
		return nil
	}
	w, _ := o.windowOfKeys(a.Input, a.Keys)
	if w == nil {
		return nil
	}
	of := &plan.Window{Kind: plan.Attached, Time: plan.NoColumn, Start: w.start, End: w.end}
	return regrouped(a, w, of, a.Input, plan.Counted(len(a.Input.Schema())))
}

// regrouped returns the aggregate in windows, over an input in which column i is column to[i], and a projection that
// gives its columns in the order that they had.
func regrouped(a *plan.Aggregate, w *window, of *plan.Window, input plan.Node, to []int) plan.Node {
	out := &plan.Aggregate{Input: input, Window: of}
	place := make([]int, len(a.Keys)) // of each old key: a key counts from 0, a property from -1 downwards
	for i, k := range a.Keys {
		switch k {
		case w.start, w.end, w.time:
			out.Properties = append(out.Properties, w.property(k))
			place[i] = -len(out.Properties)
		default:
			out.Keys = append(out.Keys, to[k])
			place[i] = len(out.Keys) - 1
		}
	}
	out.Calls = renumbered(a.Calls, to)
	out.Result = make(plan.Schema, len(a.Result))
	var p projection
	for i := range a.Keys {
		if place[i] < 0 {
			place[i] = len(out.Keys) - place[i] - 1
		}
		out.Result[place[i]] = a.Result[i]
	}
	copy(out.Result[len(a.Keys):], a.Result[len(a.Keys):])
	for i := range a.Result {
		at := i
		if i < len(place) {
			at = place[i]
		}
		p.pass(out.Result, at)
	}
	return p.over(out)
}

// property returns what of a window stands in a column.
func (w *window) property(column int) plan.WindowProperty {
	switch column {
	case w.end:
		return plan.WindowEnd
	case w.time:
		return plan.WindowTime
	default:
		return plan.WindowStart
	}
}

// renumbered returns the calls over an input in which column i is column to[i].
func renumbered(calls []plan.Call, to []int) []plan.Call {
	out := slices.Clone(calls)
	for i := range out {
		out[i].Args = slices.Clone(out[i].Args)
		for k, arg := range out[i].Args {
			out[i].Args[k] = to[arg]
		}
		if out[i].Filter != plan.NoColumn {
			out[i].Filter = to[out[i].Filter]
		}
	}
	return out
}

// unwindowed is a relation below which a window table function was taken away.
type unwindowed struct {
	input plan.Node
	to    []int // of each column that there was, where it is now; NoColumn: it was the window's
	time  int   // by which windows are made
	keys  []int // of sessions
}

// serves tells whether all that an aggregate reads beside the window is there. Sessions must be told apart by what it groups by.
func (u *unwindowed) serves(a *plan.Aggregate) bool {
	for _, c := range a.Calls {
		for _, arg := range append(slices.Clone(c.Args), c.Filter) {
			if arg != plan.NoColumn && u.to[arg] == plan.NoColumn {
				return false
			}
		}
	}
	var keys []int
	for _, k := range a.Keys {
		keys = append(keys, u.to[k])
	}
	return !slices.ContainsFunc(u.keys, func(k int) bool { return !slices.Contains(keys, k) })
}

// withoutWindow takes the window table function away from below projections and conditions that don't read the window.
func withoutWindow(n plan.Node) (*unwindowed, bool) {
	switch n := n.(type) {
	case *plan.WindowTable:
		to := append(plan.Counted(len(n.Input.Schema())), plan.NoColumn, plan.NoColumn, plan.NoColumn)
		return &unwindowed{input: n.Input, to: to, time: n.Window.Time, keys: n.Window.Keys}, true
	case *plan.Filter:
		u, ok := withoutWindow(n.Input)
		if !ok || !u.has(n.Condition) {
			return nil, false
		}
		u.input = &plan.Filter{Input: u.input, Condition: plan.Renumber(n.Condition, u.to)}
		return u, true
	case *plan.Project:
		u, ok := withoutWindow(n.Input)
		if !ok {
			return nil, false
		}
		return u.project(n)
	default:
		return nil, false
	}
}

// has tells whether an expression reads nothing of the window.
func (u *unwindowed) has(e expr.Expr) bool {
	all := true
	plan.Reads(e, func(c int) { all = all && u.to[c] != plan.NoColumn })
	return all
}

func (u *unwindowed) project(n *plan.Project) (*unwindowed, bool) {
	in := u.input.Schema()
	out := &unwindowed{to: make([]int, len(n.Columns)), time: plan.NoColumn}
	var p projection
	for i, e := range n.Columns {
		if c, ok := e.(*expr.Column); ok && u.to[c.Index] == plan.NoColumn {
			out.to[i] = plan.NoColumn
			continue
		}
		if !u.has(e) {
			return nil, false
		}
		out.to[i] = len(p.columns)
		p.add(plan.Renumber(e, u.to), n.Result[i])
	}
	passed := func(column int) int {
		at := slices.IndexFunc(p.columns, func(e expr.Expr) bool { return isColumn(e, column) })
		if at < 0 {
			at = len(p.columns)
			p.pass(in, column)
		}
		return at
	}
	out.time = passed(u.time)
	for _, k := range u.keys {
		out.keys = append(out.keys, passed(k))
	}
	out.input = p.over(u.input)
	return out, true
}
