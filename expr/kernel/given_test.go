package kernel

import (
	"bytes"
	"errors"
	"testing"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// givenRegistry has the builtins and functions as a connector may register them.
func givenRegistry(t *testing.T) *expr.Registry {
	t.Helper()
	reg := expr.Builtins()
	pass := func(n int) func([]types.Type) ([]types.Type, error) {
		return func(args []types.Type) ([]types.Type, error) { return args[:n], nil }
	}
	gives := func(typ types.Type) func([]types.Type) (types.Type, error) {
		return func([]types.Type) (types.Type, error) { return typ, nil }
	}
	err := reg.Register(
		expr.Signature{
			Name: "COUNT_CHAR", Kind: expr.ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: pass(2), Resolve: gives(types.Of(types.BigInt)), Doc: "How often a character occurs.",
			Impl: NewVectors(func(r *Run) error {
				text, char, out := r.Arg(0), r.Arg(1), stream.Values[int64](r.Out())
				for i := range r.Rows() {
					if r.Counts(i) {
						out[i] = int64(bytes.Count(text.Bytes(i), char.Bytes(i)))
					}
				}
				return nil
			}),
		},
		expr.Signature{
			Name: "SHOUT", Kind: expr.ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: pass(1), Resolve: gives(types.StringType()), Doc: "Text with a mark behind.",
			Impl: NewRows1(func(s []byte) ([]byte, error) {
				if len(s) == 0 {
					return nil, errors.New("nothing to shout")
				}
				return append(bytes.Clone(s), '!'), nil
			}),
		},
		expr.Signature{
			Name: "LONGER", Kind: expr.ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: pass(2), Resolve: gives(types.Of(types.Boolean)), Doc: "Whether a text is longer than a number.",
			Impl: NewRows2(func(s []byte, n int32) (bool, error) { return len(s) > int(n), nil }),
		},
		expr.Signature{
			Name: "WRONG", Kind: expr.ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: pass(1), Resolve: gives(types.StringType()), Doc: "A function whose signature lies.",
			Impl: NewRows1(func(s []byte) (int64, error) { return 0, nil }),
		},
		expr.Signature{
			Name: "THREE", Kind: expr.ScalarFunc, MinArgs: 3, MaxArgs: 3, Params: pass(3), Resolve: gives(types.Of(types.Double)), Doc: "A weighted sum.",
			Impl: NewRows3(func(a int64, b float64, c bool) (float64, error) { return float64(a)*b + float64(bit(c)), nil }),
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func TestFunctionsOfOthers(t *testing.T) {
	var pool stream.Pool
	reg := givenRegistry(t)
	b := textBatch(&pool, []string{"banana", "", "a"}, []int32{0, -1, 2, 0}, []int32{0, 1, 3})
	text := column(b.Schema, 0)
	for _, c := range []struct {
		e    expr.Expr
		want []string // by row
	}{
		{newExpr(t, reg, "COUNT_CHAR", text, expr.String("a")), []string{"3", "NULL", "", "3"}},
		{newExpr(t, reg, "count_char", text, text), []string{"1", "NULL", "", "1"}},
		{newExpr(t, reg, "SHOUT", text), []string{`"banana!"`, "NULL", "", `"banana!"`}},
		{newExpr(t, reg, "LONGER", text, expr.Int(3)), []string{"TRUE", "NULL", "", "TRUE"}},
		{newExpr(t, reg, "THREE", expr.BigInt(2), expr.Double(1.5), expr.Bool(true)), []string{"4.0", "4.0", "", "4.0"}},
	} {
		p, err := Compile(c.e, b.Schema, reg)
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Eval(&pool, b)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.want {
			if want != "" && show(&pool, &v, i) != want {
				t.Errorf("%s: row %d is %s, want %s", c.e, i, show(&pool, &v, i), want)
			}
		}
		v.Release()
	}
	b.Release()
	if n := pool.Live(); n != 0 {
		t.Errorf("%d buffers leaked", n)
	}
}

func TestFunctionsOfOthersFail(t *testing.T) {
	var pool stream.Pool
	reg := givenRegistry(t)
	b := textBatch(&pool, []string{"x", ""}, []int32{0, 1}, nil)
	p, err := Compile(newExpr(t, reg, "SHOUT", column(b.Schema, 0)), b.Schema, reg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Eval(&pool, b); err == nil || err.Error() != "row 1: SHOUT(s): nothing to shout" {
		t.Errorf("error is %v", err)
	}
	for _, e := range []expr.Expr{
		newExpr(t, reg, "WRONG", column(b.Schema, 0)),
		newExpr(t, reg, "LONGER", column(b.Schema, 0), expr.BigInt(3)),
	} {
		if _, err := Compile(e, b.Schema, reg); err == nil {
			t.Errorf("%s was compiled", e)
		}
	}
	b.Release()
	if n := pool.Live(); n != 0 {
		t.Errorf("%d buffers leaked", n)
	}
}
