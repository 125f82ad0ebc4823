package kernel

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"millrace/stream"
	"millrace/types"
)

// appendRow prints row i of a column.
type appendRow func(dst []byte, i int) []byte

// printer returns how values of a type are printed by CAST to text.
func printer(t types.Type) (func(v *stream.Vector) appendRow, error) {
	switch t.Kind {
	case types.Boolean:
		return func(v *stream.Vector) appendRow {
			return func(dst []byte, i int) []byte {
				if v.Bits().Get(i) {
					return append(dst, "TRUE"...)
				}
				return append(dst, "FALSE"...)
			}
		}, nil
	case types.TinyInt:
		return printed(func(dst []byte, x int8) []byte { return strconv.AppendInt(dst, int64(x), 10) }), nil
	case types.SmallInt:
		return printed(func(dst []byte, x int16) []byte { return strconv.AppendInt(dst, int64(x), 10) }), nil
	case types.Int:
		return printed(func(dst []byte, x int32) []byte { return strconv.AppendInt(dst, int64(x), 10) }), nil
	case types.BigInt:
		return printed(func(dst []byte, x int64) []byte { return strconv.AppendInt(dst, x, 10) }), nil
	case types.Float:
		return printed(func(dst []byte, x float32) []byte { return appendFloat(dst, float64(x), 32) }), nil
	case types.Double:
		return printed(func(dst []byte, x float64) []byte { return appendFloat(dst, x, 64) }), nil
	case types.Decimal:
		return func(v *stream.Vector) appendRow {
			r := readDecimal(v)
			return func(dst []byte, i int) []byte { return appendDecimal(dst, r.at(i), r.scale) }
		}, nil
	default:
		return timePrinter(t)
	}
}

func timePrinter(t types.Type) (func(v *stream.Vector) appendRow, error) {
	switch t.Kind {
	case types.Date:
		return printed(appendDate), nil
	case types.Time:
		return printed(func(dst []byte, x int32) []byte { return appendTime(dst, x, t.Precision) }), nil
	case types.Timestamp, types.TimestampLTZ:
		return printed(func(dst []byte, x int64) []byte { return appendTimestamp(dst, x, t) }), nil
	case types.IntervalYearMonth:
		return printed(appendMonths), nil
	case types.IntervalDayTime:
		return printed(appendInterval), nil
	default:
		return nil, fmt.Errorf("no cast from %s to text", t)
	}
}

func printed[T stream.Fixed](print func(dst []byte, x T) []byte) func(v *stream.Vector) appendRow {
	return func(v *stream.Vector) appendRow {
		a := stream.Values[T](v)
		return func(dst []byte, i int) []byte { return print(dst, a[i]) }
	}
}

// appendFloat prints as Java does: 1.0, 1.0E10, NaN, -Infinity.
func appendFloat(dst []byte, x float64, bitSize int) []byte {
	a := math.Abs(x)
	switch {
	case math.IsNaN(x):
		return append(dst, "NaN"...)
	case math.IsInf(x, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(x, -1):
		return append(dst, "-Infinity"...)
	case a == 0 || a >= 1e-3 && a < 1e7:
		at := len(dst)
		dst = strconv.AppendFloat(dst, x, 'f', -1, bitSize)
		if slices.Contains(dst[at:], '.') {
			return dst
		}
		return append(dst, ".0"...)
	default:
		return appendScientific(dst, x, bitSize)
	}
}

func appendScientific(dst []byte, x float64, bitSize int) []byte {
	var buf [32]byte
	p := strconv.AppendFloat(buf[:0], x, 'e', -1, bitSize)
	point := false
	for i, c := range p {
		if c == '.' {
			point = true
		}
		if c != 'e' {
			dst = append(dst, c)
			continue
		}
		if !point {
			dst = append(dst, ".0"...)
		}
		exp, _ := strconv.Atoi(string(p[i+1:])) // AppendFloat's own digits
		return strconv.AppendInt(append(dst, 'E'), int64(exp), 10)
	}
	return dst
}

// pad prints n with at least width digits.
func pad(dst []byte, n, width int) []byte {
	for limit := 10; width > 1; width-- {
		w := limit
		for range width - 2 {
			w *= 10
		}
		if n >= w {
			break
		}
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

func appendDate(dst []byte, days int32) []byte {
	y, m, d := dateOf(int64(days))
	if y < 0 {
		dst, y = append(dst, '-'), -y
	}
	dst = pad(dst, y, 4)
	dst = pad(append(dst, '-'), m, 2)
	return pad(append(dst, '-'), d, 2)
}

func appendClock(dst []byte, seconds int) []byte {
	dst = pad(dst, seconds/3600, 2)
	dst = pad(append(dst, ':'), seconds/60%60, 2)
	return pad(append(dst, ':'), seconds%60, 2)
}

// appendTime prints a TIME; trailing zeros of its fraction are left out, the
// first digit is not.
func appendTime(dst []byte, millis int32, precision int) []byte {
	m := int(floorMod(int64(millis), millisPerDay))
	dst = appendClock(dst, m/1000)
	if precision == 0 {
		return dst
	}
	dst = append(dst, '.')
	for ms := m % 1000; precision > 0; precision-- {
		dst = append(dst, byte('0'+ms/100))
		if ms = ms % 100 * 10; ms == 0 {
			break
		}
	}
	return dst
}

// appendTimestamp prints a TIMESTAMP with all digits of its precision.
func appendTimestamp(dst []byte, x int64, t types.Type) []byte {
	unit := int64(t.Unit())
	seconds, ticks := floorDiv(x, unit), floorMod(x, unit)
	dst = appendDate(dst, int32(floorDiv(seconds, secondsPerDay)))
	dst = appendClock(append(dst, ' '), int(floorMod(seconds, secondsPerDay)))
	if t.Precision == 0 {
		return dst
	}
	return pad(append(dst, '.'), int(ticks/tickOf(t)), t.Precision)
}

func appendMonths(dst []byte, months int32) []byte {
	m := int(months)
	if m < 0 {
		dst, m = append(dst, '-'), -m
	} else {
		dst = append(dst, '+')
	}
	dst = strconv.AppendInt(dst, int64(m/12), 10)
	return pad(append(dst, '-'), m%12, 2)
}

func appendInterval(dst []byte, millis int64) []byte {
	u := uint64(millis)
	if millis < 0 {
		dst, u = append(dst, '-'), -u
	} else {
		dst = append(dst, '+')
	}
	dst = strconv.AppendUint(dst, u/millisPerDay, 10)
	dst = appendClock(append(dst, ' '), int(u%millisPerDay/1000))
	return pad(append(dst, '.'), int(u%1000), 3)
}
