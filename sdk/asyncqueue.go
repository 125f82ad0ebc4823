package sdk

import (
	"fmt"

	"millrace/sdk/rows"
	"millrace/stream"
)

// asyncRow is a row that has not left, or a mark.
type asyncRow[T, U any] struct {
	before, after *asyncRow[T, U]
	row           T
	kind          stream.RowKind
	tries         int // calls so far
	answered      bool
	results       []U
	mark          *asyncMark // nil: a row
}

// asyncMark is what came between two rows. Of each kind the last one counts.
type asyncMark struct {
	watermark stream.Watermark
	status    stream.Element // without a kind: there was none
	end       bool
}

func (r *asyncRow[T, U]) answer(results []U) { r.results, r.answered = results, true }

// nextRow returns the row behind this one.
func (r *asyncRow[T, U]) nextRow() *asyncRow[T, U] {
	n := r.after
	for n != nil && n.mark != nil {
		n = n.after
	}
	return n
}

func (f *async[T, U]) append(r *asyncRow[T, U]) {
	if r.before = f.last; f.last != nil {
		f.last.after = r
	} else {
		f.first = r
	}
	f.last = r
	if f.next == nil && r.mark == nil {
		f.next = r
	}
}

// remove takes a row out of the list; it still knows which one came behind it.
func (f *async[T, U]) remove(r *asyncRow[T, U]) {
	if r.before != nil {
		r.before.after = r.after
	} else {
		f.first = r.after
	}
	if r.after != nil {
		r.after.before = r.before
	} else {
		f.last = r.before
	}
	var none T
	r.row, r.results, r.before = none, nil, nil // the rows of a tile stand in one piece of memory
}

// Hold implements operators.Holder.
func (f *async[T, U]) Hold(e stream.Element) bool {
	if f.first == nil {
		return false
	}
	if f.last.mark == nil {
		f.append(&asyncRow[T, U]{mark: &asyncMark{watermark: stream.NoWatermark}})
	}
	switch m := f.last.mark; e.Kind {
	case stream.WatermarkElement:
		m.watermark = e.Watermark
	case stream.StatusElement:
		m.status = e
	default:
		m.end = true
	}
	return true
}

// settle gives what may leave. It is done when that is all, not when it is enough for now. Rows behind the first that was never asked for need not be looked at.
func (f *async[T, U]) settle() (done bool, err error) {
	done = true
	for r := f.first; r != nil && r != f.next && done; r = r.after {
		switch {
		case r.mark != nil:
			if r != f.first {
				return true, f.settled()
			}
			if err := f.release(r.mark); err != nil {
				return true, err
			}
			f.remove(r)
		case r.answered:
			f.out.kind = r.kind
			for _, u := range r.results {
				f.out.Collect(u)
			}
			f.underway--
			f.remove(r)
		case !f.calls.Unordered:
			return true, f.settled()
		}
		done = !f.rt.Enough()
	}
	return done, f.settled()
}

// settled hands on what was given.
func (f *async[T, U]) settled() error {
	if err := f.out.settle(); err != nil {
		return f.failed(err)
	}
	return nil
}

// release gives the signals of a mark.
func (f *async[T, U]) release(m *asyncMark) error {
	if err := f.settled(); err != nil {
		return err
	}
	if m.watermark != stream.NoWatermark {
		f.rt.Signal(stream.WatermarkOf(m.watermark))
	}
	if m.status.Kind != 0 {
		f.rt.Signal(m.status)
	}
	if m.end {
		f.rt.Signal(stream.End())
	}
	return nil
}

// keptRows is how many rows stand in one entry of the list: entries are what a change of the parallelism deals out.
const keptRows = 64

// Keep implements operators.Keeper. What has an answer that waits for its turn is asked for again after a restore, as everything is.
func (f *async[T, U]) Keep() error {
	builders := make([]stream.Builder, f.in.Schema.Len())
	for i, field := range f.in.Schema.Fields {
		builders[i].Init(f.rt.Pool, field.Type, keptRows)
	}
	defer func() {
		for i := range builders {
			builders[i].Close()
		}
	}()
	values, kinds := make([]T, 0, keptRows), make([]stream.RowKind, 0, keptRows)
	for r := f.first; r != nil; r = r.after {
		if r.mark == nil {
			values, kinds = append(values, r.row), append(kinds, r.kind)
		}
		if len(values) == 0 || len(values) < keptRows && r.after != nil {
			continue
		}
		if err := rows.Append(f.in, values, builders); err != nil {
			return f.failed(fmt.Errorf("a row that waits was changed by the function: %w", err))
		}
		b := f.rt.Pool.NewBatch(f.in.Schema, len(values))
		for i := range builders {
			b.Columns[i] = builders[i].Finish()
		}
		copy(b.MakeKinds(), kinds)
		if err := f.kept.Add(b); err != nil {
			return f.failed(err)
		}
		values, kinds = values[:0], kinds[:0]
	}
	return f.kept.Set()
}

// restore takes rows in that waited at the checkpoint, in front of all others. Of the watermarks that waited with them, only the last one is
// known, for it is the operator's: it goes behind them all. A row that was late for one in between may be on time then, which nobody can tell: no operator behind has seen that watermark.
func (f *async[T, U]) restore() error {
	tile := rows.NewTile[T](f.in, nil)
	err := f.kept.Each(func(b *stream.Batch) error {
		defer b.Release()
		return f.take(tile, b, 0)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	if w := f.rt.Watermark; w != stream.NoWatermark {
		f.append(&asyncRow[T, U]{mark: &asyncMark{watermark: w}})
	}
	return nil
}
