package rows

import (
	"fmt"
	"unsafe"

	"millrace/stream"
)

// TileRows is how many rows are converted at once: few enough to stay in the first cache, many enough that what a column costs beside its
// rows does not show.
const TileRows = 256

// Reader reads rows of a mapping out of vectors. It is for one goroutine.
type Reader struct {
	m       *Mapping
	at      []int   // where the columns of the mapping stand
	scratch []int32 // positions that encodings and NULLs make of a tile's
	err     error   // the first value that can't be read
}

// read writes rows of the columns to memory.
func (r *Reader) read(columns []stream.Vector, at span, to memory) error {
	r.err = nil
	for i := range r.m.columns {
		c, v := &r.m.columns[i], &columns[r.at[i]]
		r.scratch = r.scratch[:0]
		if !c.typ.Nullable && (v.HasNulls() || v.Encoding == stream.Dictionary) {
			if err := c.refuseNull(v, at); err != nil {
				return err
			}
		}
		c.read(r, v, at, memory{unsafe.Add(to.base, c.offset), to.stride})
	}
	return r.err
}

// refuseNull finds NULLs that the field has no place for.
func (c *column) refuseNull(v *stream.Vector, at span) error {
	for i := range at.n {
		if v.IsNull(at.row(i)) {
			return fmt.Errorf("column %s is NULL, and %s has no NULL: make the field a pointer", c.name, c.path)
		}
	}
	return nil
}

// flat returns the flat vector in which rows of a vector stand, and where.
func (r *Reader) flat(v *stream.Vector, at span) (*stream.Vector, span) {
	switch v.Encoding {
	case stream.Constant:
		zeros := r.positions(at.n)
		clear(zeros)
		return v, span{sel: zeros, n: at.n}
	case stream.Dictionary:
		indices, to := v.Indices(), r.positions(at.n)
		for i := range to {
			to[i] = indices[at.row(i)]
		}
		return v.Dict(), span{sel: to, n: at.n}
	default:
		return v, at
	}
}

// positions returns room for n positions, until the next column.
func (r *Reader) positions(n int) []int32 {
	used := len(r.scratch)
	if cap(r.scratch) < used+n {
		r.scratch, used = make([]int32, 0, max(n, 4*TileRows)), 0 // who has the old ones keeps them
	}
	r.scratch = r.scratch[:used+n]
	return r.scratch[used : used+n : used+n]
}

// notNull makes every pointer nil, and returns the rows that are not NULL, with which of the tile they are.
func (r *Reader) notNull(v *stream.Vector, at span, to memory) (there, which []int32) {
	there, which = r.positions(at.n)[:0], r.positions(at.n)[:0]
	for i := range at.n {
		*(*unsafe.Pointer)(to.at(i)) = nil
		if row := at.row(i); !v.IsNull(row) {
			there, which = append(there, int32(row)), append(which, int32(i))
		}
	}
	return there, which
}

// copied returns a copy of the bytes of rows of a flat vector, one behind the other.
func (r *Reader) copied(v *stream.Vector, at span) []byte {
	offsets, data := v.Offsets(), v.Data()
	if at.n == 0 {
		return nil
	}
	if at.sel == nil {
		return append([]byte(nil), data[offsets[at.from]:offsets[at.from+at.n]]...)
	}
	total := 0
	for _, s := range at.sel {
		total += int(offsets[s+1] - offsets[s])
	}
	all := make([]byte, 0, total)
	for _, s := range at.sel {
		all = append(all, data[offsets[s]:offsets[s+1]]...)
	}
	return all
}

// Tile is an array of rows that are read together.
type Tile[T any] struct {
	reader Reader
	rows   []T
}

// NewTile returns a tile of rows of a mapping, which must be that of T. at says where the mapping's columns stand in batches; nil: in its own order from the
// first on.
func NewTile[T any](m *Mapping, at []int) *Tile[T] {
	if at == nil {
		for i := range m.columns {
			at = append(at, i)
		}
	}
	return &Tile[T]{reader: Reader{m: m, at: at}, rows: make([]T, TileRows)}
}

// Read returns the selected rows from, from+1, ... to-1 of a batch: at most TileRows. They are the caller's until the next Read, which writes
// over them. The error names the column and the field of a NULL that the field has no place for.
func (t *Tile[T]) Read(b *stream.Batch, from, to int) ([]T, error) {
	at := span{from: from, n: to - from}
	if sel := b.Sel(); sel != nil {
		at.sel = sel[from:to]
	}
	return t.read(b.Columns, at)
}

// ReadColumns returns the rows from, from+1, ... to-1 of vectors, as Read does.
func (t *Tile[T]) ReadColumns(columns []stream.Vector, from, to int) ([]T, error) {
	return t.read(columns, span{from: from, n: to - from})
}

func (t *Tile[T]) read(columns []stream.Vector, at span) ([]T, error) {
	out := t.rows[:at.n]
	if at.n == 0 {
		return out, nil
	}
	return out, t.reader.read(columns, at, memoryOf(out))
}

func memoryOf[T any](rows []T) memory {
	var row T
	return memory{unsafe.Pointer(unsafe.SliceData(rows)), unsafe.Sizeof(row)}
}

// Append appends rows, of the mapping of T, to a builder a column. An error names the field whose value has no place in its type; what was appended before it stays.
func Append[T any](m *Mapping, rows []T, columns []stream.Builder) error {
	if len(rows) == 0 {
		return nil
	}
	from := memoryOf(rows)
	for i := range m.columns {
		c := &m.columns[i]
		if err := c.write(&columns[i], memory{unsafe.Add(from.base, c.offset), from.stride}, len(rows)); err != nil {
			return fmt.Errorf("%s: %w", c.path, err)
		}
	}
	return nil
}
