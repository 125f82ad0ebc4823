package values

import (
	"millrace/connectors"
	"millrace/failure"
	"millrace/formats"
	"millrace/stream"
	"millrace/types"
)

// reader gives the rows, if it has the split.
type reader struct {
	source   *source
	rowsMax  int
	out      *formats.Rows
	assigned bool
	next     int
	ended    bool // the end was told
	noMore   bool
}

// Assign implements connectors.Reader.
func (r *reader) Assign(splits []connectors.SplitState) error {
	for _, p := range splits {
		next, err := decodePosition(p)
		if err != nil {
			return err
		}
		if r.assigned || p.ID != Name {
			return failure.Internalf("%s: split %s beside the only one", Name, p.ID)
		}
		// A changed query may have fewer rows: what was read of those that are gone can't be taken back.
		r.assigned, r.next = true, min(next, len(r.source.rows))
	}
	return nil
}

// NoMoreSplits implements connectors.Reader.
func (r *reader) NoMoreSplits() { r.noMore = true }

// Read implements connectors.Reader.
func (r *reader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	if !r.assigned || r.next == len(r.source.rows) {
		if r.noMore {
			return nil, connectors.Done, nil
		}
		return nil, connectors.Dry, nil
	}
	for n := 0; r.next < len(r.source.rows) && n < r.rowsMax && r.out.SizeBytes() < stream.BatchBytesTarget; n++ {
		for i, value := range r.source.rows[r.next] {
			r.out.Columns[i].AppendValue(value)
		}
		r.next++
	}
	b := r.out.Finish()
	b.Split = 0
	return b, connectors.More, nil
}

// Finished implements connectors.Reader.
func (r *reader) Finished() []int32 {
	if !r.assigned || r.ended || r.next < len(r.source.rows) {
		return nil
	}
	r.ended = true
	return []int32{0}
}

// Positions implements connectors.Reader. The split at its end keeps its entry: without it the rows would be read again.
func (r *reader) Positions(dst []connectors.SplitState) []connectors.SplitState {
	if r.assigned {
		dst = append(dst, position(r.next))
	}
	return dst
}

// CheckpointComplete implements connectors.Reader.
func (*reader) CheckpointComplete(types.CheckpointID) {}

// Close implements connectors.Reader.
func (r *reader) Close() error {
	r.out.Close()
	return nil
}
