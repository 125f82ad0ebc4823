package results

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"

	"millrace/blobstore"
	"millrace/failure"
	"millrace/types"
)

// FormatVersion is the version of lots and indexes that this code writes and the only
// one so far.
const FormatVersion = 1

// ErrCorrupt says that a lot or an index is not what was written.
var ErrCorrupt = errors.New("results are corrupt")

// Lot is what one subtask wrote between two checkpoints, as far as people and the store
// are concerned: parts, in order.
type Lot struct {
	Job        types.JobID
	Operator   types.OperatorUID
	Checkpoint types.CheckpointID // the second
	Attempt    types.Attempt
	Subtask    int32
	Behind     types.CheckpointID // the first
	// Unique is the writer's own.
	Unique string
	Parts  []Part
}

// Part is an object of rows.
type Part struct {
	Number      uint64
	Rows, Bytes int64
}

// Key returns the key of a part.
func (l *Lot) Key(p Part) (string, error) {
	return blobstore.ResultPartKey{
		Job: l.Job, Operator: l.Operator, Attempt: l.Attempt, Subtask: l.Subtask, Behind: l.Behind, Number: p.Number, Unique: l.Unique,
	}.Path()
}

// Encode returns the lot as bytes: version, then numbers as varints and texts behind
// their length.
func (l *Lot) Encode() []byte {
	p := binary.AppendUvarint(nil, FormatVersion)
	p = appendText(p, string(l.Job))
	p = appendText(p, string(l.Operator))
	for _, n := range []uint64{uint64(l.Checkpoint), uint64(l.Attempt), uint64(l.Subtask), uint64(l.Behind)} {
		p = binary.AppendUvarint(p, n)
	}
	p = appendText(p, l.Unique)
	p = binary.AppendUvarint(p, uint64(len(l.Parts)))
	for _, part := range l.Parts {
		p = binary.AppendUvarint(p, part.Number)
		p = binary.AppendUvarint(p, uint64(part.Rows))
		p = binary.AppendUvarint(p, uint64(part.Bytes))
	}
	return p
}

// DecodeLot is the inverse of Lot.Encode.
func DecodeLot(p []byte) (Lot, error) {
	r := &reader{left: p}
	r.version()
	l := Lot{Job: types.JobID(r.text()), Operator: types.OperatorUID(r.text())}
	l.Checkpoint, l.Attempt = types.CheckpointID(r.number(math.MaxUint64)), types.Attempt(r.number(math.MaxUint64))
	l.Subtask, l.Behind = int32(r.number(math.MaxInt32)), types.CheckpointID(r.number(math.MaxUint64))
	l.Unique = r.text()
	for range r.count(3) {
		l.Parts = append(l.Parts, Part{
			Number: r.number(math.MaxUint64), Rows: int64(r.number(math.MaxInt64)), Bytes: int64(r.number(PartBytesMax)),
		})
	}
	if err := r.end(); err != nil {
		return Lot{}, fmt.Errorf("lot: %w", err)
	}
	return l, nil
}

// encodeIndex returns lots as the bytes of an index.
func encodeIndex(lots []Lot) []byte {
	p := binary.AppendUvarint(nil, FormatVersion)
	p = binary.AppendUvarint(p, uint64(len(lots)))
	for i := range lots {
		p = appendText(p, string(lots[i].Encode()))
	}
	return p
}

func decodeIndex(p []byte) (lots []Lot, err error) {
	r := &reader{left: p}
	r.version()
	for range r.count(1) {
		l, err := DecodeLot([]byte(r.text()))
		if err != nil && r.err == nil {
			r.err = err
		}
		lots = append(lots, l)
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return lots, nil
}

// digest names bytes as no others.
func digest(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:16])
}

func appendText(p []byte, s string) []byte {
	return append(binary.AppendUvarint(p, uint64(len(s))), s...)
}

// reader takes bytes apart. The first error stays, and what is read behind it is zero.
type reader struct {
	left []byte
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = failure.Internal(fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...)))
	}
	r.left = nil
}

func (r *reader) number(most uint64) uint64 {
	v, n := binary.Uvarint(r.left)
	switch {
	case n <= 0:
		r.fail("it ends early")
		return 0
	case v > most:
		r.fail("%d, at most %d", v, most)
		return 0
	}
	r.left = r.left[n:]
	return v
}

// version reads the version. Bytes of another build are not corrupt.
func (r *reader) version() {
	if v := r.number(math.MaxUint64); r.err == nil && v != FormatVersion {
		r.err = failure.Internalf("results of format version %d, this build reads version %d", v, FormatVersion)
		r.left = nil
	}
}

// count reads how many follow, each of some bytes at least.
func (r *reader) count(bytes int) uint64 {
	n := r.number(math.MaxUint64)
	if n > uint64(len(r.left)/bytes) {
		r.fail("%d in %d bytes", n, len(r.left))
		return 0
	}
	return n
}

func (r *reader) text() string {
	n := r.number(uint64(len(r.left)))
	if n > uint64(len(r.left)) {
		r.fail("it ends early")
		return ""
	}
	s := string(r.left[:n])
	r.left = r.left[n:]
	return s
}

func (r *reader) end() error {
	if len(r.left) > 0 {
		r.fail("%d bytes are left over", len(r.left))
	}
	return r.err
}
