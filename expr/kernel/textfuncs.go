package kernel

import (
	"bytes"
	"errors"
	"unicode"
	"unicode/utf8"

	"millrace/expr"
	"millrace/stream"
)

var errTooLong = errors.New("the text would be longer than 1 MiB")

var textBinders = map[string]binder{
	"CHAR_LENGTH": bindCharLength, "UPPER": bindCaseChange, "LOWER": bindCaseChange, "INITCAP": bindCaseChange,
	"CONCAT": bindConcat, "CONCAT_WS": bindConcatWS, "SUBSTRING": bindSubstring,
	"LEFT": bindText(leftOf), "RIGHT": bindText(rightOf), "REPEAT": bindText(repeatOf), "REVERSE": bindText(reverseOf),
	"REPLACE": bindText(replaceOf), "OVERLAY": bindText(overlayOf), "LPAD": bindPad, "RPAD": bindPad,
	"CHR":   bindText(chrOf),
	"ASCII": bindNumber(asciiOf), "POSITION": bindNumber(positionOf), "LOCATE": bindNumber(positionOf), "INSTR": bindNumber(instrOf),
	"STARTSWITH": bindAffix, "ENDSWITH": bindAffix,
	"TRIM": bindTrim,
}

// bindText binds a function whose rows each append a value to the builder.
func bindText(rows func(k *call) func(i int) error) binder {
	return func(e *expr.Call, args []node) (node, error) {
		return careful(e, args, func(k *call, _ *stream.Vector) error { return k.eachText(rows(k)) }), nil
	}
}

// bindNumber binds a function whose rows each give an INT.
func bindNumber(rows func(k *call) func(i int) (int, error)) binder {
	return func(e *expr.Call, args []node) (node, error) {
		return careful(e, args, func(k *call, out *stream.Vector) error {
			row, o := rows(k), stream.Values[int32](out)
			for i := range o {
				if !k.alive(i) {
					continue
				}
				x, err := row(i)
				if err != nil {
					return k.fail(i, err)
				}
				o[i] = int32(x)
			}
			return nil
		}), nil
	}
}

func leftOf(k *call) func(i int) error {
	text, n := bytesOperand(&k.args[0]), operandOf[int32](&k.args[1])
	return func(i int) error {
		p := text.at(i)
		k.builder.AppendBytes(p[:prefix(p, int(n.at(i)))])
		return nil
	}
}

func rightOf(k *call) func(i int) error {
	text, n := bytesOperand(&k.args[0]), operandOf[int32](&k.args[1])
	return func(i int) error {
		p := text.at(i)
		k.builder.AppendBytes(p[prefix(p, charLength(p)-max(int(n.at(i)), 0)):])
		return nil
	}
}

func repeatOf(k *call) func(i int) error {
	text, n := bytesOperand(&k.args[0]), operandOf[int32](&k.args[1])
	return func(i int) error {
		p, times := text.at(i), max(int(n.at(i)), 0)
		if len(p)*times > valueBytesMax {
			return k.fail(i, errTooLong)
		}
		for dst := k.builder.Extend(len(p) * times); len(dst) > 0; dst = dst[len(p):] {
			copy(dst, p)
		}
		k.builder.CloseValue()
		return nil
	}
}

func reverseOf(k *call) func(i int) error {
	text := bytesOperand(&k.args[0])
	return func(i int) error {
		p := text.at(i)
		dst := k.builder.Extend(len(p))
		for len(p) > 0 {
			_, size := utf8.DecodeRune(p)
			copy(dst[len(dst)-size:], p[:size])
			dst, p = dst[:len(dst)-size], p[size:]
		}
		k.builder.CloseValue()
		return nil
	}
}

// replaceOf replaces; an empty text stands between all characters.
func replaceOf(k *call) func(i int) error {
	text, old, by := bytesOperand(&k.args[0]), bytesOperand(&k.args[1]), bytesOperand(&k.args[2])
	return func(i int) error {
		p, o, b := text.at(i), old.at(i), by.at(i)
		n := bytes.Count(p, o)
		if grown := len(p) + n*(len(b)-len(o)); grown > max(valueBytesMax, len(p)) {
			return k.fail(i, errTooLong)
		}
		if n == 0 {
			k.builder.AppendBytes(p)
			return nil
		}
		k.builder.AppendBytes(bytes.ReplaceAll(p, o, b))
		return nil
	}
}

// overlayOf serves OVERLAY. As in Flink, nothing is left of what follows
// where no character is to be replaced.
func overlayOf(k *call) func(i int) error {
	text, by, from := bytesOperand(&k.args[0]), bytesOperand(&k.args[1]), operandOf[int32](&k.args[2])
	var length *operand[int32]
	if len(k.args) == 4 {
		o := operandOf[int32](&k.args[3])
		length = &o
	}
	return func(i int) error {
		p, b := text.at(i), by.at(i)
		n := charLength(p)
		start, long := int(from.at(i)), charLength(b)
		if length != nil {
			long = int(length.at(i))
		}
		if start <= 0 || start > n {
			k.builder.AppendBytes(p)
			return nil
		}
		at := prefix(p, start-1)
		k.text = append(append(k.text[:0], p[:at]...), b...)
		if long > 0 {
			k.text = append(k.text, p[at+prefix(p[at:], long):]...)
		}
		k.builder.AppendBytes(k.text)
		return nil
	}
}

// bindPad binds LPAD and RPAD: NULL for a negative length or nothing to fill with.
func bindPad(e *expr.Call, args []node) (node, error) {
	left := e.Func == "LPAD"
	return bindText(func(k *call) func(i int) error {
		text, length, fill := bytesOperand(&k.args[0]), operandOf[int32](&k.args[1]), bytesOperand(&k.args[2])
		return func(i int) error {
			p, n, f := text.at(i), int(length.at(i)), fill.at(i)
			if n < 0 || len(f) == 0 {
				k.builder.AppendNull()
				return nil
			}
			p = p[:prefix(p, n)]
			lacking := n - charLength(p)
			if lacking > valueBytesMax/utf8.UTFMax {
				return k.fail(i, errTooLong)
			}
			k.text = k.text[:0]
			if !left {
				k.text = append(k.text, p...)
			}
			for chars := charLength(f); lacking > 0; lacking -= chars {
				k.text = append(k.text, f[:prefix(f, lacking)]...)
			}
			if left {
				k.text = append(k.text, p...)
			}
			k.builder.AppendBytes(k.text)
			return nil
		}
	})(e, args)
}

func chrOf(k *call) func(i int) error {
	n := operandOf[int64](&k.args[0])
	return func(i int) error {
		k.text = k.text[:0]
		if x := n.at(i); x >= 0 {
			k.text = utf8.AppendRune(k.text, rune(x&0xFF))
		}
		k.builder.AppendBytes(k.text)
		return nil
	}
}

func asciiOf(k *call) func(i int) (int, error) {
	text := bytesOperand(&k.args[0])
	return func(i int) (int, error) {
		p := text.at(i)
		r, size := utf8.DecodeRune(p)
		switch {
		case size == 0:
			return 0, nil
		case r == utf8.RuneError && size == 1:
			return int(p[0]), nil
		default:
			return int(r), nil
		}
	}
}

// positionOf serves POSITION and LOCATE: a text in another one, from a
// position on.
func positionOf(k *call) func(i int) (int, error) {
	seek, text := bytesOperand(&k.args[0]), bytesOperand(&k.args[1])
	from := operand[int32]{values: []int32{1}}
	if len(k.args) == 3 {
		from = operandOf[int32](&k.args[2])
	}
	return func(i int) (int, error) {
		s := seek.at(i)
		if len(s) == 0 {
			return 1, nil
		}
		return indexFrom(text.at(i), s, int(from.at(i))), nil
	}
}

// indexFrom returns the position, from 1, of s in p at or behind a position, 0
// if it is not there.
func indexFrom(p, s []byte, from int) int {
	skip := prefix(p, from-1)
	at := bytes.Index(p[skip:], s)
	if at < 0 {
		return 0
	}
	return charLength(p[:skip+at]) + 1
}

// instrOf serves INSTR.
func instrOf(k *call) func(i int) (int, error) {
	text, seek := bytesOperand(&k.args[0]), bytesOperand(&k.args[1])
	one := []int32{1}
	from, times := operand[int32]{values: one}, operand[int32]{values: one}
	if len(k.args) > 2 {
		from = operandOf[int32](&k.args[2])
	}
	if len(k.args) > 3 {
		times = operandOf[int32](&k.args[3])
	}
	return func(i int) (int, error) {
		n := int(times.at(i))
		if n <= 0 {
			return 0, errOccurrence
		}
		return instr(text.at(i), seek.at(i), int(from.at(i)), n), nil
	}
}

var errOccurrence = errors.New("occurrences are counted from 1")

// instr returns the position of the n-th occurrence of s at or behind a
// position; before it, going back, if that is negative. Occurrences may overlap.
func instr(p, s []byte, from, n int) int {
	switch {
	case from == 0:
		return 0
	case len(s) == 0:
		return 1
	case from < 0:
		at := charLength(p) + from + 1 // the last character that an occurrence may have, from 1
		for start := at - charLength(s) + 1; start > 0; start-- {
			if bytes.HasPrefix(p[prefix(p, start-1):], s) {
				if n--; n == 0 {
					return start
				}
			}
		}
		return 0
	}
	for ; ; from++ {
		if from = indexFrom(p, s, from); from == 0 {
			return 0
		}
		if n--; n == 0 {
			return from
		}
	}
}

func bindAffix(e *expr.Call, args []node) (node, error) {
	test := bytes.HasPrefix
	if e.Func == "ENDSWITH" {
		test = bytes.HasSuffix
	}
	return matches(e, args, func(text, affix []byte) (bool, error) { return test(text, affix), nil }), nil
}

// bindTrim binds TRIM(side, characters, text).
func bindTrim(e *expr.Call, args []node) (node, error) {
	side, _ := constantText(e, 0)
	leading, trailing := string(side) != expr.TrimTrailing, string(side) != expr.TrimLeading
	return bindText(func(k *call) func(i int) error {
		set, text := bytesOperand(&k.args[0]), bytesOperand(&k.args[1])
		return func(i int) error {
			p, s := text.at(i), set.at(i)
			if leading {
				p = trimLeft(p, s)
			}
			if trailing {
				p = trimRight(p, s)
			}
			k.builder.AppendBytes(p)
			return nil
		}
	})(e, args[1:])
}

func trimLeft(p, set []byte) []byte {
	for len(p) > 0 {
		_, size := utf8.DecodeRune(p)
		if !bytes.Contains(set, p[:size]) {
			break
		}
		p = p[size:]
	}
	return p
}

func trimRight(p, set []byte) []byte {
	for len(p) > 0 {
		_, size := utf8.DecodeLastRune(p)
		if !bytes.Contains(set, p[len(p)-size:]) {
			break
		}
		p = p[:len(p)-size]
	}
	return p
}

// toTitle makes the first letter of each word upper case, the others lower.
// Words consist of letters and digits.
func toTitle(dst, p []byte) []byte {
	inWord := false
	for len(p) > 0 {
		r, size := utf8.DecodeRune(p)
		if inWord {
			dst = toLower(dst, p[:size])
		} else {
			dst = toUpper(dst, p[:size])
		}
		inWord = unicode.IsLetter(r) || unicode.IsDigit(r)
		p = p[size:]
	}
	return dst
}

// concatWS is CONCAT_WS, which passes over NULLs.
func bindConcatWS(e *expr.Call, args []node) (node, error) {
	return newCall(&callNode{args: args, typ: e.T, careful: true, nulls: true, run: func(k *call, _ *stream.Vector) error {
		for i := range k.n {
			sep := &k.args[0]
			if sep.IsNull(i) {
				k.builder.AppendNull()
				continue
			}
			k.text = k.text[:0]
			first := true
			for a := range k.args[1:] {
				v := &k.args[a+1]
				if v.IsNull(i) {
					continue
				}
				if !first {
					k.text = append(k.text, sep.Bytes(i)...)
				}
				k.text, first = append(k.text, v.Bytes(i)...), false
			}
			k.builder.AppendBytes(k.text)
		}
		return nil
	}}, e), nil
}
