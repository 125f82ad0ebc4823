package expr_test

import (
	"strings"
	"testing"

	"millrace/expr"
	"millrace/types"
)

// TestDeclaredArguments: what a function of a program declares is what it is called with, and arguments are cast to it as Flink casts implicitly.
func TestDeclaredArguments(t *testing.T) {
	ltz := types.TimestampLTZOf
	lists := types.ArrayOf(types.Of(types.Int))
	for _, c := range []struct {
		declared, given types.Type
		want            string // of the argument of the call; "" is refused
	}{
		{types.Of(types.BigInt), types.Of(types.Int).NotNull(), "CAST(a AS BIGINT NOT NULL)"},
		{types.Of(types.BigInt).NotNull(), types.Of(types.BigInt), "a"},
		{types.Of(types.Int), types.Of(types.BigInt), ""},
		{types.Of(types.Double), types.DecimalOf(10, 2), "CAST(a AS DOUBLE)"},
		{types.Of(types.Float), types.Of(types.Double), ""},
		{types.DecimalOf(10, 2), types.Of(types.SmallInt), "CAST(a AS DECIMAL(10, 2))"},
		{types.DecimalOf(10, 2), types.DecimalOf(10, 3), ""},
		{types.StringType(), types.Type{Kind: types.Char, Nullable: true, Length: 3}, "CAST(a AS STRING)"},
		{types.StringType(), types.Of(types.Int), ""},
		{ltz(9), ltz(3), "CAST(a AS TIMESTAMP_LTZ(9))"},
		{ltz(9), types.TimestampOf(3), "CAST(a AS TIMESTAMP_LTZ(9))"},
		{ltz(3), ltz(9), ""},
		{lists, types.ArrayOf(types.Of(types.Int).NotNull()), "a"},
		{types.ArrayOf(types.Of(types.Int).NotNull()), lists, ""},
		{types.Of(types.Boolean), types.Of(types.Int), ""},
	} {
		r, err := expr.Builtins().With((&expr.Declared{Name: "F", Kind: expr.ScalarFunc, Args: []types.Type{c.declared}, Result: types.Of(types.Int)}).Signature(nil))
		if err != nil {
			t.Fatal(err)
		}
		call, err := expr.NewCall(r, "f", &expr.Column{Name: "a", T: c.given})
		switch {
		case c.want == "" && err == nil:
			t.Errorf("F(%s) of a %s is %s, want that it is refused", c.declared, c.given, call)
		case c.want != "" && err != nil:
			t.Errorf("F(%s) of a %s: %v", c.declared, c.given, err)
		case c.want != "" && call.Args[0].String() != c.want:
			t.Errorf("F(%s) of a %s is given %s, want %s", c.declared, c.given, call.Args[0], c.want)
		}
	}
}

// TestDeclaredResult: a NULL where none is taken makes a result that may be NULL.
func TestDeclaredResult(t *testing.T) {
	number := types.Of(types.BigInt)
	d := &expr.Declared{Name: "F", Kind: expr.ScalarFunc, Args: []types.Type{number.NotNull(), number}, Result: number.NotNull()}
	r, err := expr.Builtins().With(d.Signature(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a, b types.Type
		want string
	}{
		{number.NotNull(), number, "BIGINT NOT NULL"}, {number, number.NotNull(), "BIGINT"},
	} {
		call, err := expr.NewCall(r, "F", &expr.Column{Name: "a", T: c.a}, &expr.Column{Name: "b", T: c.b})
		if err != nil || call.Type().String() != c.want {
			t.Errorf("F(%s, %s) is %v, %v, want %s", c.a, c.b, call, err, c.want)
		}
	}
	if errs := expr.Check(&expr.Call{Func: "F"}, types.NewSchema(), r); len(errs) == 0 {
		t.Error("a call without arguments stands")
	}
}

func TestNamesOfDeclared(t *testing.T) {
	for name, want := range map[string]string{
		"DISTANCE": "", "_F1": "", "f": "upper case", "1F": "digits", "": "no name", "A.B": "no name", "ABS": "already", "SUM": "already", "ROW_NUMBER": "already", "TUMBLE": "already",
	} {
		err := expr.Builtins().CheckDeclared(&expr.Declared{Name: name})
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("a function called %q: %v, want %q", name, err, want)
		}
	}
}
