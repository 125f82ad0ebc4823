package kernel

import (
	"fmt"

	"millrace/stream"
	"millrace/types"
)

// parsed casts text to another type. A text that is no value of it fails, or
// is NULL under TRY_CAST; a DECIMAL that is too large is NULL.
func parsed(to types.Type) (conversion, error) {
	var make func(try bool) loop
	switch to.Kind {
	case types.Boolean:
		make = func(try bool) loop { return parseBitsLoop(to, try) }
	case types.TinyInt:
		make = parseInt[int8](to, 8)
	case types.SmallInt:
		make = parseInt[int16](to, 16)
	case types.Int:
		make = parseInt[int32](to, 32)
	case types.BigInt:
		make = parseInt[int64](to, 64)
	case types.Float:
		make = parseLoop(to, func(p []byte) (float32, bool) { x, ok := parseFloat(p, 32); return float32(x), ok })
	case types.Double:
		make = parseLoop(to, func(p []byte) (float64, bool) { return parseFloat(p, 64) })
	case types.Decimal:
		make = func(try bool) loop { return parseDecimalLoop(to, try) }
	case types.Date:
		make = parseLoop(to, parseDate)
	case types.Time:
		make = parseLoop(to, func(p []byte) (int32, bool) { x, ok := parseTime(p); return truncateTime(x, to), ok })
	case types.Timestamp, types.TimestampLTZ:
		make = parseLoop(to, func(p []byte) (int64, bool) { return parseTimestamp(p, to) })
	case types.Binary, types.VarBinary:
		return dear(fitBytes(to)), nil
	default:
		return conversion{}, fmt.Errorf("no cast from text to %s", to)
	}
	return conversion{dear: true, loop: make}, nil
}

const quotedMax = 64

// notA is the error of a text that is no value of a type.
func notA(p []byte, t types.Type) error {
	if len(p) > quotedMax {
		return fmt.Errorf("%q... is no %s", p[:quotedMax], t.AsNullable())
	}
	return fmt.Errorf("%q is no %s", p, t.AsNullable())
}

func parseInt[T signed](to types.Type, bitSize uint) func(bool) loop {
	return parseLoop(to, func(p []byte) (T, bool) { x, ok := parseInteger(p, bitSize); return T(x), ok })
}

func parseLoop[T stream.Fixed](to types.Type, parse func(p []byte) (T, bool)) func(bool) loop {
	return func(try bool) loop {
		return func(k *call, out *stream.Vector) error {
			o := stream.Values[T](out)
			return k.parseRows(out, to, try, func(i int, p []byte) bool {
				x, ok := parse(p)
				o[i] = x
				return ok
			})
		}
	}
}

func parseBitsLoop(to types.Type, try bool) loop {
	return func(k *call, out *stream.Vector) error {
		bits := out.Bits()
		return k.parseRows(out, to, try, func(i int, p []byte) bool {
			x, ok := parseBoolean(p)
			bits.Put(i, x)
			return ok
		})
	}
}

func parseDecimalLoop(to types.Type, try bool) loop {
	return func(k *call, out *stream.Vector) error {
		w := writeDecimal(k, out)
		return k.parseRows(out, to, try, func(i int, p []byte) bool {
			n, ok := parseNumber(p)
			if ok {
				n.put(&w, i)
			}
			return ok
		})
	}
}

// parseRows calls parse for each live row.
func (k *call) parseRows(out *stream.Vector, to types.Type, try bool, parse func(i int, p []byte) bool) error {
	in := bytesOperand(&k.args[0])
	for i := range k.n {
		if !k.alive(i) || parse(i, in.at(i)) {
			continue
		}
		if !try {
			return k.fail(i, notA(in.at(i), to))
		}
		k.null(out, i)
	}
	return nil
}

// textOf casts to CHAR or VARCHAR: printed, cut to the length, and for CHAR
// filled with spaces.
func textOf(from, to types.Type) (conversion, error) {
	if isText(from) || isBinary(from) {
		return dear(fitText(to)), nil
	}
	print, err := printer(from)
	if err != nil {
		return conversion{}, err
	}
	return dear(func(k *call, _ *stream.Vector) error {
		at := print(&k.args[0])
		return k.eachText(func(i int) error {
			k.text = at(k.text[:0], i)
			k.appendText(k.text, to)
			return nil
		})
	}), nil
}

// eachText calls row for each live row, which must append one value, and
// appends an empty one or NULL for the others.
func (k *call) eachText(row func(i int) error) error {
	for i := range k.n {
		if k.alive(i) {
			if err := row(i); err != nil {
				return err
			}
			continue
		}
		if k.nullArg(i) {
			k.builder.AppendNull()
		} else {
			k.builder.AppendBytes(nil)
		}
	}
	return nil
}

func (k *call) nullArg(i int) bool {
	for a := range k.args {
		if k.args[a].IsNull(i) {
			return true
		}
	}
	return false
}

func fitText(to types.Type) loop {
	return func(k *call, _ *stream.Vector) error {
		in := bytesOperand(&k.args[0])
		return k.eachText(func(i int) error { k.appendText(in.at(i), to); return nil })
	}
}

// appendText appends a value cut or filled to the characters of the type.
func (k *call) appendText(p []byte, to types.Type) {
	if len(p) > to.Length {
		p = p[:prefix(p, to.Length)]
	}
	copy(k.builder.Extend(len(p)), p)
	if to.Kind == types.Char {
		if n := to.Length - charLength(p); n > 0 {
			fill(k.builder.Extend(n), ' ')
		}
	}
	k.builder.CloseValue()
}

func fill(p []byte, c byte) {
	for i := range p {
		p[i] = c
	}
}

// fitBytes casts to BINARY, cut or filled with zeros, and VARBINARY, cut.
func fitBytes(to types.Type) loop {
	return func(k *call, _ *stream.Vector) error {
		in := bytesOperand(&k.args[0])
		return k.eachText(func(i int) error {
			p := in.at(i)
			p = p[:min(len(p), to.Length)]
			copy(k.builder.Extend(len(p)), p)
			if n := to.Length - len(p); n > 0 && to.Kind == types.Binary {
				clear(k.builder.Extend(n))
			}
			k.builder.CloseValue()
			return nil
		})
	}
}
