package types

// Layout is the physical form in which values of a type stand in memory. The
// layouts are Arrow's.
type Layout uint8

// The layouts.
const (
	LayoutNone    Layout = iota
	LayoutBit            // BOOLEAN: one bit a row
	LayoutInt8           // TINYINT
	LayoutInt16          // SMALLINT
	LayoutInt32          // INT, DATE (days since 1970), TIME (milliseconds of the day), INTERVAL YEAR TO MONTH (months)
	LayoutInt64          // BIGINT, TIMESTAMP (Unit), DECIMAL up to 18 digits (unscaled), INTERVAL DAY TO SECOND (milliseconds)
	LayoutFloat32        // FLOAT
	LayoutFloat64        // DOUBLE
	LayoutInt128         // DECIMAL above 18 digits (unscaled, two's complement, low word first)
	LayoutBytes          // CHAR, VARCHAR (UTF-8), BINARY, VARBINARY: 32-bit offsets and bytes
	LayoutList           // ARRAY: 32-bit offsets and one child; MAP: a child ROW of key and value
	LayoutStruct         // ROW: one child a field
)

// Int128 is a 128-bit two's complement integer, low word first: the unscaled
// value of a wide DECIMAL, as in Arrow's decimal128.
type Int128 struct {
	Lo uint64
	Hi int64
}

// CompactDecimalPrecision is the largest precision of a DECIMAL that stands in 64 bits.
const CompactDecimalPrecision = 18

// Layout returns the physical form of the type.
func (t Type) Layout() Layout {
	switch t.Kind {
	case Boolean:
		return LayoutBit
	case TinyInt:
		return LayoutInt8
	case SmallInt:
		return LayoutInt16
	case Int, Date, Time, IntervalYearMonth:
		return LayoutInt32
	case BigInt, Timestamp, TimestampLTZ, IntervalDayTime:
		return LayoutInt64
	case Float:
		return LayoutFloat32
	case Double:
		return LayoutFloat64
	case Decimal:
		if t.Precision <= CompactDecimalPrecision {
			return LayoutInt64
		}
		return LayoutInt128
	case Char, VarChar, Binary, VarBinary:
		return LayoutBytes
	case Array, Map:
		return LayoutList
	case Row:
		return LayoutStruct
	default:
		return LayoutNone
	}
}

// Width returns the bytes of one value, 0 where it varies or is a bit.
func (l Layout) Width() int {
	switch l {
	case LayoutInt8:
		return 1
	case LayoutInt16:
		return 2
	case LayoutInt32, LayoutFloat32:
		return 4
	case LayoutInt64, LayoutFloat64:
		return 8
	case LayoutInt128:
		return 16
	default:
		return 0
	}
}

// TimeUnit is the unit of a timestamp's 64 bits, as ticks a second.
type TimeUnit int64

// The units. Millis is the engine's own: watermarks and windows count it.
const (
	Millis TimeUnit = 1_000
	Micros TimeUnit = 1_000_000
	Nanos  TimeUnit = 1_000_000_000
)

// Unit returns the unit in which a TIMESTAMP or TIMESTAMP_LTZ is stored:
// milliseconds up to precision 3, microseconds up to 6, nanoseconds beyond
// (years 1677 to 2262 only; docs/semantics.md).
func (t Type) Unit() TimeUnit {
	switch {
	case t.Precision <= 3:
		return Millis
	case t.Precision <= 6:
		return Micros
	default:
		return Nanos
	}
}

// Children returns the types of a nested type's child vectors: the element of
// an ARRAY, a ROW of key and value for a MAP, the fields of a ROW.
func (t Type) Children() []Type {
	switch t.Kind {
	case Array:
		return []Type{*t.Elem}
	case Map:
		return []Type{RowOf(Field{Name: "key", Type: t.Key.NotNull()}, Field{Name: "value", Type: *t.Elem}).NotNull()}
	case Row:
		out := make([]Type, len(t.Fields))
		for i, f := range t.Fields {
			out[i] = f.Type
		}
		return out
	default:
		return nil
	}
}
