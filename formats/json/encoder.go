package json

import (
	"encoding/base64"
	"fmt"

	"millrace/failure"
	"millrace/formats"
	"millrace/formats/scalar"
	"millrace/internal/invariant"
	"millrace/stream"
	"millrace/types"
)

// Encoder encodes rows as JSON objects, fields in the order of the columns. It
// is for one goroutine.
type Encoder struct {
	schema *types.Schema
	opts   Options
	root   *encodedRow
}

var _ formats.Encoder = (*Encoder)(nil)

// encodedRow is the plan of an object: what stands before each field's value.
type encodedRow struct {
	fields []encodedField
}

type encodedField struct {
	value
	name  string
	token []byte // "name":
	row   *encodedRow
	elem  *encodedField
}

// NewEncoder returns an encoder of rows of the schema. It refuses types that
// JSON has no form for, as an error of the user.
func NewEncoder(schema *types.Schema, opts Options) (*Encoder, error) {
	if err := check(schema, opts); err != nil {
		return nil, err
	}
	root, err := planEncodedRow(schema.Fields)
	if err != nil {
		return nil, fmt.Errorf("json schema: %w", err)
	}
	return &Encoder{schema: schema, opts: opts, root: root}, nil
}

func planEncodedRow(fields []types.Field) (*encodedRow, error) {
	r := &encodedRow{fields: make([]encodedField, len(fields))}
	for i, f := range fields {
		e, err := planEncodedField(f.Name, f.Type)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		r.fields[i] = e
	}
	return r, nil
}

func planEncodedField(name string, t types.Type) (e encodedField, err error) {
	e.name, e.token = name, append(appendQuoted(nil, []byte(name)), ':')
	if e.value, err = planValue(t); err != nil {
		return e, err
	}
	switch t.Kind {
	case types.Array, types.Map:
		elem, err := planEncodedField("", *t.Elem)
		e.elem = &elem
		return e, err
	case types.Row:
		e.row, err = planEncodedRow(t.Fields)
	}
	return e, err
}

// Encode implements formats.Encoder. Rows of kind +I and +U are encoded alike;
// -U and -D have no form in JSON. With an error, out is as it was.
func (e *Encoder) Encode(b *stream.Batch, out *formats.Payloads) error {
	if b.Schema != e.schema && !b.Schema.Equal(e.schema) {
		return invariant.Failedf("json encoder of %s given rows of %s", e.schema, b.Schema)
	}
	ends, size := len(out.Ends), len(out.Data)
	kinds := b.Kinds()
	for i := range b.Rows() {
		row := b.Row(i)
		var err error
		if kinds != nil && kinds[row].Retracts() {
			err = failure.Userf("json has no form for a row of kind %s", kinds[row])
		} else if out.Data, err = e.appendRow(out.Data, e.root, b.Columns, row); err == nil {
			out.Close()
			continue
		}
		out.Ends, out.Data = out.Ends[:ends], out.Data[:size]
		return err
	}
	return nil
}

func (e *Encoder) appendRow(dst []byte, r *encodedRow, cols []stream.Vector, row int) ([]byte, error) {
	dst = append(dst, '{')
	first := len(dst)
	for c := range r.fields {
		f, v := &r.fields[c], &cols[c]
		null := v.IsNull(row)
		if null && e.opts.IgnoreNullFields {
			continue
		}
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = append(dst, f.token...)
		if null {
			dst = append(dst, "null"...)
			continue
		}
		var err error
		if dst, err = e.appendValue(dst, f, v, row); err != nil {
			return dst, fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	return append(dst, '}'), nil
}

// flat returns the flat vector and position at which row i's value stands.
func flat(v *stream.Vector, i int) (*stream.Vector, int) {
	for v.Encoding != stream.Flat {
		if v.Encoding == stream.Constant {
			return v, 0
		}
		v, i = v.Dict(), int(v.Indices()[i])
	}
	return v, i
}

// appendValue appends row i of v, which is not NULL.
func (e *Encoder) appendValue(dst []byte, f *encodedField, v *stream.Vector, i int) ([]byte, error) {
	if v.Encoding != stream.Flat {
		v, i = flat(v, i)
	}
	switch f.op {
	case opBool:
		if v.Bits().Get(i) {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	case opInt8:
		return appendInt(dst, int64(stream.Values[int8](v)[i])), nil
	case opInt16:
		return appendInt(dst, int64(stream.Values[int16](v)[i])), nil
	case opInt32:
		return appendInt(dst, int64(stream.Values[int32](v)[i])), nil
	case opInt64:
		return appendInt(dst, stream.Values[int64](v)[i]), nil
	case opFloat32:
		return appendDouble(dst, float64(stream.Values[float32](v)[i]), 32), nil
	case opFloat64:
		return appendDouble(dst, stream.Values[float64](v)[i], 64), nil
	case opDecimal64, opDecimal128:
		return scalar.AppendDecimal(dst, unscaled(f.op, v, i), f.scale, e.opts.DecimalAsPlainNumber), nil
	case opString:
		return appendQuoted(dst, v.Bytes(i)), nil
	case opBinary:
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), v.Bytes(i))
		return append(dst, '"'), nil
	case opDate:
		dst = scalar.AppendDate(append(dst, '"'), int64(stream.Values[int32](v)[i]))
		return append(dst, '"'), nil
	case opTime:
		dst = scalar.AppendClock(append(dst, '"'), int64(stream.Values[int32](v)[i])*1e6)
		return append(dst, '"'), nil
	case opTimestamp:
		dst = scalar.AppendTimestamp(append(dst, '"'), stream.Values[int64](v)[i], f.unit, e.opts.TimestampFormat, f.zoned)
		return append(dst, '"'), nil
	case opArray:
		return e.appendArray(dst, f, v, i)
	case opMap:
		return e.appendMap(dst, f, v, i)
	case opRow:
		return e.appendRow(dst, f.row, v.Children(), i)
	default:
		return append(dst, "null"...), nil
	}
}

func unscaled(o op, v *stream.Vector, i int) types.Int128 {
	if o == opDecimal128 {
		return stream.Values[types.Int128](v)[i]
	}
	n := stream.Values[int64](v)[i]
	return types.Int128{Lo: uint64(n), Hi: n >> 63}
}

func (e *Encoder) appendArray(dst []byte, f *encodedField, v *stream.Vector, i int) ([]byte, error) {
	dst = append(dst, '[')
	start, end := int(v.Offsets()[i]), int(v.Offsets()[i+1])
	for k := start; k < end; k++ {
		if k > start {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = e.appendElem(dst, f.elem, v.Child(0), k); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func (e *Encoder) appendElem(dst []byte, f *encodedField, v *stream.Vector, i int) ([]byte, error) {
	if v.IsNull(i) {
		return append(dst, "null"...), nil
	}
	return e.appendValue(dst, f, v, i)
}

func (e *Encoder) appendMap(dst []byte, f *encodedField, v *stream.Vector, i int) ([]byte, error) {
	dst = append(dst, '{')
	first := len(dst)
	entries, end := v.Child(0), int(v.Offsets()[i+1])
	keys, values := entries.Child(0), entries.Child(1)
	for k := int(v.Offsets()[i]); k < end; k++ {
		var key []byte
		switch null := keys.IsNull(k); {
		case !null:
			key = keys.Bytes(k)
		case e.opts.MapNullKeyMode == NullKeyDrop:
			continue
		case e.opts.MapNullKeyMode == NullKeyLiteral:
			key = []byte(e.opts.nullKeyLiteral())
		default:
			return dst, failure.Userf("json has no form for a NULL key of a MAP; json.map-null-key.mode says what to do")
		}
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, key), ':')
		var err error
		if dst, err = e.appendElem(dst, f.elem, values, k); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}
