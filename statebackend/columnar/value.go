package columnar

import (
	"slices"
	"sort"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// partsPooledMax bounds the emptied parts that a table keeps for reuse.
const partsPooledMax = 64

// valueTable is statebackend.ValueTable: a part for each namespace.
type valueTable struct {
	store *store
	spec  statebackend.ValueSpec
	// Derived from spec.
	layout   stream.KeyLayout
	keyWords int
	words    []int // word of each column behind the key
	width    int   // words of all columns
	byteWord []int // word of each bytes column in a row

	parts   []*part // by namespace, ascending
	last    *part   // the part asked for last
	empties []*part

	begins  int       // rows for which a namespace has room from the start; see firstRows
	dropped []int64   // namespaces dropped since the last freeze, ascending
	removed removeLog // keys deleted since the last freeze

	// Scratch of a tile: entries of the index, keys.
	first [tileRows]uint64
	keys  [tileRows]int64

	former *recast // of rows in the tier that were there before the declaration; nil: they stay as they are
}

func newValueTable(s *store, spec statebackend.ValueSpec) (*valueTable, error) {
	layout, err := checkSpec(spec.ID, spec.Keys, spec.Columns)
	if err != nil {
		return nil, err
	}
	t := &valueTable{store: s, spec: spec, layout: layout, keyWords: keyWords(layout)}
	t.words, t.width = statebackend.WordOf(spec.Columns)
	for i, c := range spec.Columns {
		if c.Type.Layout() == types.LayoutBytes {
			t.byteWord = append(t.byteWord, t.keyWords+t.words[i])
		}
	}
	t.removed = newRemoveLog(s.frozen)
	return t, nil
}

// keyWords returns the words of a key in a row: its value, or its hash and
// where its bytes stand.
func keyWords(l stream.KeyLayout) int {
	if l == stream.Key64 {
		return 1
	}
	return 2
}

// Part implements statebackend.ValueTable. A table without namespaces has the
// one part, whatever is asked for.
func (t *valueTable) Part(namespace int64, create bool) statebackend.Part {
	if p := t.part(namespace, create); p != nil {
		return p
	}
	return nil
}

func (t *valueTable) part(namespace int64, create bool) *part {
	if !t.spec.Namespaced {
		namespace = 0
	}
	if t.last != nil && t.last.namespace == namespace {
		return t.last
	}
	i := t.search(namespace)
	if i < len(t.parts) && t.parts[i].namespace == namespace {
		t.last = t.parts[i]
		return t.last
	}
	if !create {
		return nil
	}
	p := t.emptyPart()
	p.namespace = namespace
	t.parts = slices.Insert(t.parts, i, p)
	t.last = p
	return p
}

// search returns where a namespace stands or would stand.
func (t *valueTable) search(namespace int64) int {
	if n := len(t.parts); n == 0 || t.parts[n-1].namespace < namespace {
		return n // windows end ever later
	}
	return sort.Search(len(t.parts), func(i int) bool { return t.parts[i].namespace >= namespace })
}

func (t *valueTable) emptyPart() *part {
	var p *part
	if last := len(t.empties) - 1; last >= 0 {
		p, t.empties = t.empties[last], t.empties[:last]
	} else {
		p = &part{
			table: t, rowSet: newRowSet(t.store.memory, t.keyWords+t.width),
			bytes: newArena(t.store.memory), null: noSlot, sweep: noSlot,
		}
	}
	p.first = t.begins
	return p
}

// learn has namespaces to come begin as large as one was that is over, or by half smaller than those before it.
func (t *valueTable) learn(p *part) {
	size := firstRows
	for size < int(p.n) && size < firstRowsMax {
		size *= 2
	}
	t.begins = max(size, t.begins/2)
}

// Namespaces implements statebackend.ValueTable.
func (t *valueTable) Namespaces(dst []int64) []int64 {
	for _, p := range t.parts {
		if p.Len() > 0 {
			dst = append(dst, p.namespace)
		}
	}
	return dst
}

// Drop implements statebackend.ValueTable.
func (t *valueTable) Drop(namespace int64) {
	if !t.spec.Namespaced {
		namespace = 0
	}
	i := t.search(namespace)
	if i == len(t.parts) || t.parts[i].namespace != namespace {
		return
	}
	p := t.parts[i]
	t.parts = slices.Delete(t.parts, i, i+1)
	t.last = nil
	if p.persisted {
		t.noteDrop(namespace)
	}
	t.learn(p)
	p.release()
	if len(t.empties) < partsPooledMax {
		t.empties = append(t.empties, p)
	} else {
		p.mem.account(-int64(len(p.dirty)) * 8)
	}
}

// noteDrop keeps the drop of a namespace for the next delta.
func (t *valueTable) noteDrop(namespace int64) {
	if i, found := slices.BinarySearch(t.dropped, namespace); !found {
		t.dropped = slices.Insert(t.dropped, i, namespace)
	}
}

// Len implements statebackend.ValueTable.
func (t *valueTable) Len() int {
	n := 0
	for _, p := range t.parts {
		n += p.Len()
	}
	return n
}
