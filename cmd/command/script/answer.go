package script

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"unicode"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/formats"
	"millrace/formats/json"
	"millrace/stream"
	"millrace/types"
)

// Form is how rows are written.
type Form string

// The forms. Of a table the columns are lined up, json is an object a line, csv has a line of names first.
const (
	Table Form = "table"
	JSON  Form = "json"
	CSV   Form = "csv"
)

// answer writes rows of one query. It begins with the names of the columns and ends with Close.
type answer interface {
	// batch takes rows, which it borrows.
	batch(b *stream.Batch) error
	Close() error
}

// opColumn is the column that says which change a row is, where there are changes.
const opColumn = "op"

// newAnswer begins an answer to a query with these columns; with changes, each row is preceded by its kind.
func newAnswer(form Form, to io.Writer, columns *types.Schema, changes bool, functions *expr.Registry, zone kernel.Session) (answer, error) {
	if changes {
		columns = withOp(columns)
	}
	if form == JSON {
		e, err := json.NewEncoder(columns, json.Options{})
		return &jsonAnswer{to: to, encoder: e, columns: columns, changes: changes}, err
	}
	texts, err := NewTexts(columns, functions, zone)
	if err != nil {
		return nil, err
	}
	cells := &cellAnswer{texts: texts, columns: columns, changes: changes}
	if form == CSV {
		cells.to = newCSV(to, names(columns))
	} else {
		cells.to = newTable(to, columns)
	}
	return cells, nil
}

// withOp puts the column for the kind in front.
func withOp(s *types.Schema) *types.Schema {
	name := opColumn
	for s.Index(name) >= 0 {
		name += "_"
	}
	return types.NewSchema(append([]types.Field{{Name: name, Type: types.StringType().NotNull()}}, s.Fields...)...)
}

func names(s *types.Schema) []string {
	out := make([]string, s.Len())
	for i, f := range s.Fields {
		out[i] = f.Name
	}
	return out
}

// opened returns the selected rows with the column for their kinds in front, as a batch of inserts that the caller releases.
func opened(b *stream.Batch, columns *types.Schema, pool *stream.Pool) *stream.Batch {
	rows := b.Inserts(pool)
	defer rows.Release()
	out := pool.NewBatch(columns, rows.Len())
	var kinds stream.Builder
	kinds.Init(pool, columns.Fields[0].Type, rows.Len())
	for i := range b.Rows() {
		kinds.AppendString(b.Kind(b.Row(i)).String())
	}
	out.Columns[0] = kinds.Finish()
	for i := range rows.Columns {
		rows.Columns[i].Retain()
		out.Columns[i+1] = rows.Columns[i]
	}
	return out
}

// jsonAnswer writes an object a line.
type jsonAnswer struct {
	to       io.Writer
	encoder  formats.Encoder
	columns  *types.Schema
	changes  bool
	pool     stream.Pool
	payloads formats.Payloads
}

func (a *jsonAnswer) batch(b *stream.Batch) error {
	if a.changes {
		b = opened(b, a.columns, &a.pool)
		defer b.Release()
	}
	a.payloads.Reset()
	if err := a.encoder.Encode(b, &a.payloads); err != nil {
		return err
	}
	for i := range a.payloads.Len() {
		if _, err := fmt.Fprintf(a.to, "%s\n", a.payloads.At(i)); err != nil {
			return err
		}
	}
	return nil
}

func (*jsonAnswer) Close() error { return nil }

// cells takes rows of texts.
type cells interface {
	write(row []*string) error
	// pause is behind rows that came together.
	pause() error
	close() error
}

// cellAnswer makes texts of values.
type cellAnswer struct {
	to      cells
	texts   *Texts
	columns *types.Schema
	changes bool
	pool    stream.Pool
}

func (a *cellAnswer) batch(b *stream.Batch) error {
	if a.changes {
		b = opened(b, a.columns, &a.pool)
		defer b.Release()
	}
	err := a.texts.Each(b, func(_ stream.RowKind, row []*string) error { return a.to.write(row) })
	if err != nil {
		return err
	}
	return a.to.pause()
}

func (a *cellAnswer) Close() error { return a.to.close() }

// csvCells writes RFC 4180, NULL as an empty field.
type csvCells struct {
	out  *csv.Writer
	line []string
}

func newCSV(to io.Writer, names []string) *csvCells {
	c := &csvCells{out: csv.NewWriter(to)}
	_ = c.out.Write(names) // the first Flush tells
	return c
}

func (c *csvCells) write(row []*string) error {
	c.line = c.line[:0]
	for _, cell := range row {
		text := ""
		if cell != nil {
			text = *cell
		}
		c.line = append(c.line, text)
	}
	return c.out.Write(c.line)
}

func (c *csvCells) pause() error {
	c.out.Flush()
	return c.out.Error()
}

func (c *csvCells) close() error { return c.pause() }

// tableCells lines columns up. Rows that come together determine the widths; later ones that are wider make columns wider from there on.
type tableCells struct {
	to      io.Writer
	names   []string
	numbers []bool // stand on the right
	widths  []int
	rows    [][]string
	count   int
	begun   bool
}

func newTable(to io.Writer, s *types.Schema) *tableCells {
	t := &tableCells{to: to, names: names(s), numbers: make([]bool, s.Len()), widths: make([]int, s.Len())}
	for i, f := range s.Fields {
		t.numbers[i] = isNumber(f.Type.Kind)
	}
	t.widen(t.names)
	return t
}

func (t *tableCells) widen(row []string) {
	for i, text := range row {
		t.widths[i] = max(t.widths[i], width(text))
	}
}

// width is how many cells of a terminal a text takes, about: marks that combine take none, East Asian wide ones two.
func width(text string) (n int) {
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
			n += 2
		default:
			n++
		}
	}
	return n
}

// shown keeps a cell on one line.
var shown = strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`)

func (t *tableCells) write(row []*string) error {
	texts := make([]string, len(row))
	for i, cell := range row {
		texts[i] = "<NULL>"
		if cell != nil {
			texts[i] = shown.Replace(*cell)
		}
	}
	t.widen(texts)
	t.rows = append(t.rows, texts)
	t.count++
	return nil
}

func (t *tableCells) pause() error {
	if len(t.rows) == 0 {
		return nil
	}
	var b strings.Builder
	if !t.begun {
		t.begun = true
		t.rule(&b)
		t.line(&b, t.names, false)
		t.rule(&b)
	}
	for _, row := range t.rows {
		t.line(&b, row, true)
	}
	t.rows = t.rows[:0]
	_, err := io.WriteString(t.to, b.String())
	return err
}

func (t *tableCells) rule(b *strings.Builder) {
	for _, w := range t.widths {
		b.WriteString("+" + strings.Repeat("-", w+2))
	}
	b.WriteString("+\n")
}

func (t *tableCells) line(b *strings.Builder, row []string, values bool) {
	for i, text := range row {
		pad := strings.Repeat(" ", max(0, t.widths[i]-width(text)))
		if values && t.numbers[i] {
			b.WriteString("| " + pad + text + " ")
		} else {
			b.WriteString("| " + text + pad + " ")
		}
	}
	b.WriteString("|\n")
}

func (t *tableCells) close() error {
	if err := t.pause(); err != nil {
		return err
	}
	if t.count == 0 {
		_, err := io.WriteString(t.to, "Empty set\n")
		return err
	}
	var b strings.Builder
	t.rule(&b)
	noun := "rows"
	if t.count == 1 {
		noun = "row"
	}
	fmt.Fprintf(&b, "%d %s in set\n", t.count, noun)
	_, err := io.WriteString(t.to, b.String())
	return err
}

// isNumber tells which columns stand on the right.
func isNumber(k types.Kind) bool {
	switch k {
	case types.TinyInt, types.SmallInt, types.Int, types.BigInt, types.Decimal, types.Float, types.Double:
		return true
	default:
		return false
	}
}
