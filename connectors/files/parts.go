package files

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"millrace/internal/failure"
	"millrace/stream"
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
		if i > 0 {
			p.dir = append(p.dir, '/')
		}
		p.appendKey(&p.layout.keys[i], b, row)
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

func (p *parts) appendKey(k *key, b *stream.Batch, row int) {
	p.dir = append(p.dir, k.directory...)
	p.value = p.value[:0]
	if v := &b.Columns[k.column]; !v.IsNull(row) {
		p.value = appendValue(p.value, v, row)
	}
	if len(p.value) == 0 {
		p.value = append(p.value, p.layout.absent...)
	}
	p.dir = appendEscaped(p.dir, p.value)
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
