package json

import (
	"millrace/formats/scalar"
	"millrace/stream"
)

// decimal reads a DECIMAL: a number, or a string that holds one between blanks.
// It is rounded half up to the scale; what then has too many digits is NULL.
func (d *Decoder) decimal(v *value, b *stream.Builder, p []byte, i int) int {
	text, next, _ := d.numberText(p, i)
	if next == stop {
		return stop
	}
	n, fits, ok := scalar.ParseDecimal(text, v.precision, v.scale)
	switch {
	case !ok:
		return d.refuse(i, "not a decimal number")
	case !fits:
		return d.appendNull(v, b, i, next)
	case v.op == opDecimal64:
		b.AppendInt64(int64(n.Lo))
	default:
		stream.AppendFixed(b, n)
	}
	return next
}
