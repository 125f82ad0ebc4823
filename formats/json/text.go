package json

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"

	"millrace/stream"
)

const (
	lows  = 0x0101010101010101 // the lowest bit of each byte
	highs = 0x8080808080808080 // the highest
)

// special has the highest bit of a byte set for a quote, backslash or control
// character in w; bytes above the lowest hit may be marked in error.
//
// A byte x below 128 is less than n exactly if (x-n)&^x has its highest bit
// set; the borrow spoils bytes above, never below. Flipping bit 1 makes the
// quote (0x22) 0x20 and keeps the control characters among themselves, so that
// one comparison finds both.
func special(w uint64) uint64 {
	slash := w ^ (lows * '\\')
	return (((w^lows*2)-lows*0x21)&^w | (slash-lows)&^slash) & highs
}

// plainRun returns the end of the run of bytes from i on that stand for
// themselves in a string: no quote, backslash or control character. high is
// not 0 if some are not ASCII.
func plainRun(p []byte, i int) (end int, high uint64) {
	var seen uint64
	for i+16 <= len(p) {
		s := p[i : i+16 : i+16]
		v, w := binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:])
		if hit := special(v); hit != 0 {
			end, v = runIn(i, v, hit)
			return end, (seen | v) & highs
		}
		if hit := special(w); hit != 0 {
			end, w = runIn(i+8, w, hit)
			return end, (seen | v | w) & highs
		}
		seen |= v | w
		i += 16
	}
	return shortRun(p, i, seen)
}

// runIn returns the position of the lowest hit in a word that stands at i, and
// the word without what follows.
func runIn(i int, w, hit uint64) (int, uint64) {
	n := bits.TrailingZeros64(hit) &^ 7
	return i + n>>3, w & (1<<n - 1)
}

// shortRun is plainRun for the last bytes of p.
func shortRun(p []byte, i int, seen uint64) (int, uint64) {
	for i < len(p) && p[i] != '"' && p[i] != '\\' && p[i] >= ' ' {
		seen |= uint64(p[i])
		i++
	}
	return i, seen & highs
}

// varchar decodes a CHAR or VARCHAR: the text of a string or another scalar,
// the compact JSON of an object or array.
func (d *Decoder) varchar(b *stream.Builder, p []byte, i int) int {
	if p[i] != '"' {
		return d.otherAsText(b, p, i)
	}
	j, high := plainRun(p, i+1)
	if high == 0 && j < len(p) && p[j] == '"' {
		b.AppendBytes(p[i+1 : j])
		return j + 1
	}
	text, next := d.text(p, i)
	if next != stop {
		b.AppendBytes(text)
	}
	return next
}

func (d *Decoder) otherAsText(b *stream.Builder, p []byte, i int) int {
	if p[i] == '{' || p[i] == '[' {
		var next int
		if d.scratch, next = d.compact(d.scratch[:0], p, i); next != stop {
			b.AppendBytes(d.scratch)
		}
		return next
	}
	next := d.scalar(p, i)
	if next != stop {
		b.AppendBytes(p[i:next])
	}
	return next
}

// text returns the text of the string at i. It aliases p or d.scratch and is
// good until the next call.
func (d *Decoder) text(p []byte, i int) (text []byte, next int) {
	j, high := plainRun(p, i+1)
	if high == 0 && j < len(p) && p[j] == '"' {
		return p[i+1 : j], j + 1
	}
	d.scratch, next = d.appendText(d.scratch[:0], p, i)
	return d.scratch, next
}

// appendText appends the text of the string at i.
func (d *Decoder) appendText(dst, p []byte, i int) ([]byte, int) {
	i++
	for {
		j, high := plainRun(p, i)
		if high == 0 {
			dst = append(dst, p[i:j]...)
		} else {
			dst = appendUTF8(dst, p[i:j])
		}
		switch {
		case j >= len(p):
			return dst, d.broken(j, "unexpected end in a string")
		case p[j] == '"':
			return dst, j + 1
		case p[j] == '\\':
			dst, i = d.appendEscape(dst, p, j)
		case d.opts.AllowControlCharacters:
			dst, i = append(dst, p[j]), j+1
		default:
			return dst, d.broken(j, "control character in a string")
		}
		if i == stop {
			return dst, stop
		}
	}
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// appendEscape appends what the escape at i stands for.
func (d *Decoder) appendEscape(dst, p []byte, i int) ([]byte, int) {
	if i+1 >= len(p) {
		return dst, d.broken(i, "unexpected end in a string")
	}
	if c := escapes[p[i+1]]; c != 0 {
		return append(dst, c), i + 2
	}
	r, next := codeUnit(p, i)
	if next == stop {
		return dst, d.broken(i, "unknown escape in a string")
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(dst, r), next
	}
	if low, behind := codeUnit(p, next); behind != stop {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return utf8.AppendRune(dst, pair), behind
		}
	}
	return append(dst, '?'), next // half a pair: as Java encodes it
}

// codeUnit reads a \uXXXX.
func codeUnit(p []byte, i int) (rune, int) {
	if i+6 > len(p) || p[i] != '\\' || p[i+1] != 'u' {
		return 0, stop
	}
	r := rune(0)
	for _, c := range p[i+2 : i+6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, stop
		}
		r = r<<4 | rune(c)
	}
	return r, i + 6
}

// appendUTF8 appends s, in which each longest piece that could have begun a
// character but did not end one is replaced by U+FFFD, as Java decodes.
func appendUTF8(dst, s []byte) []byte {
	if utf8.Valid(s) {
		return append(dst, s...)
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			n = brokenPrefix(s)
			dst = append(dst, "\uFFFD"...)
		} else {
			dst = append(dst, s[:n]...)
		}
		s = s[n:]
	}
	return dst
}

// brokenPrefix returns the length of the malformed piece at the start of s.
func brokenPrefix(s []byte) int {
	n := min(len(s), utf8.UTFMax-1)
	for n > 1 && utf8.FullRune(s[:n]) {
		n--
	}
	return n
}

// binary decodes a BINARY or VARBINARY from base64.
func (d *Decoder) binary(b *stream.Builder, p []byte, i int) int {
	if p[i] != '"' {
		return d.refuse(i, "expected a string of base64")
	}
	text, next := d.text(p, i)
	if next == stop {
		return stop
	}
	if n := base64.StdEncoding.DecodedLen(len(text)); cap(d.blob) < n {
		d.blob = make([]byte, n)
	}
	n, err := base64.StdEncoding.Decode(d.blob[:cap(d.blob)], text)
	if err != nil {
		return d.refuse(i, "string is not base64")
	}
	b.AppendBytes(d.blob[:n])
	return next
}

// trim cuts blanks and control characters off both ends, as Java's trim does.
func trim(s []byte) []byte {
	for len(s) > 0 && s[0] <= ' ' {
		s = s[1:]
	}
	for len(s) > 0 && s[len(s)-1] <= ' ' {
		s = s[:len(s)-1]
	}
	return s
}
