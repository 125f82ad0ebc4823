package kernel

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// datePattern is a pattern of DATE_FORMAT, TO_TIMESTAMP and their like, in the
// letters of Java's DateTimeFormatter, with English names.
type datePattern struct {
	items []dateItem
	// step is the largest unit, in nanoseconds, within which what is printed
	// never changes; 0 if there is none.
	step int64
}

// dateItem is a letter, so often repeated, or text as it stands.
type dateItem struct {
	letter byte // 0: text
	width  int
	text   string
}

// dateLetters are the letters, how often each may stand at most, and the
// nanoseconds within which its value stays.
var dateLetters = map[byte]struct {
	widthMax int
	step     time.Duration
}{
	'G': {3, day}, 'y': {19, day}, 'u': {19, day}, 'Q': {3, day}, 'q': {3, day}, 'M': {5, day}, 'L': {5, day},
	'd': {2, day}, 'D': {3, day}, 'E': {5, day}, 'a': {1, time.Hour}, 'H': {2, time.Hour}, 'k': {2, time.Hour},
	'K': {2, time.Hour}, 'h': {2, time.Hour}, 'm': {2, time.Minute}, 's': {2, time.Second}, 'S': {9, 0}, 'n': {19, 0},
}

const day = 24 * time.Hour

// compileDatePattern takes a pattern apart.
func compileDatePattern(p []byte) (*datePattern, error) {
	d := &datePattern{step: int64(day)}
	for at := 0; at < len(p); {
		var n int
		var err error
		switch c := p[at]; {
		case c == '\'':
			n, err = d.quoted(p[at:])
		case isLetter(c):
			n, err = d.letters(p[at:])
		case c == '[' || c == ']' || c == '{' || c == '}' || c == '#':
			err = fmt.Errorf("%c has no meaning here; as text it stands in quotes, '%c'", c, c)
		default:
			d.literal(string(p[at : at+1]))
			n = 1
		}
		if err != nil {
			return nil, fmt.Errorf("date pattern %q: %w", p, err)
		}
		at += n
	}
	return d, nil
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func (d *datePattern) literal(s string) {
	if n := len(d.items); n > 0 && d.items[n-1].letter == 0 {
		d.items[n-1].text += s
		return
	}
	d.items = append(d.items, dateItem{text: s})
}

// quoted takes text in quotes, of which a doubled one is itself.
func (d *datePattern) quoted(p []byte) (int, error) {
	if len(p) > 1 && p[1] == '\'' {
		d.literal("'")
		return 2, nil
	}
	for at := 1; at < len(p); at++ {
		if p[at] != '\'' {
			d.literal(string(p[at : at+1]))
			continue
		}
		if at+1 == len(p) || p[at+1] != '\'' {
			return at + 1, nil
		}
		d.literal("'")
		at++
	}
	return 0, fmt.Errorf("a quote is not closed by '")
}

func (d *datePattern) letters(p []byte) (int, error) {
	c, n := p[0], 1
	for n < len(p) && p[n] == c {
		n++
	}
	known, ok := dateLetters[c]
	switch {
	case c == 'Y' || c == 'w' || c == 'W':
		return 0, fmt.Errorf("weeks, %c, are not supported; the year of a date is yyyy", c)
	case !ok:
		return 0, fmt.Errorf("letter %c is not supported; as text it stands in quotes, '%c'", c, c)
	case n > known.widthMax:
		return 0, fmt.Errorf("%s is longer than %d", p[:n], known.widthMax)
	}
	d.items = append(d.items, dateItem{letter: c, width: n})
	d.step = min(d.step, int64(known.step))
	return n, nil
}

// append prints a time.
func (d *datePattern) append(dst []byte, c *civil) []byte {
	for i := range d.items {
		it := &d.items[i]
		switch it.letter {
		case 0:
			dst = append(dst, it.text...)
		case 'a':
			dst = append(dst, [...]string{"AM", "PM"}[c.hour/12]...)
		case 'E':
			dst = appendName(dst, time.Weekday(weekday(c.days)%7).String(), max(it.width, 3))
		case 'M', 'L':
			if it.width > 2 {
				dst = appendName(dst, time.Month(c.month).String(), it.width)
				continue
			}
			dst = pad(dst, c.month, it.width)
		case 'S':
			dst = pad(dst, c.nanos/int(pow10of64[9-it.width]), it.width)
		case 'G', 'Q', 'q':
			dst = it.appendPart(dst, c)
		case 'y', 'u':
			dst = it.appendYear(dst, c.year)
		default:
			dst = pad(dst, it.number(c), it.width)
		}
	}
	return dst
}

// appendName prints the name of a month or weekday: 3 letters, all of them, or one.
func appendName(dst []byte, name string, width int) []byte {
	switch width {
	case 3:
		name = name[:3]
	case 5:
		name = name[:1]
	}
	return append(dst, name...)
}

func (it *dateItem) appendPart(dst []byte, c *civil) []byte {
	if it.letter == 'G' {
		if c.year > 0 {
			return append(dst, "AD"...)
		}
		return append(dst, "BC"...)
	}
	if it.width == 3 {
		dst = append(dst, 'Q')
	}
	width := 1
	if it.width == 2 {
		width = 2
	}
	return pad(dst, (c.month+2)/3, width)
}

// appendYear prints a year: two letters are its last digits, and one of more
// than four digits has a sign.
func (it *dateItem) appendYear(dst []byte, year int) []byte {
	if it.letter == 'y' && year <= 0 {
		year = 1 - year
	}
	if it.width == 2 {
		return pad(dst, int(floorMod(int64(year), 100)), 2)
	}
	switch {
	case year < 0:
		dst, year = append(dst, '-'), -year
	case it.width >= 4 && year >= 10_000 && len(strconv.Itoa(year)) > it.width:
		dst = append(dst, '+')
	}
	return pad(dst, year, it.width)
}

func (it *dateItem) number(c *civil) int {
	switch it.letter {
	case 'd':
		return c.day
	case 'D':
		return yearDay(c)
	case 'H':
		return c.hour
	case 'k':
		return (c.hour+23)%24 + 1
	case 'K':
		return c.hour % 12
	case 'h':
		return (c.hour+11)%12 + 1
	case 'm':
		return c.minute
	case 's':
		return c.second
	default: // n
		return c.nanos
	}
}

// parsedDate collects what a text says.
type parsedDate struct {
	fields [256]int32 // by letter; -1: not said
	nanos  int
}

// parse reads a text, all of it. What the pattern does not have is that of
// 1970-01-01 00:00:00, and a day that the month lacks is its last one.
func (d *datePattern) parse(p []byte) (civil, bool) {
	var got parsedDate
	for i := range got.fields {
		got.fields[i] = -1
	}
	for i := range d.items {
		var ok bool
		if p, ok = d.parseItem(&got, i, p); !ok {
			return civil{}, false
		}
	}
	if len(p) > 0 {
		return civil{}, false
	}
	return got.civil()
}

func (d *datePattern) parseItem(got *parsedDate, i int, p []byte) ([]byte, bool) {
	it := &d.items[i]
	switch {
	case it.letter == 0:
		return bytes.CutPrefix(p, []byte(it.text))
	case it.letter == 'a':
		return got.name(p, 'a', []string{"AM", "PM"}, 0)
	case it.letter == 'G':
		return got.name(p, 'G', []string{"BC", "AD"}, 0)
	case it.letter == 'E':
		return got.name(p, 'E', names(it, 7, func(i int) string { return time.Weekday((i + 1) % 7).String() }), 1)
	case (it.letter == 'M' || it.letter == 'L') && it.width > 2:
		return got.name(p, 'M', names(it, 12, func(i int) string { return time.Month(i + 1).String() }), 1)
	case it.letter == 'S':
		n, rest, ok := field(p, it.width, it.width)
		got.nanos = n * int(pow10of64[9-it.width])
		return rest, ok
	case it.letter == 'Q' || it.letter == 'q':
		return p, false // a quarter alone says no date
	default:
		return d.parseNumber(got, i, p)
	}
}

// names are those of months or weekdays in the width of an item. Names of one
// letter can't be told apart.
func names(it *dateItem, n int, name func(int) string) []string {
	if it.width == 5 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = string(appendName(nil, name(i), max(it.width, 3)))
	}
	return out
}

// name reads one of some names, counted from first.
func (g *parsedDate) name(p []byte, letter byte, names []string, first int) ([]byte, bool) {
	for i, n := range names {
		if rest, ok := bytes.CutPrefix(p, []byte(n)); ok {
			return rest, g.set(letter, i+first)
		}
	}
	return p, false
}

// set notes a value; another one said before contradicts it.
func (g *parsedDate) set(letter byte, n int) bool {
	if g.fields[letter] >= 0 && g.fields[letter] != int32(n) {
		return false
	}
	g.fields[letter] = int32(n)
	return true
}

// parseNumber reads digits: as many as letters, but of one letter, and of a
// year, all that do not belong to the numbers right behind.
func (d *datePattern) parseNumber(got *parsedDate, i int, p []byte) ([]byte, bool) {
	it := &d.items[i]
	lo, hi := it.width, it.width
	year := it.letter == 'y' || it.letter == 'u'
	if it.width == 1 || year && it.width > 2 {
		digits := 0
		for digits < len(p) && digit(p[digits]) {
			digits++
		}
		hi = min(digits-d.reserved(i+1), 9)
	}
	n, rest, ok := field(p, lo, hi)
	if !ok {
		return p, false
	}
	if year && it.width == 2 {
		n += 2000
	}
	letter := it.letter
	switch letter {
	case 'u':
		letter = 'y'
	case 'L':
		letter = 'M'
	case 'n':
		got.nanos = n
		return rest, n < int(time.Second)
	}
	return rest, got.set(letter, n)
}

// reserved returns the digits of the numbers of fixed width from item i on that
// have nothing between them.
func (d *datePattern) reserved(i int) int {
	n := 0
	for ; i < len(d.items); i++ {
		it := &d.items[i]
		if it.width < 2 && it.letter != 'S' || !strings.ContainsRune("MLdDHkKhmsS", rune(it.letter)) || it.width > 2 && it.letter == 'M' {
			break
		}
		n += it.width
	}
	return n
}

// or returns a field, the given value if nothing said it.
func (g *parsedDate) or(letter byte, otherwise int) int {
	if g.fields[letter] < 0 {
		return otherwise
	}
	return int(g.fields[letter])
}

func (g *parsedDate) civil() (civil, bool) {
	c := civil{year: g.or('y', 1970), month: g.or('M', 1), day: g.or('d', 1), nanos: g.nanos}
	if g.or('G', 1) == 0 {
		c.year = 1 - c.year
	}
	c.minute, c.second = g.or('m', 0), g.or('s', 0)
	if c.month < 1 || c.month > 12 || c.day < 1 || c.day > 31 || c.minute > 59 || c.second > 59 || !g.clock(&c) {
		return c, false
	}
	c.day = min(c.day, daysOf(c.year, c.month))
	if n := g.or('D', 0); g.fields['D'] >= 0 {
		if n < 1 || int64(n) > dayOf(c.year+1, 1, 1)-dayOf(c.year, 1, 1) {
			return c, false
		}
		c.year, c.month, c.day = dateOf(dayOf(c.year, 1, n))
	}
	c.days = dayOf(c.year, c.month, c.day)
	return c, g.fields['E'] < 0 || int(g.fields['E']) == weekday(c.days)
}

// clock finds the hour: of the day, or of its half, which says nothing alone.
func (g *parsedDate) clock(c *civil) bool {
	half := g.or('a', -1)
	switch {
	case g.fields['H'] >= 0:
		c.hour = g.or('H', 0)
	case g.fields['k'] >= 0:
		c.hour = g.or('k', 0) % 24
		return g.fields['k'] >= 1 && g.fields['k'] <= 24
	case g.fields['h'] >= 0:
		n := g.or('h', 0)
		if half >= 0 {
			c.hour = n%12 + 12*half
		}
		return n >= 1 && n <= 12
	case g.fields['K'] >= 0:
		n := g.or('K', 0)
		if half >= 0 {
			c.hour = n + 12*half
		}
		return n < 12
	}
	return c.hour < 24
}

// ticks returns the time in a unit, false if it is out of range.
func (c *civil) ticks(unit int64) (int64, bool) {
	seconds := c.days*secondsPerDay + int64(c.hour*3600+c.minute*60+c.second)
	whole, over := mulOverflow(seconds, unit)
	rest := int64(c.nanos) / (int64(time.Second) / unit)
	return whole + rest, !over && whole+rest >= whole
}
