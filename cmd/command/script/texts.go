package script

import (
	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

// Texts makes texts of rows, as CAST AS STRING does. It is for one goroutine.
type Texts struct {
	casts *kernel.Projection
	pool  stream.Pool
	row   []*string
	cells []string
}

// NewTexts returns what makes texts of rows with these columns, in the session's time zone. A type that has no text is an error of the user.
func NewTexts(columns *types.Schema, functions *expr.Registry, session kernel.Session) (*Texts, error) {
	out := make([]types.Field, columns.Len())
	casts := make([]expr.Expr, columns.Len())
	for i, f := range columns.Fields {
		var err error
		column := &expr.Column{Index: i, Name: f.Name, T: f.Type}
		if casts[i], err = expr.NewCast(column, types.StringType(), false); err != nil {
			return nil, failure.Userf("column %s: values of type %s can't be shown: ask for JSON (-o json)", f.Name, f.Type)
		}
		out[i] = types.Field{Name: f.Name, Type: casts[i].Type()}
	}
	p, err := session.CompileProjection(casts, columns, types.NewSchema(out...), functions)
	return &Texts{casts: p, row: make([]*string, len(out)), cells: make([]string, len(out))}, err
}

// Each calls f with the rows of a batch, which is borrowed, and their kinds. A nil cell is NULL. The cells are lent for the call.
func (t *Texts) Each(b *stream.Batch, f func(stream.RowKind, []*string) error) error {
	texts, err := t.casts.Apply(&t.pool, b)
	if err != nil {
		return err
	}
	defer texts.Release()
	for i := range texts.Rows() {
		row := texts.Row(i)
		for c := range texts.Columns {
			t.row[c] = nil
			if v := &texts.Columns[c]; !v.IsNull(row) {
				t.cells[c] = string(v.Bytes(row))
				t.row[c] = &t.cells[c]
			}
		}
		if err := f(b.Kind(row), t.row); err != nil {
			return err
		}
	}
	return nil
}
