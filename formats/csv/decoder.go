package csv

import (
	"bytes"

	"millrace/formats"
	"millrace/stream"
	"millrace/types"
)

// Decoder decodes records into columns. It is for one goroutine and allocates
// nothing for a record, once it has seen a few.
type Decoder struct {
	schema *types.Schema
	opts   Options
	fields []field

	fault    formats.RecordError
	lines    bool   // the record at hand has a line break in it
	scratch  []byte // text of the field at hand without quotes and escapes
	blob     []byte // decoded base64 of the value at hand
	elements [][]byte
}

var _ formats.Decoder = (*Decoder)(nil)

// NewDecoder returns a decoder into rows of the schema. It refuses types that
// CSV has no form for, as an error of the user.
func NewDecoder(schema *types.Schema, opts Options) (*Decoder, error) {
	fields, err := plan(schema, &opts)
	if err != nil {
		return nil, err
	}
	return &Decoder{schema: schema, opts: opts, fields: fields}, nil
}

// Decode implements formats.Decoder.
func (d *Decoder) Decode(payloads [][]byte, out *formats.Rows, rowsMax int) (int, error) {
	row, size := out.Len(), 0
	for n, p := range payloads {
		size += len(p)
		if row >= rowsMax || (n > 0 && size > callBytesMax) {
			return n, nil
		}
		p = trimLineEnd(p)
		if len(p) == 0 || (d.opts.Comments && p[0] == '#') {
			continue
		}
		if d.record(p, out.Columns) {
			row++
			continue
		}
		out.Truncate(row)
		if !d.opts.IgnoreParseErrors {
			fault := d.fault
			return n, &fault
		}
	}
	return len(payloads), nil
}

func trimLineEnd(p []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(p, []byte{'\n'}), []byte{'\r'})
}

// stop is where parsing goes on when it does not.
const stop = -1

// record decodes one payload and tells whether there is a row now.
func (d *Decoder) record(p []byte, cols []stream.Builder) bool {
	if len(p) > stream.RowBytesMax {
		return d.refuse("", 0, "record is larger than 64 MiB")
	}
	d.lines = bytes.IndexByte(p, '\n') >= 0
	at := 0 // where the next field begins; behind len(p) if there is none
	for k := range d.fields {
		f := &d.fields[k]
		if at > len(p) {
			if !d.missing(f, cols, len(p)) {
				return false
			}
			continue
		}
		text, verbatim, next := d.field(p, at)
		if next == stop {
			d.fault.Column = f.name
			return false
		}
		if f.column != unwanted && !d.convert(f, &cols[f.column], text, verbatim, at) {
			return false
		}
		at = next
	}
	if at <= len(p) && !d.opts.IgnoreParseErrors {
		return d.refuse("", at, "more fields than expected")
	}
	return true
}

// refuse says why the record is no row.
func (d *Decoder) refuse(column string, at int, reason string) bool {
	d.fault = formats.RecordError{Column: column, Offset: at, Reason: reason}
	return false
}

// missing deals with a field that the record ends before.
func (d *Decoder) missing(f *field, cols []stream.Builder, at int) bool {
	if !d.opts.IgnoreParseErrors {
		return d.refuse(f.name, at, "fewer fields than expected")
	}
	return f.column == unwanted || d.null(f, &cols[f.column], at)
}

func (d *Decoder) null(f *field, b *stream.Builder, at int) bool {
	if !f.typ.Nullable {
		return d.refuse(f.name, at, "NULL in a NOT NULL column")
	}
	b.AppendNull()
	return true
}

// field returns the text of the field at i and where the next one begins, len(p)+1
// where none does. A text that had quotes or escapes is verbatim: it is never
// the null literal.
func (d *Decoder) field(p []byte, i int) (text []byte, verbatim bool, next int) {
	if d.opts.Quote != 0 {
		if q := d.skipBlanks(p, i); q < len(p) && p[q] == d.opts.Quote {
			text, next = d.quoted(p, q+1)
			return text, true, next
		}
	}
	if d.opts.Escape != 0 {
		text, verbatim, next = d.escaped(p, i)
	} else {
		next = len(p) + 1
		if n := bytes.IndexByte(p[i:], d.opts.Delimiter); n >= 0 {
			next = i + n + 1
		}
		text = p[i : next-1]
	}
	if d.lines && next != stop && bytes.IndexByte(text, '\n') >= 0 && !verbatim {
		d.refuse("", i, "a line break outside of quotes: a payload is one record")
		return nil, false, stop
	}
	return text, verbatim, next
}

func (d *Decoder) skipBlanks(p []byte, i int) int {
	for i < len(p) && (p[i] == ' ' || p[i] == '\t') && p[i] != d.opts.Delimiter {
		i++
	}
	return i
}

// quoted reads a field from behind its first quote.
func (d *Decoder) quoted(p []byte, i int) (text []byte, next int) {
	d.scratch = d.scratch[:0]
	from := i
	for j := i; j < len(p); j++ {
		if d.opts.Escape == 0 {
			n := bytes.IndexByte(p[j:], d.opts.Quote)
			if n < 0 {
				break
			}
			j += n
		}
		switch p[j] {
		case d.opts.Quote:
			if j+1 == len(p) || p[j+1] != d.opts.Quote {
				return d.whole(p[from:j]), d.behind(p, j+1)
			}
			d.scratch = append(d.scratch, p[from:j+1]...)
		case d.opts.Escape:
			if d.opts.Escape == 0 || j+1 == len(p) {
				continue
			}
			d.scratch = append(append(d.scratch, p[from:j]...), unescaped(p[j+1]))
		default:
			continue
		}
		j++
		from = j + 1
	}
	d.refuse("", i-1, "the quote is not closed")
	return nil, stop
}

// whole returns what is in scratch with the rest of a field.
func (d *Decoder) whole(rest []byte) []byte {
	if len(d.scratch) == 0 {
		return rest
	}
	d.scratch = append(d.scratch, rest...)
	return d.scratch
}

// behind steps over what may stand behind a closing quote.
func (d *Decoder) behind(p []byte, i int) int {
	i = d.skipBlanks(p, i)
	if i == len(p) || p[i] == d.opts.Delimiter {
		return i + 1
	}
	d.refuse("", i, "more bytes behind the closing quote")
	return stop
}

// escaped reads a field without quotes in which characters may be escaped.
func (d *Decoder) escaped(p []byte, i int) (text []byte, verbatim bool, next int) {
	d.scratch = d.scratch[:0]
	from, j := i, i
	for ; j < len(p) && p[j] != d.opts.Delimiter; j++ {
		if p[j] != d.opts.Escape {
			continue
		}
		if j+1 == len(p) {
			d.refuse("", j, "nothing behind the escape character")
			return nil, false, stop
		}
		d.scratch = append(append(d.scratch, p[from:j]...), unescaped(p[j+1]))
		j++
		from = j + 1
	}
	verbatim = len(d.scratch) > 0
	return d.whole(p[from:j]), verbatim, j + 1
}

func unescaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case '0':
		return 0
	default:
		return c
	}
}
