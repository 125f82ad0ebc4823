package parser

import "millrace/sql/ast"

// atQuery tells whether a query begins here, brackets aside.
func (p *parser) atQuery() bool {
	switch p.tok.what {
	case "SELECT", "VALUES", "WITH":
		return true
	case "TABLE":
		return !p.follows("(")
	default:
		return false
	}
}

// atQueryRest tells whether something stands here that makes a query of the bracketed query before it.
func (p *parser) atQueryRest() bool {
	return p.at("UNION", "INTERSECT", "EXCEPT", "MINUS", "ORDER", "LIMIT", "OFFSET", "FETCH")
}

// query parses a whole query.
func (p *parser) query() *ast.Query {
	p.enter()
	defer p.leave()
	start := p.tok.Start
	q := &ast.Query{With: p.with()}
	q.Body = p.setOperands(start, p.queryPrimary(), false)
	return p.queryTail(start, q)
}

// queryFrom goes on with a query whose first operand has been parsed as an expression.
func (p *parser) queryFrom(first *ast.Subquery) *ast.Query {
	return p.queryTail(first.Start, &ast.Query{Body: p.setOperands(first.Start, bare(first.Query), false)})
}

// bracketedQuery parses a query in brackets.
func (p *parser) bracketedQuery() *ast.Query {
	p.expect("(")
	q := p.query()
	p.expect(")")
	return q
}

// bare returns the body of a query that has nothing around it, and otherwise the query.
func bare(q *ast.Query) ast.QueryBody {
	if len(q.With) == 0 && len(q.OrderBy) == 0 && q.Limit == nil && q.Offset == nil {
		return q.Body
	}
	return q
}

func (p *parser) with() []*ast.CTE {
	if !p.accept("WITH") {
		return nil
	}
	if p.tok.what == "RECURSIVE" {
		p.unsupported(p.tok.Start, "WITH RECURSIVE")
	}
	return commas(p, (*parser).cte)
}

func (p *parser) cte() *ast.CTE {
	start := p.tok.Start
	c := &ast.CTE{Name: p.ident("a name")}
	if p.tok.what == "(" {
		c.Columns = brackets(p, columnName)
	}
	p.expect("AS")
	c.Query = p.bracketedQuery()
	c.Span = p.span(start)
	return c
}

// setOperators are the words of set operations.
var setOperators = map[string]ast.SetOperator{
	"UNION": ast.Union, "INTERSECT": ast.Intersect, "EXCEPT": ast.Except, "MINUS": ast.Except,
}

// setOperands parses the set operations behind their first operand. Tight takes those that bind like INTERSECT only.
func (p *parser) setOperands(start int, left ast.QueryBody, tight bool) ast.QueryBody {
	for n := 0; ; n++ {
		op, ok := setOperators[p.tok.what]
		if !ok || tight && op != ast.Intersect {
			p.at("UNION", "INTERSECT", "EXCEPT")
			return left
		}
		p.link(n)
		p.advance()
		all := p.accept("ALL")
		if !all {
			p.accept("DISTINCT")
		}
		from := p.tok.Start
		right := p.queryPrimary()
		if op != ast.Intersect {
			right = p.setOperands(from, right, true)
		}
		left = &ast.SetOp{Span: p.span(start), Op: op, All: all, Left: left, Right: right}
	}
}

// queryPrimary parses an operand of set operations.
func (p *parser) queryPrimary() ast.QueryBody {
	start := p.tok.Start
	switch {
	case p.at("SELECT"):
		return p.selectBody()
	case p.accept("VALUES"):
		rows := commas(p, exprItem)
		return &ast.Values{Span: p.span(start), Rows: rows}
	case p.accept("TABLE"):
		name := p.name("a table")
		return &ast.TableQuery{Span: p.span(start), Name: name}
	case p.at("("):
		return bare(p.bracketedQuery())
	default:
		p.expected = append(p.expected[:0], "SELECT", "VALUES")
		p.unexpected()
		return nil
	}
}

// queryTail parses what stands behind a query's body. LIMIT and OFFSET may change places.
func (p *parser) queryTail(start int, q *ast.Query) *ast.Query {
	q.OrderBy = p.orderBy()
	for p.err == nil {
		at := p.tok.Start
		switch {
		case p.accept("LIMIT"):
			p.once("LIMIT", at, &q.Limit, p.limit())
		case p.accept("OFFSET"):
			n := p.count()
			p.rows()
			p.once("OFFSET", at, &q.Offset, n)
		case p.accept("FETCH"):
			p.oneOf("FIRST", "NEXT")
			n := p.count()
			p.rows()
			p.expect("ONLY")
			p.once("FETCH", at, &q.Limit, n)
		default:
			q.Span = p.span(start)
			if inner, ok := q.Body.(*ast.Query); ok && bare(q) == q.Body {
				return inner
			}
			return q
		}
	}
	return q
}

// once sets a clause that a query has at most once.
func (p *parser) once(word string, at int, to *ast.Expr, value ast.Expr) {
	if *to != nil {
		p.fail(at, word+" stands twice, or beside LIMIT", "")
	}
	*to = value
}

// limit parses a number or ALL, which is no limit.
func (p *parser) limit() ast.Expr {
	if p.accept("ALL") {
		return nil
	}
	return p.count()
}

// count parses a number of rows.
func (p *parser) count() ast.Expr {
	if p.tok.kind != integerToken {
		if p.tok.what == "?" {
			return p.prefix(false)
		}
		p.expected = append(p.expected, "a number")
		p.unexpected()
		return nil
	}
	return p.literal(ast.IntegerLiteral)
}

func (p *parser) rows() {
	if !p.accept("ROWS") {
		p.accept("ROW")
	}
}

func (p *parser) selectBody() *ast.Select {
	start := p.tok.Start
	p.expect("SELECT")
	s := &ast.Select{Hints: p.hints()}
	switch {
	case p.accept("DISTINCT"):
		s.Quantifier = ast.Distinct
	case p.accept("ALL"):
		s.Quantifier = ast.All
	}
	s.Items = commas(p, (*parser).selectItem)
	if p.accept("FROM") {
		s.From = p.from()
	}
	s.Where = p.exprAfter("WHERE")
	if p.acceptAll("GROUP", "BY") {
		s.GroupBy = commas(p, (*parser).groupItem)
	}
	s.Having = p.exprAfter("HAVING")
	if p.accept("WINDOW") {
		s.Windows = commas(p, (*parser).namedWindow)
	}
	s.Qualify = p.exprAfter("QUALIFY")
	s.Span = p.span(start)
	return s
}

// exprAfter parses a word and an expression if the word is there.
func (p *parser) exprAfter(word string) ast.Expr {
	if !p.accept(word) {
		return nil
	}
	return p.expr()
}

func (p *parser) selectItem() *ast.SelectItem {
	start := p.tok.Start
	p.star = true
	item := &ast.SelectItem{X: p.expr()}
	if _, isStar := item.X.(*ast.Star); !isStar {
		item.Alias = p.optionalAlias(itemFollowers)
	}
	item.Span = p.span(start)
	return item
}

// What may stand behind an alias, so that a slip in it can be told from an alias.
var (
	itemFollowers  = []string{"FROM", "AS"}
	tableFollowers = []string{
		"AS", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "USING", "TABLESAMPLE", "WHERE", "GROUP", "HAVING", "WINDOW",
		"QUALIFY", "ORDER", "LIMIT", "OFFSET", "FETCH", "UNION", "INTERSECT", "EXCEPT", "MATCH_RECOGNIZE",
	}
)

// optionalAlias parses an alias with or without AS, if there is one.
func (p *parser) optionalAlias(followers []string) *ast.Ident {
	if p.accept("AS") {
		id := p.ident("a name")
		return &id
	}
	if !p.atIdent() {
		return nil
	}
	p.alias = aliasGuess{token: p.tok, expected: followers, operand: p.operand}
	id := p.ident("a name")
	return &id
}

func (p *parser) namedWindow() *ast.NamedWindow {
	start := p.tok.Start
	w := &ast.NamedWindow{Name: p.ident("a window")}
	p.expect("AS")
	w.Spec = p.windowSpec()
	w.Span = p.span(start)
	return w
}

// groupItem parses an item of GROUP BY, or of ROLLUP, CUBE and GROUPING SETS.
func (p *parser) groupItem() ast.GroupItem {
	p.enter()
	defer p.leave()
	start := p.tok.Start
	switch {
	case p.tok.what == "GROUPING" && p.follows("SETS"):
		p.expect("GROUPING", "SETS")
		return p.groupSets(start, ast.GroupingSets)
	case p.accept("ROLLUP"):
		return p.groupSets(start, ast.Rollup)
	case p.accept("CUBE"):
		return p.groupSets(start, ast.Cube)
	case p.tok.what == "(" && p.follows(")"):
		p.expect("(", ")")
		return &ast.GroupTuple{Span: p.span(start)}
	}
	x := p.expr()
	if row, ok := x.(*ast.Row); ok && !row.Explicit {
		return &ast.GroupTuple{Span: row.Span, Items: row.Items}
	}
	return &ast.GroupExpr{Span: p.span(start), X: x}
}

func (p *parser) groupSets(start int, kind ast.GroupSetsKind) ast.GroupItem {
	items := brackets(p, (*parser).groupItem)
	return &ast.GroupSets{Span: p.span(start), Kind: kind, Items: items}
}
