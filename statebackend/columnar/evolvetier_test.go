package columnar_test

import (
	"fmt"
	"strings"
	"testing"

	"millrace/failure"
	"millrace/statebackend"
	"millrace/statebackend/statetest"
	"millrace/types"
)

// TestEvolutionWithinTheBudget has state of several times the budget evolve, most of which is in the tier, into rows that are wider by
// half: those in memory leave it where they don't fit any more, those in the tier stay there as they are until they are asked for.
func TestEvolutionWithinTheBudget(t *testing.T) {
	const rows, bytesMax = 20_000, 4 << 20
	tier := &statetest.MemoryTier{}
	x := openTiered(t, bytesMax, tier)
	x.mustCount(1, 0, rows)
	base, _ := freeze(t, x.store, true)
	x.mustCount(1, 0, rows/2)
	delta, _ := freeze(t, x.store, false)
	if err := x.store.Close(); err != nil {
		t.Fatal(err)
	}
	spec := wideSpec()
	spec.Evolves = true
	spec.Columns[2].Name = "another"
	for i := range 30 {
		spec.Columns = append(spec.Columns, statebackend.ColumnSpec{Name: fmt.Sprint("wider", i), Type: types.DecimalOf(38, 2)})
	}
	x, err := tryTiered(t, bytesMax, tier, spec, base, delta)
	if err != nil {
		t.Fatal(err)
	}
	if used := x.budget.Used(); used > bytesMax || x.counts.Away.Load() == 0 {
		t.Errorf("%d bytes of %d are used, %d rows are in the tier", used, bytesMax, x.counts.Away.Load())
	}
	x.mustCount(1, 0, rows/4)
	again, info := freeze(t, x.store, false)
	if info.Kind != statebackend.Base || info.Rows != rows {
		t.Errorf("the next file is %+v", info)
	}
	expect := func(x *tiered) {
		t.Helper()
		if x.table.Len() != rows {
			t.Fatalf("%d rows, want %d", x.table.Len(), rows)
		}
		for key, count := range x.drain(1) {
			want := uint64(1)
			if key < rows/4 {
				want = 3
			} else if key < rows/2 {
				want = 2
			}
			if count != want {
				t.Fatalf("key %d was counted %d times, want %d", key, count, want)
			}
		}
		if err := x.store.Close(); err != nil {
			t.Fatal(err)
		}
		if used := x.budget.Used(); used != 0 {
			t.Errorf("%d bytes are used behind the end", used)
		}
	}
	expect(x)
	y, err := tryTiered(t, bytesMax, tier, spec, again)
	if err != nil {
		t.Fatal(err)
	}
	expect(y)
	if _, there := tier.Blocks(); there != 0 {
		t.Errorf("%d blocks are left", there)
	}
}

// TestEvolutionBeyondTheBudget: without a tier, rows that don't fit in their new form are refused, as any state beyond the budget is.
func TestEvolutionBeyondTheBudget(t *testing.T) {
	x := openTiered(t, 64<<20, nil)
	x.mustCount(1, 0, 2000)
	base, _ := freeze(t, x.store, true)
	used := x.budget.Used()
	spec := wideSpec()
	spec.Evolves = true
	for i := range 300 {
		spec.Columns = append(spec.Columns, statebackend.ColumnSpec{Name: fmt.Sprint("wider", i), Type: types.DecimalOf(38, 2)})
	}
	y, err := tryTiered(t, 2*used, nil, spec, base)
	if c := failure.ClassOf(err); c.Domain != failure.DomainExternal || !strings.Contains(err.Error(), "table accumulators of operator agg in its new columns") {
		t.Errorf("%v (%s)", err, c)
	}
	if err := y.store.Close(); err != nil || y.budget.Used() != 0 {
		t.Errorf("%d bytes are used behind the end, %v", y.budget.Used(), err)
	}
}
