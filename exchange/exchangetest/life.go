package exchangetest

import (
	"errors"
	"sync"

	"millrace/exchange"
	"millrace/stream"
)

func producerFirst(s *scene) {
	snd, _ := s.sender(s.id, 1<<20)
	snd.Send(s.rows(1, 5))
	snd.Send(stream.End())
	snd.Close()
	rcv, rb := s.receiver(s.id, 1<<20)
	s.expect(rcv, rb, "rows(1 x 5)")
	s.expect(rcv, rb, "end")
	rcv.Close()
}

func consumerFirst(s *scene) {
	rcv, rb := s.receiver(s.id, 1<<20)
	if e, ok := rcv.Poll(); ok {
		s.Fatalf("%s came from nowhere", e)
	}
	if rcv.Broken() {
		s.Fatal("broken before the producer came")
	}
	snd, _ := s.sender(s.id, 1<<20)
	snd.Send(s.rows(1, 5))
	s.expect(rcv, rb, "rows(1 x 5)")
	snd.Close()
	rcv.Close()
}

func eachEndOpensOnce(s *scene) {
	snd, _, rcv, _ := s.channel(1 << 20)
	if _, err := s.Producer.Sender(s.id, s.ConsumerAt, 1, newBell()); err == nil {
		s.Error("a second sender")
	}
	if _, err := s.Consumer.Receiver(s.id, s.ProducerAt, 1, newBell()); err == nil {
		s.Error("a second receiver")
	}
	snd.Close()
	rcv.Close()
}

func consumerCloses(s *scene) {
	snd, sb, rcv, _ := s.channel(1)
	snd.Send(s.rows(1, 10))
	if snd.Credit() > 0 {
		s.Fatal("credit is left")
	}
	rcv.Close()
	rcv.Close()
	s.until(sb, "the consumer's going", func() bool { return snd.Credit() > 0 })
	for i := range int64(100) {
		snd.Send(s.rows(i, 10))
		snd.Send(stream.BarrierOf(stream.Barrier{ID: 1}))
		if snd.Credit() <= 0 {
			s.until(sb, "credit without a consumer", func() bool { return snd.Credit() > 0 })
		}
	}
	snd.Close()
	snd.Send(s.rows(1, 1))
}

func producerBreaks(s *scene) {
	snd, _, rcv, rb := s.channel(1 << 20)
	snd.Send(s.rows(1, 10))
	s.expect(rcv, rb, "rows(1 x 10)")
	if _, ok := rcv.Poll(); ok || rcv.Broken() {
		s.Fatal("broken too early")
	}
	snd.Close()
	snd.Close()
	s.until(rb, "the producer's going", rcv.Broken)
	if e, ok := rcv.Poll(); ok {
		s.Fatalf("%s from a broken channel", e)
	}
	rcv.Close()
}

func producerClosesAfterEnd(s *scene) {
	snd, _, rcv, rb := s.channel(1 << 20)
	snd.Send(s.rows(1, 10))
	snd.Send(stream.End())
	snd.Send(stream.BarrierOf(stream.Barrier{ID: 5}))
	snd.Close()
	s.expect(rcv, rb, "rows(1 x 10)")
	s.expect(rcv, rb, "end")
	s.expect(rcv, rb, "barrier(5)")
	if _, ok := rcv.Poll(); ok || rcv.Broken() {
		s.Fatal("an ended channel is broken")
	}
	rcv.Close()
}

func newAttemptFences(s *scene) {
	old, older := s.id, s.id
	older.Attempt--
	half, _ := s.sender(old, 1<<20) // its consumer never came
	half.Send(s.rows(1, 10))
	other := old
	other.Edge++
	orphan, ob := s.receiver(other, 1<<20) // its producer never came
	newer := s.id
	newer.Attempt++
	snd, _ := s.sender(newer, 1<<20)
	rcv, rb := s.receiver(newer, 1<<20)
	s.until(ob, "the fence", orphan.Broken)
	half.Send(s.rows(2, 10))
	snd.Send(s.rows(3, 10))
	s.expect(rcv, rb, "rows(3 x 10)")
	for _, id := range []exchange.ChannelID{old, older} {
		id.Edge = 9
		s.refused(id)
	}
	half.Close()
	orphan.Close()
	snd.Close()
	rcv.Close()
}

// refused checks that neither end of a channel of an attempt that is over opens.
func (s *scene) refused(id exchange.ChannelID) {
	s.Helper()
	if _, err := s.Producer.Sender(id, s.ConsumerAt, 1, newBell()); !errors.Is(err, exchange.ErrFenced) {
		s.Errorf("sender of attempt %d: %v", id.Attempt, err)
	}
	if _, err := s.Consumer.Receiver(id, s.ProducerAt, 1, newBell()); !errors.Is(err, exchange.ErrFenced) {
		s.Errorf("receiver of attempt %d: %v", id.Attempt, err)
	}
}

func forgetEndsAnAttempt(s *scene) {
	snd, _, rcv, rb := s.channel(1 << 20)
	snd.Send(s.rows(1, 10))
	lonely := s.id
	lonely.Edge++
	half, _ := s.sender(lonely, 1<<20)
	half.Send(s.rows(2, 10))
	elsewhere := s.id
	elsewhere.Region.Index++
	snd2, _ := s.sender(elsewhere, 1<<20)
	rcv2, rb2 := s.receiver(elsewhere, 1<<20)

	s.Producer.Forget(s.id.Region, s.id.Attempt)
	s.Consumer.Forget(s.id.Region, s.id.Attempt)
	s.until(rb, "the attempt's end", rcv.Broken)
	snd.Send(s.rows(3, 10))
	s.refused(lonely)
	snd2.Send(s.rows(4, 10))
	s.expect(rcv2, rb2, "rows(4 x 10)") // another region's go on
	for _, x := range []interface{ Close() }{snd, rcv, half, snd2, rcv2} {
		x.Close()
	}
}

// closeAtAnyTime lets both ends work and close without a plan.
func closeAtAnyTime(s *scene) {
	for round := range 300 {
		id := s.id
		id.Edge = int32(round)
		snd, _ := s.sender(id, 1000)
		rcv, _ := s.receiver(id, 1000)
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range int64(round % 17) {
				snd.Send(s.rows(i, 5))
			}
			if round%2 == 0 {
				snd.Send(stream.End())
			}
			snd.Close()
		})
		wg.Go(func() {
			for range round % 13 {
				e, _ := rcv.Poll()
				drop(e)
			}
			rcv.Close()
		})
		wg.Wait()
	}
}
