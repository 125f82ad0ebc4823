package native_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/native"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

type file []byte

func (f file) Name() string { return "file" }

func (f file) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f)), nil
}

func store(t *testing.T, chain ...statebackend.File) statebackend.Store {
	t.Helper()
	spec := statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, KeyGroups: types.AllKeyGroups(1), MaxParallelism: 1, Parallelism: 1, Pool: &stream.Pool{},
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

var (
	wide   = types.Of(types.BigInt).NotNull()
	narrow = types.Of(types.Int).NotNull()
)

// tables are one of every shape that has columns, of a value and a key of these.
func tables(key, value jobgraph.NativeColumn) *jobgraph.NativeSpec {
	spec := &jobgraph.NativeSpec{
		Inputs: []jobgraph.NativeInput{{Schema: types.NewSchema(types.Field{Name: "user", Type: wide}), Keys: []int{0}}},
	}
	for name, shape := range map[string]jobgraph.NativeShape{
		"value": jobgraph.NativeValue, "multimap": jobgraph.NativeMultimap, "map": jobgraph.NativeOrderedMap, "list": jobgraph.NativeList, "shared": jobgraph.NativeBroadcast,
	} {
		columns := []jobgraph.NativeColumn{value}
		if shape == jobgraph.NativeOrderedMap || shape == jobgraph.NativeBroadcast {
			columns = []jobgraph.NativeColumn{key, value}
		}
		spec.Tables = append(spec.Tables, jobgraph.NativeTable{Name: name, Shape: shape, Columns: columns})
	}
	return spec
}

// TestTablesEvolve: what a program keeps goes on under another version of its types, but for what rows are found by.
func TestTablesEvolve(t *testing.T) {
	column := func(name string, typ types.Type) jobgraph.NativeColumn {
		return jobgraph.NativeColumn{Name: name, Type: typ}
	}
	declare := func(s statebackend.Store, spec *jobgraph.NativeSpec) error {
		_, err := native.Declare(&operators.Context{Operator: "op", State: s}, spec)
		return err
	}
	old := store(t)
	if err := declare(old, tables(column("key.id", narrow), column("value", narrow))); err != nil {
		t.Fatal(err)
	}
	x, err := old.Freeze(true)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Release()
	var data bytes.Buffer
	if _, err := x.Write(&data); err != nil {
		t.Fatal(err)
	}
	s := store(t, file(data.Bytes()))
	changed := tables(column("key.id", narrow), column("value", wide))
	if err := declare(s, changed); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range s.Evolved() {
		got = append(got, e.ID.Name+": "+strings.Join(e.Changes, "; "))
	}
	const change = ": value INT → BIGINT"
	if diff := cmp.Diff([]string{"list" + change, "map" + change, "multimap" + change, "shared" + change, "value" + change}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, key := range map[string]jobgraph.NativeColumn{"type": column("key.id", wide), "name": column("key.number", narrow)} {
		spec := tables(key, column("value", narrow))
		for _, table := range spec.Tables {
			one := *spec
			one.Tables = []jobgraph.NativeTable{table}
			err := declare(store(t, file(data.Bytes())), &one)
			if refused := len(table.Columns) == 2; refused != (failure.ClassOf(err).Domain == failure.DomainUser) || refused == (err == nil) {
				t.Errorf("another %s of the key of %s: %v", name, table.Name, err)
			}
		}
	}
}
