package csv

import (
	"bytes"
	"encoding/base64"
	"strconv"

	"millrace/failure"
	"millrace/formats"
	"millrace/formats/scalar"
	"millrace/internal/invariant"
	"millrace/stream"
	"millrace/types"
)

// Encoder encodes rows as records. It is for one goroutine.
type Encoder struct {
	schema *types.Schema
	opts   Options
	fields []field // those that no column fills are written as NULL
	// special are the characters that a field must not have as they stand.
	special [256]bool
	scratch []byte // text of the field at hand
}

var _ formats.Encoder = (*Encoder)(nil)

// NewEncoder returns an encoder of rows of the schema. It refuses types that
// CSV has no form for, as an error of the user.
func NewEncoder(schema *types.Schema, opts Options) (*Encoder, error) {
	fields, err := plan(schema, &opts)
	if err != nil {
		return nil, err
	}
	e := &Encoder{schema: schema, opts: opts, fields: fields}
	for _, c := range []byte{opts.Delimiter, opts.Quote, opts.Escape, '\n', '\r'} {
		e.special[c] = true
	}
	e.special[0] = false // there is no quote, or no escape
	return e, nil
}

// Encode implements formats.Encoder. Rows of kind +I and +U are encoded alike;
// -U and -D have no form in CSV. With an error, out is as it was.
func (e *Encoder) Encode(b *stream.Batch, out *formats.Payloads) error {
	if b.Schema != e.schema && !b.Schema.Equal(e.schema) {
		return invariant.Failedf("csv encoder of %s given rows of %s", e.schema, b.Schema)
	}
	ends, size := len(out.Ends), len(out.Data)
	kinds := b.Kinds()
	for i := range b.Rows() {
		row := b.Row(i)
		var err error
		if kinds != nil && kinds[row].Retracts() {
			err = failure.Userf("csv has no form for a row of kind %s", kinds[row])
		} else if out.Data, err = e.record(out.Data, b.Columns, row); err == nil {
			out.Close()
			continue
		}
		out.Ends, out.Data = out.Ends[:ends], out.Data[:size]
		return err
	}
	return nil
}

func (e *Encoder) record(dst []byte, cols []stream.Vector, row int) ([]byte, error) {
	for k := range e.fields {
		f := &e.fields[k]
		if k > 0 {
			dst = append(dst, e.opts.Delimiter)
		}
		if f.column == unwanted || cols[f.column].IsNull(row) {
			dst = append(dst, e.opts.Null...)
			continue
		}
		start := len(dst)
		var err error
		if dst, err = e.append(dst, f, &cols[f.column], row); err == nil {
			dst, err = e.closed(dst, start, f, k)
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// closed quotes or escapes the text of field k, which begins at start, where it
// must be.
func (e *Encoder) closed(dst []byte, start int, f *field, k int) ([]byte, error) {
	text := dst[start:]
	special := false
	for _, c := range text {
		if e.special[c] {
			special = true
			break
		}
	}
	literal := e.opts.HasNull && string(text) == e.opts.Null
	// A record of nothing, or of a comment, would be none.
	gone := len(text) == 0 && len(e.fields) == 1 || k == 0 && e.opts.Comments && len(text) > 0 && text[0] == '#'
	switch {
	case !special && !literal && !gone && !blankEnds(text):
		return dst, nil
	case e.opts.Quote != 0:
		e.scratch = append(e.scratch[:0], text...)
		return e.quoted(dst[:start], e.scratch), nil
	case special && e.opts.Escape == 0 || literal || gone:
		return dst, failure.Userf("column %s: without quotes csv has no form for %q", f.name, shorten(text))
	case special:
		e.scratch = append(e.scratch[:0], text...)
		return e.escaped(dst[:start], e.scratch), nil
	default:
		return dst, nil
	}
}

func blankEnds(text []byte) bool {
	return len(text) > 0 && (text[0] <= ' ' || text[len(text)-1] <= ' ')
}

// textMax is how much of a value a message shows.
const textMax = 80

func shorten(text []byte) []byte { return text[:min(len(text), textMax)] }

func (e *Encoder) quoted(dst, text []byte) []byte {
	dst = append(dst, e.opts.Quote)
	for _, c := range text {
		switch {
		case c == e.opts.Quote:
			dst = append(dst, c)
		case c == e.opts.Escape && c != 0:
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, e.opts.Quote)
}

func (e *Encoder) escaped(dst, text []byte) []byte {
	for _, c := range text {
		if e.special[c] {
			dst = append(dst, e.opts.Escape)
		}
		switch c {
		case '\n':
			c = 'n'
		case '\r':
			c = 'r'
		}
		dst = append(dst, c)
	}
	return dst
}

// append appends the text of row i of v, which is not NULL, as it is.
func (e *Encoder) append(dst []byte, f *field, v *stream.Vector, i int) ([]byte, error) {
	v, i = flat(v, i)
	switch f.typ.Kind {
	case types.Array:
		from, to := int(v.Offsets()[i]), int(v.Offsets()[i+1])
		start := len(dst)
		var err error
		for k := from; k < to && err == nil; k++ {
			if k > from {
				dst = append(dst, e.opts.Element)
			}
			dst, err = e.element(dst, &f.elems[0], v.Child(0), k)
		}
		if err == nil && to > from && len(dst) == start {
			err = failure.Userf("column %s: csv has no form for an ARRAY of one empty element", f.name)
		}
		return dst, err
	case types.Row:
		var err error
		for k := range f.elems {
			if k > 0 {
				dst = append(dst, e.opts.Element)
			}
			if dst, err = e.element(dst, &f.elems[k], v.Child(k), i); err != nil {
				break
			}
		}
		return dst, err
	default:
		return e.value(dst, f.typ, v, i), nil
	}
}

func (e *Encoder) element(dst []byte, f *field, v *stream.Vector, i int) ([]byte, error) {
	if v.IsNull(i) {
		return append(dst, e.opts.Null...), nil
	}
	start := len(dst)
	v, i = flat(v, i)
	dst = e.value(dst, f.typ, v, i)
	text := dst[start:]
	if bytes.IndexByte(text, e.opts.Element) >= 0 || len(bytes.TrimSpace(text)) != len(text) || e.opts.HasNull && string(text) == e.opts.Null {
		return dst, failure.Userf("column %s: csv has no form for the element %q: csv.array-element-delimiter, blanks around it or csv.null-literal would be read otherwise", f.name, shorten(text))
	}
	return dst, nil
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

// value appends a scalar.
func (e *Encoder) value(dst []byte, t types.Type, v *stream.Vector, i int) []byte {
	switch t.Kind {
	case types.Boolean:
		return strconv.AppendBool(dst, v.Bits().Get(i))
	case types.TinyInt:
		return strconv.AppendInt(dst, int64(stream.Values[int8](v)[i]), 10)
	case types.SmallInt:
		return strconv.AppendInt(dst, int64(stream.Values[int16](v)[i]), 10)
	case types.Int, types.IntervalYearMonth:
		return strconv.AppendInt(dst, int64(stream.Values[int32](v)[i]), 10)
	case types.BigInt, types.IntervalDayTime:
		return strconv.AppendInt(dst, stream.Values[int64](v)[i], 10)
	case types.Float:
		return scalar.AppendDouble(dst, float64(stream.Values[float32](v)[i]), 32)
	case types.Double:
		return scalar.AppendDouble(dst, stream.Values[float64](v)[i], 64)
	case types.Decimal:
		return scalar.AppendDecimal(dst, unscaled(v, i), t.Scale, !e.opts.ScientificDecimal)
	case types.Char, types.VarChar:
		return append(dst, v.Bytes(i)...)
	case types.Binary, types.VarBinary:
		return base64.StdEncoding.AppendEncode(dst, v.Bytes(i))
	case types.Date:
		return scalar.AppendDate(dst, int64(stream.Values[int32](v)[i]))
	case types.Time:
		return scalar.AppendClock(dst, int64(stream.Values[int32](v)[i])*1e6)
	case types.Timestamp, types.TimestampLTZ:
		return scalar.AppendTimestamp(dst, stream.Values[int64](v)[i], t.Unit(), scalar.SQL, t.Kind == types.TimestampLTZ)
	default: // NULL, which has no other value
		return dst
	}
}

func unscaled(v *stream.Vector, i int) types.Int128 {
	if v.Type.Layout() == types.LayoutInt128 {
		return stream.Values[types.Int128](v)[i]
	}
	n := stream.Values[int64](v)[i]
	return types.Int128{Lo: uint64(n), Hi: n >> 63}
}
