package rows_test

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"millrace/sdk/rows"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

// Values are kept in a table of state as they were.
func TestStateRoundTrip(t *testing.T) {
	m, err := rows.StateOf(reflect.TypeFor[everything]())
	if err != nil {
		t.Fatal(err)
	}
	cells := m.Cells()
	var pool stream.Pool
	store, err := columnar.New().Open(t.Context(), statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, KeyGroups: types.KeyGroupRangeOf(0, 1, 128), MaxParallelism: 128, Parallelism: 1, Pool: &pool,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	columns := make([]statebackend.ColumnSpec, len(cells.Columns))
	for i, c := range cells.Columns {
		columns[i] = statebackend.ColumnSpec{Name: c.Name, Type: c.Type}
	}
	table, err := store.Value(statebackend.ValueSpec{
		ID: statebackend.TableID{Operator: "o", Name: "t"}, Keys: []types.Type{types.Of(types.BigInt)}, Columns: columns,
	})
	if err != nil {
		t.Fatal(err)
	}
	part, r := table.Part(0, true), rand.New(rand.NewPCG(3, 4))
	keys := &stream.Keys{Layout: stream.Key64, Fixed: make([]int64, 1), Hashes: make([]uint64, 1)}
	slot := make([]statebackend.Slot, 1)
	for i := range 200 {
		keys.Fixed[0] = int64(i % 7)
		keys.Hashes[0] = stream.HashUint64(uint64(i % 7))
		if _, err := part.Upsert(keys, slot); err != nil {
			t.Fatal(err)
		}
		in := draw(r)
		if err := cells.Store(part, slot[0], unsafe.Pointer(&in)); err != nil {
			t.Fatal(err)
		}
		var out everything
		if err := cells.Load(part, slot[0], unsafe.Pointer(&out)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, out, equal...); diff != "" {
			t.Fatalf("row %d: %s", i, diff)
		}
	}
	words, width := statebackend.WordOf(columns)
	if width != cells.Words || len(words) != len(cells.Columns) {
		t.Errorf("%d words, the table has %d", cells.Words, width)
	}
}

func TestStateColumns(t *testing.T) {
	m, err := rows.StateOf(reflect.TypeFor[struct {
		Count int64
		Where place
		Last  *rows.Decimal `type:"DECIMAL(20, 2)"`
		Tags  []string
	}]())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range m.Cells().Columns {
		got = append(got, c.Name+" "+c.Type.String()+" "+c.NullOf)
	}
	want := []string{
		"count BIGINT NOT NULL ", "where.city STRING NOT NULL ", "where.zip INT NOT NULL ", "where.zip? BOOLEAN NOT NULL where.zip",
		"last DECIMAL(20, 2) NOT NULL ", "last? BOOLEAN NOT NULL last", "tags STRING NOT NULL ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
