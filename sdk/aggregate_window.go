package sdk

import (
	"slices"

	"millrace/jobgraph"
	"millrace/operators/native"
	"millrace/operators/window"
	"millrace/sdk/rows"
	"millrace/statebackend"
	"millrace/stream"
)

// windowsTable has the accumulators, by window and key.
const windowsTable = "windows"

// windowTables are those of windows that are no sessions. Where they are kept when they have closed it must be known which have given their result: event time may be behind that after a
// restore, as tasks may have been apart.
func windowTables(cells *rows.Cells, kept bool) []jobgraph.NativeTable {
	t := jobgraph.NativeTable{Name: windowsTable, Shape: jobgraph.NativeValue, Namespaced: true, Columns: cells.Columns}
	if kept {
		t.Columns = append(t.Columns, jobgraph.NativeColumn{Name: firedColumn, Type: flagType})
	}
	return []jobgraph.NativeTable{t}
}

// aggregate implements native.Function and native.Firer, for windows that are no sessions.
type aggregate[K, T, Acc, Out any] struct {
	aggregating[K, T, Acc, Out]
	shape   window.Shape
	table   statebackend.ValueTable
	builder *stream.KeyBuilder
	fired   int  // the word that tells whether a window has given its result, where some are kept
	blank   bool // a blank row is the zero Acc
	zero    Acc
	former  []statebackend.Slot

	added     int     // as far as this, rows of the batch are in their open windows
	firsts    []int64 // the ends of the first windows of the rows of a tile
	lasts     []int64 // of the last ones
	distinct  []int64 // of the former
	positions []int32 // of the rows of a tile in one window
	some      stream.Keys

	before  int64 // the watermark before the one under way
	fires   bool  // one is
	firing  int64 // the window under way
	part    statebackend.Part
	scanned statebackend.Slot
	vectors []stream.Vector
	due     []int64 // windows that are closed, ascending
	next    int     // of them
}

func (a *aggregate[K, T, Acc, Out]) Open(rt *native.Runtime) error {
	a.table, a.fired, a.blank = rt.Tables.Values[windowsTable], a.cells.Words, a.cells.BlankIsZero()
	a.former = make([]statebackend.Slot, rows.TileRows)
	a.firsts, a.lasts = make([]int64, rows.TileRows), make([]int64, rows.TileRows)
	types := rt.Spec.KeyTypes()
	a.builder = stream.NewKeyBuilder(rt.Pool, types, rows.TileRows)
	a.vectors = make([]stream.Vector, len(types))
	return a.begin(rt)
}

// Rows adds rows to their windows.
func (a *aggregate[K, T, Acc, Out]) Rows(_ int, b *stream.Batch, from int) (to int, err error) {
	if from == 0 {
		a.added = 0
	}
	return a.take(b, from, a.add)
}

// add adds a tile to the windows that its rows are in, one window after the other, each with its rows in their order. Those that are closed and kept come behind, row by row.
func (a *aggregate[K, T, Acc, Out]) add(tile []T) (int, error) {
	firsts, lasts := a.firsts[:len(tile)], a.lasts[:len(tile)]
	a.distinct = a.distinct[:0]
	kept := false
	for i := range firsts {
		t, err := a.at(i, tile)
		if err != nil {
			return 0, err
		}
		firsts[i] = a.shape.End(t)
		lasts[i] = a.shape.Last(firsts[i])
		kept = kept || a.lateness > 0 && a.closed(firsts[i]) && !a.gone(lasts[i])
		switch {
		case a.from+i < a.added:
			lasts[i] = noWindow
			continue
		case a.gone(lasts[i]):
			a.isLate(i)
		default:
			a.rt.Counts.Folded++
		}
		if !slices.Contains(a.distinct, firsts[i]) {
			a.distinct = append(a.distinct, firsts[i])
		}
	}
	slices.Sort(a.distinct)
	next := noWindow
	for _, first := range a.distinct {
		for end := max(first, next); end <= a.shape.Last(first); end = next {
			next = end + a.shape.Pane()
			if a.closed(end) {
				continue
			}
			if err := a.addTo(end, tile); err != nil {
				return 0, err
			}
		}
	}
	a.added = max(a.added, a.from+len(tile))
	if !kept {
		return len(tile), nil
	}
	return a.addToKept(tile)
}

// noWindow stands for the end of a window that is none, before all others.
const noWindow = int64(stream.NoWatermark)

// addTo adds the rows of a tile that are in a window, which is open.
func (a *aggregate[K, T, Acc, Out]) addTo(end int64, tile []T) error {
	a.positions = a.positions[:0]
	for i, last := range a.lasts[:len(tile)] {
		if a.firsts[i] <= end && end <= last {
			a.positions = append(a.positions, int32(a.from+i))
		}
	}
	a.some.Reset(a.all.Layout)
	a.some.AppendRows(a.all, a.positions)
	slots := a.slots[:len(a.positions)]
	part, err := a.found(end, &a.some, slots)
	if err != nil {
		return err
	}
	at := 0
	a.row = func() any { return tile[at] }
	for i, s := range slots {
		at = int(a.positions[i]) - a.from
		if err := a.addRow(part, s, &tile[at]); err != nil {
			return err
		}
	}
	a.row = nil
	if a.lateness > 0 {
		in := part.Rows()
		for _, s := range slots {
			in.At(s)[a.fired] = 0
		}
	}
	return nil
}

// found finds the rows of keys in a window. New ones have the zero Acc, which need not be that of a blank row; which they are, only a look beforehand tells, since rows that left memory for
// a while leave their places to others.
func (a *aggregate[K, T, Acc, Out]) found(end int64, keys *stream.Keys, slots []statebackend.Slot) (statebackend.Part, error) {
	part := a.table.Part(end, true)
	if a.blank {
		_, err := part.Upsert(keys, slots)
		return part, err
	}
	former := a.former[:len(slots)]
	part.Find(keys, former)
	if _, err := part.Upsert(keys, slots); err != nil {
		return nil, err
	}
	for i, s := range slots {
		if former[i] != statebackend.NoSlot {
			continue
		}
		if err := a.cells.Store(part, s, pointer(&a.zero)); err != nil {
			return nil, err
		}
	}
	return part, nil
}

func (a *aggregate[K, T, Acc, Out]) addRow(part statebackend.Part, s statebackend.Slot, row *T) error {
	if err := a.cells.Load(part, s, pointer(&a.acc)); err != nil {
		return err
	}
	if err := a.of.Add(&a.acc, row); err != nil {
		return err
	}
	return a.cells.Store(part, s, pointer(&a.acc))
}

// addToKept adds rows to windows that are closed and kept, one row after the other and the earliest of its windows first, and gives what each window has then: what leaves does not depend
// on which rows came together. It ends behind a row when enough was given.
func (a *aggregate[K, T, Acc, Out]) addToKept(tile []T) (int, error) {
	at := 0
	a.row = func() any { return tile[at] }
	for at = range tile {
		if a.rt.Enough() {
			a.row = nil
			return at, nil
		}
		last := a.shape.Last(a.firsts[at])
		for end := a.firsts[at]; end <= last && a.closed(end); end += a.shape.Pane() {
			if a.gone(end) {
				continue
			}
			part, err := a.found(end, a.one.At(a.from+at), a.slots[:1])
			if err != nil {
				return at, err
			}
			if err := a.addRow(part, a.slots[0], &tile[at]); err != nil {
				return at, err
			}
			part.Rows().At(a.slots[0])[a.fired] = 1
			if err := a.giveAgain(at, a.shape.Start(end), end); err != nil {
				return at, err
			}
		}
	}
	a.row = nil
	return len(tile), nil
}

// Fire gives the windows that event time closes, the earliest first, and forgets those that it is past by the allowed lateness.
func (a *aggregate[K, T, Acc, Out]) Fire(w stream.Watermark) (done bool, err error) {
	defer a.recovered(&err)
	if !a.fires {
		a.before, a.watermark, a.fires = a.watermark, int64(w), true
		a.due, a.next = a.table.Namespaces(a.due[:0]), 0
	}
	for !a.rt.Enough() {
		if a.part == nil && !a.nextWindow() {
			a.fires = false
			return true, nil
		}
		slots := a.slots[:rows.TileRows]
		n, next := a.part.Scan(a.scanned, slots)
		if a.scanned = next; n == 0 {
			a.part = nil
			a.forget(a.firing)
			continue
		}
		if err := a.results(a.unfired(slots[:n])); err != nil {
			return true, a.failed(err)
		}
	}
	return false, nil
}

// nextWindow takes the earliest window that is closed by now and was not before: these are kept, or were when the job allowed more lateness, and have given their results.
func (a *aggregate[K, T, Acc, Out]) nextWindow() bool {
	for ; a.next < len(a.due) && a.closed(a.due[a.next]); a.next++ {
		end := a.due[a.next]
		if end-1 <= a.before {
			a.forget(end)
			continue
		}
		a.firing, a.scanned = end, 0
		a.part = a.table.Part(end, false)
		a.next++
		return true
	}
	return false
}

// forget forgets a window that is closed, unless it is kept.
func (a *aggregate[K, T, Acc, Out]) forget(end int64) {
	if a.gone(end) {
		a.table.Drop(end)
	}
}

// unfired returns those of some rows of the window under way that have not given their result. They are about to.
func (a *aggregate[K, T, Acc, Out]) unfired(slots []statebackend.Slot) []statebackend.Slot {
	if a.lateness == 0 {
		return slots
	}
	out, in := slots[:0], a.part.Rows()
	for _, s := range slots {
		if words := in.At(s); words[a.fired] == 0 {
			words[a.fired] = 1
			out = append(out, s)
		}
	}
	a.part.Touch(out)
	return out
}

func (a *aggregate[K, T, Acc, Out]) results(slots []statebackend.Slot) error {
	if err := a.part.AppendKeys(slots, a.builder); err != nil {
		return err
	}
	for i := range a.vectors {
		a.vectors[i] = a.builder.Finish(i)
		defer a.vectors[i].Release()
	}
	keys, err := a.keys.ReadColumns(a.vectors, 0, len(slots))
	if err != nil {
		return err
	}
	w := WindowOf[K]{End: timeOf(a.firing), Start: timeOf(a.shape.Start(a.firing))}
	a.row = w.text
	for i, s := range slots {
		if err := a.cells.Load(a.part, s, pointer(&a.acc)); err != nil {
			return err
		}
		w.Key = keys[i]
		if err := a.give(w); err != nil {
			return err
		}
	}
	a.row = nil
	return a.out.settle()
}

func (a *aggregate[K, T, Acc, Out]) Close() error {
	a.builder.Close()
	return nil
}
