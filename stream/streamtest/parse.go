package streamtest

import (
	"fmt"
	"strings"

	"millrace/stream"
	"millrace/types"
)

// Batch returns the rows of the text as one batch, which the caller owns.
func Batch(t TB, p *stream.Pool, s *types.Schema, text string) *stream.Batch {
	t.Helper()
	b, err := Parse(p, s, text)
	if err != nil {
		t.Fatalf("parse rows: %v", err)
	}
	return b
}

// Parse is Batch for callers that expect errors.
func Parse(p *stream.Pool, s *types.Schema, text string) (*stream.Batch, error) {
	r := newRowBuilder(p, s)
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := r.add(line); err != nil {
			r.close()
			return nil, fmt.Errorf("line %d (%s): %w", i+1, line, err)
		}
	}
	return r.finish(), nil
}

// rowBuilder builds a batch a line at a time.
type rowBuilder struct {
	pool     *stream.Pool
	schema   *types.Schema
	builders []stream.Builder
	kinds    []stream.RowKind
}

func newRowBuilder(p *stream.Pool, s *types.Schema) *rowBuilder {
	r := &rowBuilder{pool: p, schema: s, builders: make([]stream.Builder, s.Len())}
	for i, f := range s.Fields {
		r.builders[i].Init(p, f.Type, 4)
	}
	return r
}

func (r *rowBuilder) add(line string) error {
	in := &scanner{text: line}
	r.kinds = append(r.kinds, in.kind())
	for i, f := range r.schema.Fields {
		if err := in.value(&r.builders[i], f.Type); err != nil {
			return fmt.Errorf("column %s: %w", f.Name, err)
		}
	}
	if rest := in.rest(); rest != "" {
		return fmt.Errorf("%q is left over", rest)
	}
	return nil
}

func (r *rowBuilder) finish() *stream.Batch {
	b := r.pool.NewBatch(r.schema, len(r.kinds))
	for i := range r.builders {
		b.Columns[i] = r.builders[i].Finish()
	}
	for i, k := range r.kinds {
		if k != stream.Insert {
			b.MakeKinds()[i] = k
		}
	}
	return b
}

func (r *rowBuilder) close() {
	for i := range r.builders {
		r.builders[i].Close()
	}
}

var kindsByName = map[string]stream.RowKind{
	"+I": stream.Insert, "-U": stream.UpdateBefore, "+U": stream.UpdateAfter, "-D": stream.Delete,
}

// scanner reads the values of one line.
type scanner struct {
	text string
	pos  int
}

func (s *scanner) skip() {
	for s.pos < len(s.text) && s.text[s.pos] == ' ' {
		s.pos++
	}
}

func (s *scanner) rest() string {
	s.skip()
	return s.text[s.pos:]
}

// accept takes the byte if it comes next.
func (s *scanner) accept(c byte) bool {
	s.skip()
	if s.pos < len(s.text) && s.text[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) expect(c byte) error {
	if !s.accept(c) {
		return fmt.Errorf("%q is missing before %q", c, s.rest())
	}
	return nil
}

// kind takes a row kind; without one the row is an Insert.
func (s *scanner) kind() stream.RowKind {
	rest := s.rest()
	if len(rest) >= 2 {
		if k, ok := kindsByName[rest[:2]]; ok && (len(rest) == 2 || rest[2] == ' ') {
			s.pos += 2
			return k
		}
	}
	return stream.Insert
}

// word takes what stands before a blank or a separator of nested values.
func (s *scanner) word() string {
	s.skip()
	from := s.pos
	for s.pos < len(s.text) && !strings.ContainsRune(" ,)]}", rune(s.text[s.pos])) {
		s.pos++
	}
	return s.text[from:s.pos]
}

// quoted takes a string in single quotes; a doubled quote stands for one.
func (s *scanner) quoted() (string, error) {
	if err := s.expect('\''); err != nil {
		return "", err
	}
	var sb strings.Builder
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		s.pos++
		if c != '\'' {
			sb.WriteByte(c)
			continue
		}
		if s.pos == len(s.text) || s.text[s.pos] != '\'' {
			return sb.String(), nil
		}
		sb.WriteByte('\'')
		s.pos++
	}
	return "", fmt.Errorf("a quote is not closed")
}
