package operatortest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/check"
	"millrace/statebackend"
	"millrace/types"
)

// task is one of the parallel instances of the operator.
type task struct {
	op     *check.Operator
	store  statebackend.Store
	groups types.KeyGroupRange
	chain  []statebackend.File // what restores it
	ending bool                // the operator holds the end
}

// open makes n tasks and restores each from the chains that it overlaps, or from all where they have lists to deal out.
func (p *player) open(n int, former []*task) {
	p.tasks = nil
	for i := range n {
		t := &task{groups: types.KeyGroupRangeOf(i, n, maxParallelism)}
		var restore [][]statebackend.File
		for _, f := range former {
			if (f.groups.Overlaps(t.groups) || len(former) != n && p.lists()) && len(f.chain) > 0 {
				restore = append(restore, f.chain)
			}
		}
		if len(former) == n && len(restore) == 1 {
			t.chain = restore[0]
		}
		p.openTask(t, i, n, restore)
		p.tasks = append(p.tasks, t)
	}
}

// lists tells whether the operator has lists.
func (p *player) lists() bool {
	n, ok := p.c.Spec.Body.(*jobgraph.NativeSpec)
	return ok && slices.ContainsFunc(n.Tables, func(t jobgraph.NativeTable) bool { return t.Shape == jobgraph.NativeList })
}

func (p *player) openTask(t *task, i, n int, restore [][]statebackend.File) {
	id := types.TaskID{Vertex: "v", Subtask: int32(i)}
	if p.c.Backend == nil {
		t.store = noState{}
	} else {
		var err error
		t.store, err = p.c.Backend.Open(context.Background(), statebackend.OpenSpec{
			Task: id, KeyGroups: t.groups, MaxParallelism: maxParallelism, Parallelism: n, Pool: &p.pool, Restore: restore,
		})
		if err != nil {
			p.Fatalf("open state: %v", err)
		}
	}
	op, err := p.c.New(p.c.Spec)
	if err != nil {
		p.Fatalf("new operator: %v", err)
	}
	t.op = check.Wrap(op, check.OptionsOf(p.c.Spec))
	err = t.op.Open(&operators.Context{
		Task: id, Operator: p.c.Spec.UID, Parallelism: n, MaxParallelism: maxParallelism, KeyGroups: t.groups,
		Inputs: p.c.Inputs, Output: p.out.Schema, Sides: p.sides,
		Pool: &p.pool, State: t.store, Watermark: p.watermark, Time: &p.time, RowsMax: p.v.RowsMax, Counts: &p.out.Counts,
		Functions: p.c.Functions,
		Wake:      p.wakeUp,
	})
	if err != nil {
		p.Fatalf("open operator: %v", err)
	}
}

// maybeFreeze freezes between two batches, where the variant freezes at all.
func (p *player) maybeFreeze() {
	if p.v.Freeze == NoFreeze || p.r.IntN(4) == 0 {
		return
	}
	p.each("flush", func(t *task) error { return t.op.Flush() })
	p.drain(false)
	p.freeze()
	p.drain(false)
}

// freeze writes the state of all tasks, throws them away and opens them anew.
func (p *player) freeze() {
	p.out.Freezes++
	if p.c.Backend == nil {
		return // there is nothing to come back from
	}
	former := p.tasks
	for _, t := range former {
		if err := t.op.Keep(); err != nil {
			p.Fatalf("keep: %v", err)
		}
		p.freezeTask(t)
		p.closeTask(t)
	}
	n := len(former)
	if p.v.Rescale {
		n = n%3 + 1
	}
	p.open(n, former)
}

func (p *player) freezeTask(t *task) {
	s, err := t.store.Freeze(p.v.Freeze == FullFreeze)
	if err != nil {
		p.Fatalf("freeze: %v", err)
	}
	defer s.Release()
	var buf bytes.Buffer
	info, err := s.Write(&buf)
	if err != nil {
		p.Fatalf("write: %v", err)
	}
	f := &file{name: fmt.Sprintf("freeze-%d", p.out.Freezes), bytes: buf.Bytes()}
	if info.Kind == statebackend.Base {
		t.chain = []statebackend.File{f}
		return
	}
	t.chain = append(slices.Clip(t.chain), f)
	if len(t.chain) > 2 && p.r.IntN(3) == 0 {
		p.merge(t)
	}
}

// merge folds a task's chain into a base.
func (p *player) merge(t *task) {
	var buf bytes.Buffer
	if _, err := p.c.Backend.Merge(context.Background(), t.chain, t.groups, &buf); err != nil {
		p.Fatalf("merge: %v", err)
	}
	t.chain = []statebackend.File{&file{name: "merged", bytes: buf.Bytes()}}
}

func (p *player) close() {
	for _, t := range p.tasks {
		p.closeTask(t)
	}
}

func (p *player) closeTask(t *task) {
	if err := t.op.Close(); err != nil {
		p.Fatalf("close operator: %v", err)
	}
	if p.c.Backend == nil {
		return
	}
	if err := t.store.Close(); err != nil {
		p.Fatalf("close state: %v", err)
	}
}

// file is a snapshot file in memory.
type file struct {
	name  string
	bytes []byte
}

func (f *file) Name() string { return f.name }

func (f *file) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f.bytes)), nil
}
