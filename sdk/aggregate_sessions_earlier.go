package sdk

import (
	"unsafe"

	"millrace/jobgraph"
	"millrace/operators/native"
	"millrace/operators/ordering"
	"millrace/sdk/rows"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// earlierSessions are the sessions of keys but for their last ones, in an OrderedMap by their ends. No two of a key have a point in common.
type earlierSessions[Acc any] struct {
	table   statebackend.OrderedMapTable
	mapping *rows.Mapping
	row     *types.Schema // end, start, whether it has given its result, accumulator
	order   *ordering.Encoder

	builders []stream.Builder  // of a row that is put
	put1     *stream.Batch     // of the row
	found    []*stream.Builder // of an accumulator
	columns  []int             // those of the accumulator
	vectors  []stream.Vector
	tile     *rows.Tile[Acc]

	it        statebackend.SlotIterator
	orders    statebackend.Orders
	bytes     []byte
	slots     []statebackend.Slot
	positions []int32
	one       [1]statebackend.Slot
}

// Columns in front of the accumulator, of a word each.
const (
	earlierEnd, earlierStart, earlierFired, earlierAcc = 0, 1, 2, 3
)

// touchingSome is how many sessions are looked at first: hardly ever do more than two touch a row.
const touchingSome = 4

func (e *earlierSessions[Acc]) open(rt *native.Runtime, m *rows.Mapping) (err error) {
	e.table, e.mapping, e.tile = rt.Tables.OrderedMaps[earlierTable], m, rows.NewTile[Acc](m, nil)
	e.row = types.NewSchema()
	for _, c := range sessionTables(m)[1].Columns {
		e.row.Fields = append(e.row.Fields, types.Field{Name: c.Name, Type: c.Type})
	}
	e.put1 = rt.Pool.NewBatch(e.row, 1)
	e.builders, e.vectors = make([]stream.Builder, e.row.Len()), make([]stream.Vector, m.Schema.Len())
	for i, f := range e.row.Fields {
		e.builders[i].Init(rt.Pool, f.Type, 1)
		if i >= earlierAcc {
			e.columns, e.found = append(e.columns, i), append(e.found, stream.NewBuilder(rt.Pool, f.Type, 1))
		}
	}
	e.order, err = ordering.NewEncoder(e.row, []jobgraph.SortColumn{{Column: earlierEnd}})
	return err
}

func (e *earlierSessions[Acc]) close() {
	for i := range e.builders {
		e.builders[i].Close()
	}
	for _, b := range e.found {
		b.Close()
	}
	e.put1.Release()
}

func (e *earlierSessions[Acc]) appendOrder(to *statebackend.Orders, end int64) {
	e.bytes = e.order.AppendInteger(e.bytes[:0], 0, end)
	to.Reset()
	to.Append(e.bytes)
}

// from begins an iteration over the sessions of a key that end at or behind a time.
func (e *earlierSessions[Acc]) from(key *stream.Keys, end int64) {
	orders := e.it.From
	e.it = statebackend.SlotIterator{Keys: key, From: orders}
	e.appendOrder(&e.it.From, end)
}

// some returns up to max sessions more, until the next call.
func (e *earlierSessions[Acc]) some(max int) []statebackend.Slot {
	e.slots, e.positions = e.table.Slots(&e.it, max, e.slots, e.positions[:0])
	return e.slots
}

// touching returns the sessions of a key that touch a span, in their order, until the next call.
func (e *earlierSessions[Acc]) touching(key *stream.Keys, x span) []statebackend.Slot {
	e.from(key, x.start)
	e.slots = e.slots[:0]
	for seen := 0; ; {
		all := e.some(touchingSome)
		n := len(all) - seen
		for ; seen < len(all); seen++ {
			if e.span(all[seen]).start > x.end {
				return all[:seen]
			}
		}
		if n < touchingSome {
			return all
		}
	}
}

// first returns the first session of a key that ends at or behind a time, or NoSlot.
func (e *earlierSessions[Acc]) first(key *stream.Keys, end int64) statebackend.Slot {
	e.from(key, end)
	return e.only()
}

// last returns the last session of a key, or NoSlot.
func (e *earlierSessions[Acc]) last(key *stream.Keys) statebackend.Slot {
	orders := e.it.From
	orders.Reset()
	e.it = statebackend.SlotIterator{Keys: key, From: orders, Newest: true}
	return e.only()
}

func (e *earlierSessions[Acc]) only() statebackend.Slot {
	e.slots = e.slots[:0]
	if all := e.some(1); len(all) > 0 {
		return all[0]
	}
	return statebackend.NoSlot
}

func (e *earlierSessions[Acc]) span(slot statebackend.Slot) span {
	words := e.table.Rows().At(slot)
	return span{int64(words[earlierStart]), int64(words[earlierEnd]), words[earlierFired] != 0}
}

// fired notes that a session has given its result.
func (e *earlierSessions[Acc]) fired(slot statebackend.Slot) {
	e.one[0] = slot
	e.table.Touch(e.one[:])
	e.table.Rows().At(slot)[earlierFired] = wordOf(true)
}

func (e *earlierSessions[Acc]) remove(slots []statebackend.Slot) { e.table.Remove(slots) }

func (e *earlierSessions[Acc]) removeOne(slot statebackend.Slot) {
	e.one[0] = slot
	e.table.Remove(e.one[:])
}

// load reads the accumulator of a session.
func (e *earlierSessions[Acc]) load(slot statebackend.Slot, acc *Acc) error {
	e.one[0] = slot
	e.table.Gather(e.one[:], e.columns, e.found)
	for i, b := range e.found {
		e.vectors[i] = b.Finish()
	}
	got, err := e.tile.ReadColumns(e.vectors, 0, 1)
	for i := range e.vectors {
		e.vectors[i].Release()
	}
	if err == nil {
		*acc = got[0]
	}
	return err
}

// put adds a session of a key, with its accumulator.
func (e *earlierSessions[Acc]) put(key *stream.Keys, x span, acc *Acc) error {
	e.builders[earlierEnd].AppendInt64(x.end)
	e.builders[earlierStart].AppendInt64(x.start)
	e.builders[earlierFired].AppendBool(x.fired)
	if err := rows.Append(e.mapping, unsafe.Slice(acc, 1), e.builders[earlierAcc:]); err != nil {
		return err // and the job fails
	}
	for i := range e.builders {
		e.put1.Columns[i] = e.builders[i].Finish()
	}
	e.appendOrder(&e.orders, x.end)
	err := e.table.Put(key, &e.orders, e.put1)
	for i := range e.put1.Columns {
		e.put1.Columns[i].Release()
		e.put1.Columns[i] = stream.Vector{}
	}
	return err
}
