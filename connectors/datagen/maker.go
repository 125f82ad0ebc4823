package datagen

import (
	"math"
	"strconv"
	"time"

	"millrace/failure"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

// row is what a value is made of: the number of the row and the time, in
// milliseconds since the epoch, at which it is due.
type row struct {
	number, due int64
}

// maker appends a value.
type maker func(b *stream.Builder, r *random, at row)

// planner finds out how columns are made, and notes all that keeps them from it.
type planner struct {
	fields   map[string]options.Values
	problems failure.Problems
	// bytes is about the size of a row, times of how many values the one at hand
	// is made for each row.
	bytes, times int
}

// maker returns how a column, field or element is made.
func (p *planner) maker(path string, t types.Type) maker {
	v, given := p.fields[path]
	if !given {
		v, _ = options.Parse(FieldSpec, nil) // nothing is required
	}
	if v.Text(fieldKind) == kindSequence {
		return p.sequence(path, t, v)
	}
	m := p.random(path, t, v)
	rate := v.Double(fieldNullRate)
	switch {
	case rate < 0 || rate > 1 || math.IsNaN(rate):
		p.complain(path, fieldNullRate, "must be from 0 to 1, not %v", rate)
	case rate > 0 && !t.Nullable:
		p.complain(path, fieldNullRate, "the column is NOT NULL")
	case rate > 0:
		return sometimes(rate, m)
	}
	return m
}

func (p *planner) complain(path, option, format string, args ...any) {
	p.problems.Addf("", keyFields+path+"."+option, format, args...)
}

func sometimes(rate float64, m maker) maker {
	return func(b *stream.Builder, r *random, at row) {
		if r.unit() < rate {
			b.AppendNull()
			return
		}
		m(b, r, at)
	}
}

func (p *planner) random(path string, t types.Type, v options.Values) maker {
	switch t.Kind {
	case types.Boolean:
		return func(b *stream.Builder, r *random, _ row) { b.AppendBool(r.next()&1 == 1) }
	case types.TinyInt, types.SmallInt, types.Int, types.BigInt, types.IntervalYearMonth, types.IntervalDayTime:
		return p.integers(path, t, v)
	case types.Float, types.Double:
		return p.floats(path, t, v)
	case types.Decimal:
		return p.decimals(path, t, v)
	case types.Char, types.VarChar, types.Binary, types.VarBinary:
		return p.texts(path, t, v)
	case types.Date, types.Time, types.Timestamp, types.TimestampLTZ:
		return present(t, v.Duration(fieldPast))
	case types.Array, types.Map, types.Row:
		return p.nested(path, t, v)
	default: // NULL
		return func(b *stream.Builder, _ *random, _ row) { b.AppendNull() }
	}
}

// fixed appends an integer at the width of a type.
func fixed(t types.Type) func(*stream.Builder, int64) {
	switch t.Layout() {
	case types.LayoutInt8:
		return func(b *stream.Builder, v int64) { stream.AppendFixed(b, int8(v)) }
	case types.LayoutInt16:
		return func(b *stream.Builder, v int64) { stream.AppendFixed(b, int16(v)) }
	case types.LayoutInt32:
		return func(b *stream.Builder, v int64) { stream.AppendFixed(b, int32(v)) }
	default:
		return (*stream.Builder).AppendInt64
	}
}

// rangeOf returns the integers of a type, and the least that is random without
// being asked for.
func rangeOf(t types.Type) (low, high, least int64) {
	switch t.Kind {
	case types.TinyInt:
		return math.MinInt8, math.MaxInt8, math.MinInt8
	case types.SmallInt:
		return math.MinInt16, math.MaxInt16, math.MinInt16
	case types.Int:
		return math.MinInt32, math.MaxInt32, math.MinInt32
	case types.IntervalYearMonth:
		return math.MinInt32, math.MaxInt32, 0
	case types.IntervalDayTime:
		return math.MinInt64, math.MaxInt64, 0
	default:
		return math.MinInt64, math.MaxInt64, math.MinInt64
	}
}

func (p *planner) integers(path string, t types.Type, v options.Values) maker {
	low, high, least := rangeOf(t)
	parse := func(option string, otherwise int64) int64 {
		if !v.IsGiven(option) {
			return otherwise
		}
		n, err := strconv.ParseInt(v.Text(option), 10, 64)
		if err != nil || n < low || n > high {
			p.complain(path, option, "%q is no %s", v.Text(option), t)
		}
		return n
	}
	from, to := parse(fieldMin, least), parse(fieldMax, high)
	if from > to {
		p.complain(path, fieldMin, "%d is more than max, %d", from, to)
	}
	appendTo, width := fixed(t), uint64(to)-uint64(from)+1
	return func(b *stream.Builder, r *random, _ row) { appendTo(b, int64(uint64(from)+r.below(width))) }
}

func (p *planner) floats(path string, t types.Type, v options.Values) maker {
	size, most := 64, math.MaxFloat64
	if t.Kind == types.Float {
		size, most = 32, math.MaxFloat32
	}
	parse := func(option string, otherwise float64) float64 {
		if !v.IsGiven(option) {
			return otherwise
		}
		f, err := strconv.ParseFloat(v.Text(option), size)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			p.complain(path, option, "%q is no %s", v.Text(option), t)
		}
		return f
	}
	from, to := parse(fieldMin, 0), parse(fieldMax, most)
	if from > to {
		p.complain(path, fieldMin, "%v is more than max, %v", from, to)
	}
	return func(b *stream.Builder, r *random, _ row) {
		u := r.unit()
		x := from*(1-u) + to*u // their difference may be too large
		if size == 32 {
			stream.AppendFixed(b, float32(x))
			return
		}
		stream.AppendFixed(b, x)
	}
}

const (
	textDefault = 100
	listDefault = 3
	// elementBytes is about the size of an element or field that is no text.
	elementBytes = 16
)

func (p *planner) texts(path string, t types.Type, v options.Values) maker {
	length := min(textDefault, t.Length)
	isFixed := t.Kind == types.Char || t.Kind == types.Binary
	if isFixed {
		length = t.Length
	}
	if v.IsGiven(fieldLength) {
		n := int(v.Int(fieldLength))
		if n > t.Length || isFixed && n != t.Length {
			p.complain(path, fieldLength, "%d does not fit %s", n, t)
		}
		length = n
	}
	p.bytes += length * p.times
	varies := v.Bool(fieldVarLen)
	if varies && isFixed {
		p.complain(path, fieldVarLen, "%s has one length", t)
	}
	fill := hex
	if t.Kind == types.Binary || t.Kind == types.VarBinary {
		fill = noise
	}
	return func(b *stream.Builder, r *random, _ row) {
		n := length
		if varies && length > 0 {
			n = 1 + int(r.below(uint64(length)))
		}
		fill(b.Extend(n), r)
		b.CloseValue()
	}
}

func hex(p []byte, r *random) {
	const digits = "0123456789abcdef"
	for len(p) > 0 {
		x := r.next()
		n := min(len(p), 16)
		for i := range p[:n] {
			p[i] = digits[x>>60]
			x <<= 4
		}
		p = p[n:]
	}
}

func noise(p []byte, r *random) {
	for i := range p {
		p[i] = byte(r.next())
	}
}

// present makes the time at which a row is due, less a random part of past, as
// whatever the type has of it.
func present(t types.Type, past time.Duration) maker {
	const dayMillis = 86_400_000
	switch t.Kind {
	case types.Date:
		return func(b *stream.Builder, _ *random, at row) { stream.AppendFixed(b, int32(floorDiv(at.due, dayMillis))) }
	case types.Time:
		step := stepMillis(t.Precision)
		return func(b *stream.Builder, _ *random, at row) {
			millis := at.due - floorDiv(at.due, dayMillis)*dayMillis
			stream.AppendFixed(b, int32(millis/step*step))
		}
	default:
		step, unit, reach := stepMillis(t.Precision), int64(t.Unit()), uint64(past.Milliseconds())+1
		return func(b *stream.Builder, r *random, at row) {
			millis := floorDiv(at.due-int64(r.below(reach)), step) * step
			if unit >= 1000 {
				b.AppendInt64(millis * (unit / 1000))
				return
			}
			b.AppendInt64(floorDiv(millis*unit, 1000))
		}
	}
}

// stepMillis is by how many milliseconds values of a precision lie apart.
func stepMillis(precision int) int64 {
	step := int64(1)
	for range max(3-precision, 0) {
		step *= 10
	}
	return step
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func (p *planner) nested(path string, t types.Type, v options.Values) maker {
	length := listDefault
	if v.IsGiven(fieldLength) {
		length = int(v.Int(fieldLength))
	}
	if t.Kind != types.Row {
		defer func(n int) { p.times = n }(p.times)
		p.times = min(p.times*max(length, 1), stream.RowBytesMax)
	}
	p.bytes += elementBytes * p.times
	switch t.Kind {
	case types.Array:
		return lists(length, p.maker(path+".element", *t.Elem))
	case types.Map:
		key, value := p.maker(path+".key", *t.Key), p.maker(path+".value", *t.Elem)
		return lists(length, func(entry *stream.Builder, r *random, at row) {
			key(entry.Child(0), r, at)
			value(entry.Child(1), r, at)
			entry.AppendStruct()
		})
	default:
		fields := make([]maker, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = p.maker(path+"."+f.Name, f.Type)
		}
		return func(b *stream.Builder, r *random, at row) {
			for i, m := range fields {
				m(b.Child(i), r, at)
			}
			b.AppendStruct()
		}
	}
}

func lists(length int, element maker) maker {
	return func(b *stream.Builder, r *random, at row) {
		for range length {
			element(b.Child(0), r, at)
		}
		b.AppendList()
	}
}

// sequence makes a column that counts up.
func (p *planner) sequence(path string, t types.Type, v options.Values) maker {
	start, end := v.Int(fieldStart), v.Int(fieldEnd)
	switch t.Kind {
	case types.TinyInt, types.SmallInt, types.Int, types.BigInt:
		low, high, _ := rangeOf(t)
		if start < low || end > high {
			p.complain(path, fieldEnd, "a sequence from %d to %d does not fit %s", start, end, t)
		}
		appendTo := fixed(t)
		return func(b *stream.Builder, _ *random, at row) { appendTo(b, start+at.number) }
	case types.Float:
		return func(b *stream.Builder, _ *random, at row) { stream.AppendFixed(b, float32(start+at.number)) }
	case types.Double:
		return func(b *stream.Builder, _ *random, at row) { stream.AppendFixed(b, float64(start+at.number)) }
	case types.Decimal:
		_, first := parseDecimal(strconv.FormatInt(start, 10), t)
		_, last := parseDecimal(strconv.FormatInt(end, 10), t)
		if !first || !last {
			p.complain(path, fieldEnd, "a sequence from %d to %d does not fit %s", start, end, t)
		}
		one := int128Of(powerOfTen(t.Scale))
		return func(b *stream.Builder, _ *random, at row) { appendDecimal(b, t, times(one, start+at.number)) }
	case types.Char, types.VarChar:
		if n := max(len(strconv.FormatInt(start, 10)), len(strconv.FormatInt(end, 10))); n > t.Length {
			p.complain(path, fieldEnd, "a sequence from %d to %d does not fit %s", start, end, t)
		}
		return func(b *stream.Builder, _ *random, at row) {
			var text [20]byte
			b.AppendBytes(strconv.AppendInt(text[:0], start+at.number, 10))
		}
	default:
		p.complain(path, fieldKind, "there is no sequence of %s", t)
		return nil
	}
}
