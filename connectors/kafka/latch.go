package kafka

import "sync/atomic"

// latch keeps the first error that it is given. It is safe for concurrent use.
type latch struct{ first atomic.Pointer[error] }

func (l *latch) set(err error) {
	if err != nil {
		l.first.CompareAndSwap(nil, &err)
	}
}

func (l *latch) err() error {
	if p := l.first.Load(); p != nil {
		return *p
	}
	return nil
}
