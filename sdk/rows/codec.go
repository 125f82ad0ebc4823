package rows

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"

	"millrace/stream"
	"millrace/types"
)

// codec is how values of one Go type go in and out of vectors of one SQL type.
type codec struct {
	typ types.Type
	// read writes the values of rows of a vector, under any encoding, to memory.
	read func(r *Reader, v *stream.Vector, at span, to memory)
	// write appends n values. What does not fit into the type is an error.
	write func(b *stream.Builder, from memory, n int) error
	// store and load are for types of fixed width: the words of a value in a table of state, and back. pack and unpack are for
	// types of bytes: what pack returns aliases the value.
	store  func(p unsafe.Pointer, words []uint64) error
	load   func(words []uint64, p unsafe.Pointer)
	pack   func(p unsafe.Pointer) ([]byte, error)
	unpack func(b []byte, p unsafe.Pointer) error
	// elem and of are a pointer's: what it points to.
	elem *codec
	of   reflect.Type
}

// memory is where values stand, at equal distances.
type memory struct {
	base   unsafe.Pointer
	stride uintptr
}

func (m memory) at(i int) unsafe.Pointer { return unsafe.Add(m.base, uintptr(i)*m.stride) }

// span names physical rows: those in sel, or n from one on.
type span struct {
	sel     []int32 // nil: from, from+1, ...
	from, n int
}

func (s span) row(i int) int {
	if s.sel != nil {
		return int(s.sel[i])
	}
	return s.from + i
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	dateType     = reflect.TypeFor[Date]()
	decimalType  = reflect.TypeFor[Decimal]()
)

// isStruct tells whether the fields of a type are columns, or it is a value as a whole.
func isStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != timeType && t != decimalType
}

// codecOf returns the codec of a Go type for a SQL type, the zero type for the one that it has by itself.
func codecOf(t reflect.Type, want types.Type, depth int) (*codec, error) {
	if depth > types.MaxTypeDepth {
		return nil, fmt.Errorf("%s contains itself", t)
	}
	if t.Kind() == reflect.Pointer {
		return nullableOf(t, want, depth)
	}
	c, err := basic(t, want)
	if c == nil && err == nil {
		c, err = nested(t, want, depth)
	}
	if err != nil {
		return nil, err
	}
	c.typ = c.typ.NotNull()
	return c, nil
}

// choice returns the type that a tag asks for, or the first one.
func choice(t reflect.Type, want types.Type, own types.Type, others ...types.Kind) (types.Type, error) {
	switch {
	case want.Kind == types.Invalid:
		return own, nil
	case want.Kind == own.Kind || slices.Contains(others, want.Kind):
		return want, nil
	}
	return want, fmt.Errorf("a %s is no %s: it can be %s%s", t, want.AsNullable(), own.Kind, orKinds(others))
}

func orKinds(kinds []types.Kind) string {
	var out strings.Builder
	for _, k := range kinds {
		out.WriteString(" or " + k.String())
	}
	return out.String()
}

// basic returns the codec of a type without parts; nil for another.
func basic(t reflect.Type, want types.Type) (*codec, error) {
	var c *codec
	var own types.Type
	var others []types.Kind
	switch t {
	case timeType:
		own, others = types.TimestampLTZOf(3), []types.Kind{types.Timestamp}
		typ, err := choice(t, want, own, others...)
		return timeCodec(typ), err
	case durationType:
		own, others = types.Of(types.IntervalDayTime), []types.Kind{types.Time}
		typ, err := choice(t, want, own, others...)
		return durationCodec(typ), err
	case decimalType:
		if want.Kind != types.Decimal {
			return nil, fmt.Errorf("a Decimal needs its digits: `type:\"DECIMAL(10, 2)\"`")
		}
		return decimalCodec(want), nil
	case dateType:
		own, c = types.Of(types.Date), fixed[int32]()
	default:
		c, own, others = ofKind(t)
	}
	if c == nil {
		return nil, nil
	}
	var err error
	c.typ, err = choice(t, want, own, others...)
	if c.typ.Layout() == types.LayoutBytes && c.typ.Length < types.MaxLength {
		c.bounded()
	}
	return c, err
}

func ofKind(t reflect.Type) (c *codec, own types.Type, others []types.Kind) {
	switch t.Kind() { //nolint:exhaustive // the others have no type of their own in SQL
	case reflect.Bool:
		return boolCodec(), types.Of(types.Boolean), nil
	case reflect.Int8:
		return fixed[int8](), types.Of(types.TinyInt), nil
	case reflect.Int16:
		return fixed[int16](), types.Of(types.SmallInt), nil
	case reflect.Int32:
		return fixed[int32](), types.Of(types.Int), []types.Kind{types.IntervalYearMonth}
	case reflect.Int64, reflect.Int:
		return fixed[int64](), types.Of(types.BigInt), nil
	case reflect.Float32:
		return fixed[float32](), types.Of(types.Float), nil
	case reflect.Float64:
		return fixed[float64](), types.Of(types.Double), nil
	case reflect.String:
		return stringCodec(), types.StringType(), []types.Kind{types.Char}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return bytesCodec(), types.BytesType(), []types.Kind{types.Binary}
		}
	}
	return nil, own, nil
}

// nested returns the codec of a type with parts.
func nested(t reflect.Type, want types.Type, depth int) (*codec, error) {
	c, err := nestedOf(t, depth)
	if err == nil && want.Kind != types.Invalid && !c.typ.EqualIgnoringNull(want) {
		return nil, fmt.Errorf("a %s is %s, not %s: its parts say what it is", t, c.typ.NotNull(), want.NotNull())
	}
	return c, err
}

func nestedOf(t reflect.Type, depth int) (*codec, error) {
	switch t.Kind() {
	case reflect.Slice:
		elem, err := codecOf(t.Elem(), types.Type{}, depth+1)
		if err != nil {
			return nil, err
		}
		return listCodec(t, elem), nil
	case reflect.Map:
		key, err := codecOf(t.Key(), types.Type{}, depth+1)
		if err != nil {
			return nil, err
		}
		elem, err := codecOf(t.Elem(), types.Type{}, depth+1)
		if err != nil {
			return nil, err
		}
		return mapCodec(t, key, elem), nil
	case reflect.Struct:
		m := &Mapping{Go: t, Rowtime: NoRowtime}
		if err := m.fields(t, t.Name(), 0, depth+1); err != nil {
			return nil, err
		}
		return structCodec(m)
	default:
		return nil, fmt.Errorf("a %s has no type in SQL%s", t, remedy(t))
	}
}

// remedy says what to use in place of a type.
func remedy(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return ", whose numbers have a sign: use a signed integer"
	case reflect.Array:
		return ": use a slice"
	default:
		return ": leave the field out with `millrace:\"-\"`"
	}
}

func structCodec(m *Mapping) (*codec, error) {
	if len(m.columns) == 0 {
		return nil, fmt.Errorf("%s has no exported fields", m.Go)
	}
	fields := make([]types.Field, len(m.columns))
	for i, c := range m.columns {
		fields[i] = types.Field{Name: c.name, Type: c.typ}
	}
	return &codec{
		typ: types.RowOf(fields...),
		read: func(r *Reader, v *stream.Vector, at span, to memory) {
			v, at = r.flat(v, at)
			for i := range m.columns {
				c := &m.columns[i]
				c.read(r, v.Child(i), at, memory{unsafe.Add(to.base, c.offset), to.stride})
			}
		},
		write: func(b *stream.Builder, from memory, n int) error {
			for i := range m.columns {
				c := &m.columns[i]
				if err := c.write(b.Child(i), memory{unsafe.Add(from.base, c.offset), from.stride}, n); err != nil {
					return fmt.Errorf("%s: %w", c.path, err)
				}
			}
			for range n {
				b.AppendStruct()
			}
			return nil
		},
	}, nil
}

// nullableOf returns the codec of a pointer, which is NULL where it is nil.
func nullableOf(t reflect.Type, want types.Type, depth int) (*codec, error) {
	if t.Elem().Kind() == reflect.Pointer {
		return nil, fmt.Errorf("a %s points to a pointer: one is enough for NULL", t)
	}
	elem, err := codecOf(t.Elem(), want, depth+1)
	if err != nil {
		return nil, err
	}
	many, size := reflect.SliceOf(t.Elem()), t.Elem().Size()
	return &codec{
		typ: elem.typ.AsNullable(), elem: elem, of: t.Elem(),
		read: func(r *Reader, v *stream.Vector, at span, to memory) {
			there, which := r.notNull(v, at, to)
			if len(there) == 0 {
				return
			}
			values := memory{reflect.MakeSlice(many, len(there), len(there)).UnsafePointer(), size}
			elem.read(r, v, span{sel: there, n: len(there)}, values)
			for i, w := range which {
				*(*unsafe.Pointer)(to.at(int(w))) = values.at(i)
			}
		},
		write: func(b *stream.Builder, from memory, n int) error {
			for i := range n {
				p := *(*unsafe.Pointer)(from.at(i))
				if p == nil {
					b.AppendNull()
				} else if err := elem.write(b, memory{p, size}, 1); err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}
