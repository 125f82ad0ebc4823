package kernel

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

var splitBinders = map[string]binder{"SPLIT_INDEX": bindSplitIndex}

// bindSplitIndex binds SPLIT_INDEX(text, delimiter, index), whose delimiter is
// text or the number of a character.
func bindSplitIndex(e *expr.Call, args []node) (node, error) {
	byNumber := e.Args[1].Type().Kind == types.Int
	return careful(e, args, func(k *call, _ *stream.Vector) error {
		text, index := bytesOperand(&k.args[0]), operandOf[int32](&k.args[2])
		var number operand[int32]
		var delimiter bytesOf
		if byNumber {
			number = operandOf[int32](&k.args[1])
		} else {
			delimiter = bytesOperand(&k.args[1])
		}
		return k.eachText(func(i int) error {
			var d []byte
			if byNumber {
				c := number.at(i)
				if c < 1 || c > 255 {
					k.builder.AppendNull()
					return nil
				}
				k.text = utf8.AppendRune(k.text[:0], c)
				d = k.text
			} else {
				d = delimiter.at(i)
			}
			part, ok := splitPart(text.at(i), d, int(index.at(i)))
			if !ok {
				k.builder.AppendNull()
				return nil
			}
			k.builder.AppendBytes(part)
			return nil
		})
	}), nil
}

// splitPart returns part index of p. An empty text has no parts, and an empty
// delimiter splits at every white space.
func splitPart(p, delimiter []byte, index int) ([]byte, bool) {
	if index < 0 || len(p) == 0 {
		return nil, false
	}
	for {
		at, size := bytes.Index(p, delimiter), len(delimiter)
		if size == 0 {
			at, size = indexSpace(p)
		}
		switch {
		case index == 0 && at < 0:
			return p, true
		case index == 0:
			return p[:at], true
		case at < 0:
			return nil, false
		}
		p = p[at+size:]
		index--
	}
}

// indexSpace returns where the first white space is, and its length; -1 without one.
func indexSpace(p []byte) (at, size int) {
	at = bytes.IndexFunc(p, unicode.IsSpace)
	if at < 0 {
		return -1, 0
	}
	_, size = utf8.DecodeRune(p[at:])
	return at, size
}
