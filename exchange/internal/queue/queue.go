// Package queue is what the ends of channels keep elements in: a ring buffer of
// elements with what they cost, and the rules of control in it that every
// implementation of exchange shares. It has no lock of its own and no limit: its
// owner has both.
package queue

import "millrace/stream"

// placesMin is how many elements a queue has room for once it has one.
const placesMin = 64

// Place is an element in a queue, with the credit that it holds.
type Place struct {
	Element stream.Element
	Bytes   int
}

// Queue is a ring buffer that doubles when it is full. The zero value is empty.
type Queue struct {
	places []Place // a power of two of them
	head   int
	n      int
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
}

// Take removes the first element. There is one.
func (q *Queue) Take() Place {
	p := q.at(0)
	out := *p
	*p = Place{} // no reference to a batch that is someone else's now
	q.head = (q.head + 1) & (len(q.places) - 1)
	q.n--
	return out
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
