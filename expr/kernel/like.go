package kernel

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	"millrace/expr"
)

var (
	errEscapeLength = errors.New("ESCAPE must be one character")
	errEscape       = errors.New("the escape character must stand before %, _ or itself")
)

// Like returns what tells whether a text fits a pattern of LIKE without ESCAPE. It is for one goroutine.
func Like(pattern string) func(text string) bool {
	var l likePattern
	_ = l.compile([]byte(pattern), hole) // only what follows an escape character can be wrong
	return func(text string) bool { return l.match([]byte(text)) }
}

// likePattern is a pattern of LIKE: segments between the %, each a run of
// characters in which -1 is any one. Text without _ stands as bytes.
type likePattern struct {
	segments           []likeSegment
	anyStart, anyEnd   bool // begins, ends with %
	pattern, escapedBy []byte
	compiled           bool
}

type likeSegment struct {
	text  []byte
	holes []rune // nil unless the segment has a _
}

const hole rune = -1

// escapeRune returns the character of ESCAPE, hole without one.
func escapeRune(p []byte) (rune, error) {
	if len(p) == 0 {
		return hole, errEscapeLength
	}
	r, size := utf8.DecodeRune(p)
	if size != len(p) {
		return hole, errEscapeLength
	}
	return r, nil
}

// compile takes a pattern; escape is hole without one.
func (l *likePattern) compile(p []byte, escape rune) error {
	*l = likePattern{pattern: l.pattern, escapedBy: l.escapedBy}
	var seg likeSegment
	holed := false
	add := func(c []byte, r rune) {
		seg.text, seg.holes = append(seg.text, c...), append(seg.holes, r)
	}
	closeSegment := func() {
		if len(seg.holes) > 0 {
			if !holed {
				seg.holes = nil
			}
			l.segments = append(l.segments, seg)
		}
		seg, holed = likeSegment{}, false
	}
	for at := 0; at < len(p); {
		r, size := utf8.DecodeRune(p[at:])
		c := p[at : at+size]
		at += size
		switch {
		case r == escape && escape != hole:
			next, n := utf8.DecodeRune(p[at:])
			if n == 0 || next != '%' && next != '_' && next != escape {
				return errEscape
			}
			add(p[at:at+n], next)
			at += n
		case r == '%':
			l.anyStart = l.anyStart || len(l.segments) == 0 && len(seg.holes) == 0
			closeSegment()
			l.anyEnd = at == len(p)
		case r == '_':
			holed = true
			add(nil, hole)
		default:
			if size == 1 && r == utf8.RuneError {
				r = -2 - rune(c[0]) // a byte that is no character, as itself
			}
			add(c, r)
		}
	}
	closeSegment()
	l.compiled = true
	return nil
}

// at returns the length of the segment at the beginning of p, -1 if it is not there.
func (s *likeSegment) at(p []byte) int {
	if s.holes == nil {
		if bytes.HasPrefix(p, s.text) {
			return len(s.text)
		}
		return -1
	}
	n := 0
	for _, want := range s.holes {
		if n == len(p) {
			return -1
		}
		r, size := utf8.DecodeRune(p[n:])
		if size == 1 && r == utf8.RuneError {
			r = -2 - rune(p[n])
		}
		if want != hole && want != r {
			return -1
		}
		n += size
	}
	return n
}

// find returns where the segment ends that occurs first, -1 if none does.
func (s *likeSegment) find(p []byte) int {
	if s.holes == nil {
		if lo := bytes.Index(p, s.text); lo >= 0 {
			return lo + len(s.text)
		}
		return -1
	}
	for lo := 0; lo < len(p); {
		if n := s.at(p[lo:]); n >= 0 {
			return lo + n
		}
		_, size := utf8.DecodeRune(p[lo:])
		lo += size
	}
	return -1
}

// match tells whether the whole of p fits. Each segment is taken where it
// occurs first, the last one at the end: what is between them is any text.
func (l *likePattern) match(p []byte) bool {
	segments := l.segments
	if len(segments) == 0 {
		return l.anyStart || len(p) == 0
	}
	if !l.anyStart {
		n := segments[0].at(p)
		if n < 0 {
			return false
		}
		p, segments = p[n:], segments[1:]
	}
	for i := range segments {
		if i == len(segments)-1 && !l.anyEnd {
			return segments[i].ends(p)
		}
		end := segments[i].find(p)
		if end < 0 {
			return false
		}
		p = p[end:]
	}
	return l.anyEnd || len(p) == 0
}

// ends tells whether p ends with the segment.
func (s *likeSegment) ends(p []byte) bool {
	if s.holes == nil {
		return bytes.HasSuffix(p, s.text)
	}
	skip := charLength(p) - len(s.holes)
	if skip < 0 {
		return false
	}
	p = p[prefix(p, skip):]
	return s.at(p) == len(p)
}

// of returns the pattern compiled; the last one is kept.
func (l *likePattern) of(pattern, escape []byte, escaped bool) error {
	if l.compiled && bytes.Equal(pattern, l.pattern) && bytes.Equal(escape, l.escapedBy) {
		return nil
	}
	l.compiled = false
	r := hole
	if escaped {
		var err error
		if r, err = escapeRune(escape); err != nil {
			return err
		}
	}
	l.pattern, l.escapedBy = append(l.pattern[:0], pattern...), append(l.escapedBy[:0], escape...)
	return l.compile(l.pattern, r)
}

// constantText returns the value of an argument that is constant text.
func constantText(e *expr.Call, i int) ([]byte, bool) {
	if i >= len(e.Args) {
		return nil, true
	}
	l, ok := e.Args[i].(*expr.Literal)
	if !ok || l.Value == nil {
		return nil, false
	}
	return []byte(l.Value.(string)), true
}

// bindLike binds LIKE. A constant pattern is compiled with the program.
func bindLike(e *expr.Call, args []node) (node, error) {
	l := &likePattern{}
	escaped := len(args) == 3
	pattern, ok := constantText(e, 1)
	escape, constant := constantText(e, 2)
	if ok && constant {
		if err := l.of(pattern, escape, escaped); err != nil {
			return nil, err
		}
	}
	return escapable(e, args, func(text, pattern, escape []byte) (bool, error) {
		if err := l.of(pattern, escape, escaped); err != nil {
			return false, err
		}
		return l.match(text), nil
	}), nil
}

// bindSimilar binds SIMILAR TO: a regular expression of SQL that fits the whole.
func bindSimilar(e *expr.Call, args []node) (node, error) {
	escape, constant := constantText(e, 2)
	r := &regexpOf{}
	r.compile = func(pattern []byte) (*regexp.Regexp, error) { return compileSimilar(pattern, escape) }
	if pattern, ok := constantText(e, 1); ok && constant {
		if _, err := r.of(pattern); err != nil {
			return nil, err
		}
	}
	return escapable(e, args, func(text, pattern, by []byte) (bool, error) {
		if !bytes.Equal(by, escape) {
			escape, r.re = bytes.Clone(by), nil
		}
		re, err := r.of(pattern)
		return err == nil && re.Match(text), err
	}), nil
}

// compileSimilar rewrites a pattern of SIMILAR TO as one of RE2.
func compileSimilar(pattern, escape []byte) (*regexp.Regexp, error) {
	escapes := hole
	if len(escape) > 0 {
		var err error
		if escapes, err = escapeRune(escape); err != nil {
			return nil, err
		}
	}
	var sb strings.Builder
	sb.WriteString(`(?s)\A(?:`)
	quoted, inClass := false, false
	for _, r := range string(pattern) {
		switch {
		case quoted:
			sb.WriteString(regexp.QuoteMeta(string(r)))
			quoted = false
		case r == escapes && escapes != hole:
			quoted = true
		case r == '[' || r == ']':
			inClass = r == '['
			sb.WriteRune(r)
		case inClass:
			sb.WriteRune(r)
		case r == '%':
			sb.WriteString(".*")
		case r == '_':
			sb.WriteByte('.')
		case strings.ContainsRune("|*+?{}()", r):
			sb.WriteRune(r)
		default:
			sb.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	if quoted {
		return nil, errEscape
	}
	sb.WriteString(`)\z`)
	return regexp.Compile(sb.String())
}
