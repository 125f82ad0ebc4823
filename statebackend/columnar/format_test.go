package columnar

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/google/go-cmp/cmp"

	"millrace/failure"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

type bytesFile struct {
	name string
	data []byte
}

func (f bytesFile) Name() string { return f.name }

func (f bytesFile) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f.data)), nil
}

func sampleSpec() statebackend.OpenSpec {
	return statebackend.OpenSpec{Task: types.TaskID{Vertex: "sample"}, KeyGroups: types.AllKeyGroups(4), MaxParallelism: 4, Parallelism: 1, Pool: &stream.Pool{}}
}

var (
	sampleWindows = statebackend.ValueSpec{
		ID: statebackend.TableID{Operator: "window", Name: "accumulators"}, Namespaced: true,
		Keys: []types.Type{types.Of(types.BigInt)},
		Columns: []statebackend.ColumnSpec{
			{Name: "count", Type: types.Of(types.BigInt)},
			{Name: "price", Type: types.DecimalOf(30, 2)},
			{Name: "last", Type: types.TimestampLTZOf(3)},
			{Name: "note", Type: types.StringType()},
			{Name: "small", Type: types.Of(types.SmallInt)},
			{Name: "ratio", Type: types.Of(types.Float)},
			{Name: "open", Type: types.Of(types.Boolean)},
		},
	}
	sampleTimers = statebackend.TimerSpec{
		ID:   statebackend.TableID{Operator: "window", Name: "timers"},
		Keys: []types.Type{types.StringType(), types.Of(types.Int)},
	}
	sampleList = statebackend.ListSpec{ID: statebackend.TableID{Operator: "source", Name: "splits"}, Redistribution: statebackend.SplitEven}
)

// sampleKeys returns the keys NULL, 1 .. n-1, and as strings with a number.
func sampleKeys(t *testing.T, n int, ts ...types.Type) *stream.Keys {
	t.Helper()
	var pool stream.Pool
	schema := &types.Schema{}
	var columns []int
	for i, typ := range ts {
		schema.Fields = append(schema.Fields, types.Field{Name: string(rune('a' + i)), Type: typ})
		columns = append(columns, i)
	}
	b := pool.NewBatch(schema, n)
	for c, typ := range ts {
		bu := stream.NewBuilder(&pool, typ, n)
		for i := range n {
			switch {
			case i == 0:
				bu.AppendNull()
			case typ.Kind == types.VarChar:
				bu.AppendString(strings.Repeat("k", i))
			case typ.Kind == types.Int:
				stream.AppendFixed(bu, int32(i))
			case typ.Layout() == types.LayoutInt128:
				stream.AppendFixed(bu, types.Int128{Lo: uint64(i), Hi: -1})
			default:
				bu.AppendInt64(int64(i))
			}
		}
		b.Columns[c] = bu.Finish()
	}
	r, err := stream.NewKeyReader(schema, columns)
	if err != nil {
		t.Fatal(err)
	}
	return r.Read(b)
}

// writeSample writes a base and a delta of the same content always.
func writeSample(t *testing.T) (base, delta []byte) {
	t.Helper()
	s := newStore(sampleSpec())
	v, err := s.Value(sampleWindows)
	if err != nil {
		t.Fatal(err)
	}
	timers, _ := s.Timers(sampleTimers)
	list, _ := s.List(sampleList)
	keys := sampleKeys(t, 8, sampleWindows.Keys...)
	slots := make([]Slot, 8)
	for _, namespace := range []int64{1000, 2000} {
		p := v.Part(namespace, true)
		if _, err := p.Upsert(keys, slots); err != nil {
			t.Fatal(err)
		}
		for i, s := range slots {
			copy(p.Rows().At(s), []uint64{uint64(i), ^uint64(i), ^uint64(0), uint64(namespace), 0, uint64(i), 0x3f800000, uint64(i % 2)})
			if err := p.SetBytes(3, s, []byte(strings.Repeat("é", i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	times := []int64{5, 4, 3, 2, 1, 0, -1, -2}
	if err := timers.Register(sampleKeys(t, 8, sampleTimers.Keys...), times, times); err != nil {
		t.Fatal(err)
	}
	if err := list.Set([][]byte{[]byte("split-0"), {}, []byte("split-2")}); err != nil {
		t.Fatal(err)
	}
	base = writeFrozen(t, s)
	v.Drop(1000)
	p := v.Part(2000, false)
	p.Delete(slots[2:3])
	p.Rows().At(slots[0])[0] = 77
	p.Touch(slots[:1])
	var due statebackend.Due
	if _, err := timers.Pop(0, 3, &due); err != nil {
		t.Fatal(err)
	}
	return base, writeFrozen(t, s)
}

func writeFrozen(t *testing.T, s *store) []byte {
	t.Helper()
	x, err := s.Freeze(false)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Release()
	var b bytes.Buffer
	if _, err := x.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sampleChain returns the committed files of a version.
func sampleChain(t testing.TB, version string) []statebackend.File {
	t.Helper()
	var chain []statebackend.File
	for _, kind := range []string{"base", "delta"} {
		name := "testdata/" + version + "-" + kind + ".mrst"
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, bytesFile{filepath.Base(name), data})
	}
	return chain
}

// TestFormatVersion1 reads the files that a program of format version 1 wrote.
// They are never written anew: a change that can't read them needs a version.
func TestFormatVersion1(t *testing.T) {
	chain := sampleChain(t, "v1")
	spec := sampleSpec()
	spec.Restore = [][]statebackend.File{chain}
	x, err := New().Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.Value(sampleWindows)
	if err != nil {
		t.Fatal(err)
	}
	timers, err := x.Timers(sampleTimers)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x.List(sampleList)
	if err != nil {
		t.Fatal(err)
	}
	slots := make([]Slot, 8)
	p := v.Part(2000, false)
	p.Find(sampleKeys(t, 8, sampleWindows.Keys...), slots)
	for i, s := range slots {
		if i == 2 {
			if s != noSlot {
				t.Error("a deleted key is there")
			}
			continue
		}
		want := []uint64{uint64(i), ^uint64(i), ^uint64(0), 2000, 0, uint64(i), 0x3f800000, uint64(i % 2)}
		if i == 0 {
			want[0] = 77
		}
		row := p.Rows().At(s)
		got := append([]uint64(nil), row...)
		got[4] = 0 // the column of bytes
		if diff := cmp.Diff(want, got); diff != "" || string(p.Bytes(3, s)) != strings.Repeat("é", i) {
			t.Errorf("row %d with note %q: -want +got:\n%s", i, p.Bytes(3, s), diff)
		}
	}
	var due statebackend.Due
	if n, err := timers.Pop(100, 100, &due); err != nil || n != 5 {
		t.Errorf("%d timers, %v", n, err)
	}
	if diff := cmp.Diff([]int64{1, 2, 3, 4, 5}, due.Times); diff != "" {
		t.Errorf("times: %s", diff)
	}
	if diff := cmp.Diff([]int64{2000}, v.Namespaces(nil)); diff != "" {
		t.Errorf("namespaces: %s", diff)
	}
	if diff := cmp.Diff([][]byte{[]byte("split-0"), {}, []byte("split-2")}, list.Get()); diff != "" {
		t.Errorf("list: %s", diff)
	}
}

// TestOrdinaryToolsReadSections finds the sections by the footer alone and reads
// them with Arrow's own reader.
func TestOrdinaryToolsReadSections(t *testing.T) {
	base, _ := writeSample(t)
	f, err := openFile(bytes.NewReader(base))
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, ok, err := f.next(); err != nil {
			t.Fatal(err)
		} else if !ok {
			break
		}
	}
	if len(f.footer.Sections) != 3 {
		t.Fatalf("sections %+v", f.footer.Sections)
	}
	rows := int64(0)
	for _, s := range f.footer.Sections {
		r, err := ipc.NewReader(bytes.NewReader(base[s.Offset+sectionBytes:][:s.Bytes]))
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		rows += b.NumRows()
		for i, g := range s.Groups {
			if got := b.Column(0).(*array.Uint16).Value(g[1]); int(got) != g[0] || i > 0 && g[0] <= s.Groups[i-1][0] {
				t.Errorf("row %d is of group %d, the footer says %d", g[1], got, g[0])
			}
		}
	}
	if rows != f.footer.Rows || rows != 16+8+3 {
		t.Errorf("%d rows, the footer says %d", rows, f.footer.Rows)
	}
}

// TestMergeInSlices merges a key group at a time and at once: the state is the same.
func TestMergeInSlices(t *testing.T) {
	base, delta := writeSample(t)
	chain := []statebackend.File{bytesFile{"base", base}, bytesFile{"delta", delta}}
	content := func(target int64) []byte {
		var b bytes.Buffer
		m := merge{chain: chain, groups: types.AllKeyGroups(4), w: &b, bytesTarget: target, memory: newMemory(nil), frozen: newMemory(nil)}
		if _, err := m.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		f, err := openFile(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		sections := 0
		for {
			_, _, ok, err := f.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			sections++
		}
		if target == 1 && sections < 6 {
			t.Errorf("%d sections: the merge was not sliced", sections)
		}
		spec := sampleSpec()
		spec.Restore = [][]statebackend.File{{bytesFile{"merged", b.Bytes()}}}
		x, err := New().Open(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		s := x.(*store)
		rows := s.find(sampleWindows.ID).value.Len() + s.find(sampleTimers.ID).timers.Len() + len(s.find(sampleList.ID).list.Get())
		if rows != 7+5+3 {
			t.Errorf("%d rows after a merge in slices of %d bytes", rows, target)
		}
		for _, tab := range s.tables {
			tab.declared = true
		}
		// Equal slots follow from equal order, which the group-wise sort gives both.
		s.chained = false
		return writeFrozen(t, s)
	}
	if !bytes.Equal(content(1), content(1<<30)) {
		t.Error("merging in slices gives another state")
	}
}

// TestUnknownVersion asks for the version in the message.
func TestUnknownVersion(t *testing.T) {
	base, _ := writeSample(t)
	base[4]++
	spec := sampleSpec()
	spec.Restore = [][]statebackend.File{{bytesFile{"newer", base}}}
	if _, err := New().Open(t.Context(), spec); !errors.Is(err, statebackend.ErrCorrupt) || !strings.Contains(err.Error(), "newer: format version 3, this program reads 1 to 2") {
		t.Error(err)
	}
}

// TestMaxParallelismIsTheUsers asks for the class: no retry helps.
func TestMaxParallelismIsTheUsers(t *testing.T) {
	base, _ := writeSample(t)
	spec := sampleSpec()
	spec.MaxParallelism, spec.KeyGroups = 8, types.AllKeyGroups(8)
	spec.Restore = [][]statebackend.File{{bytesFile{"f", base}}}
	if _, err := New().Open(t.Context(), spec); failure.ClassOf(err).Domain != failure.DomainUser {
		t.Error(err)
	}
}

func TestStoredKeysHashAsTheirColumnsDo(t *testing.T) {
	for _, ts := range [][]types.Type{
		{},
		{types.StringType()},
		{types.DecimalOf(30, 2)},
		{types.Of(types.Int), types.Of(types.BigInt)},
		{types.StringType(), types.Of(types.Int), types.DecimalOf(30, 0), types.BytesType()},
	} {
		keys := sampleKeys(t, 20, ts...)
		for i, want := range keys.Hashes {
			if got, ok := hashKey(ts, keys.Bytes(i)); got != want || !ok {
				t.Errorf("%v: key %d hashes to %#x, want %#x", ts, i, got, want)
			}
			if n := len(keys.Bytes(i)); n > 0 {
				if _, ok := hashKey(ts, keys.Bytes(i)[:n-1]); ok {
					t.Errorf("%v: key %d cut short is taken", ts, i)
				}
			}
		}
	}
	if stream.HashUint64(0)>>32 == stream.HashNull()>>32 {
		t.Error("NULL and 0 share the bits that tell them apart in the index")
	}
}

// resum makes the checksums of a file right again, so that what stands behind
// them is tested too.
func resum(data []byte) []byte {
	data = bytes.Clone(data)
	at := prologBytes
	for at+sectionBytes <= len(data) {
		h := data[at : at+sectionBytes]
		n := binary.LittleEndian.Uint64(h[16:])
		if n > uint64(len(data)-at-sectionBytes) {
			return data
		}
		end := at + sectionBytes + int(n)
		binary.LittleEndian.PutUint32(h[28:], sectionSum(h[:28], data[at+sectionBytes:end]))
		if sectionKind(h[0]) == sectionFooterJSON && end+trailerBytes <= len(data) {
			sum := sha256.Sum256(data[:end+16])
			copy(data[end+16:], sum[:])
			return data
		}
		at = end
	}
	return data
}

// FuzzRead reads files whose checksums are right and whose content is not.
func FuzzRead(f *testing.F) {
	var bases []statebackend.File
	for _, version := range []string{"v1", "v2", "v2-described"} {
		chain := sampleChain(f, version)
		bases = append(bases, chain[0])
		for _, file := range chain {
			f.Add(file.(bytesFile).data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		spec := sampleSpec()
		data = resum(data)
		changed := bytesFile{"f", data}
		for _, chain := range [][]statebackend.File{{changed}, {bases[0], changed}, {bases[1], changed}, {bases[2], changed}} {
			spec.Restore = [][]statebackend.File{chain}
			x, err := New().Open(t.Context(), spec)
			if err != nil {
				if x != nil {
					t.Fatal("a store beside an error")
				}
				continue
			}
			for i, tab := range x.(*store).tables {
				tab.declared = true
				if i%2 == 0 {
					evolveAny(x.(*store), tab)
				}
			}
			writeFrozen(t, x.(*store)) // what was taken in can be written
		}
	})
}

// evolveAny gives a table every other column that it has, and a new one.
func evolveAny(s *store, t *table) {
	change := func(had []statebackend.ColumnSpec) []statebackend.ColumnSpec {
		want := []statebackend.ColumnSpec{{Name: "a new one", Type: types.StringType()}}
		for i := 0; i < len(had); i += 2 {
			want = append(want, had[i])
		}
		return want
	}
	t.declared = false
	switch t.shape {
	case shapeValue:
		spec := t.value.spec
		spec.Columns, spec.Evolves = change(spec.Columns), true
		_ = s.declareValue(t, spec)
	case shapeMultimap, shapeOrderedMap:
		_ = s.declareSorted(t, t.sorted.keys, declared{change(t.sorted.columns), true, true})
	case shapeList, shapeBroadcast:
		_ = s.declareEntries(t, change(t.entries), true)
	case shapeTimers:
	}
	t.declared = true // also where it was refused
}
