package sdk

import (
	"iter"

	"millrace/jobgraph"
	"millrace/operators/ordering"
	"millrace/sdk/rows"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// MapState is any number of Vs a key, each under a K of its own.
type MapState[K comparable, V any] struct {
	core   *core
	table  statebackend.OrderedMapTable
	keys   kept[K]
	values kept[V]
	row    single // of both
	order  *ordering.Encoder
	at     statebackend.Orders
	slot   [1]statebackend.Slot
	count  [1]int32
	of     []int // the columns of the value
	age    aging
}

// NewMap declares a state of a map from K to V a key. A K is a number, a text, a time, or a struct of such, and stays the type that it is; a V is kept, and may change, as
// that of NewValue.
func NewMap[K comparable, V any](s *Setup, name string, options ...StateOption) *MapState[K, V] {
	m := &MapState[K, V]{}
	m.declare(s, name, options)
	return m
}

// OrderedMapState is a MapState whose entries can be asked for by the order of K, as SQL has it.
type OrderedMapState[K comparable, V any] struct{ MapState[K, V] }

// NewOrderedMap declares a state of an ordered map from K to V a key. K and V are as NewMap's.
func NewOrderedMap[K comparable, V any](s *Setup, name string, options ...StateOption) *OrderedMapState[K, V] {
	m := &OrderedMapState[K, V]{}
	m.declare(s, name, options)
	return m
}

func (m *MapState[K, V]) declare(s *Setup, name string, options []StateOption) {
	keys, values, o := keyMapping[K](s.env), stateMapping[V](s, name), stateOptionsOf(s, name, options)
	if keys == nil || values == nil {
		return
	}
	columns := o.aged(append(prefixed(jobgraph.NativeKey, columnsOfState(keys)), prefixed("value", columnsOfState(values))...))
	s.table(jobgraph.NativeTable{Name: name, Shape: jobgraph.NativeOrderedMap, Columns: columns})
	if s.core == nil {
		return
	}
	m.core, m.table = s.core, s.core.rt.Tables.OrderedMaps[name]
	m.age.open(s.core, o.ttl, m.table, m.table.Remove)
	m.keys.open(s.core, keys, new(aging)) // keys have no time of their own
	m.values.open(s.core, values, &m.age)
	fields := make([]types.Field, len(columns))
	for i, c := range columns {
		fields[i] = types.Field{Name: c.Name, Type: c.Type}
	}
	m.row.open(s.core, types.NewSchema(fields...))
	var by []jobgraph.SortColumn
	for i := range keys.Schema.Len() {
		by = append(by, jobgraph.SortColumn{Column: i})
	}
	for i := range m.values.schema.Len() {
		m.of = append(m.of, keys.Schema.Len()+i)
	}
	var err error
	m.order, err = ordering.NewEncoder(m.row.rows.Schema, by)
	s.core.fail(err)
}

// prefixed names the columns of a part of a row: key and value alone, or with the name of the field behind them.
func prefixed(part string, columns []jobgraph.NativeColumn) []jobgraph.NativeColumn {
	for i, c := range columns {
		if c.Name == rows.ValueColumn && len(columns) == 1 {
			columns[i].Name = part
		} else {
			columns[i].Name = part + "." + c.Name
		}
	}
	return columns
}

// find sets at to the order of a key.
func (m *MapState[K, V]) find(key K) bool {
	m.at.Reset()
	return !m.core.keyless() && m.addOrder(key, &m.at)
}

func (m *MapState[K, V]) addOrder(key K, to *statebackend.Orders) bool {
	err := m.keys.write(key, m.row.columns)
	if err == nil {
		m.order.Append(m.row.batch(), nil, to)
	}
	m.row.reset()
	m.core.fail(err)
	return err == nil
}

// Put sets the value of a key of the map.
func (m *MapState[K, V]) Put(key K, value V) {
	if m.core.keyless() {
		return
	}
	err := m.keys.write(key, m.row.columns)
	if err == nil {
		err = m.values.write(value, m.row.columns[m.keys.schema.Len():])
	}
	if err == nil {
		row := m.row.batch()
		m.at.Reset()
		m.order.Append(row, nil, &m.at)
		err = m.table.Put(m.core.key, &m.at, row)
	}
	m.row.reset()
	m.core.fail(err)
}

// Get returns the value of a key of the map; ok is false where there is none.
func (m *MapState[K, V]) Get(key K) (value V, ok bool) {
	if !m.find(key) {
		return value, false
	}
	m.table.FindSlots(m.core.key, &m.at, m.slot[:])
	if m.slot[0] == statebackend.NoSlot {
		return value, false
	}
	m.table.Gather(m.slot[:], m.of, m.values.builders)
	return m.values.one()
}

// Delete deletes a key of the map.
func (m *MapState[K, V]) Delete(key K) {
	if m.find(key) {
		m.table.Delete(m.core.key, &m.at, nil)
	}
}

// Len returns how many keys the map has.
func (m *MapState[K, V]) Len() int {
	if m.core.keyless() {
		return 0
	}
	if m.age.ttl > 0 {
		return m.age.count(m.core.key, m.table)
	}
	m.table.Count(m.core.key, m.count[:])
	return int(m.count[0])
}

// Clear deletes all keys of the map.
func (m *MapState[K, V]) Clear() {
	if !m.core.keyless() {
		m.table.DeleteAll(m.core.key)
	}
}

// All returns the entries of the map, by the order of their keys. Any may be changed meanwhile, the one at hand too; of those that are to come, either what they were or what they
// have become may come.
func (m *MapState[K, V]) All() iter.Seq2[K, V] {
	return m.scan(&statebackend.OrderedScan{})
}

// Backward returns the entries by the order of their keys, the greatest first.
func (m *OrderedMapState[K, V]) Backward() iter.Seq2[K, V] {
	return m.scan(&statebackend.OrderedScan{Descending: true})
}

// Range returns the entries from a key on, which is among them, to another, which is not.
func (m *OrderedMapState[K, V]) Range(from, to K) iter.Seq2[K, V] {
	scan := &statebackend.OrderedScan{}
	if !m.addOrder(from, &scan.From) || !m.addOrder(to, &scan.To) {
		return func(func(K, V) bool) {}
	}
	return m.scan(scan)
}

// First returns the entry of the least key; ok is false where the map is empty.
func (m *OrderedMapState[K, V]) First() (key K, value V, ok bool) {
	for k, v := range m.scan(&statebackend.OrderedScan{Limit: m.first()}) {
		return k, v, true
	}
	return key, value, false
}

// Last returns the entry of the greatest key; ok is false where the map is empty.
func (m *OrderedMapState[K, V]) Last() (key K, value V, ok bool) {
	for k, v := range m.scan(&statebackend.OrderedScan{Limit: m.first(), Descending: true}) {
		return k, v, true
	}
	return key, value, false
}

// first is how many entries have to be looked at to find one, at most: of those with a time to live any number, 0.
func (m *OrderedMapState[K, V]) first() int {
	if m.age.ttl > 0 {
		return 0
	}
	return 1
}

// scan goes over entries, a tile at a time. The key is copied: timers and other states may be used meanwhile.
func (m *MapState[K, V]) scan(scan *statebackend.OrderedScan) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if m.core.keyless() {
			return
		}
		of := *scan // the iterator may be used again
		of.Keys = m.core.key
		for {
			out := statebackend.OrderedRows{Columns: append(append([]*stream.Builder(nil), m.keys.builders...), m.values.builders...)}
			if err := m.table.Next(&of, rows.TileRows, &out); err != nil {
				m.core.fail(err)
				return
			}
			n := len(out.Positions)
			var keys []K
			m.keys.each(n, func(_ int, k K) bool { keys = append(keys, k); return true })
			if !m.values.each(n, func(i int, v V) bool { return yield(keys[i], v) }) || n < rows.TileRows {
				return
			}
		}
	}
}
