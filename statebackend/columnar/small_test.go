package columnar_test

import (
	"testing"

	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

// TestSmallNamespaces: a namespace of a few rows takes little memory. There may be tens of thousands of them, the panes of a long window with a short slide, and each has an index of its own.
func TestSmallNamespaces(t *testing.T) {
	const namespaces, rows, most = 1000, 10, 4 << 10
	number := types.Of(types.BigInt).NotNull()
	budget := statebackend.NewBudget(namespaces*most, "")
	store, err := columnar.New().Open(t.Context(), statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, KeyGroups: types.AllKeyGroups(128), MaxParallelism: 128, Parallelism: 1, Pool: &stream.Pool{}, Budget: budget,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	table, err := store.Value(statebackend.ValueSpec{
		ID: statebackend.TableID{Operator: "op", Name: "windows"}, Keys: []types.Type{number}, Namespaced: true,
		Columns: []statebackend.ColumnSpec{{Name: "count", Type: number}, {Name: "sum", Type: number}, {Name: "max", Type: number}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var keys stream.Keys
	for i := range int64(rows) {
		keys.Fixed, keys.Hashes = append(keys.Fixed, i), append(keys.Hashes, stream.HashUint64(uint64(i)))
	}
	slots := make([]statebackend.Slot, rows)
	for n := range int64(namespaces) {
		if _, err := table.Part(n, true).Upsert(&keys, slots); err != nil {
			t.Fatalf("namespace %d: %v", n, err)
		}
	}
	t.Logf("%d bytes a namespace", budget.Used()/namespaces)
	if used := budget.Used(); used > namespaces*most {
		t.Errorf("%d bytes for %d namespaces of %d rows, more than %d each", used, namespaces, rows, most)
	}
}
