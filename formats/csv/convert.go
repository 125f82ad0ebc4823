package csv

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"

	"millrace/formats/scalar"
	"millrace/stream"
	"millrace/types"
)

// convert appends the value of a field's text, or NULL if it does not convert
// and the options say so. at is where the field begins.
func (d *Decoder) convert(f *field, b *stream.Builder, text []byte, verbatim bool, at int) bool {
	if d.isNull(text, verbatim) {
		return d.null(f, b, at)
	}
	var reason string
	switch f.typ.Kind {
	case types.Array:
		reason = d.array(f, b, text)
	case types.Row:
		reason = d.row(f, b, text)
	default:
		reason = d.value(f.typ, b, text)
	}
	switch {
	case reason == "":
		return true
	case d.opts.IgnoreParseErrors && f.typ.Nullable:
		b.Truncate(b.Len())
		b.AppendNull()
		return true
	default:
		return d.refuse(f.name, at, reason)
	}
}

func (d *Decoder) isNull(text []byte, verbatim bool) bool {
	return d.opts.HasNull && !verbatim && string(text) == d.opts.Null
}

// value appends a scalar, or says why the text is none of its type.
func (d *Decoder) value(t types.Type, b *stream.Builder, text []byte) (reason string) {
	switch t.Kind {
	case types.BigInt, types.IntervalDayTime:
		return integer(b, text, math.MinInt64, math.MaxInt64, (*stream.Builder).AppendInt64)
	case types.Int, types.IntervalYearMonth:
		return integer(b, text, math.MinInt32, math.MaxInt32, func(b *stream.Builder, v int64) { stream.AppendFixed(b, int32(v)) })
	case types.Char, types.VarChar:
		if !utf8.Valid(text) {
			text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
		}
		b.AppendBytes(text)
		return ""
	case types.Timestamp, types.TimestampLTZ:
		return timestamp(t, b, text)
	case types.Double, types.Float:
		return floating(t, b, text)
	case types.Decimal:
		return decimal(t, b, text)
	case types.Boolean:
		b.AppendBool(bytes.EqualFold(bytes.TrimSpace(text), []byte("true")))
		return ""
	case types.TinyInt:
		return integer(b, text, math.MinInt8, math.MaxInt8, func(b *stream.Builder, v int64) { stream.AppendFixed(b, int8(v)) })
	case types.SmallInt:
		return integer(b, text, math.MinInt16, math.MaxInt16, func(b *stream.Builder, v int64) { stream.AppendFixed(b, int16(v)) })
	case types.Date:
		return date(b, text)
	case types.Time:
		return clock(t, b, text)
	case types.Binary, types.VarBinary:
		return d.binary(b, text)
	default: // NULL
		b.AppendNull()
		return ""
	}
}

// digitsFast is how many digits always fit an int64.
const digitsFast = 18

// smallInt reads an integer of at most 18 digits, the common case.
func smallInt(p []byte) (v int64, ok bool) {
	digits := p
	if len(p) > 0 && p[0] == '-' {
		digits = p[1:]
	}
	if len(digits) == 0 || len(digits) > digitsFast {
		return 0, false
	}
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	if len(digits) < len(p) {
		v = -v
	}
	return v, true
}

func integer(b *stream.Builder, text []byte, low, high int64, appendTo func(*stream.Builder, int64)) string {
	v, ok := smallInt(text)
	if !ok {
		var err error
		v, err = strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return "not an integer"
		}
		ok = err == nil
	}
	if !ok || v < low || v > high {
		return "integer out of range"
	}
	appendTo(b, v)
	return ""
}

func floating(t types.Type, b *stream.Builder, text []byte) string {
	text, ok := scalar.JavaFloat(bytes.TrimSpace(text))
	if !ok {
		return "not a floating-point number"
	}
	bits := 64
	if t.Kind == types.Float {
		bits = 32
	}
	v, err := strconv.ParseFloat(string(text), bits)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // too large is infinite, as in Java
		return "not a floating-point number"
	}
	if t.Kind == types.Float {
		stream.AppendFixed(b, float32(v))
	} else {
		stream.AppendFixed(b, v)
	}
	return ""
}

func decimal(t types.Type, b *stream.Builder, text []byte) string {
	n, fits, ok := scalar.ParseDecimal(bytes.TrimSpace(text), t.Precision, t.Scale)
	switch {
	case !ok:
		return "not a decimal number"
	case !fits && t.Nullable:
		b.AppendNull()
	case !fits:
		return "too many digits, and the column is NOT NULL"
	case t.Layout() == types.LayoutInt64:
		b.AppendInt64(int64(n.Lo))
	default:
		stream.AppendFixed(b, n)
	}
	return ""
}

func timestamp(t types.Type, b *stream.Builder, text []byte) string {
	at, ok := scalar.ParseTimestamp(bytes.TrimSpace(text), scalar.SQL, t.Kind == types.TimestampLTZ)
	if !ok {
		return "not a timestamp"
	}
	ticks, ok := at.Ticks(t.Unit(), t.Precision)
	if !ok {
		return "timestamp out of range"
	}
	b.AppendInt64(ticks)
	return ""
}

func date(b *stream.Builder, text []byte) string {
	days, ok := scalar.ParseDate(bytes.TrimSpace(text), false)
	if !ok || days != int64(int32(days)) {
		return "not a date"
	}
	stream.AppendFixed(b, int32(days))
	return ""
}

func clock(t types.Type, b *stream.Builder, text []byte) string {
	nanos, ok := scalar.ParseClock(bytes.TrimSpace(text), true, true)
	if !ok {
		return "not a time of day"
	}
	millis, _ := scalar.Instant{Nanos: nanos % scalar.NanosOfDay}.Ticks(types.Millis, min(t.Precision, 3))
	stream.AppendFixed(b, int32(millis))
	return ""
}

func (d *Decoder) binary(b *stream.Builder, text []byte) string {
	if size := base64.StdEncoding.DecodedLen(len(text)); cap(d.blob) < size {
		d.blob = make([]byte, size)
	}
	n, err := base64.StdEncoding.Decode(d.blob[:cap(d.blob)], text)
	if err != nil {
		return "not base64"
	}
	b.AppendBytes(d.blob[:n])
	return ""
}

// split cuts the text of an ARRAY or ROW into its elements.
func (d *Decoder) split(text []byte) {
	d.elements = d.elements[:0]
	for {
		n := bytes.IndexByte(text, d.opts.Element)
		if n < 0 {
			d.elements = append(d.elements, bytes.TrimSpace(text))
			return
		}
		d.elements = append(d.elements, bytes.TrimSpace(text[:n]))
		text = text[n+1:]
	}
}

func (d *Decoder) array(f *field, b *stream.Builder, text []byte) string {
	if len(text) > 0 {
		d.split(text)
		for _, e := range d.elements {
			if reason := d.element(&f.elems[0], b.Child(0), e); reason != "" {
				return reason
			}
		}
	}
	b.AppendList()
	return ""
}

func (d *Decoder) row(f *field, b *stream.Builder, text []byte) string {
	d.split(text)
	if len(d.elements) != len(f.elems) {
		return "a ROW with another number of fields"
	}
	for i, e := range d.elements {
		if reason := d.element(&f.elems[i], b.Child(i), e); reason != "" {
			return reason
		}
	}
	b.AppendStruct()
	return ""
}

func (d *Decoder) element(f *field, b *stream.Builder, text []byte) string {
	if !d.isNull(text, false) {
		return d.value(f.typ, b, text)
	}
	if !f.typ.Nullable {
		return "NULL for an element that is NOT NULL"
	}
	b.AppendNull()
	return ""
}
