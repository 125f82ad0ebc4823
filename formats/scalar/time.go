package scalar

import (
	"math"

	"millrace/types"
)

// SecondsOfDay and NanosOfDay are a day's, leap seconds aside.
const (
	SecondsOfDay = 86_400
	NanosOfDay   = SecondsOfDay * int64(types.Nanos)
)

// TimestampFormat is the text form of TIMESTAMP and TIMESTAMP_LTZ.
type TimestampFormat uint8

// The timestamp formats.
const (
	// SQL is yyyy-MM-dd HH:mm:ss.S, with a Z behind a TIMESTAMP_LTZ.
	SQL TimestampFormat = iota
	// ISO8601 is yyyy-MM-ddTHH:mm:ss.S, with a Z behind a TIMESTAMP_LTZ.
	ISO8601
)

// Instant is a point of civil time as days since 1970 and nanoseconds of the day.
type Instant struct {
	Days, Nanos int64
}

// Ticks returns the point in the unit, cut to the precision.
func (t Instant) Ticks(unit types.TimeUnit, precision int) (int64, bool) {
	perDay := SecondsOfDay * int64(unit)
	if t.Days > math.MaxInt64/perDay-1 || t.Days < math.MinInt64/perDay+1 {
		return 0, false
	}
	step := int64(powers[types.MaxTimestampPrecision-precision].lo)
	nanos := t.Nanos / step * step
	return t.Days*perDay + nanos/(int64(types.Nanos)/int64(unit)), true
}

// ParseTimestamp reads the text of a timestamp in a format.
func ParseTimestamp(s []byte, format TimestampFormat, zoned bool) (t Instant, ok bool) {
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
	if t.Days, ok = ParseDate(s[:n], lenient); !ok {
		return t, false
	}
	t.Nanos, ok = ParseClock(rest, format == SQL, lenient)
	if t.Nanos == NanosOfDay {
		t.Nanos = 0
		t.Days++
	}
	return t, ok
}

// ParseClock reads HH:mm:ss with up to 9 digits of fraction and returns
// nanoseconds. Lenient, it takes 24:00:00 for the end of the day. In SQL's form
// the seconds are not optional, in ISO's they are.
func ParseClock(s []byte, seconds, lenient bool) (int64, bool) {
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
		return NanosOfDay, true
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

// AppendClock appends nanoseconds of the day as HH:mm:ss with as many digits of
// fraction as it takes.
func AppendClock(dst []byte, nanos int64) []byte {
	seconds := int(nanos / int64(types.Nanos))
	dst = appendTwo(dst, seconds/3600)
	dst = appendTwo(append(dst, ':'), seconds/60%60)
	dst = appendTwo(append(dst, ':'), seconds%60)
	rest := int(nanos % int64(types.Nanos))
	if rest == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int(types.Nanos) / 10; rest > 0; unit /= 10 {
		dst = append(dst, '0'+byte(rest/unit))
		rest %= unit
	}
	return dst
}

// AppendTimestamp appends a TIMESTAMP of a unit, or a TIMESTAMP_LTZ, which is zoned.
func AppendTimestamp(dst []byte, ticks int64, unit types.TimeUnit, format TimestampFormat, zoned bool) []byte {
	perDay := SecondsOfDay * int64(unit)
	days := floorDiv(ticks, perDay)
	nanos := (ticks - days*perDay) * (int64(types.Nanos) / int64(unit))
	dst = AppendDate(dst, days)
	if format == ISO8601 {
		dst = append(dst, 'T')
	} else {
		dst = append(dst, ' ')
	}
	dst = AppendClock(dst, nanos)
	if zoned {
		dst = append(dst, 'Z')
	}
	return dst
}
