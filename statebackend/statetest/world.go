package statetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"testing"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// maxParallelism is a number that no parallelism under test divides.
const maxParallelism = 17

// memoryFile is a snapshot file in memory.
type memoryFile struct {
	name string
	data []byte
}

func (f *memoryFile) Name() string { return f.name }

func (f *memoryFile) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f.data)), nil
}

// task is a store with its tables and the chain behind it.
type task struct {
	store       statebackend.Store
	values      [numKinds]statebackend.ValueTable
	timers      [numKinds]statebackend.TimerTable
	multis      [numKinds]statebackend.MultimapTable
	orders      [numKinds]statebackend.OrderedMapTable
	shared      statebackend.BroadcastTable
	split, list statebackend.ListTable
	chain       []statebackend.File
}

// failer is the part of testing.TB that rapid's T has too.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is a vertex whose state is under test, beside the model of it.
type world struct {
	t        failer
	backend  statebackend.Backend
	pool     *stream.Pool
	spaces   [numKinds]*keySpace
	groups   [numKinds]map[int]types.KeyGroup
	universe int
	batches  []int // sizes to draw from
	tasks    []*task
	now      *model
	saved    *model // at the last complete checkpoint
	files    int
	arrivals int // rows appended to multimaps so far
}

func newWorld(tb testing.TB, t failer, b statebackend.Backend, tasks, universe int) *world {
	w := &world{t: t, backend: b, pool: &stream.Pool{}, universe: universe, batches: []int{1, 2, 7, 40}}
	for k := range numKinds {
		w.spaces[k] = newKeySpace(tb, k, w.pool)
		w.groups[k] = map[int]types.KeyGroup{}
	}
	w.now = newModel(tasks)
	w.saved = w.now.clone()
	w.open(tasks, nil)
	return w
}

func valueSpec(k kind, s *keySpace) statebackend.ValueSpec {
	return statebackend.ValueSpec{
		ID: statebackend.TableID{Operator: "op", Name: fmt.Sprintf("value-%d", k)}, Keys: s.types, Namespaced: true,
		Columns: []statebackend.ColumnSpec{
			{Name: "count", Type: types.Of(types.BigInt)},
			{Name: "text", Type: types.StringType()},
			{Name: "wide", Type: types.DecimalOf(30, 2)},
			{Name: "flag", Type: types.Of(types.Boolean)},
			{Name: "fraction", Type: types.Of(types.Float)},
		},
	}
}

// open opens every task from the chains of the former ones.
func (w *world) open(tasks int, chains [][]statebackend.File) {
	w.t.Helper()
	former := w.tasks
	w.tasks = make([]*task, tasks)
	for i := range w.tasks {
		r := types.KeyGroupRangeOf(i, tasks, maxParallelism)
		s, err := w.backend.Open(context.Background(), statebackend.OpenSpec{
			Task: types.TaskID{Vertex: "v", Subtask: int32(i)}, KeyGroups: r, MaxParallelism: maxParallelism, Parallelism: tasks,
			Pool: w.pool, Restore: chains,
		})
		if err != nil {
			w.t.Fatalf("open task %d of %d: %v", i, tasks, err)
		}
		w.tasks[i] = w.declare(s)
		if len(chains) == tasks && len(former) == tasks && tasks == 1 {
			w.tasks[i].chain = chains[i]
		}
	}
}

func (w *world) declare(s statebackend.Store) *task {
	w.t.Helper()
	t := &task{store: s}
	check := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatalf("declare: %v", err)
		}
	}
	var err error
	for k := range numKinds {
		t.values[k], err = s.Value(valueSpec(k, w.spaces[k]))
		check(err)
		t.timers[k], err = s.Timers(statebackend.TimerSpec{ID: statebackend.TableID{Operator: "op", Name: fmt.Sprintf("timers-%d", k)}, Keys: w.spaces[k].types})
		check(err)
	}
	for k := range numKinds {
		id := statebackend.TableID{Operator: "join", Name: fmt.Sprintf("multimap-%d", k)}
		t.multis[k], err = s.Multimap(statebackend.MultimapSpec{ID: id, Keys: w.spaces[k].types, Columns: sortedColumns()})
		check(err)
		id.Name = fmt.Sprintf("ordered-%d", k)
		t.orders[k], err = s.OrderedMap(statebackend.OrderedMapSpec{ID: id, Keys: w.spaces[k].types, Columns: sortedColumns()})
		check(err)
	}
	t.shared, err = s.Broadcast(statebackend.BroadcastSpec{ID: statebackend.TableID{Operator: "rules", Name: "shared"}})
	check(err)
	t.split, err = s.List(statebackend.ListSpec{ID: statebackend.TableID{Operator: "op", Name: "split"}, Redistribution: statebackend.SplitEven})
	check(err)
	t.list, err = s.List(statebackend.ListSpec{ID: statebackend.TableID{Operator: "op", Name: "union"}, Redistribution: statebackend.Union})
	check(err)
	if left := s.Undeclared(); len(left) != 0 {
		w.t.Fatalf("undeclared tables %v", left)
	}
	return t
}

// owner returns the task of a key.
func (w *world) owner(k kind, key int) int {
	g, ok := w.groups[k][key]
	if !ok {
		g = w.spaces[k].group(key, maxParallelism)
		w.groups[k][key] = g
	}
	return types.SubtaskOf(g, len(w.tasks), maxParallelism)
}

// pick draws up to n keys and deals them out to the tasks.
func (w *world) pick(c choice, k kind, n int) [][]int {
	out := make([][]int, len(w.tasks))
	for range n {
		key := c.IntN(w.universe)
		t := w.owner(k, key)
		out[t] = append(out[t], key)
	}
	return out
}

// freeze takes a snapshot of every task; complete makes it the checkpoint.
func (w *world) freeze(c choice) []statebackend.Snapshot {
	w.t.Helper()
	full := c.IntN(5) == 0
	snaps := make([]statebackend.Snapshot, len(w.tasks))
	for i, t := range w.tasks {
		var err error
		if snaps[i], err = t.store.Freeze(full); err != nil {
			w.t.Fatalf("freeze: %v", err)
		}
	}
	return snaps
}

func (w *world) complete(snaps []statebackend.Snapshot, at *model) {
	w.t.Helper()
	for i, s := range snaps {
		f, info := w.write(s)
		if info.Groups != types.KeyGroupRangeOf(i, len(snaps), maxParallelism) {
			w.t.Fatalf("file of groups %s from task %d of %d", info.Groups, i, len(snaps))
		}
		if info.Kind == statebackend.Base && len(f.data)%2 == 0 {
			w.tasks[i].chain = nil // else the reader finds the base in the chain's middle
		}
		w.tasks[i].chain = append(slices.Clip(w.tasks[i].chain), f)
		s.Release()
	}
	w.saved = at
}

func (w *world) write(s statebackend.Snapshot) (*memoryFile, statebackend.FileInfo) {
	w.t.Helper()
	var b, again bytes.Buffer
	info, err := s.Write(&b)
	if err != nil {
		w.t.Fatalf("write: %v", err)
	}
	if second, err := s.Write(&again); err != nil || second != info || !bytes.Equal(b.Bytes(), again.Bytes()) {
		w.t.Fatalf("the second write of a snapshot differs (%v)", err)
	}
	w.files++
	return &memoryFile{fmt.Sprintf("file-%d", w.files), b.Bytes()}, info
}

// crash forgets what is not in the last checkpoint and restores it at another
// parallelism.
func (w *world) crash(tasks int) {
	w.t.Helper()
	var chains [][]statebackend.File
	for _, t := range w.tasks {
		if len(t.chain) == 0 {
			return // no checkpoint yet
		}
		chains = append(chains, t.chain)
	}
	for _, t := range w.tasks {
		if err := t.store.Close(); err != nil {
			w.t.Fatalf("close: %v", err)
		}
	}
	w.now = w.saved.clone()
	w.now.rescale(tasks)
	w.open(tasks, chains)
	// A new chain begins with these files, as a rescaled job's must: the next
	// snapshot is a base, or follows the one chain.
	w.saved = w.now.clone()
	w.compare()
	snaps := make([]statebackend.Snapshot, tasks)
	for i, t := range w.tasks {
		var err error
		if snaps[i], err = t.store.Freeze(false); err != nil {
			w.t.Fatalf("freeze: %v", err)
		}
	}
	w.complete(snaps, w.now.clone())
}

// merge folds the chain of every task.
func (w *world) merge() {
	w.t.Helper()
	for i, t := range w.tasks {
		if len(t.chain) == 0 {
			continue
		}
		var b bytes.Buffer
		r := types.KeyGroupRangeOf(i, len(w.tasks), maxParallelism)
		info, err := w.backend.Merge(context.Background(), t.chain, r, &b)
		if err != nil {
			w.t.Fatalf("merge: %v", err)
		}
		if info.Kind != statebackend.Base || info.Groups != r || info.Bytes != int64(b.Len()) {
			w.t.Fatalf("merged file is %+v, of %d bytes and groups %s", info, b.Len(), r)
		}
		w.files++
		t.chain = []statebackend.File{&memoryFile{fmt.Sprintf("merged-%d", w.files), b.Bytes()}}
	}
}
