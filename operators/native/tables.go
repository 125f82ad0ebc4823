package native

import (
	"fmt"
	"strings"

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
		columns[i] = statebackend.ColumnSpec{Name: c.Name, Type: c.Type, NullOf: c.NullOf}
	}
	s, to := d.ctx.State, d.tables
	switch t.Shape {
	case jobgraph.NativeValue:
		err = put(&to.Values, t.Name, s.Value, statebackend.ValueSpec{ID: id, Keys: d.keys, Namespaced: t.Namespaced, Columns: columns, Evolves: true})
	case jobgraph.NativeMultimap:
		err = put(&to.Multimaps, t.Name, s.Multimap, statebackend.MultimapSpec{ID: id, Keys: d.keys, Columns: columns, Evolves: true})
	case jobgraph.NativeOrderedMap:
		by, _ := parts(columns)
		err = put(&to.OrderedMaps, t.Name, s.OrderedMap, statebackend.OrderedMapSpec{ID: id, Keys: d.keys, Columns: columns, Evolves: true, Orders: by})
	case jobgraph.NativeTimers:
		err = put(&to.Timers, t.Name, s.Timers, statebackend.TimerSpec{ID: id, Keys: d.keys})
	case jobgraph.NativeList: // a RowList, which converts what it reads
		err = put(&to.Lists, t.Name, s.List, statebackend.ListSpec{ID: id, Redistribution: statebackend.SplitEven, Entries: columns, Evolves: true})
	case jobgraph.NativeBroadcast:
		keys, values := parts(columns) // JSON, which is read by names whatever was written
		err = put(&to.Broadcasts, t.Name, s.Broadcast, statebackend.BroadcastSpec{ID: id, Keys: keys, Entries: values, Evolves: true})
	}
	return err
}

// parts takes the columns of a map apart: those by which its rows are found, which never evolve, and the others. The former are called
// jobgraph.NativeKey, or that and the name of a field behind a dot.
func parts(columns []statebackend.ColumnSpec) (keys, values []statebackend.ColumnSpec) {
	for _, c := range columns {
		name := c.Name
		if c.NullOf != "" {
			name = c.NullOf
		}
		if name == jobgraph.NativeKey || strings.HasPrefix(name, jobgraph.NativeKey+".") {
			keys = append(keys, c)
		} else {
			values = append(values, c)
		}
	}
	return keys, values
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
