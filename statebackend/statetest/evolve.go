package statetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"millrace/internal/testutil/matrix"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// testEvolution has a vertex' tables of every shape go from random columns to others, again and again, with a delta behind a base, merged or
// not, at another parallelism: what a row said by a column's name, it says still.
func testEvolution(t *testing.T, b statebackend.Backend) {
	rapid.Check(t, func(rt *rapid.T) { evolveAll(t, rt, rapidChoice{rt}, b, 2, 6) })
}

// testEvolutionOnce does so once, with more rows.
func testEvolutionOnce(t *testing.T, b statebackend.Backend) {
	evolveAll(t, t, randChoice{matrix.Rand(t)}, b, 4, 300)
}

func evolveAll(tb testing.TB, t failer, c choice, b statebackend.Backend, generations, rows int) {
	e := newEvolving(tb, t, c, b, rows)
	e.open(c, 1+c.IntN(3), nil, false)
	for range generations {
		e.live(c)
		before := e.tables
		e.tables = e.tables.evolve(c, &e.number)
		e.model.become(e.tables)
		e.restore(c, true)
		e.tell(before)
		e.compare()
	}
	e.live(c)
	e.restore(c, false)
	e.compare()
	for _, t := range e.tasks {
		if len(t.store.Evolved()) > 0 {
			e.t.Fatalf("tables that stayed as they were evolved: %+v", t.store.Evolved())
		}
	}
}

// evolvingTables are the columns of each table, and of the entries of lists and broadcast maps.
type evolvingTables struct{ value, multi, ordered, entries evolvingColumns }

func (e evolvingTables) evolve(c choice, number *int) evolvingTables {
	of := func(columns evolvingColumns) evolvingColumns {
		if c.IntN(5) == 0 {
			return columns
		}
		return columns.evolve(c, number)
	}
	return evolvingTables{of(e.value), of(e.multi), of(e.ordered), of(e.entries)}
}

// evolvingModel is what rows mean, by the names of their columns.
type evolvingModel struct {
	values  [numKinds]map[rowID]map[string]string
	multis  [numKinds]map[int][]map[string]string
	ordered [numKinds]map[int]map[string]map[string]string
	rest    *model // lists and the broadcast map
}

// become gives every row the columns that there are now.
func (m *evolvingModel) become(t evolvingTables) {
	for k := range numKinds {
		for id, row := range m.values[k] {
			m.values[k][id] = t.value.become(row)
		}
		for _, rows := range m.multis[k] {
			for i := range rows {
				rows[i] = t.multi.become(rows[i])
			}
		}
		for _, rows := range m.ordered[k] {
			for o := range rows {
				rows[o] = t.ordered.become(rows[o])
			}
		}
	}
}

// evolving is a vertex whose tables evolve. It uses a world for keys, files and the tables without columns.
type evolving struct {
	*world
	rows   int
	number int // of columns so far
	tables evolvingTables
	model  evolvingModel
}

func newEvolving(tb testing.TB, t failer, c choice, b statebackend.Backend, rows int) *evolving {
	w := &world{t: t, backend: b, pool: &stream.Pool{}, universe: rows}
	e := &evolving{world: w, rows: rows}
	for k := range numKinds {
		w.spaces[k] = newKeySpace(tb, k, w.pool)
		w.groups[k] = map[int]types.KeyGroup{}
		e.model.values[k] = map[rowID]map[string]string{}
		e.model.multis[k] = map[int][]map[string]string{}
		e.model.ordered[k] = map[int]map[string]map[string]string{}
	}
	draw := func() evolvingColumns { return drawColumns(c, c.IntN(5), &e.number) }
	e.tables = evolvingTables{draw(), draw(), draw(), draw()}
	return e
}

// open opens every task from the chains of the former ones.
func (e *evolving) open(c choice, tasks int, chains [][]statebackend.File, evolves bool) {
	e.t.Helper()
	e.tasks = make([]*task, tasks)
	for i := range e.tasks {
		s, err := e.backend.Open(context.Background(), statebackend.OpenSpec{
			Task: types.TaskID{Vertex: "v", Subtask: int32(i)}, KeyGroups: types.KeyGroupRangeOf(i, tasks, maxParallelism), MaxParallelism: maxParallelism,
			Parallelism: tasks, Pool: e.pool, Restore: chains,
		})
		if err != nil {
			e.t.Fatalf("open task %d of %d: %v", i, tasks, err)
		}
		e.tasks[i] = e.declare(s, evolves)
	}
	if chains == nil {
		e.model.rest = newModel(tasks)
	} else {
		e.model.rest.rescale(tasks)
	}
	e.now = e.model.rest
}

func (e *evolving) declare(s statebackend.Store, evolves bool) *task {
	e.t.Helper()
	t := &task{store: s}
	check := func(err error) {
		e.t.Helper()
		if err != nil {
			e.t.Fatalf("declare: %v", err)
		}
	}
	var err error
	id := func(name string, k kind) statebackend.TableID {
		return statebackend.TableID{Operator: "op", Name: fmt.Sprint(name, "-", k)}
	}
	for k := range numKinds {
		keys := e.spaces[k].types
		t.values[k], err = s.Value(statebackend.ValueSpec{ID: id("value", k), Keys: keys, Namespaced: true, Columns: e.tables.value.specs(true), Evolves: evolves})
		check(err)
		t.timers[k], err = s.Timers(statebackend.TimerSpec{ID: id("timers", k), Keys: keys})
		check(err)
		t.multis[k], err = s.Multimap(statebackend.MultimapSpec{ID: id("multimap", k), Keys: keys, Columns: e.tables.multi.specs(false), Evolves: evolves})
		check(err)
		t.orders[k], err = s.OrderedMap(statebackend.OrderedMapSpec{ID: id("ordered", k), Keys: keys, Columns: e.tables.ordered.specs(false), Evolves: evolves})
		check(err)
	}
	entries := e.tables.entries.specs(false)
	t.split, err = s.List(statebackend.ListSpec{ID: id("split", 0), Redistribution: statebackend.SplitEven, Entries: entries, Evolves: evolves})
	check(err)
	t.list, err = s.List(statebackend.ListSpec{ID: id("union", 0), Redistribution: statebackend.Union, Entries: entries, Evolves: evolves})
	check(err)
	t.shared, err = s.Broadcast(statebackend.BroadcastSpec{ID: id("shared", 0), Entries: entries, Evolves: evolves})
	check(err)
	return t
}

// live changes the state between checkpoints, and merges the files now and then.
func (e *evolving) live(c choice) {
	e.t.Helper()
	for i := range 1 + c.IntN(3) {
		e.change(c)
		evolved := i == 0 && len(e.tasks[0].store.Evolved()) > 0
		e.checkpoint(c.IntN(4) == 0, evolved)
		if c.IntN(4) == 0 {
			e.merge()
		}
	}
}

// checkpoint writes a file for each task. Where tables evolved it is a base, asked for or not.
func (e *evolving) checkpoint(full, evolved bool) {
	e.t.Helper()
	for i, t := range e.tasks {
		x, err := t.store.Freeze(full)
		if err != nil {
			e.t.Fatalf("freeze: %v", err)
		}
		f, info := e.write(x)
		x.Release()
		if evolved && info.Kind != statebackend.Base {
			e.t.Fatalf("the first snapshot of task %d whose tables evolved is no base", i)
		}
		if info.Kind == statebackend.Base && evolved {
			t.chain = nil
		}
		t.chain = append(slices.Clip(t.chain), f)
	}
}

// restore opens the last checkpoint at some parallelism.
func (e *evolving) restore(c choice, evolves bool) {
	e.t.Helper()
	chains := e.chains()
	for _, t := range e.tasks {
		if err := t.store.Close(); err != nil {
			e.t.Fatalf("close: %v", err)
		}
	}
	tasks := len(e.tasks)
	if c.IntN(2) == 0 {
		tasks = 1 + c.IntN(4)
	}
	e.open(c, tasks, chains, evolves)
	if len(chains) == 1 && tasks == 1 && len(e.tasks[0].store.Evolved()) == 0 {
		e.tasks[0].chain = chains[0]
	}
}

// tell compares what tables say of their evolution with the columns.
func (e *evolving) tell(before evolvingTables) {
	e.t.Helper()
	want := map[string][]statebackend.ColumnSpec{}
	add := func(had, has evolvingColumns, flags bool, tables ...string) {
		for _, name := range tables {
			if !had.same(has) {
				want[name] = had.specs(flags)
			}
		}
	}
	add(before.value, e.tables.value, true, "value-0", "value-1")
	add(before.multi, e.tables.multi, false, "multimap-0", "multimap-1")
	add(before.ordered, e.tables.ordered, false, "ordered-0", "ordered-1")
	if len(before.entries) > 0 && len(e.tables.entries) > 0 { // else nothing is said of them
		add(before.entries, e.tables.entries, false, "split-0", "union-0", "shared-0")
	}
	for _, t := range e.tasks {
		got := map[string][]statebackend.ColumnSpec{}
		for _, x := range t.store.Evolved() {
			got[x.ID.Name] = x.Had
			if len(x.Changes) == 0 {
				e.t.Fatalf("table %s evolved, and nothing changed", x.ID.Name)
			}
		}
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			e.t.Fatalf("tables that evolved, -want +got:\n%s", diff)
		}
	}
}

// change does something to every table.
func (e *evolving) change(c choice) {
	e.t.Helper()
	for k := range numKinds {
		e.changeValues(c, k)
		e.changeSorted(c, k)
	}
	e.setLists(c)
	e.broadcast(c)
}

func (e *evolving) changeValues(c choice, k kind) {
	e.t.Helper()
	namespace := int64(10 * c.IntN(3))
	for i, numbers := range e.pick(c, k, e.rows) {
		if len(numbers) == 0 {
			continue
		}
		slices.Sort(numbers)
		numbers = slices.Compact(numbers)
		slots := make([]statebackend.Slot, len(numbers))
		p := e.tasks[i].values[k].Part(namespace, true)
		if _, err := p.Upsert(e.spaces[k].keys(numbers), slots); err != nil {
			e.t.Fatalf("upsert: %v", err)
		}
		for j, s := range slots {
			row, nulls, means := e.tables.value.drawRow(c)
			if err := e.tables.value.setRow(p, s, row, nulls); err != nil {
				e.t.Fatalf("set a row: %v", err)
			}
			e.model.values[k][rowID{namespace, numbers[j]}] = means
		}
		gone := c.IntN(len(numbers))
		p.Delete(slots[:gone/2])
		for _, key := range numbers[:gone/2] {
			delete(e.model.values[k], rowID{namespace, key})
		}
	}
	if c.IntN(5) == 0 {
		for _, t := range e.tasks {
			t.values[k].Drop(20)
		}
		maps.DeleteFunc(e.model.values[k], func(id rowID, _ map[string]string) bool { return id.namespace == 20 })
	}
}

func (e *evolving) changeSorted(c choice, k kind) {
	e.t.Helper()
	for i, numbers := range e.pick(c, k, e.rows) {
		keys := cloneKeys(e.spaces[k].keys(numbers))
		multi, means := e.tables.multi.batch(c, e.pool, len(numbers))
		if err := e.tasks[i].multis[k].Append(keys, multi); err != nil {
			e.t.Fatalf("append: %v", err)
		}
		multi.Release()
		for j, key := range numbers {
			e.model.multis[k][key] = append(e.model.multis[k][key], means[j])
		}
		ordered, means := e.tables.ordered.batch(c, e.pool, len(numbers))
		var orders statebackend.Orders
		for j, key := range numbers {
			o := orderText(c.IntN(100))
			orders.Append([]byte(o))
			if e.model.ordered[k][key] == nil {
				e.model.ordered[k][key] = map[string]map[string]string{}
			}
			e.model.ordered[k][key][o] = means[j]
		}
		if err := e.tasks[i].orders[k].Put(keys, &orders, ordered); err != nil {
			e.t.Fatalf("put: %v", err)
		}
		ordered.Release()
		if gone := numbers[:len(numbers)/3]; len(gone) > 0 && c.IntN(2) == 0 {
			e.tasks[i].multis[k].DeleteAll(e.spaces[k].keys(gone))
			e.tasks[i].orders[k].DeleteAll(e.spaces[k].keys(gone))
			for _, key := range gone {
				delete(e.model.multis[k], key)
				delete(e.model.ordered[k], key)
			}
		}
	}
}

// compare compares everything with the model.
func (e *evolving) compare() {
	e.t.Helper()
	for k := range numKinds {
		values := map[rowID]map[string]string{}
		multis := map[int][]map[string]string{}
		ordered := map[int]map[string]map[string]string{}
		for i, t := range e.tasks {
			e.readValues(t, k, values)
			e.readSorted(t, i, k, multis, ordered)
		}
		for _, diff := range []string{
			gocmp.Diff(e.model.values[k], values, gocmp.AllowUnexported(rowID{})), gocmp.Diff(e.model.multis[k], multis), gocmp.Diff(e.model.ordered[k], ordered),
		} {
			if diff != "" {
				e.t.Fatalf("keys of kind %d, -want +got:\n%s", k, diff)
			}
		}
	}
	e.compareShared()
	for i, t := range e.tasks {
		e.compareLists(t, i)
	}
}

func (e *evolving) readValues(t *task, k kind, out map[rowID]map[string]string) {
	e.t.Helper()
	for _, namespace := range t.values[k].Namespaces(nil) {
		p := t.values[k].Part(namespace, false)
		slots, builder := make([]statebackend.Slot, 7), stream.NewKeyBuilder(e.pool, e.spaces[k].types, 1)
		for n, from := p.Scan(0, slots); n > 0; n, from = p.Scan(from, slots) {
			if err := p.AppendKeys(slots[:n], builder); err != nil {
				e.t.Fatalf("append keys: %v", err)
			}
			for j, key := range e.spaces[k].numbers(builder) {
				out[rowID{namespace, key}] = e.tables.value.rowAt(p, slots[j])
			}
		}
	}
}

func (e *evolving) readSorted(t *task, i int, k kind, multis map[int][]map[string]string, ordered map[int]map[string]map[string]string) {
	e.t.Helper()
	var numbers []int
	for key := range e.universe {
		if e.owner(k, key) == i {
			numbers = append(numbers, key)
		}
	}
	keys := cloneKeys(e.spaces[k].keys(numbers))
	const all = 1 << 20
	out := e.tables.multi.builders(e.pool)
	positions, err := t.multis[k].Next(&statebackend.MultimapIterator{Keys: keys}, all, out, nil)
	if err != nil {
		e.t.Fatalf("next: %v", err)
	}
	rows := e.tables.multi.read(out)
	for j, at := range positions {
		multis[numbers[at]] = append(multis[numbers[at]], rowOr(rows, j))
	}
	got := statebackend.OrderedRows{Columns: e.tables.ordered.builders(e.pool)}
	if err := t.orders[k].Next(&statebackend.OrderedScan{Keys: keys}, all, &got); err != nil {
		e.t.Fatalf("scan: %v", err)
	}
	rows = e.tables.ordered.read(got.Columns)
	for j, at := range got.Positions {
		if ordered[numbers[at]] == nil {
			ordered[numbers[at]] = map[string]map[string]string{}
		}
		ordered[numbers[at]][string(got.Orders.At(j))] = rowOr(rows, j)
	}
}

// rowOr returns a row, an empty one where there are no columns.
func rowOr(rows []map[string]string, i int) map[string]string {
	if len(rows) == 0 {
		return map[string]string{}
	}
	return rows[i]
}
