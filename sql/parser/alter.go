package parser

import (
	"millrace/sql/ast"
)

// objects are the words for what can be dropped and altered.
var objects = []string{
	string(ast.TableObject), string(ast.ViewObject), string(ast.FunctionObject), string(ast.DatabaseObject), string(ast.CatalogObject),
}

func (p *parser) drop() ast.Statement {
	start := p.tok.Start
	p.expect("DROP")
	d := &ast.Drop{Temporary: p.accept("TEMPORARY")}
	d.System = d.Temporary && p.accept("SYSTEM")
	d.Object = p.object()
	if d.System && d.Object != ast.FunctionObject || d.Temporary && (d.Object == ast.DatabaseObject || d.Object == ast.CatalogObject) {
		scope := "TEMPORARY "
		if d.System {
			scope += "SYSTEM "
		}
		p.fail(start, "there is no "+scope+string(d.Object), "TEMPORARY are tables, views and functions, TEMPORARY SYSTEM functions only")
	}
	d.IfExists = p.ifExists()
	d.Name = p.name("a name")
	if p.at("RESTRICT", "CASCADE") {
		d.Behavior = ast.DropBehavior(p.oneOf("RESTRICT", "CASCADE"))
	}
	d.Span = p.span(start)
	return d
}

func (p *parser) object() ast.ObjectKind {
	if !p.at(objects...) {
		p.refuseObject()
		return ""
	}
	return ast.ObjectKind(p.oneOf(objects...))
}

func (p *parser) alter() ast.Statement {
	start := p.tok.Start
	p.expect("ALTER")
	a := &ast.Alter{Temporary: p.accept("TEMPORARY")}
	a.System = a.Temporary && p.accept("SYSTEM")
	if a.Temporary && !p.at("FUNCTION") {
		p.unexpected()
	}
	a.Object = p.object()
	a.IfExists = p.ifExists()
	a.Name = p.name("a name")
	a.Action = p.alterAction(a.Object)
	a.Span = p.span(start)
	return a
}

func (p *parser) alterAction(object ast.ObjectKind) ast.AlterAction {
	start := p.tok.Start
	switch object {
	case ast.TableObject:
		return p.alterTable(start)
	case ast.ViewObject:
		if p.acceptAll("RENAME", "TO") {
			return p.renameTo(start)
		}
		p.expect("AS")
		query := p.query()
		return &ast.SetQuery{Span: p.span(start), Query: query}
	case ast.FunctionObject:
		p.expect("AS")
		f := &ast.SetFunction{As: p.text("what implements it, as a string"), Language: p.language()}
		f.Span = p.span(start)
		return f
	case ast.CatalogObject:
		if comment := p.textAfter("COMMENT", "a comment"); comment != nil {
			return &ast.SetComment{Span: p.span(start), Comment: *comment}
		}
		return p.alterOptions(start)
	default:
		return p.alterOptions(start)
	}
}

// alterOptions parses SET ('k' = 'v') or RESET ('k').
func (p *parser) alterOptions(start int) ast.AlterAction {
	if p.accept("SET") {
		options := p.optionList()
		return &ast.SetOptions{Span: p.span(start), Options: options}
	}
	p.expect("RESET", "(")
	var keys []ast.Text
	if !p.at(")") {
		keys = commas(p, func(p *parser) ast.Text { return p.text("a string") })
	}
	p.expect(")")
	return &ast.ResetOptions{Span: p.span(start), Keys: keys}
}

func (p *parser) renameTo(start int) ast.AlterAction {
	name := p.name("a name")
	return &ast.Rename{Span: p.span(start), To: name}
}

func (p *parser) alterTable(start int) ast.AlterAction {
	switch {
	case p.accept("RENAME"):
		return p.rename(start)
	case p.accept("ADD"):
		return p.changeSchema(start, false)
	case p.accept("MODIFY"):
		return p.changeSchema(start, true)
	case p.accept("DROP"):
		return p.dropFromTable(start)
	default:
		return p.alterOptions(start)
	}
}

// rename parses TO t, or a TO b for a column.
func (p *parser) rename(start int) ast.AlterAction {
	if p.accept("TO") {
		return p.renameTo(start)
	}
	r := &ast.RenameColumn{From: columnPath(p)}
	p.expect("TO")
	r.To = columnPath(p)
	r.Span = p.span(start)
	return r
}

// changeSchema parses what ADD and MODIFY take: one element of a table, several in brackets, or a distribution.
func (p *parser) changeSchema(start int, modify bool) ast.AlterAction {
	c := &ast.ChangeSchema{Modify: modify}
	p.refuseColumnWord()
	switch {
	case p.tok.what == "PARTITION" || p.tok.what == "IF":
		p.unsupported(p.tok.Start, "ALTER TABLE ... ADD PARTITION")
	case p.at("DISTRIBUTION"):
		c.Distributed = p.distribution("DISTRIBUTION")
	case p.accept("("):
		p.schemaElement(c)
		for p.accept(",") {
			p.schemaElement(c)
		}
		p.expect(")")
	default:
		p.schemaElement(c)
	}
	c.Span = p.span(start)
	return c
}

// refuseColumnWord tells people who know other databases what to leave out.
func (p *parser) refuseColumnWord() {
	if p.tok.what == "COLUMN" {
		p.failWith(p.tok.Start, messageOf("unexpected COLUMN", "", "leave it out: the column follows at once"))
	}
}

func (p *parser) schemaElement(c *ast.ChangeSchema) {
	switch {
	case p.at("WATERMARK"):
		c.Watermarks = append(c.Watermarks, p.watermark())
	case p.atConstraint():
		c.Constraints = append(c.Constraints, p.constraint())
	default:
		c.Columns = append(c.Columns, p.columnChange())
	}
}

func (p *parser) columnChange() *ast.ColumnChange {
	start := p.tok.Start
	c := &ast.ColumnChange{Column: p.column()}
	p.checkType(c.Column)
	if c.First = p.accept("FIRST"); !c.First && p.accept("AFTER") {
		after := columnPath(p)
		c.After = &after
	}
	c.Span = p.span(start)
	return c
}

// dropFromTable parses what DROP takes within ALTER TABLE.
func (p *parser) dropFromTable(start int) ast.AlterAction {
	p.refuseColumnWord()
	switch {
	case p.acceptAll("PRIMARY", "KEY"):
		return &ast.DropPart{Span: p.span(start), Kind: ast.DropPrimaryKey}
	case p.accept("CONSTRAINT"):
		name := p.ident("a constraint")
		return &ast.DropPart{Span: p.span(start), Kind: ast.DropConstraint, Name: &name}
	case p.accept("WATERMARK"):
		return &ast.DropPart{Span: p.span(start), Kind: ast.DropWatermark}
	case p.accept("DISTRIBUTION"):
		return &ast.DropPart{Span: p.span(start), Kind: ast.DropDistribution}
	case p.tok.what == "PARTITION" || p.tok.what == "IF" && p.follows("EXISTS"):
		p.unsupported(p.tok.Start, "ALTER TABLE ... DROP PARTITION")
		return nil
	case p.at("("):
		columns := brackets(p, columnPath)
		return &ast.DropColumns{Span: p.span(start), Columns: columns}
	default:
		column := columnPath(p)
		return &ast.DropColumns{Span: p.span(start), Columns: []ast.Name{column}}
	}
}
