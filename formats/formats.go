// Package formats is the contract between bytes and batches: decoders turn the
// payloads of messages into rows of column builders, encoders turn rows into
// payloads. Implementations live in sub-folders (json, ...), one a format, and
// are named only by wiring.
//
// A format knows nothing of where the bytes come from: framing, offsets and
// what becomes of an undecodable record belong to the connector.
package formats

import (
	"fmt"

	"millrace/stream"
	"millrace/types"
)

// Rows is where a decoder puts rows: a builder a column of the projected
// schema. All builders have the same length between calls.
type Rows struct {
	Schema  *types.Schema
	Columns []stream.Builder
	pool    *stream.Pool
}

// NewRows returns builders for rows of the schema, with room for about
// capacity rows each.
func NewRows(p *stream.Pool, s *types.Schema, capacity int) *Rows {
	r := &Rows{Schema: s, Columns: make([]stream.Builder, s.Len()), pool: p}
	for i := range r.Columns {
		r.Columns[i].Init(p, s.Fields[i].Type, capacity)
	}
	return r
}

// Len returns the number of complete rows.
func (r *Rows) Len() int {
	if len(r.Columns) == 0 {
		return 0
	}
	return r.Columns[0].Len()
}

// SizeBytes returns about the bytes of the rows.
func (r *Rows) SizeBytes() int {
	size := 0
	for i := range r.Columns {
		size += r.Columns[i].SizeBytes()
	}
	return size
}

// Truncate forgets rows from n on, in every column, whatever was appended to
// the row that is in the making.
func (r *Rows) Truncate(n int) {
	for i := range r.Columns {
		r.Columns[i].Truncate(n)
	}
}

// Finish returns the rows as a batch, owned by the caller, and leaves r empty.
func (r *Rows) Finish() *stream.Batch {
	b := r.pool.NewBatch(r.Schema, r.Len())
	for i := range r.Columns {
		b.Columns[i] = r.Columns[i].Finish()
	}
	return b
}

// Close gives back what is unfinished.
func (r *Rows) Close() {
	for i := range r.Columns {
		r.Columns[i].Close()
	}
}

// Decoder turns payloads into rows. It is for one goroutine.
type Decoder interface {
	// Decode appends the rows of the payloads, in order, until all are done, or
	// out holds rowsMax rows, or one can't be decoded. It returns how many
	// payloads are done. With an error (of type *RecordError), payloads[n] is
	// the one that can't be, and no part of it is in out: the caller decides
	// (fail, skip, dead letter) and goes on behind it. A nil payload (a
	// tombstone) yields no row in append formats.
	//
	// Payloads are borrowed for the call: values are copied into out.
	Decode(payloads [][]byte, out *Rows, rowsMax int) (n int, err error)
}

// Encoder turns rows into payloads. It is for one goroutine.
type Encoder interface {
	// Encode appends one payload for each selected row of the batch to out. It
	// reports a row that the format can't express as an error of the user.
	Encode(b *stream.Batch, out *Payloads) error
}

// Payloads are encoded messages, end to end in one piece of memory.
type Payloads struct {
	Data []byte
	Ends []int // Ends[i] is where payload i ends; it begins where the one before ends
}

// Len returns the number of payloads.
func (p *Payloads) Len() int { return len(p.Ends) }

// At returns payload i. It aliases Data and is never nil: an empty payload is
// not a missing one.
func (p *Payloads) At(i int) []byte {
	if p.Data == nil {
		return []byte{}
	}
	start := 0
	if i > 0 {
		start = p.Ends[i-1]
	}
	return p.Data[start:p.Ends[i]:p.Ends[i]]
}

// Close ends the payload that was appended to Data since the last Close.
func (p *Payloads) Close() { p.Ends = append(p.Ends, len(p.Data)) }

// Reset forgets all payloads and keeps the memory.
func (p *Payloads) Reset() { p.Data, p.Ends = p.Data[:0], p.Ends[:0] }

// RecordError says why a payload can't be decoded.
type RecordError struct {
	// Column is the column at fault, "" where the payload as a whole is.
	Column string
	// Offset is the byte of the payload at which decoding stopped.
	Offset int
	Reason string
}

// Error prints the column, the byte and the reason.
func (e *RecordError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("byte %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("column %s, byte %d: %s", e.Column, e.Offset, e.Reason)
}
