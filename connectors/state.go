package connectors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"millrace/failure"
)

var errStateShort = errors.New("ends early")

// StateReader reads what a connector has encoded into a checkpoint: a byte for
// the version, then numbers as varints and texts behind their length. Nothing
// that it is given makes it panic. The first error stays, all that is read
// behind it is zero, and Close tells it: the fields are read without looking.
type StateReader struct {
	rest []byte
	err  error
}

// NewStateReader returns a reader of encoded state, which it borrows. Another
// version is an error.
func NewStateReader(state []byte, version byte) *StateReader {
	switch {
	case len(state) == 0:
		return &StateReader{err: errStateShort}
	case state[0] != version:
		return &StateReader{err: fmt.Errorf("version %d, this program knows %d", state[0], version)}
	default:
		return &StateReader{rest: state[1:]}
	}
}

// Uvarint reads what binary.AppendUvarint wrote. More than most is an error.
func (r *StateReader) Uvarint(most int64) int64 {
	v, n := binary.Uvarint(r.rest)
	if !r.took(n) {
		return 0
	}
	if v > uint64(most) {
		r.fail(fmt.Errorf("%d is out of range", v))
		return 0
	}
	return int64(v)
}

// Varint reads what binary.AppendVarint wrote.
func (r *StateReader) Varint() int64 {
	v, n := binary.Varint(r.rest)
	if !r.took(n) {
		return 0
	}
	return v
}

// Text reads a text: its length as a Uvarint, and the bytes.
func (r *StateReader) Text() string {
	n := r.Uvarint(math.MaxInt64)
	if n > int64(len(r.rest)) {
		r.fail(errStateShort)
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

// took steps over n bytes; 0 and less say that there was no number.
func (r *StateReader) took(n int) bool {
	if n <= 0 {
		r.fail(errStateShort)
		return false
	}
	r.rest = r.rest[n:]
	return true
}

func (r *StateReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

// Close returns the first error, or that something is left over. What names
// the state in it.
func (r *StateReader) Close(what string) error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes are left over", len(r.rest))
	}
	if r.err != nil {
		return failure.Internal(fmt.Errorf("state of %s: %w", what, r.err))
	}
	return nil
}
