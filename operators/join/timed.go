package join

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// timed is the rows of one input by join key and a time: their own, or the end of their window.
type timed struct {
	ctx     *operators.Context
	in      *types.Schema
	schema  *types.Schema // of the table: the input's columns and mark
	column  int           // of the times
	unkeyed []int
	reader  *stream.KeyReader
	table   statebackend.OrderedMapTable
	mark    int // the word of a number that the operator keeps beside a row

	// Of the batch that was read last.
	keys   *stream.Keys
	orders statebackend.Orders
	times  []int64
	slots  []statebackend.Slot

	// Scratch of a look-up.
	it    statebackend.SlotIterator
	one   stream.Keys
	nulls stream.Bitmap
}

func newTimed(ctx *operators.Context, name string, input int, keys *jobgraph.JoinKeys, column int, mark string) (*timed, error) {
	in, columns := ctx.Inputs[input], keys.Of(input)
	t := &timed{ctx: ctx, in: in, column: column}
	for i, c := range columns {
		if !keys.NullMeets(i) {
			t.unkeyed = append(t.unkeyed, c)
		}
	}
	var err error
	if t.reader, err = stream.NewKeyReader(in, columns); err != nil {
		return nil, fmt.Errorf("%s input: %w", name, err)
	}
	fields := append(slices.Clone(in.Fields), types.Field{Name: mark, Type: types.Of(types.BigInt)})
	t.schema = types.NewSchema(fields...)
	specs := statebackend.ColumnsOf(fields)
	words, _ := statebackend.WordOf(specs)
	t.mark = words[in.Len()]
	t.table, err = ctx.State.OrderedMap(statebackend.OrderedMapSpec{
		ID: statebackend.TableID{Operator: ctx.Operator, Name: name}, Keys: keyTypes(in, columns), Columns: specs,
	})
	if err != nil {
		return nil, fmt.Errorf("%s input: %w", name, err)
	}
	return t, nil
}

// keyed tells whether a row's key can have a match.
func (t *timed) keyed(b *stream.Batch, row int) bool {
	for _, c := range t.unkeyed {
		if b.Columns[c].IsNull(row) {
			return false
		}
	}
	return true
}

// timeMax bounds the times of rows, so that no arithmetic with bounds overflows.
const timeMax = math.MaxInt64 / 2

// time returns the time of a row.
func (t *timed) time(b *stream.Batch, row int) (int64, error) {
	v := &b.Columns[t.column]
	if v.IsNull(row) {
		return 0, failure.Userf("time column %s is NULL in a row; a join by time needs it, filter such rows out before", t.in.Fields[t.column].Name)
	}
	x := stream.Value[int64](v, row)
	if x > timeMax || x < -timeMax {
		return 0, failure.Userf("time column %s has a value beyond the times that joins cover", t.in.Fields[t.column].Name)
	}
	return x, nil
}

// order is where rows of a time stand among those of a key.
func order(time int64) [8]byte {
	var p [8]byte
	binary.BigEndian.PutUint64(p[:], uint64(time)^1<<63)
	return p
}

// read reads keys and times of a batch whose rows are all keyed.
func (t *timed) read(b *stream.Batch) error {
	t.keys = t.reader.Read(b)
	t.orders.Reset()
	t.times = t.times[:0]
	for i := range b.Rows() {
		at, err := t.time(b, b.Row(i))
		if err != nil {
			return err
		}
		p := order(at)
		t.orders.Append(p[:])
		t.times = append(t.times, at)
	}
	t.slots = slices.Grow(t.slots[:0], b.Rows())[:b.Rows()]
	return nil
}

// stored returns the rows of a batch as the table has them, with marks by physical row, 0 where there are none.
func (t *timed) stored(b *stream.Batch, kinds []stream.RowKind) *stream.Batch {
	out := t.ctx.Pool.NewBatch(t.schema, b.Len())
	for i := range b.Columns {
		b.Columns[i].Retain()
		out.Columns[i] = b.Columns[i]
	}
	v := stream.NewFixed(t.ctx.Pool, t.schema.Fields[t.in.Len()].Type, b.Len())
	marks := stream.Values[int64](&v)
	clear(marks)
	for i, k := range kinds {
		marks[i] = int64(k)
	}
	out.Columns[t.in.Len()] = v
	b.ShareRows(out)
	return out
}

// add stores the rows of a batch that was read, behind those of the same time.
func (t *timed) add(b *stream.Batch) error {
	rows := t.stored(b, b.Kinds())
	defer rows.Release()
	return t.table.AddSlots(t.keys, &t.orders, rows, t.slots)
}

// put stores them instead of those of the same time.
func (t *timed) put(b *stream.Batch) error {
	rows := t.stored(b, b.Kinds())
	defer rows.Release()
	return t.table.PutSlots(t.keys, &t.orders, rows, t.slots)
}

// at returns an iteration over the rows of key i at a time. It is valid until the next call.
func (t *timed) at(keys *stream.Keys, i int, time int64) *statebackend.SlotIterator {
	it := t.upTo(keys, i, time)
	first := order(time)
	it.From.Append(first[:])
	return it
}

// upTo returns an iteration over the rows of key i up to a time. It is valid until the next call.
func (t *timed) upTo(keys *stream.Keys, i int, time int64) *statebackend.SlotIterator {
	t.it = statebackend.SlotIterator{Keys: keysOf(keys, i, i+1, &t.one, &t.nulls), From: t.it.From, To: t.it.To}
	t.it.From.Reset()
	t.it.To.Reset()
	behind := order(time + 1)
	t.it.To.Append(behind[:])
	return &t.it
}

// all appends the slots of all rows of an iteration.
func (t *timed) all(it *statebackend.SlotIterator, slots []statebackend.Slot, positions []int32) ([]statebackend.Slot, []int32) {
	for {
		before := len(slots)
		slots, positions = t.table.Slots(it, pairsMax, slots, positions[:0])
		if len(slots)-before < pairsMax {
			return slots, positions
		}
	}
}

// keysOf makes part the keys from, ..., to-1 of others, with NULLs in a bitmap that it may have.
func keysOf(keys *stream.Keys, from, to int, part *stream.Keys, nulls *stream.Bitmap) *stream.Keys {
	*part = stream.Keys{Layout: keys.Layout, Hashes: keys.Hashes[from:to]}
	if keys.Layout == stream.KeyBytes {
		part.Offsets, part.Data = keys.Offsets[from:to+1], keys.Data
		return part
	}
	part.Fixed = keys.Fixed[from:to]
	if keys.Nulls != nil {
		*nulls = slices.Grow((*nulls)[:0], stream.Words(to-from))[:stream.Words(to-from)]
		for i := from; i < to; i++ {
			nulls.Put(i-from, keys.Nulls.Get(i))
		}
		part.Nulls = *nulls
	}
	return part
}

// timers are the times at which something is to be done for a key. Their namespaces tell what.
type timers struct {
	table      statebackend.TimerTable
	due        statebackend.Due
	at         int // the first of due that is not done
	namespaces []int64
	times      []int64
}

func newTimers(ctx *operators.Context, in *types.Schema, keys []int) (timers, error) {
	table, err := ctx.State.Timers(statebackend.TimerSpec{
		ID: statebackend.TableID{Operator: ctx.Operator, Name: "timers"}, Keys: keyTypes(in, keys),
	})
	return timers{table: table}, err
}

// register adds timers for keys at times, each later by so much.
func (t *timers) register(keys *stream.Keys, namespace int64, times []int64, later int64) error {
	t.namespaces, t.times = t.namespaces[:0], t.times[:0]
	for _, at := range times {
		t.namespaces, t.times = append(t.namespaces, namespace), append(t.times, at+later)
	}
	return t.table.Register(keys, t.namespaces, t.times)
}

// next returns the position of the next timer that is due at w; false where there is none.
func (t *timers) next(w stream.Watermark) (i int, ok bool, err error) {
	if t.at == len(t.due.Times) {
		t.at = 0
		d := &t.due
		d.Raw.Hashes, d.Raw.Fixed, d.Raw.Nulls = d.Raw.Hashes[:0], d.Raw.Fixed[:0], nil
		d.Raw.Offsets, d.Raw.Data = d.Raw.Offsets[:0], d.Raw.Data[:0]
		d.Namespaces, d.Times = d.Namespaces[:0], d.Times[:0]
		if n, err := t.table.Pop(int64(w), timersMax, d); n == 0 || err != nil {
			return 0, false, err
		}
	}
	t.at++
	return t.at - 1, true, nil
}

// appendOnly reports rows that take others back: no join by time can.
func appendOnly(b *stream.Batch) error {
	if b.Kinds() == nil {
		return nil
	}
	for i := range b.Rows() {
		if k := b.Kind(b.Row(i)); k != stream.Insert {
			return failure.Internalf("a row of kind %s came where only +I can", k)
		}
	}
	return nil
}
