package analyze

import (
	"fmt"
	"slices"
	"strings"

	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
	"millrace/types"
)

// group is an expression of GROUP BY.
type group struct {
	x    expr.Expr
	name string
	at   ranged
}

// groupBy binds GROUP BY: its expressions, grouping sets and window.
func (s *selection) groupBy() error {
	b := s.with("GROUP BY", nothing)
	sets := [][]int{nil}
	several := false
	for _, it := range s.tree.GroupBy {
		own, err := s.setsOf(b, it)
		if err != nil {
			return err
		}
		_, isSets := it.(*ast.GroupSets)
		several = several || isSets
		var crossed [][]int
		for _, left := range sets {
			for _, right := range own {
				crossed = append(crossed, union(left, right))
			}
		}
		if sets = crossed; len(sets) > GroupingSetsMax {
			return s.failf(it, "more than %d grouping sets", GroupingSetsMax)
		}
	}
	if several {
		s.sets = sets
	}
	if s.sets != nil && s.window != nil {
		return s.unsupported(s.window.at, "a group window with grouping sets")
	}
	return nil
}

// union adds what a set lacks.
func union(a, b []int) []int {
	out := slices.Clone(a)
	for _, k := range b {
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// setsOf returns the sets of keys that one item stands for.
func (s *selection) setsOf(b *binder, it ast.GroupItem) ([][]int, error) {
	switch it := it.(type) {
	case *ast.GroupExpr:
		keys, err := s.keysOf(b, it.X)
		return [][]int{keys}, err
	case *ast.GroupTuple:
		keys, err := s.keysOf(b, it.Items...)
		return [][]int{keys}, err
	case *ast.GroupSets:
		return s.severalSets(b, it)
	default:
		return nil, s.failf(it, "%s is nothing to group by", ast.Print(it))
	}
}

func (s *selection) severalSets(b *binder, it *ast.GroupSets) ([][]int, error) {
	var items [][]int // of ROLLUP and CUBE
	var out [][]int
	for _, part := range it.Items {
		sets, err := s.setsOf(b, part)
		if err != nil {
			return nil, err
		}
		if it.Kind == ast.GroupingSets {
			out = append(out, sets...)
			continue
		}
		if len(sets) != 1 {
			return nil, s.failf(part, "%s can't have grouping sets in it", it.Kind)
		}
		items = append(items, sets[0])
	}
	switch it.Kind {
	case ast.GroupingSets:
	case ast.Rollup:
		for n := len(items); n >= 0; n-- {
			out = append(out, unionAll(items[:n]))
		}
	case ast.Cube:
		if len(items) > 8 {
			return nil, s.failf(it, "more than %d grouping sets", GroupingSetsMax)
		}
		for mask := 1<<len(items) - 1; mask >= 0; mask-- {
			var chosen [][]int
			for i := range items {
				if mask>>(len(items)-1-i)&1 == 1 {
					chosen = append(chosen, items[i])
				}
			}
			out = append(out, unionAll(chosen))
		}
	}
	return out, nil
}

func unionAll(sets [][]int) []int {
	var out []int
	for _, s := range sets {
		out = union(out, s)
	}
	return out
}

// keysOf binds expressions to group by and returns their places among the groups.
func (s *selection) keysOf(b *binder, list ...ast.Expr) ([]int, error) {
	var keys []int
	for _, e := range list {
		if c, ok := e.(*ast.Call); ok && len(c.Name.Parts) == 1 {
			if kind, ok := groupWindows[strings.ToUpper(c.Name.Parts[0].Name)]; ok {
				if err := s.groupWindow(b, c, kind); err != nil {
					return nil, err
				}
				continue
			}
		}
		x, err := b.bind(e)
		if err != nil {
			return nil, err
		}
		if err := s.groupable(e, x.Type()); err != nil {
			return nil, err
		}
		key := fingerprint(x)
		at := slices.IndexFunc(s.groups, func(g group) bool { return fingerprint(g.x) == key })
		if at < 0 {
			at = len(s.groups)
			s.groups = append(s.groups, group{x: x, name: itemName(&ast.SelectItem{X: e}, at), at: e})
		}
		keys = append(keys, at)
	}
	return keys, nil
}

// groupable refuses types whose values are no keys.
func (a *analyzer) groupable(at ranged, t types.Type) error {
	if t.Layout() < types.LayoutList {
		return nil
	}
	return a.unsupported(at, fmt.Sprintf("grouping by values of type %s", t))
}

// input collects the columns that an aggregation or OVER needs of the stage below.
type input struct {
	columns []expr.Expr
	places  map[string]int // by fingerprint
}

// add returns the place of an expression among the columns.
func (in *input) add(e expr.Expr) int {
	key := fingerprint(e)
	at, ok := in.places[key]
	if !ok {
		at = len(in.columns)
		in.columns = append(in.columns, e)
		in.places[key] = at
	}
	return at
}

// aggregateStage computes groups and aggregate calls.
func (s *selection) aggregateStage() error {
	for _, n := range s.slots {
		n.column, n.value = noColumn, nil
	}
	in := &input{places: make(map[string]int)}
	agg := &plan.Aggregate{Sets: s.sets, Hints: s.groupHints()}
	keys := make(map[string]int, len(s.groups))
	for i, g := range s.groups {
		x, err := s.settle(g.at, g.x)
		if err != nil {
			return err
		}
		agg.Keys = append(agg.Keys, in.add(x))
		t := x.Type()
		t.Nullable = t.Nullable || s.sets != nil
		agg.Result = append(agg.Result, plan.Column{Name: g.name, Type: t})
		keys[fingerprint(g.x)] = i
	}
	if err := s.tieKeys(agg, in); err != nil {
		return err
	}
	if err := s.windowOf(agg, in); err != nil {
		return err
	}
	if err := s.callsOf(agg, in); err != nil {
		return err
	}
	below, places, err := s.below(in, s.tree)
	if err != nil {
		return err
	}
	agg.Input = below
	agg.Keys = moved(agg.Keys, places)
	for i := range agg.Calls {
		agg.Calls[i] = movedCall(agg.Calls[i], places)
	}
	if agg.Window != nil {
		agg.Window.Time = places[agg.Window.Time]
	}
	keepWindowTimes(agg)
	s.keys = keys
	s.node, err = s.add(agg, s.tree)
	return err
}

// windowOf adds the group window, and what SELECT asks of it.
func (s *selection) windowOf(agg *plan.Aggregate, in *input) error {
	if s.window == nil {
		return nil
	}
	time, err := s.settle(s.window.at, s.window.time)
	if err != nil {
		return err
	}
	w := s.window.window
	w.Time = in.add(time)
	agg.Window = &w
	for p := plan.WindowStart; p <= plan.WindowTime; p++ {
		for _, n := range s.slots {
			if n.kind == propertySlot && n.property == p {
				n.column = len(agg.Result)
				agg.Properties = append(agg.Properties, p)
				agg.Result = append(agg.Result, plan.Column{Name: p.String(), Type: n.t, Time: n.time})
			}
		}
	}
	return nil
}

// callsOf adds the aggregate calls.
func (s *selection) callsOf(agg *plan.Aggregate, in *input) error {
	for _, n := range s.slots {
		if n.kind != callSlot {
			continue
		}
		if n.call.Func == "GROUPING" {
			if err := s.checkGrouping(n); err != nil {
				return err
			}
		}
		if err := s.argsOf(n, in); err != nil {
			return err
		}
		n.column = len(agg.Result)
		n.call.Name = fmt.Sprintf("EXPR$%d", len(agg.Result))
		agg.Calls = append(agg.Calls, n.call)
		agg.Result = append(agg.Result, plan.Column{Name: n.call.Name, Type: n.t})
	}
	return nil
}

// checkGrouping refuses arguments of GROUPING that are no keys.
func (s *selection) checkGrouping(n *slot) error {
	for _, x := range n.args {
		key := fingerprint(x)
		if !slices.ContainsFunc(s.groups, func(g group) bool { return fingerprint(g.x) == key }) {
			return s.failf(n.at, "an argument of GROUPING is no expression of GROUP BY")
		}
	}
	return nil
}

// argsOf puts the arguments and the filter of a slot among the columns below.
func (s *selection) argsOf(n *slot, in *input) error {
	args, err := s.settleAll(n.at, n.args)
	if err != nil {
		return err
	}
	n.call.Type = n.t
	n.call.Args = nil
	for _, x := range args {
		n.call.Args = append(n.call.Args, in.add(x))
	}
	if n.filter != nil {
		filter, err := s.settle(n.at, n.filter)
		if err != nil {
			return err
		}
		n.call.Filter = in.add(filter)
	}
	return nil
}

// below returns a node with the columns, and where each of them is: the stage itself where all are its own.
func (s *selection) below(in *input, at ranged) (plan.Node, []int, error) {
	places := make([]int, len(in.columns))
	result := make(plan.Schema, len(in.columns))
	plain := true
	for i, x := range in.columns {
		c, ok := x.(*expr.Column)
		if plain = plain && ok; ok {
			places[i] = c.Index
			result[i] = s.node.Schema()[c.Index]
			continue
		}
		result[i] = resultColumn(fmt.Sprintf("$f%d", i), x, s.node.Schema())
	}
	if plain {
		return s.node, places, nil
	}
	for i := range places {
		places[i] = i
	}
	n, err := s.projected(s.node, at, in.columns, result)
	return n, places, err
}

func moved(columns, places []int) []int {
	out := make([]int, len(columns))
	for i, c := range columns {
		out[i] = places[c]
	}
	return out
}

func movedCall(c plan.Call, places []int) plan.Call {
	c.Args = moved(c.Args, places)
	if c.Filter != noColumn {
		c.Filter = places[c.Filter]
	}
	return c
}

// overStage computes OVER calls: a node for each window, in the order of first use.
func (s *selection) overStage() error {
	var windows []*overWindow
	calls := make(map[string][]*slot)
	for _, n := range s.slots {
		if n.kind != overSlot {
			continue
		}
		key := n.window.key()
		if calls[key] == nil {
			windows = append(windows, n.window)
		}
		calls[key] = append(calls[key], n)
	}
	for _, w := range windows {
		if err := s.overNode(w, calls[w.key()]); err != nil {
			return err
		}
	}
	return nil
}

// overNode adds a node for the calls of one window, over the stage's columns and those that the window computes.
func (s *selection) overNode(w *overWindow, calls []*slot) error {
	in := &input{places: make(map[string]int)}
	for i := range s.node.Schema() {
		in.add(columnOf(s.node, i))
	}
	over := &plan.Over{Frame: w.frame}
	partition, err := s.settleAll(calls[0].at, w.partition)
	if err != nil {
		return err
	}
	for _, x := range partition {
		over.Partition = append(over.Partition, in.add(x))
	}
	order, err := s.settleAll(calls[0].at, w.order)
	if err != nil {
		return err
	}
	for i, x := range order {
		o := w.orders[i]
		o.Column = in.add(x)
		over.Order = append(over.Order, o)
	}
	for _, n := range calls {
		if err := s.argsOf(n, in); err != nil {
			return err
		}
		n.call.Name = fmt.Sprintf("w$o%d", n.number)
		over.Calls = append(over.Calls, n.call)
	}
	if over.Input, _, err = s.below(in, calls[0].at); err != nil {
		return err
	}
	over.Result = slices.Clone(over.Input.Schema())
	for _, n := range calls {
		n.column = len(over.Result)
		over.Result = append(over.Result, plan.Column{Name: n.call.Name, Type: n.t})
	}
	s.node, err = s.add(over, calls[0].at)
	return err
}
