package parser

import (
	"millrace/sql/ast"
)

// infix is what may stand behind an operand. Its function stands at the operator and has the operand, which begins at start.
type infix func(p *parser, start int, x ast.Expr) ast.Expr

// infix returns the operator at the current token, nil if there is none. NOT is one before IN, LIKE, BETWEEN and SIMILAR.
func (p *parser) infix() (ast.Precedence, infix) {
	switch what := p.tok.what; what {
	case "IS":
		return ast.IsPrecedence, (*parser).is
	case "BETWEEN":
		return ast.RangePrecedence, (*parser).between
	case "IN":
		return ast.RangePrecedence, (*parser).in
	case "LIKE", "SIMILAR":
		return ast.RangePrecedence, (*parser).like
	case "NOT":
		if p.follows("IN", "LIKE", "BETWEEN", "SIMILAR") {
			return ast.RangePrecedence, (*parser).negated
		}
		return 0, nil
	default:
		if op, ok := binaries[what]; ok {
			return op.Precedence(), (*parser).binary
		}
		return 0, nil
	}
}

// binaries are the operators of one token.
var binaries = map[string]ast.BinaryOp{
	"OR": ast.Or, "AND": ast.And, "=": ast.Equals, "<>": ast.NotEquals, "!=": ast.NotEquals, "<": ast.Less, "<=": ast.LessOrEqual,
	">": ast.Greater, ">=": ast.GreaterOrEqual, "OVERLAPS": ast.Overlaps, "+": ast.Add, "-": ast.Subtract, "*": ast.Multiply,
	"/": ast.Divide, "%": ast.Remainder, "||": ast.Concat,
}

// operatorWords are the operators that can be misspelt.
var operatorWords = []string{"OR", "AND", "IS", "NOT", "IN", "LIKE", "BETWEEN", "SIMILAR"}

// expr parses an expression.
func (p *parser) expr() ast.Expr { return p.exprAt(ast.LowestPrecedence) }

// exprAt parses an expression whose operators bind at least as strongly as least. What binds more weakly ends it.
func (p *parser) exprAt(least ast.Precedence) ast.Expr {
	p.enter()
	defer p.leave()
	star := p.star
	p.star = false
	start := p.tok.Start
	x := p.prefix(star)
	if _, ok := x.(*ast.Star); ok {
		return x
	}
	for n := 0; ; n++ {
		level, op := p.infix()
		if op == nil || level < least {
			p.operand = true
			return x
		}
		p.link(n)
		x = op(p, start, x)
	}
}

func (p *parser) binary(start int, x ast.Expr) ast.Expr {
	op := binaries[p.tok.what]
	p.advance()
	if op.Precedence() == ast.ComparePrecedence && p.at("ANY", "SOME", "ALL") {
		return p.quantified(start, x, op)
	}
	right := p.exprAt(op.Precedence() + 1)
	return &ast.Binary{Span: p.span(start), Op: op, Left: x, Right: right}
}

func (p *parser) quantified(start int, x ast.Expr, op ast.BinaryOp) ast.Expr {
	all := p.oneOf("ANY", "SOME", "ALL") == "ALL"
	list, query := p.members()
	return &ast.Quantified{Span: p.span(start), X: x, Op: op, All: all, List: list, Query: query}
}

func (p *parser) is(start int, x ast.Expr) ast.Expr {
	p.expect("IS")
	not := p.accept("NOT")
	if p.acceptAll("DISTINCT", "FROM") {
		op := ast.DistinctFrom
		if not {
			op = ast.NotDistinctFrom
		}
		right := p.exprAt(ast.IsPrecedence + 1)
		return &ast.Binary{Span: p.span(start), Op: op, Left: x, Right: right}
	}
	test := ast.Test(p.oneOf("NULL", "TRUE", "FALSE", "UNKNOWN", "JSON"))
	if test == "JSON" {
		test = p.jsonTest()
	}
	return &ast.Is{Span: p.span(start), X: x, Not: not, Test: test}
}

func (p *parser) jsonTest() ast.Test {
	for _, test := range []ast.Test{ast.IsJSONObject, ast.IsJSONArray, ast.IsJSONScalar, ast.IsJSON} {
		if p.accept(string(test[len("JSON "):])) {
			return test
		}
	}
	return ast.IsJSON
}

// negated is NOT behind an operand.
func (p *parser) negated(start int, x ast.Expr) ast.Expr {
	p.expect("NOT")
	_, op := p.infix()
	if op == nil {
		return x // what follows is beyond a limit
	}
	switch x := op(p, start, x).(type) {
	case *ast.In:
		x.Not = true
		return x
	case *ast.Like:
		x.Not = true
		return x
	case *ast.Between:
		x.Not = true
		return x
	default:
		return x
	}
}

func (p *parser) between(start int, x ast.Expr) ast.Expr {
	p.expect("BETWEEN")
	symmetric := p.accept("SYMMETRIC")
	if !symmetric {
		p.accept("ASYMMETRIC")
	}
	low := p.exprAt(ast.SumPrecedence)
	p.expect("AND")
	high := p.exprAt(ast.SumPrecedence)
	return &ast.Between{Span: p.span(start), X: x, Symmetric: symmetric, Low: low, High: high}
}

func (p *parser) in(start int, x ast.Expr) ast.Expr {
	p.expect("IN")
	list, query := p.members()
	return &ast.In{Span: p.span(start), X: x, List: list, Query: query}
}

func (p *parser) like(start int, x ast.Expr) ast.Expr {
	similar := p.acceptAll("SIMILAR", "TO")
	if !similar {
		p.expect("LIKE")
	}
	pattern := p.exprAt(ast.SumPrecedence)
	var escape ast.Expr
	if p.accept("ESCAPE") {
		escape = p.exprAt(ast.SumPrecedence)
	}
	return &ast.Like{Span: p.span(start), X: x, Similar: similar, Pattern: pattern, Escape: escape}
}

// members parses what stands in brackets: expressions or one query, which may have brackets of its own. Whether brackets at
// its beginning belong to a query is known only behind them.
func (p *parser) members() ([]ast.Expr, *ast.Query) {
	p.expect("(")
	if p.atQuery() {
		query := p.query()
		p.expect(")")
		return nil, query
	}
	list := []ast.Expr{p.expr()}
	if sub, ok := list[0].(*ast.Subquery); ok && p.tok.what != "," {
		query := p.queryFrom(sub)
		p.expect(")")
		return nil, query
	}
	for p.accept(",") {
		list = append(list, p.expr())
	}
	p.expect(")")
	return list, nil
}

// parenthesised is an expression, a row or a query in brackets.
func (p *parser) parenthesised() ast.Expr {
	start := p.tok.Start
	list, query := p.members()
	switch {
	case query != nil:
		return &ast.Subquery{Span: p.span(start), Query: query}
	case len(list) == 1:
		return list[0]
	default:
		return &ast.Row{Span: p.span(start), Items: list}
	}
}

func exprItem(p *parser) ast.Expr { return p.expr() }

// orderItem is an expression of an ORDER BY.
func orderItem(p *parser) *ast.OrderItem {
	start := p.tok.Start
	item := &ast.OrderItem{X: p.expr()}
	if !p.accept("ASC") {
		item.Desc = p.accept("DESC")
	}
	if p.accept("NULLS") {
		item.Nulls = ast.NullOrder("NULLS " + p.oneOf("FIRST", "LAST"))
	}
	item.Span = p.span(start)
	return item
}

// orderBy parses ORDER BY if it is there.
func (p *parser) orderBy() []*ast.OrderItem {
	if !p.acceptAll("ORDER", "BY") {
		return nil
	}
	return commas(p, orderItem)
}

// partitionBy parses PARTITION BY if it is there.
func (p *parser) partitionBy() []ast.Expr {
	if !p.acceptAll("PARTITION", "BY") {
		return nil
	}
	return commas(p, exprItem)
}
