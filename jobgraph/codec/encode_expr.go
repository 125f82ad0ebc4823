package codec

import (
	"strconv"
	"unicode/utf8"

	"millrace/expr"
	jobv1 "millrace/proto/millrace/job/v1"
	"millrace/types"
)

func (e *encoder) expr(field string, x expr.Expr, depth int) *jobv1.Expression {
	e.nodes++
	if depth > ExprDepthMax || e.nodes > ExprNodesMax {
		e.addf(field, "the expression is deeper than %d, or all have more than %d nodes", ExprDepthMax, ExprNodesMax)
		return nil
	}
	out := &jobv1.Expression{}
	switch x := x.(type) {
	case *expr.Column:
		if x != nil {
			out.Node = &jobv1.Expression_Column{Column: &jobv1.Column{Index: e.int(field+".column.index", x.Index), Name: x.Name}}
		}
	case *expr.Literal:
		if x != nil {
			out.Node = &jobv1.Expression_Literal{Literal: e.literal(field+".literal", x.Value)}
		}
	case *expr.Call:
		if x != nil {
			out.Node = &jobv1.Expression_Call{Call: e.call(below(field, ".call"), x, depth)}
		}
	case *expr.Cast:
		if x != nil {
			out.Node = &jobv1.Expression_Cast{Cast: &jobv1.Cast{X: e.expr(below(field, ".cast.x"), x.X, depth+1), Try: x.Try}}
		}
	case *expr.Case:
		if x != nil {
			out.Node = &jobv1.Expression_Case{Case: e.cases(below(field, ".case"), x, depth)}
		}
	}
	if out.Node == nil {
		e.addf(field, "is missing")
		return nil
	}
	out.Type = e.typ(field+".type", x.Type(), 0)
	return out
}

func (e *encoder) call(field string, c *expr.Call, depth int) *jobv1.Call {
	out := &jobv1.Call{Func: c.Func}
	for i, a := range c.Args {
		out.Args = append(out.Args, e.expr(below(field, ".args["+strconv.Itoa(i)+"]"), a, depth+1))
	}
	return out
}

func (e *encoder) cases(field string, c *expr.Case, depth int) *jobv1.Case {
	out := &jobv1.Case{}
	for i, w := range c.Whens {
		at := below(field, ".whens["+strconv.Itoa(i)+"]")
		out.Whens = append(out.Whens, &jobv1.When{If: e.expr(at+".if", w.If, depth+1), Then: e.expr(at+".then", w.Then, depth+1)})
	}
	if c.Else != nil {
		out.Else = e.expr(field+".else", c.Else, depth+1)
	}
	return out
}

func (e *encoder) literal(field string, value any) *jobv1.Literal {
	switch v := value.(type) {
	case nil:
		return &jobv1.Literal{Value: &jobv1.Literal_Null{Null: true}}
	case bool:
		return &jobv1.Literal{Value: &jobv1.Literal_Bool{Bool: v}}
	case int64:
		return &jobv1.Literal{Value: &jobv1.Literal_Int64{Int64: v}}
	case float64:
		return &jobv1.Literal{Value: &jobv1.Literal_Double{Double: v}}
	case types.Int128:
		return &jobv1.Literal{Value: &jobv1.Literal_Int128{Int128: &jobv1.Int128{Lo: v.Lo, Hi: v.Hi}}}
	case string:
		if !utf8.ValidString(v) {
			e.addf(field, "the text is not valid UTF-8")
		}
		return &jobv1.Literal{Value: &jobv1.Literal_String_{String_: v}}
	case []byte:
		return &jobv1.Literal{Value: &jobv1.Literal_Bytes{Bytes: v}}
	default:
		e.addf(field, "a %T is no value of a literal", value)
		return nil
	}
}
