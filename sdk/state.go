package sdk

import (
	"fmt"
	"iter"
	"reflect"
	"time"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sdk/rows"
	"millrace/statebackend"
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
	value V // on its way from or to the table
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
	v.age.open(s.core, o.ttl, v.part, v.part.Delete)
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
	v.value = value // what is no column is zero
	v.core.fail(v.cells.Load(v.part, s, pointer(&v.value)))
	return v.value, true
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
	v.value = value
	v.core.fail(v.cells.Store(v.part, s, pointer(&v.value)))
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
	row   single
	age   aging
	count [1]int32
}

// NewList declares a state of a list of Vs a key. A V is kept, and may change, as that of NewValue.
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
	l.age.open(s.core, o.ttl, l.table, l.table.Remove)
	l.kept.open(s.core, m, &l.age)
	l.row.open(s.core, l.kept.schema)
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
	if l.core.fail(l.kept.write(value, l.row.columns)); l.core.err == nil {
		l.core.fail(l.table.Append(l.core.key, l.row.batch()))
	}
	l.row.reset()
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
	l.table.Count(l.core.key, l.count[:])
	return int(l.count[0])
}

// Clear deletes the key's values.
func (l *ListState[V]) Clear() {
	if !l.core.keyless() {
		l.table.DeleteAll(l.core.key)
	}
}
