package nexmark

import (
	"encoding/binary"
	"errors"
	"fmt"

	"millrace/connectors"
	"millrace/internal/failure"
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
	r := stateReader{rest: p}
	r.version(enumeratorVersion)
	o := origin{splits: r.uvarint(SplitsMax), start: r.varint(), base: r.varint()}
	return o, r.end("enumerator")
}

func (s *split) encode() []byte {
	p := binary.AppendUvarint([]byte{splitVersion}, uint64(s.splits))
	p = binary.AppendVarint(p, s.start)
	p = binary.AppendVarint(p, s.base)
	p = binary.AppendUvarint(p, uint64(s.index))
	return binary.AppendUvarint(p, uint64(s.next))
}

func decodeSplit(p connectors.SplitState) (split, error) {
	r := stateReader{rest: p.State}
	r.version(splitVersion)
	s := split{origin: origin{splits: r.uvarint(SplitsMax), start: r.varint(), base: r.varint()}}
	s.index, s.next = r.uvarint(SplitsMax), r.uvarint(1<<62)
	if err := r.end("split " + string(p.ID)); err != nil {
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

// stateReader reads encoded state; the first error stays.
type stateReader struct {
	rest []byte
	err  error
}

var errShort = errors.New("ends early")

func (r *stateReader) version(want byte) {
	if len(r.rest) == 0 {
		r.err = errShort
		return
	}
	if v := r.rest[0]; v != want {
		r.err = fmt.Errorf("version %d, this program knows %d", v, want)
	}
	r.rest = r.rest[1:]
}

func (r *stateReader) took(n int) {
	if n <= 0 {
		if r.err == nil {
			r.err = errShort
		}
		r.rest = nil
		return
	}
	r.rest = r.rest[n:]
}

func (r *stateReader) uvarint(most uint64) int64 {
	v, n := binary.Uvarint(r.rest)
	r.took(n)
	if v > most && r.err == nil {
		r.err = fmt.Errorf("%d is out of range", v)
	}
	return int64(v)
}

func (r *stateReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.took(n)
	return v
}

func (r *stateReader) end(what string) error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes are left over", len(r.rest))
	}
	if r.err != nil {
		return failure.Internal(fmt.Errorf("state of %s: %w", what, r.err))
	}
	return nil
}
