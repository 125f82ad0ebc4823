package json

import (
	"fmt"

	"millrace/formats"
	"millrace/internal/invariant"
	"millrace/stream"
	"millrace/types"
)

// Decoder decodes JSON objects into columns. It is for one goroutine and
// allocates nothing for a record, once it has seen a few.
//
// Its parsing methods take the payload and a position, and return the position
// behind what they parsed, or stop with d.fault filled in.
type Decoder struct {
	schema *types.Schema
	opts   Options
	root   *object

	fault   fault
	days    dateCache
	depth   int
	careful bool   // an object of this record had a key twice
	scratch []byte // unescaped text of the value at hand
	blob    []byte // decoded base64 of the value at hand
	keys    []span // raw keys of the MAPs at hand, innermost last
	ignored Ignored
}

// Ignored counts what IgnoreParseErrors has hidden.
type Ignored struct {
	Records int64 // records that yielded no row
	Values  int64 // values that became NULL
}

// fault says why parsing stopped.
type fault struct {
	column string
	offset int
	reason string
	// syntax: the record is not JSON, so that there is no way to go on behind
	// the value.
	syntax bool
}

// stop is the position that parsing methods return with a fault.
const stop = -1

var _ formats.Decoder = (*Decoder)(nil)

// NewDecoder returns a decoder of rows of the schema, which is the projected
// one: fields of a record that it does not name are skipped. It refuses types
// that JSON has no form for, as an error of the user.
func NewDecoder(schema *types.Schema, opts Options) (*Decoder, error) {
	if err := check(schema, opts); err != nil {
		return nil, err
	}
	root, err := planObject(schema.Fields)
	if err != nil {
		return nil, fmt.Errorf("json schema: %w", err)
	}
	return &Decoder{schema: schema, opts: opts, root: root}, nil
}

// Ignored returns what IgnoreParseErrors has hidden so far.
func (d *Decoder) Ignored() Ignored { return d.ignored }

// Decode implements formats.Decoder. A nil or empty payload yields no row. It
// stops early, with at least one payload done, when it has taken in about
// 512 MiB. The columns of out grow with what is decoded: a caller finishes
// them at about stream.BatchBytesTarget.
func (d *Decoder) Decode(payloads [][]byte, out *formats.Rows, rowsMax int) (int, error) {
	if out.Schema != d.schema && !out.Schema.Equal(d.schema) {
		return 0, invariant.Failedf("json decoder of %s given rows of %s", d.schema, out.Schema)
	}
	taken := 0
	for n, p := range payloads {
		row := out.Len()
		taken += len(p)
		if row >= rowsMax || (taken > callBytesMax && n > 0) {
			return n, nil
		}
		if len(p) == 0 || d.record(p, out.Columns, row) {
			continue
		}
		out.Truncate(row)
		if !d.opts.IgnoreParseErrors {
			return n, &formats.RecordError{Column: d.fault.column, Offset: d.fault.offset, Reason: d.fault.reason}
		}
		d.ignored.Records++
	}
	return len(payloads), nil
}

// record decodes one payload and tells whether there is a row now.
func (d *Decoder) record(p []byte, cols []stream.Builder, row int) bool {
	d.depth, d.careful, d.keys = 0, false, d.keys[:0]
	if len(p) > stream.RowBytesMax {
		d.broken(0, "record is larger than 64 MiB")
		return false
	}
	i := skipSpace(p, 0)
	if i >= len(p) || p[i] != '{' {
		d.broken(i, "record is not a JSON object")
		return false
	}
	if i = d.object(d.root, cols, row, p, i+1); i == stop {
		return false
	}
	if i = skipSpace(p, i); i < len(p) {
		d.broken(i, "more bytes behind the object")
		return false
	}
	return true
}

// broken stops: the record is not JSON.
func (d *Decoder) broken(i int, reason string) int {
	d.fault = fault{offset: i, reason: reason, syntax: true}
	return stop
}

// refuse stops: the value is JSON, but no value of its column.
func (d *Decoder) refuse(i int, reason string) int {
	d.fault = fault{offset: i, reason: reason}
	return stop
}

// within puts a field's name before the column of the fault.
func (d *Decoder) within(name string) int {
	if d.fault.column == "" {
		d.fault.column = name
	} else {
		d.fault.column = name + "." + d.fault.column
	}
	return stop
}

// enter counts a level of nesting; the caller counts it down at its end.
func (d *Decoder) enter(i int) bool {
	d.depth++
	if d.depth <= depthMax {
		return true
	}
	d.broken(i, "nested too deeply")
	return false
}

func skipSpace(p []byte, i int) int {
	for i < len(p) && p[i] <= ' ' && isSpace(p[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// value decodes the value at i into b, as NULL if it does not convert and the
// options say so.
func (d *Decoder) value(v *value, b *stream.Builder, p []byte, i int) int {
	if i >= len(p) {
		return d.broken(i, "unexpected end")
	}
	if p[i] == 'n' {
		return d.null(v, b, p, i)
	}
	depth, keys := d.depth, len(d.keys)
	var next int
	switch v.op {
	case opInt64:
		next = d.bigint(b, p, i)
	case opString:
		next = d.varchar(b, p, i)
	case opTimestamp:
		next = d.timestamp(v, b, p, i)
	case opInt32:
		next = d.integer(b, p, i)
	case opFloat64:
		next = d.double(b, p, i)
	case opBool:
		next = d.boolean(b, p, i)
	case opInt8:
		next = d.tinyint(b, p, i)
	case opInt16:
		next = d.smallint(b, p, i)
	case opFloat32:
		next = d.float(b, p, i)
	case opDecimal64, opDecimal128:
		next = d.decimal(v, b, p, i)
	case opBinary:
		next = d.binary(b, p, i)
	case opDate:
		next = d.date(b, p, i)
	case opTime:
		next = d.time(v, b, p, i)
	case opArray:
		next = d.array(v, b, p, i)
	case opMap:
		next = d.mapping(v, b, p, i)
	case opRow:
		next = d.row(v, b, p, i)
	default:
		b.AppendNull()
		next = d.skip(p, i)
	}
	if next != stop || !d.opts.IgnoreParseErrors || d.fault.syntax || !v.nullable {
		return next
	}
	d.depth, d.keys = depth, d.keys[:keys]
	b.Truncate(b.Len())
	b.AppendNull()
	d.ignored.Values++
	return d.skip(p, i)
}

func (d *Decoder) null(v *value, b *stream.Builder, p []byte, i int) int {
	if !hasLiteral(p, i, "null") {
		return d.broken(i, "unknown literal")
	}
	return d.appendNull(v, b, i, i+4)
}

// appendNull appends NULL for the value at i and goes on at next.
func (d *Decoder) appendNull(v *value, b *stream.Builder, i, next int) int {
	if !v.nullable {
		return d.refuse(i, "NULL in a NOT NULL column")
	}
	b.AppendNull()
	return next
}

func hasLiteral(p []byte, i int, s string) bool {
	return len(p)-i >= len(s) && string(p[i:i+len(s)]) == s
}
