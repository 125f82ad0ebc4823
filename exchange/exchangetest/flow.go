package exchangetest

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"millrace/exchange"
	"millrace/stream"
)

func orderIsKept(s *scene) {
	snd, _, rcv, rb := s.channel(1 << 20)
	for i := range int64(10) {
		snd.Send(s.rows(i, 3))
		snd.Send(stream.WatermarkOf(stream.Watermark(i)))
		snd.Send(stream.StatusOf(i%2 == 0))
		snd.Send(stream.BarrierOf(stream.Barrier{ID: 1}))
	}
	snd.Send(stream.End())
	snd.Send(stream.BarrierOf(stream.Barrier{ID: 2}))
	for i := range int64(10) {
		s.expect(rcv, rb, fmt.Sprintf("rows(%d x 3)", i))
		s.expect(rcv, rb, fmt.Sprintf("watermark(%d)", i))
		s.expect(rcv, rb, stream.StatusOf(i%2 == 0).String())
		s.expect(rcv, rb, "barrier(1)")
	}
	s.expect(rcv, rb, "end")
	s.expect(rcv, rb, "barrier(2)")
	snd.Close()
	rcv.Close()
}

func creditIsRespectedAndGivenBack(s *scene) {
	size := s.sizeOf(100)
	snd, sb, rcv, rb := s.channel(4 * size)
	for round := range 3 {
		s.until(sb, "all the credit", func() bool { return snd.Credit() == 4*size })
		for i := range int64(4) {
			if snd.Credit() <= 0 {
				s.Fatalf("round %d: no credit for batch %d of 4", round, i)
			}
			snd.Send(s.rows(i, 100))
		}
		if c := snd.Credit(); c > 0 {
			s.Fatalf("round %d: %d bytes of credit are left", round, c)
		}
		for i := range int64(4) {
			s.expect(rcv, rb, fmt.Sprintf("rows(%d x 100)", i))
			if i == 1 { // half is left: the producer must have been woken
				s.until(sb, "credit", func() bool { return snd.Credit() > 0 })
			}
		}
		if e, ok := rcv.Poll(); ok {
			s.Fatalf("round %d: %s too many", round, e)
		}
	}
	snd.Close()
	rcv.Close()
}

func largeBatchPassesAnEmptyChannel(s *scene) {
	snd, sb, rcv, rb := s.channel(64)
	for i := range int64(3) {
		s.until(sb, "credit", func() bool { return snd.Credit() > 0 })
		snd.Send(s.rows(i, 1000))
		if snd.Credit() > 0 {
			s.Fatal("credit in spite of a batch far beyond it")
		}
		s.expect(rcv, rb, fmt.Sprintf("rows(%d x 1000)", i))
	}
	snd.Close()
	rcv.Close()
}

func controlNeedsNoCredit(s *scene) {
	snd, _, rcv, rb := s.channel(1)
	snd.Send(s.rows(1, 10))
	if snd.Credit() > 0 {
		s.Fatal("credit is left")
	}
	const barriers = 100 // more than any place that could be kept for them
	for i := range barriers {
		snd.Send(stream.WatermarkOf(stream.Watermark(i)))
		snd.Send(stream.BarrierOf(stream.Barrier{ID: 1}))
	}
	snd.Send(stream.End())
	s.expect(rcv, rb, "rows(1 x 10)")
	for i := range barriers {
		s.expect(rcv, rb, fmt.Sprintf("watermark(%d)", i))
		s.expect(rcv, rb, "barrier(1)")
	}
	s.expect(rcv, rb, "end")
	snd.Close()
	rcv.Close()
}

func laterWatermarkMayReplaceTheLast(s *scene) {
	snd, _, rcv, rb := s.channel(1 << 20)
	snd.Send(s.rows(1, 1))
	const n = 100_000 // so many would break the channel if each were kept
	for i := range n {
		snd.Send(stream.WatermarkOf(stream.Watermark(i)))
	}
	snd.Send(stream.End())
	s.expect(rcv, rb, "rows(1 x 1)")
	last := stream.NoWatermark
	for {
		e := s.next(rcv, rb)
		if e.Kind == stream.EndElement {
			break
		}
		if e.Kind != stream.WatermarkElement || e.Watermark <= last {
			s.Fatalf("%s after watermark(%d)", e, last)
		}
		last = e.Watermark
	}
	if last != n-1 {
		s.Fatalf("the last watermark is %d", last)
	}
	snd.Close()
	rcv.Close()
}

// noWakeUpIsLost runs a producer and a consumer that sleep whenever they have
// nothing to do, at credits from tiny to ample.
func noWakeUpIsLost(s *scene) {
	for k, credit := range []int{1, 500, 10_000, 1 << 20} {
		id := s.id
		id.Edge = int32(10 + k)
		snd, sb := s.sender(id, credit)
		rcv, rb := s.receiver(id, credit)
		const n = 3000
		var wg sync.WaitGroup
		wg.Go(func() { s.produce(snd, sb, n) })
		s.consume(rcv, rb, n)
		wg.Wait()
		snd.Close()
		rcv.Close()
	}
}

func (s *scene) produce(snd exchange.Sender, b bell, n int64) {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range n {
		for snd.Credit() <= 0 {
			select {
			case <-b:
			case <-s.Context().Done(): // the consumer gave up
				return
			}
		}
		snd.Send(s.rows(i, 1+rng.IntN(20)))
		if rng.IntN(8) == 0 {
			snd.Send(stream.WatermarkOf(stream.Watermark(i)))
		}
	}
	snd.Send(stream.End())
}

func (s *scene) consume(rcv exchange.Receiver, b bell, n int64) {
	for want := int64(0); ; {
		e := s.next(rcv, b)
		switch e.Kind {
		case stream.RowsElement:
			if number(e) != want {
				s.Fatalf("rows %d, want %d", number(e), want)
			}
			want++
			e.Batch.Release()
		case stream.WatermarkElement:
			if int64(e.Watermark) >= want {
				s.Fatalf("watermark %d overtook rows %d", e.Watermark, want)
			}
		case stream.EndElement:
			if want != n {
				s.Fatalf("end after %d of %d batches", want, n)
			}
			return
		}
	}
}
