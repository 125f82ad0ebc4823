package sdk

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"time"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sdk/rows"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// StateOption says something of a state that it need not say.
type StateOption func(*stateOptions)

type stateOptions struct {
	ttl  time.Duration
	ages bool
}

// TTL has what was not written for so long be as if it had been deleted, in processing time: a value, or each value of a list, each entry of a map. Reading does not
// make it younger. What was kept before the state had a time to live begins to age when the job that gave it one runs. It is a millisecond at least.
func TTL(d time.Duration) StateOption { return func(o *stateOptions) { o.ttl, o.ages = d, true } }

func stateOptionsOf(s *Setup, name string, options []StateOption) (o stateOptions) {
	for _, set := range options {
		set(&o)
	}
	if o.ages && o.ttl < time.Millisecond {
		s.env.problem(failure.Message{Primary: fmt.Sprintf("the state %s has a time to live of %s", name, o.ttl), Hint: "it is a millisecond at least; leave TTL out for none"})
	}
	return o
}

// stateMapping returns how V stands in a table; nil notes why it can't.
func stateMapping[V any](s *Setup, name string) *rows.Mapping {
	m, err := rows.StateOf(reflect.TypeFor[V]())
	if err != nil {
		s.env.problem(failure.Message{Primary: "the state " + name + ": " + err.Error()})
		return nil
	}
	return m
}

// ValueState is one V a key.
type ValueState[V any] struct {
	core  *core
	part  statebackend.Part
	cells *rows.Cells
	age   aging
	slot  [1]statebackend.Slot
}

// NewValue declares a state of one V a key. The fields of V are columns: when V changes, fields that were added are zero, those that were removed are dropped, and widened
// ones are converted; a job with any other change is refused before it starts.
func NewValue[V any](s *Setup, name string, options ...StateOption) *ValueState[V] {
	v := &ValueState[V]{}
	m, o := stateMapping[V](s, name), stateOptionsOf(s, name, options)
	if m == nil {
		return v
	}
	v.cells = m.Cells()
	columns := o.aged(v.cells.Columns)
	s.table(jobgraph.NativeTable{Name: name, Shape: jobgraph.NativeValue, Columns: columns})
	if s.core == nil {
		return v
	}
	v.core, v.part = s.core, s.core.rt.Tables.Values[name].Part(0, true)
	v.age.open(s.core, o.ttl, columns, v.part, v.part.Delete)
	return v
}

// Get returns the key's value; ok is false, and the value zero, where there is none.
func (v *ValueState[V]) Get() (value V, ok bool) {
	if v.core.keyless() {
		return value, false
	}
	v.part.Find(v.core.key, v.slot[:])
	s := v.slot[0]
	if s == statebackend.NoSlot || v.age.expired(s) {
		return value, false
	}
	v.core.fail(v.cells.Load(v.part, s, pointer(&value)))
	return value, true
}

// Set sets the key's value.
func (v *ValueState[V]) Set(value V) {
	if v.core.keyless() {
		return
	}
	if _, err := v.part.Upsert(v.core.key, v.slot[:]); err != nil {
		v.core.fail(err)
		return
	}
	s := v.slot[0]
	v.age.wrote(s)
	v.core.fail(v.cells.Store(v.part, s, pointer(&value)))
}

// Clear deletes the key's value.
func (v *ValueState[V]) Clear() {
	if v.core.keyless() {
		return
	}
	v.part.Find(v.core.key, v.slot[:])
	if v.slot[0] != statebackend.NoSlot {
		v.part.Delete(v.slot[:])
	}
}

// ListState is any number of Vs a key, in the order in which they were added.
type ListState[V any] struct {
	core  *core
	table statebackend.MultimapTable
	kept  kept[V]
	age   aging
}

// NewList declares a state of a list of Vs a key.
func NewList[V any](s *Setup, name string, options ...StateOption) *ListState[V] {
	l := &ListState[V]{}
	m, o := stateMapping[V](s, name), stateOptionsOf(s, name, options)
	if m == nil {
		return l
	}
	columns := o.aged(columnsOfState(m))
	s.table(jobgraph.NativeTable{Name: name, Shape: jobgraph.NativeMultimap, Columns: columns})
	if s.core == nil {
		return l
	}
	l.core, l.table = s.core, s.core.rt.Tables.Multimaps[name]
	l.age.open(s.core, o.ttl, columns, l.table, l.table.Remove)
	l.kept.open(s.core, m, &l.age)
	return l
}

func columnsOfState(m *rows.Mapping) (out []jobgraph.NativeColumn) {
	for _, f := range m.Schema.Fields {
		out = append(out, jobgraph.NativeColumn{Name: f.Name, Type: f.Type})
	}
	return out
}

// Add adds a value behind those of the key.
func (l *ListState[V]) Add(value V) {
	if l.core.keyless() {
		return
	}
	b, err := l.kept.batch(&value)
	if err != nil {
		l.core.fail(err)
		return
	}
	l.core.fail(l.table.Append(l.core.key, b))
	b.Release()
}

// All returns the key's values. The state must not be changed before the end.
func (l *ListState[V]) All() iter.Seq[V] {
	return func(yield func(V) bool) {
		if l.core.keyless() {
			return
		}
		it := statebackend.MultimapIterator{Keys: l.core.key}
		for {
			positions, err := l.table.Next(&it, rows.TileRows, l.kept.builders, nil)
			if err != nil {
				l.core.fail(err)
				return
			}
			if !l.kept.each(len(positions), func(_ int, v V) bool { return yield(v) }) || len(positions) < rows.TileRows {
				return
			}
		}
	}
}

// Len returns how many values the key has.
func (l *ListState[V]) Len() int {
	if l.core.keyless() {
		return 0
	}
	if l.age.ttl > 0 {
		return l.age.count(l.core.key, l.table)
	}
	var n [1]int32
	l.table.Count(l.core.key, n[:])
	return int(n[0])
}

// Clear deletes the key's values.
func (l *ListState[V]) Clear() {
	if !l.core.keyless() {
		l.table.DeleteAll(l.core.key)
	}
}

// kept converts values to batches of rows and back, for tables that take those. With a time to live the last column says when a value was written.
type kept[V any] struct {
	core     *core
	mapping  *rows.Mapping
	age      *aging
	schema   *types.Schema
	builders []*stream.Builder
	one      []stream.Builder
	tile     *rows.Tile[V]
	vectors  []stream.Vector
}

func (k *kept[V]) open(c *core, m *rows.Mapping, age *aging) {
	k.core, k.mapping, k.age, k.schema, k.tile = c, m, age, m.Schema, rows.NewTile[V](m, nil)
	if age.ttl > 0 {
		k.schema = types.NewSchema(append(slices.Clone(m.Schema.Fields), types.Field{Name: written.Name, Type: written.Type})...)
	}
	k.one = make([]stream.Builder, k.schema.Len())
	k.vectors = make([]stream.Vector, k.schema.Len())
	for i, f := range k.schema.Fields {
		k.one[i].Init(c.rt.Pool, f.Type, 1)
		k.builders = append(k.builders, stream.NewBuilder(c.rt.Pool, f.Type, 1))
	}
}

// batch returns a batch of one value, which is the caller's.
func (k *kept[V]) batch(value *V) (*stream.Batch, error) {
	if err := rows.Append(k.mapping, (&[1]V{*value})[:], k.one); err != nil {
		for i := range k.one {
			k.one[i].Truncate(0)
		}
		return nil, err
	}
	if k.age.ttl > 0 {
		k.one[len(k.one)-1].AppendInt64(k.core.rt.Time.Now())
	}
	b := k.core.rt.Pool.NewBatch(k.schema, 1)
	for i := range k.one {
		b.Columns[i] = k.one[i].Finish()
	}
	return b, nil
}

// each visits those of the n values that were appended to the builders whose time has not passed, until visit returns false.
func (k *kept[V]) each(n int, visit func(i int, v V) bool) bool {
	for i, b := range k.builders {
		k.vectors[i] = b.Finish()
	}
	got, err := k.tile.ReadColumns(k.vectors, 0, n)
	var passed []bool // not kept: visit may read others
	if k.age.ttl > 0 {
		passed = make([]bool, n)
		for i, at := range stream.Values[int64](&k.vectors[len(k.vectors)-1])[:n] {
			passed[i] = k.age.passed(at)
		}
	}
	for i := range k.vectors {
		k.vectors[i].Release()
	}
	if err != nil {
		k.core.fail(err)
		return false
	}
	values := append([]V(nil), got...) // visit may read other values by the same tile
	for i, v := range values {
		if (passed == nil || !passed[i]) && !visit(i, v) {
			return false
		}
	}
	return true
}
