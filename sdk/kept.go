package sdk

import (
	"slices"

	"millrace/sdk/rows"
	"millrace/stream"
	"millrace/types"
)

// single is a batch of one row that is written over and over, for tables: they copy what they are given.
type single struct {
	columns []stream.Builder
	rows    *stream.Batch
}

func (s *single) open(c *core, schema *types.Schema) {
	s.columns = make([]stream.Builder, schema.Len())
	for i, f := range schema.Fields {
		s.columns[i].Init(c.rt.Pool, f.Type, 1)
	}
	s.rows = c.rt.Pool.NewBatch(schema, 1)
	c.closes = append(c.closes, func() {
		for i := range s.columns {
			s.columns[i].Close()
			s.rows.Columns[i] = stream.Vector{}
		}
		s.rows.Release()
	})
}

// batch returns the row that was written to the columns, until reset. Columns to which nothing was written have no row.
func (s *single) batch() *stream.Batch {
	for i := range s.columns {
		s.rows.Columns[i] = s.columns[i].View()
	}
	return s.rows
}

func (s *single) reset() {
	for i := range s.columns {
		s.columns[i].Truncate(0)
	}
}

// kept converts values to columns of rows and back, for tables that take those. With a time to live the last column says when a value was written.
type kept[V any] struct {
	core     *core
	mapping  *rows.Mapping
	age      *aging
	schema   *types.Schema
	value    [1]V              // on its way to a table
	builders []*stream.Builder // to which the table appends what it has
	vectors  []stream.Vector
	tile     *rows.Tile[V]
	spare    [][]V // each is one tile of values that nobody visits
}

func (k *kept[V]) open(c *core, m *rows.Mapping, age *aging) {
	k.core, k.mapping, k.age, k.schema, k.tile = c, m, age, m.Schema, rows.NewTile[V](m, nil)
	if age.ttl > 0 {
		k.schema = types.NewSchema(append(slices.Clone(m.Schema.Fields), types.Field{Name: written.Name, Type: written.Type})...)
	}
	k.vectors = make([]stream.Vector, k.schema.Len())
	for _, f := range k.schema.Fields {
		k.builders = append(k.builders, stream.NewBuilder(c.rt.Pool, f.Type, 1))
	}
	c.closes = append(c.closes, func() {
		for _, b := range k.builders {
			b.Close()
		}
	})
}

// write appends a value to columns.
func (k *kept[V]) write(value V, to []stream.Builder) error {
	k.value[0] = value
	if k.age.ttl > 0 {
		to[k.mapping.Schema.Len()].AppendInt64(k.core.rt.Time.Now())
	}
	return rows.Append(k.mapping, k.value[:], to)
}

// read takes the n values, a tile at most, that were appended to the builders. They are there until the next read; passed tells of those with a time to live whether it has passed, nil: of none.
func (k *kept[V]) read(n int) (values []V, passed []bool) {
	for i, b := range k.builders {
		k.vectors[i] = b.View()
	}
	values, err := k.tile.ReadColumns(k.vectors, 0, n)
	if k.age.ttl > 0 {
		passed = make([]bool, n)
		for i, at := range stream.Values[int64](&k.vectors[len(k.vectors)-1])[:n] {
			passed[i] = k.age.passed(at)
		}
	}
	for _, b := range k.builders {
		b.Truncate(0)
	}
	if err != nil {
		k.core.fail(err)
		return nil, nil
	}
	return values, passed
}

// one takes the one value that was appended, if its time has not passed.
func (k *kept[V]) one() (value V, ok bool) {
	values, passed := k.read(1)
	if len(values) == 0 || passed != nil && passed[0] {
		return value, false
	}
	return values[0], true
}

// each visits those of the n values that were appended whose time has not passed, until visit returns false. visit may read others.
func (k *kept[V]) each(n int, visit func(i int, v V) bool) bool {
	read, passed := k.read(n)
	if len(read) < n {
		return false
	}
	var values []V
	if last := len(k.spare) - 1; last >= 0 {
		values, k.spare = k.spare[last], k.spare[:last]
	}
	values = append(values, read...)
	defer func() {
		clear(values)
		k.spare = append(k.spare, values[:0])
	}()
	for i, v := range values {
		if (passed == nil || !passed[i]) && !visit(i, v) {
			return false
		}
	}
	return true
}
