package files

import (
	"encoding/binary"
	"errors"
	"fmt"

	"millrace/connectors"
	"millrace/internal/failure"
	"millrace/stream"
)

// stateVersion is the version of all encoded states.
const stateVersion = 1

// file is a split: a file with the part of it that is to be read.
type file struct {
	name string
	next int64 // the position
	end  int64 // the length when it was found
}

func (f file) state() connectors.SplitState {
	p := appendText([]byte{stateVersion}, f.name)
	p = binary.AppendUvarint(p, uint64(f.next))
	p = binary.AppendUvarint(p, uint64(f.end))
	return connectors.SplitState{ID: connectors.SplitID(f.name), State: p, Watermark: stream.NoWatermark}
}

func fileOf(s connectors.SplitState) (file, error) {
	r := newStateReader(s.State)
	f := file{name: r.text(), next: r.number(), end: r.number()}
	return f, r.close("split " + string(s.ID))
}

// committable is a staged file and the name that it gets.
type committable struct{ staged, final string }

func (c committable) encode() []byte {
	return appendText(appendText([]byte{stateVersion}, c.staged), c.final)
}

func committableOf(p []byte) (committable, error) {
	r := newStateReader(p)
	c := committable{staged: r.text(), final: r.text()}
	return c, r.close("committable")
}

func appendText(p []byte, s string) []byte {
	return append(binary.AppendUvarint(p, uint64(len(s))), s...)
}

// stateReader reads encoded state; the first error stays.
type stateReader struct {
	rest []byte
	err  error
}

var errShort = errors.New("ends early")

func newStateReader(p []byte) *stateReader {
	switch {
	case len(p) == 0:
		return &stateReader{err: errShort}
	case p[0] != stateVersion:
		return &stateReader{err: fmt.Errorf("version %d, this program knows %d", p[0], stateVersion)}
	default:
		return &stateReader{rest: p[1:]}
	}
}

func (r *stateReader) number() int64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || int64(v) < 0 {
		r.fail(errShort)
		return 0
	}
	r.rest = r.rest[n:]
	return int64(v)
}

func (r *stateReader) text() string {
	n := r.number()
	if n > int64(len(r.rest)) {
		r.fail(errShort)
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *stateReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

func (r *stateReader) close(what string) error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes are left over", len(r.rest))
	}
	if r.err != nil {
		return failure.Internal(fmt.Errorf("state of %s: %w", what, r.err))
	}
	return nil
}
