package parser

import "millrace/sql/ast"

// typeNames are the words that begin a built-in type, and the type's name.
var typeNames = map[string]string{
	"BOOLEAN": "BOOLEAN", "TINYINT": "TINYINT", "SMALLINT": "SMALLINT", "INT": "INT", "INTEGER": "INT", "BIGINT": "BIGINT",
	"FLOAT": "FLOAT", "REAL": "FLOAT", "DOUBLE": "DOUBLE", "DECIMAL": "DECIMAL", "DEC": "DECIMAL", "NUMERIC": "DECIMAL",
	"CHAR": "CHAR", "CHARACTER": "CHAR", "VARCHAR": "VARCHAR", "STRING": "STRING", "BINARY": "BINARY", "VARBINARY": "VARBINARY",
	"BYTES": "BYTES", "DATE": "DATE", "TIME": "TIME", "TIMESTAMP": "TIMESTAMP", "TIMESTAMP_LTZ": "TIMESTAMP_LTZ",
	"INTERVAL": "INTERVAL", "ARRAY": "ARRAY", "MULTISET": "MULTISET", "MAP": "MAP", "ROW": "ROW", "RAW": "RAW", "NULL": "NULL",
	"VARIANT": "VARIANT",
}

// paramsMax is how many numbers in brackets a type takes; none if it is missing.
var paramsMax = map[string]int{
	"DECIMAL": 2, "CHAR": 1, "VARCHAR": 1, "BINARY": 1, "VARBINARY": 1, "TIME": 1, "TIMESTAMP": 1, "TIMESTAMP_LTZ": 1,
}

// typeName parses a type with NOT NULL behind it, and what makes a collection of it: INT ARRAY.
func (p *parser) typeName() *ast.TypeName {
	p.enter()
	defer p.leave()
	start := p.tok.Start
	t := p.rootType()
	t.NotNull = p.nullability()
	t.Span = p.span(start)
	for n := 0; p.at("ARRAY", "MULTISET"); n++ {
		p.link(n)
		t = &ast.TypeName{Name: p.oneOf("ARRAY", "MULTISET"), Elem: t}
		t.NotNull = p.nullability()
		t.Span = p.span(start)
	}
	return t
}

// nullability parses NOT NULL, or NULL, which is the default.
func (p *parser) nullability() bool {
	if p.tok.what == "NOT" && p.follows("NULL") {
		p.expect("NOT", "NULL")
		return true
	}
	if !p.follows("ON") { // JSON_VALUE(... RETURNING INT NULL ON EMPTY)
		p.accept("NULL")
	}
	return false
}

func (p *parser) rootType() *ast.TypeName {
	name, ok := typeNames[p.tok.what]
	if !ok {
		p.expected = append(p.expected[:0], "a type")
		return &ast.TypeName{User: p.name("a type")}
	}
	p.advance()
	t := &ast.TypeName{Name: name}
	switch name {
	case "DOUBLE":
		p.accept("PRECISION")
	case "CHAR":
		t.Name = p.varying("CHAR", "VARCHAR")
	case "BINARY":
		t.Name = p.varying("BINARY", "VARBINARY")
	case "INTERVAL":
		q := p.qualifier()
		t.Interval = &q
	case "ARRAY", "MULTISET":
		p.expect("<")
		t.Elem = p.typeName()
		p.expect(">")
	case "MAP":
		p.expect("<")
		t.Key = p.typeName()
		p.expect(",")
		t.Elem = p.typeName()
		p.expect(">")
	case "ROW":
		t.Fields = p.rowFields()
	case "RAW":
		t.Raw = p.raw()
	}
	if paramsMax[t.Name] > 0 {
		p.typeParams(t)
	}
	return t
}

// varying turns CHAR VARYING into VARCHAR.
func (p *parser) varying(fixed, varying string) string {
	if p.accept("VARYING") {
		return varying
	}
	return fixed
}

// typeParams parses length or precision, and the time zone of a time.
func (p *parser) typeParams(t *ast.TypeName) {
	if p.accept("(") {
		t.Params = commas(p, (*parser).param)
		if n := paramsMax[t.Name]; len(t.Params) > n {
			p.fail(p.tok.Start, t.Name+" has too many numbers", "")
		}
		p.expect(")")
	}
	if t.Name != "TIME" && t.Name != "TIMESTAMP" {
		return
	}
	switch {
	case p.acceptAll("WITHOUT", "TIME", "ZONE"):
	case t.Name == "TIMESTAMP" && p.tok.what == "WITH" && p.follows("LOCAL", "TIME"):
		p.expect("WITH")
		t.Name = "TIMESTAMP_TZ"
		if p.accept("LOCAL") {
			t.Name = "TIMESTAMP_LTZ"
		}
		p.expect("TIME", "ZONE")
	}
}

// rowFields parses <a INT, b STRING 'comment'>, also in round brackets.
func (p *parser) rowFields() []*ast.RowField {
	if p.accept("<>") {
		return nil
	}
	end := ")"
	if !p.accept("(") {
		p.expect("<")
		end = ">"
	}
	if p.accept(end) {
		return nil
	}
	list := commas(p, (*parser).rowField)
	p.expect(end)
	return list
}

func (p *parser) rowField() *ast.RowField {
	start := p.tok.Start
	f := &ast.RowField{Name: p.ident("a field"), Type: p.typeName()}
	if p.tok.kind == stringToken {
		comment := p.text("a comment")
		f.Comment = &comment
	}
	f.Span = p.span(start)
	return f
}

func (p *parser) raw() []ast.Text {
	p.expect("(")
	class := p.text("a string")
	p.expect(",")
	serializer := p.text("a string")
	p.expect(")")
	return []ast.Text{class, serializer}
}
