package parser

import (
	"millrace/failure"
	"millrace/sql/ast"
)

// functionWords are the reserved words that are names of functions before a bracket.
var functionWords = words(`ABS AVG CARDINALITY CEIL CEILING CHARACTER_LENGTH CHAR_LENGTH COALESCE COLLECT CORR COUNT COVAR_POP
	COVAR_SAMP CUME_DIST CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DAY DENSE_RANK ELEMENT EVERY EXP EXTRACT FIRST_VALUE FLOOR
	FUSION GROUPING HOUR INTERSECTION JSON_ARRAY JSON_ARRAYAGG JSON_EXISTS JSON_OBJECT JSON_OBJECTAGG JSON_QUERY JSON_VALUE LAG
	LAST_VALUE LEAD LEFT LN LOCALTIME LOCALTIMESTAMP LOWER MAX MIN MINUTE MOD MONTH NTH_VALUE NTILE NULLIF OCTET_LENGTH OVERLAY
	PERCENTILE_CONT PERCENTILE_DISC PERCENT_RANK POSITION POWER RANK REGR_AVGX REGR_AVGY REGR_COUNT REGR_INTERCEPT REGR_R2
	REGR_SLOPE REGR_SXX REGR_SXY REGR_SYY RIGHT ROW_NUMBER SECOND SQRT STDDEV_POP STDDEV_SAMP SUBSTRING SUM TRANSLATE TRIM
	TRUNCATE UPPER VAR_POP VAR_SAMP WIDTH_BUCKET YEAR`)

// niladic are the functions that are called without brackets.
var niladic = words("CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP LOCALTIME LOCALTIMESTAMP")

func messageOf(primary, detail, hint string) failure.Message {
	return failure.Message{Primary: primary, Detail: detail, Hint: hint}
}

// functionName takes the current word for a function's name, reserved or not.
func (p *parser) functionName() ast.Name {
	id := ast.Ident{Span: p.tok.Span, Name: p.tok.text}
	p.advance()
	return ast.Name{Span: id.Span, Parts: []ast.Ident{id}}
}

func (p *parser) bareCall() ast.Expr {
	name := p.functionName()
	return &ast.Call{Span: name.Span, Name: name, Bare: true}
}

// callNamed parses a call behind the function's name, at its bracket.
func (p *parser) callNamed(name ast.Name) ast.Expr {
	c := &ast.Call{Name: name}
	p.expect("(")
	switch word := c.Word(); {
	case word == "DESCRIPTOR":
		return p.descriptor(name.Start)
	case !p.special(c, word):
		p.arguments(c)
	}
	p.expect(")")
	p.behindCall(c)
	c.Span = p.span(name.Start)
	return c
}

// special parses the arguments of a function that separates them by words, if it is one.
func (p *parser) special(c *ast.Call, word string) bool {
	switch word {
	case "EXTRACT":
		p.extract(c)
	case "TRIM":
		p.trim(c)
	case "POSITION":
		p.position(c)
	case "SUBSTRING":
		p.substring(c)
	case "OVERLAY":
		p.overlay(c)
	case "FLOOR", "CEIL", "CEILING":
		p.rounded(c)
	case "TIMESTAMPADD", "TIMESTAMPDIFF":
		p.timestampArgs(c)
	case "JSON_VALUE", "JSON_QUERY", "JSON_EXISTS":
		p.jsonPath(c)
	case "JSON_OBJECT", "JSON_OBJECTAGG":
		p.jsonObject(c)
	case "JSON_ARRAY", "JSON_ARRAYAGG":
		p.jsonArray(c)
	default:
		return false
	}
	return true
}

func (p *parser) descriptor(start int) ast.Expr {
	d := &ast.Descriptor{Columns: commas(p, columnPath)}
	p.expect(")")
	d.Span = p.span(start)
	return d
}

// arguments parses what stands between the brackets of an ordinary call.
func (p *parser) arguments(c *ast.Call) {
	if p.at(")") {
		return
	}
	switch {
	case p.accept("DISTINCT"):
		c.Quantifier = ast.Distinct
	case p.accept("ALL"):
		c.Quantifier = ast.All
	}
	c.Args = commas(p, argument)
	c.Nulls = p.nullTreatment()
	c.OrderBy = p.orderBy()
}

// argument parses an argument: an expression, a *, a table, or one of them by name.
func argument(p *parser) ast.Expr {
	start := p.tok.Start
	if p.follows("=>") {
		name := p.argumentName()
		p.expect("=>")
		x := value(p)
		return &ast.NamedArg{Span: p.span(start), Name: name, Value: x}
	}
	return value(p)
}

// argumentName takes the name of an argument, reserved or not: the arrow behind it leaves no doubt, and window functions have
// an OFFSET.
func (p *parser) argumentName() ast.Ident {
	if p.tok.kind != wordToken {
		return p.ident("the name of an argument")
	}
	id := ast.Ident{Span: p.tok.Span, Name: p.tok.text}
	p.advance()
	return id
}

func value(p *parser) ast.Expr {
	if p.tok.what == "TABLE" {
		return p.tableArg()
	}
	if p.tok.what == "MODEL" && (p.peek.kind == wordToken || p.peek.kind == quotedToken) {
		p.unsupported(p.tok.Start, "a MODEL")
	}
	p.star = true
	return p.expr()
}

// tableArg parses TABLE t [PARTITION BY ...] [ORDER BY ...] in the place of an argument.
func (p *parser) tableArg() ast.Expr {
	start := p.tok.Start
	p.expect("TABLE")
	a := &ast.TableArg{}
	if p.tok.what == "(" {
		a.Query = p.bracketedQuery()
	} else {
		name := p.name("a table")
		a.Table = &ast.TableName{Name: name, Hints: p.hints()}
		a.Table.Span = p.span(name.Start)
	}
	a.PartitionBy = p.partitionArg()
	a.OrderBy = p.orderArg()
	a.Span = p.span(start)
	return a
}

// partitionArg parses PARTITION BY of a table argument: several columns stand in brackets, since a comma ends the argument.
func (p *parser) partitionArg() []ast.Expr {
	if !p.acceptAll("PARTITION", "BY") {
		return nil
	}
	if p.tok.what == "(" {
		return brackets(p, exprItem)
	}
	return []ast.Expr{p.expr()}
}

func (p *parser) orderArg() []*ast.OrderItem {
	if !p.acceptAll("ORDER", "BY") {
		return nil
	}
	if p.tok.what == "(" {
		return brackets(p, orderItem)
	}
	return []*ast.OrderItem{orderItem(p)}
}

// behindCall parses what may stand behind the brackets.
func (p *parser) behindCall(c *ast.Call) {
	p.nullsOf(c)
	if p.acceptAll("WITHIN", "GROUP", "(") {
		c.WithinGroup = p.orderBy()
		if len(c.WithinGroup) == 0 {
			p.expect("ORDER")
		}
		p.expect(")")
	}
	if p.acceptAll("FILTER", "(", "WHERE") {
		c.Filter = p.expr()
		p.expect(")")
	}
	p.nullsOf(c)
	if p.at("OVER") {
		c.Over = p.over()
	}
}

// nullsOf parses a null treatment, which stands in any of three places, if none was written yet.
func (p *parser) nullsOf(c *ast.Call) {
	if c.Nulls == "" {
		c.Nulls = p.nullTreatment()
	}
}

func (p *parser) nullTreatment() ast.NullTreatment {
	if p.tok.what != "IGNORE" && p.tok.what != "RESPECT" || !p.follows("NULLS") {
		return ast.DefaultNulls
	}
	n := ast.NullTreatment(p.oneOf("IGNORE", "RESPECT") + " NULLS")
	p.expect("NULLS")
	return n
}

// over parses OVER w or OVER (...).
func (p *parser) over() *ast.Over {
	start := p.tok.Start
	p.expect("OVER")
	o := &ast.Over{}
	if p.tok.what == "(" {
		o.Spec = p.windowSpec()
	} else {
		name := p.ident("a window")
		o.Name = &name
	}
	o.Span = p.span(start)
	return o
}

func (p *parser) windowSpec() *ast.WindowSpec {
	start := p.tok.Start
	p.expect("(")
	w := &ast.WindowSpec{}
	if p.atIdent() {
		base := p.ident("a window")
		w.Base = &base
	}
	w.PartitionBy = p.partitionBy()
	w.OrderBy = p.orderBy()
	if p.at("ROWS", "RANGE") {
		w.Frame = p.frame()
	}
	p.expect(")")
	w.Span = p.span(start)
	return w
}

func (p *parser) frame() *ast.Frame {
	start := p.tok.Start
	f := &ast.Frame{ByValue: p.oneOf("ROWS", "RANGE") == "RANGE"}
	if p.accept("BETWEEN") {
		f.Start = p.bound()
		p.expect("AND")
		end := p.bound()
		f.End = &end
	} else {
		f.Start = p.bound()
	}
	f.Span = p.span(start)
	return f
}

func (p *parser) bound() ast.FrameBound {
	switch {
	case p.at("UNBOUNDED") && p.follows("PRECEDING", "FOLLOWING"):
		p.advance()
		return ast.FrameBound{Kind: ast.BoundKind("UNBOUNDED " + p.oneOf("PRECEDING", "FOLLOWING"))}
	case p.acceptAll("CURRENT", "ROW"):
		return ast.FrameBound{Kind: ast.CurrentRow}
	}
	offset := p.exprAt(ast.SumPrecedence)
	return ast.FrameBound{Offset: offset, Kind: ast.BoundKind(p.oneOf("PRECEDING", "FOLLOWING"))}
}
