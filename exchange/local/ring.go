package local

import (
	"sync"

	"millrace/exchange"
	"millrace/exchange/internal/queue"
	"millrace/stream"
	"millrace/types"
)

// ring is a channel: a queue of elements with one producer and one consumer.
// Its two ends are views of it with the methods of their side.
type ring struct {
	id      exchange.ChannelID
	network *Network

	mu struct {
		sync.Mutex
		queue.Queue
		limit    int // bytes of credit
		rows     int // batches queued
		bytes    int // their size
		producer side
		consumer side
		// ended: an End was sent. broken: nothing more arrives, and what was queued
		// is released.
		ended, broken bool
	}
}

// side is what a ring knows of one of its ends.
type side struct {
	waker  exchange.Waker // nil until the end is opened
	waits  bool           // found nothing to do and must be woken
	closed bool
}

// wake takes the duty to wake the end from the ring: the caller does it after
// unlocking. It returns nil where there is no need.
func (s *side) wake() exchange.Waker {
	if !s.waits {
		return nil
	}
	s.waits = false
	return s.waker
}

func wake(w exchange.Waker) {
	if w != nil {
		w.Wake()
	}
}

// sender is the producing end of a ring.
type sender struct{ r *ring }

// receiver is the consuming end of a ring.
type receiver struct{ r *ring }

// Credit returns what is left of the channel's bytes.
func (s sender) Credit() int {
	r := s.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deaf() {
		return r.mu.limit
	}
	credit := r.mu.limit - r.mu.bytes
	if over := r.mu.rows - rowPlaces; over >= 0 {
		credit = min(credit, -over*(r.mu.limit/rowPlaces))
	}
	r.mu.producer.waits = credit <= 0
	return credit
}

// deaf tells that whatever is sent is released at once.
func (r *ring) deaf() bool { return r.mu.broken || r.mu.consumer.closed }

// Send queues the element, or releases it where nobody will poll it.
func (s sender) Send(e stream.Element) {
	r := s.r
	size := 0
	if e.Kind == stream.RowsElement {
		size = e.Batch.SizeBytes()
	}
	r.mu.Lock()
	if r.deaf() || r.mu.producer.closed {
		r.mu.Unlock()
		queue.Release(e)
		return
	}
	var dropped queue.Queue
	if !r.mu.Supersede(e) && !r.push(e, size) {
		dropped = r.breakOff()
		dropped.Put(queue.Place{Element: e})
	}
	w := r.mu.consumer.wake()
	if e.Kind == stream.BarrierElement {
		w = r.mu.consumer.waker
	}
	r.mu.Unlock()
	wake(w)
	dropped.Release()
}

// push queues the element. It is false where the queue is full, or where rows
// come behind the End: dropping them in silence would lose them.
func (r *ring) push(e stream.Element, size int) bool {
	isRows := e.Kind == stream.RowsElement
	if r.mu.Len() == ringPlacesMax || isRows && r.mu.ended {
		return false
	}
	r.mu.Put(queue.Place{Element: e, Bytes: size})
	r.mu.bytes += size
	if isRows {
		r.mu.rows++
	}
	r.mu.ended = r.mu.ended || e.Kind == stream.EndElement
	return true
}

// breakOff makes the channel useless and returns what was queued.
func (r *ring) breakOff() queue.Queue {
	r.mu.broken = true
	return r.drain()
}

// drain empties the ring for good.
func (r *ring) drain() queue.Queue {
	q := r.mu.Queue
	r.mu.Queue = queue.Queue{}
	r.mu.rows, r.mu.bytes = 0, 0
	return q
}

// Close ends the producer's side.
func (s sender) Close() {
	r := s.r
	r.mu.Lock()
	var dropped queue.Queue
	if !r.mu.producer.closed && !r.mu.ended {
		dropped = r.breakOff()
	}
	r.mu.producer.closed, r.mu.producer.waits = true, false
	w := r.mu.consumer.waker
	over := r.mu.consumer.closed
	r.mu.Unlock()
	wake(w)
	dropped.Release()
	if over {
		r.network.remove(r)
	}
}

// Poll takes the next element and gives its credit back.
func (c receiver) Poll() (stream.Element, bool) {
	r := c.r
	r.mu.Lock()
	if r.mu.Len() == 0 {
		r.mu.consumer.waits = true
		r.mu.Unlock()
		return stream.Element{}, false
	}
	p := r.mu.Take()
	var w exchange.Waker
	if p.Element.Kind == stream.RowsElement {
		r.mu.bytes -= p.Bytes
		r.mu.rows--
		if r.mu.bytes <= r.mu.limit/2 && r.mu.rows <= rowPlaces/2 {
			w = r.mu.producer.wake()
		}
	}
	r.mu.Unlock()
	wake(w)
	return p.Element, true
}

// Barrier returns the newest barrier that is queued.
func (c receiver) Barrier() (stream.Barrier, bool) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.r.mu.Barrier()
}

// AppendBefore appends the elements that are queued before a barrier.
func (c receiver) AppendBefore(to []stream.Element, id types.CheckpointID) ([]stream.Element, bool) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.r.mu.AppendBefore(to, id)
}

// Broken tells that nothing more comes though the producer hasn't ended.
func (c receiver) Broken() bool {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.r.mu.broken
}

// Close ends the consumer's side.
func (c receiver) Close() {
	r := c.r
	r.mu.Lock()
	dropped := r.drain()
	r.mu.consumer.closed, r.mu.consumer.waits = true, false
	w := r.mu.producer.wake()
	over := r.mu.producer.closed
	r.mu.Unlock()
	wake(w)
	dropped.Release()
	if over {
		r.network.remove(r)
	}
}

// abandon breaks the channel from outside, for both ends.
func (r *ring) abandon() {
	r.mu.Lock()
	dropped := r.breakOff()
	p, c := r.mu.producer.wake(), r.mu.consumer.waker
	r.mu.Unlock()
	wake(p)
	wake(c)
	dropped.Release()
}
