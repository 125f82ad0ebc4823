package nexmark

import (
	"encoding/binary"
	"fmt"

	"millrace/connectors"
	"millrace/failure"
	"millrace/stream"
)

// The versions of the encoded states. A change of what an event is made of (the
// uses of random numbers, a distribution) counts as a change of format.
const (
	splitVersion      = 1
	enumeratorVersion = 1
)

// origin is what was resolved when the job was first started.
type origin struct {
	splits int64
	start  int64 // processing time of event 0, where the rate is limited
	base   int64 // event time of event 0
}

// split is a share of the stream: epochs index, index+of, index+2*of, ...
type split struct {
	origin
	index int64
	next  int64 // the number of the next event
}

// first returns the split's state at its beginning.
func (o origin) first(index, total int64) split {
	return split{origin: o, index: index, next: index * total}
}

func (s *split) id() connectors.SplitID {
	return connectors.SplitID(fmt.Sprintf("%s-%d/%d", Name, s.index, s.splits))
}

func (o origin) encode() []byte {
	p := binary.AppendUvarint([]byte{enumeratorVersion}, uint64(o.splits))
	p = binary.AppendVarint(p, o.start)
	return binary.AppendVarint(p, o.base)
}

func decodeOrigin(p []byte) (origin, error) {
	r := connectors.NewStateReader(p, enumeratorVersion)
	o := origin{splits: r.Uvarint(SplitsMax), start: r.Varint(), base: r.Varint()}
	return o, r.Close("enumerator")
}

func (s *split) encode() []byte {
	p := binary.AppendUvarint([]byte{splitVersion}, uint64(s.splits))
	p = binary.AppendVarint(p, s.start)
	p = binary.AppendVarint(p, s.base)
	p = binary.AppendUvarint(p, uint64(s.index))
	return binary.AppendUvarint(p, uint64(s.next))
}

func decodeSplit(p connectors.SplitState) (split, error) {
	r := connectors.NewStateReader(p.State, splitVersion)
	s := split{origin: origin{splits: r.Uvarint(SplitsMax), start: r.Varint(), base: r.Varint()}}
	s.index, s.next = r.Uvarint(SplitsMax), r.Uvarint(1<<62)
	if err := r.Close("split " + string(p.ID)); err != nil {
		return s, err
	}
	if s.splits == 0 || s.index >= s.splits {
		return s, failure.Internalf("state of split %s: split %d of %d", p.ID, s.index, s.splits)
	}
	return s, nil
}

func (s *split) state() connectors.SplitState {
	return connectors.SplitState{ID: s.id(), State: s.encode(), Watermark: stream.NoWatermark}
}
