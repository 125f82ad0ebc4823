package formattest

import (
	"fmt"
	"strings"

	"millrace/stream"
	"millrace/types"
)

// Print returns the selected rows of a batch as text, values in their physical
// form: equal text means equal rows, -0 and NaN included.
func Print(b *stream.Batch) []string {
	out := make([]string, b.Rows())
	for i := range out {
		cells := make([]string, len(b.Columns))
		for c := range b.Columns {
			cells[c] = PrintValue(&b.Columns[c], b.Row(i))
		}
		out[i] = strings.Join(cells, " ")
	}
	return out
}

// PrintValue prints row i of a vector under any encoding.
func PrintValue(v *stream.Vector, i int) string {
	if v.IsNull(i) {
		return "NULL"
	}
	switch v.Encoding {
	case stream.Constant:
		i = 0
	case stream.Dictionary:
		return PrintValue(v.Dict(), int(v.Indices()[i]))
	}
	switch v.Type.Layout() {
	case types.LayoutBit:
		return fmt.Sprint(v.Bits().Get(i))
	case types.LayoutInt8:
		return fmt.Sprint(stream.Values[int8](v)[i])
	case types.LayoutInt16:
		return fmt.Sprint(stream.Values[int16](v)[i])
	case types.LayoutInt32:
		return fmt.Sprint(stream.Values[int32](v)[i])
	case types.LayoutInt64:
		return fmt.Sprint(stream.Values[int64](v)[i])
	case types.LayoutFloat32:
		return fmt.Sprint(stream.Values[float32](v)[i])
	case types.LayoutFloat64:
		return fmt.Sprint(stream.Values[float64](v)[i])
	case types.LayoutInt128:
		n := stream.Values[types.Int128](v)[i]
		return fmt.Sprintf("%d:%d", n.Hi, n.Lo)
	case types.LayoutBytes:
		lo, hi := v.Offsets()[i], v.Offsets()[i+1]
		return fmt.Sprintf("%q", v.Data()[lo:hi])
	default:
		return printNested(v, i)
	}
}

func printNested(v *stream.Vector, i int) string {
	var cells []string
	if v.Type.Layout() == types.LayoutStruct {
		for c := range v.NumChildren() {
			cells = append(cells, PrintValue(v.Child(c), i))
		}
		return "(" + strings.Join(cells, ",") + ")"
	}
	for k := v.Offsets()[i]; k < v.Offsets()[i+1]; k++ {
		cells = append(cells, PrintValue(v.Child(0), int(k)))
	}
	return "[" + strings.Join(cells, ",") + "]"
}
