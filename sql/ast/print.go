package ast

import (
	"fmt"
	"strconv"
	"strings"
)

// Print returns the SQL of a node on one line.
func Print(n Node) string {
	var p printer
	n.print(&p)
	return p.String()
}

// printer collects text. What it is given is written as it is: a node that begins behind another writes its own space.
type printer struct {
	strings.Builder
}

func (p *printer) write(parts ...string) {
	for _, s := range parts {
		p.WriteString(s)
	}
}

// when writes s if the condition holds.
func (p *printer) when(cond bool, s string) {
	if cond {
		p.WriteString(s)
	}
}

// expr prints an expression, in brackets if it binds more weakly than it has to here.
func (p *printer) expr(e Expr, least Precedence) {
	p.bracketIf(precedence(e) < least, e)
}

// clause prints a word and an expression, if there is one.
func (p *printer) clause(word string, e Expr) {
	if e != nil {
		p.write(" ", word, " ")
		e.print(p)
	}
}

// text prints " word 'text'", if there is a text.
func (p *printer) text(word string, t *Text) {
	if t != nil {
		p.write(" ", word, quote(t.Value))
	}
}

// commas prints the nodes of a list.
func commas[N Node](p *printer, list []N) {
	for i, n := range list {
		p.when(i > 0, ", ")
		n.print(p)
	}
}

// listed prints " words list", if there is something in the list.
func listed[N Node](p *printer, words string, list []N) {
	if len(list) > 0 {
		p.write(" ", words, " ")
		commas(p, list)
	}
}

// bracketed prints " words (list)", if there is something in the list.
func bracketed[N Node](p *printer, words string, list []N) {
	if len(list) > 0 {
		p.write(words, " (")
		commas(p, list)
		p.write(")")
	}
}

// names prints identifiers in brackets.
func names[S fmt.Stringer](p *printer, list []S) {
	p.write("(")
	for i, id := range list {
		p.when(i > 0, ", ")
		p.write(id.String())
	}
	p.write(")")
}

// texts prints strings in a row.
func (p *printer) texts(list []Text) {
	for i, t := range list {
		p.when(i > 0, ", ")
		p.write(quote(t.Value))
	}
}

// quote prints a string literal. Control characters are escaped, so that the text stays on one line.
func quote(s string) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	var b strings.Builder
	b.WriteString("U&'")
	for _, r := range s {
		switch {
		case isControl(r):
			fmt.Fprintf(&b, "\\%04X", r)
		case r == '\'' || r == '\\':
			b.WriteString(string([]rune{r, r}))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteString("'")
	return b.String()
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 }

func (q Qualifier) String() string {
	var b strings.Builder
	b.WriteString(string(q.From))
	switch {
	case q.Precision >= 0 && q.Fraction >= 0 && q.To == "":
		fmt.Fprintf(&b, "(%d, %d)", q.Precision, q.Fraction)
	case q.Precision >= 0:
		fmt.Fprintf(&b, "(%d)", q.Precision)
	}
	if q.To != "" {
		b.WriteString(" TO " + string(q.To))
		if q.Fraction >= 0 {
			fmt.Fprintf(&b, "(%d)", q.Fraction)
		}
	}
	return b.String()
}

func (t *TypeName) print(p *printer) {
	switch {
	case t.Name == "":
		p.write(t.User.String())
	case t.Name == "TIMESTAMP_TZ":
		p.write("TIMESTAMP", params(t.Params), " WITH TIME ZONE")
	case t.Interval != nil:
		p.write("INTERVAL ", t.Interval.String())
	case t.Raw != nil:
		p.write("RAW(")
		p.texts(t.Raw)
		p.write(")")
	case t.Name == "ROW":
		p.write("ROW<")
		commas(p, t.Fields)
		p.write(">")
	case t.Elem != nil:
		p.write(t.Name, "<")
		if t.Key != nil {
			t.Key.print(p)
			p.write(", ")
		}
		t.Elem.print(p)
		p.write(">")
	default:
		p.write(t.Name, params(t.Params))
	}
	p.when(t.NotNull, " NOT NULL")
}

func params(list []int) string {
	if len(list) == 0 {
		return ""
	}
	parts := make([]string, len(list))
	for i, n := range list {
		parts[i] = strconv.Itoa(n)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func (f *RowField) print(p *printer) {
	p.write(f.Name.String(), " ")
	f.Type.print(p)
	p.text("", f.Comment)
}
