//go:build !simmutants

package mutant

// Built tells whether bugs can be switched on.
const Built = false

// On is false.
func On(Name) bool { return false }

// Use does nothing.
func Use(Name) {}
