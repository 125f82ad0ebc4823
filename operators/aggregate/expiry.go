package aggregate

import (
	"time"

	"millrace/operators"
	"millrace/statebackend"
	"millrace/types"
)

// Expiry tells which rows of state were not written for longer than a TTL, in
// processing time. The zero Expiry keeps everything.
type Expiry struct {
	time *operators.Time
	ttl  int64 // in milliseconds
	// unit is what the time of a write is kept to: a second, or a tenth of the TTL if
	// that is less. It is rounded up, so that no row goes early.
	unit int64
}

// writtenColumn has the time of the last write, in the expiry's unit.
var writtenColumn = statebackend.ColumnSpec{Name: "written", Type: types.Of(types.BigInt)}

// NewExpiry returns the expiry of a TTL; 0 keeps everything.
func NewExpiry(t *operators.Time, ttl time.Duration) Expiry {
	ms := ttl.Milliseconds()
	return Expiry{time: t, ttl: ms, unit: max(min(1000, ms/10), 1)}
}

// On tells whether rows expire.
func (e *Expiry) On() bool { return e.ttl > 0 }

// Stamp returns the word that says that a row is written now.
func (e *Expiry) Stamp() uint64 { return uint64((e.time.Now() + e.unit - 1) / e.unit) }

// Over tells whether a row with this stamp has expired.
func (e *Expiry) Over(stamp uint64) bool { return int64(stamp)*e.unit+e.ttl <= e.time.Now() }

// sweep looks for expired rows, some at a time.
type sweep struct {
	from  statebackend.Slot
	slots []statebackend.Slot
}

// next returns the expired rows among the next sweepRows of a part; the word is
// that of their stamp. They are valid until the next call.
func (s *sweep) next(e *Expiry, part statebackend.Part, word int) []statebackend.Slot {
	if s.slots == nil {
		s.slots = make([]statebackend.Slot, sweepRows)
	}
	n, next := part.Scan(s.from, s.slots)
	if s.from = next; n < sweepRows {
		s.from = 0
	}
	rows, over := part.Rows(), 0
	for _, slot := range s.slots[:n] {
		if e.Over(rows.At(slot)[word]) {
			s.slots[over] = slot
			over++
		}
	}
	return s.slots[:over]
}
