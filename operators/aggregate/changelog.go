package aggregate

import (
	"slices"

	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// changelog makes a changelog of groups that were shown before a batch and are
// shown after it. Where the rows before are wanted a batch of output has two rows a
// group, as it was and as it is, and a selection says which of them are meant.
type changelog struct {
	ctx      *operators.Context
	emitters []Emitter
	keys     *stream.KeyBuilder
	nkeys    int
	// updateBefore has a -U in front of each +U.
	updateBefore bool

	part    statebackend.Part
	old     []stream.Vector // by emitter; none: nobody took them down
	quiet   bool            // groups that are as they were are left out
	from    int             // the next of the groups
	pending *stream.Batch   // to go, from row sent on
	sent    int
	slots   []statebackend.Slot
	differ  stream.Bitmap
}

func newChangelog(ctx *operators.Context, keys []types.Type, emitters []Emitter, updateBefore bool) changelog {
	return changelog{
		ctx: ctx, emitters: emitters, keys: stream.NewKeyBuilder(ctx.Pool, keys, TileRows), nkeys: len(keys), updateBefore: updateBefore,
	}
}

// before takes the groups down as they are, where they are wanted.
func (c *changelog) before(part statebackend.Part, t *touched, wanted bool) error {
	c.release()
	if !wanted {
		return nil
	}
	for i := range c.emitters {
		v, err := c.emitters[i].Result(c.ctx.Pool, part, t.slots)
		if err != nil {
			return err
		}
		c.old = append(c.old, v)
	}
	return nil
}

// after begins the output. The slots are good until it is drained.
func (c *changelog) after(part statebackend.Part, quiet bool) {
	c.part, c.quiet, c.from = part, quiet, 0
}

// next returns the next batch, nil at the end.
func (c *changelog) next(t *touched) (*stream.Batch, error) {
	for c.pending == nil {
		if c.part == nil || c.from >= len(t.slots) {
			c.part = nil
			c.release()
			return nil, nil
		}
		to := min(c.from+max(c.ctx.RowsMax/2, 1), len(t.slots))
		b, err := c.rows(t, c.from, to)
		if err != nil {
			return nil, err
		}
		c.from = to
		if b.Rows() == 0 {
			b.Release()
			continue
		}
		c.pending, c.sent = b, 0
	}
	to := min(c.sent+c.ctx.RowsMax, c.pending.Rows())
	b := operators.Slice(c.pending, c.sent, to)
	if c.sent = to; to == c.pending.Rows() {
		c.pending.Release()
		c.pending = nil
	}
	return b, nil
}

// rows returns what is to say of the groups from, ..., to-1.
func (c *changelog) rows(t *touched, from, to int) (*stream.Batch, error) {
	each := 1
	if c.updateBefore {
		each = 2
	}
	slots := t.slots[from:to]
	c.slots = c.slots[:0]
	for _, s := range slots {
		for range each {
			c.slots = append(c.slots, s)
		}
	}
	if err := c.part.AppendKeys(c.slots, c.keys); err != nil {
		return nil, err
	}
	b := c.ctx.Pool.NewBatch(c.ctx.Output, each*len(slots))
	for i := range c.nkeys {
		b.Columns[i] = c.keys.Finish(i)
	}
	c.differ = slices.Grow(c.differ[:0], stream.Words(len(slots)))[:stream.Words(len(slots))]
	clear(c.differ)
	for i := range c.emitters {
		v, err := c.column(i, slots, from)
		if err != nil {
			b.Release()
			return nil, err
		}
		b.Columns[c.nkeys+i] = v
	}
	c.mark(b, t, from, to, each)
	return b, nil
}

// column returns an emitter's column, and marks the groups whose value is another
// than before.
func (c *changelog) column(i int, slots []statebackend.Slot, from int) (stream.Vector, error) {
	v, err := c.emitters[i].Result(c.ctx.Pool, c.part, slots)
	if len(c.old) == 0 || err != nil {
		return v, err
	}
	Compare(c.differ, &c.old[i], from, &v)
	if !c.updateBefore {
		return v, nil
	}
	out := interleave(c.ctx.Pool, &c.old[i], from, &v)
	v.Release()
	return out, nil
}

// mark gives the rows their kinds and selects those that are meant.
func (c *changelog) mark(b *stream.Batch, t *touched, from, to, each int) {
	buf := c.ctx.Pool.Get(4 * b.Len())
	sel, n := stream.Int32s(buf), 0
	kinds := b.MakeKinds()
	add := func(row int, kind stream.RowKind) {
		kinds[row], sel[n] = kind, int32(row)
		n++
	}
	for k := from; k < to; k++ {
		first, last := each*(k-from), each*(k-from)+each-1
		switch {
		case !t.was[k] && t.is[k]:
			add(last, stream.Insert)
		case t.was[k] && !t.is[k]:
			add(first, stream.Delete)
		case !t.was[k] || c.quiet && !c.differ.Get(k-from):
		default:
			if each == 2 {
				add(first, stream.UpdateBefore)
			}
			add(last, stream.UpdateAfter)
		}
	}
	b.SetSel(buf, n)
}

func (c *changelog) release() {
	for i := range c.old {
		c.old[i].Release()
	}
	c.old = c.old[:0]
}

func (c *changelog) close() {
	c.release()
	c.pending.Release()
	c.pending = nil
	if c.keys != nil {
		c.keys.Close()
	}
}

// Compare sets the bit of each row of b that is not equal to the row of a as far
// behind from. Both are flat.
func Compare(differ stream.Bitmap, a *stream.Vector, from int, b *stream.Vector) {
	for i := range b.Len() {
		if a.IsNull(from+i) != b.IsNull(i) {
			differ.Set(i)
		}
	}
	switch b.Type.Layout() {
	case types.LayoutBit:
		for i := range b.Len() {
			if !b.IsNull(i) && a.Bits().Get(from+i) != b.Bits().Get(i) {
				differ.Set(i)
			}
		}
	case types.LayoutBytes:
		for i := range b.Len() {
			if string(a.Bytes(from+i)) != string(b.Bytes(i)) {
				differ.Set(i)
			}
		}
	case types.LayoutInt8:
		compareFixed[uint8](differ, a, from, b)
	case types.LayoutInt16:
		compareFixed[uint16](differ, a, from, b)
	case types.LayoutInt32, types.LayoutFloat32:
		compareFixed[uint32](differ, a, from, b)
	case types.LayoutInt64, types.LayoutFloat64:
		compareFixed[uint64](differ, a, from, b)
	case types.LayoutInt128:
		compareFixed[stream.Int128](differ, a, from, b)
	default: // nested, of functions of a program
		for i := range b.Len() {
			if !stream.EqualValues(a, from+i, b, i) {
				differ.Set(i)
			}
		}
	}
}

// compareFixed compares bits: a NaN equals itself.
func compareFixed[T stream.Fixed](differ stream.Bitmap, a *stream.Vector, from int, b *stream.Vector) {
	ys := stream.Values[T](b)
	xs := stream.Values[T](a)[from : from+len(ys)]
	nulls := b.HasNulls()
	for i, y := range ys {
		if xs[i] != y && (!nulls || !b.IsNull(i)) {
			differ.Set(i)
		}
	}
}

// interleave returns row from of a, row 0 of b, row from+1 of a, and so on, through
// all of b. Both are flat.
func interleave(pool *stream.Pool, a *stream.Vector, from int, b *stream.Vector) stream.Vector {
	switch b.Type.Layout() {
	case types.LayoutInt8:
		return interleaveFixed[uint8](pool, a, from, b)
	case types.LayoutInt16:
		return interleaveFixed[uint16](pool, a, from, b)
	case types.LayoutInt32, types.LayoutFloat32:
		return interleaveFixed[uint32](pool, a, from, b)
	case types.LayoutInt64, types.LayoutFloat64:
		return interleaveFixed[uint64](pool, a, from, b)
	case types.LayoutInt128:
		return interleaveFixed[stream.Int128](pool, a, from, b)
	}
	out := stream.NewBuilder(pool, b.Type, 2*b.Len())
	for i := range b.Len() {
		out.AppendFrom(a, from+i)
		out.AppendFrom(b, i)
	}
	return out.Finish()
}

func interleaveFixed[T stream.Fixed](pool *stream.Pool, a *stream.Vector, from int, b *stream.Vector) stream.Vector {
	v := stream.NewFixed(pool, b.Type, 2*b.Len())
	out, ys := stream.Values[T](&v), stream.Values[T](b)
	xs := stream.Values[T](a)[from : from+len(ys)]
	for i, y := range ys {
		out[2*i], out[2*i+1] = xs[i], y
	}
	if a.HasNulls() || b.HasNulls() {
		valid := v.WithValidity(pool)
		for i := range ys {
			valid.Put(2*i, !a.IsNull(from+i))
			valid.Put(2*i+1, !b.IsNull(i))
		}
	}
	return v
}
