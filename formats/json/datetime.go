package json

import (
	"encoding/binary"
	"math"

	"millrace/stream"
	"millrace/types"
)

const (
	secondsOfDay = 86_400
	nanosOfDay   = secondsOfDay * int64(types.Nanos)
)

// dateCache holds the last date that was parsed in the form yyyy-MM-dd: rows
// that follow each other mostly share it.
type dateCache struct {
	yyyyMMdd uint64 // the bytes yyyy-MM-
	dd       uint16
	days     int64
}

// timestamp decodes a TIMESTAMP or TIMESTAMP_LTZ.
func (d *Decoder) timestamp(v *value, b *stream.Builder, p []byte, i int) int {
	if p[i] != '"' {
		return d.refuseText(p, i, "not a timestamp")
	}
	if d.opts.TimestampFormat == SQL && v.unit == types.Millis && v.precision == 3 && !v.zoned {
		if ms, next := d.sqlMillis(p, i+1); next != stop {
			b.AppendInt64(ms)
			return next
		}
	}
	text, next := d.text(p, i)
	if next == stop {
		return stop
	}
	t, ok := parseTimestamp(text, d.opts.TimestampFormat, v.zoned)
	if !ok {
		return d.refuse(i, "not a timestamp")
	}
	ticks, ok := t.ticks(v.unit, v.precision)
	if !ok {
		return d.refuse(i, "timestamp out of range")
	}
	b.AppendInt64(ticks)
	return next
}

// refuseText refuses a value that should have been a string, unless it is not
// even JSON.
func (d *Decoder) refuseText(p []byte, i int, reason string) int {
	if d.skip(p, i) == stop {
		return stop
	}
	return d.refuse(i, reason)
}

// sqlMillis reads yyyy-MM-dd HH:mm:ss.SSS and the quote behind it, every part
// in its usual place and range. It returns stop where it is written otherwise:
// then the slow way decides.
func (d *Decoder) sqlMillis(p []byte, i int) (int64, int) {
	if len(p)-i < 24 {
		return 0, stop
	}
	s := p[i : i+24 : i+24]
	if s[10] != ' ' || s[19] != '.' || s[23] != '"' {
		return 0, stop
	}
	yyyyMM, dd := binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint16(s[8:])
	if yyyyMM != d.days.yyyyMMdd || dd != d.days.dd {
		days, ok := parseDate(s[:10], false)
		if !ok {
			return 0, stop
		}
		d.days = dateCache{yyyyMM, dd, days}
	}
	seconds, ok := clock(binary.LittleEndian.Uint64(s[11:]))
	a, b, c := s[20]-'0', s[21]-'0', s[22]-'0'
	if !ok || a > 9 || b > 9 || c > 9 {
		return 0, stop
	}
	millis := int64(a)*100 + int64(b)*10 + int64(c)
	return (d.days.days*secondsOfDay+seconds)*1000 + millis, i + 24
}

// clock returns the second of the day that 8 bytes HH:mm:ss name.
//
// The difference to 00:00:00 has 0 to 9 in the place of each digit and 0 in
// that of a colon. Adding what is missing to 127 shows excess in the highest bit.
func clock(w uint64) (int64, bool) {
	const zero, room = 0x30303A30303A3030, 0x76767F76767F7676
	x := w ^ zero
	if (x|(x+room))&highs != 0 {
		return 0, false
	}
	x = x*10 + x>>8
	h, m, s := int64(x&0xFF), int64(x>>24&0xFF), int64(x>>48&0xFF)
	return h*3600 + m*60 + s, h < 24 && m < 60 && s < 60
}

// instant is a point of civil time as days since 1970 and nanoseconds of the day.
type instant struct {
	days, nanos int64
}

// ticks returns the point in the unit, cut to the precision.
func (t instant) ticks(unit types.TimeUnit, precision int) (int64, bool) {
	perDay := secondsOfDay * int64(unit)
	if t.days > math.MaxInt64/perDay-1 || t.days < math.MinInt64/perDay+1 {
		return 0, false
	}
	step := int64(powers[types.MaxTimestampPrecision-precision].lo)
	nanos := t.nanos / step * step
	return t.days*perDay + nanos/(int64(types.Nanos)/int64(unit)), true
}

// parseTimestamp reads the text of a timestamp in a format.
func parseTimestamp(s []byte, format TimestampFormat, zoned bool) (t instant, ok bool) {
	n := dateLen(s)
	sep, lenient := byte(' '), true
	if format == ISO8601 {
		// Flink takes ISO's own formatter for TIMESTAMP, which is strict, and
		// builds one for TIMESTAMP_LTZ, which is not.
		sep, lenient = 'T', zoned
	}
	if len(s) <= n || (s[n] != sep && (sep != 'T' || s[n] != 't')) {
		return t, false
	}
	rest := s[n+1:]
	if zoned {
		if len(rest) == 0 || rest[len(rest)-1] != 'Z' {
			return t, false
		}
		rest = rest[:len(rest)-1]
	}
	if t.days, ok = parseDate(s[:n], lenient); !ok {
		return t, false
	}
	t.nanos, ok = parseClock(rest, format == SQL, lenient)
	if t.nanos == nanosOfDay {
		t.nanos = 0
		t.days++
	}
	return t, ok
}

// dateLen returns the length of a date at the start of s, whatever its year:
// up to the tenth byte or, with a sign, as far as digits and hyphens go.
func dateLen(s []byte) int {
	n := 0
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		n = 1
	}
	for n < len(s) && (s[n]-'0' <= 9 || s[n] == '-') {
		n++
	}
	return n
}

// parseDate reads yyyy-MM-dd, or a longer year with a sign, and returns days
// since 1970. Lenient, it takes a day that the month lacks, up to the 31st,
// for the month's last, as Java's smart resolver does.
func parseDate(s []byte, lenient bool) (int64, bool) {
	if len(s) < 10 {
		return 0, false
	}
	y, monthDay := s[:len(s)-6], s[len(s)-6:]
	year, ok := parseYear(y)
	if !ok || monthDay[0] != '-' || monthDay[3] != '-' {
		return 0, false
	}
	month, ok1 := twoDigits(monthDay[1:])
	day, ok2 := twoDigits(monthDay[4:])
	if !ok1 || !ok2 || month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, false
	}
	if last := lastDay(year, month); day > last {
		if !lenient {
			return 0, false
		}
		day = last
	}
	return daysOf(year, month, day), true
}

// parseYear reads four digits; five to nine behind a plus; four to nine behind
// a minus.
func parseYear(s []byte) (int, bool) {
	negative, digitsMin, digitsMax := false, 4, 4
	switch s[0] {
	case '-':
		negative, digitsMax, s = true, 9, s[1:]
	case '+':
		digitsMin, digitsMax, s = 5, 9, s[1:]
	}
	if len(s) < digitsMin || len(s) > digitsMax || digits(s, 0) != len(s) {
		return 0, false
	}
	year := 0
	for _, c := range s {
		year = year*10 + int(c-'0')
	}
	if negative {
		year = -year
	}
	return year, true
}

func twoDigits(s []byte) (int, bool) {
	if len(s) < 2 || s[0]-'0' > 9 || s[1]-'0' > 9 {
		return 0, false
	}
	return int(s[0]-'0')*10 + int(s[1]-'0'), true
}

// parseClock reads HH:mm:ss with up to 9 digits of fraction and returns
// nanoseconds. Lenient, it takes 24:00:00 for the end of the day. In SQL's form
// the seconds are not optional, in ISO's they are.
func parseClock(s []byte, seconds, lenient bool) (int64, bool) {
	h, ok := twoDigits(s)
	if !ok || len(s) < 5 || s[2] != ':' {
		return 0, false
	}
	m, ok := twoDigits(s[3:])
	if !ok {
		return 0, false
	}
	sec, nanos := 0, int64(0)
	if rest := s[5:]; len(rest) > 0 || seconds {
		if len(rest) < 3 || rest[0] != ':' {
			return 0, false
		}
		if sec, ok = twoDigits(rest[1:]); !ok {
			return 0, false
		}
		if nanos, ok = parseFraction(rest[3:]); !ok {
			return 0, false
		}
	}
	if h == 24 && m == 0 && sec == 0 && nanos == 0 && lenient {
		return nanosOfDay, true
	}
	if h > 23 || m > 59 || sec > 59 {
		return 0, false
	}
	return int64(h*3600+m*60+sec)*int64(types.Nanos) + nanos, true
}

func parseFraction(s []byte) (int64, bool) {
	if len(s) == 0 {
		return 0, true
	}
	if s[0] != '.' || len(s) > 10 || digits(s, 1) != len(s) {
		return 0, false
	}
	n := int64(0)
	for i := 1; i < 10; i++ {
		n *= 10
		if i < len(s) {
			n += int64(s[i] - '0')
		}
	}
	return n, true
}

// date decodes a DATE, always in ISO's form.
func (d *Decoder) date(b *stream.Builder, p []byte, i int) int {
	if p[i] != '"' {
		return d.refuseText(p, i, "not a date")
	}
	text, next := d.text(p, i)
	if next == stop {
		return stop
	}
	days, ok := parseDate(text, false)
	if !ok || days != int64(int32(days)) {
		return d.refuse(i, "not a date")
	}
	stream.AppendFixed(b, int32(days))
	return next
}

// time decodes a TIME, always in SQL's form.
func (d *Decoder) time(v *value, b *stream.Builder, p []byte, i int) int {
	if p[i] != '"' {
		return d.refuseText(p, i, "not a time of day")
	}
	text, next := d.text(p, i)
	if next == stop {
		return stop
	}
	nanos, ok := parseClock(text, true, true)
	if !ok {
		return d.refuse(i, "not a time of day")
	}
	ms, _ := instant{nanos: nanos % nanosOfDay}.ticks(types.Millis, min(v.precision, 3))
	stream.AppendFixed(b, int32(ms))
	return next
}

func isLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func lastDay(year, month int) int {
	switch month {
	case 2:
		if isLeap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

// An era is the 400 years after which the Gregorian calendar repeats. Counting
// years from March puts the leap day at a year's end.
const (
	daysOfEra   = 146_097
	daysTo1970  = 719_468 // from 1 March of the year 0
	marchOffset = 3
)

// daysOf returns the days from 1 January 1970 to a date of the proleptic
// Gregorian calendar.
func daysOf(year, month, day int) int64 {
	y, m := int64(year), int64(month)
	if m < marchOffset {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	yearOfEra := y - era*400
	dayOfYear := (153*(m-marchOffset)+2)/5 + int64(day) - 1
	return era*daysOfEra + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - daysTo1970
}

// dateOf is the inverse of daysOf.
func dateOf(days int64) (year, month, day int) {
	days += daysTo1970
	era := floorDiv(days, daysOfEra)
	dayOfEra := days - era*daysOfEra
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36_524 - dayOfEra/(daysOfEra-1)) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*dayOfYear + 2) / 153
	day = int(dayOfYear - (153*m+2)/5 + 1)
	year, month = int(yearOfEra+era*400), int(m)+marchOffset
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
