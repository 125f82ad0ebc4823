package sort

import (
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// counter is a number that is state, and the key that everything has.
type counter struct {
	part statebackend.Part
	key  stream.Keys
}

func (c *counter) open(ctx *operators.Context, name string) error {
	t, err := ctx.State.Value(statebackend.ValueSpec{
		ID:      statebackend.TableID{Operator: ctx.Operator, Name: name},
		Columns: []statebackend.ColumnSpec{{Name: "count", Type: types.Of(types.BigInt)}},
	})
	if err != nil {
		return err
	}
	c.part = t.Part(0, true)
	none := types.NewSchema()
	reader, err := stream.NewKeyReader(none, nil)
	if err != nil {
		return err
	}
	b := ctx.Pool.NewBatch(none, 1)
	defer b.Release()
	c.key.Reset(reader.Layout())
	c.key.AppendRows(reader.Read(b), []int32{0})
	return nil
}

// add adds n and returns what the number was before.
func (c *counter) add(n int) (int64, error) {
	var slots [1]statebackend.Slot
	if _, err := c.part.Upsert(&c.key, slots[:]); err != nil {
		return 0, err
	}
	rows := c.part.Rows()
	word := &rows.At(slots[0])[0]
	was := int64(*word)
	*word = uint64(was + int64(n))
	return was, nil
}
