package columnar

import (
	"github.com/apache/arrow-go/v18/arrow"

	"millrace/stream"
	"millrace/types"
)

var listSchema = arrow.NewSchema([]arrow.Field{{Name: "entry", Type: arrow.BinaryTypes.Binary}}, nil)

// hasNamespace tells whether the rows of a table carry a namespace.
func (i *tableInfo) hasNamespace() bool { return i.Namespaced || i.Shape == shapeTimers }

// schema returns the columns of a section: the key group, the op, the namespace
// and the time (or sequence, or order) where the table has them, but for drops the
// key, and for rows the table's columns.
func (i *tableInfo) schema(o op) *arrow.Schema {
	if i.Shape == shapeList {
		return listSchema
	}
	fields := []arrow.Field{
		{Name: "key_group", Type: arrow.PrimitiveTypes.Uint16},
		{Name: "op", Type: arrow.PrimitiveTypes.Uint8},
	}
	if i.hasNamespace() {
		fields = append(fields, arrow.Field{Name: "namespace", Type: arrow.PrimitiveTypes.Int64})
	}
	switch i.Shape {
	case shapeTimers:
		fields = append(fields, arrow.Field{Name: "time", Type: arrow.PrimitiveTypes.Int64})
	case shapeMultimap:
		fields = append(fields, arrow.Field{Name: "sequence", Type: arrow.PrimitiveTypes.Int64})
	case shapeOrderedMap:
		fields = append(fields, arrow.Field{Name: "order", Type: arrow.BinaryTypes.Binary})
	case shapeValue, shapeBroadcast, shapeList: // no order among the rows of a key
	}
	if o == opDrop {
		return arrow.NewSchema(fields, nil)
	}
	fields = append(fields, i.keyField())
	if o == opPut {
		for _, c := range i.Columns {
			t := c.Type.typ()
			fields = append(fields, arrow.Field{Name: c.Name, Type: arrowType(t), Nullable: i.Shape.sorted(), Metadata: columnMetadata(c)})
		}
	}
	return arrow.NewSchema(fields, nil)
}

func (i *tableInfo) keyField() arrow.Field {
	ts := typesOf(i.Keys)
	if layout, err := stream.KeyLayoutOf(ts); err != nil || layout == stream.KeyBytes {
		return arrow.Field{Name: "key", Type: arrow.BinaryTypes.Binary}
	}
	return arrow.Field{Name: "key", Type: arrowType(ts[0]), Nullable: true, Metadata: typeMetadata(ts[0])}
}

// NullOfKey is the key in an Arrow field's metadata under which stands the column of whose NULL it tells.
const NullOfKey = "millrace.null-of"

func columnMetadata(c columnInfo) arrow.Metadata {
	m := typeMetadata(c.Type.typ())
	if c.NullOf == "" {
		return m
	}
	return arrow.NewMetadata(append(m.Keys(), NullOfKey), append(m.Values(), c.NullOf))
}

// typeMetadata carries the logical type, for people who look into a file.
func typeMetadata(t types.Type) arrow.Metadata {
	return arrow.NewMetadata([]string{"millrace.type"}, []string{t.NotNull().String()})
}

// arrowType returns the Arrow type in whose layout a type's values stand.
func arrowType(t types.Type) arrow.DataType {
	switch t.Kind {
	case types.Date:
		return arrow.FixedWidthTypes.Date32
	case types.Time:
		return arrow.FixedWidthTypes.Time32ms
	case types.Timestamp, types.TimestampLTZ:
		return timestampType(t)
	case types.Char, types.VarChar:
		return arrow.BinaryTypes.String
	}
	switch t.Layout() {
	case types.LayoutBit:
		return arrow.FixedWidthTypes.Boolean
	case types.LayoutInt8:
		return arrow.PrimitiveTypes.Int8
	case types.LayoutInt16:
		return arrow.PrimitiveTypes.Int16
	case types.LayoutInt32:
		return arrow.PrimitiveTypes.Int32
	case types.LayoutFloat32:
		return arrow.PrimitiveTypes.Float32
	case types.LayoutFloat64:
		return arrow.PrimitiveTypes.Float64
	case types.LayoutInt128:
		return &arrow.Decimal128Type{Precision: int32(t.Precision), Scale: int32(t.Scale)}
	case types.LayoutBytes:
		return arrow.BinaryTypes.Binary
	default:
		return arrow.PrimitiveTypes.Int64
	}
}

func timestampType(t types.Type) arrow.DataType {
	var unit arrow.TimeUnit
	switch t.Unit() {
	case types.Millis:
		unit = arrow.Millisecond
	case types.Micros:
		unit = arrow.Microsecond
	case types.Nanos:
		unit = arrow.Nanosecond
	}
	zone := ""
	if t.Kind == types.TimestampLTZ {
		zone = "UTC"
	}
	return &arrow.TimestampType{Unit: unit, TimeZone: zone}
}
