package rows

import (
	"encoding/json"
	"fmt"
	"reflect"
	"unsafe"

	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// StateOf returns the mapping of a type to the columns of a table of state, which have no parts: the fields of structs within it are columns of their
// own, called outer.inner, and what has no number of parts that is known (a slice, a map, a pointer to a struct) is one column of text, JSON.
func StateOf(t reflect.Type) (*Mapping, error) {
	m := &Mapping{Go: t, Rowtime: NoRowtime}
	if t.Kind() == reflect.Pointer {
		return nil, fmt.Errorf("%s: state is of values: leave the pointer out", t)
	}
	if !isStruct(t) {
		c, err := cellOf(t, types.Type{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t, err)
		}
		m.columns = []column{{name: ValueColumn, path: t.String(), codec: c}}
	} else if err := m.cells(t, "", nameOf(t), 0, 0); err != nil {
		return nil, err
	}
	fields := make([]types.Field, len(m.columns))
	for i, c := range m.columns {
		fields[i] = types.Field{Name: c.name, Type: c.typ}
	}
	m.Schema = types.NewSchema(fields...)
	return m, nil
}

// cells adds the fields of a struct, and of those in it.
func (m *Mapping) cells(t reflect.Type, prefix, path string, offset uintptr, depth int) error {
	if depth > types.MaxTypeDepth {
		return fmt.Errorf("%s contains itself", t)
	}
	for f := range t.Fields() {
		tag, err := tagOf(&f)
		at := path + "." + f.Name
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if tag.skip || !f.IsExported() && !f.Anonymous {
			continue
		}
		name := tag.name
		if name == "" {
			name = columnName(f.Name)
		}
		if isStruct(f.Type) {
			inner := prefix + name + "."
			if f.Anonymous && tag.name == "" {
				inner = prefix
			}
			if err := m.cells(f.Type, inner, at, offset+f.Offset, depth+1); err != nil {
				return err
			}
			continue
		}
		c, err := cellOf(f.Type, tag.typ)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		m.columns = append(m.columns, column{name: prefix + name, path: at, offset: offset + f.Offset, codec: c})
	}
	return nil
}

// cellOf returns the codec of a type as one column.
func cellOf(t reflect.Type, want types.Type) (*codec, error) {
	c, err := codecOf(t, want, 0)
	if err != nil {
		return nil, err
	}
	if l := c.typ.Layout(); l != types.LayoutList && l != types.LayoutStruct {
		return c, nil
	}
	return jsonCodec(t), nil
}

// jsonCodec keeps a value as text. Nil pointers, slices and maps are null in it.
func jsonCodec(t reflect.Type) *codec {
	pack := func(p unsafe.Pointer) ([]byte, error) { return json.Marshal(reflect.NewAt(t, p).Interface()) }
	return &codec{
		typ: types.StringType().NotNull(),
		read: func(r *Reader, v *stream.Vector, at span, to memory) {
			v, at = r.flat(v, at)
			for i := range at.n {
				if err := readJSON(t, v.Bytes(at.row(i)), to.at(i)); err != nil && r.err == nil {
					r.err = err
				}
			}
		},
		write: func(b *stream.Builder, from memory, n int) error {
			for i := range n {
				text, err := pack(from.at(i))
				if err != nil {
					return err
				}
				b.AppendBytes(text)
			}
			return nil
		},
		pack:   pack,
		unpack: func(b []byte, p unsafe.Pointer) error { return readJSON(t, b, p) },
	}
}

// readJSON reads a value. A column that was added to rows that are there is empty in them: that is the zero value.
func readJSON(t reflect.Type, text []byte, p unsafe.Pointer) error {
	v := reflect.NewAt(t, p)
	v.Elem().SetZero()
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, v.Interface()); err != nil {
		return fmt.Errorf("a %s that was kept can't be read: %w", t, err)
	}
	return nil
}

// nullSuffix is that of the name of a column that says of another one that it is NULL. No field can have such a name.
const nullSuffix = "?"

// Cells are the columns of a Value table for a mapping of StateOf: each column of the mapping, and behind one that may be NULL a flag that
// says so, since words of state have no NULL.
type Cells struct {
	cells []cell
	// Columns are those of the table.
	Columns []jobgraph.NativeColumn
	// Words is how many words a row has.
	Words int
}

// cell is a column of the mapping in the table.
type cell struct {
	*column
	index      int // the column of the table
	word, flag int // words of the row; flag is -1 where the column is never NULL
}

// Cells returns the columns of a Value table.
func (m *Mapping) Cells() *Cells {
	c := &Cells{}
	for i := range m.columns {
		column := &m.columns[i]
		x := cell{column: column, index: len(c.Columns), word: c.Words, flag: -1}
		c.Columns = append(c.Columns, jobgraph.NativeColumn{Name: column.name, Type: column.typ.NotNull()})
		c.Words++
		if column.typ.Layout() == types.LayoutInt128 {
			c.Words++
		}
		if column.typ.Nullable {
			x.flag = c.Words
			c.Words++
			c.Columns = append(c.Columns, jobgraph.NativeColumn{
				Name: column.name + nullSuffix, Type: types.Of(types.Boolean).NotNull(), NullOf: column.name,
			})
		}
		c.cells = append(c.cells, x)
	}
	return c
}

// BlankIsZero tells whether a new row of a table, whose words are all 0, is the zero value. It is not where that has a nil pointer, which is NULL, or a time.Time, which
// begins in the year 1.
func (c *Cells) BlankIsZero() bool {
	var zero [16]uint64 // memory of any type of fixed width
	for i := range c.cells {
		of := c.cells[i].codec
		if of.elem != nil {
			return false
		}
		if of.store == nil {
			continue // no bytes are the zero value
		}
		var words [2]uint64
		if err := of.store(unsafe.Pointer(&zero), words[:]); err != nil || words != [2]uint64{} {
			return false
		}
	}
	return true
}

// Row is what cells need of the table that has them: a statebackend.Part has it.
type Row interface {
	Rows() statebackend.Rows
	Bytes(column int, slot statebackend.Slot) []byte
	SetBytes(column int, slot statebackend.Slot, value []byte) error
}

// Load reads the row of a slot into the value at p, which is of the mapping's type. What it reads of bytes is copied.
func (c *Cells) Load(part Row, s statebackend.Slot, p unsafe.Pointer) error {
	words := part.Rows().At(s)
	for i := range c.cells {
		x := &c.cells[i]
		of, at := x.codec, unsafe.Add(p, x.offset)
		if x.elem != nil {
			if words[x.flag] != 0 {
				*(*unsafe.Pointer)(at) = nil
				continue
			}
			fresh := reflect.New(x.of).UnsafePointer()
			*(*unsafe.Pointer)(at) = fresh
			of, at = x.elem, fresh
		}
		if of.load != nil {
			of.load(words[x.word:], at)
		} else if err := of.unpack(part.Bytes(x.index, s), at); err != nil {
			return fmt.Errorf("%s: %w", x.path, err)
		}
	}
	return nil
}

// Store writes the value at p, of the mapping's type, into the row of a slot, which must count as changed already.
func (c *Cells) Store(part Row, s statebackend.Slot, p unsafe.Pointer) error {
	words := part.Rows().At(s)
	for i := range c.cells {
		x := &c.cells[i]
		of, at := x.codec, unsafe.Add(p, x.offset)
		if x.elem != nil {
			of, at = x.elem, *(*unsafe.Pointer)(at)
			words[x.flag] = 0
			if at == nil {
				words[x.flag] = 1
				continue // what it was before stays, and nobody sees it
			}
		}
		if err := x.store(part, s, of, at, words); err != nil {
			return fmt.Errorf("%s: %w", x.path, err)
		}
	}
	return nil
}

func (x *cell) store(part Row, s statebackend.Slot, of *codec, at unsafe.Pointer, words []uint64) error {
	if of.store != nil {
		return of.store(at, words[x.word:])
	}
	value, err := of.pack(at)
	if err != nil {
		return err
	}
	return part.SetBytes(x.index, s, value)
}
