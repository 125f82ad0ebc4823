package parser

import (
	"strings"

	"millrace/sql/ast"
)

// showing says how a SHOW goes on behind its words.
type showing uint8

const (
	alone   showing = iota
	liked           // [NOT] LIKE 'pattern'
	from            // [FROM or IN name] [[NOT] LIKE 'pattern']
	ofTable         // FROM or IN name [[NOT] LIKE 'pattern']
	named           // name
)

// shows are the SHOW statements. Where one begins as another does, the longer stands first.
var shows = []struct {
	kind ast.ShowKind
	how  showing
}{
	{ast.ShowCatalogs, liked},
	{ast.ShowDatabases, from},
	{ast.ShowTables, from},
	{ast.ShowViews, from},
	{ast.ShowFunctions, from},
	{ast.ShowUserFunctions, from},
	{ast.ShowProcedures, from},
	{ast.ShowModules, alone},
	{ast.ShowFullModules, alone},
	{ast.ShowJars, alone},
	{ast.ShowJobs, alone},
	{ast.ShowColumns, ofTable},
	{ast.ShowPartitions, named},
	{ast.ShowCurrentCatalog, alone},
	{ast.ShowCurrentDatabase, alone},
	{ast.ShowCreateTable, named},
	{ast.ShowCreateView, named},
	{ast.ShowCreateCatalog, named},
}

func (p *parser) show() ast.Statement {
	start := p.tok.Start
	p.expect("SHOW")
	for _, s := range shows {
		first, second, two := strings.Cut(string(s.kind), " ")
		if !p.at(first) || two && !p.follows(second) {
			continue
		}
		p.expect(strings.Fields(string(s.kind))...)
		show := &ast.Show{Kind: s.kind}
		p.showRest(show, s.how)
		show.Span = p.span(start)
		return show
	}
	p.refuseShow()
	return nil
}

// refuseShow fails at the first word that no SHOW has.
func (p *parser) refuseShow() {
	var seconds []string
	for _, s := range shows {
		if first, second, two := strings.Cut(string(s.kind), " "); two && first == p.tok.what {
			seconds = append(seconds, second)
		}
	}
	if len(seconds) > 0 {
		p.advance()
		p.at(seconds...)
	}
	p.refuseObject()
}

func (p *parser) showRest(s *ast.Show, how showing) {
	switch how {
	case alone:
		return
	case named:
		s.Name = p.name("a name")
		if s.Kind == ast.ShowPartitions && p.accept("PARTITION") {
			s.Partition = brackets(p, (*parser).partitionValue)
		}
		return
	case ofTable:
		p.oneOf("FROM", "IN")
		s.Name = p.name("a table")
	case from:
		if p.accept("FROM") || p.accept("IN") {
			s.Name = p.name("a name")
		}
	case liked:
	}
	s.Not = p.accept("NOT")
	if s.Not || p.at("LIKE", "ILIKE") {
		s.CaseBlind = p.oneOf("LIKE", "ILIKE") == "ILIKE"
		pattern := p.text("a pattern")
		s.Like = &pattern
	}
}

// described are the words behind DESCRIBE that say of what. They are no reserved words: a table may have such a name.
var described = map[string]ast.ObjectKind{
	"CATALOG": ast.CatalogObject, "DATABASE": ast.DatabaseObject, "FUNCTION": ast.FunctionObject, "JOB": ast.JobObject,
}

func (p *parser) describe() ast.Statement {
	start := p.tok.Start
	p.oneOf("DESCRIBE", "DESC")
	d := &ast.Describe{Object: ast.TableObject}
	if kind, ok := described[p.tok.what]; ok && p.peek.kind != endToken && !p.follows(";", ".") {
		d.Object = kind
		p.advance()
	} else {
		p.accept("TABLE")
	}
	if d.Object == ast.JobObject {
		id := p.text("a job's id")
		d.Job = &id
	} else {
		d.Extended = p.accept("EXTENDED")
		d.Name = p.name("a name")
	}
	d.Span = p.span(start)
	return d
}

func (p *parser) use() ast.Statement {
	start := p.tok.Start
	p.expect("USE")
	if p.tok.what == "MODULES" {
		p.unsupported(p.tok.Start, "USE MODULES")
	}
	u := &ast.Use{Object: ast.DatabaseObject}
	if p.tok.what == "CATALOG" && p.peek.kind != endToken && !p.follows(";", ".") {
		p.advance()
		u.Object = ast.CatalogObject
	}
	u.Name = p.name("a name")
	u.Span = p.span(start)
	return u
}

// set parses SET, SET 'k' = 'v' and the unquoted SET k = v of old scripts, whose parts are taken as they are.
func (p *parser) set() ast.Statement {
	start := p.tok.Start
	p.expect("SET")
	s := &ast.Set{}
	switch {
	case p.atEnd():
	case p.tok.kind == stringToken:
		s.Option = p.option()
	default:
		s.Option = p.rawOption()
	}
	s.Span = p.span(start)
	return s
}

func (p *parser) reset() ast.Statement {
	start := p.tok.Start
	p.expect("RESET")
	r := &ast.Reset{}
	switch {
	case p.atEnd():
	case p.tok.kind == stringToken:
		key := p.text("a key")
		r.Key = &key
	default:
		key := p.rawText(p.tok.Start, ";\n")
		r.Key = &key
	}
	r.Span = p.span(start)
	return r
}

// atEnd tells whether the statement ends here.
func (p *parser) atEnd() bool { return p.tok.kind == endToken || p.tok.what == ";" }

func (p *parser) rawOption() *ast.Option {
	o := &ast.Option{Key: p.rawText(p.tok.Start, "=;\n")}
	if !p.at("=") {
		p.unexpected()
		return o
	}
	o.Value = p.rawText(p.tok.End, ";\n")
	o.Span = ast.Span{Start: o.Key.Start, End: o.Value.End}
	return o
}

// rawText takes the text from an offset to the first of the stops, white space around it aside, and goes on behind it.
func (p *parser) rawText(at int, stops string) ast.Text {
	text := p.lex.text[at:]
	if end := strings.IndexAny(text, stops); end >= 0 {
		text = text[:end]
	}
	if comment := strings.Index(text, " --"); comment >= 0 {
		text = text[:comment]
	}
	value := strings.TrimSpace(text)
	start := at + strings.Index(text, value)
	t := ast.Text{Span: ast.Span{Start: start, End: start + len(value)}, Value: value}
	if value == "" {
		p.expected = append(p.expected, "a text")
		p.unexpected()
		return t
	}
	p.moveTo(at+len(text), t.End)
	return t
}

// moveTo goes to the first token from an offset on, behind what ended at last.
func (p *parser) moveTo(at, last int) {
	if p.err != nil {
		return
	}
	q := newParser(p.lex.text, at)
	p.lex, p.tok, p.peek, p.last, p.err, p.failedAt = q.lex, q.tok, q.peek, last, q.err, q.failedAt
	p.expected = p.expected[:0]
}
