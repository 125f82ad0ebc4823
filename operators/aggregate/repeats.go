package aggregate

import (
	"cmp"
	"math"
	"slices"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Repeats knows where the values of DISTINCT calls repeat among the selected rows of a batch. It is for those who aggregate stretches of a
// batch, frames: a value counts with the first of the frame's rows that has it, and goes with the last, whatever the frame is. So no
// frame counts values.
type Repeats struct {
	columns []repeated // of each that the plan has counted
}

// repeated is where the values of a column repeat.
type repeated struct {
	spec   *CountedSpec
	reader *stream.KeyReader // of the column
	order  []int32           // rows by value, then as they stand
	// before and behind have, for each filter and selected row, the next row in front and behind that has the same value and that the
	// filter admits; where there is none, one in front or behind of all. A row that doesn't count has it the other way round.
	before, behind [][]int32
}

// Where there is no row.
const (
	beforeAll = -1
	behindAll = math.MaxInt32
)

// NewRepeats returns what is asked of the values that a plan has counted, nil where there are none.
func NewRepeats(p *Plan, in *types.Schema) (*Repeats, error) {
	if len(p.Counted) == 0 {
		return nil, nil
	}
	r := &Repeats{columns: make([]repeated, len(p.Counted))}
	for i := range r.columns {
		c := &r.columns[i]
		c.spec = &p.Counted[i]
		c.before, c.behind = make([][]int32, len(c.spec.Filters)), make([][]int32, len(c.spec.Filters))
		var err error
		if c.reader, err = stream.NewKeyReader(in, c.spec.columns()); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Lay looks at a batch, of which the frames will be.
func (r *Repeats) Lay(b *stream.Batch) {
	if r == nil {
		return
	}
	for i := range r.columns {
		r.columns[i].lay(b)
	}
}

func (c *repeated) lay(b *stream.Batch) {
	keys, n := c.reader.Read(b), b.Rows()
	c.order = c.order[:0]
	for i := range n {
		if c.spec.has(b, b.Row(i)) {
			c.order = append(c.order, int32(i))
		}
	}
	slices.SortFunc(c.order, func(i, j int32) int {
		if c := CompareKeys(keys, int(i), int(j)); c != 0 {
			return c
		}
		return cmp.Compare(i, j)
	})
	for f, filter := range c.spec.Filters {
		before, behind := slices.Grow(c.before[f][:0], n)[:n], slices.Grow(c.behind[f][:0], n)[:n]
		c.before[f], c.behind[f] = before, behind
		for i := range n {
			before[i], behind[i] = behindAll, beforeAll
		}
		last := int32(beforeAll)
		for k, i := range c.order {
			if k > 0 && CompareKeys(keys, int(c.order[k-1]), int(i)) != 0 {
				last = beforeAll
			}
			if filter != noColumn && !admits(&b.Columns[filter], b.Row(int(i))) {
				continue
			}
			before[i], behind[i] = last, behindAll
			if last != beforeAll {
				behind[last] = i
			}
			last = i
		}
	}
}

// Enter says that the next rows to fold, of the batch that r has looked at, come into a frame that begins with selected row from. For DISTINCT
// calls those count whose values it does not have yet. A nil r says that there is no frame.
func (f *Folder) Enter(r *Repeats, from int) { f.repeats, f.edge, f.leaving = r, int32(from), false }

// Leave says that the next rows to fold, which are weighed so that they are taken back, go out of a frame that ends in front of selected row
// to. Values of DISTINCT calls go with the last row that has them.
func (f *Folder) Leave(r *Repeats, to int) { f.repeats, f.edge, f.leaving = r, int32(to), true }

// inFrame is changing of a frame: the values of a tile's rows come into it with them, or go.
func (f *Folder) inFrame(s *step, b *stream.Batch, from int, slots []statebackend.Slot) (n int) {
	c := &f.repeats.columns[s.counted-1]
	next, weight := c.before[s.variant][from:from+len(slots)], int64(1)
	if f.leaving {
		next, weight = c.behind[s.variant][from:from+len(slots)], -1
	}
	for i, row := range next {
		if (row < f.edge) != f.leaving {
			f.positions[n], f.slots[n], f.weights[n] = int32(b.Row(from+i)), slots[i], weight
			n++
		}
	}
	return n
}
