package parser

import (
	"millrace/sql/ast"
)

// create parses CREATE of anything.
func (p *parser) create() ast.Statement {
	start := p.tok.Start
	p.expect("CREATE")
	if p.acceptAll("OR", "REPLACE") {
		return p.createTable(start, ast.CreateOrReplace, false)
	}
	temporary := p.accept("TEMPORARY")
	system := temporary && p.accept("SYSTEM")
	switch {
	case p.tok.what == "SYSTEM":
		p.fail(p.tok.Start, "unexpected SYSTEM", "functions of the system are temporary: CREATE TEMPORARY SYSTEM FUNCTION")
	case p.at("FUNCTION"):
		return p.createFunction(start, temporary, system)
	case system:
		p.unexpected()
	case p.at("TABLE"):
		return p.createTable(start, ast.Create, temporary)
	case p.at("VIEW"):
		return p.createView(start, temporary)
	case temporary:
		p.refuseObject()
	case p.accept("DATABASE"):
		return p.createDatabase(start)
	case p.accept("CATALOG"):
		return p.createCatalog(start)
	default:
		p.refuseObject()
	}
	return nil
}

// refuseObject fails at a word that names no object, or one that only Flink has.
func (p *parser) refuseObject() {
	switch p.tok.what {
	case "MATERIALIZED":
		p.unsupported(p.tok.Start, "a MATERIALIZED TABLE")
	case "MODEL":
		p.unsupported(p.tok.Start, "a MODEL")
	case "CONNECTION":
		p.unsupported(p.tok.Start, "a CONNECTION")
	default:
		p.unexpected()
	}
}

// replace parses REPLACE TABLE ... AS.
func (p *parser) replace() ast.Statement {
	start := p.tok.Start
	p.expect("REPLACE")
	return p.createTable(start, ast.Replace, false)
}

func (p *parser) ifNotExists() bool {
	if p.tok.what != "IF" || !p.follows("NOT") {
		return false
	}
	p.expect("IF", "NOT", "EXISTS")
	return true
}

func (p *parser) ifExists() bool {
	if p.tok.what != "IF" || !p.follows("EXISTS") {
		return false
	}
	p.expect("IF", "EXISTS")
	return true
}

func (p *parser) createTable(start int, mode ast.CreateMode, temporary bool) ast.Statement {
	if !p.at("TABLE") {
		p.refuseObject()
	}
	p.expect("TABLE")
	t := &ast.CreateTable{Mode: mode, Temporary: temporary, IfNotExists: p.ifNotExists()}
	t.Name = p.name("a table")
	if p.accept("(") {
		p.tableElements(t)
		p.expect(")")
	}
	t.Comment = p.textAfter("COMMENT", "a comment")
	t.Distributed = p.distribution("DISTRIBUTED")
	if p.acceptAll("PARTITIONED", "BY") {
		t.Partitioned = brackets(p, columnName)
	}
	t.Options = p.withOptions()
	switch {
	case p.at("LIKE"):
		t.Like = p.likeClause()
	case p.accept("AS"):
		t.As = p.query()
	}
	p.checkNamedColumns(t)
	t.Span = p.span(start)
	return t
}

// checkNamedColumns refuses columns that are but names where no query gives them types.
func (p *parser) checkNamedColumns(t *ast.CreateTable) {
	for _, c := range t.Columns {
		if t.As == nil {
			p.checkType(c)
		}
	}
}

func (p *parser) checkType(c *ast.Column) {
	if c.Kind == ast.NamedColumn {
		p.fail(c.End, "a column without a type", "only CREATE TABLE ... AS takes types from a query")
	}
}

// tableElements parses columns, watermarks and constraints, in any order.
func (p *parser) tableElements(t *ast.CreateTable) {
	for {
		switch {
		case p.at("WATERMARK"):
			t.Watermarks = append(t.Watermarks, p.watermark())
		case p.atConstraint():
			t.Constraints = append(t.Constraints, p.constraint())
		default:
			t.Columns = append(t.Columns, p.column())
		}
		if !p.accept(",") {
			return
		}
	}
}

func (p *parser) watermark() *ast.Watermark {
	start := p.tok.Start
	p.expect("WATERMARK", "FOR")
	w := &ast.Watermark{Column: columnPath(p)}
	p.expect("AS")
	w.As = p.expr()
	w.Span = p.span(start)
	return w
}

func (p *parser) atConstraint() bool { return p.at("CONSTRAINT", "PRIMARY", "UNIQUE") }

// constraint parses a constraint of the table.
func (p *parser) constraint() *ast.Constraint {
	start := p.tok.Start
	c := p.constraintKind()
	c.Columns = brackets(p, columnName)
	c.Enforcement = p.enforcement()
	c.Span = p.span(start)
	return c
}

func (p *parser) constraintKind() *ast.Constraint {
	c := &ast.Constraint{}
	if p.accept("CONSTRAINT") {
		name := p.ident("a constraint")
		c.Name = &name
	}
	if c.Unique = p.accept("UNIQUE"); !c.Unique {
		p.expect("PRIMARY", "KEY")
	}
	return c
}

func (p *parser) enforcement() ast.Enforcement {
	switch {
	case p.tok.what == "NOT" && p.follows("ENFORCED"):
		p.expect("NOT", "ENFORCED")
		return ast.NotEnforced
	case p.accept("ENFORCED"):
		return ast.Enforced
	default:
		return ast.DefaultEnforcement
	}
}

// column parses a column in any of its kinds.
func (p *parser) column() *ast.Column {
	start := p.tok.Start
	c := &ast.Column{Kind: ast.NamedColumn, Name: columnPath(p)}
	switch {
	case p.accept("AS"):
		c.Kind, c.As = ast.ComputedColumn, p.expr()
	case p.at(",", ")"):
	default:
		c.Kind, c.Type = ast.PhysicalColumn, p.typeName()
		p.columnRest(c)
	}
	c.Comment = p.textAfter("COMMENT", "a comment")
	c.Span = p.span(start)
	return c
}

// columnRest parses what stands behind a column's type.
func (p *parser) columnRest(c *ast.Column) {
	if p.accept("METADATA") {
		c.Kind = ast.MetadataColumn
		c.From = p.textAfter("FROM", "a metadata key")
		c.Virtual = p.accept("VIRTUAL")
		return
	}
	if !p.atConstraint() {
		return
	}
	start := p.tok.Start
	c.Constraint = p.constraintKind()
	c.Constraint.Enforcement = p.enforcement()
	c.Constraint.Span = p.span(start)
}

// distribution parses DISTRIBUTED or DISTRIBUTION and what belongs to it, if the word is there.
func (p *parser) distribution(word string) *ast.Distribution {
	start := p.tok.Start
	if !p.accept(word) {
		return nil
	}
	d := &ast.Distribution{}
	by := p.accept("BY")
	if by {
		if p.at("HASH", "RANGE") {
			d.Kind = ast.DistributionKind(p.oneOf("HASH", "RANGE"))
		}
		d.Columns = brackets(p, columnName)
	}
	if !by || p.at("INTO") {
		p.expect("INTO")
		d.Buckets, _ = p.count().(*ast.Literal)
		p.expect("BUCKETS")
	}
	d.Span = p.span(start)
	return d
}

// withOptions parses WITH ('k' = 'v') if it is there.
func (p *parser) withOptions() []*ast.Option {
	if !p.accept("WITH") {
		return nil
	}
	return p.optionList()
}

// optionList parses ('k' = 'v'), which may be empty.
func (p *parser) optionList() []*ast.Option {
	if p.tok.what == "(" && p.follows(")") {
		p.expect("(", ")")
		return nil
	}
	return brackets(p, (*parser).option)
}

func (p *parser) option() *ast.Option {
	start := p.tok.Start
	o := &ast.Option{Key: p.text("a string")}
	p.expect("=")
	o.Value = p.text("a string")
	o.Span = p.span(start)
	return o
}

// What LIKE says of which features.
var (
	likeStrategies = []string{"INCLUDING", "EXCLUDING", "OVERWRITING"}
	likeFeatures   = []string{"ALL", "CONSTRAINTS", "DISTRIBUTION", "GENERATED", "METADATA", "OPTIONS", "PARTITIONS", "WATERMARKS"}
)

func (p *parser) likeClause() *ast.LikeClause {
	start := p.tok.Start
	p.expect("LIKE")
	l := &ast.LikeClause{Table: p.name("a table")}
	if p.accept("(") {
		for p.at(likeStrategies...) {
			l.Options = append(l.Options, p.likeOption())
		}
		p.expect(")")
	}
	l.Span = p.span(start)
	return l
}

func (p *parser) likeOption() *ast.LikeOption {
	start := p.tok.Start
	o := &ast.LikeOption{Strategy: p.oneOf(likeStrategies...), Feature: p.oneOf(likeFeatures...)}
	o.Span = p.span(start)
	return o
}

func (p *parser) createView(start int, temporary bool) ast.Statement {
	p.expect("VIEW")
	v := &ast.CreateView{Temporary: temporary, IfNotExists: p.ifNotExists()}
	v.Name = p.name("a view")
	if p.tok.what == "(" {
		v.Columns = brackets(p, (*parser).viewColumn)
	}
	v.Comment = p.textAfter("COMMENT", "a comment")
	p.expect("AS")
	v.Query = p.query()
	v.Span = p.span(start)
	return v
}

func (p *parser) viewColumn() *ast.ViewColumn {
	start := p.tok.Start
	c := &ast.ViewColumn{Name: columnName(p)}
	c.Comment = p.textAfter("COMMENT", "a comment")
	c.Span = p.span(start)
	return c
}

func (p *parser) createFunction(start int, temporary, system bool) ast.Statement {
	p.expect("FUNCTION")
	f := &ast.CreateFunction{Temporary: temporary, System: system, IfNotExists: p.ifNotExists()}
	f.Name = p.name("a function")
	p.expect("AS")
	f.As = p.text("what implements it, as a string")
	f.Language = p.language()
	if p.accept("USING") {
		f.Resources = commas(p, (*parser).resource)
	}
	f.Options = p.withOptions()
	f.Span = p.span(start)
	return f
}

func (p *parser) resource() ast.Resource {
	return ast.Resource{Kind: p.oneOf("JAR", "ARTIFACT"), Path: p.text("a path")}
}

// language parses LANGUAGE and a word, reserved or not, if it is there.
func (p *parser) language() string {
	if !p.accept("LANGUAGE") {
		return ""
	}
	if p.tok.kind != wordToken {
		p.expected = append(p.expected, "a language")
		p.unexpected()
		return ""
	}
	language := p.tok.what
	p.advance()
	return language
}

func (p *parser) createDatabase(start int) ast.Statement {
	d := &ast.CreateDatabase{IfNotExists: p.ifNotExists(), Name: p.name("a database")}
	d.Comment = p.textAfter("COMMENT", "a comment")
	d.Options = p.withOptions()
	d.Span = p.span(start)
	return d
}

func (p *parser) createCatalog(start int) ast.Statement {
	c := &ast.CreateCatalog{IfNotExists: p.ifNotExists(), Name: p.ident("a catalog")}
	c.Comment = p.textAfter("COMMENT", "a comment")
	c.Options = p.withOptions()
	c.Span = p.span(start)
	return c
}
