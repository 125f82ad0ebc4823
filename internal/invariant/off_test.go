//go:build !invariants

package invariant_test

import (
	"errors"
	"testing"

	"millrace/failure"
	"millrace/internal/invariant"
)

func TestFailedfReturnsAnInternalError(t *testing.T) {
	err := invariant.Failedf("credit is %d", -1)
	var v *invariant.Violation
	if !errors.As(err, &v) || err.Error() != "BUG: credit is -1" {
		t.Fatalf("got %v", err)
	}
	if got := failure.ClassOf(err); got != (failure.Class{Domain: failure.DomainInternal, Retry: failure.Restart}) {
		t.Errorf("class %v", got)
	}
}

func TestSometimesIsOff(t *testing.T) {
	if invariant.Enabled || invariant.Sometimes(100) {
		t.Error("a production build skips a fast path")
	}
}
