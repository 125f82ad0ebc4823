package parser

import (
	"math"
	"strconv"

	"millrace/sql/ast"
)

// literals are the kinds of literals that are one token.
var literals = map[tokenKind]ast.LiteralKind{
	stringToken: ast.StringLiteral, binaryToken: ast.BinaryLiteral, integerToken: ast.IntegerLiteral,
	decimalToken: ast.DecimalLiteral, doubleToken: ast.DoubleLiteral,
}

// constants are the literals that are a word.
var constants = map[string]ast.LiteralKind{
	"NULL": ast.NullLiteral, "TRUE": ast.TrueLiteral, "FALSE": ast.FalseLiteral, "UNKNOWN": ast.UnknownLiteral,
}

// prefix parses an operand: a sign or NOT with what it stands before, or what needs no brackets. star allows a *.
func (p *parser) prefix(star bool) ast.Expr {
	start := p.tok.Start
	if kind, ok := literals[p.tok.kind]; ok {
		return p.literal(kind)
	}
	switch p.tok.what {
	case "-", "+", "NOT":
		op := ast.UnaryOp(p.tok.what)
		p.advance()
		x := p.exprAt(op.Precedence())
		return &ast.Unary{Span: p.span(start), Op: op, X: x}
	case "(":
		return p.postfix(start, p.parenthesised())
	case "*":
		if star {
			p.advance()
			return &ast.Star{Span: p.span(start)}
		}
	case "?":
		p.fail(start, "a parameter ? has no value here", "write the value itself")
		return nil
	case "{":
		p.unsupported(start, "JDBC's escape syntax")
		return nil
	}
	if p.tok.kind == quotedToken {
		return p.named(star)
	}
	if p.tok.kind == wordToken {
		return p.word(star)
	}
	return p.noOperand()
}

func (p *parser) noOperand() ast.Expr {
	p.expected = append(p.expected[:0], "an expression")
	p.unexpected()
	return nil
}

func (p *parser) literal(kind ast.LiteralKind) ast.Expr {
	l := &ast.Literal{Span: p.tok.Span, Kind: kind, Text: p.tok.text}
	p.advance()
	return l
}

// word parses what begins with a word: forms of their own first, then functions and names.
func (p *parser) word(star bool) ast.Expr {
	start := p.tok.Start
	if kind, ok := constants[p.tok.what]; ok {
		p.advance()
		return &ast.Literal{Span: p.span(start), Kind: kind}
	}
	switch p.tok.what {
	case "DATE", "TIME", "TIMESTAMP":
		return p.timeLiteral()
	case "INTERVAL":
		return p.interval()
	case "CASE":
		return p.caseExpr()
	case "CAST", "TRY_CAST":
		return p.postfix(start, p.cast())
	case "EXISTS":
		p.advance()
		return &ast.Exists{Query: p.bracketedQuery(), Span: p.span(start)}
	case "ROW":
		p.advance()
		return p.postfix(start, p.row(start))
	case "ARRAY", "MULTISET":
		return p.postfix(start, p.collection())
	case "MAP":
		if p.follows("[") {
			return p.postfix(start, p.collection())
		}
	case "DEFAULT":
		p.advance()
		return &ast.DefaultArg{Span: p.span(start)}
	}
	if niladic[p.tok.what] && !p.follows("(") {
		return p.bareCall()
	}
	if p.follows("(") && functionWords[p.tok.what] {
		return p.postfix(start, p.callNamed(p.functionName()))
	}
	if ast.IsReserved(p.tok.what) {
		return p.noOperand()
	}
	return p.named(star)
}

// named parses a column, a call of a function with a name of any length, or t.* where that may stand.
func (p *parser) named(star bool) ast.Expr {
	start := p.tok.Start
	parts := []ast.Ident{p.ident("an expression")}
	for p.at(".") {
		if p.follows("*") {
			return p.qualifiedStar(start, star, parts)
		}
		p.advance()
		parts = append(parts, p.ident("a name"))
	}
	name := ast.Name{Span: p.span(start), Parts: parts}
	if p.tok.what == "(" {
		return p.postfix(start, p.callNamed(name))
	}
	return p.postfix(start, &ast.ColumnRef{Span: name.Span, Name: name})
}

func (p *parser) qualifiedStar(start int, allowed bool, parts []ast.Ident) ast.Expr {
	name := ast.Name{Span: p.span(start), Parts: parts}
	if !allowed {
		p.fail(p.peek.Start, "a * has no place in this expression", "it stands alone in a select list, and in COUNT(*)")
		return nil
	}
	p.expect(".", "*")
	return &ast.Star{Span: p.span(start), Qualifier: name}
}

// postfix parses what binds to an operand most strongly: elements and fields.
func (p *parser) postfix(start int, x ast.Expr) ast.Expr {
	for n := 0; ; n++ {
		p.link(n)
		switch {
		case p.accept("["):
			at := p.expr()
			p.expect("]")
			x = &ast.Index{Span: p.span(start), X: x, At: at}
		case p.accept("."):
			field := p.ident("a field")
			x = &ast.FieldOf{Span: p.span(start), X: x, Field: field}
		default:
			return x
		}
	}
}

// timeLiteral parses DATE '..', TIME '..', TIMESTAMP '..' and TIMESTAMP WITH LOCAL TIME ZONE '..'.
func (p *parser) timeLiteral() ast.Expr {
	start := p.tok.Start
	kind := map[string]ast.LiteralKind{"DATE": ast.DateLiteral, "TIME": ast.TimeLiteral, "TIMESTAMP": ast.TimestampLiteral}[p.tok.what]
	if p.peek.kind != stringToken && !p.follows("WITH", "WITHOUT") {
		return p.noTimeLiteral()
	}
	p.advance()
	switch {
	case kind == ast.TimestampLiteral && p.acceptAll("WITH", "LOCAL", "TIME", "ZONE"):
		kind = ast.TimestampLTZLiteral
	case kind == ast.TimestampLiteral:
		p.acceptAll("WITHOUT", "TIME", "ZONE")
	}
	text := p.text("a string")
	return &ast.Literal{Span: p.span(start), Kind: kind, Text: text.Value}
}

// noTimeLiteral fails at a word that begins a literal, none of which follows. As a function it is known elsewhere.
func (p *parser) noTimeLiteral() ast.Expr {
	if !p.follows("(") {
		return p.noOperand()
	}
	p.failWith(p.tok.Start, messageOf(p.tok.text+" is no function", "", "write CAST(... AS "+p.tok.what+")"))
	return nil
}

func (p *parser) interval() ast.Expr {
	start := p.tok.Start
	p.expect("INTERVAL")
	iv := &ast.Interval{Negative: p.accept("-")}
	if !iv.Negative {
		p.accept("+")
	}
	switch p.tok.kind {
	case stringToken, integerToken:
		iv.Value = p.tok.text
		p.advance()
	default:
		p.expected = append(p.expected[:0], "a string")
		p.failWith(p.tok.Start, messageOf("unexpected "+p.tok.describe(p.lex.text), p.expectation(),
			"write INTERVAL '1' DAY; a number of days that is not constant is x * INTERVAL '1' DAY"))
		return nil
	}
	iv.Qualifier = p.qualifier()
	iv.Span = p.span(start)
	return iv
}

// units are the names of units, and the units that they are.
var units = map[string]ast.Unit{
	"YEAR": ast.Year, "QUARTER": ast.Quarter, "MONTH": ast.Month, "WEEK": ast.Week, "DAY": ast.Day, "HOUR": ast.Hour,
	"MINUTE": ast.Minute, "SECOND": ast.Second, "YEARS": ast.Year, "QUARTERS": ast.Quarter, "MONTHS": ast.Month,
	"WEEKS": ast.Week, "DAYS": ast.Day, "HOURS": ast.Hour, "MINUTES": ast.Minute, "SECONDS": ast.Second,
}

// unitWords are the names to offer where a unit is expected.
var unitWords = []string{"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"}

func (p *parser) unit() ast.Unit {
	unit, ok := units[p.tok.what]
	if !ok {
		p.at(unitWords...)
		p.unexpected()
		return ""
	}
	p.advance()
	return unit
}

// qualifier parses what an interval counts.
func (p *parser) qualifier() ast.Qualifier {
	q := ast.Qualifier{From: p.unit(), Precision: -1, Fraction: -1}
	if p.accept("(") {
		q.Precision = p.param()
		if q.From == ast.Second && p.accept(",") {
			q.Fraction = p.param()
		}
		p.expect(")")
	}
	if !p.accept("TO") {
		return q
	}
	q.To = p.unit()
	if q.To == ast.Second && p.accept("(") {
		q.Fraction = p.param()
		p.expect(")")
	}
	return q
}

// param parses a number of a type or an interval.
func (p *parser) param() int {
	if p.tok.kind != integerToken {
		p.expected = append(p.expected, "a number")
		p.unexpected()
		return 0
	}
	n, err := strconv.ParseInt(p.tok.text, 10, 64)
	if err != nil || n > ParamMax {
		p.fail(p.tok.Start, "the number is too large", "at most "+strconv.Itoa(math.MaxInt32))
		return 0
	}
	p.advance()
	return int(n)
}

func (p *parser) caseExpr() ast.Expr {
	start := p.tok.Start
	p.expect("CASE")
	p.cases++
	c := &ast.Case{}
	if !p.at("WHEN") {
		c.Operand = p.expr()
	}
	for p.at("WHEN") {
		c.Whens = append(c.Whens, p.when())
	}
	if len(c.Whens) == 0 {
		p.expect("WHEN")
	}
	if p.accept("ELSE") {
		c.Else = p.expr()
	}
	p.expect("END")
	if p.err == nil {
		p.cases--
	}
	c.Span = p.span(start)
	return p.postfix(start, c)
}

func (p *parser) when() *ast.When {
	start := p.tok.Start
	p.expect("WHEN")
	w := &ast.When{If: p.expr()}
	p.expect("THEN")
	w.Then = p.expr()
	w.Span = p.span(start)
	return w
}

func (p *parser) cast() ast.Expr {
	start := p.tok.Start
	c := &ast.Cast{Try: p.oneOf("CAST", "TRY_CAST") == "TRY_CAST"}
	p.expect("(")
	c.X = p.expr()
	p.operand = false // what stands here instead of AS is no alias
	p.expect("AS")
	c.Type = p.typeName()
	p.expect(")")
	c.Span = p.span(start)
	return c
}

// row parses ROW(a, b) behind its word.
func (p *parser) row(start int) ast.Expr {
	p.expect("(")
	r := &ast.Row{Explicit: true}
	if !p.at(")") {
		r.Items = commas(p, exprItem)
	}
	p.expect(")")
	r.Span = p.span(start)
	return r
}

func (p *parser) collection() ast.Expr {
	start := p.tok.Start
	c := &ast.Collection{Kind: ast.CollectionKind(p.oneOf("ARRAY", "MAP", "MULTISET"))}
	p.expect("[")
	if !p.at("]") {
		c.Items = commas(p, exprItem)
	}
	if c.Kind == ast.MapCollection && len(c.Items)%2 != 0 {
		p.fail(p.tok.Start, "MAP has a key without a value", "write MAP[key, value, key, value]")
	}
	p.expect("]")
	c.Span = p.span(start)
	return c
}
