package scalar

import (
	"math/bits"
	"strconv"

	"millrace/types"
)

// decimalText is a decimal number taken apart: digits with a point somewhere,
// times a power of ten.
type decimalText struct {
	negative bool
	digits   []byte // digits and at most one point
	exponent int
}

// exponentMax bounds exponents: beyond it every number is 0 or too large, and
// sums with it can't overflow.
const exponentMax = 1 << 30

// splitDecimal takes a number in the grammar of Java's BigDecimal apart.
func splitDecimal(s []byte) (t decimalText, ok bool) {
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		t.negative = s[0] == '-'
		s = s[1:]
	}
	n, points := 0, 0
	for n < len(s) && (s[n]-'0' <= 9 || s[n] == '.') {
		if s[n] == '.' {
			points++
		}
		n++
	}
	t.digits = s[:n]
	if points > 1 || n == points {
		return t, false
	}
	if n == len(s) {
		return t, true
	}
	if s[n]|0x20 != 'e' {
		return t, false
	}
	t.exponent, ok = parseExponent(s[n+1:])
	return t, ok
}

func parseExponent(s []byte) (int, bool) {
	negative := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	e := 0
	for _, c := range s {
		if c-'0' > 9 {
			return 0, false
		}
		e = min(e*10+int(c-'0'), exponentMax)
	}
	if negative {
		e = -e
	}
	return e, len(s) > 0
}

// ParseDecimal returns the unscaled value of a number at a precision and scale,
// whether it fits them, and whether it is a number at all.
func ParseDecimal(s []byte, precision, scale int) (n types.Int128, fits, ok bool) {
	t, ok := splitDecimal(s)
	if !ok {
		return n, false, false
	}
	whole := 0 // digits before the point
	for whole < len(t.digits) && t.digits[whole] != '.' {
		whole++
	}
	keep := whole + t.exponent + scale // digits of the unscaled value, leading zeros included
	var u uint128
	taken := 0
	for _, c := range t.digits {
		if c == '.' {
			continue
		}
		if taken >= keep {
			if taken == keep && c >= '5' {
				u = u.add(1)
			}
			taken = keep + 1
			break
		}
		if u.exceeds(precision - 1) {
			return n, false, true
		}
		u = u.times10().add(uint64(c - '0'))
		taken++
	}
	for ; taken < keep && u != (uint128{}); taken++ {
		if u.exceeds(precision - 1) {
			return n, false, true
		}
		u = u.times10()
	}
	if u.exceeds(precision) {
		return n, false, true
	}
	return u.signed(t.negative), true, true
}

// uint128 is an unscaled value without sign.
type uint128 struct{ hi, lo uint64 }

func (u uint128) times10() uint128 {
	carry, lo := bits.Mul64(u.lo, 10)
	return uint128{u.hi*10 + carry, lo}
}

func (u uint128) add(d uint64) uint128 {
	lo, carry := bits.Add64(u.lo, d, 0)
	return uint128{u.hi + carry, lo}
}

// exceeds tells whether u has more than the given number of digits.
func (u uint128) exceeds(digits int) bool {
	limit := powers[digits]
	return u.hi > limit.hi || (u.hi == limit.hi && u.lo >= limit.lo)
}

func (u uint128) signed(negative bool) types.Int128 {
	if !negative {
		return types.Int128{Lo: u.lo, Hi: int64(u.hi)}
	}
	lo, borrow := bits.Sub64(0, u.lo, 0)
	hi, _ := bits.Sub64(0, u.hi, borrow)
	return types.Int128{Lo: lo, Hi: int64(hi)}
}

// powers are the powers of ten up to the largest precision.
var powers = func() (p [types.MaxDecimalPrecision + 1]uint128) {
	p[0] = uint128{lo: 1}
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1].times10()
	}
	return p
}()

// AppendDecimal appends an unscaled value as Java's BigDecimal prints it:
// toPlainString or, where plain is false, toString.
func AppendDecimal(dst []byte, n types.Int128, scale int, plain bool) []byte {
	u := uint128{uint64(n.Hi), n.Lo}
	if n.Hi < 0 {
		dst = append(dst, '-')
		m := u.signed(true)
		u = uint128{uint64(m.Hi), m.Lo}
	}
	var buf [types.MaxDecimalPrecision + 2]byte
	digits := u.format(&buf)
	adjusted := len(digits) - 1 - scale
	if !plain && adjusted < -6 {
		return appendScientific(dst, digits, adjusted)
	}
	if scale == 0 {
		return append(dst, digits...)
	}
	point := len(digits) - scale
	if point > 0 {
		dst = append(dst, digits[:point]...)
		dst = append(dst, '.')
		return append(dst, digits[point:]...)
	}
	dst = append(dst, "0."...)
	for ; point < 0; point++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// appendScientific appends d.ddE-n.
func appendScientific(dst, digits []byte, exponent int) []byte {
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(dst, '.')
		dst = append(dst, digits[1:]...)
	}
	dst = append(dst, 'E')
	return strconv.AppendInt(dst, int64(exponent), 10)
}

// format writes the digits of u at the end of buf.
func (u uint128) format(buf *[types.MaxDecimalPrecision + 2]byte) []byte {
	i := len(buf)
	for {
		hi, rest := bits.Div64(0, u.hi, 10)
		lo, digit := bits.Div64(rest, u.lo, 10)
		i--
		buf[i] = '0' + byte(digit)
		if u = (uint128{hi, lo}); u == (uint128{}) {
			return buf[i:]
		}
	}
}
