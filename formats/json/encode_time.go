package json

import (
	"millrace/types"
)

// appendTwo appends a number below 100 with both digits.
func appendTwo(dst []byte, n int) []byte { return append(dst, '0'+byte(n/10), '0'+byte(n%10)) }

// appendDate appends days since 1970 as yyyy-MM-dd, a year beyond four digits
// with its sign.
func appendDate(dst []byte, days int64) []byte {
	year, month, day := dateOf(days)
	if year < 0 {
		dst = append(dst, '-')
		year = -year
	} else if year > 9999 {
		dst = append(dst, '+')
	}
	if year <= 9999 {
		dst = appendTwo(appendTwo(dst, year/100), year%100)
	} else {
		dst = appendInt(dst, int64(year))
	}
	dst = appendTwo(append(dst, '-'), month)
	return appendTwo(append(dst, '-'), day)
}

// appendClock appends nanoseconds of the day as HH:mm:ss with as many digits of
// fraction as it takes.
func appendClock(dst []byte, nanos int64) []byte {
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

// appendTimestamp appends a TIMESTAMP or TIMESTAMP_LTZ in quotes.
func appendTimestamp(dst []byte, ticks int64, v *value, format TimestampFormat) []byte {
	perDay := secondsOfDay * int64(v.unit)
	days := floorDiv(ticks, perDay)
	nanos := (ticks - days*perDay) * (int64(types.Nanos) / int64(v.unit))
	dst = appendDate(append(dst, '"'), days)
	if format == ISO8601 {
		dst = append(dst, 'T')
	} else {
		dst = append(dst, ' ')
	}
	dst = appendClock(dst, nanos)
	if v.zoned {
		dst = append(dst, 'Z')
	}
	return append(dst, '"')
}
