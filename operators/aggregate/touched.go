package aggregate

import (
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// touched are the groups of which a batch has rows, each once, in the order of
// their first rows.
type touched struct {
	first   []int32 // the selected row that is a group's first
	slots   []statebackend.Slot
	was, is []bool        // whether there were rows behind it before the batch, and are after it
	seen    stream.Bitmap // by slot; clear between calls
	empty   []statebackend.Slot
}

// find collects the groups of a batch's slots, which are below end.
func (t *touched) find(slots []statebackend.Slot, end statebackend.Slot) {
	t.first, t.slots = t.first[:0], t.slots[:0]
	if words := stream.Words(int(end)); len(t.seen) < words {
		t.seen = make(stream.Bitmap, 2*words)
	}
	for i, s := range slots {
		if t.seen.Get(int(s)) {
			continue
		}
		t.seen.Set(int(s))
		t.first, t.slots = append(t.first, int32(i)), append(t.slots, s)
	}
	for _, s := range t.slots {
		t.seen.Clear(int(s))
	}
}

// locate takes the slots over that the rows have now.
func (t *touched) locate(slots []statebackend.Slot) {
	for k, i := range t.first {
		t.slots[k] = slots[i]
	}
}

// before notes which groups have rows.
func (t *touched) before(rows statebackend.Rows) { t.was = t.haveRows(t.was[:0], rows) }

// after notes which have some now, and which are to be dropped.
func (t *touched) after(rows statebackend.Rows) {
	t.is, t.empty = t.haveRows(t.is[:0], rows), t.empty[:0]
	for k, s := range t.slots {
		if !t.is[k] {
			t.empty = append(t.empty, s)
		}
	}
}

func (t *touched) haveRows(dst []bool, rows statebackend.Rows) []bool {
	word := rows.Offset + rowsWord
	for _, s := range t.slots {
		dst = append(dst, *place(&rows, word, s) != 0)
	}
	return dst
}

// drop removes the groups behind which no row is left.
func (t *touched) drop(part statebackend.Part) {
	if len(t.empty) > 0 {
		part.Delete(t.empty)
	}
	t.empty = t.empty[:0]
}

// empty makes a row that of a key without rows.
func (p *Plan) empty(table Accumulators, s statebackend.Slot) error {
	rows := table.Rows()
	*place(&rows, rows.Offset+rowsWord, s) = 0
	return p.restart(table, s)
}

// Copy makes the accumulators of a row those of another table's row.
func (p *Plan) Copy(to Accumulators, slot statebackend.Slot, from Accumulators, of statebackend.Slot) error {
	source, target := from.Rows(), to.Rows()
	for i := range p.Columns[:p.folded] {
		if p.isBytes(i) {
			if err := to.SetBytes(i, slot, from.Bytes(i, of)); err != nil {
				return err
			}
			continue
		}
		*place(&target, target.Offset+p.words[i], slot) = *place(&source, source.Offset+p.words[i], of)
	}
	return nil
}

// isBytes tells whether a column's word is the table's own.
func (p *Plan) isBytes(column int) bool { return p.Columns[column].Type.Layout() == types.LayoutBytes }

// restart makes the accumulators of a row those of a new one.
func (p *Plan) restart(table Accumulators, s statebackend.Slot) error {
	rows := table.Rows()
	count := *place(&rows, rows.Offset+rowsWord, s)
	for i := range p.Columns {
		if p.isBytes(i) {
			if err := table.SetBytes(i, s, nil); err != nil {
				return err
			}
			continue
		}
		*place(&rows, rows.Offset+p.words[i], s) = 0
	}
	*place(&rows, rows.Offset+rowsWord, s) = count
	return nil
}
