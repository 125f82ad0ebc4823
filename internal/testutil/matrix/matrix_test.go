package matrix

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPick(t *testing.T) {
	for _, c := range []struct{ n, size int }{{0, 5}, {1, 5}, {2, 5}, {3, 5}, {99, 100}} {
		for seed := range uint64(50) {
			got := pick(generator(seed, "test"), c.n, c.size)
			if len(got) != c.n || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != c.n {
				t.Fatalf("pick(%d of %d) = %v", c.n, c.size, got)
			}
			if c.n >= 2 && (got[0] != 0 || got[c.n-1] != c.size-1) {
				t.Fatalf("pick(%d of %d) = %v misses an extreme", c.n, c.size, got)
			}
		}
	}
}

func TestDrawsFollowSeedAndName(t *testing.T) {
	draw := func(seed uint64, name string) []int { return pick(generator(seed, name), 5, 1000) }
	if diff := cmp.Diff(draw(1, "a"), draw(1, "a")); diff != "" {
		t.Errorf("the same seed and name draw differently: %s", diff)
	}
	if cmp.Equal(draw(1, "a"), draw(2, "a")) || cmp.Equal(draw(1, "a"), draw(1, "b")) {
		t.Error("other seeds or names draw the same")
	}
}

func TestSample(t *testing.T) {
	all := []int{1, 2, 3, 4, 5, 6, 7, 8, 9}
	t.Setenv(ModeVariable, "short")
	if got := Sample(t, 4, all); len(got) != 4 || got[0] != 1 || got[3] != 9 {
		t.Errorf("short: %v", got)
	}
	if diff := cmp.Diff(all, Sample(t, 20, all)); diff != "" {
		t.Errorf("a small matrix is taken whole: %s", diff)
	}
	t.Setenv(ModeVariable, "all")
	if diff := cmp.Diff(all, Sample(t, 4, all)); diff != "" {
		t.Errorf("all: %s", diff)
	}
}
