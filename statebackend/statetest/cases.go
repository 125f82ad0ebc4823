package statetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"millrace/failure"
	"millrace/internal/testutil/matrix"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// filled returns a world with a base and a delta, and its chain.
func filled(t *testing.T, b statebackend.Backend) (*world, []statebackend.File) {
	t.Helper()
	w := newWorld(t, t, b, 1, 300)
	c := randChoice{matrix.Rand(t)}
	fill := func() {
		for k := range numKinds {
			w.upsert(c, k, 10, 200)
			w.upsert(c, k, 20, 20)
			w.register(c, k, 10, 50)
			w.append(c, k, 100)
			w.put(c, k, 100)
		}
		w.broadcast(c)
		w.setLists(c)
	}
	fill()
	w.complete([]statebackend.Snapshot{mustFreeze(t, w.tasks[0].store, true)}, w.now.clone())
	fill()
	w.drop(byteKeys, 20)
	w.complete([]statebackend.Snapshot{mustFreeze(t, w.tasks[0].store, false)}, w.now.clone())
	chain := w.tasks[0].chain
	return w, chain[len(chain)-2:]
}

func mustFreeze(t *testing.T, s statebackend.Store, full bool) statebackend.Snapshot {
	t.Helper()
	x, err := s.Freeze(full)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func openOne(b statebackend.Backend, budget *statebackend.Budget, chain ...statebackend.File) (statebackend.Store, error) {
	spec := statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, KeyGroups: types.AllKeyGroups(maxParallelism),
		MaxParallelism: maxParallelism, Parallelism: 1, Pool: &stream.Pool{}, Budget: budget,
	}
	if len(chain) > 0 {
		spec.Restore = [][]statebackend.File{chain}
	}
	return b.Open(context.Background(), spec)
}

// testFiles damages files: whatever is missing or changed must be noticed, and named.
func testFiles(t *testing.T, b statebackend.Backend) {
	_, chain := filled(t, b)
	refuse := func(what string, chain ...statebackend.File) {
		t.Helper()
		s, err := openOne(b, nil, chain...)
		if !errors.Is(err, statebackend.ErrCorrupt) || s != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		if !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: the error does not name the file: %v", what, err)
		}
		if _, err := b.Merge(context.Background(), chain, types.AllKeyGroups(maxParallelism), io.Discard); !errors.Is(err, statebackend.ErrCorrupt) {
			t.Errorf("%s, merge: %v", what, err)
		}
	}
	r := matrix.Rand(t)
	for i := range chain {
		good := chain[i].(*memoryFile).data
		with := func(data []byte) []statebackend.File {
			c := []statebackend.File{chain[0], chain[1]}
			c[i] = &memoryFile{"damaged", data}
			return c
		}
		for _, n := range append([]int{0, 1, 4, 8, 39, 40, len(good) - 1, len(good) / 2}, r.IntN(len(good)), r.IntN(len(good))) {
			refuse("truncated", with(good[:n])...)
		}
		refuse("longer", with(append(bytes.Clone(good), 0))...)
		for range 200 {
			bad := bytes.Clone(good)
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
			refuse("one bit flipped", with(bad)...)
		}
	}
	refuse("a delta alone", &memoryFile{"damaged", chain[1].(*memoryFile).data})
	want := errors.New("the network is away")
	if _, err := openOne(b, nil, brokenFile{want}); !errors.Is(err, want) || errors.Is(err, statebackend.ErrCorrupt) {
		t.Errorf("a file that can't be read: %v", err)
	}
}

type brokenFile struct{ err error }

func (f brokenFile) Name() string                                { return "broken" }
func (f brokenFile) Open(context.Context) (io.ReadCloser, error) { return nil, f.err }

// testDeclarations restores into tables that were declared otherwise.
func testDeclarations(t *testing.T, b statebackend.Backend) {
	w, chain := filled(t, b)
	spec := func(change func(*statebackend.ValueSpec)) statebackend.ValueSpec {
		s := valueSpec(fixedKeys, w.spaces[fixedKeys])
		change(&s)
		return s
	}
	cases := map[string]struct {
		spec statebackend.ValueSpec
		want string
	}{
		"type":       {spec(func(s *statebackend.ValueSpec) { s.Columns[2].Type = types.DecimalOf(20, 2) }), "wide"},
		"name":       {spec(func(s *statebackend.ValueSpec) { s.Columns[0].Name = "amount" }), "amount"},
		"fewer":      {spec(func(s *statebackend.ValueSpec) { s.Columns = s.Columns[:4] }), "fraction"},
		"key":        {spec(func(s *statebackend.ValueSpec) { s.Keys = []types.Type{types.Of(types.Int)} }), "key"},
		"namespaces": {spec(func(s *statebackend.ValueSpec) { s.Namespaced = false }), "namespace"},
		"nested": {spec(func(s *statebackend.ValueSpec) {
			s.ID.Name = "new"
			s.Columns[0].Type = types.ArrayOf(types.Of(types.Int))
		}), "count"},
	}
	for name, c := range cases {
		s, err := openOne(b, nil, chain...)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Undeclared()) != 11 {
			t.Errorf("undeclared tables %v, want all eleven", s.Undeclared())
		}
		_, err = s.Value(c.spec)
		if failure.ClassOf(err).Domain != failure.DomainUser || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.spec.ID.Name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	testUndeclaredIsDropped(t, b, w, chain)
}

// testUndeclaredIsDropped declares one table of many and goes on.
func testUndeclaredIsDropped(t *testing.T, b statebackend.Backend, w *world, chain []statebackend.File) {
	s, err := openOne(b, nil, chain...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Value(valueSpec(fixedKeys, w.spaces[fixedKeys])); err != nil {
		t.Fatal(err)
	}
	x := mustFreeze(t, s, false)
	f, info := w.write(x)
	x.Release()
	if info.Kind != statebackend.Base {
		t.Errorf("after tables were dropped the snapshot is of kind %d, not a base", info.Kind)
	}
	if s, err = openOne(b, nil, append(chain, f)...); err != nil {
		t.Fatal(err)
	}
	if left := s.Undeclared(); len(left) != 1 || left[0].Name != "value-0" {
		t.Errorf("tables %v came back", left)
	}
}

// testBound fills a store until it refuses more, and finds what was there unharmed.
func testBound(t *testing.T, b statebackend.Backend) {
	const bytesMax = 4 << 20
	budget := statebackend.NewBudget(bytesMax, "have more")
	s, err := openOne(b, budget)
	if err != nil {
		t.Fatal(err)
	}
	space := newKeySpace(t, fixedKeys, &stream.Pool{})
	v, err := s.Value(statebackend.ValueSpec{
		ID: statebackend.TableID{Operator: "op", Name: "v"}, Keys: space.types,
		Columns: []statebackend.ColumnSpec{{Name: "x", Type: types.Of(types.BigInt)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := v.Part(0, true)
	slots := make([]statebackend.Slot, 1000)
	numbers := make([]int, len(slots))
	for n := 0; err == nil; n += len(numbers) {
		if n > bytesMax/8 {
			t.Fatalf("%d rows fit into %d bytes", n, bytesMax)
		}
		for i := range numbers {
			numbers[i] = n + i
		}
		_, err = p.Upsert(space.keys(numbers), slots)
	}
	if failure.ClassOf(err).Domain != failure.DomainExternal {
		t.Errorf("beyond the bound: %v (%s)", err, failure.ClassOf(err))
	}
	if size := s.SizeBytes(); size > bytesMax || size < int64(p.Len())*16 {
		t.Errorf("%d bytes for %d rows with a bound of %d", size, p.Len(), bytesMax)
	}
	x := mustFreeze(t, s, true)
	if used := budget.Used(); used > bytesMax || used < int64(p.Len())*16 {
		t.Errorf("%d bytes of the budget are used for %d rows", used, p.Len())
	}
	file, _ := (&world{t: t}).write(x)
	testBoundIsShared(t, b, budget, file)
	x.Release()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes of the budget are used after the end", used)
	}
}

// testBoundIsShared finds no room for the same state a second time, and the
// budget untouched by the restore that failed.
func testBoundIsShared(t *testing.T, b statebackend.Backend, budget *statebackend.Budget, file statebackend.File) {
	t.Helper()
	before := budget.Used()
	if _, err := openOne(b, budget, file); failure.ClassOf(err).Domain != failure.DomainExternal {
		t.Errorf("a second store of the budget: %v", err)
	}
	if used := budget.Used(); used != before {
		t.Errorf("%d bytes of the budget are used, %d before", used, before)
	}
}

// testDelta shows that a delta holds what changed and no more, and that a dropped namespace is one record.
func testDelta(t *testing.T, b statebackend.Backend) {
	w := newWorld(t, t, b, 1, 1)
	space, v := w.spaces[fixedKeys], w.tasks[0].values[fixedKeys]
	numbers := make([]int, 5000)
	for i := range numbers {
		numbers[i] = i
	}
	slots := make([]statebackend.Slot, len(numbers))
	for _, namespace := range []int64{1, 2} {
		if first, err := v.Part(namespace, true).Upsert(space.keys(numbers), slots); err != nil || first != 0 {
			t.Fatalf("first new slot %d, %v", first, err)
		}
	}
	rows := func(what string, want int64, change func()) {
		t.Helper()
		change()
		x := mustFreeze(t, w.tasks[0].store, false)
		defer x.Release()
		if _, info := w.write(x); info.Rows != want || x.Empty() != (want == 0) {
			t.Errorf("%s: %d rows, want %d; empty %v", what, info.Rows, want, x.Empty())
		}
	}
	rows("everything is new", 10_000, func() {})
	rows("nothing changed", 0, func() {})
	rows("three touched", 3, func() {
		v.Part(1, false).Find(space.keys(numbers[:3]), slots[:3])
		v.Part(1, false).Touch(slots[:3])
	})
	rows("one namespace dropped", 1, func() { v.Drop(1) })
	rows("made and dropped in between", 0, func() {
		if _, err := v.Part(3, true).Upsert(space.keys(numbers), slots); err != nil {
			t.Fatal(err)
		}
		v.Drop(3)
	})
	rows("one deleted", 1, func() {
		v.Part(2, false).Find(space.keys(numbers), slots)
		v.Part(2, false).Delete(slots[:1])
	})
	rows("more deleted than are left", 1+10, func() {
		v.Part(2, false).Find(space.keys(numbers[1:4990]), slots[1:4990])
		v.Part(2, false).Delete(slots[1:4990])
	})
}

// testChurn registers and unregisters, upserts and deletes far more than is ever
// there at once: what is gone must not keep memory, nor come back.
func testChurn(t *testing.T, b statebackend.Backend) {
	c := randChoice{matrix.Rand(t)}
	w := newWorld(t, t, b, 1, 4000)
	var early int64
	for round := range 30 {
		for k := range numKinds {
			w.upsert(c, k, 10, 3000)
			w.register(c, k, 10, 3000)
			w.pop(c, k, 7)
			for _, x := range w.sortedTimers(k) {
				if x.key%50 != 0 {
					w.tasks[0].timers[k].Unregister(w.spaces[k].keys([]int{x.key}), []int64{x.namespace}, []int64{x.time})
					delete(w.now.timers[k], x)
				}
			}
			w.pop(c, k, 20)
			w.remove(c, k, 10, 6000)
			w.append(c, k, 3000)
			w.put(c, k, 3000)
			w.deleteAll(c, k, 12_000)
		}
		w.compare()
		w.complete(w.freeze(c), w.now.clone())
		if round == 5 {
			early = w.tasks[0].store.SizeBytes()
		}
	}
	if late := w.tasks[0].store.SizeBytes(); late > 2*early {
		t.Errorf("the store takes %d bytes after 30 rounds, it took %d after 6", late, early)
	}
	w.crash(2)
}
