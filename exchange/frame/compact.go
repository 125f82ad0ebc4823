package frame

import (
	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

// Compactor brings batches into the shape in which they travel. It is owned by one
// goroutine; each channel has its own, so that builders stay warm.
type Compactor struct {
	// Pool is set before the first batch.
	Pool      *stream.Pool
	schema    *types.Schema
	columns   []stream.Builder
	positions []int32 // 0, 1, 2 …
}

// A batch whose rows are selected to less than sparse of sparseOf is gathered:
// unselected rows cost more on their way than gathering does.
const sparse, sparseOf = 3, 4

// Each calls send with the batches that mean the same rows as b and fit into
// frames, each of which send takes over, as each takes b over. It ends at the
// first error.
func (c *Compactor) Each(b *stream.Batch, send func(*stream.Batch) error) error {
	if b.SizeBytes() > CutBytes && b.Rows() > 1 || b.Len() > rowsMax {
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
func (c *Compactor) cut(b *stream.Batch, positions []int32, n int, send func(*stream.Batch) error) error {
	for i := range n {
		part := positions[i*len(positions)/n : (i+1)*len(positions)/n]
		if len(part) == 0 {
			continue
		}
		p := c.pick(b, part)
		size := p.SizeBytes()
		var err error
		switch {
		case size <= CutBytes || len(part) == 1 && size <= stream.RowBytesMax+pieceBytes:
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
func (c *Compactor) selected(b *stream.Batch) []int32 {
	if b.Sel() != nil {
		return b.Sel()
	}
	for i := len(c.positions); i < b.Len(); i++ {
		c.positions = append(c.positions, int32(i))
	}
	return c.positions[:b.Len()]
}

// pick returns a new batch of the rows at these positions.
func (c *Compactor) pick(b *stream.Batch, positions []int32) *stream.Batch {
	c.prepare(b.Schema)
	out := c.Pool.NewBatch(b.Schema, len(positions))
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
func (c *Compactor) prepare(s *types.Schema) {
	if c.schema == s {
		return
	}
	c.schema = s
	c.columns = make([]stream.Builder, s.Len())
	for i := range c.columns {
		c.columns[i].Init(c.Pool, s.Fields[i].Type, stream.RowsMax/2)
	}
}

func (c *Compactor) pickColumn(i int, v *stream.Vector, positions []int32) stream.Vector {
	switch {
	case len(positions) == 0:
	case v.Encoding == stream.Constant && isPlain(v):
		return stream.ConstantOf(c.Pool, v, 0, len(positions))
	case v.Encoding == stream.Dictionary && dictionaryPays(v, positions):
		return c.pickIndices(v, positions)
	}
	c.columns[i].AppendRows(v, positions)
	return c.columns[i].Finish()
}

// pickIndices shares the dictionary.
func (c *Compactor) pickIndices(v *stream.Vector, positions []int32) stream.Vector {
	indices := c.Pool.Get(4 * len(positions))
	to, from := stream.Int32s(indices), v.Indices()
	for i, p := range positions {
		to[i] = from[p]
	}
	v.Dict().Retain()
	out := stream.DictionaryOf(v.Type, indices, len(positions), *v.Dict())
	if v.HasNulls() {
		valid := out.WithValidity(c.Pool)
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
