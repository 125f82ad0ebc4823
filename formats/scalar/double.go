package scalar

import (
	"bytes"
	"math"
	"slices"
	"strconv"
)

// AppendDouble appends a FLOAT (bitSize 32) or DOUBLE as Java's toString prints
// it: always with a fraction, in scientific form below 1e-3 and from 1e7 on.
func AppendDouble(dst []byte, f float64, bitSize int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
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

// JavaFloat checks that a text is in the grammar of Java's parseDouble and
// returns it in that of strconv: the type suffix cut off.
func JavaFloat(s []byte) ([]byte, bool) {
	unsigned := s
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		unsigned = s[1:]
	}
	switch string(unsigned) {
	case "NaN":
		return unsigned, true
	case "Infinity":
		return s, true
	}
	if len(unsigned) == 0 || (unsigned[0]-'0' > 9 && unsigned[0] != '.') {
		return nil, false
	}
	if slices.Contains(unsigned, '_') {
		return nil, false
	}
	if c := s[len(s)-1] | 0x20; c == 'd' || c == 'f' {
		s = s[:len(s)-1]
	}
	return s, true
}
