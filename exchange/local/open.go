package local

import (
	"millrace/exchange"
	"millrace/failure"
)

func (r *ring) openProducer(creditBytes int, w exchange.Waker) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.mu.producer.open(w); err != nil {
		return err
	}
	if r.mu.consumer.waker == nil {
		r.mu.limit = creditOr(creditBytes)
	}
	return nil
}

// openConsumer takes the consuming end. The producer may have been waiting for
// the larger credit that comes with it.
func (r *ring) openConsumer(creditBytes int, w exchange.Waker) error {
	r.mu.Lock()
	err := r.mu.consumer.open(w)
	var p exchange.Waker
	if err == nil {
		r.mu.limit = creditOr(creditBytes)
		p = r.mu.producer.wake()
	}
	r.mu.Unlock()
	wake(p)
	return err
}

func (s *side) open(w exchange.Waker) error {
	if s.waker != nil {
		return failure.Internalf("this end is open already")
	}
	s.waker = w
	return nil
}

func creditOr(bytes int) int {
	if bytes <= 0 {
		return exchange.DefaultCreditBytes
	}
	return bytes
}

// halfOpen tells that one end was never opened.
func (r *ring) halfOpen() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.producer.waker == nil || r.mu.consumer.waker == nil
}
