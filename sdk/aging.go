package sdk

import (
	"time"

	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// writtenColumn is when a row with a time to live was written, in milliseconds. No field can have the name.
const writtenColumn = "?written"

var written = jobgraph.NativeColumn{Name: writtenColumn, Type: types.Of(types.BigInt).NotNull()}

// aged adds the column to those of a state with a time to live.
func (o *stateOptions) aged(columns []jobgraph.NativeColumn) []jobgraph.NativeColumn {
	if o.ttl == 0 {
		return columns
	}
	return append(columns, written)
}

// aging is the time to live of the rows of a table, the last column of which is writtenColumn.
type aging struct {
	core   *core
	ttl    int64 // milliseconds; 0: none
	rows   agedRows
	remove func([]statebackend.Slot)
	at     statebackend.Slot // where the sweep goes on
	slots  []statebackend.Slot
	of     []int32
}

// agedRows is what aging needs of a table.
type agedRows interface {
	Rows() statebackend.Rows
	Touch([]statebackend.Slot)
	Scan(from statebackend.Slot, slots []statebackend.Slot) (n int, next statebackend.Slot)
}

// sweepRows is how many rows of a state with a time to live are looked at with each batch.
const sweepRows = 64

// open begins to look after a table.
func (a *aging) open(c *core, ttl time.Duration, rows agedRows, remove func([]statebackend.Slot)) {
	if a.ttl = ttl.Milliseconds(); a.ttl == 0 {
		return
	}
	a.core, a.rows, a.remove = c, rows, remove
	a.slots = make([]statebackend.Slot, sweepRows)
	c.swept = append(c.swept, a.sweep)
}

// writtenAt returns the word of a row that says when it was written, the last.
func (a *aging) writtenAt(s statebackend.Slot) *uint64 {
	row := a.rows.Rows().At(s)
	return &row[len(row)-1]
}

// expired tells whether the time of a row has passed.
func (a *aging) expired(s statebackend.Slot) bool {
	return a.ttl > 0 && a.passed(int64(*a.writtenAt(s)))
}

// passed tells whether the time of what was written then has passed. What was kept before the state had a time to live, at 0, has not: the sweep has it begin to age.
func (a *aging) passed(written int64) bool {
	return written != 0 && written+a.ttl <= a.core.rt.Time.Now()
}

// wrote has a row be written now.
func (a *aging) wrote(s statebackend.Slot) {
	if a.ttl > 0 {
		*a.writtenAt(s) = uint64(a.core.rt.Time.Now())
	}
}

// sweep looks at some rows: those whose time has passed are deleted.
func (a *aging) sweep() error {
	n, next := a.rows.Scan(a.at, a.slots[:sweepRows])
	if a.at = next; n == 0 {
		a.at = 0
		return nil
	}
	gone := a.slots[:0:n]
	for i, s := range a.slots[:n] {
		if *a.writtenAt(s) == 0 {
			a.rows.Touch(a.slots[i : i+1])
			a.wrote(s)
		} else if a.expired(s) {
			gone = append(gone, s)
		}
	}
	a.remove(gone)
	a.core.rt.Counts.Expired += int64(len(gone))
	return nil
}

// count returns how many rows of a key have time.
func (a *aging) count(key *stream.Keys, rows statebackend.SlotRows) (count int) {
	it := statebackend.SlotIterator{Keys: key}
	for {
		a.slots, a.of = rows.Slots(&it, sweepRows, a.slots[:0], a.of[:0])
		for _, s := range a.slots {
			if !a.expired(s) {
				count++
			}
		}
		if len(a.slots) < sweepRows {
			return count
		}
	}
}
