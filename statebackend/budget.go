package statebackend

import (
	"fmt"
	"sync"

	"millrace/failure"
)

// Budget bounds the memory of the stores that share it, those of the tasks of one
// slot. A nil Budget has no bound. It is safe for concurrent use.
type Budget struct {
	bytesMax int64
	remedy   string
	mu       struct {
		sync.Mutex
		used int64
	}
}

// NewBudget returns a budget of that many bytes, nil for 0. The remedy is what to
// do when it does not suffice, in the words of whoever set it.
func NewBudget(bytesMax int64, remedy string) *Budget {
	if bytesMax <= 0 {
		return nil
	}
	return &Budget{bytesMax: bytesMax, remedy: remedy}
}

// Take counts n more bytes. Where the budget does not have them it counts nothing
// and says so, with the remedy; the failure is external, and not mended by trying
// again.
func (b *Budget) Take(n int64) error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.used+n > b.bytesMax {
		return failure.External(failure.Message{
			Primary: fmt.Sprintf("the state needs %d bytes more than the %d in use, its budget is %d bytes", n, b.mu.used, b.bytesMax),
			Hint:    b.remedy,
		}, failure.Never)
	}
	b.mu.used += n
	return nil
}

// Force counts n more bytes whatever the bound, or fewer where n is negative.
func (b *Budget) Force(n int64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.used += n
}

// Limit returns the bound, 0 where there is none.
func (b *Budget) Limit() int64 {
	if b == nil {
		return 0
	}
	return b.bytesMax
}

// Used returns the bytes that are counted.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.used
}
