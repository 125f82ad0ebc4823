//go:build !invariants

package invariant

import "millrace/failure"

// Enabled tells whether this is an invariant build.
const Enabled = false

// Failedf reports a broken invariant. In this build it returns an error of class internal with a *Violation inside, and
// logs nothing: the caller returns it.
func Failedf(format string, args ...any) error {
	return failure.Internal(violation(format, args))
}

// Seed does nothing in this build.
func Seed(uint64) {}

// Sometimes is false in this build: fast paths are always taken.
func Sometimes(int) bool { return false }
