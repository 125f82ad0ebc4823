package rank

import (
	"encoding/binary"

	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// places tell where in the order a row stands, by the hash of its columns: an ordered map by (partition, hash, arrival) that
// has no columns. Without it a row that is taken back would be searched for among all rows of equal order, which may be any
// number: of counts, nearly all are small.
type places struct {
	table  statebackend.OrderedMapTable // nil: rows are not taken back
	reader *stream.KeyReader            // of all columns
	hashes []uint64                     // of the batch's rows
	empty  *types.Schema
	orders statebackend.Orders
	found  statebackend.OrderedRows
	above  []byte // a bound
}

// placeBytes is the length of a place: hash and arrival.
const placeBytes = 8 + arrivalBytes

func (p *places) open(ctx *operators.Context, keys []types.Type) (err error) {
	in := ctx.Inputs[0]
	columns := make([]int, in.Len())
	for i := range columns {
		columns[i] = i
	}
	if p.reader, err = stream.NewKeyReader(in, columns); err != nil {
		return err
	}
	p.empty = types.NewSchema()
	p.table, err = ctx.State.OrderedMap(statebackend.OrderedMapSpec{ID: statebackend.TableID{Operator: ctx.Operator, Name: "places"}, Keys: keys})
	return err
}

// appendPlace appends the place of a row to orders: its hash, and the arrival with which its order ends.
func (p *places) appendPlace(to *statebackend.Orders, ordinal int32, order []byte) {
	var place [placeBytes]byte
	binary.BigEndian.PutUint64(place[:8], p.hashes[ordinal])
	copy(place[8:], order[len(order)-arrivalBytes:])
	to.Append(place[:])
}

// put puts the places that orders has.
func (p *places) put(pool *stream.Pool, keys *stream.Keys) error {
	rows := pool.NewBatch(p.empty, keys.Len())
	err := p.table.Put(keys, &p.orders, rows)
	rows.Release()
	p.orders.Reset()
	return err
}

// bound bounds a scan's next key to the places of a hash.
func (p *places) bound(scan *statebackend.OrderedScan, ordinal int32) {
	p.above = binary.BigEndian.AppendUint64(p.above[:0], p.hashes[ordinal])
	scan.From.Append(p.above)
	p.above = append(p.above, beyond...)
	scan.To.Append(p.above)
}

// next scans further places into found, with all to the end.
func (p *places) next(scan *statebackend.OrderedScan, most int, all bool) error {
	reset(&p.found)
	for {
		before := p.found.Orders.Len()
		if err := p.table.Next(scan, most, &p.found); err != nil {
			return err
		}
		if !all || p.found.Orders.Len()-before < most {
			return nil
		}
	}
}
