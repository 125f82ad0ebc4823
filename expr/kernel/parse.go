package kernel

import (
	"errors"
	"math"
	"strconv"
	"unsafe"

	"millrace/types"
)

// The parsers of CAST from text. They take any bytes, and tell by false what
// is none of theirs.

func digit(c byte) bool { return c-'0' <= 9 }

// parseInteger reads an integer of the given bits; a well-formed fraction
// is cut off. Spaces are refused, as Flink does.
func parseInteger(p []byte, bitSize uint) (int64, bool) {
	neg, p := sign(p)
	if len(p) == 0 {
		return 0, false
	}
	limit := uint64(1)<<(bitSize-1) - 1
	if neg {
		limit++
	}
	var n uint64
	i := 0
	for ; i < len(p) && p[i] != '.'; i++ {
		d := uint64(p[i] - '0')
		if d > 9 || n > (limit-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	for i++; i < len(p); i++ {
		if !digit(p[i]) {
			return 0, false
		}
	}
	if neg {
		return -int64(n), true
	}
	return int64(n), true
}

func sign(p []byte) (neg bool, rest []byte) {
	if len(p) > 0 && (p[0] == '-' || p[0] == '+') {
		return p[0] == '-', p[1:]
	}
	return false, p
}

// parseFloat reads what Java's Double.valueOf reads, save hexadecimal forms.
func parseFloat(p []byte, bitSize int) (float64, bool) {
	for len(p) > 0 && p[0] <= ' ' {
		p = p[1:]
	}
	for len(p) > 0 && p[len(p)-1] <= ' ' {
		p = p[:len(p)-1]
	}
	neg, rest := sign(p)
	switch string(rest) {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		if neg {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	if n := len(rest); n > 1 {
		if c := rest[n-1] | 0x20; c == 'f' || c == 'd' {
			p = p[:len(p)-1]
		}
	}
	for _, c := range p {
		if !digit(c) && c != '.' && c != '+' && c != '-' && c|0x20 != 'e' {
			return 0, false
		}
	}
	x, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(p), len(p)), bitSize)
	if err != nil && !math.IsInf(x, 0) && x != 0 || err != nil && malformed(err) {
		return 0, false
	}
	return x, true
}

func malformed(err error) bool {
	e, ok := err.(*strconv.NumError) //nolint:errorlint // strconv wraps nothing here.
	return !ok || !errors.Is(e.Err, strconv.ErrRange)
}

// decimalText is a number as it was read: mag * 10^exp.
type decimalText struct {
	signed256
	exp  int
	zero bool
}

const exponentMax = 1 << 20

// parseNumber reads digits with a point and an exponent, spaces around them aside.
func parseNumber(p []byte) (n decimalText, ok bool) {
	for len(p) > 0 && blank(p[0]) {
		p = p[1:]
	}
	for len(p) > 0 && blank(p[len(p)-1]) {
		p = p[:len(p)-1]
	}
	n.neg, p = sign(p)
	i, digits, used, point := 0, 0, 0, false
	for ; i < len(p); i++ {
		c := p[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if !digit(c) {
			break
		}
		digits++
		if used == pow10Max { // what follows can't change a rounded result
			n.exp += int(bit(!point))
			continue
		}
		n.mag, _ = n.mag.mulSmall(10)
		n.mag, _ = n.mag.add(u256{uint64(c - '0')})
		used += int(bit(!n.mag.isZero()))
		n.exp -= int(bit(point))
	}
	if digits == 0 {
		return n, false
	}
	if i < len(p) {
		e, ok := parseExponent(p[i:])
		if !ok {
			return n, false
		}
		n.exp += e
	}
	n.zero = n.mag.isZero()
	return n, true
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

func parseExponent(p []byte) (int, bool) {
	if p[0]|0x20 != 'e' {
		return 0, false
	}
	neg, p := sign(p[1:])
	if len(p) == 0 {
		return 0, false
	}
	e := 0
	for _, c := range p {
		if !digit(c) {
			return 0, false
		}
		e = min(e*10+int(c-'0'), exponentMax)
	}
	if neg {
		return -e, true
	}
	return e, true
}

// put stores the number in row i, NULL if it does not fit.
func (n *decimalText) put(w *decimalWriter, i int) {
	switch {
	case n.zero || n.exp < -2*pow10Max:
		w.put(i, signed256{})
	case n.exp > pow10Max:
		w.put(i, signed256{mag: w.limit})
	default:
		w.putScaled(i, n.signed256, -n.exp)
	}
}

// parseBoolean knows Flink's words.
func parseBoolean(p []byte) (value, ok bool) {
	var low [8]byte
	if len(p) > len(low) {
		return false, false
	}
	for i, c := range p {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		low[i] = c
	}
	switch string(low[:len(p)]) {
	case "t", "true", "y", "yes", "1":
		return true, true
	case "f", "false", "n", "no", "0":
		return false, true
	default:
		return false, false
	}
}

// field reads an unsigned number of lo to hi digits off p.
func field(p []byte, lo, hi int) (n int, rest []byte, ok bool) {
	i := 0
	for i < len(p) && i < hi && digit(p[i]) {
		n = n*10 + int(p[i]-'0')
		i++
	}
	return n, p[i:], i >= lo
}

func expect(p []byte, c byte) ([]byte, bool) {
	if len(p) == 0 || p[0] != c {
		return p, false
	}
	return p[1:], true
}

// parseDate reads y[-m[-d]]; what follows a space is ignored.
func parseDate(p []byte) (int32, bool) {
	for i, c := range p {
		if c == ' ' && i > 0 {
			p = p[:i]
			break
		}
	}
	parts := [3]int{0, 1, 1}
	var ok bool
	for i := range parts {
		width := 2
		if i == 0 {
			width = 4
		}
		if parts[i], p, ok = field(p, 1, width); !ok {
			return 0, false
		}
		if len(p) == 0 {
			break
		}
		if p, ok = expect(p, '-'); !ok || i == 2 {
			return 0, false
		}
	}
	y, m, d := parts[0], parts[1], parts[2]
	if m < 1 || m > 12 || d < 1 || d > daysOf(y, m) {
		return 0, false
	}
	return daysOfDate(y, m, d), true
}

func daysOf(y, m int) int { return int(dayOf(y, m+1, 1) - dayOf(y, m, 1)) }

func daysOfDate(y, m, d int) int32 { return int32(dayOf(y, m, d)) }

// parseTime reads h[:m[:s[.fraction]]] as milliseconds of the day.
func parseTime(p []byte) (int32, bool) {
	parts := [3]int{}
	var ok bool
	for i := range parts {
		if parts[i], p, ok = field(p, 1, 2); !ok {
			return 0, false
		}
		if len(p) == 0 || i == 2 {
			break
		}
		if p, ok = expect(p, ':'); !ok {
			return 0, false
		}
	}
	nanos, ok := fraction(p)
	if !ok || parts[0] > 23 || parts[1] > 59 || parts[2] > 59 {
		return 0, false
	}
	return int32((parts[0]*3600+parts[1]*60+parts[2])*1000 + nanos/1e6), true
}

// fraction reads nothing, or a point and up to nine digits, as nanoseconds.
func fraction(p []byte) (int, bool) {
	if len(p) == 0 {
		return 0, true
	}
	p, ok := expect(p, '.')
	if !ok {
		return 0, false
	}
	width := len(p)
	n, p, ok := field(p, 0, 9)
	for range 9 - min(width, 9) {
		n *= 10
	}
	return n, ok && len(p) == 0
}

// parseTimestamp reads yyyy-m-d[ h:m:s[.fraction]] into the unit of a
// precision. A day that the month lacks is its last one, as in Flink.
func parseTimestamp(p []byte, t types.Type) (int64, bool) {
	y, p, ok := field(p, 4, 4)
	if !ok {
		return 0, false
	}
	var parts [5]int // month, day, hour, minute, second
	for i, before := range [5]byte{'-', '-', ' ', ':', ':'} {
		if i == 2 && len(p) == 0 {
			break
		}
		if p, ok = expect(p, before); !ok {
			return 0, false
		}
		if parts[i], p, ok = field(p, 1, 2); !ok {
			return 0, false
		}
	}
	nanos, ok := fraction(p)
	m, d := parts[0], parts[1]
	if !ok || y == 0 || m < 1 || m > 12 || d < 1 || d > 31 || parts[2] > 23 || parts[3] > 59 || parts[4] > 59 {
		return 0, false
	}
	day := int64(daysOfDate(y, m, min(d, daysOf(y, m))))
	seconds := day*secondsPerDay + int64(parts[2]*3600+parts[3]*60+parts[4])
	unit := int64(t.Unit())
	whole, over := mulOverflow(seconds, unit)
	if over {
		return 0, false
	}
	ticks := int64(nanos) / (int64(types.Nanos) / unit)
	ticks -= ticks % tickOf(t)
	if whole > math.MaxInt64-ticks {
		return 0, false
	}
	return whole + ticks, true
}

// tickOf returns the units of the smallest step of a TIMESTAMP's precision.
func tickOf(t types.Type) int64 {
	step := int64(t.Unit())
	for range t.Precision {
		step /= 10
	}
	return max(step, 1)
}

func mulOverflow(a, b int64) (int64, bool) {
	c := a * b
	return c, a != 0 && (c/a != b || a == -1 && b == math.MinInt64)
}
