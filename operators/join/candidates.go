package join

import (
	"millrace/statebackend"
	"millrace/stream"
)

// candidates are a tile of pairs: slots of a table, with positions among the rows of a batch of the other input.
type candidates struct {
	others    []statebackend.Slot
	positions []int32
	mine      []int32 // scratch: the positions as physical rows
}

// meet leaves those for which the condition is TRUE.
func (t *candidates) meet(pool *stream.Pool, c *condition, b *stream.Batch, input int, other rows) error {
	if c == nil || len(t.others) == 0 {
		return nil
	}
	t.mine = t.mine[:0]
	for _, p := range t.positions {
		t.mine = append(t.mine, int32(b.Row(int(p))))
	}
	var left, right rows = batchRows{b}, other
	l, r := t.mine, t.others
	if input == 1 {
		left, right, l, r = right, left, r, l
	}
	kept, err := c.keep(pool, left, l, right, r)
	if err != nil {
		return err
	}
	for i, k := range kept {
		t.others[i], t.positions[i] = t.others[k], t.positions[k]
	}
	t.others, t.positions = t.others[:len(kept)], t.positions[:len(kept)]
	return nil
}
