package over

import (
	"fmt"
	"slices"
	"strings"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// slideRows is from how many rows on a frame is made of the one before it: below, all of its rows go through the loops in less time
// than those that come and those that leave, each by itself.
const slideRows = 32

// slider makes frames of so many rows of the frames before them: what comes is added, what leaves is taken back. Only what is exact
// can be taken back for ever, so that a frame is what it would be anew: no extremes, and no sums of floating-point numbers. Values of
// DISTINCT calls come with the first row that has them and leave with the last.
type slider struct {
	plan   *aggregate.Plan
	folder aggregate.Folder
	values *aggregate.Repeats
	table  *aggregate.Table // its only row is the frame
	batch  *stream.Batch
	rows   [2]int // of batch, from and to
	minus  []int64
	tile   []statebackend.Slot
}

// newPlan makes the plan of a spec, and the slider of its frames, nil where they are made anew.
func newPlan(spec *jobgraph.OverAggregateSpec, in *types.Schema, ctx *operators.Context) (*aggregate.Plan, *slider, error) {
	input := aggregate.Input{Calls: spec.Aggregates, Raw: in, Functions: ctx.Functions, Stepwise: true}
	for _, c := range spec.Aggregates {
		if c.Own != nil {
			if !c.Own.Retracts && (spec.Frame.Bounded || spec.Retract) {
				return nil, nil, fmt.Errorf("aggregate %s: %s can't take values back, and rows leave what it goes over", c.Name, c.Own.Name)
			}
			continue
		}
		if fn := strings.ToUpper(c.Func); jobgraph.GoesByPlace(fn) && (spec.Frame.Range || spec.Frame.Bounded) {
			return nil, nil, fmt.Errorf("aggregate %s: %s goes by all rows up to a row, not by those of another frame", c.Name, fn)
		} else if jobgraph.GoesByWhole(fn) && !spec.FinalOnly {
			return nil, nil, fmt.Errorf("aggregate %s: %s needs the rows behind a row, which are there at the end only", c.Name, fn)
		}
	}
	if long(spec) {
		input.Retract = true
		p, err := aggregate.NewPlan(input)
		ordered := func(c aggregate.CountedSpec) bool { return c.Ordered }
		if err == nil && len(p.Listed) == 0 && !slices.ContainsFunc(p.Counted, ordered) && !p.Inexact {
			return p, &slider{plan: p}, nil
		}
		input.Retract = false
	}
	p, err := aggregate.NewPlan(input)
	return p, nil, err
}

// long tells whether frames have so many rows that each is better made of the one before it.
func long(spec *jobgraph.OverAggregateSpec) bool {
	f := spec.Frame
	return f.Bounded && !f.Range && f.Preceding >= slideRows
}

func (s *slider) open(layout stream.KeyLayout, values *aggregate.Repeats) {
	s.values = values
	s.table = aggregate.NewTable(layout, s.plan)
	s.folder.Use(s.plan)
}

// forget has the next frame made anew: rows of another batch may be the same batch's memory.
func (s *slider) forget() {
	if s != nil {
		s.batch = nil
	}
}

// frame makes a row of a table the frame of selected rows from, ..., to-1.
func (s *slider) frame(to *aggregate.Table, slot statebackend.Slot, b *stream.Batch, from, end int) error {
	if s.batch != b || from < s.rows[0] || end < s.rows[1] || from >= s.rows[1] {
		s.table.Clear()
		s.table.Blank()
		s.batch, s.rows = b, [2]int{from, from}
	}
	for len(s.minus) < b.Rows() {
		s.minus = append(s.minus, -1)
	}
	s.folder.Weigh(s.minus, nil)
	s.folder.Leave(s.values, s.rows[1])
	if err := s.fold(b, s.rows[0], from); err != nil {
		return err
	}
	s.folder.Weigh(nil, nil)
	s.folder.Enter(s.values, from)
	if err := s.fold(b, s.rows[1], end); err != nil {
		return err
	}
	s.rows = [2]int{from, end}
	return s.plan.Copy(to, slot, s.table, 0)
}

func (s *slider) fold(b *stream.Batch, from, to int) error {
	for from < to {
		next := min(from+aggregate.TileRows, to)
		s.tile = slices.Grow(s.tile[:0], next-from)[:next-from]
		clear(s.tile)
		if err := s.folder.Fold(s.table, b, from, s.tile); err != nil {
			return err
		}
		from = next
	}
	return nil
}
