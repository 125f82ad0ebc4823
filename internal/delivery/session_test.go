package delivery

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/internal/testutil/matrix"
)

func take(t *testing.T, s *Session[int]) []Frame[int] {
	t.Helper()
	frames, err := s.Take()
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

func expect(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLostMessagesAreSentAgain(t *testing.T) {
	s := New[int](10)
	for m := range 4 {
		s.Put(m)
	}
	expect(t, 4, len(take(t, s)))
	if _, err := s.Receive(0, 1); err != nil { // message 1 has arrived, and its acknowledgement came
		t.Fatal(err)
	}
	if err := s.Resume(2); err != nil { // so has message 2, says the new stream
		t.Fatal(err)
	}
	s.Put(4)
	expect(t, []Frame[int]{{3, 0, 2}, {4, 0, 3}, {5, 0, 4}}, take(t, s))
	expect(t, 0, len(take(t, s)))
}

func TestReceivedIsAcknowledged(t *testing.T) {
	s := New[int](10)
	s.Acknowledge()
	expect(t, 0, len(take(t, s))) // there is nothing to say
	for n := range uint64(acknowledgeEvery) {
		if fresh, err := s.Receive(n+1, 0); !fresh || err != nil {
			t.Fatalf("message %d: fresh %v, %v", n+1, fresh, err)
		}
	}
	if fresh, err := s.Receive(7, 0); fresh || err != nil {
		t.Errorf("a message that was received: fresh %v, %v", fresh, err)
	}
	select {
	case <-s.Ready():
	default:
		t.Error("an acknowledgement is owed, and nobody is woken")
	}
	expect(t, []Frame[int]{{Acknowledged: acknowledgeEvery}}, take(t, s))
	if _, err := s.Receive(acknowledgeEvery+1, 0); err != nil {
		t.Fatal(err)
	}
	expect(t, 0, len(take(t, s))) // one message is not worth a frame
	s.Acknowledge()
	expect(t, []Frame[int]{{Acknowledged: acknowledgeEvery + 1}}, take(t, s))
}

func TestTooManyMessagesEndASession(t *testing.T) {
	s := New[int](2)
	expect(t, []bool{true, true, false, false}, []bool{s.Put(1), s.Put(2), s.Put(3), s.Put(4)})
	_, taking := s.Take()
	for _, err := range []error{taking, s.Resume(0)} {
		if !errors.Is(err, ErrOver) {
			t.Errorf("a session that is over: %v", err)
		}
	}
	if fresh, err := s.Receive(1, 2); !fresh || err != nil {
		t.Errorf("a message to a session that is over: fresh %v, %v", fresh, err)
	}
	expect(t, true, s.Over())
	s.Reset()
	s.Put(5)
	expect(t, []Frame[int]{{1, 0, 5}}, take(t, s))
}

// TestNumbersOfAnother: what can't come from the other side of this session is
// an error, and changes nothing.
func TestNumbersOfAnother(t *testing.T) {
	s := New[int](10)
	s.Put(1)
	s.Put(2)
	expect(t, 2, len(take(t, s)))
	if err := s.Resume(1); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"never sent, acknowledged": second(s.Receive(0, 3)),
		"not sent again yet":       second(s.Receive(0, 2)),
		"one is missing":           second(s.Receive(2, 0)),
		"resumed behind the end":   s.Resume(9),
		"resumed too early":        s.Resume(0),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	expect(t, []Frame[int]{{2, 0, 2}}, take(t, s))
}

func second(_ bool, err error) error { return err }

// pair is two sides with the streams between them, as a model: what is on its way
// may be lost with its stream at any moment.
type pair struct {
	t     *testing.T
	sides [2]*Session[int]
	way   [2][]Frame[int] // to each side
	said  [2]int
	heard [2][]int
}

func (p *pair) take(from int) { p.way[1-from] = append(p.way[1-from], take(p.t, p.sides[from])...) }

func (p *pair) receive(at int) {
	if len(p.way[at]) == 0 {
		return
	}
	f := p.way[at][0]
	p.way[at] = p.way[at][1:]
	fresh, err := p.sides[at].Receive(f.Sequence, f.Acknowledged)
	if err != nil {
		p.t.Fatal(err)
	}
	if fresh {
		p.heard[at] = append(p.heard[at], f.Message)
	}
}

// breaks loses what is on its way, but for what the receivers have in hand already.
func (p *pair) breaks(r *rand.Rand) {
	for at := range p.way {
		for range r.IntN(len(p.way[at]) + 1) {
			p.receive(at)
		}
		p.way[at] = nil
	}
	for at, s := range p.sides {
		if err := s.Resume(p.sides[1-at].Received()); err != nil {
			p.t.Fatal(err)
		}
	}
}

// TestEachMessageOnceInOrder (safety and liveness): under any number of breaks each
// side hears a prefix of what the other said, and at last all of it.
func TestEachMessageOnceInOrder(t *testing.T) {
	r := matrix.Rand(t)
	for range 200 {
		p := &pair{t: t, sides: [2]*Session[int]{New[int](1000), New[int](1000)}}
		for range 300 {
			side := r.IntN(2)
			switch r.IntN(8) {
			case 0, 1:
				p.said[side]++
				p.sides[side].Put(p.said[side])
			case 2:
				p.take(side)
			case 3:
				p.sides[side].Acknowledge()
			case 4:
				if r.IntN(4) == 0 {
					p.breaks(r)
				}
			default:
				p.receive(side)
			}
		}
		for side := range p.sides {
			p.take(side)
			for len(p.way[1-side]) > 0 {
				p.receive(1 - side)
			}
		}
		for side, heard := range p.heard {
			want := make([]int, p.said[1-side])
			for i := range want {
				want[i] = i + 1
			}
			if diff := cmp.Diff(want, append([]int{}, heard...)); diff != "" {
				t.Fatalf("side %d: -said +heard:\n%s", side, diff)
			}
		}
	}
}
