// Package matrix decides how much of a large set of test cases one run takes.
//
// A matrix (batch sizes times key-group ranges times fault points, and so on) is written down whole, and Sample picks
// from it: all of it with MILLRACE_TEST=all, otherwise a few cases drawn with the seed MILLRACE_SEED. The seed is
// printed with every sample, so that a failure is repeated by setting it; without one, each run draws anew. The draw
// depends on the seed and the test's name only, hence one test may be repeated alone.
//
// Only the choice of cases belongs here. A test that needs random data takes Rand, which follows the same seed.
package matrix

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// The environment variables read.
const (
	SeedVariable = "MILLRACE_SEED"
	ModeVariable = "MILLRACE_TEST"
)

// All tells whether this run takes every case.
func All() bool { return os.Getenv(ModeVariable) == "all" }

// Seed returns the seed of this run: MILLRACE_SEED if it is a number, otherwise one drawn at the first call.
var Seed = sync.OnceValue(func() uint64 {
	if seed, err := strconv.ParseUint(os.Getenv(SeedVariable), 10, 64); err == nil {
		return seed
	}
	return uint64(time.Now().UnixNano())
})

// Sample returns the cases of all that this run takes, in their order: every one with MILLRACE_TEST=all or where there
// are at most n, and otherwise n of them drawn with the seed. The first and the last are always among them if n is 2
// or more, since they tend to be the extremes. It logs what it took.
func Sample[T any](t testing.TB, n int, all []T) []T {
	t.Helper()
	if All() || len(all) <= n {
		t.Logf("matrix: all %d cases", len(all))
		return all
	}
	t.Logf("matrix: %d of %d cases, %s=%d", n, len(all), SeedVariable, Seed())
	picked := pick(Rand(t), n, len(all))
	out := make([]T, 0, n)
	for _, i := range picked {
		out = append(out, all[i])
	}
	return out
}

// Rand returns a generator that depends on the seed of this run and the name of the test, and logs the seed. It is not
// safe for concurrent use.
func Rand(t testing.TB) *rand.Rand {
	t.Helper()
	t.Logf("matrix: %s=%d", SeedVariable, Seed())
	return generator(Seed(), t.Name())
}

func generator(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash never returns an error
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// pick returns n of the indexes below size, sorted; size is larger than n.
func pick(r *rand.Rand, n, size int) []int {
	var picked []int
	inner := r.Perm(size)
	if n >= 2 {
		picked = append(picked, 0, size-1)
		inner = slices.DeleteFunc(inner, func(i int) bool { return i == 0 || i == size-1 })
	}
	picked = append(picked, inner[:max(n, 0)-len(picked)]...)
	slices.Sort(picked)
	return picked
}
