// Package exchangetest says what every exchange.Network must do, as tests that
// an implementation runs on itself.
//
// The two ends of a channel may be in different processes, and elements may take
// their time: the suite waits for what must happen, on the wakers, and never
// assumes that it has happened when a call returns.
package exchangetest

import (
	"runtime"
	"testing"
	"time"

	"millrace/exchange"
	"millrace/stream"
	"millrace/types"
)

// Fixture is the two places between which channels lead. They may be the same.
type Fixture struct {
	Producer, Consumer     exchange.Network
	ProducerAt, ConsumerAt types.TaskManagerID
	// ConsumerPool is where batches come from at the consumer; nil: they are the
	// producer's own.
	ConsumerPool *stream.Pool
}

// patience is how long a test waits for what must happen at once.
const patience = 20 * time.Second

// Run runs the suite; open makes a new fixture for each test and cleans up by
// t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	cases := []struct {
		name string
		test func(s *scene)
	}{
		{"OrderIsKept", orderIsKept},
		{"CreditIsRespectedAndGivenBack", creditIsRespectedAndGivenBack},
		{"LargeBatchPassesAnEmptyChannel", largeBatchPassesAnEmptyChannel},
		{"ControlNeedsNoCredit", controlNeedsNoCredit},
		{"LaterWatermarkMayReplaceTheLast", laterWatermarkMayReplaceTheLast},
		{"BarrierIsSeenBehindRows", barrierIsSeenBehindRows},
		{"BarrierWakesWhoDoesNotWait", barrierWakesWhoDoesNotWait},
		{"NewestBarrierIsSeen", newestBarrierIsSeen},
		{"ProducerFirst", producerFirst},
		{"ConsumerFirst", consumerFirst},
		{"EachEndOpensOnce", eachEndOpensOnce},
		{"ConsumerCloses", consumerCloses},
		{"ProducerBreaks", producerBreaks},
		{"ProducerClosesAfterEnd", producerClosesAfterEnd},
		{"NewAttemptFences", newAttemptFences},
		{"ForgetEndsAnAttempt", forgetEndsAnAttempt},
		{"NoWakeUpIsLost", noWakeUpIsLost},
		{"CloseAtAnyTime", closeAtAnyTime},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := &scene{T: t, Fixture: open(t), id: exchange.ChannelID{Region: types.RegionID{Job: "job"}, Attempt: 7, Edge: 1, From: 2, To: 3}}
			c.test(s)
			s.nothingLeaks()
		})
	}
}

// bell is a Waker that a test can wait for.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) Wake() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// scene is one test: a fixture, the channel that it is about, and the memory of
// the batches.
type scene struct {
	*testing.T
	Fixture
	id   exchange.ChannelID
	pool stream.Pool
}

func (s *scene) sender(id exchange.ChannelID, credit int) (exchange.Sender, bell) {
	s.Helper()
	b := newBell()
	snd, err := s.Producer.Sender(id, s.ConsumerAt, credit, b)
	if err != nil {
		s.Fatal(err)
	}
	return snd, b
}

func (s *scene) receiver(id exchange.ChannelID, credit int) (exchange.Receiver, bell) {
	s.Helper()
	b := newBell()
	rcv, err := s.Consumer.Receiver(id, s.ProducerAt, credit, b)
	if err != nil {
		s.Fatal(err)
	}
	return rcv, b
}

// channel opens both ends of the scene's channel.
func (s *scene) channel(credit int) (exchange.Sender, bell, exchange.Receiver, bell) {
	s.Helper()
	snd, sb := s.sender(s.id, credit)
	rcv, rb := s.receiver(s.id, credit)
	return snd, sb, rcv, rb
}

// until waits for a condition that the bell announces.
func (s *scene) until(b bell, what string, holds func() bool) {
	s.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !holds() {
		select {
		case <-b:
		case <-deadline.C:
			s.Fatalf("nobody was woken for: %s", what)
		}
	}
}

// next waits for the next element.
func (s *scene) next(r exchange.Receiver, b bell) stream.Element {
	s.Helper()
	var e stream.Element
	s.until(b, "an element", func() (ok bool) {
		e, ok = r.Poll()
		return ok
	})
	return e
}

// expect waits for the next element and compares it with want, rows by the number
// that they carry. It releases the rows.
func (s *scene) expect(r exchange.Receiver, b bell, want string) {
	s.Helper()
	e := s.next(r, b)
	if got := describe(e); got != want {
		s.Fatalf("got %s, want %s", got, want)
	}
	drop(e)
}

func drop(e stream.Element) {
	if e.Kind == stream.RowsElement {
		e.Batch.Release()
	}
}

// eventually waits for a condition that nobody announces.
func (s *scene) eventually(what string, holds func() bool) {
	s.Helper()
	for deadline := time.Now().Add(patience); !holds(); runtime.Gosched() {
		if time.Now().After(deadline) {
			s.Fatalf("never: %s", what)
		}
	}
}

func (s *scene) nothingLeaks() {
	s.Helper()
	s.eventually("every batch is released", func() bool {
		return s.pool.Live() == 0 && (s.ConsumerPool == nil || s.ConsumerPool.Live() == 0)
	})
}
