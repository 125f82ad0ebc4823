package native

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"millrace/exchange/frame"
	"millrace/failure"
	"millrace/jobgraph/codec"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// RowList keeps rows in a list table, an entry for some of them: its version, the length of the schema and the schema, and the rows as
// they travel between processes (package frame). So every type is kept exactly, and an entry can be read by a program whose rows have other columns by now.
// It is for one goroutine.
type RowList struct {
	table   statebackend.ListTable
	pool    *stream.Pool
	compact frame.Compactor
	parts   frame.Parts
	schema  *types.Schema
	encoded []byte // of the schema
	entries [][]byte
	// evolution is that of the entry before: all of one list have one schema, or few.
	evolution *evolution
	evolves   []byte // the schema from which
}

// rowListVersion is the version of an entry.
const rowListVersion = 1

// rowListHead is what stands in front of the schema.
const rowListHead = 1 + 4

// NewRowList returns the list of a table for rows of a schema.
func NewRowList(table statebackend.ListTable, s *types.Schema, pool *stream.Pool) (*RowList, error) {
	encoded, err := codec.EncodeSchema(s)
	return &RowList{table: table, pool: pool, compact: frame.Compactor{Pool: pool}, schema: s, encoded: encoded}, err
}

// Add notes rows, which it takes over, as one entry, or more where they are large.
func (l *RowList) Add(b *stream.Batch) error {
	return l.compact.Each(b, func(b *stream.Batch) error {
		defer b.Release()
		var h frame.Header
		if err := l.parts.Of(&h, b); err != nil {
			return err
		}
		at := rowListHead + len(l.encoded)
		entry := make([]byte, at+frame.HeaderBytes, at+h.FrameBytes())
		entry[0] = rowListVersion
		binary.LittleEndian.PutUint32(entry[1:], uint32(len(l.encoded)))
		copy(entry[rowListHead:], l.encoded)
		h.Put(entry[at:])
		entry = append(entry, make([]byte, h.BodyAt()-frame.HeaderBytes)...)
		l.parts.Put(entry[at+frame.HeaderBytes:])
		for _, p := range l.parts.Buffers() {
			entry = append(entry, p...)
			entry = append(entry, make([]byte, frame.Aligned(len(p))-len(p))...)
		}
		l.entries = append(l.entries, entry)
		return nil
	})
}

// Set makes what was added since the last call all that the table holds.
func (l *RowList) Set() error {
	entries := l.entries
	l.entries = nil
	if len(entries) == 0 && len(l.table.Get()) == 0 {
		return nil
	}
	return l.table.Set(entries)
}

// Each gives the rows of the table to visit, which takes them over, in their order, and ends at the first error. Rows of another schema than the list's come with the columns of
// the list, by the rule of tables that evolve, or are refused.
func (l *RowList) Each(visit func(*stream.Batch) error) error {
	d := frame.Decoder{Pool: l.pool}
	for i, entry := range l.table.Get() {
		b, err := l.rows(&d, entry)
		if err == nil {
			err = visit(b)
		}
		if err != nil {
			return fmt.Errorf("entry %d of the rows that waited: %w", i, err)
		}
	}
	return nil
}

func (l *RowList) rows(d *frame.Decoder, entry []byte) (*stream.Batch, error) {
	if len(entry) < rowListHead || entry[0] != rowListVersion {
		return nil, failure.Internalf("%d bytes of another version than %d", len(entry), rowListVersion)
	}
	n := int(binary.LittleEndian.Uint32(entry[1:]))
	if rest := entry[rowListHead:]; n > len(rest) {
		return nil, failure.Internalf("a schema of %d bytes in an entry of %d", n, len(entry))
	}
	s, err := codec.DecodeSchema(entry[rowListHead : rowListHead+n])
	if err != nil {
		return nil, err
	}
	raw := entry[rowListHead+n:]
	h, err := frame.Parse(raw, len(raw))
	if err != nil {
		return nil, err
	}
	if h.Kind != stream.RowsElement {
		return nil, failure.Internalf("an entry without rows")
	}
	b, err := d.Rows(&h, s, &bytesSource{raw[frame.HeaderBytes:]})
	if err != nil || s.Equal(l.schema) {
		return b, err
	}
	if encoded := entry[rowListHead : rowListHead+n]; l.evolution == nil || !bytes.Equal(encoded, l.evolves) {
		if l.evolution, err = newEvolution(s, l.schema); err != nil {
			b.Release()
			return nil, err
		}
		l.evolves = encoded
	}
	return l.evolution.apply(l.pool, b)
}

// bytesSource implements frame.Source.
type bytesSource struct{ left []byte }

func (s *bytesSource) Read(to []byte) { s.left = s.left[copy(to, s.left):] }

func (s *bytesSource) Skip(n int) { s.left = s.left[min(n, len(s.left)):] }
