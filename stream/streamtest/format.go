package streamtest

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/stream"
	"millrace/types"
)

// Format prints the selected rows of a batch, a line each.
func Format(b *stream.Batch) string {
	return strings.Join(Rows(b), "\n")
}

// Rows returns the text of every selected row.
func Rows(b *stream.Batch) []string {
	rows := make([]string, b.Rows())
	for i := range rows {
		rows[i] = Row(b, b.Row(i))
	}
	return rows
}

// Row returns the text of physical row i.
func Row(b *stream.Batch, i int) string {
	parts := []string{b.Kind(i).String()}
	for c := range b.Columns {
		parts = append(parts, Value(&b.Columns[c], i))
	}
	return strings.Join(parts, " ")
}

// Canonical returns the rows of a text in the spelling of Format.
func Canonical(t TB, s *types.Schema, text string) []string {
	t.Helper()
	var pool stream.Pool
	b := Batch(t, &pool, s, text)
	defer b.Release()
	return Rows(b)
}

// Diff reports in the way of cmp.Diff how rows differ from those wanted, ""
// where they don't. Without ordered, both are compared as multisets.
func Diff(want, got []string, ordered bool) string {
	if !ordered {
		want, got = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))
	}
	if len(want) == 0 && len(got) == 0 {
		return ""
	}
	return cmp.Diff(want, got)
}

// Value returns the text of row i of a vector.
func Value(v *stream.Vector, i int) string {
	if v.IsNull(i) {
		return "NULL"
	}
	switch v.Encoding {
	case stream.Constant:
		i = 0
	case stream.Dictionary:
		return Value(v.Dict(), int(v.Indices()[i]))
	}
	switch v.Type.Kind {
	case types.Boolean:
		return strings.ToUpper(strconv.FormatBool(v.Bool(i)))
	case types.Float:
		return strconv.FormatFloat(float64(stream.Values[float32](v)[i]), 'g', -1, 32)
	case types.Double:
		return strconv.FormatFloat(stream.Values[float64](v)[i], 'g', -1, 64)
	case types.Decimal:
		return decimalText(unscaled(v, i), v.Type.Scale)
	case types.Char, types.VarChar:
		return "'" + strings.ReplaceAll(string(v.Bytes(i)), "'", "''") + "'"
	case types.Binary, types.VarBinary:
		return "X'" + strings.ToUpper(hex.EncodeToString(v.Bytes(i))) + "'"
	case types.Array, types.Map:
		return listText(v, i)
	case types.Row:
		return rowText(v, i, "(", ", ", ")")
	case types.Null, types.Invalid:
		return "NULL"
	default:
		return integerText(v.Type, integer(v, i))
	}
}

func integer(v *stream.Vector, i int) int64 {
	switch v.Type.Layout() {
	case types.LayoutInt8:
		return int64(stream.Values[int8](v)[i])
	case types.LayoutInt16:
		return int64(stream.Values[int16](v)[i])
	case types.LayoutInt32:
		return int64(stream.Values[int32](v)[i])
	default:
		return stream.Values[int64](v)[i]
	}
}

func integerText(t types.Type, x int64) string {
	switch t.Kind {
	case types.Date:
		return time.Unix(x*86_400, 0).UTC().Format(time.DateOnly)
	case types.Time:
		return time.UnixMilli(x).UTC().Format("15:04:05.000")
	case types.Timestamp, types.TimestampLTZ:
		u := int64(t.Unit())
		sec := x / u
		if x%u < 0 {
			sec--
		}
		d := time.Unix(sec, (x-sec*u)*(int64(types.Nanos)/u)).UTC()
		layout := time.DateTime
		if t.Precision > 0 {
			layout += "." + strings.Repeat("0", t.Precision)
		}
		if back := d.Format(layout); d.Year() >= 0 && d.Year() < 10_000 && ticksOf(d.Truncate(unitOf(t)), t.Unit()) == x {
			return back
		}
		return strconv.FormatInt(x, 10) // no text stands for it
	default:
		return strconv.FormatInt(x, 10)
	}
}

// unitOf returns the duration of the last digit that the type prints.
func unitOf(t types.Type) time.Duration {
	d := time.Second
	for range t.Precision {
		d /= 10
	}
	return d
}

func unscaled(v *stream.Vector, i int) *big.Int {
	if v.Type.Layout() == types.LayoutInt64 {
		return big.NewInt(stream.Values[int64](v)[i])
	}
	return BigInt(stream.Values[stream.Int128](v)[i])
}

func decimalText(x *big.Int, scale int) string {
	digits := new(big.Int).Abs(x).String()
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	sign := ""
	if x.Sign() < 0 {
		sign = "-"
	}
	if scale == 0 {
		return sign + digits
	}
	return fmt.Sprintf("%s%s.%s", sign, digits[:len(digits)-scale], digits[len(digits)-scale:])
}

func listText(v *stream.Vector, i int) string {
	first, last := "[", "]"
	if v.Type.Kind == types.Map {
		first, last = "{", "}"
	}
	var parts []string
	for k := v.Offsets()[i]; k < v.Offsets()[i+1]; k++ {
		if v.Type.Kind == types.Map {
			parts = append(parts, rowText(v.Child(0), int(k), "", ": ", ""))
		} else {
			parts = append(parts, Value(v.Child(0), int(k)))
		}
	}
	return first + strings.Join(parts, ", ") + last
}

func rowText(v *stream.Vector, i int, first, between, last string) string {
	parts := make([]string, v.NumChildren())
	for c := range parts {
		parts[c] = Value(v.Child(c), i)
	}
	return first + strings.Join(parts, between) + last
}
