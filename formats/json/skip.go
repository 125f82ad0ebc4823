package json

import (
	"bytes"
	"strconv"
)

// skip returns the position behind the value at i, which nobody asked for. It
// finds where the value ends and checks no more than that needs: brackets are
// counted, not matched, and what stands between them is not looked at.
func (d *Decoder) skip(p []byte, i int) int {
	if i >= len(p) {
		return d.broken(i, "unexpected end")
	}
	switch p[i] {
	case '"':
		return d.skipString(p, i)
	case '{', '[':
		return d.skipNested(p, i)
	default:
		return d.scalar(p, i)
	}
}

// skipString goes from quote to quote: one is the end unless the backslashes
// before it are odd in number.
func (d *Decoder) skipString(p []byte, i int) int {
	first := i + 1
	for i = first; ; i++ {
		n := bytes.IndexByte(p[i:], '"')
		if n < 0 {
			return d.broken(len(p), "unexpected end in a string")
		}
		i += n
		slash := i
		for slash > first && p[slash-1] == '\\' {
			slash--
		}
		if (i-slash)&1 == 0 {
			return i + 1
		}
	}
}

func (d *Decoder) skipNested(p []byte, i int) int {
	depth := d.depth
	for i < len(p) {
		switch p[i] {
		case '"':
			if i = d.skipString(p, i); i == stop {
				return stop
			}
			continue
		case '{', '[':
			if depth++; depth > depthMax {
				return d.broken(i, "nested too deeply")
			}
		case '}', ']':
			if depth--; depth == d.depth {
				return i + 1
			}
		}
		i++
	}
	return d.broken(i, "unexpected end")
}

// scalar returns the position behind the number or literal at i, or behind the
// string.
func (d *Decoder) scalar(p []byte, i int) int {
	if i >= len(p) {
		return d.broken(i, "unexpected end")
	}
	var next int
	switch c := p[i]; {
	case c == '-' || c-'0' <= 9:
		_, next = number(p, i)
	case c == 't' && hasLiteral(p, i, "true"), c == 'n' && hasLiteral(p, i, "null"):
		return i + 4
	case c == 'f' && hasLiteral(p, i, "false"):
		return i + 5
	case c == '"':
		return d.skipString(p, i)
	default:
		return d.broken(i, "unexpected byte where a value begins")
	}
	if next == stop {
		return d.broken(i, "malformed number")
	}
	return next
}

// number returns the position behind the number at i, in JSON's grammar, and
// whether it has a fraction or an exponent.
func number(p []byte, i int) (float bool, next int) {
	if i < len(p) && p[i] == '-' {
		i++
	}
	first := i
	i = digits(p, i)
	if i == first || (p[first] == '0' && i > first+1) {
		return false, stop
	}
	if i < len(p) && p[i] == '.' {
		float, first = true, i+1
		if i = digits(p, first); i == first {
			return true, stop
		}
	}
	if i < len(p) && p[i]|0x20 == 'e' {
		float = true
		i++
		if i < len(p) && (p[i] == '+' || p[i] == '-') {
			i++
		}
		first = i
		if i = digits(p, first); i == first {
			return true, stop
		}
	}
	return float, i
}

func digits(p []byte, i int) int {
	for i < len(p) && p[i]-'0' <= 9 {
		i++
	}
	return i
}

// compact appends the object or array at i as Flink gives it to a VARCHAR:
// without blanks, strings escaped anew, numbers with a fraction or exponent as
// Java prints a double.
func (d *Decoder) compact(dst, p []byte, i int) ([]byte, int) {
	if !d.enter(i) {
		return dst, stop
	}
	isObject := p[i] == '{'
	end := byte(']')
	if isObject {
		end = '}'
	}
	dst = append(dst, p[i])
	i = skipSpace(p, i+1)
	for first := true; ; first = false {
		if i < len(p) && p[i] == end && first {
			break
		}
		if isObject {
			if i >= len(p) || p[i] != '"' {
				return dst, d.broken(i, "expected a key")
			}
			if dst, i = d.compactString(dst, p, i); i == stop {
				return dst, stop
			}
			if i = d.colon(p, i); i == stop {
				return dst, stop
			}
			dst = append(dst, ':')
			i = skipSpace(p, i)
		}
		if dst, i = d.compactValue(dst, p, i); i == stop {
			return dst, stop
		}
		i = skipSpace(p, i)
		if i < len(p) && p[i] == ',' {
			dst = append(dst, ',')
			i = skipSpace(p, i+1)
			continue
		}
		if i >= len(p) || p[i] != end {
			return dst, d.broken(i, "expected , or the end of an object or array")
		}
		break
	}
	d.depth--
	return append(dst, end), i + 1
}

func (d *Decoder) compactValue(dst, p []byte, i int) ([]byte, int) {
	switch {
	case i >= len(p):
		return dst, d.broken(i, "unexpected end")
	case p[i] == '"':
		return d.compactString(dst, p, i)
	case p[i] == '{' || p[i] == '[':
		return d.compact(dst, p, i)
	}
	next := d.scalar(p, i)
	if next == stop {
		return dst, stop
	}
	if float, _ := number(p, i); float {
		f, _ := strconv.ParseFloat(string(p[i:next]), 64)
		return appendDouble(dst, f, 64), next
	}
	return append(dst, p[i:next]...), next
}

func (d *Decoder) compactString(dst, p []byte, i int) ([]byte, int) {
	j, high := plainRun(p, i+1)
	if high == 0 && j < len(p) && p[j] == '"' {
		return append(dst, p[i:j+1]...), j + 1
	}
	var next int
	if d.blob, next = d.appendText(d.blob[:0], p, i); next == stop {
		return dst, stop
	}
	return appendQuoted(dst, d.blob), next
}
