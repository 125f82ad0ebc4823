package parser

import (
	"millrace/sql/ast"
)

// from parses tables and joins with commas between them. A join takes all that stands before it for its left side, also over a
// comma, as in Flink: its condition may name any of these tables. So a comma before a join is a CROSS JOIN.
func (p *parser) from() []ast.TableRef {
	var list []ast.TableRef
	start := p.tok.Start
	for {
		table := p.tablePrimary()
		if p.atJoin() {
			table = p.joins(start, p.crossed(start, list, table))
			list = list[:0]
		}
		list = append(list, table)
		if !p.accept(",") {
			return list
		}
	}
}

// crossed returns the cross join of tables, the last of which stands alone.
func (p *parser) crossed(start int, list []ast.TableRef, last ast.TableRef) ast.TableRef {
	if len(list) == 0 {
		return last
	}
	p.link(len(list))
	all := append(list[1:], last)
	left := list[0]
	for _, right := range all {
		span := ast.Span{Start: start, End: right.Range().End}
		left = &ast.Join{Span: span, Kind: ast.CrossJoin, Left: left, Right: right}
	}
	return left
}

// joins parses the joins behind their first table.
func (p *parser) joins(start int, left ast.TableRef) ast.TableRef {
	for n := 0; p.atJoin(); n++ {
		p.link(n)
		j := &ast.Join{Left: left}
		j.Natural = p.accept("NATURAL")
		j.Kind = p.joinKind()
		j.Right = p.tablePrimary()
		p.joinCondition(j)
		j.Span = p.span(start)
		left = j
	}
	return left
}

func (p *parser) atJoin() bool {
	return p.at("JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL")
}

func (p *parser) joinKind() ast.JoinKind {
	kind := ast.InnerJoin
	switch {
	case p.accept("CROSS"):
		kind = ast.CrossJoin
	case p.accept("LEFT"):
		kind = ast.LeftJoin
	case p.accept("RIGHT"):
		kind = ast.RightJoin
	case p.accept("FULL"):
		kind = ast.FullJoin
	default:
		p.accept("INNER")
	}
	if kind != ast.InnerJoin && kind != ast.CrossJoin {
		p.accept("OUTER")
	}
	p.expect("JOIN")
	return kind
}

// joinCondition parses ON or USING, which every join has but CROSS and NATURAL ones.
func (p *parser) joinCondition(j *ast.Join) {
	if j.Natural || j.Kind == ast.CrossJoin {
		return
	}
	switch {
	case p.accept("ON"):
		j.On = p.expr()
	case p.accept("USING"):
		j.Using = brackets(p, columnName)
	case p.err == nil && !p.misspelt():
		p.failWith(p.tok.Start, messageOf("a JOIN without a condition", "", "write ON or USING behind the table, or CROSS JOIN"))
	}
}

// tablePrimary parses one table, or joins in brackets.
func (p *parser) tablePrimary() ast.TableRef {
	start := p.tok.Start
	switch {
	case p.accept("LATERAL"):
		return p.lateral(start)
	case p.at("TABLE"):
		return p.tableFunction(start, false)
	case p.at("UNNEST"):
		return p.unnest(start, false)
	case p.at("("):
		return p.bracketedTable()
	}
	name := p.name("a table")
	if p.tok.what == "(" {
		return p.implicitFunction(start, name)
	}
	t := &ast.TableName{Name: name, Hints: p.hints()}
	if p.acceptAll("FOR", "SYSTEM_TIME", "AS", "OF") {
		t.AsOf = p.exprAt(ast.SumPrecedence)
	}
	t.Sample = p.sample()
	t.Alias = p.tableAlias()
	if t.Sample == nil {
		t.Sample = p.sample()
	}
	t.Span = p.span(start)
	p.refuseTableOperators()
	return t
}

// refuseTableOperators refuses what makes another table of the one before it, whether an alias stands between them or not.
func (p *parser) refuseTableOperators() {
	if what := p.tok.what; what == "MATCH_RECOGNIZE" || what == "PIVOT" || what == "UNPIVOT" {
		p.unsupported(p.tok.Start, p.tok.what)
	}
}

func (p *parser) lateral(start int) ast.TableRef {
	switch {
	case p.at("TABLE"):
		return p.tableFunction(start, true)
	case p.at("UNNEST"):
		return p.unnest(start, true)
	}
	d := &ast.DerivedTable{Lateral: true, Query: p.bracketedQuery()}
	d.Alias = p.tableAlias()
	d.Span = p.span(start)
	return d
}

// tableFunction parses TABLE(f(...)).
func (p *parser) tableFunction(start int, lateral bool) ast.TableRef {
	p.expect("TABLE", "(")
	name := p.name("a table function")
	f := &ast.TableFunction{Lateral: lateral, Call: p.tableCall(name)}
	p.expect(")")
	return p.functionAlias(start, f)
}

// implicitFunction parses f(...) where a table stands.
func (p *parser) implicitFunction(start int, name ast.Name) ast.TableRef {
	return p.functionAlias(start, &ast.TableFunction{Call: p.tableCall(name)})
}

func (p *parser) functionAlias(start int, f *ast.TableFunction) ast.TableRef {
	f.Alias = p.tableAlias()
	f.Span = p.span(start)
	p.refuseTableOperators()
	return f
}

func (p *parser) tableCall(name ast.Name) *ast.Call {
	c := &ast.Call{Name: name}
	p.expect("(")
	p.arguments(c)
	p.expect(")")
	c.Span = p.span(name.Start)
	return c
}

// unnest parses UNNEST(x) [WITH ORDINALITY].
func (p *parser) unnest(start int, lateral bool) ast.TableRef {
	p.expect("UNNEST")
	u := &ast.Unnest{Lateral: lateral, Items: brackets(p, exprItem)}
	u.Ordinality = p.acceptAll("WITH", "ORDINALITY")
	u.Alias = p.tableAlias()
	u.Span = p.span(start)
	return u
}

// bracketedTable parses a query or joins in brackets. As with expressions, brackets at the beginning belong to a query if
// something makes one of them behind.
func (p *parser) bracketedTable() ast.TableRef {
	p.enter()
	defer p.leave()
	start := p.tok.Start
	p.expect("(")
	if p.atQuery() {
		query := p.query()
		p.expect(")")
		return p.derived(start, query)
	}
	from := p.tok.Start
	first := p.tablePrimary()
	if d, ok := first.(*ast.DerivedTable); ok && d.Alias == nil && !d.Lateral {
		if p.atQueryRest() {
			query := p.queryTail(d.Start, &ast.Query{Body: p.setOperands(d.Start, bare(d.Query), false)})
			p.expect(")")
			return p.derived(start, query)
		}
		if p.accept(")") {
			return p.derived(start, d.Query)
		}
	}
	table := p.joins(from, first)
	p.expect(")")
	return table
}

func (p *parser) derived(start int, query *ast.Query) ast.TableRef {
	d := &ast.DerivedTable{Query: query, Alias: p.tableAlias()}
	d.Span = p.span(start)
	p.refuseTableOperators()
	return d
}

// tableAlias parses [AS] t [(a, b)] if it is there.
func (p *parser) tableAlias() *ast.TableAlias {
	start := p.tok.Start
	name := p.optionalAlias(tableFollowers)
	if name == nil {
		return nil
	}
	a := &ast.TableAlias{Name: *name}
	if p.tok.what == "(" {
		a.Columns = brackets(p, columnName)
	}
	a.Span = p.span(start)
	return a
}

func (p *parser) sample() *ast.Sample {
	start := p.tok.Start
	if !p.accept("TABLESAMPLE") {
		return nil
	}
	s := &ast.Sample{System: p.oneOf("SYSTEM", "BERNOULLI") == "SYSTEM"}
	p.expect("(")
	s.Percent = p.expr()
	p.expect(")")
	if p.accept("REPEATABLE") {
		p.expect("(")
		s.Repeatable = p.expr()
		p.expect(")")
	}
	s.Span = p.span(start)
	return s
}

// hints parses /*+ ... */ if it is there.
func (p *parser) hints() []*ast.Hint {
	if !p.accept("/*+") {
		return nil
	}
	list := commas(p, (*parser).hint)
	p.expect("*/")
	return list
}

func (p *parser) hint() *ast.Hint {
	start := p.tok.Start
	h := &ast.Hint{Name: p.ident("a hint")}
	if p.accept("(") {
		if !p.at(")") {
			h.Args = commas(p, (*parser).hintArg)
		}
		p.expect(")")
	}
	h.Span = p.span(start)
	return h
}

func (p *parser) hintArg() ast.HintArg {
	start := p.tok.Start
	a := ast.HintArg{Key: p.tok.text, Plain: p.tok.kind != stringToken}
	switch p.tok.kind {
	case stringToken, quotedToken, wordToken, integerToken, decimalToken:
		p.advance()
	default:
		p.expected = append(p.expected, "a name or string")
		p.unexpected()
	}
	a.Value = p.textAfter("=", "a string")
	a.Span = p.span(start)
	return a
}
