package raw

import (
	"millrace/failure"
	"millrace/formats"
	"millrace/internal/invariant"
	"millrace/stream"
	"millrace/types"
)

var (
	_ formats.Decoder = (*Decoder)(nil)
	_ formats.Encoder = (*Encoder)(nil)
)

// checkSchema refuses a schema that is not one column of bytes or text.
func checkSchema(s *types.Schema) error {
	if s.Len() != 1 {
		return failure.Userf("raw format takes one column, got %d", s.Len())
	}
	if t := s.Fields[0].Type; t.Layout() != types.LayoutBytes {
		return failure.Userf("raw format takes a character or binary string, column %s is %s", s.Fields[0].Name, t)
	}
	return nil
}

// Decoder makes a row of each payload. It is for one goroutine.
type Decoder struct {
	schema *types.Schema
}

// NewDecoder returns a decoder of rows of the schema. It refuses other schemas
// than the package names, as an error of the user.
func NewDecoder(s *types.Schema) (*Decoder, error) {
	return &Decoder{s}, checkSchema(s)
}

// callBytesMax bounds the payload bytes that one Decode takes in, so that the
// 32-bit offsets of the column can't overflow.
const callBytesMax = 512 << 20

// Decode implements formats.Decoder. It stops early, with at least one payload
// done, when it has taken in about 512 MiB.
func (d *Decoder) Decode(payloads [][]byte, out *formats.Rows, rowsMax int) (int, error) {
	if out.Schema != d.schema && !out.Schema.Equal(d.schema) {
		return 0, invariant.Failedf("raw decoder of %s given rows of %s", d.schema, out.Schema)
	}
	b, taken := &out.Columns[0], 0
	for n, p := range payloads {
		taken += len(p)
		switch {
		case b.Len() >= rowsMax, taken > callBytesMax && n > 0:
			return n, nil
		case p == nil:
		case len(p) > stream.RowBytesMax:
			return n, &formats.RecordError{Column: d.schema.Fields[0].Name, Reason: "record is larger than 64 MiB"}
		default:
			b.AppendBytes(p)
		}
	}
	return len(payloads), nil
}

// Encoder makes a payload of each row. It is for one goroutine.
type Encoder struct {
	schema *types.Schema
}

// NewEncoder returns an encoder of rows of the schema. It refuses other schemas
// than the package names, as an error of the user.
func NewEncoder(s *types.Schema) (*Encoder, error) {
	return &Encoder{s}, checkSchema(s)
}

// Encode implements formats.Encoder. With an error, out is as it was.
func (e *Encoder) Encode(b *stream.Batch, out *formats.Payloads) error {
	if b.Schema != e.schema && !b.Schema.Equal(e.schema) {
		return invariant.Failedf("raw encoder of %s given rows of %s", e.schema, b.Schema)
	}
	ends, size := len(out.Ends), len(out.Data)
	v, kinds := &b.Columns[0], b.Kinds()
	for i := range b.Rows() {
		row := b.Row(i)
		if err := e.check(v, kinds, row); err != nil {
			out.Ends, out.Data = out.Ends[:ends], out.Data[:size]
			return err
		}
		out.Data = append(out.Data, v.Bytes(row)...)
		out.Close()
	}
	return nil
}

func (e *Encoder) check(v *stream.Vector, kinds []stream.RowKind, row int) error {
	if kinds != nil && kinds[row].Retracts() {
		return failure.Userf("raw has no form for a row of kind %s", kinds[row])
	}
	if v.IsNull(row) {
		return failure.Userf("column %s: raw has no form for NULL", e.schema.Fields[0].Name)
	}
	return nil
}
