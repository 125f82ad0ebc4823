package parser

import (
	"fmt"
	"slices"

	"millrace/failure"
	"millrace/sql/ast"
)

// parser reads one text. Its productions are methods that return trees; see the package's doc for what they do after an
// error.
type parser struct {
	lex  lexer
	tok  token // the current one
	peek token // the one behind it
	last int   // where the token before the current one ends
	err  *Error
	// failedAt is where the token stood at which the error was noticed.
	failedAt int

	tokens int // of this statement
	depth  int
	opened []int // where the brackets begin that are open
	cases  int   // how many CASE are open
	inSet  bool  // within BEGIN ... END of a statement set

	// expected are the words and signs that were asked for at the current token in vain, for messages.
	expected []string
	// operand tells that an operator could stand here.
	operand bool
	// alias is the last word that was taken for an alias though no AS stood before it. It may be a keyword with a slip in it.
	alias aliasGuess
	// finished tells that a whole statement stands before the current token.
	finished bool
	// star allows a * where the next expression begins.
	star bool
}

type aliasGuess struct {
	token
	expected []string
	operand  bool
}

// newParser stands before the first token of text[at:].
func newParser(text string, at int) *parser {
	p := &parser{lex: lexer{text: text, at: at}, last: at}
	p.advance()
	p.advance()
	p.tokens, p.last = 0, at
	return p
}

// advance goes to the next token.
func (p *parser) advance() {
	if p.err != nil {
		return
	}
	p.bracket()
	p.last = p.tok.End
	p.tok = p.peek
	p.peek = p.lex.next()
	p.expected = p.expected[:0]
	p.operand = false
	if p.tokens++; p.tokens > TokensMax {
		p.fail(p.tok.Start, fmt.Sprintf("the statement is too long: more than %d words and signs", TokensMax), "split it, for instance with views")
	}
	if p.tok.kind == badToken {
		p.fail(p.tok.Start, p.tok.problem.primary, p.tok.problem.hint)
	}
}

// bracket remembers which brackets are open.
func (p *parser) bracket() {
	switch p.tok.what {
	case "(":
		p.opened = append(p.opened, p.tok.Start)
	case ")":
		if len(p.opened) > 0 {
			p.opened = p.opened[:len(p.opened)-1]
		}
	}
}

// fail keeps the first error, and makes every token from here on the end.
func (p *parser) fail(offset int, primary, hint string) {
	p.failWith(offset, failure.Message{Primary: primary, Hint: hint})
}

func (p *parser) failWith(offset int, m failure.Message) {
	if p.err != nil {
		return
	}
	p.err = ErrorAt(p.lex.text, offset, m)
	p.failedAt = p.tok.Start
	end := token{Span: ast.Span{Start: p.tok.Start, End: p.tok.Start}}
	p.tok, p.peek = end, end
}

// unsupported refuses what Flink has and Millrace does not.
func (p *parser) unsupported(offset int, what string) {
	p.fail(offset, what+" is not supported yet", "")
}

// span returns the range from start to the end of the token before the current one.
func (p *parser) span(start int) ast.Span { return ast.Span{Start: start, End: max(start, p.last)} }

// at tells whether the current token is one of the words or signs, and remembers what was asked for.
func (p *parser) at(whats ...string) bool {
	if slices.Contains(whats, p.tok.what) {
		return true
	}
	p.expected = append(p.expected, whats...)
	return false
}

// follows tells whether the token behind the current one is one of the words or signs.
func (p *parser) follows(whats ...string) bool { return slices.Contains(whats, p.peek.what) }

// accept takes the current token if it is the word or sign.
func (p *parser) accept(what string) bool {
	if !p.at(what) {
		return false
	}
	p.advance()
	return true
}

// acceptAll takes several words; the first decides.
func (p *parser) acceptAll(first string, rest ...string) bool {
	if !p.accept(first) {
		return false
	}
	p.expect(rest...)
	return true
}

// expect takes the words and signs, in this order.
func (p *parser) expect(whats ...string) {
	for _, what := range whats {
		if !p.accept(what) {
			p.unexpected()
			return
		}
	}
}

// oneOf takes one of the words and returns it.
func (p *parser) oneOf(whats ...string) string {
	if !p.at(whats...) {
		p.unexpected()
		return ""
	}
	what := p.tok.what
	p.advance()
	return what
}

// enter goes one level deeper. Whoever calls it calls leave at the end.
func (p *parser) enter() {
	if p.depth++; p.depth > NestingMax {
		p.fail(p.tok.Start, fmt.Sprintf("nested too deeply: more than %d levels", NestingMax), "use fewer brackets, or WITH for subqueries")
	}
}

func (p *parser) leave() { p.depth-- }

// link counts the links of a chain, from 0.
func (p *parser) link(n int) {
	if n >= OperatorsMax {
		p.fail(p.tok.Start, fmt.Sprintf("a chain of more than %d operators", OperatorsMax), "IN (...) does for many comparisons, a table for many values")
	}
}

// commas reads a list of one item or more.
func commas[T any](p *parser, item func(*parser) T) []T {
	var list []T
	for {
		list = append(list, item(p))
		if !p.accept(",") {
			return list
		}
	}
}

// brackets reads a list in brackets.
func brackets[T any](p *parser, item func(*parser) T) []T {
	p.expect("(")
	list := commas(p, item)
	p.expect(")")
	return list
}

// ident takes an identifier; what says in messages what it names.
func (p *parser) ident(what string) ast.Ident {
	t := p.tok
	switch {
	case t.kind == quotedToken:
	case t.kind == wordToken && !ast.IsReserved(t.what):
	default:
		p.expected = append(p.expected, what)
		p.unexpected()
		return ast.Ident{}
	}
	p.advance()
	return ast.Ident{Span: t.Span, Name: t.text, Quoted: t.kind == quotedToken}
}

// atIdent tells whether an identifier stands here.
func (p *parser) atIdent() bool {
	return p.tok.kind == quotedToken || p.tok.kind == wordToken && !ast.IsReserved(p.tok.what)
}

// name takes an identifier of one part or several.
func (p *parser) name(what string) ast.Name {
	start := p.tok.Start
	parts := []ast.Ident{p.ident(what)}
	for p.accept(".") {
		parts = append(parts, p.ident("a name"))
	}
	return ast.Name{Span: p.span(start), Parts: parts}
}

// text takes a string.
func (p *parser) text(what string) ast.Text {
	if p.tok.kind != stringToken {
		p.expected = append(p.expected, what)
		p.unexpected()
		return ast.Text{}
	}
	t := ast.Text{Span: p.tok.Span, Value: p.tok.text}
	p.advance()
	return t
}

// textAfter takes a word and a string if the word is there.
func (p *parser) textAfter(word, what string) *ast.Text {
	if !p.accept(word) {
		return nil
	}
	t := p.text(what)
	return &t
}

func columnName(p *parser) ast.Ident { return p.ident("a column") }

func columnPath(p *parser) ast.Name { return p.name("a column") }
