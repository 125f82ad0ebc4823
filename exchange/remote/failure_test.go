package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"millrace/exchange"
	"millrace/exchange/frame"
	"millrace/exchange/remote"
	datav1 "millrace/proto/millrace/data/v1"
	"millrace/stream"
	"millrace/types"
)

var numbers = types.NewSchema(types.Field{Name: "n", Type: types.Of(types.BigInt)})

// rows returns an element of that many rows, the first of which carries n.
func rows(p *stream.Pool, n int64, count int) stream.Element {
	b := p.NewBatch(numbers, count)
	b.Columns[0] = stream.NewFixed(p, numbers.Fields[0].Type, count)
	values := stream.Values[int64](&b.Columns[0])
	for i := range values {
		values[i] = n
	}
	return stream.RowsOf(b)
}

// until waits for a condition that the bell announces.
func (c bell) until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for !holds() {
		select {
		case <-c:
		case <-deadline.C:
			t.Fatalf("nobody was woken for: %s", what)
		}
	}
}

// ends is both ends of a channel between two places.
type ends struct {
	t       testing.TB
	p, c    *place
	id      exchange.ChannelID
	s       exchange.Sender
	r       exchange.Receiver
	credit  bell
	element bell
}

func (e *ends) openSender(creditBytes int) {
	e.t.Helper()
	e.credit = make(bell, 1)
	var err error
	if e.s, err = e.p.Sender(e.id, e.c.id, creditBytes, e.credit); err != nil {
		e.t.Fatal(err)
	}
}

func (e *ends) openReceiver(creditBytes int) {
	e.t.Helper()
	e.element = make(bell, 1)
	var err error
	if e.r, err = e.c.Receiver(e.id, e.p.id, creditBytes, e.element); err != nil {
		e.t.Fatal(err)
	}
}

func open(t testing.TB, p, c *place, edge int32, creditBytes int) *ends {
	t.Helper()
	e := &ends{t: t, p: p, c: c, id: exchange.ChannelID{Region: types.RegionID{Job: "job"}, Attempt: 5, Edge: edge, From: 1, To: 2}}
	e.openSender(creditBytes)
	e.openReceiver(creditBytes)
	return e
}

// expect waits for the next element, which prints as want.
func (e *ends) expect(want string) {
	e.t.Helper()
	var got stream.Element
	e.element.until(e.t, want, func() (ok bool) {
		got, ok = e.r.Poll()
		return ok
	})
	if got.String() != want {
		e.t.Fatalf("got %s, want %s", got, want)
	}
	if got.Kind == stream.RowsElement {
		got.Batch.Release()
	}
}

func (e *ends) close() {
	e.s.Close()
	e.r.Close()
}

// pass shows that the channel works.
func (e *ends) pass() {
	e.t.Helper()
	e.s.Send(rows(&e.p.pool, 1, 10))
	e.s.Send(stream.BarrierOf(stream.Barrier{ID: 3}))
	e.expect("rows(10)")
	e.expect("barrier(3)")
}

func TestSlowConsumerStopsNobodyElse(t *testing.T) {
	p, c := pair(t, loopback{})
	const credit = 1 << 16
	slow := open(t, p, c, 0, credit)
	var fast []*ends
	for i := range 4 {
		fast = append(fast, open(t, p, c, int32(1+i), credit))
	}
	for i := int64(0); slow.s.Credit() > 0; i++ {
		slow.s.Send(rows(&p.pool, i, 1000))
	}
	var wg sync.WaitGroup
	for _, e := range fast {
		wg.Go(func() {
			for i := range int64(300) { // 37 times the credit
				e.credit.until(t, "credit", func() bool { return e.s.Credit() > 0 })
				e.s.Send(rows(&p.pool, i, 1000))
			}
			e.s.Send(stream.End())
		})
	}
	for _, e := range fast {
		for range 300 {
			e.expect("rows(1000)")
		}
		e.expect("end")
	}
	wg.Wait()
	// The slow channel is where it was: out of credit. Its barrier has come already.
	if slow.s.Credit() > 0 {
		t.Error("credit without a poll")
	}
	slow.s.Send(stream.BarrierOf(stream.Barrier{ID: 3}))
	fast[0].s.Send(stream.BarrierOf(stream.Barrier{ID: 3}))
	fast[0].expect("barrier(3)")
	for e, ok := slow.r.Poll(); ; e, ok = slow.r.Poll() {
		if !ok {
			slow.element.until(t, "the barrier", func() bool { e, ok = slow.r.Poll(); return ok })
		}
		if e.Kind == stream.BarrierElement {
			break
		}
		e.Batch.Release()
	}
	slow.close()
	for _, e := range fast {
		e.close()
	}
	if n := p.Counters().CreditWaitNanos.Load(); n == 0 {
		t.Error("no wait for credit was counted")
	}
}

func TestManyChannels(t *testing.T) {
	p, c := pair(t, loopback{})
	var all []*ends
	for i := range 500 {
		all = append(all, open(t, p, c, int32(i), 0))
	}
	for _, e := range all {
		e.s.Send(rows(&p.pool, 1, 10))
		e.s.Send(stream.End())
	}
	for _, e := range all {
		e.expect("rows(10)")
		e.expect("end")
		e.close()
	}
	eventually(t, "every channel is forgotten", func() bool { return p.Channels() == 0 && c.Channels() == 0 })
	if n := p.Counters().Dials.Load(); n != 1 {
		t.Errorf("%d streams for one pair and job", n)
	}
}

// cutter is a proxy that can cut what it carries.
type cutter struct {
	l     net.Listener
	to    string
	wait  sync.WaitGroup
	mu    sync.Mutex
	conns []net.Conn
	// limit is after how many bytes towards the consumer the next connection is cut;
	// negative: it is not.
	limit int64
}

// cutFirst cuts the next connection after that many bytes.
func (k *cutter) cutFirst(limit int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.limit = limit
}

func newCutter(t *testing.T, to string) *cutter {
	k := &cutter{l: loopback{}.listen(t), to: to, limit: -1}
	k.wait.Go(func() { k.accept(t) })
	t.Cleanup(func() {
		_ = k.l.Close()
		k.cut()
		k.wait.Wait()
	})
	return k
}

func (k *cutter) accept(t *testing.T) {
	for {
		near, err := k.l.Accept()
		if err != nil {
			return
		}
		far, err := (&net.Dialer{}).DialContext(context.WithoutCancel(t.Context()), "tcp", k.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		k.mu.Lock()
		k.conns = append(k.conns, near, far)
		limit := k.limit
		k.limit = -1
		k.mu.Unlock()
		k.wait.Go(func() {
			if limit >= 0 {
				_, _ = io.CopyN(far, near, limit)
			} else {
				_, _ = io.Copy(far, near)
			}
			_ = far.Close()
			_ = near.Close()
		})
		k.wait.Go(func() { _, _ = io.Copy(near, far); _ = near.Close(); _ = far.Close() })
	}
}

func (k *cutter) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.conns {
		_ = c.Close()
	}
	k.conns = nil
}

// cutPair is a pair with a cutter in between.
func cutPair(t *testing.T) (p, c *place, k *cutter) {
	t.Helper()
	at := &addresses{}
	l := loopback{}.listen(t)
	p, c = newPlace(t, "tm-p", at, loopback{}), newPlace(t, "tm-c", at, loopback{})
	c.serve(t, at, l)
	k = newCutter(t, l.Addr().String())
	at.set("tm-c", k.l.Addr().String())
	return p, c, k
}

func TestCutConnectionBreaksBothEnds(t *testing.T) {
	p, c, k := cutPair(t)
	a, b := open(t, p, c, 0, 1000), open(t, p, c, 1, 1000)
	a.pass()
	b.pass()
	for a.s.Credit() > 0 {
		a.s.Send(rows(&p.pool, 1, 10))
	}
	k.cut()
	for _, e := range []*ends{a, b} {
		e.element.until(t, "the break", e.r.Broken)
		e.credit.until(t, "credit without end", func() bool { return e.s.Credit() == 1000 })
		if _, ok := e.r.Poll(); ok {
			t.Error("an element from a broken channel")
		}
		e.s.Send(rows(&p.pool, 2, 10))
		for _, end := range []any{e.s, e.r} {
			err := end.(interface{ Err() error }).Err()
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("edge %d from 1 to 2 in attempt 5 with task manager tm-", e.id.Edge)) {
				t.Errorf("%T: %v", end, err)
			}
		}
		e.close()
	}
	for _, x := range []*place{p, c} {
		if i := <-x.broken; len(i.Channels) != 2 || i.Job != "job" || i.Cause == nil {
			t.Errorf("%s heard %s", x.id, i)
		}
	}
	next := &ends{t: t, p: p, c: c, id: exchange.ChannelID{Region: types.RegionID{Job: "job"}, Attempt: 6}}
	next.openReceiver(0)
	next.openSender(0)
	next.pass()
	next.close()
}

// TestCutAtEveryStage cuts the first connection after each number of bytes. Either
// the channel was not accepted yet and everything comes on the next connection, or
// both ends see it broken; nothing comes twice.
func TestCutAtEveryStage(t *testing.T) {
	for limit := int64(0); limit < 1200; limit += 37 {
		p, c, k := cutPair(t)
		k.cutFirst(limit)
		e := open(t, p, c, 0, 0)
		for i := range int64(3) {
			e.s.Send(rows(&p.pool, i, 1+int(i)))
		}
		e.s.Send(stream.End())
		var got []string
		e.element.until(t, "an end", func() bool {
			for {
				x, ok := e.r.Poll()
				if !ok {
					return e.r.Broken()
				}
				got = append(got, x.String())
				if x.Kind == stream.EndElement {
					return true
				}
				x.Batch.Release()
			}
		})
		want := "rows(1) rows(2) rows(3) end"
		if text := strings.Join(got, " "); e.r.Broken() && !strings.HasPrefix(want, text) || !e.r.Broken() && text != want {
			t.Errorf("cut after %d bytes: broken %v, got %q", limit, e.r.Broken(), text)
		}
		e.close()
		eventually(t, "both ends are forgotten", func() bool {
			p.Forget(types.RegionID{Job: "job"}, 5)
			c.Forget(types.RegionID{Job: "job"}, 5)
			return p.Channels() == 0 && c.Channels() == 0
		})
	}
}

func TestUnreachablePeerIsTriedAgain(t *testing.T) {
	at := &addresses{}
	p, c := newPlace(t, "tm-p", at, loopback{}), newPlace(t, "tm-c", at, loopback{})
	e := open(t, p, c, 0, 1000)
	e.s.Send(rows(&p.pool, 1, 10))
	if i := <-p.unreachable; i.Peer != "tm-c" || !strings.Contains(i.String(), "no address yet") {
		t.Errorf("heard %s", i)
	}
	for e.s.Credit() > 0 { // what the credit allows is held
		e.s.Send(rows(&p.pool, 1, 10))
	}
	c.serve(t, at, loopback{}.listen(t))
	e.expect("rows(10)")
	e.close()
}

func TestWrongPeersAreRefused(t *testing.T) {
	cases := []struct {
		name, want, cluster string
		to                  types.TaskManagerID
	}{
		{"cluster", `task manager tm-c is of cluster "test", not of "other"`, "other", "tm-c"},
		{"id", "this is task manager tm-c, not tm-x", "test", "tm-x"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			at := &addresses{}
			l := loopback{}.listen(t)
			p := newPlace(t, "tm-p", at, loopback{}, func(o *remote.Options) { o.Cluster = c.cluster })
			newPlace(t, "tm-c", at, loopback{}).serve(t, at, l)
			at.set("tm-x", l.Addr().String())
			b := make(bell, 1)
			s, err := p.Sender(exchange.ChannelID{Region: types.RegionID{Job: "job"}, Attempt: 1}, c.to, 10, b)
			if err != nil {
				t.Fatal(err)
			}
			s.Send(rows(&p.pool, 1, 10))
			b.until(t, "the refusal", func() bool { return s.Credit() > 0 })
			if i := <-p.broken; !strings.Contains(i.Cause.Error(), c.want) || i.Peer != c.to {
				t.Errorf("heard %s, want %s", i, c.want)
			}
			s.Close()
			eventually(t, "the sender is forgotten", func() bool { return p.Channels() == 0 })
		})
	}
}

// The consumer has seen a later attempt, of which the producer knows nothing.
func TestOlderAttemptIsRefusedByTheConsumer(t *testing.T) {
	p, c := pair(t, loopback{})
	c.Forget(types.RegionID{Job: "job"}, 5)
	e := &ends{t: t, p: p, c: c, id: exchange.ChannelID{Region: types.RegionID{Job: "job"}, Attempt: 5}}
	e.openSender(10)
	e.s.Send(rows(&p.pool, 1, 10))
	e.credit.until(t, "the refusal", func() bool { return e.s.Credit() > 0 })
	i := <-p.broken
	if !errors.Is(i.Cause, exchange.ErrFenced) {
		t.Errorf("heard %s", i)
	}
	e.s.Close()
	eventually(t, "the sender is forgotten", func() bool { return p.Channels() == 0 })
}

// The newer attempt's producer opens a channel: that fences at its consumer too.
func TestAnnouncementFencesAtTheConsumer(t *testing.T) {
	p, c := pair(t, loopback{})
	old := &ends{t: t, p: p, c: c, id: exchange.ChannelID{Region: types.RegionID{Job: "job"}, Attempt: 5}}
	old.openReceiver(10)
	newer := &ends{t: t, p: p, c: c, id: exchange.ChannelID{Region: types.RegionID{Job: "job"}, Attempt: 6}}
	newer.openSender(10)
	old.element.until(t, "the fence", old.r.Broken)
	if _, err := c.Receiver(old.id, p.id, 10, make(bell, 1)); !errors.Is(err, exchange.ErrFenced) {
		t.Errorf("an older receiver: %v", err)
	}
	old.r.Close()
	newer.openReceiver(10)
	newer.pass()
	newer.close()
}

// A running channel of an older attempt goes on while a newer one begins.
func TestOpenChannelsSurviveANewerAttempt(t *testing.T) {
	p, c := pair(t, loopback{})
	old := open(t, p, c, 0, 0)
	old.pass()
	newer := &ends{t: t, p: p, c: c, id: exchange.ChannelID{Region: types.RegionID{Job: "job"}, Attempt: 6}}
	newer.openSender(0)
	newer.openReceiver(0)
	newer.pass()
	old.pass()
	old.close()
	newer.close()
}

// The consumer expects its channel from somebody else.
func TestChannelOfAnotherProducerIsRefused(t *testing.T) {
	p, c := pair(t, loopback{})
	e := &ends{t: t, p: p, c: c, id: exchange.ChannelID{Region: types.RegionID{Job: "job"}, Attempt: 5}}
	r, err := c.Receiver(e.id, "tm-other", 10, make(bell, 1))
	if err != nil {
		t.Fatal(err)
	}
	e.openSender(10)
	if i := <-p.broken; !strings.Contains(i.Cause.Error(), "expects another producer") {
		t.Errorf("heard %s", i)
	}
	e.s.Close()
	r.Close()
}

// A producer that goes while its consumer has not opened yet leaves word.
func TestProducerThatGaveUpIsFoundBroken(t *testing.T) {
	p, c := pair(t, loopback{})
	e := &ends{t: t, p: p, c: c, id: exchange.ChannelID{Region: types.RegionID{Job: "job"}, Attempt: 5}}
	e.openSender(10)
	e.s.Close()
	eventually(t, "the producer is gone", func() bool { return p.Channels() == 0 })
	e.openReceiver(10)
	e.element.until(t, "the break", e.r.Broken)
	e.r.Close()
	eventually(t, "the consumer is gone", func() bool { return c.Channels() == 0 })
}

// A flood of control breaks its channel and no other.
func TestFloodBreaksItsChannelOnly(t *testing.T) {
	p, c := pair(t, loopback{})
	flooded, other := open(t, p, c, 0, 0), open(t, p, c, 1, 0)
	flooded.pass()
	for i := range 5000 {
		flooded.s.Send(stream.BarrierOf(stream.Barrier{ID: types.CheckpointID(i)}))
	}
	flooded.element.until(t, "the break", flooded.r.Broken)
	other.pass()
	flooded.close()
	other.close()
}

// Close in the middle of everything leaves nothing behind; the places' clean-up
// looks for buffers, TestMain for goroutines.
func TestCloseInTheMiddle(t *testing.T) {
	for _, first := range []string{"producer", "consumer"} {
		t.Run(first, func(t *testing.T) {
			p, c := pair(t, loopback{})
			e := open(t, p, c, 0, 1<<20)
			half := &ends{t: t, p: p, c: c, id: exchange.ChannelID{Region: types.RegionID{Job: "job"}, Attempt: 5, Edge: 1}}
			half.openSender(1000)
			half.s.Send(rows(&p.pool, 1, 100))
			e.pass()
			for range 100 {
				e.s.Send(rows(&p.pool, 1, 1000))
			}
			if first == "producer" {
				p.Close()
			} else {
				c.Close()
			}
			e.element.until(t, "the break", e.r.Broken)
			e.credit.until(t, "credit without end", func() bool { return e.s.Credit() > 0 })
			if _, err := p.Sender(exchange.ChannelID{Region: types.RegionID{Job: "x"}}, c.id, 1, make(bell, 1)); (err != nil) != (first == "producer") {
				t.Errorf("open after close: %v", err)
			}
			e.close()
			half.s.Close()
		})
	}
}

// rawStream speaks to a place as nobody of ours does.
func rawStream(t *testing.T, c *place, at string) grpc.BidiStreamingClient[datav1.ToConsumer, datav1.ToProducer] {
	t.Helper()
	conn, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s, err := datav1.NewDataServiceClient(conn).Exchange(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hello(version uint32) *datav1.ToConsumer {
	return &datav1.ToConsumer{Message: &datav1.ToConsumer_Hello{Hello: &datav1.Hello{
		Cluster: "test", Producer: "tm-p", Consumer: "tm-c", JobId: "job", FrameVersion: version,
	}}}
}

func opened(number uint32) *datav1.ToConsumer {
	return &datav1.ToConsumer{Message: &datav1.ToConsumer_Opened{Opened: &datav1.ChannelOpened{Number: number, Attempt: 5, From: 1, To: 2}}}
}

func frameOf(b ...byte) *datav1.ToConsumer {
	return &datav1.ToConsumer{Message: &datav1.ToConsumer_Frame{Frame: b}}
}

// controlFrame is a frame of no body with these fields.
func controlFrame(kind byte, number byte, attempt, sequence byte) *datav1.ToConsumer {
	b := make([]byte, 64)
	b[0], b[1], b[4], b[8], b[16] = frame.Version, kind, number, attempt, sequence
	return frameOf(b...)
}

// Any library of protobuf can speak to a consumer; what breaks the protocol ends
// the stream and says why.
func TestProtocolErrorsEndTheStream(t *testing.T) {
	const v = frame.Version
	watermark := byte(stream.WatermarkElement)
	cases := []struct {
		name, want string
		up         []*datav1.ToConsumer
	}{
		{"no hello", "begins with a hello", []*datav1.ToConsumer{opened(1)}},
		{"version", "frame version 2, not 99", []*datav1.ToConsumer{hello(99)}},
		{"second hello", "unexpected message", []*datav1.ToConsumer{hello(v), hello(v)}},
		{"frame of nothing", "no header", []*datav1.ToConsumer{hello(v), frameOf()}},
		{"unknown channel", "channel number 7, which is not open", []*datav1.ToConsumer{hello(v), controlFrame(watermark, 7, 5, 1)}},
		{"number twice", "announced twice", []*datav1.ToConsumer{hello(v), opened(1), opened(1)}},
		{"sequence", "frame 2 of attempt 5 where frame 1", []*datav1.ToConsumer{hello(v), opened(1), controlFrame(watermark, 1, 5, 2)}},
		{"attempt", "frame 1 of attempt 4 where", []*datav1.ToConsumer{hello(v), opened(1), controlFrame(watermark, 1, 4, 1)}},
		{"rows without schema", "rows before their schema", []*datav1.ToConsumer{hello(v), opened(1), controlFrame(byte(stream.RowsElement), 1, 5, 1)}},
		{"missing schema", "schema of channel number 1", []*datav1.ToConsumer{hello(v), opened(1), {Message: &datav1.ToConsumer_Schema{Schema: &datav1.ChannelSchema{Number: 1}}}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			at := &addresses{}
			consumer := newPlace(t, "tm-c", at, loopback{})
			l := loopback{}.listen(t)
			consumer.serve(t, at, l)
			s := rawStream(t, consumer, l.Addr().String())
			for _, m := range c.up {
				if err := s.Send(m); err != nil {
					break // the reason is what Recv returns
				}
			}
			var err error
			for err == nil {
				_, err = s.Recv()
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
