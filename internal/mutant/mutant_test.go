package mutant_test

import (
	"slices"
	"testing"

	"millrace/internal/mutant"
)

func TestNames(t *testing.T) {
	if !slices.IsSorted(mutant.All) {
		t.Errorf("not in order: %v", mutant.All)
	}
	if n := len(slices.Compact(slices.Clone(mutant.All))); n != len(mutant.All) || n < 24 {
		t.Errorf("%d names, %d of them different", len(mutant.All), n)
	}
}

// TestOn: without the build tag nothing is ever on; with it, what is in use.
func TestOn(t *testing.T) {
	defer mutant.Use("")
	mutant.Use(mutant.MarkerOmitted)
	if mutant.On(mutant.MarkerOmitted) != mutant.Built || mutant.On(mutant.StaleTerm) {
		t.Errorf("built %t, and %s is on: %t", mutant.Built, mutant.MarkerOmitted, mutant.On(mutant.MarkerOmitted))
	}
}
