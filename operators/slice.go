package operators

import "millrace/stream"

// Slice returns a new batch with the selected rows from, from+1, ..., to-1 of
// b, counted among the selected ones: its own selection over the same vectors.
// b is borrowed; the caller owns the result.
func Slice(b *stream.Batch, from, to int) *stream.Batch {
	c := b.Share()
	if from == 0 && to == b.Rows() {
		return c
	}
	buf := b.Pool().Get(4 * (to - from))
	sel := stream.Int32s(buf)[:to-from]
	if old := b.Sel(); old != nil {
		copy(sel, old[from:to])
	} else {
		for i := range sel {
			sel[i] = int32(from + i)
		}
	}
	c.SetSel(buf, to-from)
	return c
}

// Select returns a new batch with the physical rows of b that sel names,
// ascending: its own selection over the same vectors. Both are borrowed; the
// caller owns the result.
func Select(b *stream.Batch, sel []int32) *stream.Batch {
	c := b.Share()
	buf := b.Pool().Get(4 * len(sel))
	copy(stream.Int32s(buf), sel)
	c.SetSel(buf, len(sel))
	return c
}
