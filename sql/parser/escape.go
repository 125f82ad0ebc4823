package parser

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// unicode takes U&'..' [UESCAPE 'c']: a string in which \XXXX is a character by its number, and \\ a backslash. UESCAPE names
// another character for the backslash.
func (l *lexer) unicode(start int) token {
	t := l.prefixed(start, len("&"))
	if t.kind == badToken {
		return t
	}
	escape, ok := l.uescape()
	if !ok {
		return l.bad(start, "UESCAPE without a single character", "write UESCAPE '!'")
	}
	text, ok := unescape(t.text, escape)
	if !ok {
		return l.bad(start, "an escape in a U&'..' string that is not four hexadecimal digits of a character", "write \\00E9, and \\\\ for a backslash")
	}
	return l.since(start, stringToken, text)
}

// uescape takes UESCAPE 'c' if it is there.
func (l *lexer) uescape() (escape rune, ok bool) {
	back := *l
	if l.next().what != "UESCAPE" {
		*l = back
		return '\\', true
	}
	t := l.next()
	r, size := utf8.DecodeRuneInString(t.text)
	if t.kind != stringToken || size == 0 || size != len(t.text) {
		return 0, false
	}
	return r, !isHex(t.text) && r != '+' && r != '\'' && r != '"' && r != ' '
}

func unescape(s string, escape rune) (string, bool) {
	if !strings.ContainsRune(s, escape) {
		return s, true
	}
	var b strings.Builder
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		if r != escape {
			b.WriteRune(r)
			continue
		}
		if r, size := utf8.DecodeRuneInString(s); r == escape {
			b.WriteRune(r)
			s = s[size:]
			continue
		}
		if len(s) < 4 || !isHex(s[:4]) {
			return "", false
		}
		code, err := strconv.ParseUint(s[:4], 16, 32)
		if err != nil || !utf8.ValidRune(rune(code)) {
			return "", false
		}
		b.WriteRune(rune(code))
		s = s[4:]
	}
	return b.String(), true
}
