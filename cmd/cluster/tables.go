package cluster

import (
	"context"
	"fmt"
	"strings"

	"millrace/blobstore"
	"millrace/checkpoint"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators/layout"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// Tables returns what jobmanager.Options want to know of tables, for state in a store.
func (w *Wiring) Tables(store blobstore.Store) func(context.Context, *jobgraph.Graph, types.VertexID, []*checkpointv1.StateFile) ([]checkpoint.TableFate, error) {
	return func(ctx context.Context, g *jobgraph.Graph, id types.VertexID, files []*checkpointv1.StateFile) ([]checkpoint.TableFate, error) {
		return w.fates(ctx, g, id, upload.Files(store, nil, files))
	}
}

func (w *Wiring) fates(ctx context.Context, g *jobgraph.Graph, id types.VertexID, chain []statebackend.File) ([]checkpoint.TableFate, error) {
	var had columnar.Layout
	if len(chain) > 0 {
		var err error
		if had, err = columnar.ReadLayout(ctx, chain); err != nil {
			return nil, failure.External(err, failure.ClassOf(err).Retry)
		}
	}
	v := g.Vertex(id)
	if v == nil {
		return droppedTables(had.Tables, "the graph has no such vertex"), nil
	}
	// The state is opened as its task's would be. Its budget is none: no row is in it.
	store, err := columnar.New().OpenLayout(ctx, statebackend.OpenSpec{
		Task: types.TaskID{Vertex: id}, Parallelism: 1, KeyGroups: types.KeyGroupRangeOf(0, 1, g.KeyGroups()),
		MaxParallelism: g.KeyGroups(), Pool: &stream.Pool{},
	}, chain)
	if err != nil {
		return nil, err
	}
	defer func() { _ = store.Close() }()
	declared, err := layout.Declared(w.Operators, w.Functions, g, v, store)
	if err != nil {
		return nil, err
	}
	left, changes := make(map[statebackend.TableID]bool), make(map[statebackend.TableID][]string)
	for _, t := range store.Undeclared() {
		left[t] = true
	}
	for _, e := range store.Evolved() {
		changes[e.ID] = e.Changes
	}
	var out []checkpoint.TableFate
	known := make(map[statebackend.TableID]bool)
	for _, t := range had.Tables {
		known[t.ID] = true
		if left[t.ID] {
			out = append(out, droppedTables([]columnar.TableLayout{t}, "no operator of the vertex has it")...)
			continue
		}
		out = append(out, keptTable(t, had.Oldest, changes[t.ID]))
	}
	for _, t := range declared {
		if !known[t] {
			out = append(out, checkpoint.TableFate{Operator: t.Operator, Table: t.Name, Fate: checkpoint.FateNew, Detail: "it begins empty"})
		}
	}
	return out, nil
}

// keptTable is the fate of a table that the graph has too, from files of which the oldest is of a version.
func keptTable(t columnar.TableLayout, oldest int, changes []string) checkpoint.TableFate {
	fate := checkpoint.TableFate{Operator: t.ID.Operator, Table: t.ID.Name, Fate: checkpoint.FateKept, Detail: t.Shape}
	if oldest < columnar.FormatVersion {
		changes = append([]string{fmt.Sprintf("from file format %d to %d", oldest, columnar.FormatVersion)}, changes...)
	}
	if len(changes) > 0 {
		fate.Fate, fate.Detail = checkpoint.FateMigrated, strings.Join(changes, "; ")
	}
	return fate
}

func droppedTables(tables []columnar.TableLayout, why string) (out []checkpoint.TableFate) {
	for _, t := range tables {
		out = append(out, checkpoint.TableFate{Operator: t.ID.Operator, Table: t.ID.Name, Fate: checkpoint.FateDropped, Detail: why})
	}
	return out
}
