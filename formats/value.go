package formats

import (
	"millrace/stream"
	"millrace/types"
)

// AppendValue appends a value as expr.Literal has it, which must be one of the builder's type.
func AppendValue(b *stream.Builder, value any) {
	switch v := value.(type) {
	case nil:
		b.AppendNull()
	case bool:
		b.AppendBool(v)
	case string:
		b.AppendString(v)
	case []byte:
		b.AppendBytes(v)
	case types.Int128:
		stream.AppendFixed(b, v)
	case float64:
		if b.Type().Layout() == types.LayoutFloat32 {
			stream.AppendFixed(b, float32(v))
			return
		}
		stream.AppendFixed(b, v)
	case int64:
		appendInteger(b, v)
	}
}

func appendInteger(b *stream.Builder, v int64) {
	switch b.Type().Layout() {
	case types.LayoutInt8:
		stream.AppendFixed(b, int8(v))
	case types.LayoutInt16:
		stream.AppendFixed(b, int16(v))
	case types.LayoutInt32:
		stream.AppendFixed(b, int32(v))
	default:
		b.AppendInt64(v)
	}
}
