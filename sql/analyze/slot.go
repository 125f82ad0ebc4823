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

// slotKind tells which step computes a slot.
type slotKind uint8

const (
	callSlot     slotKind = iota // an aggregate call
	propertySlot                 // a column of a group window
	overSlot
	querySlot  // a scalar subquery
	memberSlot // IN or EXISTS as a value
)

// slot is a value that a later step computes. Expressions have it as a column of the negative number that column gives.
type slot struct {
	kind   slotKind
	number int
	// key is equal for slots of equal values, which are one.
	key  string
	t    types.Type
	time plan.TimeKind
	at   ranged
	// call is an aggregate or OVER call, with args and filter in the place of its columns.
	call     plan.Call
	args     []expr.Expr
	filter   expr.Expr // nil without
	property plan.WindowProperty
	window   *overWindow
	query    *nested
	member   *membership
	as       use
	// column is where the stage at hand has the value, noColumn before it is computed. Of a subquery it is value, nil before.
	column int
	value  expr.Expr
}

const noColumn = plan.NoColumn

// column stands for the slot in expressions.
func (s *slot) placeholder() *expr.Column {
	return &expr.Column{Index: -1 - s.number, Name: s.call.Name, T: s.t}
}

// slot keeps a value to compute, or returns the one that is equal.
func (s *selection) slot(n *slot) *slot {
	for _, old := range s.slots {
		if old.kind == n.kind && old.key == n.key && n.key != "" {
			return old
		}
	}
	n.number, n.column = len(s.slots), noColumn
	s.slots = append(s.slots, n)
	return n
}

// has tells whether there is a slot of a kind.
func (s *selection) has(kinds ...slotKind) bool {
	for _, n := range s.slots {
		if slices.Contains(kinds, n.kind) {
			return true
		}
	}
	return false
}

// callKey makes the key of a call.
func callKey(c *plan.Call, args []expr.Expr, filter expr.Expr, window *overWindow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %t %q %d ", c.Func, c.Distinct, c.Text, c.Offset)
	for _, a := range args {
		print(&b, a)
		b.WriteByte(',')
	}
	b.WriteByte('|')
	print(&b, filter)
	if window != nil {
		b.WriteString(window.key())
	}
	return b.String()
}

// missingAggregates are aggregate functions of Flink that expr does not type, so that they are not taken for unknown functions.
var missingAggregates = map[string]bool{
	"COLLECT": true, "JSON_OBJECTAGG": true, "JSON_ARRAYAGG": true, "APPROX_COUNT_DISTINCT": true, "PERCENTILE": true, "HISTOGRAM": true,
	"STRING_AGG": true,
}

// aggregateAliases are other names.
var aggregateAliases = map[string]string{"STDDEV": "STDDEV_SAMP", "VARIANCE": "VAR_SAMP", "$SUM0": "SUM0"}

// isAggregate tells aggregate functions from scalar ones.
func isAggregate(name string) bool {
	if missingAggregates[name] || aggregateAliases[name] != "" {
		return true
	}
	for _, a := range expr.Aggregates() {
		if a.Name == name {
			return true
		}
	}
	return false
}

// aggregateType is the type of an aggregate's result.
func aggregateType(name string, args []expr.Expr) (types.Type, error) {
	if missingAggregates[name] {
		return types.Type{}, fmt.Errorf("the aggregate function %s is not supported yet", name)
	}
	ts := make([]types.Type, len(args))
	for i, x := range args {
		ts[i] = x.Type()
	}
	return expr.AggregateResult(name, ts)
}

// aggregate binds an aggregate call: its slot, not yet kept. Inside is what its arguments may have in them.
func (b *binder) aggregate(c *ast.Call, name string, inside allowed) (*slot, error) {
	if alias := aggregateAliases[name]; alias != "" {
		name = alias
	}
	inner := *b
	inner.allow, inner.clause, inner.outer = inside, name, false
	n := &slot{kind: callSlot, at: c, call: plan.Call{Func: name, Distinct: c.Quantifier == ast.Distinct, Filter: noColumn, Name: "EXPR$"}}
	args, err := inner.aggregateArgs(c, n)
	if err != nil {
		return nil, err
	}
	if n.args, err = inner.bindAll(args); err != nil {
		return nil, err
	}
	if own := b.ownAggregate(name); own != nil {
		if err := b.ownCall(c, n, own); err != nil {
			return nil, err
		}
		return n, inner.filterOf(c, n)
	}
	for i, x := range n.args {
		if x.Type().Kind == types.Null {
			return nil, b.failf(args[i], "the type of NULL is not known; CAST it")
		}
	}
	if n.t, err = aggregateType(name, n.args); err != nil {
		return nil, b.wrap(c, err)
	}
	return n, inner.filterOf(c, n)
}

// filterOf binds FILTER of an aggregate call.
func (b *binder) filterOf(c *ast.Call, n *slot) (err error) {
	if c.Filter != nil {
		b.clause = "FILTER"
		n.filter, err = b.condition(c.Filter)
	}
	return err
}

// ownAggregate returns the aggregate function of the program that has a name; nil: there is none.
func (b *binder) ownAggregate(name string) *expr.Signature {
	if sig, ok := b.Functions.Callable(name); ok && sig.Kind == expr.AggregateFunc {
		return &sig
	}
	return nil
}

// ownCall makes a slot that of a function of the program.
func (b *binder) ownCall(c *ast.Call, n *slot, own *expr.Signature) error {
	call, err := expr.NewCall(b.Functions, own.Name, n.args...)
	if err != nil {
		return b.wrap(c, err)
	}
	n.args, n.t = call.Args, call.T
	if !n.call.Distinct {
		return nil
	}
	args := make([]types.Type, len(n.args))
	for i, x := range n.args {
		args[i] = x.Type()
	}
	if err := own.Declared.Countable(args); err != nil {
		return b.wrap(c, err)
	}
	return nil
}

// aggregateArgs returns the arguments that are columns; the others go into the slot's call.
func (b *binder) aggregateArgs(c *ast.Call, n *slot) ([]ast.Expr, error) {
	name := n.call.Func
	switch {
	case c.WithinGroup != nil:
		return nil, b.unsupported(c, "WITHIN GROUP")
	case c.OrderBy != nil:
		return nil, b.unsupported(c.OrderBy[0], "ORDER BY in an aggregate call")
	case c.Nulls == ast.IgnoreNulls:
		return nil, b.unsupported(c, string(c.Nulls))
	}
	if len(c.Args) == 1 {
		if star, ok := c.Args[0].(*ast.Star); ok {
			if name != "COUNT" || n.call.Distinct {
				return nil, b.failf(star, "* is an argument of COUNT alone")
			}
			return nil, nil
		}
	}
	if name == "LISTAGG" {
		return b.listaggArgs(c, n)
	}
	if name == "COUNT" && len(c.Args) == 0 {
		return nil, b.failf(c, "COUNT takes an argument: COUNT(*) counts rows")
	}
	return c.Args, nil
}

// listaggArgs takes the separator, a comma if unsaid.
func (b *binder) listaggArgs(c *ast.Call, n *slot) ([]ast.Expr, error) {
	n.call.Text = ","
	if len(c.Args) == 0 || len(c.Args) > 2 {
		return nil, b.failf(c, "LISTAGG takes 1 or 2 arguments, got %d", len(c.Args))
	}
	if len(c.Args) == 2 {
		l, ok := c.Args[1].(*ast.Literal)
		if !ok || l.Kind != ast.StringLiteral {
			return nil, b.failf(c.Args[1], "the separator of LISTAGG must be a text in quotes")
		}
		n.call.Text = l.Text
	}
	return c.Args[:1], nil
}

// settle rewrites an expression for the stage at hand: columns of FROM and slots become columns of its node. The place is that
// of the whole expression.
func (s *selection) settle(at ranged, e expr.Expr) (expr.Expr, error) {
	if _, constant := e.(*expr.Literal); constant { // some functions want theirs as they are, whatever is grouped by
		return e, nil
	}
	if s.keys != nil {
		if i, ok := s.keys[fingerprint(e)]; ok {
			return columnOf(s.node, i), nil
		}
	}
	if c, ok := e.(*expr.Column); ok {
		return s.settleColumn(at, c)
	}
	return s.rebuilt(at, e, func(part expr.Expr) (expr.Expr, error) { return s.settle(at, part) })
}

func (s *selection) settleColumn(at ranged, c *expr.Column) (expr.Expr, error) {
	switch {
	case c.Index < 0:
		n := s.slots[-1-c.Index]
		if n.kind == querySlot || n.kind == memberSlot {
			return s.queryValue(n)
		}
		if n.column == noColumn {
			return nil, s.failf(n.at, "the call can't stand here")
		}
		return columnOf(s.node, n.column), nil
	case s.keys == nil || c.Index >= outerBase:
		return c, nil
	}
	place := at
	if span, ok := s.places[c]; ok {
		place = span
	}
	return nil, s.hinted(place, "group by it, or use an aggregate function such as MAX or FIRST_VALUE", "%s is neither grouped by nor within an aggregate call", c)
}

// settleAll is settle for a list.
func (s *selection) settleAll(at ranged, list []expr.Expr) ([]expr.Expr, error) {
	out, _, err := each(list, func(e expr.Expr) (expr.Expr, error) { return s.settle(at, e) })
	return out, err
}
