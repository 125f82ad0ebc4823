package parser

import "millrace/sql/ast"

// extractUnits are the fields that EXTRACT and the like take besides units of intervals.
var extractUnits = words("EPOCH CENTURY DECADE MILLENNIUM DOW DOY ISODOW ISOYEAR MILLISECOND MICROSECOND NANOSECOND FRAC_SECOND")

// symbol takes a unit of time as an argument. SQL_TSI_DAY is DAY.
func (p *parser) symbol() ast.Expr {
	start := p.tok.Start
	word := p.tok.what
	if len(word) > len("SQL_TSI_") && word[:len("SQL_TSI_")] == "SQL_TSI_" {
		word = word[len("SQL_TSI_"):]
	}
	if unit, ok := units[word]; ok {
		word = string(unit)
	} else if !extractUnits[word] {
		p.at(unitWords...)
		p.unexpected()
		return nil
	}
	p.advance()
	return &ast.Symbol{Span: p.span(start), Word: word}
}

// extract parses YEAR FROM x.
func (p *parser) extract(c *ast.Call) {
	c.Args = append(c.Args, p.symbol())
	p.expect("FROM")
	c.Args = append(c.Args, p.expr())
}

// trim parses [BOTH | LEADING | TRAILING] [a] FROM b, or a string alone.
func (p *parser) trim(c *ast.Call) {
	start := p.tok.Start
	side := &ast.Symbol{Word: "BOTH"}
	sided := p.at("BOTH", "LEADING", "TRAILING")
	if sided {
		side.Word = p.oneOf("BOTH", "LEADING", "TRAILING")
		side.Span = p.span(start)
		c.Args = append(c.Args, side)
		if p.accept("FROM") {
			c.Args = append(c.Args, p.expr())
			return
		}
	}
	x := p.expr()
	switch {
	case p.accept("FROM"):
		c.Args = []ast.Expr{side, x, p.expr()}
	case sided:
		p.expect("FROM")
	default:
		c.Args = []ast.Expr{x}
	}
}

// position parses a IN b [FROM c]. The first operand ends at IN.
func (p *parser) position(c *ast.Call) {
	c.Args = append(c.Args, p.exprAt(ast.SumPrecedence))
	p.expect("IN")
	c.Args = append(c.Args, p.expr())
	if p.accept("FROM") {
		c.Args = append(c.Args, p.expr())
	}
}

// substring parses a FROM b [FOR c], or a, b, c.
func (p *parser) substring(c *ast.Call) {
	c.Args = append(c.Args, p.expr())
	if p.accept("FROM") {
		c.Args = append(c.Args, p.expr())
		if p.accept("FOR") {
			c.Args = append(c.Args, p.expr())
		}
		return
	}
	for p.accept(",") {
		c.Args = append(c.Args, p.expr())
	}
}

// overlay parses a PLACING b FROM c [FOR d], or the same with commas.
func (p *parser) overlay(c *ast.Call) {
	c.Args = append(c.Args, p.expr())
	if p.accept(",") {
		c.Args = append(c.Args, commas(p, exprItem)...)
		return
	}
	for _, word := range []string{"PLACING", "FROM"} {
		p.expect(word)
		c.Args = append(c.Args, p.expr())
	}
	if p.accept("FOR") {
		c.Args = append(c.Args, p.expr())
	}
}

// rounded parses x TO DAY, or ordinary arguments.
func (p *parser) rounded(c *ast.Call) {
	c.Args = append(c.Args, p.expr())
	if p.accept("TO") {
		c.Args = append(c.Args, p.symbol())
		return
	}
	for p.accept(",") {
		c.Args = append(c.Args, p.expr())
	}
}

// timestampArgs parses DAY, x, y.
func (p *parser) timestampArgs(c *ast.Call) {
	c.Args = append(c.Args, p.symbol())
	p.expect(",")
	c.Args = append(c.Args, commas(p, exprItem)...)
}

// jsonPath parses x, path and the clauses of JSON_VALUE, JSON_QUERY and JSON_EXISTS. Which of them takes which clause is
// asked later.
func (p *parser) jsonPath(c *ast.Call) {
	c.Args = append(c.Args, p.expr())
	p.expect(",")
	c.Args = append(c.Args, p.expr())
	start := p.tok.Start
	j := &ast.JSONClauses{}
	if p.accept("RETURNING") {
		j.Returning = p.typeName()
	}
	j.Wrapper = p.jsonWrapper()
	for n := 0; n < 2 && !p.at(")") && p.err == nil; n++ {
		b := p.jsonBehavior()
		p.expect("ON")
		switch p.oneOf("EMPTY", "ERROR") {
		case "EMPTY":
			j.OnEmpty = b
		case "ERROR":
			j.OnError = b
		}
	}
	p.keepJSON(c, j, start)
}

// keepJSON puts clauses into the call if any was written.
func (p *parser) keepJSON(c *ast.Call, j *ast.JSONClauses, start int) {
	if *j != (ast.JSONClauses{}) {
		j.Span = p.span(start)
		c.JSON = j
	}
}

func (p *parser) jsonWrapper() ast.JSONWrapper {
	switch {
	case p.accept("WITHOUT"):
		p.accept("ARRAY")
		p.expect("WRAPPER")
		return ast.WithoutWrapper
	case p.accept("WITH"):
		w := ast.AlwaysWrapper
		if p.accept("CONDITIONAL") {
			w = ast.ConditionalWrapper
		} else {
			p.accept("UNCONDITIONAL")
		}
		p.accept("ARRAY")
		p.expect("WRAPPER")
		return w
	default:
		return ast.DefaultWrapper
	}
}

func (p *parser) jsonBehavior() *ast.JSONBehavior {
	start := p.tok.Start
	b := &ast.JSONBehavior{Word: p.oneOf("NULL", "ERROR", "DEFAULT", "EMPTY", "TRUE", "FALSE", "UNKNOWN")}
	switch b.Word {
	case "DEFAULT":
		b.Value = p.expr()
	case "EMPTY":
		b.Word = "EMPTY " + p.oneOf("ARRAY", "OBJECT")
	}
	b.Span = p.span(start)
	return b
}

// jsonObject parses KEY k VALUE v, ... in any of its spellings.
func (p *parser) jsonObject(c *ast.Call) {
	start := p.tok.Start
	j := &ast.JSONClauses{OnNull: p.jsonOnNull()}
	if j.OnNull == "" && !p.at(")") {
		for {
			if p.tok.what == "KEY" && !p.follows("VALUE", ":", ".") {
				p.advance()
			}
			c.Args = append(c.Args, p.expr())
			if !p.accept(":") {
				p.expect("VALUE")
			}
			c.Args = append(c.Args, p.expr())
			if !p.accept(",") {
				break
			}
		}
		start = p.tok.Start
		j.OnNull = p.jsonOnNull()
	}
	p.keepJSON(c, j, start)
}

func (p *parser) jsonArray(c *ast.Call) {
	start := p.tok.Start
	j := &ast.JSONClauses{OnNull: p.jsonOnNull()}
	if j.OnNull == "" && !p.at(")") {
		c.Args = commas(p, exprItem)
		c.OrderBy = p.orderBy()
		start = p.tok.Start
		j.OnNull = p.jsonOnNull()
	}
	p.keepJSON(c, j, start)
}

// jsonOnNull parses NULL ON NULL or ABSENT ON NULL.
func (p *parser) jsonOnNull() ast.JSONOnNull {
	if !p.at("NULL", "ABSENT") || !p.follows("ON") {
		return ast.DefaultOnNull
	}
	n := ast.JSONOnNull(p.oneOf("NULL", "ABSENT") + " ON NULL")
	p.expect("ON", "NULL")
	return n
}
