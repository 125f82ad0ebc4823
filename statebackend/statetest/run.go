package statetest

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"millrace/internal/testutil/matrix"
	"millrace/statebackend"
)

// Run runs the suite against a backend.
func Run(t *testing.T, b statebackend.Backend) {
	t.Run("model", func(t *testing.T) { testModel(t, b) })
	t.Run("long", func(t *testing.T) { testLong(t, b) })
	t.Run("files", func(t *testing.T) { testFiles(t, b) })
	t.Run("declarations", func(t *testing.T) { testDeclarations(t, b) })
	t.Run("bound", func(t *testing.T) { testBound(t, b) })
	t.Run("churn", func(t *testing.T) { testChurn(t, b) })
	t.Run("delta", func(t *testing.T) { testDelta(t, b) })
	t.Run("evolution", func(t *testing.T) { testEvolution(t, b) })
	t.Run("evolution of more", func(t *testing.T) { testEvolutionOnce(t, b) })
}

// RunSample runs the part of the suite that a slow backend can bear.
func RunSample(t *testing.T, b statebackend.Backend) {
	t.Run("short", func(t *testing.T) { testSteps(t, b, 40) })
	t.Run("declarations", func(t *testing.T) { testDeclarations(t, b) })
	t.Run("delta", func(t *testing.T) { testDelta(t, b) })
	t.Run("evolution of more", func(t *testing.T) { testEvolutionOnce(t, b) })
}

// rapidChoice draws from rapid, so that a failing sequence shrinks.
type rapidChoice struct{ t *rapid.T }

func (c rapidChoice) IntN(n int) int { return rapid.IntRange(0, n-1).Draw(c.t, "n") }

func testModel(t *testing.T, b statebackend.Backend) {
	rapid.Check(t, func(rt *rapid.T) {
		c := rapidChoice{rt}
		w := newWorld(t, rt, b, 1+c.IntN(3), 60)
		for range 1 + c.IntN(60) {
			w.step(c)
		}
		w.compare()
		w.crash(1 + c.IntN(4))
		w.compare()
	})
}

// testLong runs one long sequence over many keys: a million operations (keys
// asked for) with MILLRACE_TEST=all.
func testLong(t *testing.T, b statebackend.Backend) {
	steps := 150
	if matrix.All() {
		steps = 2000 // about 800 keys each
	}
	testSteps(t, b, steps)
}

func testSteps(t *testing.T, b statebackend.Backend, steps int) {
	c := randChoice{matrix.Rand(t)}
	w := newWorld(t, t, b, 2, 20_000)
	w.batches = []int{1, 7, 100, 1000, 3000}
	for range steps {
		w.step(c)
	}
	w.compare()
	w.crash(3)
}

type randChoice struct{ r *rand.Rand }

func (c randChoice) IntN(n int) int { return c.r.IntN(n) }
