//go:build invariants

package invariant

import (
	"os"
	"strconv"
	"sync/atomic"
)

// Enabled tells whether this is an invariant build.
const Enabled = true

// Failedf reports a broken invariant. In this build it panics with a *Violation.
func Failedf(format string, args ...any) error {
	panic(violation(format, args))
}

// draws counts through a splitmix64 sequence: a shared counter is all the state a sequence needs, so that tests may
// draw from many goroutines.
var draws = newDraws()

func newDraws() *atomic.Uint64 {
	var a atomic.Uint64
	seed, err := strconv.ParseUint(os.Getenv("MILLRACE_SEED"), 10, 64)
	if err == nil {
		a.Store(seed)
	}
	return &a
}

// Seed restarts the sequence that Sometimes draws from. At the start it is MILLRACE_SEED, or 0.
func Seed(seed uint64) { draws.Store(seed) }

// Sometimes returns true in about percent of 100 calls. It is safe for concurrent use; one goroutine sees the same
// answers for the same seed.
func Sometimes(percent int) bool {
	const step = 0x9e3779b97f4a7c15
	z := draws.Add(step)
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	z ^= z >> 31
	return int(z%100) < percent
}
