package native

import (
	"fmt"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/statebackend"
	"millrace/types"
)

// Tables are what a native operator keeps, each under its name in the field of its shape.
type Tables struct {
	Values      map[string]statebackend.ValueTable
	Multimaps   map[string]statebackend.MultimapTable
	OrderedMaps map[string]statebackend.OrderedMapTable
	Timers      map[string]statebackend.TimerTable
	Lists       map[string]statebackend.ListTable
	Broadcasts  map[string]statebackend.BroadcastTable
}

// Declare declares the tables of a native operator, in the order of the graph.
func Declare(ctx *operators.Context, spec *jobgraph.NativeSpec) (*Tables, error) {
	d := &declaring{ctx: ctx, keys: spec.KeyTypes(), tables: &Tables{}}
	for i := range spec.Tables {
		if err := d.declare(&spec.Tables[i]); err != nil {
			return nil, fmt.Errorf("state %s: %w", spec.Tables[i].Name, err)
		}
	}
	return d.tables, nil
}

// declaring is a declaration under way.
type declaring struct {
	ctx    *operators.Context
	keys   []types.Type
	tables *Tables
}

func (d *declaring) declare(t *jobgraph.NativeTable) (err error) {
	id := statebackend.TableID{Operator: d.ctx.Operator, Name: t.Name}
	columns := make([]statebackend.ColumnSpec, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = statebackend.ColumnSpec{Name: c.Name, Type: c.Type}
	}
	s, to := d.ctx.State, d.tables
	switch t.Shape {
	case jobgraph.NativeValue:
		err = put(&to.Values, t.Name, s.Value, statebackend.ValueSpec{ID: id, Keys: d.keys, Namespaced: t.Namespaced, Columns: columns})
	case jobgraph.NativeMultimap:
		err = put(&to.Multimaps, t.Name, s.Multimap, statebackend.MultimapSpec{ID: id, Keys: d.keys, Columns: columns})
	case jobgraph.NativeOrderedMap:
		err = put(&to.OrderedMaps, t.Name, s.OrderedMap, statebackend.OrderedMapSpec{ID: id, Keys: d.keys, Columns: columns})
	case jobgraph.NativeTimers:
		err = put(&to.Timers, t.Name, s.Timers, statebackend.TimerSpec{ID: id, Keys: d.keys})
	case jobgraph.NativeList:
		err = put(&to.Lists, t.Name, s.List, statebackend.ListSpec{ID: id, Redistribution: statebackend.SplitEven})
	case jobgraph.NativeBroadcast:
		err = put(&to.Broadcasts, t.Name, s.Broadcast, statebackend.BroadcastSpec{ID: id})
	}
	return err
}

// put declares a table and notes it under its name.
func put[S, T any](to *map[string]T, name string, declare func(S) (T, error), spec S) error {
	t, err := declare(spec)
	if err != nil {
		return err
	}
	if *to == nil {
		*to = make(map[string]T)
	}
	(*to)[name] = t
	return nil
}
