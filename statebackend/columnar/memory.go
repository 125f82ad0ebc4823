package columnar

import (
	"sync"

	"millrace/statebackend"
)

// memory hands out the slices of a store, takes them back for reuse, and counts
// them. It is asked when something grows, never for each row. It is safe for
// concurrent use, because a snapshot may be released by another goroutine.
type memory struct {
	budget *statebackend.Budget // nil: no bound
	mu     struct {
		sync.Mutex
		closed bool
		used   int64 // everything that is out or pooled; the budget has counted it
		pooled int64
		words  map[int][][]uint64 // by length
		zeroed map[int][][]uint64 // by length; every word is 0
		bytes  map[int][][]byte   // by length
	}
}

func newMemory(b *statebackend.Budget) *memory {
	m := &memory{budget: b}
	m.mu.words = make(map[int][][]uint64)
	m.mu.zeroed = make(map[int][][]uint64)
	m.mu.bytes = make(map[int][][]byte)
	return m
}

// close gives back to the budget what was taken, and counts nothing from now on:
// what is out goes with whoever has it.
func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count(-m.mu.used)
	m.mu.closed = true
}

// count counts n more bytes, or fewer, here and in the budget. It needs the lock.
func (m *memory) count(n int64) {
	if !m.mu.closed {
		m.mu.used += n
		m.budget.Force(n)
	}
}

// used returns the bytes that are out or kept for reuse.
func (m *memory) used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.used
}

// account counts memory that grew (or shrank) elsewhere. It refuses nothing.
func (m *memory) account(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count(n)
}

// charge counts memory that grows (or shrinks) elsewhere, within the bound.
func (m *memory) charge(n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n <= 0 {
		m.count(n)
		return nil
	}
	return m.admit(n)
}

// getWords returns n words of undefined content.
func (m *memory) getWords(n int) ([]uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := pop(m.mu.words, n); w != nil {
		m.mu.pooled -= int64(n) * 8
		return w, nil
	}
	if err := m.admit(int64(n) * 8); err != nil {
		return nil, err
	}
	return make([]uint64, n), nil
}

// getZeroed returns n words that are 0.
func (m *memory) getZeroed(n int) ([]uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := pop(m.mu.zeroed, n); w != nil {
		m.mu.pooled -= int64(n) * 8
		return w, nil
	}
	if err := m.admit(int64(n) * 8); err != nil {
		return nil, err
	}
	return make([]uint64, n), nil
}

// getBytes returns n bytes of undefined content. With force the bound does not
// count: moving bytes in order to free others must not fail.
func (m *memory) getBytes(n int, force bool) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := pop(m.mu.bytes, n); b != nil {
		m.mu.pooled -= int64(n)
		return b, nil
	}
	if err := m.admit(int64(n)); err != nil && !force {
		return nil, err
	} else if err != nil {
		m.count(int64(n))
	}
	return make([]byte, n), nil
}

func pop[T any](free map[int][][]T, n int) []T {
	list := free[n]
	if len(list) == 0 {
		return nil
	}
	x := list[len(list)-1]
	list[len(list)-1] = nil
	free[n] = list[:len(list)-1]
	return x
}

// admit counts n new bytes, or says that the bound is reached. What is pooled
// goes first.
func (m *memory) admit(n int64) error {
	if m.mu.closed {
		return nil
	}
	err := m.budget.Take(n)
	if err != nil && m.mu.pooled > 0 {
		clear(m.mu.words)
		clear(m.mu.zeroed)
		clear(m.mu.bytes)
		m.count(-m.mu.pooled)
		m.mu.pooled = 0
		err = m.budget.Take(n)
	}
	if err != nil {
		return err
	}
	m.mu.used += n
	return nil
}

func (m *memory) putWords(w []uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keep(int64(len(w)) * 8) {
		m.mu.words[len(w)] = append(m.mu.words[len(w)], w)
	}
}

// putZeroed takes back words that the caller has set to 0.
func (m *memory) putZeroed(w []uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keep(int64(len(w)) * 8) {
		m.mu.zeroed[len(w)] = append(m.mu.zeroed[len(w)], w)
	}
}

func (m *memory) putBytes(b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keep(int64(len(b))) {
		m.mu.bytes[len(b)] = append(m.mu.bytes[len(b)], b)
	}
}

// keep tells whether n bytes that come back are pooled; otherwise the garbage
// collector has them.
func (m *memory) keep(n int64) bool {
	if n == 0 {
		return false
	}
	if m.mu.closed || m.mu.pooled+n > poolBytesMax {
		m.count(-n)
		return false
	}
	m.mu.pooled += n
	return true
}
