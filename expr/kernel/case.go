package kernel

import (
	"fmt"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// choice evaluates CASE and COALESCE: each row takes its value from one branch,
// and a branch sees only the rows that may take it.
type choice struct {
	ifs   []node // nil of COALESCE: a branch is taken where it is not NULL
	thens []node
	typ   types.Type

	flat   scratch
	left   []int32         // rows that no branch has taken yet
	taken  []int32         // rows that the branch at hand takes
	branch []uint16        // by row: 1 + the branch taken, 0: none
	values []stream.Vector // by branch; what was not evaluated is zero
}

const branchesMax = 1<<16 - 2

func (c *compiler) cases(e *expr.Case) (node, error) {
	if len(e.Whens) > branchesMax {
		return nil, fmt.Errorf("CASE has more than %d branches", branchesMax)
	}
	n := &choice{typ: e.T}
	for _, w := range e.Whens {
		cond, err := c.expr(w.If)
		if err != nil {
			return nil, err
		}
		then, err := c.expr(w.Then)
		if err != nil {
			return nil, err
		}
		n.ifs, n.thens = append(n.ifs, cond), append(n.thens, then)
	}
	if e.Else != nil {
		otherwise, err := c.expr(e.Else)
		if err != nil {
			return nil, err
		}
		n.thens = append(n.thens, otherwise)
	}
	n.values = make([]stream.Vector, len(n.thens))
	return n, nil
}

func bindCoalesce(e *expr.Call, args []node) (node, error) {
	return &choice{thens: args, typ: e.T, values: make([]stream.Vector, len(args))}, nil
}

func (c *choice) guarded() bool {
	for _, nodes := range [][]node{c.ifs, c.thens} {
		for _, n := range nodes {
			if n.guarded() {
				return true
			}
		}
	}
	return false
}

func (c *choice) eval(f frame) (stream.Vector, error) {
	defer c.release()
	c.ready(f.n)
	c.left = f.appendAll(c.left[:0])
	for i := range c.thens {
		if len(c.left) == 0 {
			break
		}
		if err := c.take(f, i); err != nil {
			return stream.Vector{}, err
		}
	}
	return c.assemble(f), nil
}

// ready makes room for n rows.
func (c *choice) ready(n int) {
	if cap(c.branch) < n {
		most := max(n, stream.RowsMax)
		c.branch = make([]uint16, most)
		c.left, c.taken = make([]int32, 0, most), make([]int32, 0, most)
	}
	c.branch = c.branch[:n]
	clear(c.branch)
}

func (c *choice) release() {
	for i := range c.values {
		c.values[i].Release()
		c.values[i] = stream.Vector{}
	}
}

// take evaluates branch i for the rows that are left and gives it those that it takes.
func (c *choice) take(f frame, i int) error {
	if c.ifs == nil {
		return c.takeNotNull(f, i)
	}
	c.taken = append(c.taken[:0], c.left...)
	if i < len(c.ifs) {
		if err := c.takeTrue(f, i); err != nil {
			return err
		}
	} else {
		c.left = c.left[:0]
	}
	if len(c.taken) == 0 {
		return nil
	}
	v, err := c.thens[i].eval(f.within(c.taken))
	if err != nil {
		return err
	}
	c.values[i] = v
	for _, row := range c.taken {
		c.branch[row] = uint16(i + 1)
	}
	return nil
}

func (c *choice) takeTrue(f frame, i int) error {
	g := f.within(c.left)
	cond, err := c.ifs[i].eval(g)
	if err != nil {
		return err
	}
	cond = c.flat.flatten(g, cond)
	c.taken = c.flat.appendTrue(c.taken[:0], g, &cond)
	cond.Release()
	c.left = without(c.left, c.taken)
	return nil
}

// without removes from rows those in taken; both ascend.
func without(rows, taken []int32) []int32 {
	kept := rows[:0]
	for _, r := range rows {
		if len(taken) > 0 && taken[0] == r {
			taken = taken[1:]
			continue
		}
		kept = append(kept, r)
	}
	return kept
}

func (c *choice) takeNotNull(f frame, i int) error {
	v, err := c.thens[i].eval(f.within(c.left))
	if err != nil {
		return err
	}
	c.values[i] = v
	kept := c.left[:0]
	for _, row := range c.left {
		if v.IsNull(int(row)) {
			kept = append(kept, row)
		} else {
			c.branch[row] = uint16(i + 1)
		}
	}
	c.left = kept
	return nil
}

// assemble builds the result from the branches' values.
func (c *choice) assemble(f frame) stream.Vector {
	switch c.typ.Layout() {
	case types.LayoutInt8:
		return assembleFixed[int8](c, f)
	case types.LayoutInt16:
		return assembleFixed[int16](c, f)
	case types.LayoutInt32, types.LayoutFloat32:
		return assembleFixed[int32](c, f)
	case types.LayoutInt64, types.LayoutFloat64:
		return assembleFixed[int64](c, f)
	case types.LayoutInt128:
		return assembleFixed[types.Int128](c, f)
	case types.LayoutBit:
		return c.assembleBits(f)
	default:
		return c.assembleRows(f)
	}
}

// nulls makes rows NULL that took a NULL or nothing.
func (c *choice) nulls(f frame, out *stream.Vector) {
	some := false
	for i := range c.values {
		v := &c.values[i]
		some = some || v.Valid() != nil || v.Encoding == stream.Dictionary && v.Dict().Valid() != nil
	}
	for row := range f.n {
		if b := c.branch[row]; b == 0 || some && c.values[b-1].IsNull(row) {
			out.WithValidity(f.pool).Clear(row)
		}
	}
}

func assembleFixed[T stream.Fixed](c *choice, f frame) stream.Vector {
	for i := range c.values {
		c.values[i] = c.flat.flatten(f, c.values[i])
	}
	out := stream.NewFixed(f.pool, c.typ, f.n)
	o := stream.Values[T](&out)
	for i := range c.values {
		if c.values[i].Len() == 0 {
			continue
		}
		v, b := operandOf[T](&c.values[i]), uint16(i+1)
		for row, taken := range c.branch {
			if taken == b {
				o[row] = v.at(row)
			}
		}
	}
	c.nulls(f, &out)
	return out
}

func (c *choice) assembleBits(f frame) stream.Vector {
	out := stream.NewFixed(f.pool, c.typ, f.n)
	bits := out.Bits()
	for row, b := range c.branch {
		if b > 0 {
			bits.Put(row, c.values[b-1].Bool(row))
		}
	}
	c.nulls(f, &out)
	return out
}

func (c *choice) assembleRows(f frame) stream.Vector {
	b := c.flat.build(f, c.typ, f.n)
	for row, taken := range c.branch {
		if taken == 0 {
			b.AppendNull()
			continue
		}
		b.AppendFrom(&c.values[taken-1], row)
	}
	return b.Finish()
}
