package kernel

import (
	"unicode"
	"unicode/utf8"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// Text is bytes that should be UTF-8. A byte that is not part of a character counts as
// one and is handed on unchanged.

func charLength(p []byte) int { return utf8.RuneCount(p) }

// prefix returns the bytes of the first n characters.
func prefix(p []byte, n int) int {
	at := 0
	for ; n > 0 && at < len(p); n-- {
		if p[at] < utf8.RuneSelf {
			at++
			continue
		}
		_, size := utf8.DecodeRune(p[at:])
		at += size
	}
	return at
}

func bindCharLength(e *expr.Call, args []node) (node, error) {
	return careful(e, args, func(k *call, out *stream.Vector) error {
		in, o := bytesOperand(&k.args[0]), stream.Values[int32](out)
		for i := range o {
			if k.alive(i) {
				o[i] = int32(charLength(in.at(i)))
			}
		}
		return nil
	}), nil
}

func bindCaseChange(e *expr.Call, args []node) (node, error) {
	change := map[string]func(dst, p []byte) []byte{"UPPER": toUpper, "LOWER": toLower, "INITCAP": toTitle}[e.Func]
	return careful(e, args, func(k *call, _ *stream.Vector) error {
		in := bytesOperand(&k.args[0])
		return k.eachText(func(i int) error {
			k.text = change(k.text[:0], in.at(i))
			k.builder.AppendBytes(k.text)
			return nil
		})
	}), nil
}

func toUpper(dst, p []byte) []byte {
	for len(p) > 0 {
		c := p[0]
		if c < utf8.RuneSelf {
			if c-'a' < 26 {
				c -= 'a' - 'A'
			}
			dst, p = append(dst, c), p[1:]
			continue
		}
		r, size := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, c)
		case r == 'ß':
			dst = append(dst, "SS"...)
		default:
			dst = utf8.AppendRune(dst, unicode.ToUpper(r))
		}
		p = p[size:]
	}
	return dst
}

func toLower(dst, p []byte) []byte {
	for len(p) > 0 {
		c := p[0]
		if c < utf8.RuneSelf {
			if c-'A' < 26 {
				c += 'a' - 'A'
			}
			dst, p = append(dst, c), p[1:]
			continue
		}
		r, size := utf8.DecodeRune(p)
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		p = p[size:]
	}
	return dst
}

func bindConcat(e *expr.Call, args []node) (node, error) {
	return careful(e, args, func(k *call, _ *stream.Vector) error {
		return k.eachText(func(i int) error {
			for a := range k.args {
				p := k.args[a].Bytes(i)
				copy(k.builder.Extend(len(p)), p)
			}
			k.builder.CloseValue()
			return nil
		})
	}), nil
}

func bindSubstring(e *expr.Call, args []node) (node, error) {
	return careful(e, args, func(k *call, _ *stream.Vector) error {
		in, from := bytesOperand(&k.args[0]), operandOf[int32](&k.args[1])
		length := operand[int32]{values: []int32{types.MaxLength}}
		if len(k.args) == 3 {
			length = operandOf[int32](&k.args[2])
		}
		return k.eachText(func(i int) error {
			if length.at(i) < 0 {
				k.builder.AppendNull()
				return nil
			}
			k.builder.AppendBytes(substring(in.at(i), int(from.at(i)), int(length.at(i))))
			return nil
		})
	}), nil
}

// substring returns up to length characters from position pos: counted from 1,
// from the end if negative, and 0 is 1. A start before the text gives nothing.
func substring(p []byte, pos, length int) []byte {
	switch {
	case pos > 0:
		p = p[prefix(p, pos-1):]
	case pos < 0:
		skip := charLength(p) + pos
		if skip < 0 {
			return nil
		}
		p = p[prefix(p, skip):]
	}
	return p[:prefix(p, length)]
}
