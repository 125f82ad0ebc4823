package datagen

import (
	"encoding/binary"
	"fmt"

	"millrace/connectors"
	"millrace/failure"
	"millrace/stream"
)

// The versions of the encoded states. A change of what a row is made of counts
// as a change of format.
const (
	splitVersion      = 1
	enumeratorVersion = 1
)

// origin is what was resolved when the job was first started.
type origin struct {
	splits int64
	start  int64 // when row 0 was due
}

// split is a share of the rows: index, index+splits, index+2*splits, ...
type split struct {
	origin
	index int64
	next  int64 // the number of the next row
}

func (s *split) id() connectors.SplitID {
	return connectors.SplitID(fmt.Sprintf("%s-%d/%d", Name, s.index, s.splits))
}

func (o origin) encode() []byte {
	p := binary.AppendUvarint([]byte{enumeratorVersion}, uint64(o.splits))
	return binary.AppendVarint(p, o.start)
}

func decodeOrigin(p []byte) (origin, error) {
	r := connectors.NewStateReader(p, enumeratorVersion)
	o := origin{splits: r.Uvarint(SplitsMax), start: r.Varint()}
	return o, r.Close("enumerator")
}

func (s *split) state() connectors.SplitState {
	p := binary.AppendUvarint([]byte{splitVersion}, uint64(s.splits))
	p = binary.AppendVarint(p, s.start)
	p = binary.AppendUvarint(p, uint64(s.index))
	p = binary.AppendUvarint(p, uint64(s.next))
	return connectors.SplitState{ID: s.id(), State: p, Watermark: stream.NoWatermark}
}

func decodeSplit(p connectors.SplitState) (split, error) {
	r := connectors.NewStateReader(p.State, splitVersion)
	s := split{origin: origin{splits: r.Uvarint(SplitsMax), start: r.Varint()}, index: r.Uvarint(SplitsMax), next: r.Uvarint(rowsMax + SplitsMax)}
	if err := r.Close("split " + string(p.ID)); err != nil {
		return s, err
	}
	if s.splits == 0 || s.index >= s.splits || s.next%s.splits != s.index {
		return s, failure.Internalf("state of split %s: row %d of split %d of %d", p.ID, s.next, s.index, s.splits)
	}
	return s, nil
}
