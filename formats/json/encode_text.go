package json

import (
	"math"
	"strconv"
	"unicode/utf8"

	"millrace/formats/scalar"
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

// appendDouble appends a FLOAT (bitSize 32) or DOUBLE, what is not a number in
// quotes.
func appendDouble(dst []byte, f float64, bitSize int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(scalar.AppendDouble(append(dst, '"'), f, bitSize), '"')
	}
	return scalar.AppendDouble(dst, f, bitSize)
}
