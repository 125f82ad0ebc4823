package kernel

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

// compileRegexp compiles a regular expression in Java's syntax. Matching takes
// time in proportion to the text, whatever the pattern, which is why what
// needs back-tracking is refused.
func compileRegexp(pattern []byte) (*regexp.Regexp, error) {
	t := translator{p: string(pattern), scopes: []bool{false}}
	if err := t.run(); err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", pattern, err)
	}
	re, err := regexp.Compile(t.out.String())
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %s", pattern, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re, nil
}

var (
	errLookAround   = errors.New("look-around, (?=, (?!, (?<= and (?<!, is not supported")
	errAtomic       = errors.New("atomic groups, (?>, are not supported")
	errPossessive   = errors.New("possessive quantifiers, such as *+, are not supported")
	errBackRef      = errors.New("back-references are not supported")
	errNestedClass  = errors.New("a class within a class is not supported; a bracket itself is \\[")
	errIntersection = errors.New("intersections of classes, &&, are not supported")
	errOpenClass    = errors.New("a class is not closed by ]")
	errTrailing     = errors.New("ends with \\")
	errSurrogate    = errors.New("\\u names half a character; write the character itself")
)

// The classes that Java and RE2 know by one name but not by the same members,
// or that RE2 lacks; without brackets.
const (
	lineEnds   = `\n\r\x{85}\x{2028}\x{2029}`
	spaces     = `\t\n\v\f\r `
	notSpaces  = `\x00-\x08\x0e-\x1f!-\x{10FFFF}`
	horizontal = `\t \x{A0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}`
	vertical   = `\n\v\f\r\x{85}\x{2028}\x{2029}`
)

// posixClasses are Java's names of them, and RE2's.
var posixClasses = map[string]string{
	"Lower": "lower", "Upper": "upper", "ASCII": "ascii", "Alpha": "alpha", "Digit": "digit", "Alnum": "alnum", "Punct": "punct",
	"Graph": "graph", "Print": "print", "Blank": "blank", "Cntrl": "cntrl", "XDigit": "xdigit", "Space": "space",
}

// translator rewrites a pattern of Java as one of RE2.
type translator struct {
	p      string
	at     int
	out    strings.Builder
	scopes []bool // by open group: whether . matches line ends
	// quantified: the last element was a quantifier.
	quantified bool
}

func (t *translator) run() error {
	for t.at < len(t.p) {
		c := t.p[t.at]
		quantified := t.quantified
		t.quantified = false
		var err error
		switch c {
		case '\\':
			err = t.escape(false)
		case '[':
			err = t.class()
		case '(':
			err = t.open()
		case ')':
			if len(t.scopes) > 1 {
				t.scopes = t.scopes[:len(t.scopes)-1]
			}
			t.copy(1)
		case '.':
			t.dot()
		case '*', '+', '?', '{':
			err = t.quantifier(c, quantified)
		default:
			t.copy(1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *translator) copy(n int) {
	t.out.WriteString(t.p[t.at : t.at+n])
	t.at += n
}

func (t *translator) emit(s string, n int) {
	t.out.WriteString(s)
	t.at += n
}

func (t *translator) rest() string { return t.p[t.at:] }

func (t *translator) dot() {
	if t.scopes[len(t.scopes)-1] {
		t.emit(`(?s:.)`, 1)
		return
	}
	t.emit("[^"+lineEnds+"]", 1)
}

func (t *translator) quantifier(c byte, behindOne bool) error {
	switch {
	case c == '+' && behindOne:
		return errPossessive
	case c == '?' && behindOne: // reluctant
		t.copy(1)
		return nil
	case c == '{':
		end := strings.IndexByte(t.rest(), '}')
		if end < 2 || strings.Trim(t.p[t.at+1:t.at+end], "0123456789,") != "" || t.p[t.at+1] == ',' {
			return errors.New("{ begins no quantifier; the brace itself is \\{")
		}
		t.copy(end + 1)
	default:
		t.copy(1)
	}
	t.quantified = true
	return nil
}

// open takes the beginning of a group.
func (t *translator) open() error {
	inner := t.scopes[len(t.scopes)-1]
	rest := t.rest()
	switch {
	case !strings.HasPrefix(rest, "(?"):
		t.copy(1)
	case strings.HasPrefix(rest, "(?="), strings.HasPrefix(rest, "(?!"), strings.HasPrefix(rest, "(?<="), strings.HasPrefix(rest, "(?<!"):
		return errLookAround
	case strings.HasPrefix(rest, "(?>"):
		return errAtomic
	case strings.HasPrefix(rest, "(?<"):
		t.copy(3)
	default:
		return t.flags(inner)
	}
	t.scopes = append(t.scopes, inner)
	return nil
}

// flags takes (?flags) and (?flags:.
func (t *translator) flags(inner bool) error {
	end := strings.IndexAny(t.rest(), ":)")
	if end < 0 {
		return errors.New("a group is not closed by )")
	}
	on := true
	for _, f := range t.p[t.at+2 : t.at+end] {
		switch f {
		case '-':
			on = false
		case 's':
			inner = on
		case 'i', 'm':
		default:
			return fmt.Errorf("flag %c is not supported; i, m and s are", f)
		}
	}
	if t.p[t.at+end] == ':' {
		t.scopes = append(t.scopes, inner)
	} else {
		t.scopes[len(t.scopes)-1] = inner
	}
	t.copy(end + 1)
	return nil
}

// class takes [...].
func (t *translator) class() error {
	t.copy(1)
	if strings.HasPrefix(t.rest(), "^") {
		t.copy(1)
	}
	for first := true; t.at < len(t.p); first = false {
		switch c := t.p[t.at]; {
		case c == ']' && !first:
			t.copy(1)
			return nil
		case c == '[':
			return errNestedClass
		case strings.HasPrefix(t.rest(), "&&"):
			return errIntersection
		case c == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		default:
			t.copy(1)
		}
	}
	return errOpenClass
}

// escape takes what begins with \, in a class or outside of one.
func (t *translator) escape(inClass bool) error {
	if t.at+1 == len(t.p) {
		return errTrailing
	}
	switch c := t.p[t.at+1]; c {
	case 's', 'S', 'h', 'H', 'v', 'V', 'R':
		return t.set(c, inClass)
	case 'Q':
		t.quoted()
	case 'u':
		return t.unicode()
	case '0':
		return t.octal()
	case 'p', 'P':
		return t.property(c == 'P', inClass)
	case '1', '2', '3', '4', '5', '6', '7', '8', '9', 'k':
		return errBackRef
	case 'e':
		t.emit(`\x1b`, 2)
	case 'x':
		n := 2
		if end := strings.IndexByte(t.rest(), '}'); end > 0 && t.p[t.at+2] == '{' {
			n = end + 1
		}
		t.copy(n)
	default:
		if c >= utf8.RuneSelf {
			t.at++ // the character itself
			return nil
		}
		t.copy(2)
	}
	return nil
}

// set takes a predefined class that RE2 has not, or not as Java has it.
func (t *translator) set(c byte, inClass bool) error {
	members := map[byte]string{'s': spaces, 'h': horizontal, 'v': vertical, 'S': spaces, 'H': horizontal, 'V': vertical}[c]
	switch {
	case c == 'R' && !inClass:
		t.emit(`(?:\r\n|[`+vertical+`])`, 2)
	case c == 'S' && inClass:
		t.emit(notSpaces, 2)
	case inClass && c < 'a':
		return fmt.Errorf("\\%c within a class is not supported", c)
	case inClass:
		t.emit(members, 2)
	case c < 'a':
		t.emit("[^"+members+"]", 2)
	default:
		t.emit("["+members+"]", 2)
	}
	return nil
}

// quoted takes \Q...\E.
func (t *translator) quoted() {
	text, _, closed := strings.Cut(t.p[t.at+2:], `\E`)
	t.out.WriteString(regexp.QuoteMeta(text))
	t.at += 2 + len(text)
	if closed {
		t.at += 2
	}
}

func (t *translator) unicode() error {
	hex := t.p[t.at+2:]
	hex = hex[:min(4, len(hex))]
	r, err := strconv.ParseUint(hex, 16, 32)
	switch {
	case err != nil || len(hex) < 4:
		return errors.New("\\u wants four hexadecimal digits")
	case r >= 0xD800 && r < 0xE000:
		return errSurrogate
	}
	t.emit(`\x{`+hex+`}`, 6)
	return nil
}

// octal takes \0n, \0nn and \0mnn.
func (t *translator) octal() error {
	digits := t.p[t.at+2:]
	n := 0
	for n < len(digits) && n < 3 && digits[n] >= '0' && digits[n] <= '7' && (n < 2 || digits[0] <= '3') {
		n++
	}
	r, err := strconv.ParseUint(digits[:n], 8, 32)
	if err != nil {
		return errors.New("\\0 wants octal digits")
	}
	t.emit(fmt.Sprintf(`\x{%x}`, r), 2+n)
	return nil
}

// property takes \p{Name} and \pN, or their negation.
func (t *translator) property(negated, inClass bool) error {
	name, length := t.p[t.at+2:], 0
	if inside, ok := strings.CutPrefix(name, "{"); ok {
		inside, _, closed := strings.Cut(inside, "}")
		if !closed {
			return errors.New("\\p{ is not closed by }")
		}
		name, length = inside, len(inside)+4
	} else if name != "" {
		name, length = name[:1], 3
	}
	if name == "" {
		return errors.New("\\p wants the name of a property")
	}
	if posix, ok := posixClasses[name]; ok {
		if negated {
			posix = "^" + posix
		}
		set := "[:" + posix + ":]"
		if !inClass {
			set = "[" + set + "]"
		}
		t.emit(set, length)
		return nil
	}
	p := `\p{`
	if negated {
		p = `\P{`
	}
	t.emit(p+strings.TrimPrefix(name, "Is")+"}", length)
	return nil
}

// literalOfRegexp returns a text that every match has in it, nil if none is
// known: what lacks it is found out faster than by the expression.
func literalOfRegexp(re *regexp.Regexp) []byte {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return nil
	}
	return longestLiteral(tree.Simplify())
}

func longestLiteral(re *syntax.Regexp) []byte {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return []byte(string(re.Rune))
		}
	case syntax.OpCapture, syntax.OpPlus:
		return longestLiteral(re.Sub[0])
	case syntax.OpConcat:
		var longest []byte
		for _, sub := range re.Sub {
			if l := longestLiteral(sub); len(l) > len(longest) {
				longest = l
			}
		}
		return longest
	default: // nothing else has a text that must be there
	}
	return nil
}
