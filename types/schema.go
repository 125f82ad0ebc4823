package types

import (
	"fmt"
	"strings"
)

// Schema is an ordered list of columns. It is immutable once shared.
type Schema struct {
	Fields []Field
}

// NewSchema returns a schema of the given columns.
func NewSchema(fields ...Field) *Schema { return &Schema{Fields: fields} }

// Len returns the number of columns.
func (s *Schema) Len() int { return len(s.Fields) }

// Index returns the position of the column with that name, -1 where there is none.
func (s *Schema) Index(name string) int {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

// Equal tells whether both schemas have the same columns in the same order.
func (s *Schema) Equal(o *Schema) bool {
	if s == o {
		return true
	}
	if s == nil || o == nil || len(s.Fields) != len(o.Fields) {
		return false
	}
	for i := range s.Fields {
		if s.Fields[i].Name != o.Fields[i].Name || !s.Fields[i].Type.Equal(o.Fields[i].Type) {
			return false
		}
	}
	return true
}

// Validate reports the first column that can't stand.
func (s *Schema) Validate() error {
	if len(s.Fields) == 0 {
		return fmt.Errorf("schema has no columns")
	}
	return RowOf(s.Fields...).Validate()
}

// String prints the columns as in a CREATE TABLE.
func (s *Schema) String() string {
	parts := make([]string, len(s.Fields))
	for i, f := range s.Fields {
		parts[i] = fmt.Sprintf("`%s` %s", f.Name, f.Type)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
