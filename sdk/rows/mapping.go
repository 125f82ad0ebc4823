package rows

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"millrace/sql/analyze"
	"millrace/types"
)

// Mapping is how a Go type stands in columns.
type Mapping struct {
	Go     reflect.Type
	Schema *types.Schema
	// Rowtime is the column of the field that is tagged rowtime, NoRowtime without one.
	Rowtime int
	columns []column
}

// NoRowtime is the Rowtime of a type that has no event time.
const NoRowtime = -1

// column is a field, however deep it is embedded.
type column struct {
	name   string
	path   string // as people name it: Bid.Auction
	offset uintptr
	goType reflect.Type
	tagged bool // the type is said by a tag
	*codec
}

// ValueColumn is the column of a type that is no struct.
const ValueColumn = "value"

// Of returns the mapping of a type.
//
// The columns of a struct are its exported fields in their order, those of embedded structs among them. A field is
// named by its tag, `millrace:"name"`, or after itself with its leading capitals in lower case: Auction is auction, URLPath is
// urlPath, DateTime is dateTime. `millrace:"-"` leaves it out; `millrace:",rowtime"` says that it is the event time. A pointer may
// be NULL, everything else is NOT NULL. `type:"DECIMAL(10, 2)"` says which of the SQL types it is that go with the field's type; docs/sdk has the table.
//
// Any other type is one column, "value". The error names the field that has no place in SQL.
func Of(t reflect.Type) (*Mapping, error) {
	m := &Mapping{Go: t, Rowtime: NoRowtime}
	if t.Kind() == reflect.Pointer {
		return nil, fmt.Errorf("%s: rows are values: leave the pointer out", t)
	}
	if !isStruct(t) {
		c, err := codecOf(t, types.Type{}, 0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t, err)
		}
		m.columns = []column{{name: ValueColumn, path: t.String(), goType: t, codec: c}}
	} else if err := m.fields(t, nameOf(t), 0, 0); err != nil {
		return nil, err
	}
	if len(m.columns) == 0 {
		return nil, fmt.Errorf("%s has no exported fields, and a row needs a column", t)
	}
	out := make([]types.Field, len(m.columns))
	for i, c := range m.columns {
		out[i] = types.Field{Name: c.name, Type: c.typ}
	}
	m.Schema = types.NewSchema(out...)
	if err := m.Schema.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	return m, nil
}

// nameOf is what people call a struct.
func nameOf(t reflect.Type) string {
	if t.Name() == "" {
		return "struct"
	}
	return t.Name()
}

// fields adds the fields of a struct that begins at the offset.
func (m *Mapping) fields(t reflect.Type, path string, offset uintptr, depth int) error {
	if depth > types.MaxTypeDepth {
		return fmt.Errorf("%s contains itself", t)
	}
	for f := range t.Fields() {
		tag, err := tagOf(&f)
		at := path + "." + f.Name
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", at, err)
		case tag.skip:
			continue
		case f.Anonymous && isStruct(f.Type) && tag.name == "":
			if err := m.fields(f.Type, at, offset+f.Offset, depth+1); err != nil {
				return err
			}
			continue
		case !f.IsExported():
			continue
		}
		if err := m.field(&f, tag, at, offset+f.Offset, depth); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mapping) field(f *reflect.StructField, tag tag, path string, offset uintptr, depth int) error {
	c, err := codecOf(f.Type, tag.typ, depth)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	name := tag.name
	if name == "" {
		name = columnName(f.Name)
	}
	for _, other := range m.columns {
		if other.name == name {
			return fmt.Errorf("%s and %s are both column %s: give one another name, `millrace:\"...\"`", other.path, path, name)
		}
	}
	if tag.rowtime {
		if err := m.rowtime(c, path); err != nil {
			return err
		}
	}
	m.columns = append(m.columns, column{name: name, path: path, offset: offset, goType: f.Type, tagged: tag.typ.Kind != types.Invalid, codec: c})
	return nil
}

func (m *Mapping) rowtime(c *codec, path string) error {
	k := c.typ.Kind
	if k != types.Timestamp && k != types.TimestampLTZ || c.typ.Unit() != types.Millis || c.typ.Nullable {
		return fmt.Errorf("%s: event time is a time.Time of TIMESTAMP_LTZ or TIMESTAMP(0) to (3), not %s", path, c.typ)
	}
	if m.Rowtime != NoRowtime {
		return fmt.Errorf("%s and %s are both rowtime: event time is one", m.columns[m.Rowtime].path, path)
	}
	m.Rowtime = len(m.columns)
	return nil
}

// tag is what a field says of itself.
type tag struct {
	name          string
	typ           types.Type // invalid: none is said
	skip, rowtime bool
}

func tagOf(f *reflect.StructField) (t tag, err error) {
	if named := f.Tag.Get("type"); named != "" {
		if t.typ, err = analyze.TypeNamed(named); err != nil {
			return t, fmt.Errorf("the tag type:%q: %w", named, err)
		}
	}
	text, said := f.Tag.Lookup("millrace")
	if !said {
		return t, nil
	}
	if text == "-" {
		return tag{skip: true}, nil
	}
	name, options, _ := strings.Cut(text, ",")
	t.name = name
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "":
		case "rowtime":
			t.rowtime = true
		default:
			return t, fmt.Errorf("the tag millrace:%q has no option %s: there is rowtime", text, option)
		}
	}
	if !f.IsExported() {
		return t, fmt.Errorf("is tagged, but not exported")
	}
	return t, nil
}

// columnName is the name of a field in columns: its leading capitals in lower case, but for the one that begins the next word.
func columnName(field string) string {
	r := []rune(field)
	for i := range r {
		if !unicode.IsUpper(r[i]) || i > 0 && i+1 < len(r) && unicode.IsLower(r[i+1]) {
			break
		}
		r[i] = unicode.ToLower(r[i])
	}
	return string(r)
}

// Names returns the columns by the names of the fields that they are.
func (m *Mapping) Names() []string {
	names := make([]string, len(m.columns))
	for i, c := range m.columns {
		names[i] = c.name
	}
	return names
}

// Column returns the column of that name, -1 where there is none.
func (m *Mapping) Column(name string) int { return m.Schema.Index(name) }

// Over returns the mapping over columns of a schema, found by their names, and where they stand. A field whose type no tag says takes the type of its column, if it can have it. A
// field that is no pointer may stand for a column that may be NULL: to read a NULL is an error then. The error lists everything that does not go together.
func (m *Mapping) Over(s *types.Schema) (*Mapping, []int, error) {
	out := &Mapping{Go: m.Go, Rowtime: m.Rowtime, columns: make([]column, len(m.columns))}
	at := make([]int, len(m.columns))
	fields := make([]types.Field, len(m.columns))
	var wrong []string
	for i, c := range m.columns {
		out.columns[i] = c
		if at[i] = s.Index(c.name); at[i] < 0 {
			wrong = append(wrong, fmt.Sprintf("%s is column %s, which is not there", c.path, c.name))
			continue
		}
		is := s.Fields[at[i]].Type
		if err := out.columns[i].adopt(is); err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: column %s is %s: %s", c.path, c.name, is, err))
		}
		fields[i] = types.Field{Name: c.name, Type: out.columns[i].typ}
	}
	if len(wrong) > 0 {
		return nil, nil, fmt.Errorf("%s does not go with the columns %s: %s", m.Go, strings.Join(columnNames(s), ", "), strings.Join(wrong, "; "))
	}
	out.Schema = types.NewSchema(fields...)
	return out, at, nil
}

func columnNames(s *types.Schema) []string {
	names := make([]string, s.Len())
	for i, f := range s.Fields {
		names[i] = f.Name
	}
	return names
}

// adopt has the column stand for one of another type, where that can be.
func (c *column) adopt(is types.Type) error {
	if c.typ.EqualIgnoringNull(is) {
		return nil
	}
	if c.tagged {
		return fmt.Errorf("the field is %s by its tag", c.typ)
	}
	other, err := codecOf(c.goType, is.NotNull(), 0)
	if err == nil {
		c.codec = other
	}
	return err
}
