package aggregate

import (
	"fmt"
	"slices"
	"sort"

	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Counted counts how often each value of a column is there, by key: an OrderedMap of
// the values of a key, in their order, with a count for each filter. DISTINCT is fed
// with the values that appear and go; MIN and MAX of rows that may be taken back ask
// for the first of what is left. (Not a Value table of key and value: its rows would
// not be in the key groups of their keys.)
//
// In front of the map stands a small table that is written through, so that a value
// which repeats costs no search, and where nothing is taken back no write either.
type Counted struct {
	spec   *CountedSpec
	in     CountedInput
	ctx    *operators.Context
	table  statebackend.OrderedMapTable
	schema *types.Schema // of its columns

	values *stream.KeyReader // of the key and the value
	groups *stream.KeyReader // of the key
	cache  *Table
	slots  [TileRows]statebackend.Slot
	tile   stream.Keys

	rows    []int32 // positions among the selected rows of those that count
	sel     []int32 // the same, physically
	changes [][]change
	some    []int32 // positions among rows: of a tile, those looked for or written
	dirty   []int32
	stored  stream.Bitmap // by slot
	picked  []int32
	gone    []int32
	columns []stream.Vector
	orders  statebackend.Orders
	ends    statebackend.Orders
	text    []byte
	found   statebackend.OrderedRows
	aging   aging
}

// change is a row with which a value appeared (1) or went (-1).
type change struct {
	row  int32 // among the selected ones
	sign int32
}

// CountedInput says where counted values come from.
type CountedInput struct {
	Keys []int // columns of the input that are the key
	// Spaces says that values are counted in namespaces.
	Spaces  bool
	Retract bool // the input may take rows back
	Expiry  Expiry
}

// OpenCounted declares the tables of counted values, each named by its column.
func OpenCounted(ctx *operators.Context, specs []CountedSpec, in CountedInput) ([]*Counted, error) {
	out := make([]*Counted, len(specs))
	for i := range specs {
		out[i] = &Counted{spec: &specs[i], in: in, ctx: ctx, changes: make([][]change, len(specs[i].Filters))}
		if err := out[i].open(ctx.Inputs[0]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *Counted) open(schema *types.Schema) (err error) {
	if _, err = KeyTypes([]int{c.spec.Arg}, schema); err != nil {
		return err
	}
	if c.values, err = stream.NewKeyReader(schema, append(slices.Clone(c.in.Keys), c.spec.Arg)); err != nil {
		return err
	}
	if c.groups, err = stream.NewKeyReader(schema, c.in.Keys); err != nil {
		return err
	}
	keys, err := KeyTypes(c.in.Keys, schema)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("values$%d", c.spec.Arg)
	if c.spec.Ordered {
		name = fmt.Sprintf("order$%d$%d", c.spec.Arg, c.spec.Filters[0])
	}
	plan := &Plan{}
	for _, f := range c.spec.Filters {
		plan.Columns = append(plan.Columns, statebackend.ColumnSpec{Name: fmt.Sprintf("count$%d", f), Type: types.Of(types.BigInt).NotNull()})
	}
	if c.in.Expiry.On() {
		plan.Columns = append(plan.Columns, writtenColumn)
	}
	c.schema = types.NewSchema()
	for i, column := range plan.Columns {
		plan.words = append(plan.words, i)
		c.schema.Fields = append(c.schema.Fields, types.Field{Name: column.Name, Type: column.Type})
		c.found.Columns = append(c.found.Columns, stream.NewBuilder(c.ctx.Pool, column.Type, TileRows))
	}
	c.cache, c.stored = NewTable(c.values.Layout(), plan), make(stream.Bitmap, stream.Words(tableRows+TileRows))
	c.table, err = c.ctx.State.OrderedMap(statebackend.OrderedMapSpec{
		ID: statebackend.TableID{Operator: c.ctx.Operator, Name: name}, Keys: keys, Columns: plan.Columns,
	})
	return err
}

// Count takes the selected rows of a batch in, each for what signs says (nil: 1),
// and finds out which values appeared in the namespace and which went.
func (c *Counted) Count(b *stream.Batch, space int64, signs []int64) error {
	c.choose(b, signs)
	for v := range c.changes {
		c.changes[v] = c.changes[v][:0]
	}
	if len(c.rows) == 0 {
		return nil
	}
	part := operators.Select(b, c.sel)
	defer part.Release()
	keys := c.values.Read(part)
	for from := 0; from < keys.Len(); from += TileRows {
		if err := c.countTile(b, keys, from, space, signs); err != nil {
			return err
		}
	}
	return nil
}

// choose finds the rows that have a value and count for something.
func (c *Counted) choose(b *stream.Batch, signs []int64) {
	c.rows, c.sel = c.rows[:0], c.sel[:0]
	v := &b.Columns[c.spec.Arg]
	for i := range b.Rows() {
		row := b.Row(i)
		if signs != nil && signs[i] == 0 || v.IsNull(row) || !c.admitted(b, row) {
			continue
		}
		c.rows, c.sel = append(c.rows, int32(i)), append(c.sel, int32(row))
	}
}

// admitted tells whether any filter admits a row.
func (c *Counted) admitted(b *stream.Batch, row int) bool {
	for _, f := range c.spec.Filters {
		if f == noColumn || admits(&b.Columns[f], row) {
			return true
		}
	}
	return false
}

// countTile counts the chosen rows from, from+1, ..., whose keys and values are given.
func (c *Counted) countTile(b *stream.Batch, keys *stream.Keys, from int, space int64, signs []int64) error {
	if c.cache.Full() {
		c.cache.Clear()
	}
	to := min(from+TileRows, keys.Len())
	Tile(&c.tile, keys, from, to)
	slots, known := c.slots[:to-from], c.cache.Len()
	c.cache.Upsert(&c.tile, space, slots)
	c.some = c.some[:0]
	for i, s := range slots {
		if int(s) == known+len(c.some) {
			c.some = append(c.some, int32(from+i))
		}
	}
	if err := c.fetch(b, statebackend.Slot(known), space); err != nil {
		return err
	}
	c.dirty = c.dirty[:0]
	for i, s := range slots {
		row := c.rows[from+i]
		sign := int64(1)
		if signs != nil {
			sign = signs[row]
		}
		if c.countRow(c.cache.Rows().At(s), b, row, sign) {
			c.dirty = append(c.dirty, int32(i))
		}
	}
	return c.store(b, from, space)
}

// countRow counts a row, and tells whether its value's counts are others now.
func (c *Counted) countRow(w []uint64, b *stream.Batch, row int32, sign int64) (changed bool) {
	if c.in.Expiry.On() {
		last := len(w) - 1
		if c.in.Expiry.Over(w[last]) {
			clear(w[:last])
		}
		stamp := c.in.Expiry.Stamp()
		changed = w[last] != stamp
		w[last] = stamp
	}
	for v, f := range c.spec.Filters {
		if f != noColumn && !admits(&b.Columns[f], b.Row(int(row))) {
			continue
		}
		switch n := w[v]; {
		case sign > 0 && n == 0:
			w[v], changed = 1, true
			c.changes[v] = append(c.changes[v], change{row: row, sign: 1})
		case sign > 0 && c.in.Retract:
			w[v], changed = n+1, true
		case sign < 0 && n > 0:
			if w[v], changed = n-1, true; n == 1 {
				c.changes[v] = append(c.changes[v], change{row: row, sign: -1})
			}
		}
	}
	return changed
}

// within returns the changes of the selected rows from, ..., to-1.
func (c *Counted) within(variant, from, to int) []change {
	all := c.changes[variant]
	i := sort.Search(len(all), func(i int) bool { return int(all[i].row) >= from })
	j := i + sort.Search(len(all)-i, func(j int) bool { return int(all[i+j].row) >= to })
	return all[i:j]
}

// fetch reads the counts of the chosen rows in some into the slots from known on.
func (c *Counted) fetch(b *stream.Batch, known statebackend.Slot, space int64) error {
	if len(c.some) == 0 || c.table.Len() == 0 {
		return nil
	}
	part := c.pick(b, c.some, space)
	defer part.Release()
	c.ends.Reset()
	for i := range c.some {
		c.text = append(append(c.text[:0], c.orders.At(i)...), 0) // the least order behind
		c.ends.Append(c.text)
	}
	scan := statebackend.OrderedScan{Keys: c.groups.Read(part), From: c.orders, To: c.ends}
	rows := c.cache.Rows()
	return c.scan(&scan, len(c.some)+1, func(columns []stream.Vector) bool {
		for i, at := range c.found.Positions {
			w := rows.At(known + statebackend.Slot(at))
			for k := range columns {
				w[k] = uint64(stream.Values[int64](&columns[k])[i])
			}
		}
		return true
	})
}

// pick returns the chosen rows as a batch, and puts their orders into c.orders.
func (c *Counted) pick(b *stream.Batch, rows []int32, space int64) *stream.Batch {
	c.picked = c.picked[:0]
	c.orders.Reset()
	for _, k := range rows {
		row := c.sel[k]
		c.picked = append(c.picked, row)
		c.text = c.appendOrder(c.text[:0], space, &b.Columns[c.spec.Arg], int(row))
		c.orders.Append(c.text)
	}
	return operators.Select(b, c.picked)
}

// scan hands the rows of a scan out, at most so many at a time, until visit returns false.
func (c *Counted) scan(scan *statebackend.OrderedScan, most int, visit func(columns []stream.Vector) bool) error {
	for {
		c.found.Positions = c.found.Positions[:0]
		c.found.Orders.Reset()
		if err := c.table.Next(scan, most, &c.found); err != nil {
			return err
		}
		columns := c.columns[:0]
		for _, builder := range c.found.Columns {
			columns = append(columns, builder.Finish())
		}
		c.columns = columns
		more := visit(columns)
		for i := range columns {
			columns[i].Release()
		}
		if !more || len(c.found.Positions) < most {
			return nil
		}
	}
}

// store writes the counts through that the tile's dirty rows changed: those that
// count nothing any more are removed.
func (c *Counted) store(b *stream.Batch, from int, space int64) error {
	rows := c.cache.Rows()
	c.some = c.some[:0]
	gone := c.gone[:0]
	c.stored.Fill(false)
	for _, i := range c.dirty {
		s := c.slots[i]
		if c.stored.Get(int(s)) {
			continue
		}
		c.stored.Set(int(s))
		if c.counts(rows.At(s)) {
			c.some = append(c.some, int32(from)+i)
		} else {
			gone = append(gone, int32(from)+i)
		}
	}
	c.gone = gone
	if err := c.put(b, from, space); err != nil {
		return err
	}
	if len(gone) == 0 {
		return nil
	}
	part := c.pick(b, gone, space)
	defer part.Release()
	c.table.Delete(c.groups.Read(part), &c.orders, nil)
	return nil
}

func (c *Counted) put(b *stream.Batch, from int, space int64) error {
	if len(c.some) == 0 {
		return nil
	}
	part := c.pick(b, c.some, space)
	defer part.Release()
	out := c.ctx.Pool.NewBatch(c.schema, len(c.some))
	defer out.Release()
	rows := c.cache.Rows()
	for k, f := range c.schema.Fields {
		out.Columns[k] = stream.NewFixed(c.ctx.Pool, f.Type, len(c.some))
		to := stream.Values[int64](&out.Columns[k])
		for i, at := range c.some {
			to[i] = int64(rows.At(c.slots[int(at)-from])[k])
		}
	}
	return c.table.Put(c.groups.Read(part), &c.orders, out)
}

func (c *Counted) counts(w []uint64) bool {
	for v := range c.spec.Filters {
		if w[v] != 0 {
			return true
		}
	}
	return false
}

// Close gives back what is unfinished.
func (c *Counted) Close() {
	for _, b := range c.found.Columns {
		b.Close()
	}
}
