package local

import "millrace/stream"

// place is an element in a queue, with the credit that it holds.
type place struct {
	element stream.Element
	bytes   int
}

// queue is a ring buffer that doubles when it is full. Its memory is a power of
// two long. The zero value is empty.
type queue struct {
	places []place
	head   int
	n      int
}

func (q *queue) at(i int) *place { return &q.places[(q.head+i)&(len(q.places)-1)] }

func (q *queue) last() *place { return q.at(q.n - 1) }

func (q *queue) put(p place) {
	if q.n == len(q.places) {
		q.grow()
	}
	q.n++
	*q.last() = p
}

func (q *queue) take() place {
	p := q.at(0)
	out := *p
	*p = place{} // no reference to a batch that is someone else's now
	q.head = (q.head + 1) & (len(q.places) - 1)
	q.n--
	return out
}

func (q *queue) grow() {
	bigger := make([]place, max(2*len(q.places), ringPlaces))
	for i := range q.n {
		bigger[i] = *q.at(i)
	}
	q.places, q.head = bigger, 0
}

// release gives back every batch that is queued.
func (q *queue) release() {
	for q.n > 0 {
		release(q.take().element)
	}
}

func release(e stream.Element) {
	if e.Kind == stream.RowsElement {
		e.Batch.Release()
	}
}
