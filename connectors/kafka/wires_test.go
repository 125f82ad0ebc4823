package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// wires makes connections that lose answers: a fake broker's own controls stand
// in place of its work, so that they can't lose the answer to work that is done.
type wires struct {
	mu   sync.Mutex
	cuts map[int16]int // answers to lose by the request's key
	lost int
	late map[int16]chan struct{} // answers wait until it is closed
	away bool                    // nobody answers and nobody listens
	open map[*wire]bool          // connections
	// network is how connections are made; nil is the usual way.
	network dial
	strike  strike
	latency time.Duration // of every answer; set before there are connections
}

// strike is the death of a process at a request of the protocol: before it is sent, or when its answer has come.
type strike struct {
	at       int  // counted from 1; 0: never
	answered bool // the broker has carried the request out
	seen     int
	wire     *wire // whose answer is awaited
	id       int32
	happens  func()
}

// steps are the requests by which a sink changes something, or finds out what is.
var steps = []kmsg.Key{
	kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.OffsetFetch,
	kmsg.OffsetCommit,
}

// sends counts a request; false if the process dies before it sends it.
func (w *wires) sends(on *wire, id int32, key int16) bool {
	w.mu.Lock()
	s := &w.strike
	if slices.ContainsFunc(steps, func(k kmsg.Key) bool { return k.Int16() == key }) {
		s.seen++
	}
	dies := s.at > 0 && s.seen == s.at && s.wire == nil
	if dies {
		s.wire, s.id = on, id
	}
	dies = dies && !s.answered
	w.mu.Unlock()
	if dies {
		w.dies()
	}
	return !dies
}

// answers tells whether it is the answer at which the process dies.
func (w *wires) answers(on *wire, id int32) bool {
	w.mu.Lock()
	dies := w.strike.answered && w.strike.wire == on && w.strike.id == id
	w.mu.Unlock()
	if dies {
		w.dies()
	}
	return dies
}

// dies ends all that the process could still say.
func (w *wires) dies() {
	w.goAway()
	w.strike.happens()
}

// errAway is how a broker that is not there refuses.
var errAway = errors.New("the test took the broker away")

// goAway cuts every connection and refuses new ones; comeBack ends that.
func (w *wires) goAway() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = true
	for c := range w.open {
		_ = c.Close()
	}
	clear(w.open)
}

func (w *wires) comeBack() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = false
}

// enter counts a connection among the open ones; false while the broker is away.
func (w *wires) enter(c *wire) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away {
		return false
	}
	if w.open == nil {
		w.open = map[*wire]bool{}
	}
	w.open[c] = true
	return true
}

// lose makes the next n answers to requests of a key disappear with their
// connections, after the broker has carried the requests out.
func (w *wires) lose(key kmsg.Key, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cuts == nil {
		w.cuts = map[int16]int{}
	}
	w.cuts[key.Int16()] = n
}

func (w *wires) losses() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost
}

// delay makes answers to requests of a key wait until arrive is called.
func (w *wires) delay(key kmsg.Key) (arrive func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	until := make(chan struct{})
	if w.late == nil {
		w.late = map[int16]chan struct{}{}
	}
	w.late[key.Int16()] = until
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.late, key.Int16())
		close(until)
	})
}

func (w *wires) delayed(key int16) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.late[key]
}

// loses tells whether the answer at hand is to be lost.
func (w *wires) loses(key int16) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cuts[key] == 0 {
		return false
	}
	w.cuts[key]--
	w.lost++
	return true
}

func (w *wires) dial(ctx context.Context, network, host string) (net.Conn, error) {
	reach := w.network
	if reach == nil {
		reach = (&net.Dialer{}).DialContext
	}
	c, err := reach(ctx, network, host)
	if err != nil {
		return nil, err
	}
	opened := &wire{Conn: c, wires: w, keys: map[int32]int16{}}
	if !w.enter(opened) {
		_ = c.Close()
		return nil, fmt.Errorf("dial %s: %w", host, errAway)
	}
	return opened, nil
}

// wire remembers the keys of requests by their correlation id. A client writes a
// request in one call, and reads the length of an answer before the rest.
type wire struct {
	net.Conn
	wires *wires

	mu   sync.Mutex
	keys map[int32]int16
	head []byte // of the answer that is being read: length and correlation id
	left int    // bytes of the answer that are still to come
}

func (w *wire) Write(p []byte) (int, error) {
	if len(p) >= 12 {
		id, key := int32(binary.BigEndian.Uint32(p[8:])), int16(binary.BigEndian.Uint16(p[4:]))
		w.mu.Lock()
		w.keys[id] = key
		w.mu.Unlock()
		if !w.wires.sends(w, id, key) {
			return 0, errTampered
		}
	}
	return w.Conn.Write(p)
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if wait := w.wires.latency; wait > 0 {
		sleep(context.Background(), wait)
	}
	lost, until := w.inspect(p[:n])
	if until != nil {
		<-until
	}
	if lost {
		_ = w.Close()
		return 0, errTampered
	}
	return n, err
}

// inspect follows the framing and tells whether an answer in p is to be lost, or
// until when it is to wait.
func (w *wire) inspect(p []byte) (lost bool, until <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(p) > 0 {
		if len(w.head) < 8 {
			take := min(8-len(w.head), len(p))
			w.head, p = append(w.head, p[:take]...), p[take:]
			if len(w.head) < 8 {
				return false, until
			}
			w.left = int(binary.BigEndian.Uint32(w.head)) - 4
			id := int32(binary.BigEndian.Uint32(w.head[4:]))
			key := w.keys[id]
			delete(w.keys, id)
			if w.wires.loses(key) || w.wires.answers(w, id) {
				return true, until
			}
			if late := w.wires.delayed(key); late != nil {
				until = late
			}
		}
		take := min(w.left, len(p))
		w.left, p = w.left-take, p[take:]
		if w.left == 0 {
			w.head = w.head[:0]
		}
	}
	return false, until
}
