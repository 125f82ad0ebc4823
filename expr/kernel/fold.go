package kernel

import (
	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// Fold replaces sub-trees without columns by their values and returns the
// tree, which shares what was left as it was. A constant that fails is left
// in place: it fails when, and only if, a row meets it. So is what depends on
// a clock, on chance or on a session's time zone. The tree must be one that
// expr.Check passes.
func Fold(e expr.Expr, reg *expr.Registry) (expr.Expr, error) {
	f := folder{reg: reg}
	return f.fold(e), nil
}

// Fold is the function of that name, which folds what depends on the time zone too.
func (s Session) Fold(e expr.Expr, reg *expr.Registry) expr.Expr {
	f := folder{reg: reg, session: newSession(s)}
	return f.fold(e)
}

type folder struct {
	reg     *expr.Registry
	session *session // nil: none is known
	pool    stream.Pool
}

func (f *folder) fold(e expr.Expr) expr.Expr {
	switch e := e.(type) {
	case *expr.Call:
		args, all, changed := f.foldAll(e.Args)
		if changed {
			e = &expr.Call{Func: e.Func, Args: args, T: e.T}
		}
		sig, _ := f.reg.Lookup(e.Func)
		return f.value(e, all && !sig.Varies && (f.session != nil || !sig.Zoned))
	case *expr.Cast:
		x := f.fold(e.X)
		if x != e.X {
			e = &expr.Cast{X: x, To: e.To, Try: e.Try}
		}
		return f.value(e, isLiteral(x) && (f.session != nil || !zoned(e)))
	case *expr.Case:
		return f.foldCase(e)
	default:
		return e
	}
}

// zoned tells whether a cast goes by the session's time zone.
func zoned(e *expr.Cast) bool {
	from, to := e.X.Type().Kind, e.To.Kind
	return from != to && (from == types.TimestampLTZ || to == types.TimestampLTZ)
}

func isLiteral(e expr.Expr) bool {
	_, ok := e.(*expr.Literal)
	return ok
}

func (f *folder) foldAll(es []expr.Expr) (out []expr.Expr, all, changed bool) {
	out, all = make([]expr.Expr, len(es)), true
	for i, e := range es {
		out[i] = f.fold(e)
		all = all && isLiteral(out[i])
		changed = changed || out[i] != e
	}
	return out, all, changed
}

// foldCase folds the parts, and the whole where all are constant.
func (f *folder) foldCase(e *expr.Case) expr.Expr {
	c := &expr.Case{T: e.T, Whens: make([]expr.When, len(e.Whens))}
	all := true
	for i, w := range e.Whens {
		c.Whens[i] = expr.When{If: f.fold(w.If), Then: f.fold(w.Then)}
		all = all && isLiteral(c.Whens[i].If) && isLiteral(c.Whens[i].Then)
	}
	if e.Else != nil {
		c.Else = f.fold(e.Else)
		all = all && isLiteral(c.Else)
	}
	return f.value(c, all)
}

func (f *folder) sessionOf() *session {
	if f.session == nil {
		return newSession(Session{})
	}
	return f.session
}

// value evaluates an expression whose parts are constant.
func (f *folder) value(e expr.Expr, constant bool) expr.Expr {
	if !constant {
		return e
	}
	p, err := bind(e, f.reg, f.sessionOf())
	if err != nil {
		return e
	}
	b := f.pool.NewBatch(types.NewSchema(), 1)
	defer b.Release()
	v, err := p.Eval(&f.pool, b)
	if err != nil {
		return e
	}
	defer v.Release()
	if l, ok := literalOf(&v, e.Type()); ok {
		return l
	}
	return e
}

// literalOf returns row 0 of a vector as a constant; nested values have none.
func literalOf(v *stream.Vector, t types.Type) (*expr.Literal, bool) {
	if v.IsNull(0) {
		return expr.Null(t), t.Nullable // a NULL that the type denies stays an expression
	}
	l := &expr.Literal{T: t}
	switch t.Layout() {
	case types.LayoutBit:
		l.Value = v.Bool(0)
	case types.LayoutInt8:
		l.Value = int64(stream.Value[int8](v, 0))
	case types.LayoutInt16:
		l.Value = int64(stream.Value[int16](v, 0))
	case types.LayoutInt32:
		l.Value = int64(stream.Value[int32](v, 0))
	case types.LayoutInt64:
		l.Value = stream.Value[int64](v, 0)
	case types.LayoutFloat32:
		l.Value = float64(stream.Value[float32](v, 0))
	case types.LayoutFloat64:
		l.Value = stream.Value[float64](v, 0)
	case types.LayoutInt128:
		l.Value = stream.Value[types.Int128](v, 0)
	case types.LayoutBytes:
		if t.Kind == types.Binary || t.Kind == types.VarBinary {
			l.Value = append([]byte{}, v.Bytes(0)...)
		} else {
			l.Value = string(v.Bytes(0))
		}
	default:
		return nil, false
	}
	return l, true
}
