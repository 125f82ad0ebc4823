package aggregate

import (
	"fmt"

	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// ListedSpec says which values are kept in the order in which they came: for FIRST_VALUE, LAST_VALUE and LISTAGG of
// rows that may be taken back.
type ListedSpec struct {
	source  source
	variant int // of counted values: the position among their filters
	ops     []op
}

// Listed keeps values of a column by key in a Multimap, in the order of their arrival, as Flink's aggregates do that take rows
// back: of equal values the one that came first goes first. To take a value back costs a look at those before it. After a
// batch the accumulators of the groups whose values changed are made anew, of the first value, the last or all of them.
type Listed struct {
	spec   *ListedSpec
	ctx    *operators.Context
	table  statebackend.MultimapTable
	schema *types.Schema // of the value
	groups *stream.KeyReader

	added, gone []int32       // selected rows whose values come and go, and are not in the table yet
	pending     stream.Bitmap // by the group's slot: one of its values is among added
	changed     stream.Bitmap // by the group's slot
	first       []int         // of the groups that changed, a row each
	into        []statebackend.Slot
	sel         []int32
	found       []statebackend.Slot
	positions   []int32
	values      []*stream.Builder
	text        []byte
}

// listed returns the values that a call goes by the order of.
func (p *planner) listed(from source, o op) {
	for i := range p.Listed {
		if p.Listed[i].source == from {
			p.Listed[i].ops = append(p.Listed[i].ops, o)
			return
		}
	}
	s := ListedSpec{source: from, ops: []op{o}}
	if from.counted > 0 {
		s.variant = p.variant(from)
	}
	p.Listed = append(p.Listed, s)
}

// OpenListed declares the tables of listed values, each named by its column.
func OpenListed(ctx *operators.Context, specs []ListedSpec, keys []int) ([]*Listed, error) {
	out := make([]*Listed, len(specs))
	for i := range specs {
		out[i] = &Listed{spec: &specs[i], ctx: ctx}
		if err := out[i].open(ctx.Inputs[0], keys); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (l *Listed) open(in *types.Schema, keys []int) (err error) {
	from := l.spec.source
	if l.groups, err = stream.NewKeyReader(in, keys); err != nil {
		return err
	}
	keyTypes, err := KeyTypes(keys, in)
	if err != nil {
		return err
	}
	value := in.Fields[from.arg]
	l.schema = types.NewSchema(value)
	l.values = []*stream.Builder{stream.NewBuilder(l.ctx.Pool, value.Type.AsNullable(), TileRows)}
	name := fmt.Sprintf("list$%d$%d", from.arg, from.filter)
	if from.counted > 0 {
		name += "$distinct"
	}
	l.table, err = l.ctx.State.Multimap(statebackend.MultimapSpec{
		ID: statebackend.TableID{Operator: l.ctx.Operator, Name: name}, Keys: keyTypes,
		Columns: []statebackend.ColumnSpec{{Name: "value", Type: value.Type}},
	})
	return err
}

// Take takes the values of the selected rows of a batch in, each for what signs says (nil: 1). The groups' slots, which are below
// end, tell which rows are of one group.
func (l *Listed) Take(b *stream.Batch, signs []int64, counted []*Counted, slots []statebackend.Slot, end statebackend.Slot) error {
	if words := stream.Words(int(end)); len(l.pending) < words {
		l.pending, l.changed = make(stream.Bitmap, 2*words), make(stream.Bitmap, 2*words)
	}
	l.first, l.into = l.first[:0], l.into[:0]
	if from := l.spec.source; from.counted > 0 {
		for _, x := range counted[from.counted-1].changes[l.spec.variant] {
			if err := l.take(b, x.row, x.sign > 0, slots); err != nil {
				return err
			}
		}
	} else {
		v := &b.Columns[from.arg]
		for i := range b.Rows() {
			row := b.Row(i)
			if signs != nil && signs[i] == 0 || v.IsNull(row) || from.filter != noColumn && !admits(&b.Columns[from.filter], row) {
				continue
			}
			if err := l.take(b, int32(i), signs == nil || signs[i] > 0, slots); err != nil {
				return err
			}
		}
	}
	for _, s := range l.into {
		l.changed.Clear(int(s))
	}
	return l.write(b, slots)
}

// take takes a selected row. Values come and go together, but for one that goes when one of its group has come.
func (l *Listed) take(b *stream.Batch, i int32, adds bool, slots []statebackend.Slot) error {
	s := slots[i]
	if !l.changed.Get(int(s)) {
		l.changed.Set(int(s))
		l.first, l.into = append(l.first, int(i)), append(l.into, s)
	}
	if adds {
		l.pending.Set(int(s))
		l.added = append(l.added, i)
		return nil
	}
	if l.pending.Get(int(s)) {
		if err := l.write(b, slots); err != nil {
			return err
		}
	}
	l.gone = append(l.gone, i)
	return nil
}

// write brings the table up to the rows that were taken.
func (l *Listed) write(b *stream.Batch, slots []statebackend.Slot) error {
	for _, i := range l.added {
		l.pending.Clear(int(slots[i]))
	}
	gone, added := l.gone, l.added
	l.gone, l.added = l.gone[:0], l.added[:0]
	err := l.with(b, gone, func(keys *stream.Keys, rows *stream.Batch) error { return l.table.DeleteOne(keys, rows, nil) })
	if err != nil {
		return err
	}
	return l.with(b, added, l.table.Append)
}

// with hands the keys and the values of rows out.
func (l *Listed) with(b *stream.Batch, rows []int32, use func(keys *stream.Keys, rows *stream.Batch) error) error {
	if len(rows) == 0 {
		return nil
	}
	l.sel = l.sel[:0]
	for _, i := range rows {
		l.sel = append(l.sel, int32(b.Row(int(i))))
	}
	part := operators.Select(b, l.sel)
	defer part.Release()
	values := l.ctx.Pool.NewBatch(l.schema, part.Len())
	part.ShareRows(values)
	defer values.Release()
	v := &b.Columns[l.spec.source.arg]
	v.Retain()
	values.Columns[0] = *v
	return use(l.groups.Read(part), values)
}

// Mend makes the accumulators of the groups whose values changed anew. Keys are those of the batch's selected rows; the slots are
// where the groups are now.
func (l *Listed) Mend(table Accumulators, keys *stream.Keys, slots []statebackend.Slot, f *Folder) error {
	if len(l.first) == 0 {
		return nil
	}
	l.into = l.into[:0]
	for _, i := range l.first {
		l.into = append(l.into, slots[i])
	}
	of := PickKeys(keys, l.first)
	for i := range l.spec.ops {
		o := &l.spec.ops[i]
		for _, s := range l.into {
			if err := o.forget(table, s); err != nil {
				return err
			}
		}
		var err error
		if o.kind == opList {
			err = l.lengthen(table, o, &of)
		} else {
			err = l.pick(table, o, &of, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget makes the accumulator of a kept value that of a row without values.
func (o *op) forget(table Accumulators, s statebackend.Slot) error {
	rows := table.Rows()
	*place(&rows, rows.Offset+o.word-1, s) = 0
	if o.bytes {
		return table.SetBytes(o.column, s, nil)
	}
	*place(&rows, rows.Offset+o.word, s) = 0
	return nil
}

// pick has accumulators keep the first value of each key or the last.
func (l *Listed) pick(table Accumulators, o *op, of *stream.Keys, f *Folder) error {
	l.found, l.positions = l.found[:0], l.positions[:0]
	if o.kind == opLast {
		it := statebackend.SlotIterator{Keys: of, Newest: true}
		l.found, l.positions = l.table.Slots(&it, of.Len(), l.found, l.positions)
	} else {
		for k := range of.Len() {
			it, n := statebackend.SlotIterator{Keys: of, Key: k}, len(l.found)
			l.found, l.positions = l.table.Slots(&it, 1, l.found, l.positions)
			if len(l.found) > n && l.positions[n] != int32(k) { // this key has none, a later one has
				l.found, l.positions = l.found[:n], l.positions[:n]
			}
		}
	}
	for from := 0; from < len(l.found); from += TileRows {
		to := min(from+TileRows, len(l.found))
		l.table.Gather(l.found[from:to], []int{0}, l.values)
		v := l.values[0].Finish()
		for i, at := range l.positions[from:to] {
			f.slots[i] = l.into[at]
		}
		err := f.keepValues(table, o, values{flat: &v, slots: f.slots[:to-from]})
		v.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// lengthen writes the lists of keys, each once.
func (l *Listed) lengthen(table Accumulators, o *op, of *stream.Keys) error {
	it := statebackend.MultimapIterator{Keys: of}
	key := int32(noColumn)
	l.text = l.text[:0]
	for {
		var err error
		if l.positions, err = l.table.Next(&it, TileRows, l.values, l.positions[:0]); err != nil {
			return err
		}
		v := l.values[0].Finish()
		for i, at := range l.positions {
			if at == key {
				l.text = append(l.text, o.separator...)
			} else if err = l.put(table, o, key); err != nil {
				break
			}
			key = at
			l.text = append(l.text, v.Bytes(i)...)
		}
		v.Release()
		if err != nil || len(l.positions) < TileRows {
			break
		}
	}
	return l.put(table, o, key)
}

// put makes the text the list of a key.
func (l *Listed) put(table Accumulators, o *op, key int32) error {
	if key == noColumn {
		return nil
	}
	rows := table.Rows()
	*place(&rows, rows.Offset+o.word-1, l.into[key]) = 1
	err := table.SetBytes(o.column, l.into[key], l.text)
	l.text = l.text[:0]
	return err
}

// Forget removes all values of keys.
func (l *Listed) Forget(keys *stream.Keys) { l.table.DeleteAll(keys) }

// Close gives back what is unfinished.
func (l *Listed) Close() {
	for _, b := range l.values {
		b.Close()
	}
}
