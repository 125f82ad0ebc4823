package files

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"

	"millrace/formats/scalar"
	"millrace/stream"
	"millrace/types"
)

// hasText tells whether values of a type can be a part of a directory's name.
func hasText(t types.Type) bool {
	switch t.Kind {
	case types.Char, types.VarChar, types.Boolean, types.TinyInt, types.SmallInt, types.Int, types.BigInt, types.Decimal,
		types.Float, types.Double, types.Date, types.Time, types.Timestamp, types.TimestampLTZ:
		return true
	default:
		return false
	}
}

// appendValue appends the text of row i of a vector, which is not NULL: numbers and
// dates as SQL writes them, a TIMESTAMP_LTZ in UTC with a Z behind it.
func appendValue(dst []byte, v *stream.Vector, i int) []byte {
	switch v.Type.Layout() {
	case types.LayoutBit:
		return strconv.AppendBool(dst, v.Bool(i))
	case types.LayoutInt8:
		return strconv.AppendInt(dst, int64(stream.Value[int8](v, i)), 10)
	case types.LayoutInt16:
		return strconv.AppendInt(dst, int64(stream.Value[int16](v, i)), 10)
	case types.LayoutInt32:
		return appendInt32(dst, v.Type.Kind, stream.Value[int32](v, i))
	case types.LayoutInt64:
		return appendInt64(dst, v.Type, stream.Value[int64](v, i))
	case types.LayoutFloat32:
		return scalar.AppendDouble(dst, float64(stream.Value[float32](v, i)), 32)
	case types.LayoutFloat64:
		return scalar.AppendDouble(dst, stream.Value[float64](v, i), 64)
	case types.LayoutInt128:
		return scalar.AppendDecimal(dst, stream.Value[stream.Int128](v, i), v.Type.Scale, true)
	default:
		return append(dst, v.Bytes(i)...)
	}
}

func appendInt32(dst []byte, k types.Kind, x int32) []byte {
	switch k {
	case types.Date:
		return scalar.AppendDate(dst, int64(x))
	case types.Time:
		return scalar.AppendClock(dst, int64(x)*nanosOfMilli)
	default:
		return strconv.AppendInt(dst, int64(x), 10)
	}
}

const nanosOfMilli = int64(types.Nanos) / int64(types.Millis)

func appendInt64(dst []byte, t types.Type, x int64) []byte {
	switch t.Kind {
	case types.Timestamp, types.TimestampLTZ:
		return scalar.AppendTimestamp(dst, x, t.Unit(), scalar.SQL, t.Kind == types.TimestampLTZ)
	case types.Decimal:
		n := stream.Int128{Lo: uint64(x)}
		if x < 0 {
			n.Hi = -1
		}
		return scalar.AppendDecimal(dst, n, t.Scale, true)
	default:
		return strconv.AppendInt(dst, x, 10)
	}
}

var errNoValue = errors.New("is no value of the column's type")

// parseValue appends the value of a text. It is the inverse of appendValue.
func parseValue(b *stream.Builder, text string) error {
	var ok bool
	switch t := b.Type(); t.Kind {
	case types.Char, types.VarChar:
		b.AppendString(strings.ToValidUTF8(text, "\uFFFD"))
		ok = true
	case types.Boolean:
		ok = text == "true" || text == "false"
		if ok {
			b.AppendBool(text == "true")
		}
	case types.TinyInt:
		ok = parseInteger(text, 8, func(x int64) { stream.AppendFixed(b, int8(x)) })
	case types.SmallInt:
		ok = parseInteger(text, 16, func(x int64) { stream.AppendFixed(b, int16(x)) })
	case types.Int:
		ok = parseInteger(text, 32, func(x int64) { stream.AppendFixed(b, int32(x)) })
	case types.BigInt:
		ok = parseInteger(text, 64, b.AppendInt64)
	case types.Decimal:
		ok = parseDecimal(b, t, text)
	case types.Float, types.Double:
		ok = parseDouble(b, t, text)
	default:
		ok = parseTime(b, t, []byte(text))
	}
	if !ok {
		return errNoValue
	}
	return nil
}

func parseInteger(text string, bits int, give func(int64)) bool {
	x, err := strconv.ParseInt(text, 10, bits)
	if err == nil {
		give(x)
	}
	return err == nil
}

func parseDecimal(b *stream.Builder, t types.Type, text string) bool {
	n, fits, ok := scalar.ParseDecimal([]byte(text), t.Precision, t.Scale)
	switch {
	case !ok || !fits:
		return false
	case t.Layout() == types.LayoutInt64:
		b.AppendInt64(int64(n.Lo))
	default:
		stream.AppendFixed(b, n)
	}
	return true
}

func parseDouble(b *stream.Builder, t types.Type, text string) bool {
	number, ok := scalar.JavaFloat([]byte(text))
	if !ok {
		return false
	}
	bits := 64
	if t.Kind == types.Float {
		bits = 32
	}
	x, err := strconv.ParseFloat(string(number), bits)
	if err != nil {
		return false
	}
	if t.Kind == types.Float {
		stream.AppendFixed(b, float32(x))
	} else {
		stream.AppendFixed(b, x)
	}
	return true
}

// parseTime reads what is of the calendar and the clock. Between date and time
// may be a T, as Flink writes it.
func parseTime(b *stream.Builder, t types.Type, text []byte) bool {
	switch t.Kind {
	case types.Date:
		days, ok := scalar.ParseDate(text, true)
		if ok = ok && days >= math.MinInt32 && days <= math.MaxInt32; ok {
			stream.AppendFixed(b, int32(days))
		}
		return ok
	case types.Time:
		nanos, ok := scalar.ParseClock(text, false, false)
		if ok {
			stream.AppendFixed(b, int32(nanos/nanosOfMilli))
		}
		return ok
	default:
		format := scalar.SQL
		if bytes.IndexByte(text, 'T') >= 0 {
			format = scalar.ISO8601
		}
		at, ok := scalar.ParseTimestamp(text, format, t.Kind == types.TimestampLTZ)
		if !ok {
			return false
		}
		ticks, ok := at.Ticks(t.Unit(), t.Precision)
		if ok {
			b.AppendInt64(ticks)
		}
		return ok
	}
}
