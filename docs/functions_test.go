package docs_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/sql/ast"
	"millrace/sql/parser"
	"millrace/stream"
	"millrace/types"
)

// scalarFunctions lists the registry by families, each function with what its
// example gives.
func scalarFunctions(t *testing.T) string {
	t.Helper()
	reg := expr.Builtins()
	families := map[string][]expr.Signature{}
	var order []string
	for _, name := range reg.Names() {
		s, _ := reg.Lookup(name)
		if families[s.Family] == nil {
			order = append(order, s.Family)
		}
		families[s.Family] = append(families[s.Family], s)
	}
	slices.Sort(order)
	var b strings.Builder
	for _, family := range order {
		fmt.Fprintf(&b, "### %s\n\n| function | meaning | example | gives |\n|---|---|---|---|\n", family)
		for _, s := range families[family] {
			example, gives := "", ""
			if s.Example != "" {
				example, gives = code(s.Example), evaluated(t, reg, s.Example)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(s.Usage), s.Doc, example, gives)
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// code prints text of a table as code.
func code(s string) string {
	return "`" + strings.ReplaceAll(strings.ReplaceAll(s, `\|`, "|"), "|", `\|`) + "`"
}

func aggregateFunctions(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| function | meaning | of INT | of DECIMAL(10, 2) | of STRING |\n|---|---|---|---|---|\n")
	for _, a := range expr.Aggregates() {
		fmt.Fprintf(&b, "| `%s` | %s |", a.Name, a.Doc)
		for _, arg := range []types.Type{types.Of(types.Int), types.DecimalOf(10, 2), types.StringType()} {
			result := ""
			if typ, err := expr.AggregateResult(a.Name, []types.Type{arg}); err == nil {
				result = typ.String()
			}
			fmt.Fprintf(&b, " %s |", result)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// evaluated is the type and the value of an example, as a table shows them.
func evaluated(t *testing.T, reg *expr.Registry, sql string) string {
	t.Helper()
	tree, err := parser.ParseExpr(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	x := example{t: t, reg: reg, sql: sql}
	e := x.expr(tree)
	text, err := expr.NewCast(e, types.StringType(), false)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	session := kernel.Session{Now: func() int64 { return 0 }}
	p, err := session.Compile(text, types.NewSchema(), reg)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var pool stream.Pool
	b := pool.NewBatch(types.NewSchema(), 1)
	defer b.Release()
	v, err := p.Eval(&pool, b)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer v.Release()
	kind := e.Type().AsNullable().String()
	if v.IsNull(0) {
		return kind + " NULL"
	}
	return kind + " " + code(string(v.Bytes(0)))
}

// example makes an expression of constants of what the parser read. It knows
// what examples have, no columns and no queries.
type example struct {
	t   *testing.T
	reg *expr.Registry
	sql string
}

func (x *example) fail(format string, args ...any) {
	x.t.Helper()
	x.t.Fatalf("%s: %s", x.sql, fmt.Sprintf(format, args...))
}

func (x *example) exprs(trees []ast.Expr) []expr.Expr {
	var out []expr.Expr
	for _, tree := range trees {
		out = append(out, x.expr(tree))
	}
	return out
}

func (x *example) expr(tree ast.Expr) expr.Expr {
	x.t.Helper()
	switch e := tree.(type) {
	case *ast.Literal:
		return x.literal(e)
	case *ast.Interval:
		return x.interval(e)
	case *ast.Symbol:
		return expr.String(e.Word)
	case *ast.Call:
		return x.call(e.Word(), e.Args...)
	case *ast.Unary:
		name := string(e.Op)
		if e.Op == ast.Minus {
			name = "NEG"
		}
		return x.call(name, e.X)
	case *ast.Binary:
		return x.call(string(e.Op), e.Left, e.Right)
	case *ast.Between:
		return x.call(not(e.Not, "BETWEEN"), e.X, e.Low, e.High)
	case *ast.In:
		return x.call(not(e.Not, "IN"), append([]ast.Expr{e.X}, e.List...)...)
	case *ast.Like:
		return x.like(e)
	case *ast.Collection:
		return x.call(string(e.Kind), e.Items...)
	case *ast.Row:
		return x.call("ROW", e.Items...)
	case *ast.Index:
		return x.call("AT", e.X, e.At)
	case *ast.FieldOf:
		f, err := expr.NewField(x.reg, x.expr(e.X), e.Field.Name)
		if err != nil {
			x.fail("%v", err)
		}
		return f
	case *ast.Is:
		return x.call("IS "+not(e.Not, strings.TrimSuffix(string(e.Test), " VALUE")), e.X)
	default:
		x.fail("an example has no %T", tree)
		return nil
	}
}

func not(is bool, name string) string {
	if is {
		return "NOT " + name
	}
	return name
}

func (x *example) call(name string, args ...ast.Expr) expr.Expr {
	x.t.Helper()
	c, err := expr.NewCall(x.reg, name, x.exprs(args)...)
	if err != nil {
		x.fail("%v", err)
	}
	return c
}

func (x *example) like(e *ast.Like) expr.Expr {
	args := []ast.Expr{e.X, e.Pattern}
	if e.Escape != nil {
		args = append(args, e.Escape)
	}
	if e.Similar {
		return x.call(not(e.Not, "SIMILAR TO"), args...)
	}
	return x.call(not(e.Not, "LIKE"), args...)
}

// intervals are the units of the examples, in milliseconds or months.
var intervals = map[ast.Unit]struct {
	kind types.Kind
	unit int64
}{ast.Month: {types.IntervalYearMonth, 1}, ast.Day: {types.IntervalDayTime, 86_400_000}, ast.Second: {types.IntervalDayTime, 1000}}

func (x *example) interval(e *ast.Interval) expr.Expr {
	n, err := strconv.ParseInt(e.Value, 10, 64)
	unit, ok := intervals[e.Qualifier.From]
	if err != nil || !ok {
		x.fail("interval %s %s", e.Value, e.Qualifier.From)
	}
	return &expr.Literal{T: types.Of(unit.kind).NotNull(), Value: n * unit.unit}
}

func (x *example) literal(e *ast.Literal) expr.Expr {
	cast := func(to types.Type) expr.Expr {
		c, err := expr.NewCast(expr.String(e.Text), to, false)
		if err != nil {
			x.fail("%v", err)
		}
		return c
	}
	switch e.Kind {
	case ast.NullLiteral, ast.UnknownLiteral:
		return expr.Null(types.Of(types.Null))
	case ast.TrueLiteral, ast.FalseLiteral:
		return expr.Bool(e.Kind == ast.TrueLiteral)
	case ast.IntegerLiteral:
		n, err := strconv.ParseInt(e.Text, 10, 64)
		if err != nil {
			x.fail("%v", err)
		}
		if n != int64(int32(n)) {
			return expr.BigInt(n)
		}
		return expr.Int(int32(n))
	case ast.DecimalLiteral:
		_, fraction, _ := strings.Cut(e.Text, ".")
		return cast(types.DecimalOf(len(e.Text)-1, len(fraction)))
	case ast.StringLiteral:
		return expr.String(e.Text)
	case ast.DateLiteral:
		return cast(types.Of(types.Date))
	case ast.TimestampLiteral:
		return cast(types.TimestampOf(0))
	default:
		x.fail("literal %s", e.Text)
		return nil
	}
}
