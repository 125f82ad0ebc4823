package files

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/types"
)

// part is what an epoch has of one directory.
type part struct {
	dir   string // "." in a table without keys
	piece []byte // encoded lines that were not handed on
}

// parts finds the directory of each row, by the values of the keys.
type parts struct {
	layout *layout
	check  func(dir string) error // refuses directories
	byDir  map[string]*part

	// last is that of the row before: rows of one directory often come one after the
	// other.
	last  *part
	row   int
	dir   []byte
	value []byte
}

func newParts(l *layout, check func(string) error) *parts {
	return &parts{layout: l, check: check, byDir: make(map[string]*part)}
}

// begin is called in front of the first row of a batch.
func (p *parts) begin() { p.last = nil }

// of returns the part of a row.
func (p *parts) of(b *stream.Batch, row int) (*part, error) {
	if p.last != nil && p.same(b, row) {
		return p.last, nil
	}
	p.dir = p.dir[:0]
	for i := range p.layout.keys {
		k := &p.layout.keys[i]
		p.dir, p.value = p.layout.appendKey(p.dir, k, &b.Columns[k.column], row, p.value)
	}
	if len(p.layout.keys) == 0 {
		p.dir = append(p.dir, '.')
	}
	found, ok := p.byDir[string(p.dir)]
	if !ok {
		var err error
		if found, err = p.add(string(p.dir)); err != nil {
			return nil, err
		}
	}
	p.last, p.row = found, row
	return found, nil
}

// same tells whether a row has the values of the one before.
func (p *parts) same(b *stream.Batch, row int) bool {
	for i := range p.layout.keys {
		if v := &b.Columns[p.layout.keys[i].column]; !stream.EqualValues(v, row, v, p.row) {
			return false
		}
	}
	return true
}

// appendKey appends the name of a directory to those of the keys before it. The value's text goes through scratch.
func (l *layout) appendKey(dir []byte, k *key, v *stream.Vector, row int, scratch []byte) (_, _ []byte) {
	if len(dir) > 0 {
		dir = append(dir, '/')
	}
	dir = append(dir, k.directory...)
	scratch = scratch[:0]
	if !v.IsNull(row) {
		scratch = appendValue(scratch, v, row)
	}
	if len(scratch) == 0 {
		scratch = append(scratch, l.absent...)
	}
	return appendEscaped(dir, scratch), scratch
}

// directoryOf returns the directory of rows with these values of the keys, a row as the graph writes them.
func (l *layout) directoryOf(values string) (string, error) {
	fields := make([]types.Field, len(l.keys))
	for i, k := range l.keys {
		fields[i] = l.schema.Fields[k.column]
	}
	row, err := jobgraph.DecodeRow(values, types.NewSchema(fields...))
	if err != nil {
		return "", err
	}
	var pool stream.Pool
	var dir, scratch []byte
	for i, f := range fields {
		b := stream.NewBuilder(&pool, f.Type, 1)
		b.AppendValue(row[i])
		v := b.Finish()
		dir, scratch = l.appendKey(dir, &l.keys[i], &v, 0, scratch)
		v.Release()
	}
	return string(dir), nil
}

// add begins a directory.
func (p *parts) add(dir string) (*part, error) {
	if len(p.byDir) == partsMax {
		return nil, failure.Userf("more than %d directories come together between two checkpoints of one task, %s among them: "+
			"partition by columns with fewer values, or deal the rows out by them in front of the sink", partsMax, dir)
	}
	for name := range strings.SplitSeq(dir, "/") {
		if len(name) > directoryBytesMax {
			return nil, failure.Userf("a row's directory has a name of more than %d bytes: %s...; partition by a column of shorter values", directoryBytesMax, name[:nameBytesMax])
		}
	}
	if err := p.check(dir); err != nil {
		return nil, err
	}
	n := &part{dir: dir}
	p.byDir[dir] = n
	return n, nil
}

// inOrder returns all parts, sorted.
func (p *parts) inOrder() []*part {
	return slices.SortedFunc(maps.Values(p.byDir), func(a, b *part) int { return cmp.Compare(a.dir, b.dir) })
}

// reset begins an epoch.
func (p *parts) reset() {
	clear(p.byDir)
	p.last = nil
}
