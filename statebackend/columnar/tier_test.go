package columnar_test

import (
	"fmt"
	"testing"

	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/statebackend/statetest"
	"millrace/stream"
	"millrace/types"
)

func TestMemoryTier(t *testing.T) { statetest.RunTier(t, &statetest.MemoryTier{}) }

// TestTierConformance has every row that did not change leave memory at every call.
func TestTierConformance(t *testing.T) {
	tier := &statetest.MemoryTier{}
	statetest.Run(t, statetest.Tiered(columnar.New(), tier))
	if put, _ := tier.Blocks(); put < 1000 {
		t.Errorf("only %d blocks went to the tier", put)
	}
}

// TestHomeConformance has every row leave memory at every freeze.
func TestHomeConformance(t *testing.T) {
	tier := &statetest.MemoryTier{}
	statetest.Run(t, statetest.AtHome(columnar.New(), tier))
	if put, _ := tier.Blocks(); put < 1000 {
		t.Errorf("only %d blocks went to the tier", put)
	}
}

// TestTierHoldsMoreThanTheBudget builds state of four times the budget with a freeze now and
// then, changes some of it, restores it, and finds everything.
func TestTierHoldsMoreThanTheBudget(t *testing.T) {
	const budgetBytes, rows, batch = 8 << 20, 128_000, 1000
	tier := &statetest.MemoryTier{}
	budget := statebackend.NewBudget(budgetBytes, "have more")
	openTiered := func(chain ...statebackend.File) statebackend.Store {
		spec := statebackend.OpenSpec{
			Task: types.TaskID{Vertex: "v"}, KeyGroups: types.AllKeyGroups(groups), MaxParallelism: groups, Parallelism: 1,
			Pool: &stream.Pool{}, Budget: budget, Tier: tier,
		}
		if len(chain) > 0 {
			spec.Restore = [][]statebackend.File{chain}
		}
		s, err := columnar.New().Open(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := openTiered()
	spec := aggregate()
	spec.Namespaced = false
	for i := range 28 { // 256 bytes a row
		spec.Columns = append(spec.Columns, statebackend.ColumnSpec{Name: fmt.Sprint("more", i), Type: types.Of(types.BigInt)})
	}
	table, err := s.Value(spec)
	if err != nil {
		t.Fatal(err)
	}
	slots := make([]statebackend.Slot, batch)
	each := func(table statebackend.ValueTable, n int, change bool, visit func(words []uint64, key int64)) {
		t.Helper()
		ks := make([]int64, batch)
		for i := range ks {
			ks[i] = int64((n*batch + i) * 7919 % rows)
		}
		p := table.Part(0, true)
		if !change {
			p.Find(keys64(ks...), slots)
		} else if _, err := p.Upsert(keys64(ks...), slots); err != nil {
			t.Fatalf("batch %d: %v", n, err)
		}
		for i, slot := range slots {
			visit(p.Rows().At(slot), ks[i])
		}
	}
	var chain []statebackend.File
	for n := range rows / batch * 5 / 4 {
		each(table, n, true, func(words []uint64, key int64) { words[0]++; words[1] = uint64(key) })
		if n%8 == 7 {
			f, _ := freeze(t, s, false)
			chain = append(chain, f)
		}
		if used := budget.Used(); used > budgetBytes {
			t.Fatalf("%d bytes of %d are used", used, int64(budgetBytes))
		}
	}
	if put, _ := tier.Blocks(); table.Len() != rows || put == 0 {
		t.Fatalf("%d rows, %d blocks put", table.Len(), put)
	}
	base, info := freeze(t, s, true)
	if info.Rows != rows {
		t.Errorf("the base has %d rows, want %d", info.Rows, rows)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, there := tier.Blocks(); there != 0 || budget.Used() != 0 {
		t.Errorf("%d blocks and %d bytes are left behind the end", there, budget.Used())
	}
	for name, chain := range map[string][]statebackend.File{"deltas": chain, "base": {base}} {
		s := openTiered(chain...)
		table, err := s.Value(spec)
		if err != nil {
			t.Fatal(err)
		}
		if table.Len() != rows {
			t.Errorf("%s: %d rows came back, want %d", name, table.Len(), rows)
		}
		for n := 0; n < rows/batch; n += 3 {
			each(table, n, false, func(words []uint64, key int64) {
				want := uint64(1)
				if n < rows/batch/4 {
					want = 2
				}
				if words[0] != want || words[1] != uint64(key) {
					t.Fatalf("%s: key %d has count %d and sum %d, want %d", name, key, words[0], words[1], want)
				}
			})
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
