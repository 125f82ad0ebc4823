package join

import (
	"millrace/statebackend"
	"millrace/stream"
)

// outbox is what leaves: pairs that refer to rows, and rows of tables that go when they have left.
type outbox struct {
	writer      *writer
	pairs       pairs
	from        int
	left, right rows
	// gone are rows of the tables of both inputs which pairs may still refer to.
	gone   [2][]statebackend.Slot
	tables [2]statebackend.SlotRows
}

// full tells that there is a whole batch.
func (o *outbox) full() bool { return o.pairs.len()-o.from >= o.writer.rows }

// next returns the next batch, nil where there is none.
func (o *outbox) next() *stream.Batch {
	if o.from < o.pairs.len() {
		b, n := o.writer.batch(&o.pairs, o.from, o.left, o.right)
		o.from += n
		return b
	}
	o.settle()
	return nil
}

// settle forgets pairs that have left, and removes the rows that are gone, if no pair refers to one.
func (o *outbox) settle() {
	if o.from < o.pairs.len() {
		return
	}
	o.pairs.reset()
	o.from = 0
	for i, slots := range o.gone {
		if len(slots) > 0 {
			o.tables[i].Remove(slots)
			o.gone[i] = slots[:0]
		}
	}
}

// fromTables says that references are to slots of both tables.
func (o *outbox) fromTables() {
	o.left, o.right = tableRows{o.tables[0]}, tableRows{o.tables[1]}
	if len(o.writer.right) == 0 {
		o.right = noRows{}
	}
}

// fromBatch says that references are to a batch of an input, and to slots of the other's table.
func (o *outbox) fromBatch(input int, b *stream.Batch) {
	o.fromTables()
	if input == 0 {
		o.left = batchRows{b}
	} else {
		o.right = batchRows{b}
	}
}
