package columnar_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/statebackend/statetest"
	"millrace/stream"
	"millrace/types"
)

const groups = 128

// memFile is a snapshot file in memory.
type memFile struct {
	name string
	data []byte
}

func (f *memFile) Name() string { return f.name }

func (f *memFile) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f.data)), nil
}

func open(t testing.TB, r types.KeyGroupRange, chains ...[]statebackend.File) statebackend.Store {
	t.Helper()
	s, err := columnar.New().Open(t.Context(), statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, KeyGroups: r, MaxParallelism: groups,
		Parallelism: 1, Pool: &stream.Pool{}, Restore: chains,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func freeze(t testing.TB, s statebackend.Store, full bool) (*memFile, statebackend.FileInfo) {
	t.Helper()
	f, info, err := tryFreeze(s, full)
	if err != nil {
		t.Fatal(err)
	}
	if info.Bytes != int64(len(f.data)) {
		t.Fatalf("file of %d bytes says it has %d", len(f.data), info.Bytes)
	}
	return f, info
}

// tryFreeze writes a snapshot.
func tryFreeze(s statebackend.Store, full bool) (*memFile, statebackend.FileInfo, error) {
	snap, err := s.Freeze(full)
	if err != nil {
		return nil, statebackend.FileInfo{}, err
	}
	defer snap.Release()
	var b bytes.Buffer
	info, err := snap.Write(&b)
	return &memFile{"f", b.Bytes()}, info, err
}

func aggregate() statebackend.ValueSpec {
	big := types.Of(types.BigInt)
	return statebackend.ValueSpec{
		ID: statebackend.TableID{Operator: "agg", Name: "accumulators"}, Keys: []types.Type{big}, Namespaced: true,
		Columns: []statebackend.ColumnSpec{{Name: "count", Type: big}, {Name: "sum", Type: big}, {Name: "max", Type: big}},
	}
}

func keys64(ks ...int64) *stream.Keys {
	k := &stream.Keys{Layout: stream.Key64, Fixed: ks}
	for _, x := range ks {
		k.Hashes = append(k.Hashes, stream.HashUint64(uint64(x)))
	}
	return k
}

func TestValueTableThroughBaseAndDelta(t *testing.T) {
	all := types.AllKeyGroups(groups)
	s := open(t, all)
	v, err := s.Value(aggregate())
	if err != nil {
		t.Fatal(err)
	}
	const n = 5000
	ks := make([]int64, n)
	for i := range ks {
		ks[i] = int64(i) * 7
	}
	keys, slots := keys64(ks...), make([]statebackend.Slot, n)
	put := func(namespace, x int64) {
		p := v.Part(namespace, true)
		if _, err := p.Upsert(keys, slots); err != nil {
			t.Fatal(err)
		}
		r := p.Rows()
		for i, s := range slots {
			r.At(s)[1] = uint64(ks[i] + x)
		}
	}
	put(10, 1)
	put(20, 2)
	base, _ := freeze(t, s, false)
	v.Drop(10)
	p := v.Part(20, false)
	p.Find(keys64(7, 14, 1), slots[:3])
	if slots[2] != statebackend.NoSlot {
		t.Fatalf("found a key that is not there at %d", slots[2])
	}
	p.Delete(slots[:1])
	p.Touch(slots[1:2])
	p.Rows().At(slots[1])[1] = 99
	delta, info := freeze(t, s, false)
	if info.Rows != 3 || info.Kind != statebackend.Delta {
		t.Fatalf("delta is %+v, want a drop, a removal and a row", info)
	}
	found := 0
	for subtask := range 3 {
		r := open(t, types.KeyGroupRangeOf(subtask, 3, groups), []statebackend.File{base, delta})
		v, err := r.Value(aggregate())
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Namespaces(nil); len(got) != 1 || got[0] != 20 {
			t.Fatalf("namespaces %v", got)
		}
		p := v.Part(20, false)
		p.Find(keys, slots)
		for i, s := range slots {
			if s == statebackend.NoSlot {
				continue
			}
			found++
			want := ks[i] + 2
			if ks[i] == 14 {
				want = 99
			}
			if got := int64(p.Rows().At(s)[1]); got != want || ks[i] == 7 {
				t.Errorf("key %d has %d, want %d", ks[i], got, want)
			}
		}
	}
	if found != n-1 {
		t.Fatalf("%d keys of %d are there", found, n-1)
	}
}

func TestConformance(t *testing.T) { statetest.Run(t, columnar.New()) }

// TestSteadyStateAllocatesNothing upserts known keys, and makes, fills and drops
// namespaces, into memory that earlier ones gave back.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	s := open(t, types.AllKeyGroups(groups))
	v, err := s.Value(aggregate())
	if err != nil {
		t.Fatal(err)
	}
	ks := make([]int64, 5000)
	for i := range ks {
		ks[i] = int64(i)
	}
	keys, slots := keys64(ks...), make([]statebackend.Slot, len(ks))
	upsert := func(namespace int64) {
		if _, err := v.Part(namespace, true).Upsert(keys, slots); err != nil {
			t.Fatal(err)
		}
	}
	upsert(0)
	if n := testing.AllocsPerRun(10, func() { upsert(0) }); n != 0 {
		t.Errorf("%v allocations an upsert", n)
	}
	window := int64(1)
	next := func() {
		upsert(window)
		v.Drop(window)
		window++
	}
	next()
	if n := testing.AllocsPerRun(10, next); n != 0 {
		t.Errorf("%v allocations a window", n)
	}
}

// TestWriteBesideProcessing writes and releases a snapshot on another goroutine
// while the table changes; the race detector and the content are the judges.
func TestWriteBesideProcessing(t *testing.T) {
	s := open(t, types.AllKeyGroups(groups))
	v, err := s.Value(aggregate())
	if err != nil {
		t.Fatal(err)
	}
	ks := make([]int64, 2000)
	for i := range ks {
		ks[i] = int64(i)
	}
	keys, slots := keys64(ks...), make([]statebackend.Slot, len(ks))
	fill := func(x uint64) {
		p := v.Part(1, true)
		if _, err := p.Upsert(keys, slots); err != nil {
			t.Fatal(err)
		}
		for _, s := range slots {
			p.Rows().At(s)[0] = x
		}
	}
	for round := range uint64(20) {
		fill(round)
		snap, err := s.Freeze(true)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan []byte)
		go func() {
			var b bytes.Buffer
			if _, err := snap.Write(&b); err != nil {
				t.Error(err)
			}
			snap.Release()
			done <- b.Bytes()
		}()
		fill(1000)
		v.Drop(1)
		r := open(t, types.AllKeyGroups(groups), []statebackend.File{&memFile{"f", <-done}})
		table, err := r.Value(aggregate())
		if err != nil {
			t.Fatal(err)
		}
		p := table.Part(1, false)
		p.Find(keys, slots)
		for i, s := range slots {
			if got := p.Rows().At(s)[0]; got != round {
				t.Fatalf("round %d: key %d has %d", round, i, got)
			}
		}
	}
}
