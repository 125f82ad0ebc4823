// Package layout finds out which tables the operators of a vertex have, which no
// graph says: operators declare them when they open. So it opens them, on a store
// that has the tables of a checkpoint without rows, and closes them again. What
// refuses a layout here is what would refuse it in a task.
//
// It starts no goroutine and reads no row.
package layout

import (
	"fmt"
	"slices"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Declared opens every operator of a vertex on the store and returns the tables
// that they declare. The store is the caller's: what was in it and is not declared,
// it names as Undeclared. An error of class user says which table does not fit. Functions are those of the process; those of the job's program need not be there.
func Declared(r *operators.Registry, functions *expr.Registry, g *jobgraph.Graph, v *jobgraph.Vertex, store statebackend.Store) ([]statebackend.TableID, error) {
	flows, err := jobgraph.Derive(g)
	if err != nil {
		return nil, err
	}
	flow := flows[v.ID]
	if flow == nil {
		return nil, failure.Internalf("vertex %s has no flow", v.ID)
	}
	if functions, err = g.Program.Registry(functions, func(*jobgraph.FunctionSpec) any { return kernel.Elsewhere{} }); err != nil {
		return nil, err
	}
	recorder := &recorder{Store: store}
	var pool stream.Pool
	common := operators.Context{
		Task: types.TaskID{Vertex: v.ID}, Parallelism: 1, MaxParallelism: g.KeyGroups(), KeyGroups: types.KeyGroupRangeOf(0, 1, g.KeyGroups()),
		Pool: &pool, State: recorder, Time: new(operators.Time), RowsMax: stream.RowsMax, Functions: functions,
	}
	for spec, ctx := range operators.Contexts(v, flow, common, nil) {
		if err := open(r, spec, ctx); err != nil {
			return nil, fmt.Errorf("vertex %s: %w", v.ID, err)
		}
	}
	return recorder.declared, nil
}

func open(r *operators.Registry, spec *jobgraph.OperatorSpec, ctx *operators.Context) error {
	op, err := r.New(spec)
	if err != nil {
		return err
	}
	err = op.Open(ctx)
	if closed := op.Close(); err == nil {
		err = closed
	}
	return err
}

// recorder is a store that notes what is declared.
type recorder struct {
	statebackend.Store
	declared []statebackend.TableID
}

func (r *recorder) note(id statebackend.TableID, err error) {
	if err == nil && !slices.Contains(r.declared, id) {
		r.declared = append(r.declared, id)
	}
}

// Value implements statebackend.Store.
func (r *recorder) Value(spec statebackend.ValueSpec) (statebackend.ValueTable, error) {
	t, err := r.Store.Value(spec)
	r.note(spec.ID, err)
	return t, err
}

// Timers implements statebackend.Store.
func (r *recorder) Timers(spec statebackend.TimerSpec) (statebackend.TimerTable, error) {
	t, err := r.Store.Timers(spec)
	r.note(spec.ID, err)
	return t, err
}

// List implements statebackend.Store.
func (r *recorder) List(spec statebackend.ListSpec) (statebackend.ListTable, error) {
	t, err := r.Store.List(spec)
	r.note(spec.ID, err)
	return t, err
}

// Multimap implements statebackend.Store.
func (r *recorder) Multimap(spec statebackend.MultimapSpec) (statebackend.MultimapTable, error) {
	t, err := r.Store.Multimap(spec)
	r.note(spec.ID, err)
	return t, err
}

// OrderedMap implements statebackend.Store.
func (r *recorder) OrderedMap(spec statebackend.OrderedMapSpec) (statebackend.OrderedMapTable, error) {
	t, err := r.Store.OrderedMap(spec)
	r.note(spec.ID, err)
	return t, err
}

// Broadcast implements statebackend.Store.
func (r *recorder) Broadcast(spec statebackend.BroadcastSpec) (statebackend.BroadcastTable, error) {
	t, err := r.Store.Broadcast(spec)
	r.note(spec.ID, err)
	return t, err
}
