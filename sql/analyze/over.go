package analyze

import (
	"fmt"
	"strings"

	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
	"millrace/types"
)

// overWindow is what an OVER call goes over, bound to the columns of FROM.
type overWindow struct {
	partition []expr.Expr
	order     []expr.Expr
	orders    []plan.Order // directions; the columns come with the stage
	frame     plan.Frame
	at        ranged
}

func (w *overWindow) key() string {
	var b strings.Builder
	for _, list := range [][]expr.Expr{w.partition, w.order} {
		b.WriteByte('[')
		for _, e := range list {
			print(&b, e)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	}
	fmt.Fprintf(&b, "%v%v", w.orders, w.frame)
	return b.String()
}

// rankType is the type of a function that ranks; nil for others.
func rankType(name string) *types.Type {
	t := types.Of(types.BigInt).NotNull()
	switch name {
	case "ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE":
	case "PERCENT_RANK", "CUME_DIST":
		t = types.Of(types.Double).NotNull()
	default:
		return nil
	}
	return &t
}

// overCall binds f(...) OVER (...).
func (b *binder) overCall(c *ast.Call, name string) (expr.Expr, error) {
	if b.allow&overs == 0 || b.sel == nil {
		return nil, b.failf(c, "an OVER call can't stand in %s", b.clause)
	}
	inner := *b
	inner.allow &^= overs | subqueries
	inner.outer = false
	n, err := inner.overFunction(c, name)
	if err != nil {
		return nil, err
	}
	n.kind, n.at = overSlot, c
	if n.window, err = inner.overWindow(c.Over, c); err != nil {
		return nil, err
	}
	if rankType(name) != nil || name == "LAG" || name == "LEAD" {
		if specFrame := n.window.frame; specFrame != wholeFrame && n.window.at != nil {
			return nil, b.failf(n.window.at, "%s takes no frame", name)
		}
		n.window.frame = placeFrame
	}
	n.key = callKey(&n.call, n.args, n.filter, n.window)
	return b.sel.slot(n).placeholder(), nil
}

// wholeFrame is the frame that is meant where none is said.
var wholeFrame = plan.Frame{Range: true, Unbounded: true}

// placeFrame is the frame of functions that go by the place of a row, and take none: each row is behind those before it, peers or not.
var placeFrame = plan.Frame{Unbounded: true}

// overFunction binds the function and its arguments.
func (b *binder) overFunction(c *ast.Call, name string) (*slot, error) {
	own := b.ownAggregate(name) != nil
	if !isAggregate(name) && !own && (c.Quantifier != ast.Unquantified || c.Filter != nil || c.OrderBy != nil || c.WithinGroup != nil) {
		return nil, b.failf(c, "%s takes arguments alone: it is no aggregate function", name)
	}
	if c.Nulls == ast.IgnoreNulls {
		return nil, b.unsupported(c, "IGNORE NULLS")
	}
	switch t := rankType(name); {
	case name == "LAG" || name == "LEAD":
		return b.shift(c, name)
	case name == "NTILE":
		if len(c.Args) != 1 {
			return nil, b.failf(c, "NTILE takes 1 argument, got %d", len(c.Args))
		}
		groups, err := b.count(c.Args[0])
		if err != nil {
			return nil, err
		}
		if groups == 0 {
			return nil, b.failf(c.Args[0], "NTILE needs a group at least")
		}
		return &slot{t: *t, call: plan.Call{Func: name, Filter: noColumn, Offset: groups, Name: "EXPR$"}}, nil
	case t != nil:
		if len(c.Args) > 0 {
			return nil, b.failf(c, "%s takes no arguments", name)
		}
		return &slot{t: *t, call: plan.Call{Func: name, Filter: noColumn, Name: "EXPR$"}}, nil
	case isAggregate(name) || own:
		return b.aggregate(c, name, b.allow&aggregates)
	default:
		return nil, b.failf(c, "%s is no function that goes OVER a window", name)
	}
}

// shift binds LAG and LEAD: a value, how many rows away, and what stands for a row that is not there.
func (b *binder) shift(c *ast.Call, name string) (*slot, error) {
	if len(c.Args) == 0 || len(c.Args) > 3 {
		return nil, b.failf(c, "%s takes 1 to 3 arguments, got %d", name, len(c.Args))
	}
	x, err := b.bind(c.Args[0])
	if err != nil {
		return nil, err
	}
	n := &slot{t: x.Type().AsNullable(), args: []expr.Expr{x}, call: plan.Call{Func: name, Filter: noColumn, Offset: 1, Name: "EXPR$"}}
	if len(c.Args) > 1 {
		if n.call.Offset, err = b.count(c.Args[1]); err != nil {
			return nil, err
		}
	}
	if len(c.Args) > 2 {
		absent, err := b.bind(c.Args[2])
		if err != nil {
			return nil, err
		}
		t, err := expr.CommonType(x.Type(), absent.Type())
		if err != nil {
			return nil, b.wrap(c.Args[2], err)
		}
		if n.args, err = b.castAll(c, []expr.Expr{x, absent}, t); err != nil {
			return nil, err
		}
		n.t = t
	}
	return n, nil
}

// castAll brings expressions to one type.
func (a *analyzer) castAll(at ranged, list []expr.Expr, t types.Type) ([]expr.Expr, error) {
	out, _, err := each(list, func(e expr.Expr) (expr.Expr, error) { return a.castTo(at, e, t) })
	return out, err
}

// castTo brings an expression to a type, nullability aside.
func (a *analyzer) castTo(at ranged, e expr.Expr, t types.Type) (expr.Expr, error) {
	if e.Type().EqualIgnoringNull(t) {
		return e, nil
	}
	if l, ok := e.(*expr.Literal); t.Kind != types.Null && (e.Type().Kind == types.Null || ok && l.Value == nil) {
		return expr.Null(t), nil
	}
	c, err := expr.NewCast(e, t, false)
	if err != nil {
		return nil, a.wrap(at, err)
	}
	return c, nil
}

// overWindow binds what OVER names or spells out.
func (b *binder) overWindow(o *ast.Over, c *ast.Call) (*overWindow, error) {
	spec, err := b.windowSpec(o, c)
	if err != nil {
		return nil, err
	}
	w := &overWindow{frame: wholeFrame}
	if w.partition, err = b.bindAll(spec.PartitionBy); err != nil {
		return nil, err
	}
	for _, item := range spec.OrderBy {
		x, err := b.bind(item.X)
		if err != nil {
			return nil, err
		}
		w.order = append(w.order, x)
		w.orders = append(w.orders, direction(item))
	}
	if len(w.order) == 0 {
		return nil, b.hinted(o, "order by a time attribute", "an OVER window needs ORDER BY")
	}
	if spec.Frame == nil {
		return w, nil
	}
	w.at = spec.Frame
	w.frame, err = b.frame(spec.Frame)
	return w, err
}

// direction returns how an item orders; Flink takes NULL for the smallest value.
func direction(item *ast.OrderItem) plan.Order {
	first := !item.Desc
	if item.Nulls != ast.DefaultNullOrder {
		first = item.Nulls == ast.NullsFirst
	}
	return plan.Order{Descending: item.Desc, NullsFirst: first}
}

// windowSpec returns the window with what it takes of the WINDOW clause.
func (b *binder) windowSpec(o *ast.Over, c *ast.Call) (*ast.WindowSpec, error) {
	if o.Name != nil {
		return b.namedWindow(*o.Name, 0)
	}
	if o.Spec == nil {
		return nil, b.failf(c, "OVER has no window")
	}
	return b.basedWindow(o.Spec, 0)
}

func (b *binder) namedWindow(name ast.Ident, depth int) (*ast.WindowSpec, error) {
	var known []string
	for _, w := range b.sel.tree.Windows {
		if w.Name.Name == name.Name {
			if depth > len(b.sel.tree.Windows) {
				return nil, b.failf(name, "window %s is defined by itself", name)
			}
			return b.basedWindow(w.Spec, depth+1)
		}
		known = append(known, w.Name.Name)
	}
	return nil, b.hinted(name, didYouMean(name.Name, known), "no window %s in the WINDOW clause", name)
}

// basedWindow adds what a window has of its own to the one that it names.
func (b *binder) basedWindow(spec *ast.WindowSpec, depth int) (*ast.WindowSpec, error) {
	if spec.Base == nil {
		return spec, nil
	}
	base, err := b.namedWindow(*spec.Base, depth)
	if err != nil {
		return nil, err
	}
	switch {
	case len(spec.PartitionBy) > 0:
		return nil, b.failf(spec.PartitionBy[0], "a window that adds to another one can't have PARTITION BY")
	case len(base.OrderBy) > 0 && len(spec.OrderBy) > 0:
		return nil, b.failf(spec.OrderBy[0], "window %s has an ORDER BY already", spec.Base)
	case base.Frame != nil:
		return nil, b.failf(spec.Base, "window %s has a frame: nothing can be added to it", spec.Base)
	}
	out := *spec
	out.PartitionBy = base.PartitionBy
	if len(base.OrderBy) > 0 {
		out.OrderBy = base.OrderBy
	}
	return &out, nil
}

// frame returns rows or time before the current row, where a frame has to end.
func (b *binder) frame(f *ast.Frame) (plan.Frame, error) {
	out := plan.Frame{Range: f.ByValue}
	if f.End != nil && f.End.Kind != ast.CurrentRow {
		return out, b.unsupported(f, "a frame that ends elsewhere than at CURRENT ROW")
	}
	switch f.Start.Kind {
	case ast.UnboundedPreceding:
		out.Unbounded = true
		return out, nil
	case ast.CurrentRow:
		return out, nil
	case ast.Preceding:
	default:
		return out, b.failf(f, "a frame can't begin behind the current row")
	}
	if !f.ByValue {
		n, err := b.count(f.Start.Offset)
		out.Preceding = n
		return out, err
	}
	d, err := b.duration(f.Start.Offset, "the bound of a RANGE frame")
	out.Preceding = d.Milliseconds()
	return out, err
}
