package parser

import (
	"millrace/sql/ast"
)

// Parsed is a statement of a script: a tree, or what is wrong with it.
type Parsed struct {
	// Span is where it stands, without the semicolon; up to where parsing goes on, if it is wrong.
	ast.Span
	Statement ast.Statement // nil if Err is not
	Err       *Error
}

// ParseScript parses statements that semicolons separate, each with its own error. Behind ErrorsMax errors it reads no
// further. A text that is too long or no UTF-8 is one error.
func ParseScript(text string) []Parsed {
	if err := textError(text); err != nil {
		return []Parsed{{Span: ast.Span{Start: err.Offset, End: len(text)}, Err: err}}
	}
	var list []Parsed
	for at, errors := 0, 0; errors < ErrorsMax; {
		p := newParser(text, at)
		for p.tok.what == ";" {
			p.advance()
			p.tokens = 0
		}
		if p.tok.kind == endToken && p.err == nil {
			return list
		}
		parsed, next := p.one()
		list = append(list, parsed)
		at = next
		if parsed.Err != nil {
			errors++
		}
	}
	return list
}

// one parses a statement with its semicolon and returns where the next begins.
func (p *parser) one() (Parsed, int) {
	start := p.tok.Start
	s := p.statement()
	span := p.span(start)
	if p.err == nil && p.atEnd() {
		return Parsed{Span: span, Statement: s}, p.tok.End
	}
	p.finished = true
	p.unexpected()
	next := p.recover()
	return Parsed{Span: ast.Span{Start: min(start, next), End: next}, Err: p.err}, next
}

// recover returns where the statement ends that failed. That of a statement set is behind its END.
func (p *parser) recover() int {
	l := lexer{text: p.lex.text, at: p.failedAt, quiet: true}
	ended, cases := !p.inSet, p.cases
	for {
		t := l.next()
		switch {
		case t.kind == endToken:
			return t.End
		case t.what == ";" && ended:
			return t.End
		case t.what == "CASE":
			cases++
		case t.what == "END" && cases > 0:
			cases--
		case t.what == "END":
			ended = true
		}
	}
}

// ParseStatement parses a text of one statement. A semicolon may end it. The error is an *Error.
func ParseStatement(text string) (ast.Statement, error) {
	return whole(text, func(p *parser) ast.Statement {
		s := p.statement()
		p.finished = !p.accept(";")
		return s
	})
}

// ParseExpr parses a text that is an expression and nothing else. The error is an *Error.
func ParseExpr(text string) (ast.Expr, error) { return whole(text, (*parser).expr) }

// ParseType parses a text that is a type and nothing else. The error is an *Error.
func ParseType(text string) (*ast.TypeName, error) { return whole(text, (*parser).typeName) }

// whole parses a text to its end.
func whole[T any](text string, parse func(*parser) T) (T, error) {
	var none T
	if err := textError(text); err != nil {
		return none, err
	}
	p := newParser(text, 0)
	tree := parse(p)
	if p.err == nil && p.tok.kind != endToken {
		p.unexpected()
	}
	if p.err != nil {
		return none, p.err
	}
	return tree, nil
}
