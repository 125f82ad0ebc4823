package statebackend

import (
	"millrace/stream"
	"millrace/types"
)

// MultimapSpec declares a Multimap: for each key any number of rows, in the
// order of arrival. Unlike those of a Value table, columns may hold NULL,
// whether or not their type says so.
type MultimapSpec struct {
	ID      TableID
	Keys    []types.Type
	Columns []ColumnSpec
	Evolves bool // as in a ValueSpec; a new column of a nullable type begins as NULL
}

// MultimapTable holds rows by key, each key's in the order of arrival, which
// survives snapshots and rescales. What a call is given is borrowed for the
// call and copied.
type MultimapTable interface {
	// Append adds the i-th selected row of the batch, whose columns are those
	// declared, behind the rows of key i.
	Append(keys *stream.Keys, rows *stream.Batch) error
	// Next goes on with an iteration: it appends up to max rows to out (a builder
	// a column), and to positions for each the position of its key in it.Keys. Less than max
	// rows are the end.
	//
	// The table may change in between. A row that is there from the beginning of
	// the iteration to the call that comes to it is returned once; one deleted
	// before is not; one appended before the call that ends its key is.
	Next(it *MultimapIterator, max int, out []*stream.Builder, positions []int32) ([]int32, error)
	// DeleteOne removes for each key the earliest of its rows that equals the i-th
	// selected row of the batch bit by bit, and sets or clears the bit of found (nil:
	// nobody asks). It looks at the rows of the key one after the other.
	DeleteOne(keys *stream.Keys, rows *stream.Batch, found stream.Bitmap) error
	// DeleteAll removes every row of the keys.
	DeleteAll(keys *stream.Keys)
	// Count puts the number of rows of every key into counts.
	Count(keys *stream.Keys, counts []int32)
	// Len returns the number of rows of all keys.
	Len() int

	// AppendSlots is Append that puts the slots of the new rows into slots.
	AppendSlots(keys *stream.Keys, rows *stream.Batch, slots []Slot) error
	SlotRows
}

// MultimapIterator is an iteration over the rows of keys: those of the first
// key, then those of the second. The caller sets Keys, which must not change
// before the end; the other fields are the table's, and zero at the beginning.
type MultimapIterator struct {
	Keys *stream.Keys
	Key  int    // the key whose rows are being returned
	From uint64 // its next row stands at or behind this
}

// OrderedMapSpec declares an OrderedMap: for each key, rows sorted by an order.
// Columns may hold NULL, as in a Multimap.
type OrderedMapSpec struct {
	ID      TableID
	Keys    []types.Type
	Columns []ColumnSpec
	Evolves bool // as in a ValueSpec; a new column of a nullable type begins as NULL
	// Orders says what the bytes of an order hold, in the caller's own encoding; nil says nothing. It stands in
	// files. Like keys, orders never evolve: where files say something else, also of a name, the declaration is refused.
	Orders []ColumnSpec
}

// OrderedMapTable holds rows by (key, order), at most one for each such pair.
// What a call is given is borrowed for the call and copied.
type OrderedMapTable interface {
	// Put sets the row of (key i, order i) to the i-th selected row of the batch,
	// whose columns are those declared. Of equal pairs in a batch the last one counts.
	Put(keys *stream.Keys, orders *Orders, rows *stream.Batch) error
	// Delete removes the rows of (key i, order i), and sets or clears the bits of
	// found (nil: nobody asks).
	Delete(keys *stream.Keys, orders *Orders, found stream.Bitmap)
	// DeleteAll removes every row of the keys.
	DeleteAll(keys *stream.Keys)
	// Next goes on with a scan: it appends up to max rows to out. Less than max
	// rows are the end. The table may change in between: the scan sees, of what is
	// there at each call, the rows behind the last one that it returned.
	Next(scan *OrderedScan, max int, out *OrderedRows) error
	// Count puts the number of rows of every key into counts.
	Count(keys *stream.Keys, counts []int32)
	// Len returns the number of rows of all keys.
	Len() int

	// PutSlots is Put that puts the slots of the rows into slots.
	PutSlots(keys *stream.Keys, orders *Orders, rows *stream.Batch, slots []Slot) error
	// AddSlots adds rows without replacing any: the order of row i is order i, followed by a number of four
	// bytes that stands behind those of the other rows whose order begins so. It puts their slots into slots.
	AddSlots(keys *stream.Keys, orders *Orders, rows *stream.Batch, slots []Slot) error
	// FindSlots puts the slots of the rows of (key i, order i), or NoSlot, into slots.
	FindSlots(keys *stream.Keys, orders *Orders, slots []Slot)
	// TakeSlots removes the rows of (key i, order i) and puts their slots, or NoSlot, into slots. The words of
	// removed rows can be read until the next call that adds rows.
	TakeSlots(keys *stream.Keys, orders *Orders, slots []Slot)
	// TakeEqual does so with the first row of key i whose order begins with order i and whose first columns
	// equal all of those of the i-th selected row, bit by bit.
	TakeEqual(keys *stream.Keys, orders *Orders, rows *stream.Batch, slots []Slot) error
	SlotRows
}

// SlotRows is what Multimaps and OrderedMaps have in common for those who use rows by their slots: they look at rows without
// copying them, and change words of them in their place. Rows of these tables don't leave memory, so that a slot is
// stable until its row is removed.
type SlotRows interface {
	// Slots goes on with an iteration: it appends up to max slots, and to positions for each the position of its
	// key in it.Keys. Less than max are the end. The table may change in between, but for the
	// row that was returned last.
	Slots(it *SlotIterator, max int, slots []Slot, positions []int32) ([]Slot, []int32)
	// Rows gives access to the columns of rows, until the next call that adds some. The words of a NULL are 0.
	Rows() Rows
	// Gather appends these columns of rows to builders, one each. NoSlot stands for a row of NULLs.
	Gather(slots []Slot, columns []int, out []*stream.Builder)
	// Touch counts rows as changed: who changes their words calls it. A row that was added or touched since
	// the last Freeze needs it no more.
	Touch(slots []Slot)
	// Remove removes rows, each once.
	Remove(slots []Slot)
	// Scan fills slots with rows' slots from the slot on, 0 at the start, in any order, and returns
	// how many and where to go on; n is 0 at the end.
	Scan(from Slot, slots []Slot) (n int, next Slot)
}

// SlotIterator is an iteration over the rows of keys: those of the first key in their order, then those of the second. The
// caller sets the first fields, which must not change before the end; the others are the table's, and zero at the beginning.
type SlotIterator struct {
	Keys *stream.Keys
	// From and To bound the orders of each key's rows in an OrderedMap: those at or behind From and before To. Empty
	// ones do not bound.
	From, To Orders
	// Newest returns of each key only its last row, that of the greatest order.
	Newest bool

	Key     int  // the key whose rows are being returned
	Last    Slot // the last of them that was
	Started bool // there is a last one
}

// Orders are byte strings, compared bytewise: i is Data[Offsets[i]:Offsets[i+1]].
// Without Offsets there are none.
type Orders struct {
	Offsets []int32
	Data    []byte
}

// Len returns the number of orders.
func (o *Orders) Len() int { return max(len(o.Offsets)-1, 0) }

// At returns order i.
func (o *Orders) At(i int) []byte { return o.Data[o.Offsets[i]:o.Offsets[i+1]] }

// Append adds an order.
func (o *Orders) Append(p []byte) {
	if len(o.Offsets) == 0 {
		o.Offsets = append(o.Offsets, 0)
	}
	o.Data = append(o.Data, p...)
	o.Offsets = append(o.Offsets, int32(len(o.Data)))
}

// Reset empties the orders and keeps their memory.
func (o *Orders) Reset() { o.Offsets, o.Data = o.Offsets[:0], o.Data[:0] }

// OrderedScan asks for rows of keys: those of the first key, then those of the
// second. The caller sets the exported fields up to Limit, which must not change before
// the end; the others are the table's, and zero at the beginning.
type OrderedScan struct {
	Keys *stream.Keys
	// From and To bound the orders of each key: those at or behind From and
	// before To. Empty ones do not bound.
	From, To   Orders
	Descending bool
	Limit      int // rows of each key; 0: all

	Key     int    // the key whose rows are being returned
	Taken   int    // how many of them were
	Started bool   // that Last is one of them
	Last    []byte // the order of the last row
}

// OrderedRows receives the rows of a scan.
type OrderedRows struct {
	Columns   []*stream.Builder // a column each, as declared
	Positions []int32           // of each row's key in OrderedScan.Keys
	Orders    Orders
}

// BroadcastSpec declares a map that every task of a vertex holds alike.
type BroadcastSpec struct {
	ID TableID
	// Entries says what the bytes of a value hold, as in a ListSpec.
	Entries []ColumnSpec
	Evolves bool
	// Keys says what the bytes of a key hold, as the Orders of an OrderedMapSpec. They never evolve.
	Keys []ColumnSpec
}

// BroadcastTable maps bytes to bytes. It has no key groups: an operator changes
// it only by what every task gets in the same order, and a restore gives each
// task, at any parallelism, the whole of what one former task had.
type BroadcastTable interface {
	// Get returns the value; it aliases the table until the next change.
	Get(key []byte) (value []byte, ok bool)
	Put(key, value []byte) error
	Delete(key []byte)
	// Each visits the entries in the order of their keys, compared bytewise, until
	// visit returns false. The table must not change meanwhile; what visit gets
	// aliases it.
	Each(visit func(key, value []byte) bool)
	Len() int
}
