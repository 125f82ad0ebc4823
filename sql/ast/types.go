package ast

// TypeName is a type as it was written. Name is the root in upper case, one of
//
//	BOOLEAN TINYINT SMALLINT INT BIGINT FLOAT DOUBLE DECIMAL CHAR VARCHAR STRING BINARY VARBINARY BYTES DATE TIME
//	TIMESTAMP TIMESTAMP_LTZ TIMESTAMP_TZ INTERVAL ARRAY MULTISET MAP ROW RAW NULL VARIANT
//
// of which longer forms and other names are the same (INTEGER, NUMERIC, DOUBLE PRECISION, TIMESTAMP(3) WITH LOCAL TIME ZONE);
// it is empty for a type that a user defined, which User names.
type TypeName struct {
	Span
	Name string
	User Name
	// Params are length, precision and scale, as far as they were written.
	Params  []int
	NotNull bool
	// Key is of a MAP, Elem of a MAP, ARRAY or MULTISET.
	Key, Elem *TypeName
	// Fields are those of a ROW.
	Fields []*RowField
	// Interval is what an INTERVAL counts.
	Interval *Qualifier
	// Raw are class and serializer of RAW.
	Raw []Text
}

// RowField is a field of a ROW type.
type RowField struct {
	Span
	Name    Ident
	Type    *TypeName
	Comment *Text
}
