package nexmark

import (
	"millrace/operators"
	"millrace/stream"
	"millrace/types"
)

// prepared are the batches of a split's first epochs, which stand for all that
// follow: event n has the values of the event `events` before it, and a later
// time.
type prepared struct {
	batches []*stream.Batch // of rowsMax rows, save the last
	rows    int64           // of all batches
	events  int64           // of all splits, that a cycle stands for
	times   []int           // the columns that shift
}

// cycle returns how many epochs each split prepares, and for how many events of
// all splits they stand.
func (c *config) cycle(splits int64) (epochs, events int64) {
	epochs = max(int64(c.prepared)*int64(c.preparedRows)/c.proportions[c.only], 1)
	return epochs, epochs * splits * c.total
}

// CycleEvents returns after how many events a stream of prepared batches in so
// many splits begins again: event n has the values of event n - CycleEvents, and
// a time that is later by what CycleEvents events take. It is 0 without prepared
// batches.
func (s *Source) CycleEvents(splits int) int64 {
	if s.config.prepared == 0 {
		return 0
	}
	_, events := s.config.cycle(int64(splits))
	return events
}

// prepare makes the batches of a split.
func (r *reader) prepare(s *split) *prepared {
	epochs, events := r.g.cycle(s.splits)
	p := &prepared{rows: epochs * r.g.proportions[r.g.only], events: events}
	for i, f := range r.ctx.Schema.Fields {
		if f.Type.Kind == types.Timestamp || f.Type.Kind == types.TimestampLTZ {
			p.times = append(p.times, i)
		}
	}
	for next := s.index * r.g.total; next < p.events; {
		var rows []event
		rows, next = r.g.fill(r.events[:0], next, p.events, s.splits, s.base)
		if len(rows) > 0 {
			p.batches = append(p.batches, r.plan.batch(r.g, rows, r.out, r.ctx.Pool))
		}
	}
	return p
}

func (p *prepared) release() {
	for _, b := range p.batches {
		b.Release()
	}
	p.batches = nil
}

// replay gives the rest of a prepared batch, as far as limit allows, at the times
// of the cycle that the split has come to.
func (r *reader) replay(s *readSplit, limit int64) *stream.Batch {
	p := s.prepared
	row := r.g.rowsBefore(&s.split, s.next)
	left := r.g.rowsBefore(&s.split, limit) - row
	if left == 0 {
		s.next = limit
		return nil
	}
	cycle, in := row/p.rows, row%p.rows
	from := int(in) % r.rowsMax
	b := p.batches[int(in)/r.rowsMax]
	to := from + int(min(left, int64(b.Rows()-from)))
	out := p.shift(b, r.g.pace.at(cycle*p.events))
	s.next = r.g.numberOf(&s.split, row+int64(to-from))
	if to-from == b.Rows() {
		return out
	}
	defer out.Release()
	return operators.Slice(out, from, to)
}

// shift returns a batch that shares all columns but those of times.
func (p *prepared) shift(b *stream.Batch, millis int64) *stream.Batch {
	out := b.Share()
	for _, i := range p.times {
		old := &b.Columns[i]
		fresh := stream.NewFixed(b.Pool(), old.Type, b.Len())
		to := stream.Values[int64](&fresh)
		for k, at := range stream.Values[int64](old) {
			to[k] = at + millis
		}
		out.Columns[i].Release()
		out.Columns[i] = fresh
	}
	return out
}

// rowsBefore returns how many rows of the wanted kind the split has before event n.
func (g *generator) rowsBefore(s *split, n int64) int64 {
	epoch, i := n/g.total, n%g.total
	own := max(epoch-s.index+s.splits-1, 0) / s.splits // whole epochs of the split
	rows := own * g.proportions[g.only]
	if epoch >= s.index && (epoch-s.index)%s.splits == 0 {
		rows += min(max(i-g.before(g.only), 0), g.proportions[g.only])
	}
	return rows
}

// numberOf returns the number of the event behind the split's first rows: the
// inverse of rowsBefore.
func (g *generator) numberOf(s *split, rows int64) int64 {
	each := g.proportions[g.only]
	epoch := (s.index + rows/each*s.splits) * g.total
	if rows%each == 0 {
		return epoch
	}
	return epoch + g.before(g.only) + rows%each
}

// before returns how many events of an epoch come before those of a kind.
func (g *generator) before(k kind) (n int64) {
	for _, p := range g.proportions[:k] {
		n += p
	}
	return n
}
