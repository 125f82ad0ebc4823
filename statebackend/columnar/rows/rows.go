// Package rows writes the rows of state tables for people and other tools: as an
// Arrow IPC stream, as JSON, one row a line, or as lines of a table. What it is
// given are the Arrow streams of columnar.EachRows; the column that says what a row
// does to its table is left out, since every row stands in it, and a column that says
// which values of another are NULL is shown as these NULLs.
//
// It starts no goroutine.
package rows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"millrace/failure"
)

// Format is how rows are written.
type Format string

// The formats.
const (
	Table Format = "table"
	JSON  Format = "json"
	Arrow Format = "arrow"
)

// ErrEnough says that as many rows were written as were wanted.
var ErrEnough = errors.New("enough rows")

// Writer writes rows. Make it with NewWriter; it is owned by one goroutine.
type Writer struct {
	w      io.Writer
	format Format
	limit  int64
	Rows   int64 // written so far
	stream *ipc.Writer
}

// NewWriter returns a writer of at most limit rows; 0 is no limit.
func NewWriter(w io.Writer, format Format, limit int64) (*Writer, error) {
	switch format {
	case Table, JSON, Arrow:
		return &Writer{w: w, format: format, limit: limit}, nil
	default:
		return nil, failure.Userf("format %q is neither %s nor %s nor %s", string(format), Table, JSON, Arrow)
	}
}

// Add writes the rows of a stream. It returns ErrEnough with the last row that is wanted.
func (w *Writer) Add(stream []byte) error {
	r, err := ipc.NewReader(bytes.NewReader(stream))
	if err != nil {
		return fmt.Errorf("read rows: %w", failure.Internal(err))
	}
	defer r.Release()
	for r.Next() {
		if err := w.add(withNulls(withoutOp(r.RecordBatch()))); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read rows: %w", failure.Internal(err))
	}
	return nil
}

// Close ends the output. Without any row an Arrow stream has no columns.
func (w *Writer) Close() error {
	if w.format == Arrow && w.stream == nil {
		w.stream = ipc.NewWriter(w.w, ipc.WithSchema(arrow.NewSchema(nil, nil)))
	}
	if w.stream == nil {
		return nil
	}
	return w.stream.Close()
}

// withoutOp is a batch without the column of that name.
func withoutOp(b arrow.RecordBatch) arrow.RecordBatch {
	var fields []arrow.Field
	var columns []arrow.Array
	for i, f := range b.Schema().Fields() {
		if f.Name == "op" && i == 1 {
			continue
		}
		fields, columns = append(fields, f), append(columns, b.Column(i))
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, b.NumRows())
}

func (w *Writer) add(b arrow.RecordBatch) error {
	defer b.Release()
	n := b.NumRows()
	if w.limit > 0 {
		n = min(n, w.limit-w.Rows)
	}
	if n <= 0 {
		return nil
	}
	part := b.NewSlice(0, n)
	defer part.Release()
	if err := w.write(part); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	w.Rows += n
	if w.Rows == w.limit {
		return ErrEnough
	}
	return nil
}

func (w *Writer) write(b arrow.RecordBatch) error {
	switch w.format {
	case Arrow:
		if w.stream == nil {
			w.stream = ipc.NewWriter(w.w, ipc.WithSchema(b.Schema()))
		}
		return w.stream.Write(b)
	case JSON:
		return w.writeJSON(b)
	case Table:
	}
	return w.writeTable(b)
}

// writeJSON writes an object a row, its columns in their order.
func (w *Writer) writeJSON(b arrow.RecordBatch) error {
	var line bytes.Buffer
	for i := range int(b.NumRows()) {
		line.Reset()
		for k, f := range b.Schema().Fields() {
			sep := byte(',')
			if k == 0 {
				sep = '{'
			}
			line.WriteByte(sep)
			for _, v := range []any{f.Name, b.Column(k).GetOneForMarshal(i)} {
				text, err := json.Marshal(v)
				if err != nil {
					return err
				}
				line.Write(text)
				line.WriteByte(':')
			}
			line.Truncate(line.Len() - 1)
		}
		line.WriteString("}\n")
		if _, err := w.w.Write(line.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// writeTable writes a line a row, with tabs between columns, and the columns' names before the first.
func (w *Writer) writeTable(b arrow.RecordBatch) error {
	var line []string
	if w.Rows == 0 {
		for _, f := range b.Schema().Fields() {
			line = append(line, strings.ToUpper(f.Name))
		}
		if _, err := fmt.Fprintln(w.w, strings.Join(line, "\t")); err != nil {
			return err
		}
	}
	for i := range int(b.NumRows()) {
		line = line[:0]
		for k := range b.Schema().Fields() {
			line = append(line, b.Column(k).ValueStr(i))
		}
		if _, err := fmt.Fprintln(w.w, strings.Join(line, "\t")); err != nil {
			return err
		}
	}
	return nil
}
