package remote

import (
	"millrace/internal/failure"
	"millrace/stream"
	"millrace/types"
)

// compactor brings batches into the shape in which they travel. It is owned by a
// link's writer; each channel has its own, so that builders stay warm.
type compactor struct {
	pool      *stream.Pool
	schema    *types.Schema
	columns   []stream.Builder
	positions []int32 // 0, 1, 2 …
}

// A batch whose rows are selected to less than sparse of sparseOf is gathered:
// unselected rows cost more on their way than gathering does.
const sparse, sparseOf = 3, 4

// each calls send with the batches that mean the same rows as b and fit into
// frames, each of which send takes over, as each takes b over. It ends at the
// first error.
func (c *compactor) each(b *stream.Batch, send func(*stream.Batch) error) error {
	if b.SizeBytes() > cutBytes && b.Rows() > 1 || b.Len() > rowsMax {
		defer b.Release()
		return c.cut(b, c.selected(b), pieces(b), send)
	}
	if isSparse(b) || !travelsAsIs(b) {
		defer b.Release()
		return send(c.pick(b, c.selected(b)))
	}
	return send(b)
}

func isSparse(b *stream.Batch) bool {
	return b.Sel() != nil && len(b.Sel())*sparseOf < b.Len()*sparse
}

func pieces(b *stream.Batch) int {
	return max(b.SizeBytes()/pieceBytes, b.Rows()/rowsMax) + 1
}

// cut sends the rows at these positions in n pieces, or more where one is too large.
func (c *compactor) cut(b *stream.Batch, positions []int32, n int, send func(*stream.Batch) error) error {
	for i := range n {
		part := positions[i*len(positions)/n : (i+1)*len(positions)/n]
		if len(part) == 0 {
			continue
		}
		p := c.pick(b, part)
		size := p.SizeBytes()
		var err error
		switch {
		case size <= cutBytes || len(part) == 1 && size <= stream.RowBytesMax+pieceBytes:
			err = send(p)
		case len(part) == 1:
			p.Release()
			err = failure.Userf("a row of %d bytes, the limit is %d", size, stream.RowBytesMax)
		default:
			p.Release()
			err = c.cut(b, part, 2, send)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// selected returns the positions of the batch's rows.
func (c *compactor) selected(b *stream.Batch) []int32 {
	if b.Sel() != nil {
		return b.Sel()
	}
	for i := len(c.positions); i < b.Len(); i++ {
		c.positions = append(c.positions, int32(i))
	}
	return c.positions[:b.Len()]
}

// pick returns a new batch of the rows at these positions.
func (c *compactor) pick(b *stream.Batch, positions []int32) *stream.Batch {
	c.prepare(b.Schema)
	out := c.pool.NewBatch(b.Schema, len(positions))
	for i := range b.Columns {
		out.Columns[i] = c.pickColumn(i, &b.Columns[i], positions)
	}
	if kinds := b.Kinds(); kinds != nil {
		to := out.MakeKinds()
		for i, p := range positions {
			to[i] = kinds[p]
		}
	}
	return out
}

// prepare has a builder for each column. They hold no memory between batches.
func (c *compactor) prepare(s *types.Schema) {
	if c.schema == s {
		return
	}
	c.schema = s
	c.columns = make([]stream.Builder, s.Len())
	for i := range c.columns {
		c.columns[i].Init(c.pool, s.Fields[i].Type, stream.RowsMax/2)
	}
}

func (c *compactor) pickColumn(i int, v *stream.Vector, positions []int32) stream.Vector {
	switch {
	case len(positions) == 0:
	case v.Encoding == stream.Constant && isPlain(v):
		return stream.ConstantOf(c.pool, v, 0, len(positions))
	case v.Encoding == stream.Dictionary && dictionaryPays(v, positions):
		return c.pickIndices(v, positions)
	}
	c.columns[i].AppendRows(v, positions)
	return c.columns[i].Finish()
}

// pickIndices shares the dictionary.
func (c *compactor) pickIndices(v *stream.Vector, positions []int32) stream.Vector {
	indices := c.pool.Get(4 * len(positions))
	to, from := stream.Int32s(indices), v.Indices()
	for i, p := range positions {
		to[i] = from[p]
	}
	v.Dict().Retain()
	out := stream.DictionaryOf(v.Type, indices, len(positions), *v.Dict())
	if v.HasNulls() {
		valid := out.WithValidity(c.pool)
		for i, p := range positions {
			valid.Put(i, v.Valid().Get(int(p)))
		}
	}
	return out
}

// travelsAsIs tells that every column may be sent as it stands.
func travelsAsIs(b *stream.Batch) bool {
	for i := range b.Columns {
		v := &b.Columns[i]
		if v.Encoding == stream.Dictionary && !dictionaryPays(v, nil) || !isPlain(v) {
			return false
		}
	}
	return true
}

// isPlain tells that the vector has no dictionary inside of it.
func isPlain(v *stream.Vector) bool {
	for i := range v.Children() {
		if c := v.Child(i); c.Encoding == stream.Dictionary || !isPlain(c) {
			return false
		}
	}
	return v.Dict() == nil || isPlain(v.Dict())
}

// dictionaryPays tells that the dictionary is not larger than the values that it
// stands for. Positions nil are all rows.
func dictionaryPays(v *stream.Vector, positions []int32) bool {
	d := v.Dict()
	rows := len(positions)
	if positions == nil {
		rows = v.Len()
	}
	if d.Encoding != stream.Flat || !isPlain(d) {
		return false
	}
	if d.Len() <= rows {
		return true
	}
	return v.Type.Layout() == types.LayoutBytes && d.SizeBytes() <= valueBytes(v, positions)
}

// valueBytes returns the bytes of the values at these positions of a dictionary of
// strings.
func valueBytes(v *stream.Vector, positions []int32) (n int) {
	offsets, indices := v.Dict().Offsets(), v.Indices()
	if positions == nil {
		for _, i := range indices {
			n += int(offsets[i+1] - offsets[i])
		}
		return n
	}
	for _, p := range positions {
		i := indices[p]
		n += int(offsets[i+1] - offsets[i])
	}
	return n
}
