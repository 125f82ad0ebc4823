package json

import (
	"encoding/binary"

	"millrace/formats/scalar"
	"millrace/stream"
	"millrace/types"
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
	t, ok := scalar.ParseTimestamp(text, d.opts.TimestampFormat, v.zoned)
	if !ok {
		return d.refuse(i, "not a timestamp")
	}
	ticks, ok := t.Ticks(v.unit, v.precision)
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
		days, ok := scalar.ParseDate(s[:10], false)
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
	return (d.days.days*scalar.SecondsOfDay+seconds)*1000 + millis, i + 24
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

// date decodes a DATE, always in ISO's form.
func (d *Decoder) date(b *stream.Builder, p []byte, i int) int {
	if p[i] != '"' {
		return d.refuseText(p, i, "not a date")
	}
	text, next := d.text(p, i)
	if next == stop {
		return stop
	}
	days, ok := scalar.ParseDate(text, false)
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
	nanos, ok := scalar.ParseClock(text, true, true)
	if !ok {
		return d.refuse(i, "not a time of day")
	}
	ms, _ := scalar.Instant{Nanos: nanos % scalar.NanosOfDay}.Ticks(types.Millis, min(v.precision, 3))
	stream.AppendFixed(b, int32(ms))
	return next
}
