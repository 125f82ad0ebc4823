//go:build invariants

package invariant_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/internal/invariant"
)

func TestFailedfPanics(t *testing.T) {
	defer func() {
		v, ok := recover().(*invariant.Violation)
		if !ok || v.Error() != "BUG: credit is -1" {
			t.Errorf("recovered %v", v)
		}
	}()
	_ = invariant.Failedf("credit is %d", -1)
	t.Error("Failedf returned")
}

func TestSometimes(t *testing.T) {
	draw := func(percent int) (hits int, seen []bool) {
		invariant.Seed(42)
		for range 1000 {
			hit := invariant.Sometimes(percent)
			seen = append(seen, hit)
			if hit {
				hits++
			}
		}
		return hits, seen
	}
	for _, c := range []struct{ percent, low, high int }{{0, 0, 0}, {20, 130, 270}, {100, 1000, 1000}} {
		if hits, _ := draw(c.percent); hits < c.low || hits > c.high {
			t.Errorf("Sometimes(%d): %d of 1000", c.percent, hits)
		}
	}
	_, first := draw(50)
	_, second := draw(50)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("same seed, other draws: %s", diff)
	}
}
