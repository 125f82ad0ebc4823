package parser

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"millrace/sql/ast"
)

// lexer cuts a text into tokens, one a call. The text is valid UTF-8.
type lexer struct {
	text   string
	at     int
	inHint bool // between /*+ and */, where */ is a sign
	quiet  bool // nobody asks what is wrong with a bad token
}

// signs are the operators of two characters and more; all others have one.
var signs = []string{"<=", ">=", "<>", "!=", "||", "=>"}

const singles = "()[]{},;.=<>+-*/%?:"

// next returns the next token; at the end of the text, endToken again and again.
func (l *lexer) next() token {
	if bad, ok := l.skip(); ok {
		return bad
	}
	start := l.at
	if start == len(l.text) {
		return token{Span: ast.Span{Start: start, End: start}}
	}
	r, _ := l.rune()
	switch {
	case ast.IsIdentStart(r):
		return l.word()
	case isDigit(r) || r == '.' && l.digitAt(l.at+1):
		return l.number()
	case r == '\'':
		return l.quoted(stringToken, "string")
	case r == '`':
		return l.ident()
	case strings.HasPrefix(l.text[l.at:], "/*+"):
		l.inHint = true
		return l.sign("/*+")
	case l.inHint && strings.HasPrefix(l.text[l.at:], "*/"):
		l.inHint = false
		return l.sign("*/")
	}
	for _, s := range signs {
		if strings.HasPrefix(l.text[l.at:], s) {
			return l.sign(s)
		}
	}
	if r < utf8.RuneSelf && strings.ContainsRune(singles, r) {
		return l.sign(l.text[l.at : l.at+1])
	}
	return l.stranger(r)
}

func (l *lexer) rune() (rune, int) { return utf8.DecodeRuneInString(l.text[l.at:]) }

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func (l *lexer) digitAt(i int) bool { return i < len(l.text) && isDigit(rune(l.text[i])) }

// since returns the token from start to where the lexer stands.
func (l *lexer) since(start int, kind tokenKind, text string) token {
	return token{Span: ast.Span{Start: start, End: l.at}, kind: kind, text: text}
}

func (l *lexer) sign(s string) token {
	start := l.at
	l.at += len(s)
	t := l.since(start, signToken, s)
	t.what = s
	return t
}

func (l *lexer) bad(start int, primary, hint string) token {
	t := l.since(start, badToken, "")
	t.problem = problem{primary, hint}
	return t
}

// skip passes over white space and comments. A comment without an end is a bad token.
func (l *lexer) skip() (token, bool) {
	for l.at < len(l.text) {
		r, size := l.rune()
		rest := l.text[l.at:]
		switch {
		case unicode.IsSpace(r) || r == '\ufeff':
			l.at += size
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "//"):
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				l.at += end + 1
			} else {
				l.at = len(l.text)
			}
		case strings.HasPrefix(rest, "/*") && !strings.HasPrefix(rest, "/*+"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				start := l.at
				l.at = len(l.text)
				return l.bad(start, "a comment that begins here never ends", "close it with */"), true
			}
			l.at += 2 + end + 2
		default:
			return token{}, false
		}
	}
	return token{}, false
}

// word takes an identifier or keyword, or a literal that begins with a letter: X'..', N'..', U&'..'.
func (l *lexer) word() token {
	start := l.at
	for l.at < len(l.text) {
		r, size := l.rune()
		if !ast.IsIdentPart(r) {
			break
		}
		l.at += size
	}
	text := l.text[start:l.at]
	rest := l.text[l.at:]
	what := ast.Keyword(text)
	switch {
	case what == "X" && strings.HasPrefix(rest, "'"):
		return l.binary(start)
	case what == "N" && strings.HasPrefix(rest, "'"):
		return l.prefixed(start, 0)
	case what == "U" && strings.HasPrefix(rest, "&'"):
		return l.unicode(start)
	}
	if t, ok := l.tooLong(start, text); ok {
		return t
	}
	t := l.since(start, wordToken, text)
	t.what = what
	return t
}

func (l *lexer) tooLong(start int, name string) (token, bool) {
	if n := utf8.RuneCountInString(name); n > IdentCharsMax {
		return l.bad(start, fmt.Sprintf("an identifier of %d characters; at most %d", n, IdentCharsMax), ""), true
	}
	return token{}, false
}

// number takes digits with a point, an exponent or neither.
func (l *lexer) number() token {
	start := l.at
	kind := integerToken
	l.digits()
	if l.at < len(l.text) && l.text[l.at] == '.' {
		kind = decimalToken
		l.at++
		l.digits()
	}
	if n := l.exponent(); n > 0 {
		kind = doubleToken
		l.at += n
		l.digits()
	}
	if r, _ := l.rune(); l.at < len(l.text) && ast.IsIdentPart(r) {
		l.word()
		return l.bad(start, "a number followed by letters", "a name that begins with a digit stands in backquotes")
	}
	return l.since(start, kind, l.text[start:l.at])
}

func (l *lexer) digits() {
	for l.digitAt(l.at) {
		l.at++
	}
}

// exponent returns the length of what stands before an exponent's digits, or 0 without an exponent.
func (l *lexer) exponent() int {
	rest := l.text[l.at:]
	if rest == "" || rest[0] != 'e' && rest[0] != 'E' {
		return 0
	}
	n := 1
	if len(rest) > 1 && (rest[1] == '+' || rest[1] == '-') {
		n = 2
	}
	if !l.digitAt(l.at + n) {
		return 0
	}
	return n
}

// quoted takes text between two of the quote that the lexer stands at; two of them inside stand for one.
func (l *lexer) quoted(kind tokenKind, what string) token {
	start := l.at
	quote := l.text[start : start+1]
	l.at++
	for {
		end := strings.Index(l.text[l.at:], quote)
		if end < 0 {
			l.at = len(l.text)
			return l.bad(start, "a "+what+" that begins here never ends", "close it with "+quote+"; within it, write "+quote+quote+" for "+quote)
		}
		l.at += end + 1
		if !strings.HasPrefix(l.text[l.at:], quote) {
			break
		}
		l.at++
	}
	return l.since(start, kind, strings.ReplaceAll(l.text[start+1:l.at-1], quote+quote, quote))
}

func (l *lexer) ident() token {
	t := l.quoted(quotedToken, "name")
	if t.kind == badToken {
		return t
	}
	if t.text == "" {
		return l.bad(t.Start, "an empty name", "")
	}
	if strings.ContainsFunc(t.text, unicode.IsControl) {
		return l.bad(t.Start, "a name with a line break or another control character", "")
	}
	if long, ok := l.tooLong(t.Start, t.text); ok {
		return long
	}
	return t
}

// prefixed takes a string that has a prefix from start and skip more bytes to pass over.
func (l *lexer) prefixed(start, skip int) token {
	l.at += skip
	t := l.quoted(stringToken, "string")
	if t.kind != badToken {
		t.Start = start
	}
	return t
}

// binary takes X'..'.
func (l *lexer) binary(start int) token {
	t := l.prefixed(start, 0)
	if t.kind == badToken {
		return t
	}
	if !isHex(t.text) || len(t.text)%2 != 0 {
		return l.bad(start, "a binary literal of other than pairs of hexadecimal digits", "write X'CAFE'")
	}
	t.kind, t.text = binaryToken, strings.ToUpper(t.text)
	return t
}

func isHex(s string) bool {
	for i := range len(s) {
		if !isDigit(rune(s[i])) && (s[i]|0x20 < 'a' || s[i]|0x20 > 'f') {
			return false
		}
	}
	return true
}

// stranger refuses a character that begins no token.
func (l *lexer) stranger(r rune) token {
	start := l.at
	l.at += utf8.RuneLen(r)
	if l.quiet {
		return l.bad(start, "", "")
	}
	hint := ""
	switch r {
	case '"':
		hint = "strings stand in single quotes, names in backquotes"
	case '“', '”', '‘', '’', '´':
		hint = "quotes of a text program are no quotes: strings stand in ', names in `"
	}
	return l.bad(start, fmt.Sprintf("the character %q has no meaning here", r), hint)
}
