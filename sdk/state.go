package sdk

import (
	"iter"
	"reflect"
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

type stateOptions struct{ ttl time.Duration }

// TTL has what was not written for so long be as if it had been deleted, in processing time.
func TTL(d time.Duration) StateOption { return func(o *stateOptions) { o.ttl = d } }

func stateOptionsOf(options []StateOption) (o stateOptions) {
	for _, set := range options {
		set(&o)
	}
	return o
}

// writtenColumn is when a row with a time to live was written, in milliseconds. No field can have the name.
const writtenColumn = "?written"

var writtenType = types.Of(types.BigInt).NotNull()

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
	core    *core
	part    statebackend.Part
	cells   *rows.Cells
	ttl     int64 // milliseconds; 0: none
	written int   // the word that has the time
	slot    [1]statebackend.Slot
	swept   statebackend.Slot
	sweeps  []statebackend.Slot
}

// NewValue declares a state of one V a key. The fields of V are columns: when V changes, fields that were added are zero, those that were removed are dropped, and widened
// ones are converted; a job with any other change is refused before it starts.
func NewValue[V any](s *Setup, name string, options ...StateOption) *ValueState[V] {
	v := &ValueState[V]{}
	m := stateMapping[V](s, name)
	if m == nil {
		return v
	}
	v.cells, v.ttl = m.Cells(), stateOptionsOf(options).ttl.Milliseconds()
	columns, written := v.cells.Columns, v.cells.Words
	if v.written = written; v.ttl > 0 {
		columns = append(columns, jobgraph.NativeColumn{Name: writtenColumn, Type: writtenType})
	}
	s.table(jobgraph.NativeTable{Name: name, Shape: jobgraph.NativeValue, Columns: columns})
	if s.core == nil {
		return v
	}
	v.core, v.part = s.core, s.core.rt.Tables.Values[name].Part(0, true)
	if v.ttl > 0 {
		v.sweeps = make([]statebackend.Slot, sweepRows)
		s.core.swept = append(s.core.swept, v.sweep)
	}
	return v
}

// sweepRows is how many rows with a time to live are looked at with each batch.
const sweepRows = 64

// Get returns the key's value; ok is false, and the value zero, where there is none.
func (v *ValueState[V]) Get() (value V, ok bool) {
	if v.core.keyless() {
		return value, false
	}
	v.part.Find(v.core.key, v.slot[:])
	s := v.slot[0]
	if s == statebackend.NoSlot || v.expired(s) {
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
	if v.ttl > 0 {
		v.part.Rows().At(s)[v.written] = uint64(v.core.rt.Time.Now())
	}
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

// expired tells whether a row's time has passed. A row from before the state had a time to live begins to age when it is written.
func (v *ValueState[V]) expired(s statebackend.Slot) bool {
	if v.ttl == 0 {
		return false
	}
	written := int64(v.part.Rows().At(s)[v.written])
	return written != 0 && written+v.ttl <= v.core.rt.Time.Now()
}

// sweep deletes some rows whose time has passed.
func (v *ValueState[V]) sweep() error {
	n, next := v.part.Scan(v.swept, v.sweeps)
	if v.swept = next; n == 0 {
		v.swept = 0
		return nil
	}
	gone := v.sweeps[:0:len(v.sweeps)]
	for _, s := range v.sweeps[:n] {
		if v.expired(s) {
			gone = append(gone, s)
		}
	}
	v.part.Delete(gone)
	v.core.rt.Counts.Expired += int64(len(gone))
	return nil
}

// ListState is any number of Vs a key, in the order in which they were added.
type ListState[V any] struct {
	core  *core
	table statebackend.MultimapTable
	kept  kept[V]
}

// NewList declares a state of a list of Vs a key.
func NewList[V any](s *Setup, name string) *ListState[V] {
	l := &ListState[V]{}
	m := stateMapping[V](s, name)
	if m == nil {
		return l
	}
	s.table(jobgraph.NativeTable{Name: name, Shape: jobgraph.NativeMultimap, Columns: columnsOfState(m)})
	if s.core == nil {
		return l
	}
	l.core, l.table = s.core, s.core.rt.Tables.Multimaps[name]
	l.kept.open(s.core, m)
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
			if !l.kept.each(len(positions), func(v V) bool { return yield(v) }) || len(positions) < rows.TileRows {
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

// kept converts values to batches of rows and back, for tables that take those.
type kept[V any] struct {
	core     *core
	mapping  *rows.Mapping
	builders []*stream.Builder
	one      []stream.Builder
	tile     *rows.Tile[V]
	vectors  []stream.Vector
}

func (k *kept[V]) open(c *core, m *rows.Mapping) {
	k.core, k.mapping, k.tile = c, m, rows.NewTile[V](m, nil)
	k.one = make([]stream.Builder, m.Schema.Len())
	k.vectors = make([]stream.Vector, m.Schema.Len())
	for i, f := range m.Schema.Fields {
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
	b := k.core.rt.Pool.NewBatch(k.mapping.Schema, 1)
	for i := range k.one {
		b.Columns[i] = k.one[i].Finish()
	}
	return b, nil
}

// each visits the n values that were appended to the builders, until visit returns false.
func (k *kept[V]) each(n int, visit func(V) bool) bool {
	for i, b := range k.builders {
		k.vectors[i] = b.Finish()
	}
	got, err := k.tile.ReadColumns(k.vectors, 0, n)
	for i := range k.vectors {
		k.vectors[i].Release()
	}
	if err != nil {
		k.core.fail(err)
		return false
	}
	values := append([]V(nil), got...) // visit may read other values by the same tile
	for _, v := range values {
		if !visit(v) {
			return false
		}
	}
	return true
}
