package connectortest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/connectors"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// SourceCase is a bounded source to test. It should be small: it is read some
// dozens of times.
type SourceCase struct {
	// Open opens the source; each call gives an equal one.
	Open func(t *testing.T) connectors.Source
	// Schema are the columns to read.
	Schema *types.Schema
	// Want are all rows, in the spelling of streamtest, in any order. Nil: what
	// a first reading gives, which must not be empty.
	Want []string
	// Ordered says that every reading of a split gives its rows in one order.
	// Otherwise they are compared as a multiset.
	Ordered bool
}

// batchSizes are the sizes at which sources are read.
var batchSizes = []int{1, 7, 64, stream.RowsMax}

// RunSource runs the suite.
func RunSource(t *testing.T, c SourceCase) {
	t.Run("reads everything once", func(t *testing.T) { c.readsEverything(t) })
	t.Run("goes on from any position", func(t *testing.T) { c.restores(t) })
	t.Run("goes on several times", func(t *testing.T) { c.restoresAgain(t) })
	t.Run("begins splits that nobody has read", func(t *testing.T) { c.restoresUnread(t) })
	t.Run("stays at its end", func(t *testing.T) { c.restoresAtEnd(t) })
	t.Run("can be closed at any time", func(t *testing.T) { c.closes(t) })
}

func (c *SourceCase) readsEverything(t *testing.T) {
	for _, p := range []int{1, 2, 3} {
		for _, rowsMax := range batchSizes {
			t.Run(fmt.Sprintf("parallelism %d, batches of %d", p, rowsMax), func(t *testing.T) {
				r := c.start(t, p, rowsMax, nil)
				r.readAll()
				r.close()
				c.compare(t, r.rows)
			})
		}
	}
}

// restores reads k batches, for some k, and the rest from the positions.
func (c *SourceCase) restores(t *testing.T) {
	for _, rowsMax := range []int{3, 64} {
		whole := c.start(t, 2, rowsMax, nil)
		whole.readAll()
		whole.close()
		for _, k := range cuts(whole.batches) {
			for _, p := range []int{1, 2, 3} {
				t.Run(fmt.Sprintf("batches of %d, %d of %d, then parallelism %d", rowsMax, k, whole.batches, p), func(t *testing.T) {
					first := c.start(t, 2, rowsMax, nil)
					first.read(k)
					at := first.snapshot()
					first.close()
					rest := c.start(t, p, rowsMax+1, at)
					rest.readAll()
					rest.close()
					c.compareSplits(t, whole.rows, join(first.rows, rest.rows))
				})
			}
		}
	}
}

// restoresAgain fails after every few batches.
func (c *SourceCase) restoresAgain(t *testing.T) {
	whole := c.start(t, 2, 5, nil)
	whole.readAll()
	whole.close()
	step := max(whole.batches/10, 1)
	rows, at := map[connectors.SplitID][]string{}, (*sourceSnapshot)(nil)
	for i := 0; ; i++ {
		r := c.start(t, 1+(i+1)%2, 5, at)
		more := r.read(step)
		at = r.snapshot()
		r.read(1) // behind the checkpoint: read again by the next
		r.close()
		rows = join(rows, r.upTo(at))
		if !more {
			break
		}
	}
	// The first parallelism may decide on the splits, so only the whole compares.
	c.compare(t, rows)
}

// restoresUnread restores a checkpoint that came before any reader had its splits.
func (c *SourceCase) restoresUnread(t *testing.T) {
	first := c.start(t, 2, 64, nil)
	at := first.snapshot()
	at.splits = nil
	first.close()
	r := c.start(t, 2, 64, at)
	r.readAll()
	r.close()
	c.compare(t, r.rows)
}

func (c *SourceCase) restoresAtEnd(t *testing.T) {
	first := c.start(t, 2, 64, nil)
	first.readAll()
	at := first.snapshot()
	first.close()
	again := c.start(t, 3, 64, at)
	again.readAll()
	again.close()
	if len(again.rows) > 0 {
		t.Errorf("rows come again after the end: %v", again.rows)
	}
}

func (c *SourceCase) closes(t *testing.T) {
	for k := range 4 {
		r := c.start(t, 2, 3, nil)
		r.read(k)
		r.close()
	}
}

// cuts returns about a dozen numbers of batches after which to fail, the ends
// among them.
func cuts(batches int) []int {
	out := []int{0, 1, batches - 1, batches}
	r := rand.New(rand.NewPCG(1, uint64(batches)))
	for range 4 {
		out = append(out, r.IntN(batches+1))
	}
	slices.Sort(out)
	return slices.Compact(slices.DeleteFunc(out, func(k int) bool { return k < 0 || k > batches }))
}

func join(a, b map[connectors.SplitID][]string) map[connectors.SplitID][]string {
	out := make(map[connectors.SplitID][]string, len(a))
	for id, rows := range a {
		out[id] = slices.Clone(rows)
	}
	for id, rows := range b {
		out[id] = append(out[id], rows...)
	}
	return out
}

func all(splits map[connectors.SplitID][]string) []string {
	var out []string
	for _, rows := range splits {
		out = append(out, rows...)
	}
	return out
}

// compare holds what was read against what there is to read.
func (c *SourceCase) compare(t *testing.T, got map[connectors.SplitID][]string) {
	t.Helper()
	want := c.Want
	if want == nil {
		r := c.start(t, 1, stream.RowsMax, nil)
		r.readAll()
		r.close()
		if want = all(r.rows); len(want) == 0 {
			t.Fatal("the source is empty: the case proves nothing")
		}
	}
	if diff := streamtest.Diff(want, all(got), false); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// compareSplits compares split by split.
func (c *SourceCase) compareSplits(t *testing.T, want, got map[connectors.SplitID][]string) {
	t.Helper()
	for id := range got {
		if _, ok := want[id]; !ok {
			t.Errorf("split %s was not there before", id)
		}
	}
	for id := range want {
		if diff := streamtest.Diff(want[id], got[id], c.Ordered); diff != "" {
			t.Errorf("split %s (-want +got):\n%s", id, diff)
		}
	}
}
