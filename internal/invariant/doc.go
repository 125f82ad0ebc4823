// Package invariant is for what cannot happen.
//
// A broken invariant is a bug, not an error to plan for. Built with the tag "invariants", as every test run is, Failedf
// panics on the spot, where the stack still shows the culprit. In a production build it returns an internal error
// instead: the caller returns it like any other, and the lifecycle restarts the tasks from the last checkpoint rather
// than lose the process. So write
//
//	if n < 0 {
//		return invariant.Failedf("credit of channel %d is %d", ch, n)
//	}
//
// Checks that cost time stand behind if invariant.Enabled, a constant, so that a production build has no trace of them.
// Sometimes lets an invariant build skip a fast path now and then, so that the slow one is tested too.
//
// Bad input never comes here: input is the user's, see package failure.
package invariant

import "fmt"

// Violation is a broken invariant: the value that Failedf panics with, and the error inside what it returns otherwise.
type Violation struct {
	// Text says which invariant broke, with the values.
	Text string
}

// Error prints the violation so that it is found by searching for "BUG:".
func (v *Violation) Error() string { return "BUG: " + v.Text }

func violation(format string, args []any) *Violation {
	return &Violation{Text: fmt.Sprintf(format, args...)}
}
