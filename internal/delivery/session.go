package delivery

import (
	"errors"
	"fmt"
	"sync"

	"millrace/failure"
	"millrace/internal/mutant"
)

// ErrOver says that a session can't go on: more waited than it may keep.
var ErrOver = errors.New("more messages wait than may be kept")

// Frame is what travels: a message with its number, or none, with number 0, that
// only acknowledges. The message must not be changed by whoever sends it: it may
// be on its way twice.
type Frame[M any] struct {
	Sequence     uint64
	Acknowledged uint64
	Message      M
}

// Session is one side's memory of what it said and heard. Make one with New. It is
// safe for concurrent use; but Take and Receive are called by one stream at a time.
type Session[M any] struct {
	max   int
	ready chan struct{}
	mu    struct {
		sync.Mutex
		// kept are the messages that the other side has not acknowledged. The first
		// has number first, and the first sent of them are on their way.
		kept  []M
		first uint64
		sent  int
		over  bool
		// received is the number heard last, told the one acknowledged last, and owed
		// asks for an acknowledgement of its own.
		received, told uint64
		owed           bool
	}
}

// New returns a session that keeps at most max messages.
func New[M any](max int) *Session[M] {
	s := &Session[M]{max: max, ready: make(chan struct{}, 1)}
	s.mu.first = 1
	return s
}

// Put adds a message behind all others; false if the session is over.
func (s *Session[M]) Put(m M) bool {
	s.mu.Lock()
	if s.mu.over = s.mu.over || len(s.mu.kept) >= s.max; s.mu.over {
		s.mu.kept, s.mu.sent = nil, 0 // nobody will get them
	} else {
		s.mu.kept = append(s.mu.kept, m)
	}
	over := s.mu.over
	s.mu.Unlock()
	s.wake()
	return !over
}

// Ready has a value when Take may return something.
func (s *Session[M]) Ready() <-chan struct{} { return s.ready }

func (s *Session[M]) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Take returns what is to be sent next, in order, or ErrOver.
func (s *Session[M]) Take() ([]Frame[M], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.over {
		return nil, ErrOver
	}
	var out []Frame[M]
	for ; s.mu.sent < len(s.mu.kept); s.mu.sent++ {
		out = append(out, Frame[M]{s.mu.first + uint64(s.mu.sent), s.mu.received, s.mu.kept[s.mu.sent]})
	}
	if len(out) == 0 && s.mu.owed {
		out = append(out, Frame[M]{Acknowledged: s.mu.received})
	}
	if len(out) > 0 {
		s.mu.told, s.mu.owed = s.mu.received, false
	}
	return out, nil
}

// Receive takes the numbers of a frame. The message of a fresh one is to be carried
// out; one that is not fresh was, or has none. An error says that the other side is
// not who this session is with: numbers are missing, or were never given.
func (s *Session[M]) Receive(sequence, acknowledged uint64) (fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.acknowledge(acknowledged); err != nil {
		return false, err
	}
	if sequence <= s.mu.received {
		return sequence > 0 && mutant.On(mutant.DuplicateTaken), nil
	}
	if sequence != s.mu.received+1 {
		return false, failure.Internal(fmt.Errorf("message %d follows message %d", sequence, s.mu.received))
	}
	s.mu.received = sequence
	if s.mu.received-s.mu.told >= acknowledgeEvery && !s.mu.owed {
		s.mu.owed = true
		s.wake()
	}
	return true, nil
}

// acknowledge forgets what the other side has. It needs the lock.
func (s *Session[M]) acknowledge(through uint64) error {
	if through < s.mu.first || s.mu.over { // said before, or nothing yet
		return nil
	}
	n := through - s.mu.first + 1
	if n > uint64(s.mu.sent) {
		return failure.Internal(fmt.Errorf("message %d is acknowledged, and was never sent", through))
	}
	clear(s.mu.kept[:n]) // so that nothing holds them
	s.mu.kept = s.mu.kept[n:]
	s.mu.first += n
	s.mu.sent -= int(n)
	return nil
}

// Acknowledge has the next Take acknowledge what was received, if it was not.
func (s *Session[M]) Acknowledge() {
	s.mu.Lock()
	s.mu.owed = s.mu.owed || s.mu.received > s.mu.told
	s.mu.Unlock()
	s.wake()
}

// Received returns the number of the message that was heard last, 0 for none: what
// the other side needs for its Resume.
func (s *Session[M]) Received() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.received
}

// Resume begins on a new stream, behind the message that the other side has
// received last: Take returns all later ones again.
func (s *Session[M]) Resume(received uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.over {
		return ErrOver
	}
	if received+1 < s.mu.first {
		return failure.Internal(fmt.Errorf("message %d is asked for, and was acknowledged", received+1))
	}
	if err := s.acknowledge(received); err != nil {
		return err
	}
	s.mu.sent = 0
	if len(s.mu.kept) > 0 && mutant.On(mutant.MessageDropped) {
		s.mu.kept = s.mu.kept[1:]
	}
	s.wake()
	return nil
}

// Over tells whether the session can't go on.
func (s *Session[M]) Over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.over
}

// Reset makes the session a new one: what it kept and counted is forgotten.
func (s *Session[M]) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.kept, s.mu.first, s.mu.sent, s.mu.over = nil, 1, 0, false
	s.mu.received, s.mu.told, s.mu.owed = 0, 0, false
}
