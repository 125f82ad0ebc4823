package exchange

import "millrace/stream"

// Pieces makes Poll give at most so many rows at a time.
func (g *gate) Pieces(rows int) { g.pieceRows = rows }

// piece gives the next rows of what is left of a channel's batch: all of them where
// batches are given whole again.
func (g *gate) piece(c *gateChannel) *stream.Batch {
	to := c.rest.Rows()
	if g.pieceRows > 0 {
		to = min(to, c.from+g.pieceRows)
	}
	b := slice(c.rest, c.from, to)
	if c.from = to; to == c.rest.Rows() {
		c.rest.Release()
		c.rest = nil
	}
	return b
}

// slice returns a batch of the selected rows from, from+1, ..., to-1 of b, which is borrowed.
func slice(b *stream.Batch, from, to int) *stream.Batch {
	buf := b.Pool().Get(4 * (to - from))
	positions := stream.Int32s(buf)[:to-from]
	for i := range positions {
		positions[i] = int32(b.Row(from + i))
	}
	s := b.Share()
	s.SetSel(buf, to-from)
	return s
}
