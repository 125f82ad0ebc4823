package optimize

import (
	"math"
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

var (
	joinKeysRule     = rule{"join-keys", joinKeys}
	joinWindowRule   = rule{"window-join", joinWindow}
	joinIntervalRule = rule{"interval-join", joinInterval}
	temporalKeysRule = rule{"temporal-join-keys", temporalKeys}
)

// equality is a condition that a left value equals a right one.
type equality struct {
	left, right expr.Expr // the right one over the right columns, from 0
	nullEquals  bool
}

// equalityOf takes a condition over left columns, as many as width, and right ones for an equality.
func equalityOf(e expr.Expr, width int) (equality, bool) {
	call, ok := e.(*expr.Call)
	if !ok || call.Func != "=" && call.Func != "IS NOT DISTINCT FROM" {
		return equality{}, false
	}
	x, y := call.Args[0], call.Args[1]
	xl, xr := sides(x, width)
	yl, yr := sides(y, width)
	if xr && !xl && yl && !yr {
		x, y = y, x
	} else if !xl || xr || yl || !yr {
		return equality{}, false
	}
	return equality{x, plan.Shift(y, -width), call.Func != "="}, true
}

// keysOf takes the equalities out of a condition as keys, and computes those that are no columns below. It returns nil where there
// are none.
func (o *optimizer) keysOf(condition expr.Expr, left, right plan.Node) *keyed {
	k := &keyed{left: newWidened(left), right: newWidened(right)}
	for _, e := range plan.Conjuncts(condition) {
		eq, ok := equalityOf(e, len(left.Schema()))
		if !ok || !o.steady(e) || !sameKind(eq.left.Type(), eq.right.Type()) {
			k.rest = append(k.rest, e)
			continue
		}
		k.keys = append(k.keys, plan.JoinKey{Left: k.left.column(eq.left), Right: k.right.column(eq.right), NullEquals: eq.nullEquals})
	}
	if len(k.keys) == 0 {
		return nil
	}
	return k
}

// sameKind tells whether values that are equal have equal bytes as keys.
func sameKind(a, b types.Type) bool {
	a.Length, b.Length = 0, 0
	return a.EqualIgnoringNull(b) || isText(a) && isText(b)
}

func isText(t types.Type) bool { return t.Kind == types.Char || t.Kind == types.VarChar }

type keyed struct {
	left, right *widened
	keys        []plan.JoinKey
	rest        []expr.Expr
}

// condition returns what is left of the condition, over the widened inputs.
func (k *keyed) condition() expr.Expr {
	if len(k.rest) == 0 {
		return nil
	}
	to := make([]int, k.left.width+k.right.width)
	for i := range to {
		to[i] = i
		if i >= k.left.width {
			to[i] = i + k.left.added()
		}
	}
	parts := make([]expr.Expr, len(k.rest))
	for i, e := range k.rest {
		parts[i] = plan.Renumber(e, to)
	}
	return and(parts...)
}

// widened is an input to which columns are added.
type widened struct {
	node  plan.Node
	width int
	p     projection
}

func newWidened(n plan.Node) *widened {
	w := &widened{node: n, width: len(n.Schema())}
	for i := range n.Schema() {
		w.p.pass(n.Schema(), i)
	}
	return w
}

// column returns where an expression stands, and adds it if it does not.
func (w *widened) column(e expr.Expr) int {
	if c, ok := e.(*expr.Column); ok {
		return c.Index
	}
	w.p.add(e, plan.Column{Name: "$key", Type: e.Type()})
	return len(w.p.columns) - 1
}

func (w *widened) added() int { return len(w.p.columns) - w.width }

func (w *widened) done() plan.Node {
	if w.added() == 0 {
		return w.node
	}
	return w.p.over(w.node)
}

func joinKeys(o *optimizer, n plan.Node) plan.Node {
	j, ok := n.(*plan.Join)
	if !ok || j.Condition == nil {
		return nil
	}
	k := o.keysOf(j.Condition, j.Left, j.Right)
	if k == nil {
		return nil
	}
	c := *j
	c.Left, c.Right, c.Condition = k.left.done(), k.right.done(), k.condition()
	c.Keys = slices.Concat(c.Keys, k.keys)
	return k.narrowed(&c, j.Kind == plan.Semi || j.Kind == plan.Anti, j.Result)
}

// narrowed gives the columns that a join had before its inputs were widened.
func (k *keyed) narrowed(n plan.Node, leftOnly bool, result plan.Schema) plan.Node {
	wide := k.left.p.result
	columns := plan.Counted(k.left.width)
	if !leftOnly {
		for i := range k.right.width {
			columns = append(columns, len(wide)+i)
		}
		wide = slices.Concat(wide, k.right.p.result)
	}
	if k.left.added()+k.right.added() == 0 {
		return n
	}
	// What an outer join pads has the types that the join said.
	inner := make(plan.Schema, len(wide))
	copy(inner, wide)
	for i, c := range columns {
		inner[c] = result[i]
	}
	for i := range inner {
		if inner[i].Name == "$key" {
			inner[i].Type = inner[i].Type.AsNullable()
		}
	}
	switch n := n.(type) {
	case *plan.Join:
		n.Result = inner
	case *plan.TemporalJoin:
		n.Result = inner
	}
	return only(n, columns)
}

func temporalKeys(o *optimizer, n plan.Node) plan.Node {
	j, ok := n.(*plan.TemporalJoin)
	if !ok || j.Condition == nil {
		return nil
	}
	k := o.keysOf(j.Condition, j.Left, j.Right)
	if k == nil {
		return nil
	}
	c := *j
	c.Left, c.Right, c.Condition = k.left.done(), k.right.done(), k.condition()
	c.Keys = slices.Concat(c.Keys, k.keys)
	return k.narrowed(&c, false, j.Result)
}

// joinWindow recognises a join of rows whose windows are equal.
func joinWindow(o *optimizer, n plan.Node) plan.Node {
	j, ok := n.(*plan.Join)
	if !ok || j.Condition == nil || j.Window != nil || j.Interval != nil || j.NullAware || j.Single {
		return nil
	}
	left, right := windowOf(j.Left), windowOf(j.Right)
	if left == nil || right == nil || !o.closed(left) || !o.closed(right) || !left.like(right) {
		return nil
	}
	starts, ends := false, false
	rest, width := []expr.Expr(nil), len(j.Left.Schema())
	for _, e := range plan.Conjuncts(j.Condition) {
		eq, ok := equalityOf(e, width)
		switch {
		case ok && isColumn(eq.left, left.start) && isColumn(eq.right, right.start):
			starts = true
		case ok && isColumn(eq.left, left.end) && isColumn(eq.right, right.end):
			ends = true
		default:
			rest = append(rest, e)
		}
	}
	if !starts || !ends {
		return nil
	}
	c := *j
	c.Window = &plan.JoinWindow{LeftStart: left.start, LeftEnd: left.end, RightStart: right.start, RightEnd: right.end}
	c.Condition = nil
	if len(rest) > 0 {
		c.Condition = and(rest...)
	}
	return &c
}

// like tells whether two relations have windows of one kind and size: then rows of equal windows meet before the watermark closes them.
func (w *window) like(o *window) bool {
	a, b := w.of, o.of
	return a.Kind == b.Kind && a.Kind != plan.Session && a.Size == b.Size && a.Step == b.Step && a.Offset == b.Offset
}

// joinInterval recognises a join of which each row meets rows of about its own time: both time attributes bound each other.
func joinInterval(_ *optimizer, n plan.Node) plan.Node {
	j, ok := n.(*plan.Join)
	if !ok || j.Condition == nil || j.Window != nil || j.Interval != nil || j.NullAware || j.Single {
		return nil
	}
	b := &timeBounds{join: j, width: len(j.Left.Schema()), lower: math.MinInt64, upper: math.MaxInt64, left: plan.NoColumn}
	rest, _ := part(plan.Conjuncts(j.Condition), func(e expr.Expr) bool { return !b.take(e) })
	if b.left == plan.NoColumn || b.lower == math.MinInt64 || b.upper == math.MaxInt64 {
		return nil
	}
	c := *j
	c.Interval = &plan.JoinInterval{LeftTime: b.left, RightTime: b.right, Lower: b.lower, Upper: b.upper}
	c.Condition = nil
	if len(rest) > 0 {
		c.Condition = and(rest...)
	}
	return &c
}

// timeBounds collects what conditions say of the left time less the right one.
type timeBounds struct {
	join         *plan.Join
	width        int
	left, right  int // the columns, the right one from 0
	lower, upper int64
}

// moment is a time attribute moved by milliseconds.
type moment struct {
	column int // of the joined columns
	plus   int64
}

// take takes a condition for a bound, and tells whether it is one.
func (b *timeBounds) take(e expr.Expr) bool {
	call, ok := e.(*expr.Call)
	if !ok {
		return false
	}
	if call.Func == "BETWEEN" {
		return b.takeAll([2]comparison{{">=", call.Args[0], call.Args[1]}, {"<=", call.Args[0], call.Args[2]}})
	}
	if len(call.Args) != 2 {
		return false
	}
	return b.takeAll([2]comparison{{call.Func, call.Args[0], call.Args[1]}})
}

type comparison struct {
	op   string
	x, y expr.Expr
}

// takeAll takes all comparisons or none.
func (b *timeBounds) takeAll(cs [2]comparison) bool {
	next := *b
	for _, c := range cs {
		if c.x != nil && !next.compare(c) {
			return false
		}
	}
	*b = next
	return true
}

func (b *timeBounds) compare(c comparison) bool {
	x, ok := b.moment(c.x)
	y, also := b.moment(c.y)
	if !ok || !also {
		return false
	}
	op := c.op
	if x.column >= b.width {
		x, y, op = y, x, mirrored[op]
	}
	if x.column >= b.width || y.column < b.width {
		return false
	}
	left, right := x.column, y.column-b.width
	if b.left != plan.NoColumn && (b.left != left || b.right != right) {
		return false
	}
	if b.join.Left.Schema()[left].Time != b.join.Right.Schema()[right].Time {
		return false
	}
	b.left, b.right = left, right
	return b.bound(op, y.plus-x.plus)
}

// bound notes that the left time less the right one is compared with a distance.
func (b *timeBounds) bound(op string, distance int64) bool {
	switch op {
	case ">=":
		b.lower = max(b.lower, distance)
	case ">":
		b.lower = max(b.lower, distance+1)
	case "<=":
		b.upper = min(b.upper, distance)
	case "<":
		b.upper = min(b.upper, distance-1)
	case "=":
		b.lower, b.upper = max(b.lower, distance), min(b.upper, distance)
	default:
		return false
	}
	return true
}

// moment takes an expression for a time attribute that is moved by constant intervals.
func (b *timeBounds) moment(e expr.Expr) (moment, bool) {
	switch e := e.(type) {
	case *expr.Column:
		return moment{column: e.Index}, b.time(e.Index) != plan.NoTime
	case *expr.Cast: // to the other side's precision
		if k := e.X.Type().Kind; k == e.To.Kind {
			return b.moment(e.X)
		}
	case *expr.Call:
		if e.Func != "+" && e.Func != "-" {
			return moment{}, false
		}
		m, ok := b.moment(e.Args[0])
		l, constant := e.Args[1].(*expr.Literal)
		if !ok || !constant || l.T.Kind != types.IntervalDayTime {
			return moment{}, false
		}
		v, ok := l.Value.(int64)
		if e.Func == "-" {
			v = -v
		}
		m.plus += v
		return m, ok
	}
	return moment{}, false
}

func (b *timeBounds) time(column int) plan.TimeKind {
	if column < b.width {
		return b.join.Left.Schema()[column].Time
	}
	return b.join.Right.Schema()[column-b.width].Time
}
