package exchangetest

import (
	"fmt"
	"slices"

	"millrace/exchange"
	"millrace/stream"
	"millrace/types"
)

// before waits until the barrier is queued, and returns what stands before it.
func (s *scene) before(rcv exchange.Receiver, rb bell, id types.CheckpointID) []string {
	s.Helper()
	var elements []stream.Element
	s.until(rb, fmt.Sprintf("barrier %d", id), func() (ok bool) {
		elements, ok = rcv.AppendBefore(nil, id)
		return ok
	})
	var out []string
	for _, e := range elements {
		out = append(out, describe(e))
		drop(e)
	}
	return out
}

func barrierIsSeenBehindRows(s *scene) {
	snd, _, rcv, rb := s.channel(1 << 20)
	if b, ok := rcv.Barrier(); ok {
		s.Fatalf("%v in an empty channel", b)
	}
	snd.Send(s.rows(1, 3))
	snd.Send(stream.WatermarkOf(5))
	snd.Send(s.rows(2, 4))
	snd.Send(stream.BarrierOf(stream.Barrier{ID: 7}))
	snd.Send(s.rows(3, 5))
	want := []string{"rows(1 x 3)", "watermark(5)", "rows(2 x 4)"}
	for range 2 { // looking changes nothing
		if got := s.before(rcv, rb, 7); !slices.Equal(got, want) {
			s.Fatalf("before the barrier: %v, want %v", got, want)
		}
	}
	if b, ok := rcv.Barrier(); !ok || b.ID != 7 {
		s.Fatalf("the newest barrier is %v %v", b, ok)
	}
	if e, ok := rcv.AppendBefore(nil, 8); ok || len(e) > 0 {
		s.Fatalf("%d elements before a barrier that was not sent", len(e))
	}
	s.expect(rcv, rb, "rows(1 x 3)")
	if got := s.before(rcv, rb, 7); !slices.Equal(got, want[1:]) {
		s.Fatalf("before the barrier: %v, want %v", got, want[1:])
	}
	s.expect(rcv, rb, "watermark(5)")
	// What was shown outlives the channel.
	kept, ok := rcv.AppendBefore(nil, 7)
	if !ok || len(kept) != 1 {
		s.Fatalf("%d elements before the barrier, %v", len(kept), ok)
	}
	s.expect(rcv, rb, "rows(2 x 4)")
	s.expect(rcv, rb, "barrier(7)")
	if b, ok := rcv.Barrier(); ok {
		s.Fatalf("%v is queued, though it was taken", b)
	}
	s.expect(rcv, rb, "rows(3 x 5)")
	snd.Close()
	rcv.Close()
	if got := describe(kept[0]); got != "rows(2 x 4)" {
		s.Fatalf("what was kept is %s now", got)
	}
	drop(kept[0])
}

func barrierWakesWhoDoesNotWait(s *scene) {
	snd, _, rcv, rb := s.channel(1)
	snd.Send(s.rows(1, 10)) // more than the credit
	snd.Send(stream.BarrierOf(stream.Barrier{ID: 3}))
	if got := s.before(rcv, rb, 3); !slices.Equal(got, []string{"rows(1 x 10)"}) {
		s.Fatalf("before the barrier: %v", got)
	}
	snd.Close()
	rcv.Close()
}

func newestBarrierIsSeen(s *scene) {
	snd, _, rcv, rb := s.channel(1 << 20)
	for i := range int64(100) { // the queue grows
		snd.Send(s.rows(i, 1))
		snd.Send(stream.BarrierOf(stream.Barrier{ID: types.CheckpointID(i + 1)}))
	}
	s.until(rb, "barrier 100", func() bool {
		b, ok := rcv.Barrier()
		return ok && b.ID == 100
	})
	if got := s.before(rcv, rb, 3); len(got) != 5 {
		s.Fatalf("%d elements before barrier 3, want 5", len(got))
	}
	if got := s.before(rcv, rb, 100); len(got) != 199 {
		s.Fatalf("%d elements before barrier 100, want 199", len(got))
	}
	snd.Close()
	rcv.Close()
}
