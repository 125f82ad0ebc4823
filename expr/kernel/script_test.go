package kernel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// TestScripts evaluates the expressions of testdata, one a line:
//
//	eval
//	(+ '127':TINYINT '1':TINYINT)
//	----
//	-128 TINYINT NOT NULL
//
// An expression is 'text':TYPE (the text cast to the type), NULL:TYPE, #n:TYPE
// (a literal in the unit of its layout), (FUNCTION args) with _ for a space in
// the name, (cast x TYPE), (try_cast x TYPE) or (case if then ... else). Each
// is evaluated over columns that hold the operands, and folded; the results
// must agree. With zone=NAME the session has another time zone than UTC.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var sb strings.Builder
			session := scriptSession
			if d.HasArg("zone") {
				var name string
				d.ScanArgs(t, "zone", &name)
				zone, err := types.LoadZone(name)
				if err != nil {
					t.Fatal(err)
				}
				session.Zone = zone
			}
			for line := range strings.SplitSeq(d.Input, "\n") {
				sb.WriteString(evalLine(t, session, line) + "\n")
			}
			return sb.String()
		})
	})
}

// scriptSession has a clock that stands still, at 2024-02-29 23:34:56.789.
var scriptSession = Session{Now: func() int64 { return 1_709_249_696_789 }, Seed: 1}

func evalLine(t *testing.T, session Session, line string) string {
	t.Helper()
	p := lineParser{reg: expr.Builtins(), tokens: tokenize(line)}
	e, err := p.expr()
	if err != nil {
		return "refused: " + err.Error()
	}
	folded := session.Fold(e, p.reg)
	got := overColumns(t, session, e, p.reg)
	if l, ok := folded.(*expr.Literal); ok {
		if want := overColumns(t, session, l, p.reg); want != got {
			t.Errorf("%s: folded to %s, over columns %s", line, want, got)
		}
	}
	return got
}

// overColumns evaluates with every literal of the tree as a column of its own.
func overColumns(t *testing.T, session Session, e expr.Expr, reg *expr.Registry) string {
	t.Helper()
	var pool stream.Pool
	h := hoister{reg: reg, pool: &pool}
	e = h.hoist(e)
	b := pool.NewBatch(types.NewSchema(h.fields...), 3)
	copy(b.Columns, h.columns)
	defer func() {
		b.Release()
		if n := pool.Live(); n != 0 {
			t.Errorf("%s: %d buffers leaked", e, n)
		}
	}()
	p, err := session.Compile(e, b.Schema, reg)
	if err != nil {
		return "refused: " + err.Error()
	}
	v, err := p.Eval(&pool, b)
	if err != nil {
		return "fails: " + err.Error()
	}
	defer v.Release()
	return render(t, &pool, &v, 1) + " " + p.Type().String()
}

// hoister turns literals into columns of three equal rows.
type hoister struct {
	reg     *expr.Registry
	pool    *stream.Pool
	fields  []types.Field
	columns []stream.Vector
}

func (h *hoister) hoist(e expr.Expr) expr.Expr {
	switch e := e.(type) {
	case *expr.Literal:
		b := stream.NewBuilder(h.pool, e.T, 3)
		for range 3 {
			b.AppendValue(e.Value)
		}
		name := "c" + strconv.Itoa(len(h.fields))
		h.fields = append(h.fields, types.Field{Name: name, Type: e.T})
		h.columns = append(h.columns, b.Finish())
		return &expr.Column{Index: len(h.fields) - 1, Name: name, T: e.T}
	case *expr.Call:
		args := make([]expr.Expr, len(e.Args))
		sig, _ := h.reg.Lookup(e.Func)
		for i, a := range e.Args {
			args[i] = a
			if typed := sig.ResolveArgs != nil && sig.Constants == nil && i > 0; !isLiteral(a) || !typed && !slices.Contains(sig.Constants, i) {
				args[i] = h.hoist(a) // unless the type goes by it
			}
		}
		return &expr.Call{Func: e.Func, Args: args, T: e.T}
	case *expr.Cast:
		return &expr.Cast{X: h.hoist(e.X), To: e.To, Try: e.Try}
	case *expr.Case:
		c := &expr.Case{T: e.T}
		for _, w := range e.Whens {
			c.Whens = append(c.Whens, expr.When{If: h.hoist(w.If), Then: h.hoist(w.Then)})
		}
		if e.Else != nil {
			c.Else = h.hoist(e.Else)
		}
		return c
	default:
		return e
	}
}

// render prints row i as a cast to text would, text in quotes.
func render(t testing.TB, pool *stream.Pool, v *stream.Vector, i int) string {
	t.Helper()
	if v.IsNull(i) {
		return "NULL"
	}
	one := stream.NewBuilder(pool, v.Type, 1)
	one.AppendFrom(v, i)
	flat := one.Finish()
	defer flat.Release()
	if v.Type.Layout() == types.LayoutBytes {
		return fmt.Sprintf("%q", flat.Bytes(0))
	}
	print, err := printer(v.Type)
	if err != nil {
		t.Fatal(err)
	}
	return string(print(&flat)(nil, 0))
}

type lineParser struct {
	reg    *expr.Registry
	tokens []string
}

// tokenize splits at spaces and parentheses outside of quotes; the parameters of a
// type stay with it.
func tokenize(line string) []string {
	var out []string
	var cur strings.Builder
	flush := func() {
		if cur.Len() > 0 {
			out = append(out, cur.String())
			cur.Reset()
		}
	}
	quoted, inType := false, false
	for _, c := range line {
		switch {
		case c == '\'':
			quoted = !quoted
			cur.WriteRune(c)
		case quoted:
			cur.WriteRune(c)
		case c == '(' && cur.Len() > 0:
			inType = true
			cur.WriteRune(c)
		case c == ')' && inType:
			inType = false
			cur.WriteRune(c)
		case c == '(' || c == ')':
			flush()
			out = append(out, string(c))
		case c == ' ':
			flush()
		default:
			cur.WriteRune(c)
		}
	}
	flush()
	return out
}

func (p *lineParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	tok := p.tokens[0]
	p.tokens = p.tokens[1:]
	return tok
}

func (p *lineParser) expr() (expr.Expr, error) {
	tok := p.next()
	if tok == "(" {
		return p.call()
	}
	at := strings.LastIndex(tok, ":")
	if at < 0 {
		return nil, fmt.Errorf("%q is no operand", tok)
	}
	typ, err := parseType(tok[at+1:])
	if err != nil {
		return nil, err
	}
	switch text := tok[:at]; {
	case text == "NULL":
		return expr.Null(typ), nil
	case text[0] == '#':
		n, err := strconv.ParseInt(text[1:], 10, 64)
		return &expr.Literal{T: typ.NotNull(), Value: n}, err
	default:
		text = strings.Trim(text, "'")
		if unquoted, err := strconv.Unquote(`"` + text + `"`); err == nil {
			text = unquoted
		}
		return p.constant(text, typ)
	}
}

// constant casts text to a type.
func (p *lineParser) constant(text string, typ types.Type) (expr.Expr, error) {
	c, err := expr.NewCast(expr.String(text), typ, false)
	if err != nil {
		return nil, err
	}
	e, err := Fold(c, p.reg)
	if _, ok := e.(*expr.Literal); !ok && err == nil {
		return c, nil // fails when it is evaluated
	}
	return e, err
}

func (p *lineParser) call() (expr.Expr, error) {
	name := p.next()
	if _, ok := p.reg.Lookup(name); !ok {
		name = strings.ReplaceAll(name, "_", " ")
	}
	var args []expr.Expr
	for len(p.tokens) > 0 && p.tokens[0] != ")" {
		if strings.HasSuffix(name, "cast") && len(args) == 1 {
			typ, err := parseType(p.next())
			if err != nil {
				return nil, err
			}
			p.next()
			return expr.NewCast(args[0], typ, name == "try cast")
		}
		a, err := p.expr()
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	p.next()
	if name == "case" {
		return newCase(args)
	}
	return expr.NewCall(p.reg, name, args...)
}

func newCase(args []expr.Expr) (expr.Expr, error) {
	var whens []expr.When
	for len(args) > 1 {
		whens = append(whens, expr.When{If: args[0], Then: args[1]})
		args = args[2:]
	}
	if len(args) == 1 {
		return expr.NewCase(whens, args[0])
	}
	return expr.NewCase(whens, nil)
}

func parseType(text string) (types.Type, error) {
	name, params, _ := strings.Cut(strings.TrimSuffix(text, ")"), "(")
	var p [2]int
	for i, s := range strings.SplitN(params, ",", 2) {
		p[i], _ = strconv.Atoi(s)
	}
	simple := map[string]types.Type{
		"BOOLEAN": types.Of(types.Boolean), "TINYINT": types.Of(types.TinyInt), "SMALLINT": types.Of(types.SmallInt),
		"INT": types.Of(types.Int), "BIGINT": types.Of(types.BigInt), "FLOAT": types.Of(types.Float), "DOUBLE": types.Of(types.Double),
		"DATE": types.Of(types.Date), "DAYS": types.Of(types.IntervalDayTime), "MONTHS": types.Of(types.IntervalYearMonth),
		"STRING": types.StringType(), "BYTES": types.BytesType(), "DECIMAL": types.DecimalOf(p[0], p[1]),
		"VARCHAR": types.VarCharOf(p[0]), "CHAR": {Kind: types.Char, Nullable: true, Length: p[0]},
		"BINARY": {Kind: types.Binary, Nullable: true, Length: p[0]}, "TIME": {Kind: types.Time, Nullable: true, Precision: p[0]},
		"TIMESTAMP": types.TimestampOf(p[0]), "TIMESTAMP_LTZ": types.TimestampLTZOf(p[0]), "NULL": types.Of(types.Null),
	}
	t, ok := simple[name]
	if !ok {
		return t, fmt.Errorf("no type %q", text)
	}
	return t, t.Validate()
}
