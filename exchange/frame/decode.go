package frame

import (
	"encoding/binary"
	"fmt"

	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

// Source is where a frame's bytes come from. Who decodes knows that so many are left.
type Source interface {
	// Read fills to.
	Read(to []byte)
	Skip(n int)
}

// Decoder makes batches of frames. It is owned by one goroutine.
type Decoder struct {
	// Pool is set before the first frame.
	Pool  *stream.Pool
	parts []byte // nodes and lengths of the frame at hand

	nodes   []byte // those that are left
	lengths []byte // those that are left
	body    *stream.Buffer
	at      int // where the next buffer begins
	end     int
}

// Rows returns the batch of a frame whose header was checked; from stands behind
// the header. The body is copied once.
func (d *Decoder) Rows(h *Header, s *types.Schema, from Source) (*stream.Batch, error) {
	if s == nil {
		return nil, failure.Internalf("rows before their schema")
	}
	if cap(d.parts) < h.PartsBytes() {
		d.parts = make([]byte, h.PartsBytes())
	}
	d.parts = d.parts[:h.PartsBytes()]
	from.Read(d.parts)
	d.nodes, d.lengths = d.parts[:h.nodes*nodeBytes], d.parts[h.nodes*nodeBytes:]
	if err := d.checkLengths(h); err != nil {
		return nil, err
	}
	from.Skip(h.BodyAt() - HeaderBytes - h.PartsBytes())
	d.body = d.Pool.Get(h.body)
	defer d.body.Release() // every vector has a reference of its own
	from.Read(d.body.Bytes()[:h.body])
	d.at, d.end = 0, h.body
	b := d.Pool.NewBatch(s, h.rows)
	if err := d.fill(h, b); err != nil {
		b.Release()
		return nil, failure.Internal(err)
	}
	return b, nil
}

// checkLengths sees to it that the buffers are the body, so that none of them
// leaves it.
func (d *Decoder) checkLengths(h *Header) error {
	sum := 0
	for at := 0; at < len(d.lengths); at += lengthBytes {
		sum += Aligned(int(binary.LittleEndian.Uint32(d.lengths[at:])))
	}
	if sum != h.body {
		return failure.Internalf("buffers of %d bytes in a body of %d", sum, h.body)
	}
	return nil
}

func (d *Decoder) fill(h *Header, b *stream.Batch) error {
	for i := range b.Columns {
		f := &b.Schema.Fields[i]
		v, err := d.vector(f.Type, true)
		if err == nil && v.Len() < h.rows {
			v.Release()
			err = fmt.Errorf("%d rows of %d", v.Len(), h.rows)
		}
		if err != nil {
			return fmt.Errorf("column %s %s: %w", f.Name, f.Type, err)
		}
		b.Columns[i] = v
	}
	if err := d.fillRows(h, b); err != nil {
		return err
	}
	if len(d.nodes) > 0 || len(d.lengths) > 0 {
		return fmt.Errorf("%d vectors and %d buffers more than the schema %s has", len(d.nodes)/nodeBytes, len(d.lengths)/lengthBytes, b.Schema)
	}
	return nil
}

// fillRows gives the batch its kinds and its selection.
func (d *Decoder) fillRows(h *Header, b *stream.Batch) error {
	if h.flags&flagKinds != 0 {
		at, _, err := d.next(h.rows)
		if err != nil {
			return fmt.Errorf("row kinds: %w", err)
		}
		d.body.Retain()
		if err := b.SetKinds(d.body, at); err != nil {
			d.body.Release()
			return fmt.Errorf("row kinds: %w", err)
		}
	}
	if h.flags&flagSelection != 0 {
		at, _, err := d.next(4 * h.selected)
		if err != nil {
			return fmt.Errorf("selection: %w", err)
		}
		d.body.Retain()
		if err := b.SetSelAt(d.body, at, h.selected); err != nil {
			d.body.Release()
			return fmt.Errorf("selection: %w", err)
		}
	}
	return nil
}

// next takes the next buffer, which has at least that many bytes.
func (d *Decoder) next(least int) (at, n int, err error) {
	if len(d.lengths) == 0 {
		return 0, 0, fmt.Errorf("a buffer is missing")
	}
	n = int(binary.LittleEndian.Uint32(d.lengths))
	if n < least {
		return 0, 0, fmt.Errorf("a buffer of %d bytes, want %d", n, least)
	}
	d.lengths = d.lengths[lengthBytes:]
	at = d.at
	d.at += Aligned(n)
	return at, n, nil
}

func (d *Decoder) nextBytes() ([]byte, error) {
	at, n, err := d.next(0)
	if err != nil {
		return nil, err
	}
	return d.body.Bytes()[at : at+n : at+n], nil
}

// vector takes the next vector. Only columns may be dictionaries: readers of
// nested vectors don't expect them.
func (d *Decoder) vector(t types.Type, column bool) (stream.Vector, error) {
	if len(d.nodes) < nodeBytes {
		return stream.Vector{}, fmt.Errorf("a vector is missing")
	}
	encoding, valid := stream.Encoding(d.nodes[0]), d.nodes[1]
	rows := binary.LittleEndian.Uint32(d.nodes[4:])
	d.nodes = d.nodes[nodeBytes:]
	switch {
	case int(rows) > rowsMax+8*d.end || valid > 1: // a bit a row is the least that a row takes, in a flat vector
		return stream.Vector{}, fmt.Errorf("a vector of %d rows, validity %d, in %d bytes", rows, valid, d.end)
	case encoding == stream.Dictionary && !column:
		return stream.Vector{}, fmt.Errorf("a dictionary inside a vector")
	case rows == 0:
		return stream.NewBuilder(d.Pool, t, 0).Finish(), nil
	}
	p := stream.Parts{Encoding: encoding, Rows: int(rows), Owner: d.body}
	v, err := d.build(t, &p, valid == 1)
	if err != nil {
		for i := range p.Children {
			p.Children[i].Release()
		}
		if p.Dict != nil {
			p.Dict.Release()
		}
		return stream.Vector{}, err
	}
	return v, nil
}

// build fills the parts in and makes a vector of them. After an error the caller
// releases children and dictionary.
func (d *Decoder) build(t types.Type, p *stream.Parts, valid bool) (stream.Vector, error) {
	var err error
	if valid {
		if p.Valid, err = d.nextBytes(); err != nil {
			return stream.Vector{}, fmt.Errorf("validity: %w", err)
		}
	}
	if p.Encoding == stream.Dictionary {
		err = d.dictionary(t, p)
	} else {
		err = d.values(t, p)
	}
	if err != nil {
		return stream.Vector{}, err
	}
	v, err := stream.VectorOver(t, *p)
	if err != nil {
		return stream.Vector{}, err
	}
	d.body.Retain()
	return v, nil
}

func (d *Decoder) dictionary(t types.Type, p *stream.Parts) (err error) {
	if p.Data, err = d.nextBytes(); err != nil {
		return fmt.Errorf("indices: %w", err)
	}
	dict, err := d.vector(t, false)
	if err != nil {
		return fmt.Errorf("dictionary: %w", err)
	}
	p.Dict = &dict
	return nil
}

func (d *Decoder) values(t types.Type, p *stream.Parts) (err error) {
	l := t.Layout()
	if l == types.LayoutBytes || l == types.LayoutList {
		offsets, err := d.nextBytes()
		if err != nil {
			return fmt.Errorf("offsets: %w", err)
		}
		p.Offsets = stream.Int32sOf(offsets)
	}
	switch l {
	case types.LayoutList, types.LayoutStruct, types.LayoutNone:
	default:
		if p.Data, err = d.nextBytes(); err != nil {
			return fmt.Errorf("values: %w", err)
		}
	}
	for i, k := range t.Children() {
		child, err := d.vector(k, false)
		if err != nil {
			return fmt.Errorf("child %d: %w", i, err)
		}
		p.Children = append(p.Children, child)
	}
	return nil
}
