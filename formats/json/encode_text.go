package json

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf8"
)

func appendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

const hexDigits = "0123456789ABCDEF"

// appendQuoted appends s as a JSON string, escaped as Jackson does. Malformed
// UTF-8 becomes U+FFFD.
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	for {
		n, high := plainRun(s, 0)
		if high == 0 || utf8.Valid(s[:n]) {
			dst = append(dst, s[:n]...)
		} else {
			dst = appendUTF8(dst, s[:n])
		}
		if n == len(s) {
			return append(dst, '"')
		}
		dst = appendEscaped(dst, s[n])
		s = s[n+1:]
	}
}

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}

// appendDouble appends a FLOAT (bitSize 32) or DOUBLE as Java's toString prints
// it: always with a fraction, in scientific form below 1e-3 and from 1e7 on;
// what is not a number in quotes.
func appendDouble(dst []byte, f float64, bitSize int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-3 || a >= 1e7) {
		return appendJavaScientific(dst, f, bitSize)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, bitSize)
	if bytes.IndexByte(dst[start:], '.') >= 0 {
		return dst
	}
	return append(dst, '.', '0')
}

// appendJavaScientific turns strconv's 1e+10 into Java's 1.0E10. Java prints at
// least two digits, the two nearest where one would do: 4.9E-324.
func appendJavaScientific(dst []byte, f float64, bitSize int) []byte {
	var buf [32]byte
	s := strconv.AppendFloat(buf[:0], f, 'e', -1, bitSize)
	if bytes.IndexByte(s, '.') < 0 {
		s = strconv.AppendFloat(buf[:0], f, 'e', 1, bitSize)
	}
	e := bytes.IndexByte(s, 'e')
	dst = append(append(dst, s[:e]...), 'E')
	sign, exponent := s[e+1], s[e+2:]
	if sign == '-' {
		dst = append(dst, '-')
	}
	if exponent[0] == '0' { // strconv writes at least two digits
		exponent = exponent[1:]
	}
	return append(dst, exponent...)
}
