package aggregate

import (
	"fmt"
	"slices"
	"sort"
	"strconv"

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
// In front of the map stands a small table that knows where the rows of values are, so
// that a value which repeats costs no search. Counts are changed in their place.
type Counted struct {
	spec   *CountedSpec
	in     CountedInput
	ctx    *operators.Context
	table  statebackend.OrderedMapTable
	schema *types.Schema // of its columns

	values *stream.KeyReader // of the key and the value
	groups *stream.KeyReader // of the key
	cache  *Table            // a word a value: one more than the slot of its row, 0: there is none
	slots  [TileRows]statebackend.Slot
	tile   stream.Keys

	rows    []int32 // positions among the selected rows of those that count
	sel     []int32 // the same, physically
	changes [][]change
	some    []int32       // positions among rows: of a tile, those that are looked for
	fresh   []int32       // those whose values have no row
	dirty   []int32       // positions in a tile of those whose counts changed
	seen    stream.Bitmap // by slot of the cache; clear between calls
	places  []statebackend.Slot
	picked  []int32
	gone    []int32
	columns []stream.Vector
	orders  statebackend.Orders
	ends    statebackend.Orders
	text    []byte
	found   statebackend.OrderedRows
	space   int // the column that has namespaces, noColumn: Count is told
	aging   aging
	moving  moving
}

// change is a row with which a value appeared (1) or went (-1).
type change struct {
	row  int32 // among the selected ones
	sign int32
}

// CountedInput says where counted values come from.
type CountedInput struct {
	Keys []int // columns of the input that are the key
	// Spaces says that values are counted in namespaces: Count is told which, or with Each a column behind those of
	// the input, a BIGINT that is not NULL, tells it of each row.
	Spaces, Each bool
	Retract      bool // the input may take rows back
	Expiry       Expiry
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

// WithSpaces returns the schema of an input with a column behind it that has the namespaces of rows.
func WithSpaces(in *types.Schema) *types.Schema {
	return types.NewSchema(append(slices.Clone(in.Fields), types.Field{Name: "$space", Type: types.Of(types.BigInt).NotNull()})...)
}

func (c *Counted) open(schema *types.Schema) (err error) {
	if _, err = KeyTypes(c.spec.columns(), schema); err != nil {
		return err
	}
	of := append(slices.Clone(c.in.Keys), c.spec.columns()...)
	if c.space = noColumn; c.in.Each {
		c.space = schema.Len()
		schema, of = WithSpaces(schema), append(of, c.space)
	}
	if c.values, err = stream.NewKeyReader(schema, of); err != nil {
		return err
	}
	if c.groups, err = stream.NewKeyReader(schema, c.in.Keys); err != nil {
		return err
	}
	keys, err := KeyTypes(c.in.Keys, schema)
	if err != nil {
		return err
	}
	var columns []statebackend.ColumnSpec
	for _, f := range c.spec.Filters {
		columns = append(columns, statebackend.ColumnSpec{Name: fmt.Sprintf("count$%d", f), Type: types.Of(types.BigInt).NotNull()})
	}
	if c.in.Expiry.On() {
		columns = append(columns, writtenColumn)
	}
	c.schema = types.NewSchema()
	for _, column := range columns {
		c.schema.Fields = append(c.schema.Fields, types.Field{Name: column.Name, Type: column.Type})
		c.found.Columns = append(c.found.Columns, stream.NewBuilder(c.ctx.Pool, column.Type, TileRows))
	}
	place := &Plan{Columns: []statebackend.ColumnSpec{{Name: "place", Type: types.Of(types.BigInt)}}, words: []int{0}}
	c.cache, c.seen = NewTable(c.values.Layout(), place), make(stream.Bitmap, stream.Words(tableRows+TileRows))
	c.places = make([]statebackend.Slot, TileRows)
	c.table, err = c.ctx.State.OrderedMap(statebackend.OrderedMapSpec{
		ID: statebackend.TableID{Operator: c.ctx.Operator, Name: c.spec.table()}, Keys: keys, Columns: columns,
	})
	return err
}

// table names the table of the values.
func (c *CountedSpec) table() string {
	if c.Ordered {
		return fmt.Sprintf("order$%d$%d", c.Arg, c.Filters[0])
	}
	name := []byte("values")
	for _, column := range c.columns() {
		name = strconv.AppendInt(append(name, '$'), int64(column), 10)
	}
	if c.Nulls != nil {
		name = append(name, "$nulls$"...)
	}
	for _, null := range c.Nulls {
		bit := byte('0')
		if null {
			bit = '1'
		}
		name = append(name, bit)
	}
	return string(name)
}

// Count takes the selected rows of a batch in, each for what signs says (nil: 1),
// and finds out which values appeared in the namespace and which went. With Each the
// rows have their namespaces, and space is 0.
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
	for i := range b.Rows() {
		row := b.Row(i)
		if signs != nil && signs[i] == 0 || !c.spec.has(b, row) || !c.admitted(b, row) {
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
	if err := c.find(b, space, from); err != nil {
		return err
	}
	if err := c.add(b, space, from, slots); err != nil {
		return err
	}
	c.dirty = c.dirty[:0]
	cached, rows := c.cache.Rows(), c.table.Rows()
	for i, s := range slots {
		row := c.rows[from+i]
		sign := int64(1)
		if signs != nil {
			sign = signs[row]
		}
		if c.countRow(rows.At(placeOf(&cached, s)), b, row, sign) {
			c.dirty = append(c.dirty, int32(i))
		}
	}
	c.settle(from, slots)
	return nil
}

// placeOf returns where the row of a cached value is.
func placeOf(cached *statebackend.Rows, s statebackend.Slot) statebackend.Slot {
	return statebackend.Slot(*place(cached, cached.Offset, s)) - 1
}

func setPlace(cached *statebackend.Rows, s, at statebackend.Slot) {
	*place(cached, cached.Offset, s) = uint64(at + 1)
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

// find looks for the rows of the values in some, which are new to the cache.
func (c *Counted) find(b *stream.Batch, space int64, from int) error {
	if len(c.some) == 0 || c.table.Len() == 0 {
		return nil
	}
	part := c.pick(b, c.some, space)
	defer part.Release()
	places, cached := c.places[:len(c.some)], c.cache.Rows()
	c.table.FindSlots(c.groups.Read(part), &c.orders, places)
	for i, k := range c.some {
		setPlace(&cached, c.slots[int(k)-from], places[i])
	}
	return nil
}

// add adds rows that count nothing for the values of a tile that have none.
func (c *Counted) add(b *stream.Batch, space int64, from int, slots []statebackend.Slot) error {
	c.fresh = c.fresh[:0]
	cached := c.cache.Rows()
	for i, s := range slots {
		if placeOf(&cached, s) == statebackend.NoSlot && !c.seen.Get(int(s)) {
			c.seen.Set(int(s))
			c.fresh = append(c.fresh, int32(from+i))
		}
	}
	if len(c.fresh) == 0 {
		return nil
	}
	for _, k := range c.fresh {
		c.seen.Clear(int(slots[int(k)-from]))
	}
	part := c.pick(b, c.fresh, space)
	defer part.Release()
	zeros := c.zeros(len(c.fresh))
	defer zeros.Release()
	places := c.places[:len(c.fresh)]
	if err := c.table.PutSlots(c.groups.Read(part), &c.orders, zeros, places); err != nil {
		return err
	}
	for i, k := range c.fresh {
		setPlace(&cached, slots[int(k)-from], places[i])
	}
	return nil
}

// zeros returns rows that count nothing.
func (c *Counted) zeros(n int) *stream.Batch {
	b := c.ctx.Pool.NewBatch(c.schema, n)
	for k, f := range c.schema.Fields {
		b.Columns[k] = stream.NewFixed(c.ctx.Pool, f.Type, n)
		clear(stream.Values[int64](&b.Columns[k]))
	}
	return b
}

// settle marks the rows of a tile whose counts changed, and removes those that count nothing.
func (c *Counted) settle(from int, slots []statebackend.Slot) {
	for _, k := range c.fresh { // what was added may have been taken back before it was there
		c.dirty = append(c.dirty, k-int32(from))
	}
	cached, rows := c.cache.Rows(), c.table.Rows()
	gone := 0
	touched := c.places[:0]
	for _, i := range c.dirty {
		s := slots[i]
		if c.seen.Get(int(s)) {
			continue
		}
		c.seen.Set(int(s))
		at := placeOf(&cached, s)
		touched = append(touched, at)
		if !c.counts(rows.At(at)) { // those that go stand in front
			last := len(touched) - 1
			touched[gone], touched[last] = touched[last], touched[gone]
			setPlace(&cached, s, statebackend.NoSlot)
			gone++
		}
	}
	for _, i := range c.dirty {
		c.seen.Clear(int(slots[i]))
	}
	c.table.Touch(touched[gone:])
	c.table.Remove(touched[:gone])
}

// pick returns the chosen rows as a batch, and puts their orders into c.orders.
func (c *Counted) pick(b *stream.Batch, rows []int32, space int64) *stream.Batch {
	c.picked = c.picked[:0]
	c.orders.Reset()
	for _, k := range rows {
		row := c.sel[k]
		c.picked = append(c.picked, row)
		if c.space != noColumn {
			space = stream.Value[int64](&b.Columns[c.space], int(row))
		}
		c.text = c.appendOrder(c.text[:0], space, b, int(row))
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
	c.moving.close()
}
