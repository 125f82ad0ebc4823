package print

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"millrace/stream"
	"millrace/types"
)

func appendRow(dst []byte, b *stream.Batch, row int) []byte {
	dst = append(append(dst, b.Kind(row).String()...), '[')
	for c := range b.Columns {
		if c > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendValue(dst, &b.Columns[c], row)
	}
	return append(dst, ']')
}

// appendValue appends row i of a vector under any encoding.
func appendValue(dst []byte, v *stream.Vector, i int) []byte {
	if v.IsNull(i) {
		return append(dst, "null"...)
	}
	if v.Encoding == stream.Constant {
		i = 0
	}
	if v.Encoding == stream.Dictionary {
		return appendValue(dst, v.Dict(), int(v.Indices()[i]))
	}
	switch v.Type.Layout() {
	case types.LayoutBit:
		return strconv.AppendBool(dst, v.Bool(i))
	case types.LayoutInt8:
		return strconv.AppendInt(dst, int64(stream.Values[int8](v)[i]), 10)
	case types.LayoutInt16:
		return strconv.AppendInt(dst, int64(stream.Values[int16](v)[i]), 10)
	case types.LayoutInt32:
		return appendInt32(dst, v.Type, stream.Values[int32](v)[i])
	case types.LayoutInt64:
		return appendInt64(dst, v.Type, stream.Values[int64](v)[i])
	case types.LayoutFloat32:
		return appendDouble(dst, float64(stream.Values[float32](v)[i]), 32)
	case types.LayoutFloat64:
		return appendDouble(dst, stream.Values[float64](v)[i], 64)
	case types.LayoutInt128:
		return appendWide(dst, stream.Values[stream.Int128](v)[i], v.Type.Scale)
	case types.LayoutBytes:
		return appendBytes(dst, v.Type.Kind, v.Bytes(i))
	default:
		return appendNested(dst, v, i)
	}
}

func appendInt32(dst []byte, t types.Type, x int32) []byte {
	switch t.Kind {
	case types.Date:
		return time.Unix(int64(x)*86_400, 0).UTC().AppendFormat(dst, time.DateOnly)
	case types.Time:
		return appendClock(dst, time.UnixMilli(int64(x)).UTC())
	default:
		return strconv.AppendInt(dst, int64(x), 10)
	}
}

func appendInt64(dst []byte, t types.Type, x int64) []byte {
	switch t.Kind {
	case types.Timestamp:
		at := instant(x, t)
		return appendClock(append(at.AppendFormat(dst, time.DateOnly), 'T'), at)
	case types.TimestampLTZ:
		at := instant(x, t)
		dst = at.AppendFormat(dst, "2006-01-02T15:04:05")
		return append(appendFraction(dst, at.Nanosecond()), 'Z')
	case types.Decimal:
		return appendUnscaled(dst, big.NewInt(x), t.Scale)
	default:
		return strconv.AppendInt(dst, x, 10)
	}
}

func instant(x int64, t types.Type) time.Time {
	u := int64(t.Unit())
	seconds := x / u
	if x%u < 0 {
		seconds--
	}
	return time.Unix(seconds, (x-seconds*u)*(int64(types.Nanos)/u)).UTC()
}

// appendClock prints a time of day with as many parts as are not zero, at least
// hours and minutes.
func appendClock(dst []byte, t time.Time) []byte {
	if t.Second() == 0 && t.Nanosecond() == 0 {
		return t.AppendFormat(dst, "15:04")
	}
	return appendFraction(t.AppendFormat(dst, time.TimeOnly), t.Nanosecond())
}

// appendFraction prints a fraction of a second in 3, 6 or 9 digits, or nothing.
func appendFraction(dst []byte, nanos int) []byte {
	if nanos == 0 {
		return dst
	}
	digits := strconv.Itoa(1_000_000_000 + nanos)[1:]
	for strings.HasSuffix(digits, "000") {
		digits = digits[:len(digits)-3]
	}
	return append(append(dst, '.'), digits...)
}

// appendDouble prints as Java does: with a point, and an exponent below a
// thousandth and from ten million on.
func appendDouble(dst []byte, x float64, bitSize int) []byte {
	a := math.Abs(x)
	switch {
	case math.IsNaN(x):
		return append(dst, "NaN"...)
	case math.IsInf(x, 0):
		return append(dst, map[bool]string{true: "Infinity", false: "-Infinity"}[x > 0]...)
	case a == 0 || a >= 1e-3 && a < 1e7:
		text := strconv.FormatFloat(x, 'f', -1, bitSize)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return append(dst, text...)
	default:
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'e', -1, bitSize), "e")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exponent) // FormatFloat's own digits
		return strconv.AppendInt(append(append(dst, mantissa...), 'E'), int64(n), 10)
	}
}

func appendWide(dst []byte, x stream.Int128, scale int) []byte {
	n := new(big.Int).Lsh(big.NewInt(x.Hi), 64)
	return appendUnscaled(dst, n.Add(n, new(big.Int).SetUint64(x.Lo)), scale)
}

func appendUnscaled(dst []byte, x *big.Int, scale int) []byte {
	if x.Sign() < 0 {
		dst = append(dst, '-')
	}
	digits := new(big.Int).Abs(x).String()
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	if scale == 0 {
		return dst
	}
	return append(append(dst, '.'), digits[len(digits)-scale:]...)
}

// appendBytes prints text as it is and bytes as Java's signed numbers.
func appendBytes(dst []byte, k types.Kind, p []byte) []byte {
	if k == types.Char || k == types.VarChar {
		return append(dst, p...)
	}
	dst = append(dst, '[')
	for i, c := range p {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = strconv.AppendInt(dst, int64(int8(c)), 10)
	}
	return append(dst, ']')
}

func appendNested(dst []byte, v *stream.Vector, i int) []byte {
	switch v.Type.Kind {
	case types.Row:
		dst = append(dst, "+I["...)
		for c := range v.NumChildren() {
			if c > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendValue(dst, v.Child(c), i)
		}
		return append(dst, ']')
	case types.Array:
		return appendElements(append(dst, '['), v, i, ']', appendValue)
	case types.Map:
		return appendElements(append(dst, '{'), v, i, '}', appendEntry)
	default:
		return append(dst, "null"...)
	}
}

func appendElements(dst []byte, v *stream.Vector, i int, last byte, element func([]byte, *stream.Vector, int) []byte) []byte {
	from := int(v.Offsets()[i])
	for k := from; k < int(v.Offsets()[i+1]); k++ {
		if k > from {
			dst = append(dst, ", "...)
		}
		dst = element(dst, v.Child(0), k)
	}
	return append(dst, last)
}

func appendEntry(dst []byte, entry *stream.Vector, i int) []byte {
	dst = append(appendValue(dst, entry.Child(0), i), '=')
	return appendValue(dst, entry.Child(1), i)
}
