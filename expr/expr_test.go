package expr

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/types"
)

func col(i int, t types.Type) *Column { return &Column{Index: i, T: t} }

func TestResultTypes(t *testing.T) {
	reg := Builtins()
	bigint, notNull := types.Of(types.BigInt), types.Of(types.Int).NotNull()
	cases := []struct {
		name string
		args []types.Type
		want string
	}{
		{"+", []types.Type{types.Of(types.TinyInt), types.Of(types.TinyInt)}, "TINYINT"},
		{"+", []types.Type{notNull, notNull}, "INT NOT NULL"},
		{"+", []types.Type{notNull, bigint}, "BIGINT"},
		{"+", []types.Type{types.Of(types.Float), bigint}, "FLOAT"},
		{"+", []types.Type{types.Of(types.Float), types.DecimalOf(5, 2)}, "DOUBLE"},
		{"+", []types.Type{types.DecimalOf(10, 2), types.DecimalOf(10, 4)}, "DECIMAL(13, 4)"},
		{"-", []types.Type{types.DecimalOf(38, 8), types.DecimalOf(32, 8)}, "DECIMAL(38, 7)"},
		{"*", []types.Type{types.DecimalOf(10, 2), types.DecimalOf(5, 3)}, "DECIMAL(16, 5)"},
		{"*", []types.Type{types.DecimalOf(38, 20), types.DecimalOf(38, 20)}, "DECIMAL(38, 6)"},
		{"/", []types.Type{types.DecimalOf(10, 2), types.DecimalOf(5, 3)}, "DECIMAL(19, 8)"},
		{"/", []types.Type{types.DecimalOf(5, 0), notNull}, "DECIMAL(16, 11)"},
		{"%", []types.Type{types.DecimalOf(10, 2), types.DecimalOf(5, 3)}, "DECIMAL(5, 3)"},
		{"%", []types.Type{bigint, notNull}, "INT"},
		{"=", []types.Type{notNull, notNull}, "BOOLEAN NOT NULL"},
		{"=", []types.Type{notNull, bigint}, "BOOLEAN"},
		{"IS NULL", []types.Type{bigint}, "BOOLEAN NOT NULL"},
		{"IS DISTINCT FROM", []types.Type{bigint, bigint}, "BOOLEAN NOT NULL"},
		{"COALESCE", []types.Type{bigint, notNull}, "BIGINT NOT NULL"},
		{"NULLIF", []types.Type{notNull, bigint}, "INT"},
		{"CHAR_LENGTH", []types.Type{types.StringType()}, "INT"},
		{"||", []types.Type{types.VarCharOf(3), types.VarCharOf(4)}, "VARCHAR(7)"},
		{"+", []types.Type{types.TimestampOf(3).NotNull(), types.Of(types.IntervalDayTime).NotNull()}, "TIMESTAMP(3) NOT NULL"},
		{"=", []types.Type{types.StringType(), bigint}, "error"},
		{"AND", []types.Type{bigint, bigint}, "error"},
		{"UPPER", []types.Type{bigint}, "error"},
		{"=", []types.Type{types.ArrayOf(bigint), types.ArrayOf(bigint)}, "error"},
	}
	for _, c := range cases {
		args := make([]Expr, len(c.args))
		for i, a := range c.args {
			args[i] = col(i, a)
		}
		got := "error"
		if e, err := NewCall(reg, c.name, args...); err == nil {
			got = e.T.String()
		}
		if got != c.want {
			t.Errorf("%s of %v is %s, want %s", c.name, c.args, got, c.want)
		}
	}
}

func TestAggregateTypes(t *testing.T) {
	cases := []struct {
		name string
		arg  types.Type
		want string
	}{
		{"COUNT", types.ArrayOf(types.Of(types.Int)), "BIGINT NOT NULL"},
		{"SUM", types.Of(types.Int).NotNull(), "INT"},
		{"SUM", types.Of(types.BigInt), "BIGINT"},
		{"SUM", types.DecimalOf(10, 2), "DECIMAL(38, 2)"},
		{"AVG", types.Of(types.BigInt), "BIGINT"},
		{"AVG", types.Of(types.Double), "DOUBLE"},
		{"AVG", types.DecimalOf(10, 2), "DECIMAL(38, 6)"},
		{"AVG", types.DecimalOf(20, 9), "DECIMAL(38, 9)"},
		{"MAX", types.StringType().NotNull(), "STRING"},
		{"MIN", types.TimestampOf(3), "TIMESTAMP(3)"},
		{"SUM", types.StringType(), "error"},
		{"MIN", types.MapOf(types.Of(types.Int), types.Of(types.Int)), "error"},
		{"MEDIAN", types.Of(types.Int), "error"},
	}
	for _, c := range cases {
		got := "error"
		if typ, err := AggregateType(c.name, c.arg); err == nil {
			got = typ.String()
		}
		if got != c.want {
			t.Errorf("%s(%s) is %s, want %s", c.name, c.arg, got, c.want)
		}
	}
}

func TestAggregateResults(t *testing.T) {
	text, number := types.StringType(), types.Of(types.Int).NotNull()
	cases := []struct {
		name string
		args []types.Type
		want string
	}{
		{"COUNT", nil, "BIGINT NOT NULL"},
		{"count", []types.Type{text, number}, "BIGINT NOT NULL"},
		{"SUM", []types.Type{number}, "INT"},
		{"SUM0", []types.Type{types.DecimalOf(10, 2)}, "DECIMAL(38, 2) NOT NULL"},
		{"AVG", []types.Type{types.DecimalOf(10, 2)}, "DECIMAL(38, 6)"},
		{"STDDEV_POP", []types.Type{types.Of(types.Double)}, "DOUBLE"},
		{"VAR_SAMP", []types.Type{number}, "INT"},
		{"MIN", []types.Type{text}, "STRING"},
		{"FIRST_VALUE", []types.Type{number}, "INT"},
		{"LAST_VALUE", []types.Type{types.ArrayOf(text)}, "ARRAY<STRING>"},
		{"LISTAGG", []types.Type{types.VarCharOf(3), text}, "STRING"},
		{"ARRAY_AGG", []types.Type{number}, "ARRAY<INT NOT NULL>"},
		{"LISTAGG", []types.Type{number}, "error"},
		{"SUM", nil, "error"},
		{"SUM0", []types.Type{text}, "error"},
		{"AVG", []types.Type{number, number}, "error"},
		{"MAX", []types.Type{types.Of(types.Null)}, "error"},
		{"MEDIAN", []types.Type{number}, "error"},
	}
	for _, c := range cases {
		got := "error"
		if typ, err := AggregateResult(c.name, c.args); err == nil {
			got = typ.String()
		}
		if got != c.want {
			t.Errorf("%s%v is %s, want %s", c.name, c.args, got, c.want)
		}
	}
}

func TestImplicitCastsAreExplicit(t *testing.T) {
	reg := Builtins()
	a, b := col(0, types.Of(types.Int)), col(1, types.Of(types.BigInt))
	cases := map[string]Expr{
		"+(CAST($0 AS BIGINT), $1)":                          mustCall(t, reg, "+", a, b),
		"=(CAST($0 AS DECIMAL(10, 0)), $1)":                  mustCall(t, reg, "=", a, col(1, types.DecimalOf(10, 0))),
		"COALESCE(CAST($0 AS DOUBLE), $1)":                   mustCall(t, reg, "COALESCE", a, col(1, types.Of(types.Double))),
		"+($0, NULL)":                                        mustCall(t, reg, "+", a, Null(types.Of(types.Null))),
		"=($0, CAST('2024-01-01' AS TIMESTAMP(3) NOT NULL))": mustCall(t, reg, "=", col(0, types.TimestampOf(3)), String("2024-01-01")),
	}
	for want, e := range cases {
		if got := e.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func mustCall(t *testing.T, reg *Registry, name string, args ...Expr) *Call {
	t.Helper()
	e, err := NewCall(reg, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestCheckNamesEveryProblem(t *testing.T) {
	reg := Builtins()
	integer, text := types.Of(types.Int), types.StringType()
	s := types.NewSchema(types.Field{Name: "a", Type: integer}, types.Field{Name: "s", Type: text})
	bad := &Call{Func: "AND", T: types.Of(types.Boolean), Args: []Expr{
		&Call{Func: "=", T: types.Of(types.Boolean), Args: []Expr{col(0, integer), col(7, integer)}},
		&Call{Func: "=", T: types.Of(types.Boolean), Args: []Expr{col(1, integer), &Literal{T: integer, Value: "x"}}},
		&Call{Func: "NOPE", T: types.Of(types.Boolean)},
		&Call{Func: "<", T: types.Of(types.Boolean), Args: []Expr{col(0, integer), BigInt(1)}},
		&Call{Func: "NOT", T: integer, Args: []Expr{Bool(true)}},
		&Call{Func: "NOT", T: types.Of(types.Boolean)},
		&Cast{X: col(0, integer), To: types.Of(types.Date)},
		&Cast{X: col(0, integer), To: types.Of(types.BigInt).NotNull()},
		&Case{T: integer},
		&Case{T: integer, Whens: []When{{If: col(0, integer), Then: col(1, text)}}},
		&Literal{T: types.DecimalOf(3, 0), Value: int64(1000)},
		&Literal{T: types.Of(types.TinyInt), Value: int64(200)},
		&Literal{T: types.Of(types.Int).NotNull()},
		(*Cast)(nil), nil,
	}}
	var got []string
	for _, p := range Check(bad, s, reg) {
		got = append(got, p.Error())
	}
	want := []string{
		"expression.args[0].args[1]: column 7 of an input with 2",
		"expression.args[1].args[0]: column 1 is STRING, not INT",
		"expression.args[1].args[1]: literal: a string is no value of type INT",
		`expression.args[2]: no function "NOPE"`,
		"expression.args[3]: <: argument 1 is INT, want BIGINT",
		"expression.args[4]: NOT gives BOOLEAN NOT NULL, not INT",
		"expression.args[5]: NOT takes 1 arguments, got 0",
		"expression.args[6]: can't cast INT to DATE",
		"expression.args[7]: a cast of INT can be NULL, BIGINT NOT NULL can't",
		"expression.args[8]: CASE has no WHEN",
		"expression.args[9]: when[0].if is INT, want BOOLEAN",
		"expression.args[9]: when[0].then is STRING, want INT",
		"expression.args[10]: literal: a int64 is no value of type DECIMAL(3, 0)",
		"expression.args[11]: literal: a int64 is no value of type TINYINT",
		"expression.args[12]: literal: NULL can't be of type INT NOT NULL",
		"expression.args[13]: is missing",
		"expression.args[14]: is missing",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestCheckBoundsTheTree(t *testing.T) {
	reg := Builtins()
	deep := Expr(Bool(true))
	for range DepthMax {
		deep = &Call{Func: "NOT", Args: []Expr{deep}, T: deep.Type()}
	}
	// A tree whose nodes are shared doubles with each level.
	wide := Expr(Bool(true))
	for range 40 {
		wide = &Call{Func: "AND", Args: []Expr{wide, wide}, T: wide.Type()}
	}
	for name, e := range map[string]Expr{"deep": deep, "wide": wide} {
		problems := Check(e, types.NewSchema(), reg)
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), "deeper than") {
			t.Errorf("%s: %v", name, problems)
		}
	}
	fine := deep.(*Call).Args[0]
	if problems := Check(fine, types.NewSchema(), reg); len(problems) > 0 {
		t.Errorf("%d levels: %v", DepthMax, problems)
	}
}

func TestRegistryRefusesWhatCantStand(t *testing.T) {
	r := NewRegistry()
	resolve := always(boolean)
	for _, s := range []Signature{{Name: "", Resolve: resolve}, {Name: "lower", Resolve: resolve}, {Name: "X"}} {
		if err := r.Register(s); err == nil {
			t.Errorf("%q was registered", s.Name)
		}
	}
	if err := r.Register(Signature{Name: "X", Resolve: resolve}); err != nil {
		t.Fatal(err)
	}
	if err := r.Register(Signature{Name: "X", Resolve: resolve}); err == nil {
		t.Error("X was registered twice")
	}
}

// TestClassesGoByTheirNames: the name of a class has a case.
func TestClassesGoByTheirNames(t *testing.T) {
	r := NewRegistry()
	if err := r.Register(Signature{Name: "com.example.F", Resolve: always(boolean)}); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Lookup("com.example.F"); !ok {
		t.Error("com.example.F was not found")
	}
	if _, ok := r.Lookup("com.example.f"); ok {
		t.Error("com.example.f was found")
	}
}

// TestBuiltinsAreDocumented: the list of functions is generated from what stands in the signatures.
func TestBuiltinsAreDocumented(t *testing.T) {
	reg := Builtins()
	for name := range usages {
		if _, ok := reg.Lookup(name); !ok {
			t.Errorf("%s is described, and is no function", name)
		}
	}
	for _, name := range reg.Names() {
		s, _ := reg.Lookup(name)
		if s.Usage == "" || s.Doc == "" || s.Family == "" || s.Example == "" {
			t.Errorf("%s is not described in whole: %q, %q, %q, %q", name, s.Family, s.Usage, s.Doc, s.Example)
		}
		if !strings.HasSuffix(s.Doc, ".") {
			t.Errorf("%s: %q is no sentence", name, s.Doc)
		}
	}
}
