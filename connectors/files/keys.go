package files

import (
	"fmt"

	"millrace/failure"
	"millrace/formats"
	"millrace/stream"
	"millrace/types"
)

// withKeys returns the rows of a file's records with the columns that stand in
// its name. It takes the records over.
func (l *layout) withKeys(pool *stream.Pool, records *stream.Batch, name string) (*stream.Batch, error) {
	if len(l.keys) == 0 {
		return records, nil
	}
	defer records.Release()
	b := pool.NewBatch(l.schema, records.Len())
	for i, c := range l.columns {
		records.Columns[i].Retain()
		b.Columns[c] = records.Columns[i]
	}
	err := l.eachKey(pool, name, func(column int, v *stream.Vector) {
		b.Columns[column] = stream.ConstantOf(pool, v, 0, records.Len())
	})
	if err != nil {
		b.Release()
		return nil, err
	}
	return b, nil
}

// checkKeys tells whether the columns that stand in a name can be read of it.
func (l *layout) checkKeys(pool *stream.Pool, name string) error {
	return l.eachKey(pool, name, func(int, *stream.Vector) {})
}

// eachKey gives the value of each key that is asked for as a vector of one row, which is
// borrowed for the call.
func (l *layout) eachKey(pool *stream.Pool, name string, give func(column int, v *stream.Vector)) error {
	texts, err := l.texts(name)
	if err != nil {
		return err
	}
	for i, k := range l.keys {
		if k.column == notAsked {
			continue
		}
		f := l.schema.Fields[k.column]
		b := stream.NewBuilder(pool, f.Type, 1)
		switch {
		case texts[i] != nil:
			if err := parseValue(b, *texts[i]); err != nil {
				b.Close()
				return failure.User(fmt.Errorf("file %s: column %s of its directory: %q %w, %s", name, f.Name, *texts[i], err, f.Type))
			}
		case f.Type.Nullable:
			b.AppendNull()
		default:
			b.Close()
			return failure.Userf("file %s: column %s of its directory is NULL, and the table says NOT NULL", name, f.Name)
		}
		v := b.Finish()
		give(k.column, &v)
		v.Release()
	}
	return nil
}

// lines is the decoder where no column of the records is asked for: each record is a row.
type lines struct{}

// linesSchema is what lines gives: rows must have a column to be counted by, which withKeys
// leaves out.
var linesSchema = types.NewSchema(types.Field{Name: "line", Type: types.Of(types.Boolean)})

// Decode implements formats.Decoder.
func (lines) Decode(payloads [][]byte, out *formats.Rows, rowsMax int) (int, error) {
	for n, p := range payloads {
		if out.Len() == rowsMax {
			return n, nil
		}
		if len(p) > 0 {
			out.Columns[0].AppendNull()
		}
	}
	return len(payloads), nil
}
