package json

import (
	"encoding/binary"
	"fmt"

	"millrace/failure"
	"millrace/types"
)

// op says how a value is converted. It is settled once for each field, so that
// a value costs one jump.
type op uint8

const (
	opNull op = iota
	opBool
	opInt8
	opInt16
	opInt32
	opInt64
	opFloat32
	opFloat64
	opDecimal64
	opDecimal128
	opString
	opBinary
	opDate
	opTime
	opTimestamp
	opArray
	opMap
	opRow
)

// value is the plan of one column, field, element or map value.
type value struct {
	op       op
	nullable bool
	// precision and scale of a DECIMAL; precision of TIME and timestamps.
	precision, scale int
	unit             types.TimeUnit // of a timestamp
	zoned            bool           // TIMESTAMP_LTZ: a Z ends the text
	elem             *value         // of an ARRAY; of a MAP the value
	row              *object        // of a ROW
}

// field is a wanted field of an object.
type field struct {
	value
	name   string
	column int
}

// object is the plan of an object: of the record or of a ROW. Apart from
// order, which follows the records, it never changes.
type object struct {
	fields []field
	index  map[string]int32
	// order[k] is the k-th key of the record before, as it stood in the bytes,
	// wanted or not: the guess for the k-th key of the next one.
	order []guess
}

// guess is a key as it is expected to stand: quotes, colon and blanks included.
type guess struct {
	token []byte
	field int32 // index in object.fields, unwanted for a key that nobody asked for
	// The first 16 bytes of the token as words, and which of their bits count.
	low, high, lowMask, highMask uint64
}

// set makes the guess one of a token, which is copied.
func (g *guess) set(token []byte, field int32) {
	g.token, g.field = append(g.token[:0], token...), field
	var bytes, mask [16]byte
	for i := range min(copy(bytes[:], token), len(mask)) {
		mask[i] = 0xFF
	}
	g.low, g.high = binary.LittleEndian.Uint64(bytes[:]), binary.LittleEndian.Uint64(bytes[8:])
	g.lowMask, g.highMask = binary.LittleEndian.Uint64(mask[:]), binary.LittleEndian.Uint64(mask[8:])
}

// at tells whether the token stands in p at i.
func (g *guess) at(p []byte, i int) bool {
	if len(p)-i < 16 || len(g.token) > 16 {
		return len(p)-i >= len(g.token) && string(p[i:i+len(g.token)]) == string(g.token)
	}
	s := p[i : i+16 : i+16]
	low, high := binary.LittleEndian.Uint64(s)^g.low, binary.LittleEndian.Uint64(s[8:])^g.high
	return low&g.lowMask|high&g.highMask == 0
}

const unwanted = -1

func planObject(fields []types.Field) (*object, error) {
	o := &object{fields: make([]field, len(fields)), index: make(map[string]int32, len(fields))}
	for i, f := range fields {
		v, err := planValue(f.Type)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		o.fields[i] = field{value: v, name: f.Name, column: i}
		o.index[f.Name] = int32(i)
		o.learn(i, fmt.Appendf(nil, "%q:", f.Name), int32(i))
	}
	return o, nil
}

var opOfKind = [...]op{
	types.Boolean: opBool, types.TinyInt: opInt8, types.SmallInt: opInt16, types.Int: opInt32, types.BigInt: opInt64,
	types.Float: opFloat32, types.Double: opFloat64, types.Decimal: opDecimal64, types.Char: opString,
	types.VarChar: opString, types.Binary: opBinary, types.VarBinary: opBinary, types.Date: opDate, types.Time: opTime,
	types.Timestamp: opTimestamp, types.TimestampLTZ: opTimestamp, types.IntervalYearMonth: opInt32,
	types.IntervalDayTime: opInt64, types.Array: opArray, types.Map: opMap, types.Row: opRow, types.Null: opNull,
}

func planValue(t types.Type) (value, error) {
	if int(t.Kind) >= len(opOfKind) {
		return value{}, failure.Userf("json has no form for %s", t)
	}
	v := value{
		op: opOfKind[t.Kind], nullable: t.Nullable, precision: t.Precision, scale: t.Scale, zoned: t.Kind == types.TimestampLTZ,
	}
	var err error
	switch t.Kind {
	case types.Decimal:
		if t.Layout() == types.LayoutInt128 {
			v.op = opDecimal128
		}
	case types.Timestamp, types.TimestampLTZ:
		v.unit = t.Unit()
	case types.Map:
		if k := t.Key.Kind; k != types.Char && k != types.VarChar {
			return v, failure.Userf("json has no form for %s: the key of a MAP must be a character string", t)
		}
		v.elem, err = planElem(*t.Elem)
	case types.Array:
		v.elem, err = planElem(*t.Elem)
	case types.Row:
		v.row, err = planObject(t.Fields)
	}
	return v, err
}

func planElem(t types.Type) (*value, error) {
	v, err := planValue(t)
	return &v, err
}

// check refuses options and schemas that contradict themselves.
func check(schema *types.Schema, opts Options) error {
	if err := opts.Validate(); err != nil {
		return err
	}
	if err := schema.Validate(); err != nil {
		return failure.User(fmt.Errorf("json schema: %w", err))
	}
	return nil
}
