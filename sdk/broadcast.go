package sdk

import (
	"encoding/json"
	"fmt"
	"iter"
	"reflect"

	"millrace/jobgraph"
	"millrace/sdk/rows"
	"millrace/statebackend"
)

// BroadcastState is a map from K to V that every task of an operator holds alike. It may be changed only by rows of a broadcast stream, which every task gets.
type BroadcastState[K comparable, V any] struct {
	core  *core
	table statebackend.BroadcastTable
	// cache has the entries as Go values, so that looking one up for each row costs no decoding. A restore empties it with the function.
	cache map[K]V
}

// NewBroadcast declares a broadcast state. Keys and values are kept as JSON.
func NewBroadcast[K comparable, V any](s *Setup, name string) *BroadcastState[K, V] {
	b := &BroadcastState[K, V]{}
	var columns []jobgraph.NativeColumn
	for part, t := range map[string]reflect.Type{jobgraph.NativeKey: reflect.TypeFor[K](), "value": reflect.TypeFor[V]()} {
		m, err := rows.StateOf(t)
		if err != nil {
			s.env.Problemf("the state %s: %s", name, err)
			return b
		}
		if of := prefixed(part, columnsOfState(m)); part == jobgraph.NativeKey {
			columns = append(of, columns...)
		} else {
			columns = append(columns, of...)
		}
	}
	s.table(jobgraph.NativeTable{Name: name, Shape: jobgraph.NativeBroadcast, Columns: columns})
	if s.core == nil {
		return b
	}
	b.core, b.table, b.cache = s.core, s.core.rt.Tables.Broadcasts[name], make(map[K]V)
	b.table.Each(func(key, value []byte) bool {
		var k K
		var v V
		if err := json.Unmarshal(key, &k); err != nil {
			b.core.fail(fmt.Errorf("a key of the state %s can't be read: %w", name, err))
		} else if err := json.Unmarshal(value, &v); err != nil {
			b.core.fail(fmt.Errorf("a value of the state %s can't be read: %w", name, err))
		}
		b.cache[k] = v
		return b.core.err == nil
	})
	return b
}

// Get returns the value of a key; ok is false where there is none.
func (b *BroadcastState[K, V]) Get(key K) (value V, ok bool) {
	value, ok = b.cache[key]
	return value, ok
}

// Put sets the value of a key.
func (b *BroadcastState[K, V]) Put(key K, value V) {
	k, err := json.Marshal(key)
	if err != nil {
		b.core.fail(err)
		return
	}
	v, err := json.Marshal(value)
	if err != nil {
		b.core.fail(err)
		return
	}
	b.core.fail(b.table.Put(k, v))
	b.cache[key] = value
}

// Delete deletes a key.
func (b *BroadcastState[K, V]) Delete(key K) {
	k, err := json.Marshal(key)
	if err != nil {
		b.core.fail(err)
		return
	}
	b.table.Delete(k)
	delete(b.cache, key)
}

// Len returns how many keys there are.
func (b *BroadcastState[K, V]) Len() int { return len(b.cache) }

// All returns the entries, by the order of their keys as JSON.
func (b *BroadcastState[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		b.table.Each(func(key, _ []byte) bool {
			var k K
			if err := json.Unmarshal(key, &k); err != nil {
				b.core.fail(err)
				return false
			}
			return yield(k, b.cache[k])
		})
	}
}
