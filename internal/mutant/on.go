//go:build simmutants

package mutant

import "sync/atomic"

// Built tells whether bugs can be switched on.
const Built = true

var active atomic.Pointer[Name]

// On tells whether the bug is the one in use.
func On(n Name) bool {
	a := active.Load()
	return a != nil && *a == n
}

// Use switches one bug on, in the whole process, and every other off; "" switches all off.
func Use(n Name) { active.Store(&n) }
