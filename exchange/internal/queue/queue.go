// Package queue is what the ends of channels keep elements in: a ring buffer of
// elements with what they cost, and the rules of control in it that every
// implementation of exchange shares. It has no lock of its own and no limit: its
// owner has both.
package queue

import (
	"millrace/stream"
	"millrace/types"
)

// placesMin is how many elements a queue has room for once it has one.
const placesMin = 64

// Place is an element in a queue, with the credit that it holds.
type Place struct {
	Element stream.Element
	Bytes   int
}

// Queue is a ring buffer that doubles when it is full. The zero value is empty.
type Queue struct {
	places   []Place // a power of two of them
	head     int
	n        int
	barriers int            // how many of the elements are barriers
	newest   stream.Barrier // the last of them, if there is one
}

// Len returns the number of elements.
func (q *Queue) Len() int { return q.n }

func (q *Queue) at(i int) *Place { return &q.places[(q.head+i)&(len(q.places)-1)] }

// Put appends an element.
func (q *Queue) Put(p Place) {
	if q.n == len(q.places) {
		q.grow()
	}
	q.n++
	*q.at(q.n - 1) = p
	if p.Element.Kind == stream.BarrierElement {
		q.barriers++
		q.newest = p.Element.Barrier
	}
}

// Take removes the first element. There is one.
func (q *Queue) Take() Place {
	p := q.at(0)
	out := *p
	*p = Place{} // no reference to a batch that is someone else's now
	q.head = (q.head + 1) & (len(q.places) - 1)
	q.n--
	if out.Element.Kind == stream.BarrierElement {
		q.barriers--
	}
	return out
}

// Barrier returns the newest barrier that is queued.
func (q *Queue) Barrier() (stream.Barrier, bool) { return q.newest, q.barriers > 0 }

// AppendBefore appends the elements before the barrier of a checkpoint, each batch
// with a reference for the caller. It appends nothing and is false where that barrier
// is not queued.
func (q *Queue) AppendBefore(to []stream.Element, id types.CheckpointID) ([]stream.Element, bool) {
	at := 0
	for ; at < q.n; at++ {
		if e := q.at(at).Element; e.Kind == stream.BarrierElement && e.Barrier.ID == id {
			break
		}
	}
	if q.barriers == 0 || at == q.n {
		return to, false
	}
	for i := range at {
		e := q.at(i).Element
		if e.Kind == stream.RowsElement {
			e.Batch.Retain()
		}
		to = append(to, e)
	}
	return to, true
}

func (q *Queue) grow() {
	bigger := make([]Place, max(2*len(q.places), placesMin))
	for i := range q.n {
		bigger[i] = *q.at(i)
	}
	q.places, q.head = bigger, 0
}

// Supersede puts an element in the last one's place if it says what that says, and
// more: a later watermark, a newer status.
func (q *Queue) Supersede(e stream.Element) bool {
	if e.Kind != stream.WatermarkElement && e.Kind != stream.StatusElement || q.n == 0 || q.at(q.n-1).Element.Kind != e.Kind {
		return false
	}
	q.at(q.n - 1).Element = e
	return true
}

// Release gives back every batch that is queued.
func (q *Queue) Release() {
	for q.n > 0 {
		Release(q.Take().Element)
	}
}

// Release gives an element's batch back, if it has one.
func Release(e stream.Element) {
	if e.Kind == stream.RowsElement {
		e.Batch.Release()
	}
}
