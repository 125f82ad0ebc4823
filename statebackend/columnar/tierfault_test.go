package columnar_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"millrace/failure"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/statebackend/fault"
	"millrace/statebackend/statetest"
	"millrace/stream"
	"millrace/types"
)

// wideSpec is a table whose rows have about 512 bytes.
func wideSpec() statebackend.ValueSpec {
	spec := aggregate()
	for i := range 60 {
		spec.Columns = append(spec.Columns, statebackend.ColumnSpec{Name: fmt.Sprint("more", i), Type: types.Of(types.BigInt)})
	}
	return spec
}

// tiered is a store with a budget and a tier, and its one table.
type tiered struct {
	t      *testing.T
	budget *statebackend.Budget
	counts statebackend.TierCounts
	store  statebackend.Store
	table  statebackend.ValueTable
}

func openTiered(t *testing.T, bytesMax int64, tier statebackend.Tier, chain ...statebackend.File) *tiered {
	t.Helper()
	x, err := tryTiered(t, bytesMax, tier, wideSpec(), chain...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// tryTiered opens the store and declares the table; it returns the error of the latter.
func tryTiered(t *testing.T, bytesMax int64, tier statebackend.Tier, table statebackend.ValueSpec, chain ...statebackend.File) (*tiered, error) {
	t.Helper()
	x := &tiered{t: t, budget: statebackend.NewBudget(bytesMax, "have more")}
	spec := statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, KeyGroups: types.AllKeyGroups(groups), MaxParallelism: groups, Parallelism: 1,
		Pool: &stream.Pool{}, Budget: x.budget, Tier: tier, TierCounts: &x.counts,
	}
	if len(chain) > 0 {
		spec.Restore = [][]statebackend.File{chain}
	}
	var err error
	if x.store, err = columnar.New().Open(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	x.table, err = x.store.Value(table)
	return x, err
}

// count adds 1 to the rows of so many keys from one on, in a namespace.
func (x *tiered) count(namespace int64, from, n int) error {
	const batch = 500
	slots := make([]statebackend.Slot, batch)
	for at := from; at < from+n; at += batch {
		ks := make([]int64, batch)
		for i := range ks {
			ks[i] = int64(at + i)
		}
		p := x.table.Part(namespace, true)
		if _, err := p.Upsert(keys64(ks...), slots); err != nil {
			return err
		}
		for i, s := range slots {
			words := p.Rows().At(s)
			words[0]++
			words[1] = uint64(ks[i])
		}
		if used := x.budget.Used(); used > x.budget.Limit() {
			x.t.Fatalf("%d bytes of %d are used", used, x.budget.Limit())
		}
	}
	return nil
}

// drain scans a namespace and deletes what it is shown, as a window does that fires.
func (x *tiered) drain(namespace int64) map[uint64]uint64 {
	x.t.Helper()
	got := map[uint64]uint64{}
	p := x.table.Part(namespace, false)
	slots := make([]statebackend.Slot, 300)
	for from := statebackend.Slot(0); p != nil; {
		n, next := p.Scan(from, slots)
		if n == 0 {
			break
		}
		for _, s := range slots[:n] {
			words := p.Rows().At(s)
			if _, twice := got[words[1]]; twice {
				x.t.Fatalf("key %d is shown twice", words[1])
			}
			got[words[1]] = words[0]
		}
		p.Delete(slots[:n])
		from = next
		if used := x.budget.Used(); used > x.budget.Limit() {
			x.t.Fatalf("%d bytes of %d are used", used, x.budget.Limit())
		}
	}
	x.table.Drop(namespace)
	return got
}

func (x *tiered) mustCount(namespace int64, from, n int) {
	x.t.Helper()
	if err := x.count(namespace, from, n); err != nil {
		x.t.Fatal(err)
	}
}

// expect compares what a namespace had with n keys that were counted so many times.
func (x *tiered) expect(got map[uint64]uint64, n int, times uint64) {
	x.t.Helper()
	if len(got) != n {
		x.t.Fatalf("%d rows, want %d", len(got), n)
	}
	for key, count := range got {
		if count != times {
			x.t.Fatalf("key %d was counted %d times, want %d", key, count, times)
		}
	}
}

const (
	tightBytes = 4 << 20
	tightRows  = 32_000 // four times that
)

// TestChangesExceedTheBudget: what changes between two barriers may exceed the budget too;
// the delta has it, also one that takes an aborted one's place.
func TestChangesExceedTheBudget(t *testing.T) {
	tier := &statetest.MemoryTier{}
	x := openTiered(t, tightBytes, tier)
	base, _ := freeze(t, x.store, true)
	x.mustCount(1, 0, tightRows)
	aborted, err := x.store.Freeze(false)
	if err != nil {
		t.Fatal(err)
	}
	x.mustCount(1, 0, tightRows/4) // some of them in memory, some away again
	if err := x.store.Unfreeze(aborted); err != nil {
		t.Fatal(err)
	}
	aborted.Release()
	x.mustCount(1, tightRows/4, tightRows*3/4)
	first, info := freeze(t, x.store, false)
	if info.Kind != statebackend.Delta || info.Rows != tightRows {
		t.Errorf("the delta is %+v", info)
	}
	if _, info := freeze(t, x.store, false); info.Rows != 0 {
		t.Errorf("a delta without changes has %d rows", info.Rows)
	}
	x.mustCount(1, 0, 1000)
	second, info := freeze(t, x.store, false)
	if info.Rows != 1000 {
		t.Errorf("the delta of 1000 keys has %d rows", info.Rows)
	}
	if err := x.store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, there := tier.Blocks(); there != 0 || x.counts.Away.Load() != 0 || x.budget.Used() != 0 {
		t.Errorf("left behind the end: %d blocks, %d rows, %d bytes", there, x.counts.Away.Load(), x.budget.Used())
	}
	y := openTiered(t, tightBytes, tier, base, first, second)
	got := y.drain(1)
	for key := range uint64(1000) {
		got[key]--
	}
	y.expect(got, tightRows, 2)
	if err := y.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestScanNeedsNoRoom: a window of four times the budget fires, a barrier in its middle.
func TestScanNeedsNoRoom(t *testing.T) {
	tier := &statetest.MemoryTier{}
	x := openTiered(t, tightBytes, tier)
	for n := range 16 {
		x.mustCount(1, n*tightRows/16, tightRows/16)
		freeze(t, x.store, false)
	}
	x.mustCount(2, 0, 500)
	if x.counts.Away.Load() < tightRows/2 {
		t.Fatalf("only %d rows are away", x.counts.Away.Load())
	}
	x.expect(x.drain(1), tightRows, 1)
	x.expect(x.drain(2), 500, 1)
	if n := x.table.Len(); n != 0 || x.counts.Away.Load() != 0 {
		t.Errorf("%d rows are left, %d of them away", n, x.counts.Away.Load())
	}
	if err := x.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFullDiskLeavesTheBudget: while the tier takes nothing, the job goes on within its budget;
// beyond it, the disk is the reason that is given, and trying again may help.
func TestFullDiskLeavesTheBudget(t *testing.T) {
	full, err := fault.WrapTier(&statetest.MemoryTier{}, "put err=full")
	if err != nil {
		t.Fatal(err)
	}
	x := openTiered(t, tightBytes, full)
	x.mustCount(1, 0, tightRows/8)
	err = x.count(1, tightRows/8, tightRows)
	if err == nil || !strings.Contains(err.Error(), "DISK_PRESSURE") || !strings.Contains(err.Error(), "its budget is 4194304 bytes") ||
		failure.ClassOf(err) != (failure.Class{Domain: failure.DomainExternal, Retry: failure.Backoff}) {
		t.Errorf("beyond the budget: %v", err)
	}
	if err := x.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestNoFailedReadIsCommitted lets the n-th call of each operation of the tier fail, until n is
// more than a run has: the run ends with that error, at the latest at the next
// freeze, or nothing is missing.
func TestNoFailedReadIsCommitted(t *testing.T) {
	for op, actions := range fault.TierVocabulary {
		for _, action := range actions {
			t.Run(op+" "+action, func(t *testing.T) {
				for n := 1; ; n = n*5/4 + 1 {
					plan := fmt.Sprintf("%s nth=%d %s", op, n, action)
					tier, err := fault.WrapTier(&statetest.MemoryTier{}, plan)
					if err != nil {
						t.Fatal(err)
					}
					if err := runTiered(t, tier); err != nil && !errors.Is(err, fault.ErrInjected) {
						t.Errorf("%s: %v", plan, err)
					}
					if tier.FiredTotal() == 0 {
						if n == 1 {
							t.Errorf("%s never fires", plan)
						}
						return
					}
				}
			})
		}
	}
}

// runTiered counts keys of a state beyond the budget, and reads what it wrote.
func runTiered(t *testing.T, tier statebackend.Tier) error {
	const rows = 8_000
	x := openTiered(t, tightBytes/4, tier)
	defer func() { _ = x.store.Close() }() // it may be the one that fails
	var chain []statebackend.File
	for n := range 8 {
		if err := x.count(1, n%4*rows/4, rows/4); err != nil {
			return err
		}
		f, _, err := tryFreeze(x.store, n == 6)
		if err != nil {
			return err
		}
		chain = append(chain, f)
	}
	y := openTiered(t, tightBytes, &statetest.MemoryTier{}, chain...)
	y.expect(y.drain(1), rows, 2)
	return y.store.Close()
}
