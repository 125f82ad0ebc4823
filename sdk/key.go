package sdk

import (
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/native"
	"millrace/sdk/rows"
	"millrace/stream"
	"millrace/types"
)

// Keyed is a stream whose rows of one key meet in one task, in the order in which they came there. What keeps state keeps it by key.
type Keyed[K, T any] struct {
	*Stream[T]
	keys *rows.Mapping // of K
	by   []int         // the columns of the key
}

// keyPrefix is that of the names of key columns that a function makes.
const keyPrefix = "$key."

// KeyBy keys a stream by what a function makes of each row: a number, a text, a time, or a struct of such. The function must give the same key
// for the same row always. Where the key is fields of T as they are, KeyByFields costs nothing.
func KeyBy[K, T any](s *Stream[T], key func(*T) K, options ...Option) *Keyed[K, T] {
	none := &Keyed[K, T]{Stream: broken[T](s.env)}
	if !s.ok() {
		return none
	}
	keys := keyMapping[K](s.env)
	if keys == nil {
		s.refused()
		return none
	}
	fields := make([]types.Field, 0, keys.Schema.Len()+s.schema.Len())
	for _, f := range keys.Schema.Fields {
		fields = append(fields, types.Field{Name: keyPrefix + f.Name, Type: f.Type})
	}
	schema := types.NewSchema(append(fields, s.schema.Fields...)...)
	if s.schema.Index(fields[0].Name) >= 0 { // keyed already: what it was keyed by is nobody's any more
		return KeyBy(s.plain(), key, options...)
	}
	kept := make([]int, schema.Len())
	for i := range kept {
		kept[i] = i - keys.Schema.Len()
	}
	for i := range keys.Schema.Len() {
		kept[i] = jobgraph.NoColumn
	}
	n := s.env.add("key-by", options, s.forward())
	n.native(&jobgraph.NativeSpec{Inputs: []jobgraph.NativeInput{s.input()}, Output: schema, Kept: kept}, func() native.Function {
		return &keyBy[K, T]{guard: guardOf(n), tile: s.tile(), keys: keys, key: key}
	})
	out := *s
	out.node, out.port, out.schema, out.at = n, 0, schema, make([]int, s.mapping.Schema.Len())
	for i := range out.at {
		out.at[i] = keys.Schema.Len() + s.column(i)
	}
	k := &Keyed[K, T]{Stream: &out, keys: keys}
	for i := range keys.Schema.Len() {
		k.by = append(k.by, i)
	}
	return k
}

// KeyByFields keys a stream by columns of T. K is the type of the one column, or a struct with a field for each, in their order.
func KeyByFields[K, T any](s *Stream[T], columns ...string) *Keyed[K, T] {
	none := &Keyed[K, T]{Stream: broken[T](s.env)}
	if !s.ok() {
		return none
	}
	keys := keyMapping[K](s.env)
	if keys == nil {
		s.refused()
		return none
	}
	if len(columns) != keys.Schema.Len() {
		s.env.Problemf("%s is the key of %d columns, not of %d", keys.Go, keys.Schema.Len(), len(columns))
		s.refused()
		return none
	}
	k := &Keyed[K, T]{Stream: s, keys: keys}
	for i, name := range columns {
		at := s.mapping.Column(name)
		if at < 0 {
			s.env.problem(failure.Message{Primary: fmt.Sprintf("%s has no column %q", s.mapping.Go, name), Hint: "its columns are " + list(s.mapping.Names())})
			s.refused()
			return none
		}
		if is, want := s.schema.Fields[s.column(at)].Type, keys.Schema.Fields[i].Type; !is.EqualIgnoringNull(want) {
			s.env.Problemf("column %s is %s, but the key %s has %s there", name, is, keys.Go, want)
			s.refused()
			return none
		}
		k.by = append(k.by, s.column(at))
	}
	return k
}

// keyMapping returns how K stands in columns of a key; nil notes why it can't.
func keyMapping[K any](e *Env) *rows.Mapping {
	m, err := rows.Of(reflect.TypeFor[K]())
	if err != nil {
		e.problem(failure.Message{Primary: "the key " + err.Error()})
		return nil
	}
	for i, f := range m.Schema.Fields {
		if _, err := stream.KeyLayoutOf([]types.Type{f.Type}); err != nil {
			e.problem(failure.Message{
				Primary: fmt.Sprintf("the key %s has no canonical form: %s is %s", m.Go, m.Names()[i], f.Type),
				Hint:    "a key is a number, a text, bytes, a time, or a struct of such: make a text of lists and maps",
			})
			return nil
		}
	}
	return m
}

// hash is the edge to whoever keeps state by the key.
func (k *Keyed[K, T]) hash() input {
	return input{from: k.node, port: k.port, kind: jobgraph.Hash, keys: k.by}
}

func (k *Keyed[K, T]) keyedInput() jobgraph.NativeInput {
	return jobgraph.NativeInput{Schema: k.schema, Keys: k.by}
}

// keyBy implements native.Function.
type keyBy[K, T any] struct {
	guard
	rt   *native.Runtime
	tile *rows.Tile[T]
	keys *rows.Mapping
	key  func(*T) K
	made []K
}

func (f *keyBy[K, T]) Open(rt *native.Runtime) error {
	f.rt = rt
	f.open(rt.Context)
	return nil
}

// Rows puts keys in front of the columns, which stay where they are: the key of a row stands where the row does, selected or not.
func (f *keyBy[K, T]) Rows(_ int, b *stream.Batch, _ int) (to int, err error) {
	defer f.recovered(&err)
	n := b.Rows()
	if len(f.made) < b.Len() {
		f.made = make([]K, max(b.Len(), stream.RowsMax))
	}
	for from := 0; from < n; from += rows.TileRows {
		tile, err := f.tile.Read(b, from, min(from+rows.TileRows, n))
		if err != nil {
			return from, f.failed(err)
		}
		at := 0
		f.row = func() any { return tile[at] }
		for at = range tile {
			f.made[b.Row(from+at)] = f.key(&tile[at])
		}
		f.row = nil
	}
	out := f.rt.Pool.NewBatch(f.rt.Output, b.Len())
	builders := f.rt.Out(operators.MainPort).Columns[:f.keys.Schema.Len()]
	if err := rows.Append(f.keys, f.made[:b.Len()], builders); err != nil {
		for i := range builders {
			builders[i].Truncate(0)
		}
		out.Release()
		return 0, f.failed(err)
	}
	for i := range builders {
		out.Columns[i] = builders[i].Finish()
	}
	for i := range b.Columns {
		b.Columns[i].Retain()
		out.Columns[len(builders)+i] = b.Columns[i]
	}
	b.ShareRows(out)
	f.rt.Give(operators.MainPort, out)
	return n, nil
}

func (*keyBy[K, T]) Close() error { return nil }

// pointer returns where a value stands, for rooms that go by memory.
func pointer[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
