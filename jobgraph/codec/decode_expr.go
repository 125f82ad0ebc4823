package codec

import (
	"strconv"
	"strings"

	"millrace/expr"
	jobv1 "millrace/proto/millrace/job/v1"
	"millrace/types"
)

// expr decodes a tree as it is written; whether its types fit together is
// expr.Check's question. It returns nil where the node can't be made, with a
// problem, so that no nil reaches a caller that sees no error.
func (d *decoder) expr(field string, e *jobv1.Expression, depth int) expr.Expr {
	d.nodes++
	switch {
	case e == nil:
		d.addf(field, "is missing")
		return nil
	case depth > ExprDepthMax:
		d.addf(field, "the expression is deeper than %d", ExprDepthMax)
		return nil
	case d.nodes > ExprNodesMax:
		if d.nodes == ExprNodesMax+1 {
			d.addf(field, "the expressions of the graph have more than %d nodes", ExprNodesMax)
		}
		return nil
	}
	t := d.typ(field+".type", e.Type, 0)
	switch n := e.Node.(type) {
	case *jobv1.Expression_Column:
		return &expr.Column{Index: int(n.Column.GetIndex()), Name: n.Column.GetName(), T: t}
	case *jobv1.Expression_Literal:
		return &expr.Literal{T: t, Value: d.literal(field+".literal", n.Literal, t)}
	case *jobv1.Expression_Call:
		return d.call(below(field, ".call"), n.Call, t, depth)
	case *jobv1.Expression_Cast:
		return &expr.Cast{X: d.expr(below(field, ".cast.x"), n.Cast.GetX(), depth+1), To: t, Try: n.Cast.GetTry()}
	case *jobv1.Expression_Case:
		return d.cases(below(field, ".case"), n.Case, t, depth)
	default:
		d.addf(field, "expression has no node that is known here")
		return nil
	}
}

// pathBytesMax bounds the path by which a node is named: without, the paths of
// a deep tree would take more memory than the tree.
const pathBytesMax = 200

// below returns the path of a child.
func below(path, step string) string {
	if len(path) < pathBytesMax {
		return path + step
	}
	if strings.HasSuffix(path, "...") {
		return path
	}
	return path + "..."
}

func (d *decoder) call(field string, c *jobv1.Call, t types.Type, depth int) expr.Expr {
	out := &expr.Call{Func: c.GetFunc(), T: t}
	if len(c.GetArgs()) > expr.ArgsMax {
		d.addf(field+".args", "%d arguments, more than %d", len(c.Args), expr.ArgsMax)
		return out
	}
	for i, a := range c.GetArgs() {
		out.Args = append(out.Args, d.expr(below(field, ".args["+strconv.Itoa(i)+"]"), a, depth+1))
	}
	return out
}

func (d *decoder) cases(field string, c *jobv1.Case, t types.Type, depth int) expr.Expr {
	out := &expr.Case{T: t}
	for i, w := range c.GetWhens() {
		at := below(field, ".whens["+strconv.Itoa(i)+"]")
		out.Whens = append(out.Whens, expr.When{
			If: d.expr(at+".if", w.GetIf(), depth+1), Then: d.expr(at+".then", w.GetThen(), depth+1),
		})
	}
	if c.GetElse() != nil {
		out.Else = d.expr(field+".else", c.Else, depth+1)
	}
	return out
}

// literal decodes a constant by the layout of its type, so that the value of
// every literal has the Go type that expr.Literal promises.
func (d *decoder) literal(field string, l *jobv1.Literal, t types.Type) any {
	var value any
	fits := false
	switch v := l.GetValue().(type) {
	case nil:
		d.addf(field, "has no value; NULL is written as null = true")
		return nil
	case *jobv1.Literal_Null:
		if !v.Null {
			d.addf(field, "null = false is no value")
		}
		return nil
	case *jobv1.Literal_Bool:
		value, fits = v.Bool, t.Layout() == types.LayoutBit
	case *jobv1.Literal_Int64:
		l := t.Layout()
		value, fits = v.Int64, l >= types.LayoutInt8 && l <= types.LayoutInt64
	case *jobv1.Literal_Double:
		l := t.Layout()
		value, fits = v.Double, l == types.LayoutFloat32 || l == types.LayoutFloat64
	case *jobv1.Literal_Int128:
		value, fits = types.Int128{Lo: v.Int128.GetLo(), Hi: v.Int128.GetHi()}, t.Layout() == types.LayoutInt128
	case *jobv1.Literal_String_:
		value, fits = v.String_, t.Kind == types.Char || t.Kind == types.VarChar
	case *jobv1.Literal_Bytes:
		value, fits = append([]byte{}, v.Bytes...), t.Kind == types.Binary || t.Kind == types.VarBinary
	}
	if !fits && t.Kind != types.Invalid {
		d.addf(field, "a %T is no value of type %s", value, t)
	}
	return value
}
