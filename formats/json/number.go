package json

import (
	"errors"
	"math"
	"strconv"

	"millrace/formats/scalar"
	"millrace/stream"
)

// digitsFast is how many digits always fit an int64.
const digitsFast = 18

// smallInt reads an integer of at most 18 digits, the common case. It returns
// stop where there is none or something follows that a number may go on with.
func smallInt(p []byte, i int) (v int64, next int) {
	negative := p[i] == '-'
	if negative {
		i++
	}
	first := i
	var u uint64
	for i < len(p) {
		c := p[i] - '0'
		if c > 9 {
			break
		}
		u = u*10 + uint64(c)
		i++
	}
	n := i - first
	if n == 0 || n > digitsFast || (p[first] == '0' && n > 1) {
		return 0, stop
	}
	if i < len(p) && (p[i] == '.' || p[i]|0x20 == 'e') {
		return 0, stop
	}
	if negative {
		return -int64(u), i
	}
	return int64(u), i
}

func (d *Decoder) bigint(b *stream.Builder, p []byte, i int) int {
	v, next := smallInt(p, i)
	if next == stop {
		if v, next = d.wholeNumber(p, i, math.MinInt64, math.MaxInt64, true); next == stop {
			return stop
		}
	}
	b.AppendInt64(v)
	return next
}

func (d *Decoder) integer(b *stream.Builder, p []byte, i int) int {
	v, next := smallInt(p, i)
	if next == stop || v != int64(int32(v)) {
		if v, next = d.wholeNumber(p, i, math.MinInt32, math.MaxInt32, true); next == stop {
			return stop
		}
	}
	stream.AppendFixed(b, int32(v))
	return next
}

func (d *Decoder) smallint(b *stream.Builder, p []byte, i int) int {
	v, next := d.wholeNumber(p, i, math.MinInt16, math.MaxInt16, false)
	if next != stop {
		stream.AppendFixed(b, int16(v))
	}
	return next
}

func (d *Decoder) tinyint(b *stream.Builder, p []byte, i int) int {
	v, next := d.wholeNumber(p, i, math.MinInt8, math.MaxInt8, false)
	if next != stop {
		stream.AppendFixed(b, int8(v))
	}
	return next
}

// wholeNumber reads an integer: a number, or a string that holds one between
// blanks. A number with a fraction or exponent is cut towards 0 where
// fractions says that Flink does so for the type.
func (d *Decoder) wholeNumber(p []byte, i int, low, high int64, fractions bool) (int64, int) {
	text, next, quoted := d.numberText(p, i)
	if next == stop {
		return 0, stop
	}
	if float, _ := number(p, i); float && !quoted {
		if !fractions {
			return 0, d.refuse(i, "not an integer")
		}
		return d.cut(p[i:next], i, next, low, high)
	}
	v, err := strconv.ParseInt(string(text), 10, 64)
	switch {
	case err == nil && low <= v && v <= high:
		return v, next
	case err == nil || isRange(err):
		return 0, d.refuse(i, "integer out of range")
	default:
		return 0, d.refuse(i, "not an integer")
	}
}

func isRange(err error) bool { return errors.Is(err, strconv.ErrRange) }

// cut converts by way of a double, as Jackson does.
func (d *Decoder) cut(text []byte, i, next int, low, high int64) (int64, int) {
	f, _ := strconv.ParseFloat(string(text), 64)
	switch {
	case f < float64(low) || f > float64(high):
		return 0, d.refuse(i, "integer out of range")
	case f == float64(high): // the double next to the largest BIGINT is above it
		return high, next
	default:
		return int64(f), next
	}
}

// numberText returns the text of the number at i, or of the string with the
// blanks around it cut off. Anything else is refused.
func (d *Decoder) numberText(p []byte, i int) (text []byte, next int, quoted bool) {
	switch c := p[i]; {
	case c == '"':
		text, next = d.text(p, i)
		return trim(text), next, true
	case c == '-' || c-'0' <= 9:
		next = d.scalar(p, i)
		if next == stop {
			return nil, stop, false
		}
		return p[i:next], next, false
	case c == '{' || c == '[' || c == 't' || c == 'f':
		return nil, d.refuse(i, "not a number"), false
	default:
		return nil, d.broken(i, "unexpected byte where a value begins"), false
	}
}

func (d *Decoder) double(b *stream.Builder, p []byte, i int) int {
	f, next := d.floating(p, i, 64)
	if next != stop {
		stream.AppendFixed(b, f)
	}
	return next
}

func (d *Decoder) float(b *stream.Builder, p []byte, i int) int {
	f, next := d.floating(p, i, 32)
	if next != stop {
		stream.AppendFixed(b, float32(f))
	}
	return next
}

// floating reads a FLOAT or DOUBLE: a number, or a string that Java's
// parseDouble takes. What is too large is infinite, as in Java.
func (d *Decoder) floating(p []byte, i, bitSize int) (float64, int) {
	text, next, quoted := d.numberText(p, i)
	if next == stop {
		return 0, stop
	}
	if quoted {
		var ok bool
		if text, ok = scalar.JavaFloat(text); !ok {
			return 0, d.refuse(i, "not a floating-point number")
		}
	}
	f, err := strconv.ParseFloat(string(text), bitSize)
	if err != nil && !isRange(err) {
		return 0, d.refuse(i, "not a floating-point number")
	}
	return f, next
}

// boolean reads a BOOLEAN: true, false, or the text of a string or number,
// which is true if it spells true in any case.
func (d *Decoder) boolean(b *stream.Builder, p []byte, i int) int {
	switch {
	case hasLiteral(p, i, "true"):
		b.AppendBool(true)
		return i + 4
	case hasLiteral(p, i, "false"):
		b.AppendBool(false)
		return i + 5
	}
	text, next, _ := d.numberText(p, i)
	if next != stop {
		b.AppendBool(spellsTrue(text))
	}
	return next
}

func spellsTrue(s []byte) bool {
	return len(s) == 4 && s[0]|0x20 == 't' && s[1]|0x20 == 'r' && s[2]|0x20 == 'u' && s[3]|0x20 == 'e'
}
