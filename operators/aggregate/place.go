package aggregate

import (
	"encoding/binary"
	"fmt"
	"math"

	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// lag is what LAG and LEAD have beside the value that they give.
type lag struct {
	arg, instead int   // columns of the input; noColumn: NULL stands for rows that are not there
	rows         int64 // how many in front or behind; of NTILE how many tiles
	// queue is the column of the values that later rows will give, the oldest first, and length the word that counts them.
	queue, length int
}

// checkPlaced reports what a call that goes by the place of a row can't have.
func (p *planner) checkPlaced(fn string, a *jobgraph.AggregateCall) error {
	switch {
	case p.Merge || p.Retract || a.Distinct || a.Filtered:
		return fmt.Errorf("aggregate %s: %s goes by all rows up to a row, in their order", a.Name, fn)
	case fn == "NTILE" && a.Offset < 1:
		return fmt.Errorf("aggregate %s: NTILE of %d tiles", a.Name, a.Offset)
	case a.Offset < 0 || fn == "LAG" && a.Offset > jobgraph.LagRowsMax:
		return fmt.Errorf("aggregate %s: %s of a row %d in front, want 0 to %d", a.Name, fn, a.Offset, jobgraph.LagRowsMax)
	case a.Defaulted && (a.Default < 0 || a.Default >= p.Raw.Len()):
		return fmt.Errorf("aggregate %s: the input has no column %d", a.Name, a.Default)
	}
	if _, err := a.Type(p.Raw); err != nil {
		return fmt.Errorf("aggregate %s: %w", a.Name, err)
	}
	return nil
}

func lagOf(a *jobgraph.AggregateCall) lag {
	l := lag{arg: a.Arg, instead: noColumn, rows: a.Offset}
	if a.Defaulted {
		l.instead = a.Default
	}
	return l
}

// whole is the accumulator of a function that needs the rows behind a row: what it gives.
func (p *planner) whole(label, fn string, arg types.Type, a *jobgraph.AggregateCall) (o op) {
	switch fn {
	case "LEAD":
		o = p.kept(label, arg, opLead)
	case "NTILE":
		o.kind = opTile
		_, o.word = p.column(label, types.Of(types.BigInt))
	default:
		o.kind = opCumeDist
		if p.Ranked = true; fn == "PERCENT_RANK" {
			o.kind = opPercentRank
		}
		_, o.word = p.column(label, types.Of(types.Double))
	}
	o.lag = lagOf(a)
	return o
}

// lag is the accumulator of LAG: the value that it gives, as those functions keep it that give a value as it came, and the queue.
func (p *planner) lag(label string, arg types.Type, a *jobgraph.AggregateCall) op {
	p.Bytes = true
	l := lagOf(a)
	_, l.length = p.column(label+"$length", types.Of(types.BigInt))
	l.queue, _ = p.column(label+"$queue", types.BytesType())
	o := p.kept(label, arg, opLag)
	o.lag = l
	return o
}

// Peers says which selected rows of the next batches to fold are no peers of the row in front: ranks go by them. Without it every row is.
func (f *Folder) Peers(begin stream.Bitmap) { f.peers = begin }

// Partition says which selected rows of the batch are all of the partition that is folded next, for functions that need the rows behind a row.
func (f *Folder) Partition(from, to int) { f.partition = [2]int{from, to} }

// place runs the loops of a step over all rows of a tile.
func (f *Folder) place(table Accumulators, s *step, b *stream.Batch, from int, slots []statebackend.Slot) error {
	for k := range s.ops {
		switch o := &s.ops[k]; o.kind {
		case opLag:
			if err := f.shift(table, o, b, from, slots); err != nil {
				return err
			}
		case opLead:
			if err := f.lead(table, o, b, from, slots); err != nil {
				return err
			}
		case opTile, opPercentRank, opCumeDist:
			f.share(table.Rows(), o, from, slots)
		default:
			f.rank(table.Rows(), o, from, slots)
		}
	}
	return nil
}

// lead gives the values of later rows.
func (f *Folder) lead(table Accumulators, o *op, b *stream.Batch, from int, slots []statebackend.Slot) error {
	r, v := table.Rows(), &b.Columns[o.lag.arg]
	for i, s := range slots {
		f.text = f.text[:0]
		var err error
		if behind := f.partition[1] - (from + i); o.lag.rows < int64(behind) {
			f.text = appendQueued(f.text, v, b.Row(from+i+int(o.lag.rows)))
			_, err = o.give(table, &r, s, f.text, v.Type.Layout())
		} else {
			err = f.instead(table, o, b, b.Row(from+i), s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// share gives what goes by how many rows a partition has.
func (f *Folder) share(r statebackend.Rows, o *op, from int, slots []statebackend.Slot) {
	all := f.partition[1] - f.partition[0]
	for i, s := range slots {
		at := from + i
		w := place(&r, r.Offset+o.word, s)
		switch begins := f.peers == nil || f.peers.Get(at); {
		case o.kind == opTile:
			*w = tileOf(uint64(at-f.partition[0]), uint64(all), uint64(o.lag.rows))
		case !begins: // as of the peer in front, whose accumulators these are
		case o.kind == opPercentRank:
			*w = 0
			if all > 1 {
				*w = math.Float64bits(float64(at-f.partition[0]) / float64(all-1))
			}
		default:
			end := at + 1
			for end < f.partition[1] && f.peers != nil && !f.peers.Get(end) {
				end++
			}
			*w = math.Float64bits(float64(end-f.partition[0]) / float64(all))
		}
	}
}

// tileOf returns which of so many tiles a row is in, from 1: the first ones have a row more than the last where they can't be equal.
func tileOf(row, rows, tiles uint64) uint64 {
	size, larger := rows/tiles, rows%tiles
	if in := larger * (size + 1); row >= in {
		return larger + (row-in)/size + 1
	}
	return row/(size+1) + 1
}

// rank counts rows, or those that begin peers.
func (f *Folder) rank(r statebackend.Rows, o *op, from int, slots []statebackend.Slot) {
	word := r.Offset + o.word
	for i, s := range slots {
		begins := f.peers == nil || f.peers.Get(from+i)
		rank := place(&r, word, s)
		if o.kind == opDenseRank {
			if begins {
				*rank++
			}
			continue
		}
		rows := place(&r, word-1, s)
		if *rows++; begins {
			*rank = *rows
		}
	}
}

// shift takes the values of rows into the queue, and out of it what LAG gives of them.
func (f *Folder) shift(table Accumulators, o *op, b *stream.Batch, from int, slots []statebackend.Slot) error {
	r, l := table.Rows(), &o.lag
	v := &b.Columns[l.arg]
	for i, s := range slots {
		row := b.Row(from + i)
		f.text = append(f.text[:0], table.Bytes(l.queue, s)...)
		f.text = appendQueued(f.text, v, row)
		rest := f.text
		if length := place(&r, r.Offset+l.length, s); *length < uint64(l.rows) {
			*length++
			if err := f.instead(table, o, b, row, s); err != nil {
				return err
			}
		} else {
			n, err := o.give(table, &r, s, rest, v.Type.Layout())
			if err != nil {
				return err
			}
			rest = rest[n:]
		}
		if err := table.SetBytes(l.queue, s, rest); err != nil {
			return err
		}
	}
	return nil
}

// instead gives what stands for a row that is not there.
func (f *Folder) instead(table Accumulators, o *op, b *stream.Batch, row int, s statebackend.Slot) error {
	r := table.Rows()
	if o.lag.instead == noColumn {
		*place(&r, r.Offset+o.word-1, s) = 0
		return nil
	}
	v := &b.Columns[o.lag.instead]
	end := len(f.text)
	f.text = appendQueued(f.text, v, row)
	_, err := o.give(table, &r, s, f.text[end:], v.Type.Layout())
	f.text = f.text[:end]
	return err
}

// What a queued value begins with.
const (
	queuedNull  = 0
	queuedValue = 1
)

// appendQueued appends the value of a row: whether there is one, then its words, or its length and bytes.
func appendQueued(dst []byte, v *stream.Vector, row int) []byte {
	if v.IsNull(row) {
		return append(dst, queuedNull)
	}
	dst = append(dst, queuedValue)
	switch v.Type.Layout() {
	case types.LayoutBytes:
		x := v.Bytes(row)
		dst = binary.AppendUvarint(dst, uint64(len(x)))
		return append(dst, x...)
	case types.LayoutInt128:
		x := stream.Value[stream.Int128](v, row)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x.Hi))
		return binary.LittleEndian.AppendUint64(dst, x.Lo)
	default:
		return binary.LittleEndian.AppendUint64(dst, bitsAt(v, row))
	}
}

// bitsAt returns a value of at most 64 bits as accumulators keep it.
func bitsAt(v *stream.Vector, row int) uint64 {
	switch v.Type.Layout() {
	case types.LayoutBit:
		if v.Bool(row) {
			return 1
		}
		return 0
	case types.LayoutFloat32:
		return uint64(math.Float32bits(stream.Value[float32](v, row)))
	case types.LayoutFloat64:
		return math.Float64bits(stream.Value[float64](v, row))
	default:
		return uint64(integerAt(v, row))
	}
}

// give makes the first of some queued values the one that LAG gives, and returns how long it is.
func (o *op) give(table Accumulators, r *statebackend.Rows, s statebackend.Slot, queued []byte, layout types.Layout) (int, error) {
	*place(r, r.Offset+o.word-1, s) = uint64(queued[0])
	if queued[0] == queuedNull {
		return 1, nil
	}
	value := queued[1:]
	switch layout {
	case types.LayoutBytes:
		length, n := binary.Uvarint(value)
		end := n + int(length)
		return 1 + end, table.SetBytes(o.column, s, value[n:end])
	case types.LayoutInt128:
		*place(r, r.Offset+o.word, s) = binary.LittleEndian.Uint64(value)
		*place(r, r.Offset+o.word+1, s) = binary.LittleEndian.Uint64(value[8:])
		return 17, nil
	default:
		*place(r, r.Offset+o.word, s) = binary.LittleEndian.Uint64(value)
		return 9, nil
	}
}
