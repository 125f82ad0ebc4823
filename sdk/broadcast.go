package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strconv"

	"millrace/jobgraph"
	"millrace/sdk/rows"
	"millrace/statebackend"
)

// BroadcastState is a map from K to V that every task of an operator holds alike. It may be changed only by rows of a broadcast stream, which every task gets.
type BroadcastState[K comparable, V any] struct {
	core  *core
	table statebackend.BroadcastTable
	// cache has the entries as Go values, so that looking one up for each row costs no decoding. A restore empties it with the function.
	cache map[K]aged[V]
	age   aging
}

// aged is a value, and when it was written: 0 where nobody noted it.
type aged[V any] struct {
	value   V
	written int64
}

// writtenMark stands between the JSON of a value and when it was written, a decimal number. There is none in JSON as it is kept.
const writtenMark = '\n'

// NewBroadcast declares a broadcast state. Keys and values are kept as JSON. With a time to live each task goes by its own processing time, so that one may see an entry a moment longer than another.
func NewBroadcast[K comparable, V any](s *Setup, name string, options ...StateOption) *BroadcastState[K, V] {
	b := &BroadcastState[K, V]{}
	o := stateOptionsOf(s, name, options)
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
	b.core, b.table, b.cache = s.core, s.core.rt.Tables.Broadcasts[name], make(map[K]aged[V])
	if b.age = (aging{core: s.core, ttl: o.ttl.Milliseconds()}); o.ttl > 0 {
		s.core.swept = append(s.core.swept, b.sweep)
	}
	b.table.Each(func(key, value []byte) bool {
		var k K
		v, err := agedOf[V](value)
		if err := json.Unmarshal(key, &k); err != nil {
			b.core.fail(fmt.Errorf("a key of the state %s can't be read: %w", name, err))
		}
		if err != nil {
			b.core.fail(fmt.Errorf("a value of the state %s can't be read: %w", name, err))
		}
		b.cache[k] = v
		return b.core.err == nil
	})
	return b
}

// agedOf reads a value as it is kept.
func agedOf[V any](kept []byte) (v aged[V], err error) {
	text, at, noted := bytes.Cut(kept, []byte{writtenMark})
	if noted {
		v.written, err = strconv.ParseInt(string(at), 10, 64)
	}
	return v, errors.Join(err, json.Unmarshal(text, &v.value))
}

// Get returns the value of a key; ok is false where there is none. What its slices, maps and pointers lead to must not be changed.
func (b *BroadcastState[K, V]) Get(key K) (value V, ok bool) {
	v, ok := b.cache[key]
	if !ok || b.expired(v) {
		return value, false
	}
	return v.value, true
}

func (b *BroadcastState[K, V]) expired(v aged[V]) bool {
	return b.age.ttl > 0 && b.age.passed(v.written)
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
	kept := aged[V]{value: value}
	if b.age.ttl > 0 {
		kept.written = b.core.rt.Time.Now()
		v = strconv.AppendInt(append(v, writtenMark), kept.written, 10)
	}
	b.core.fail(b.table.Put(k, v))
	b.cache[key] = kept
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

// sweep looks at some entries, by chance: those whose time has passed are deleted.
func (b *BroadcastState[K, V]) sweep() error {
	seen := 0
	for key, v := range b.cache {
		if seen++; seen > sweepRows {
			break
		}
		switch {
		case v.written == 0:
			b.Put(key, v.value) // it begins to age
		case b.expired(v):
			b.Delete(key)
			b.core.rt.Counts.Expired++
		}
	}
	return b.core.err
}

// Len returns how many keys there are.
func (b *BroadcastState[K, V]) Len() int {
	if b.age.ttl == 0 {
		return len(b.cache)
	}
	n := 0
	for _, v := range b.cache {
		if !b.expired(v) {
			n++
		}
	}
	return n
}

// All returns the entries, by the order of their keys as JSON.
func (b *BroadcastState[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		b.table.Each(func(key, _ []byte) bool {
			var k K
			if err := json.Unmarshal(key, &k); err != nil {
				b.core.fail(err)
				return false
			}
			v := b.cache[k]
			return b.expired(v) || yield(k, v.value)
		})
	}
}
