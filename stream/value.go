package stream

import "millrace/types"

// AppendValue appends a value of the builder's type as constants have it: a bool, string, []byte, types.Int128, float64 or int64. Anything else is NULL.
func (b *Builder) AppendValue(value any) {
	switch v := value.(type) {
	case bool:
		b.AppendBool(v)
	case string:
		b.AppendString(v)
	case []byte:
		b.AppendBytes(v)
	case types.Int128:
		AppendFixed(b, v)
	case float64:
		if b.Type().Layout() == types.LayoutFloat32 {
			AppendFixed(b, float32(v))
			return
		}
		AppendFixed(b, v)
	case int64:
		b.appendInteger(v)
	default:
		b.AppendNull()
	}
}

func (b *Builder) appendInteger(v int64) {
	switch b.Type().Layout() {
	case types.LayoutInt8:
		AppendFixed(b, int8(v))
	case types.LayoutInt16:
		AppendFixed(b, int16(v))
	case types.LayoutInt32:
		AppendFixed(b, int32(v))
	default:
		b.AppendInt64(v)
	}
}
