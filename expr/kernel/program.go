package kernel

import (
	"errors"
	"fmt"

	"millrace/expr"
	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

// Program is a compiled expression. See the package comment for concurrency.
type Program struct {
	typ     types.Type
	root    node
	session *session
}

// Compile is Session's without one: in UTC, and without functions that read a clock.
func Compile(e expr.Expr, input *types.Schema, reg *expr.Registry) (*Program, error) {
	return Session{}.Compile(e, input, reg)
}

// Compile checks the expression against the input and binds it to kernels.
// What is wrong with it is one error that joins every problem, of the user's class:
// constant patterns and formats that can't be used are among them.
func (s Session) Compile(e expr.Expr, input *types.Schema, reg *expr.Registry) (*Program, error) {
	return compile(e, input, reg, newSession(s))
}

func compile(e expr.Expr, input *types.Schema, reg *expr.Registry, s *session) (*Program, error) {
	if problems := expr.Check(e, input, reg); len(problems) > 0 {
		return nil, failure.User(fmt.Errorf("compile expression: %w", errors.Join(problems...)))
	}
	f := folder{reg: reg, session: s}
	return bind(f.fold(e), reg, s)
}

// bind makes the program of a tree that was checked.
func bind(e expr.Expr, reg *expr.Registry, s *session) (*Program, error) {
	c := compiler{reg: reg, session: s, literals: &stream.Pool{}}
	root, err := c.expr(e)
	if err != nil {
		return nil, failure.User(fmt.Errorf("compile %s: %w", brief(e), err))
	}
	return &Program{typ: e.Type(), root: root, session: s}, nil
}

// Type returns the type of the values.
func (p *Program) Type() types.Type { return p.typ }

// Eval returns a vector of b.Len() rows, owned by the caller, whose selected
// rows hold the values; the others are undefined, though safe to look at. A
// column reference returns the batch's vector, retained. The first selected row
// that fails makes the whole batch fail, with an error of the user's class that
// names the row's position; an error leaves nothing to release.
func (p *Program) Eval(pool *stream.Pool, b *stream.Batch) (stream.Vector, error) {
	if b.Rows() == 0 {
		return stream.NullOf(pool, p.typ, b.Len()), nil
	}
	p.session.begin()
	v, err := p.root.eval(frameOf(pool, b))
	if err != nil {
		return stream.Vector{}, err
	}
	if v.Encoding == stream.Constant && v.Len() != b.Len() {
		one := v
		v = stream.ConstantOf(pool, &one, 0, b.Len())
		one.Release()
	}
	v.Type = p.typ
	return v, nil
}

// Predicate is a compiled condition. See the package comment for concurrency.
type Predicate struct {
	root    node
	session *session
	flat    scratch
}

// CompilePredicate is Session's without one, as Compile.
func CompilePredicate(e expr.Expr, input *types.Schema, reg *expr.Registry) (*Predicate, error) {
	return Session{}.CompilePredicate(e, input, reg)
}

// CompilePredicate is Compile for a BOOLEAN expression that picks rows.
func (s Session) CompilePredicate(e expr.Expr, input *types.Schema, reg *expr.Registry) (*Predicate, error) {
	p, err := s.Compile(e, input, reg)
	if err != nil {
		return nil, err
	}
	if p.typ.Kind != types.Boolean {
		return nil, failure.Userf("compile condition: %s is %s, want BOOLEAN", brief(e), p.typ)
	}
	return &Predicate{root: p.root, session: p.session}, nil
}

// Select appends the positions of the batch's selected rows for which the
// condition is TRUE to sel, ascending, and returns it. Errors are as Eval's.
func (p *Predicate) Select(pool *stream.Pool, b *stream.Batch, sel []int32) ([]int32, error) {
	if b.Rows() == 0 {
		return sel, nil
	}
	p.session.begin()
	f := frameOf(pool, b)
	v, err := p.root.eval(f)
	if err != nil {
		return sel, err
	}
	v = p.flat.flatten(f, v)
	defer v.Release()
	return p.flat.appendTrue(sel, f, &v), nil
}

// appendTrue appends the selected rows of a flat or constant BOOLEAN that are TRUE.
func (s *scratch) appendTrue(sel []int32, f frame, v *stream.Vector) []int32 {
	bits, valid := v.Bits(), v.Valid()
	if v.Encoding == stream.Constant {
		if !bits.Get(0) || valid != nil && !valid.Get(0) {
			return sel
		}
		return f.appendAll(sel)
	}
	if f.sel != nil {
		for _, i := range f.sel {
			if bits.Get(int(i)) && (valid == nil || valid.Get(int(i))) {
				sel = append(sel, i)
			}
		}
		return sel
	}
	if valid == nil {
		return bits.AppendSet(sel, f.n)
	}
	both := s.word(0, f.n)
	copy(both, bits)
	andWords(both, valid)
	return both.AppendSet(sel, f.n)
}
