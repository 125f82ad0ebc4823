package kernel

import (
	"math/rand/v2"
	"time"
)

// Session is what the value of some functions depends on besides their
// arguments. The zero value is UTC without a clock.
type Session struct {
	// Zone is the session's time zone; nil is UTC.
	Zone *time.Location
	// Now tells the time in milliseconds since 1970. A program asks once a batch,
	// so that all rows of it have one; for a bounded query the caller answers with
	// the time of its start. With nil, functions that read the clock are refused
	// when they are compiled.
	Now func() int64
	// Seed seeds RAND, RAND_INTEGER and UUID. Each program, and each projection,
	// draws from a source of its own, so two with one seed draw the same.
	Seed uint64
}

// session is the Session of one program, with the state that it needs.
type session struct {
	zone   *time.Location
	clock  func() int64
	now    int64 // milliseconds
	asked  bool  // now is the time of the batch at hand
	random *rand.Rand
	// The zone is ahead of UTC by so many seconds from since to until.
	since, until, ahead int64
}

func newSession(s Session) *session {
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	return &session{zone: zone, clock: s.Now, random: rand.New(rand.NewPCG(s.Seed, s.Seed))}
}

// begin forgets the time of the batch before.
func (s *session) begin() { s.asked = false }

// time returns the time of the batch at hand in milliseconds. There is a clock.
func (s *session) time() int64 {
	if !s.asked {
		s.now, s.asked = s.clock(), true
	}
	return s.now
}
