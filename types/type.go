package types

import (
	"fmt"
	"strings"
)

// Kind is the root of a logical type, in Flink's terms.
type Kind uint8

// The kinds. Their numbers are durable: they stand in job graphs and
// checkpoints, so a new kind is appended and none is ever renumbered.
const (
	Invalid Kind = iota
	Boolean
	TinyInt
	SmallInt
	Int
	BigInt
	Float
	Double
	Decimal
	Char
	VarChar
	Binary
	VarBinary
	Date
	Time
	Timestamp
	TimestampLTZ
	IntervalYearMonth
	IntervalDayTime
	Array
	Map
	Row
	Null
)

var kindNames = [...]string{
	"INVALID", "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "CHAR", "VARCHAR",
	"BINARY", "VARBINARY", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ", "INTERVAL YEAR TO MONTH",
	"INTERVAL DAY TO SECOND", "ARRAY", "MAP", "ROW", "NULL",
}

// String returns Flink's name of the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("KIND(%d)", uint8(k))
}

// MaxLength is the length of a VARCHAR or VARBINARY without a bound (Flink's STRING and BYTES).
const MaxLength = 1<<31 - 1

// MaxDecimalPrecision is the largest precision of a DECIMAL, as in Flink.
const MaxDecimalPrecision = 38

// MaxTimestampPrecision is the largest number of fractional digits of a TIMESTAMP.
const MaxTimestampPrecision = 9

// Type is a logical type. The zero value is invalid. Types are values: copy
// them freely, never change one that is shared (Elem, Key and Fields are
// read-only once built).
type Type struct {
	Kind     Kind
	Nullable bool
	// Precision: digits of a DECIMAL, fractional digits of TIME and TIMESTAMP.
	Precision int
	// Scale: digits after the point of a DECIMAL.
	Scale int
	// Length: of CHAR, VARCHAR, BINARY and VARBINARY.
	Length int
	// Key is the key type of a MAP.
	Key *Type
	// Elem is the element type of an ARRAY, the value type of a MAP.
	Elem *Type
	// Fields are the fields of a ROW.
	Fields []Field
}

// Field is a named column of a schema or a ROW.
type Field struct {
	Name string
	Type Type
}

// Of returns the nullable type of a kind that needs no parameters.
func Of(k Kind) Type { return Type{Kind: k, Nullable: true} }

// DecimalOf returns DECIMAL(precision, scale).
func DecimalOf(precision, scale int) Type {
	return Type{Kind: Decimal, Nullable: true, Precision: precision, Scale: scale}
}

// VarCharOf returns VARCHAR(length).
func VarCharOf(length int) Type { return Type{Kind: VarChar, Nullable: true, Length: length} }

// StringType is Flink's STRING, a VARCHAR of the largest length.
func StringType() Type { return VarCharOf(MaxLength) }

// BytesType is Flink's BYTES, a VARBINARY of the largest length.
func BytesType() Type { return Type{Kind: VarBinary, Nullable: true, Length: MaxLength} }

// TimestampOf returns TIMESTAMP(precision).
func TimestampOf(precision int) Type {
	return Type{Kind: Timestamp, Nullable: true, Precision: precision}
}

// TimestampLTZOf returns TIMESTAMP_LTZ(precision).
func TimestampLTZOf(precision int) Type {
	return Type{Kind: TimestampLTZ, Nullable: true, Precision: precision}
}

// ArrayOf returns ARRAY<elem>.
func ArrayOf(elem Type) Type { return Type{Kind: Array, Nullable: true, Elem: &elem} }

// MapOf returns MAP<key, elem>.
func MapOf(key, elem Type) Type { return Type{Kind: Map, Nullable: true, Key: &key, Elem: &elem} }

// RowOf returns ROW<fields>.
func RowOf(fields ...Field) Type { return Type{Kind: Row, Nullable: true, Fields: fields} }

// NotNull returns t without NULL among its values.
func (t Type) NotNull() Type { t.Nullable = false; return t }

// AsNullable returns t with NULL among its values.
func (t Type) AsNullable() Type { t.Nullable = true; return t }

// Equal tells whether both types are the same, nullability included.
func (t Type) Equal(u Type) bool { return t.Nullable == u.Nullable && t.EqualIgnoringNull(u) }

// EqualIgnoringNull tells whether both types have the same values, NULL aside
// (at the root only: nested nullability counts).
func (t Type) EqualIgnoringNull(u Type) bool {
	if t.Kind != u.Kind || t.Precision != u.Precision || t.Scale != u.Scale || t.Length != u.Length {
		return false
	}
	if !equalPtr(t.Key, u.Key) || !equalPtr(t.Elem, u.Elem) || len(t.Fields) != len(u.Fields) {
		return false
	}
	for i := range t.Fields {
		if t.Fields[i].Name != u.Fields[i].Name || !t.Fields[i].Type.Equal(u.Fields[i].Type) {
			return false
		}
	}
	return true
}

func equalPtr(a, b *Type) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// String prints the type as Flink's summary string does.
func (t Type) String() string {
	s := t.base()
	if !t.Nullable {
		s += " NOT NULL"
	}
	return s
}

func (t Type) base() string {
	switch t.Kind {
	case Decimal:
		return fmt.Sprintf("DECIMAL(%d, %d)", t.Precision, t.Scale)
	case VarChar:
		if t.Length == MaxLength {
			return "STRING"
		}
		return fmt.Sprintf("VARCHAR(%d)", t.Length)
	case VarBinary:
		if t.Length == MaxLength {
			return "BYTES"
		}
		return fmt.Sprintf("VARBINARY(%d)", t.Length)
	case Char, Binary:
		return fmt.Sprintf("%s(%d)", t.Kind, t.Length)
	case Time, Timestamp, TimestampLTZ:
		return fmt.Sprintf("%s(%d)", t.Kind, t.Precision)
	case Array:
		return fmt.Sprintf("ARRAY<%s>", t.Elem)
	case Map:
		return fmt.Sprintf("MAP<%s, %s>", t.Key, t.Elem)
	case Row:
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			parts[i] = fmt.Sprintf("`%s` %s", strings.ReplaceAll(f.Name, "`", "``"), f.Type)
		}
		return "ROW<" + strings.Join(parts, ", ") + ">"
	default:
		return t.Kind.String()
	}
}

// MaxTypeDepth bounds the nesting of a type.
const MaxTypeDepth = 32

// Validate reports the first reason for which the type is not one of Flink's.
func (t Type) Validate() error { return t.validate(0) }

func (t Type) validate(depth int) error {
	if depth > MaxTypeDepth {
		return fmt.Errorf("type is nested deeper than %d", MaxTypeDepth)
	}
	switch t.Kind {
	case Invalid:
		return fmt.Errorf("type is missing")
	case Decimal:
		if t.Precision < 1 || t.Precision > MaxDecimalPrecision || t.Scale < 0 || t.Scale > t.Precision {
			return fmt.Errorf("%s: precision must be 1 to %d and scale 0 to precision", t.base(), MaxDecimalPrecision)
		}
	case Char, VarChar, Binary, VarBinary:
		if t.Length < 1 {
			return fmt.Errorf("%s: length must be at least 1", t.base())
		}
	case Time, Timestamp, TimestampLTZ:
		if t.Precision < 0 || t.Precision > MaxTimestampPrecision {
			return fmt.Errorf("%s: precision must be 0 to %d", t.base(), MaxTimestampPrecision)
		}
	case Array, Map, Row:
		return t.validateNested(depth)
	default:
		if t.Kind > Null {
			return fmt.Errorf("unknown type %s", t.Kind)
		}
	}
	return nil
}

func (t Type) validateNested(depth int) error {
	if t.Kind != Row {
		if t.Elem == nil || (t.Kind == Map && t.Key == nil) {
			return fmt.Errorf("%s: element type is missing", t.Kind)
		}
		if t.Key != nil {
			if err := t.Key.validate(depth + 1); err != nil {
				return fmt.Errorf("key of MAP: %w", err)
			}
		}
		if err := t.Elem.validate(depth + 1); err != nil {
			return fmt.Errorf("element of %s: %w", t.Kind, err)
		}
	}
	seen := make(map[string]bool, len(t.Fields))
	for _, f := range t.Fields {
		if f.Name == "" || seen[f.Name] {
			return fmt.Errorf("ROW has an empty or repeated field name %q", f.Name)
		}
		seen[f.Name] = true
		if err := f.Type.validate(depth + 1); err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	return nil
}
