package parser

import (
	"strings"

	"millrace/sql/ast"
)

// tokenKind tells what a token is.
type tokenKind uint8

const (
	endToken     tokenKind = iota // of the text
	wordToken                     // a keyword or an identifier without quotes
	quotedToken                   // an identifier in backquotes
	stringToken                   // text in quotes
	binaryToken                   // X'..'
	integerToken                  // digits
	decimalToken                  // with a point
	doubleToken                   // with an exponent
	signToken                     // punctuation and operators
	badToken                      // none of these: problem says why
)

// token is a piece of the text.
type token struct {
	ast.Span
	kind tokenKind
	// what is compared with the grammar: a word in upper case, a sign as it is; empty for all others.
	what string
	// text is a word as it was written, and the value of a literal or a quoted identifier.
	text    string
	problem problem
}

// problem is what a lexer or parser has to say of a place.
type problem struct {
	primary, hint string
}

// describe names the token in a message.
func (t token) describe(source string) string {
	switch {
	case t.kind == endToken || t.what == ";":
		return "end of the statement"
	case t.kind == signToken:
		return `"` + t.what + `"`
	}
	text := strings.Map(showable, source[t.Start:t.End])
	if cut := clipEnd(text, textCharsMax); cut != text {
		return cut + "..."
	}
	return text
}

// startsOperand tells whether the token could be the beginning of another item of a list.
func (t token) startsOperand() bool {
	switch t.kind {
	case quotedToken, stringToken, binaryToken, integerToken, decimalToken, doubleToken:
		return true
	case wordToken:
		return !ast.IsReserved(t.what)
	default:
		return false
	}
}
