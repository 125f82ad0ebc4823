package taskmanager

import (
	"slices"
	"testing"
)

// TestAssignmentsAreTakenOnce: leaders that take over give all assignments again, in their order.
func TestAssignmentsAreTakenOnce(t *testing.T) {
	r := &running{}
	var taken []uint64
	for _, sequence := range []uint64{1, 4, 1, 4, 5, 1, 4, 5, 9} {
		if r.isNew(sequence) {
			taken = append(taken, sequence)
		}
	}
	if want := []uint64{1, 4, 5, 9}; !slices.Equal(taken, want) {
		t.Errorf("took %v, want %v", taken, want)
	}
}
