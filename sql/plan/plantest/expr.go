package plantest

import (
	"strconv"
	"strings"
	"time"

	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

// E reads an expression over the columns of a schema: a name or $n for a column, an INT, 'text', TRUE, FALSE, 10s for an
// interval, (FUNCTION argument ...) with _ for a space in the name, (FIELD row 'name'), and (CAST x TYPE) with the name of a type that needs no parameters.
func (b *Builder) E(in plan.Schema, text string) expr.Expr {
	b.t.Helper()
	r := &reader{b: b, in: in, tokens: tokens(text)}
	e := r.expr()
	if len(r.tokens) > 0 {
		b.t.Fatalf("expression %q: %q is left over", text, r.tokens)
	}
	return e
}

func tokens(text string) []string {
	var out []string
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ':
			i++
		case '(', ')':
			out = append(out, string(c))
			i++
		case '\'', '"':
			end := i + 1 + strings.IndexByte(text[i+1:], c)
			out = append(out, text[i:end+1])
			i = end + 1
		default:
			end := i
			for end < len(text) && !strings.ContainsRune(" ()", rune(text[end])) {
				end++
			}
			out = append(out, text[i:end])
			i = end
		}
	}
	return out
}

type reader struct {
	b      *Builder
	in     plan.Schema
	tokens []string
}

func (r *reader) next() string {
	if len(r.tokens) == 0 {
		r.b.t.Fatal("an expression ends too early")
	}
	t := r.tokens[0]
	r.tokens = r.tokens[1:]
	return t
}

func (r *reader) expr() expr.Expr {
	t := r.next()
	if t != "(" {
		return r.atom(t)
	}
	name := strings.ReplaceAll(strings.ToUpper(r.next()), "_", " ")
	if _, known := r.b.Functions.Lookup(name); !known {
		name = strings.ReplaceAll(name, " ", "_")
	}
	var args []expr.Expr
	if name == "CAST" {
		x := r.expr()
		return r.cast(x, r.next(), r.next())
	}
	for r.tokens[0] != ")" {
		args = append(args, r.expr())
	}
	r.next()
	if name == "FIELD" {
		return r.field(args)
	}
	c, err := expr.NewCall(r.b.Functions, name, args...)
	if err != nil {
		r.b.t.Fatal(err)
	}
	return c
}

// field reads (FIELD row 'name').
func (r *reader) field(args []expr.Expr) expr.Expr {
	e, err := expr.NewField(r.b.Functions, args[0], args[1].(*expr.Literal).Value.(string))
	if err != nil {
		r.b.t.Fatal(err)
	}
	return e
}

func (r *reader) cast(x expr.Expr, name, end string) expr.Expr {
	for k := types.Boolean; k < types.Null; k++ {
		if k.String() == strings.ToUpper(name) && end == ")" {
			c, err := expr.NewCast(x, types.Of(k), false)
			if err != nil {
				r.b.t.Fatal(err)
			}
			return c
		}
	}
	r.b.t.Fatalf("no type %s", name)
	return nil
}

func (r *reader) atom(t string) expr.Expr {
	if n, err := strconv.ParseInt(t, 10, 32); err == nil {
		return expr.Int(int32(n))
	}
	if d, err := time.ParseDuration(t); err == nil {
		return &expr.Literal{T: types.Of(types.IntervalDayTime).NotNull(), Value: d.Milliseconds()}
	}
	if text, ok := strings.CutPrefix(t, "'"); ok {
		return expr.String(strings.TrimSuffix(text, "'"))
	}
	switch t {
	case "TRUE", "FALSE":
		return expr.Bool(t == "TRUE")
	}
	return r.in.Ref(r.b.column(r.in, t))
}

// column returns the place of a column by its name, as it is printed, or as $n.
func (b *Builder) column(in plan.Schema, name string) int {
	b.t.Helper()
	if n, err := strconv.Atoi(strings.TrimPrefix(name, "$")); err == nil && n < len(in) {
		return n
	}
	i := in.Types().Index(name)
	if i < 0 {
		b.t.Fatalf("no column %s among %s", name, in)
	}
	return i
}

// columns returns the places of columns by their names, with commas between them.
func (b *Builder) columns(in plan.Schema, names string) (out []int) {
	b.t.Helper()
	for _, name := range split(names) {
		out = append(out, b.column(in, name))
	}
	return out
}

func split(list string) []string {
	var out []string
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}
