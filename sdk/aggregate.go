package sdk

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/native"
	"millrace/operators/window"
	"millrace/sdk/rows"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Aggregator aggregates the rows of a key and window into an Acc, which is kept as a state is (see NewValue) and begins as the zero Acc.
type Aggregator[K, T, Acc, Out any] struct {
	// Add adds a row, which it borrows.
	Add func(acc *Acc, row *T) error
	// Merge adds to acc, that of a session, what a later session has, which it borrows: a row has come that makes one of the two. Sessions need it; other windows do
	// without.
	Merge func(acc, other *Acc) error
	// Result makes the row that the window gives when it closes, and of a window that takes rows after that (AllowedLateness) once for each of them. What it
	// changes in acc is not kept.
	Result func(w WindowOf[K], acc *Acc) (Out, error)
}

// WindowOf is a window of a key.
type WindowOf[K any] struct {
	Key K
	// Rows are at or behind Start and before End. Of a session, Start is the time of the first row, and End is the gap behind the last.
	Start, End time.Time
}

// Aggregate aggregates the rows of each key and window by functions in Go.
//
// A window gives its row when event time has reached its last millisecond, windows that end earlier first. Rows that come for it later are late, but with AllowedLateness, which says
// what becomes of them.
//
// When a job goes on from a savepoint with other windows, those that are there keep their ends: they take the rows of new windows that end there, and their Start is that of the new. Sessions are kept as they
// are, and grow by the new gap. Sessions in place of other windows, or the other way round, are other state.
func Aggregate[K, T, Acc, Out any](w *Windowed[K, T], uid string, of Aggregator[K, T, Acc, Out], options ...Option) *Stream[Out] {
	if !w.ok() {
		return broken[Out](w.env)
	}
	m := mappingOf[Out](w.env)
	acc, err := rows.StateOf(reflect.TypeFor[Acc]())
	if err != nil {
		w.env.Problemf("the accumulator %s", err)
	}
	of.check(w)
	if err := window.Check(&w.window.spec); err != nil {
		w.env.Problemf("%s", err)
		return broken[Out](w.env)
	}
	if m == nil || acc == nil {
		return broken[Out](w.env)
	}
	spec := &jobgraph.NativeSpec{Inputs: []jobgraph.NativeInput{w.keyedInput()}, Output: m.Schema}
	if w.late {
		spec.Sides = append(spec.Sides, w.schema)
	}
	n := w.env.stateful("aggregate", uid, options, w.hash())
	base := func() aggregating[K, T, Acc, Out] {
		return aggregating[K, T, Acc, Out]{
			guard: guardOf(n), windows: w, of: of, cells: acc.Cells(), lateness: w.lateness.Milliseconds(), tile: w.tile(),
			keys: rows.NewTile[K](w.keys, nil), keysOfRows: rows.NewTile[K](w.keys, w.by), out: newCollector[Out](m),
		}
	}
	if w.window.spec.Kind == jobgraph.Session {
		spec.Tables = sessionTables(acc)
		n.native(spec, func() native.Function {
			return &sessions[K, T, Acc, Out]{aggregating: base(), gap: w.window.spec.Size.Milliseconds(), mapping: acc}
		})
	} else {
		spec.Tables = windowTables(acc.Cells(), w.lateness > 0)
		n.native(spec, func() native.Function {
			return &aggregate[K, T, Acc, Out]{aggregating: base(), shape: window.ShapeOf(&w.window.spec)}
		})
	}
	w.keepLate(n)
	return streamOf[Out](n, 0, m)
}

// check notes functions that are missing.
func (a *Aggregator[K, T, Acc, Out]) check(w *Windowed[K, T]) {
	if a.Add == nil || a.Result == nil {
		w.env.Problemf("an Aggregator needs Add and Result")
	}
	if w.window.spec.Kind == jobgraph.Session && a.Merge == nil {
		w.env.problem(failure.Message{
			Primary: "windows that are sessions need an Aggregator with Merge, since a row may come that makes one of two sessions",
			Hint:    "give it a Merge that adds what another session has, or use AggregateColumns",
		})
	}
}

// aggregating is what the aggregates of all windows have in common.
type aggregating[K, T, Acc, Out any] struct {
	guard
	windows    *Windowed[K, T]
	of         Aggregator[K, T, Acc, Out]
	cells      *rows.Cells
	lateness   int64 // allowed, in milliseconds
	tile       *rows.Tile[T]
	keys       *rows.Tile[K] // of windows
	keysOfRows *rows.Tile[K]
	out        *Collector[Out]

	rt        *native.Runtime
	reader    *stream.KeyReader
	all       *stream.Keys // of the batch
	one       native.Keys  // of these
	watermark int64
	late      []int32
	slots     []statebackend.Slot
	acc       Acc

	// The tile under way.
	b       *stream.Batch
	times   *stream.Vector
	from, n int
	rowKeys []K // nil: nobody asked for them
}

func (a *aggregating[K, T, Acc, Out]) begin(rt *native.Runtime) (err error) {
	a.rt, a.watermark = rt, int64(rt.Watermark)
	a.open(rt.Context)
	a.out.out = rt.Out(operators.MainPort)
	a.slots = make([]statebackend.Slot, rows.TileRows)
	a.reader, err = stream.NewKeyReader(a.windows.schema, a.windows.by)
	return err
}

// take gives the rows of a batch to add, tile by tile, until enough has been given. add returns how many rows of a tile it has taken.
func (a *aggregating[K, T, Acc, Out]) take(b *stream.Batch, from int, add func(tile []T) (int, error)) (to int, err error) {
	defer a.recovered(&err)
	if from == 0 {
		a.all = a.reader.Read(b)
		a.one.Set(a.all)
	}
	a.late = a.late[:0]
	for n := b.Rows(); from < n && !a.rt.Enough(); {
		a.b, a.times, a.from, a.n, a.rowKeys = b, &b.Columns[a.windows.rowtime()], from, min(rows.TileRows, n-from), nil
		tile, err := a.tile.Read(b, from, from+a.n)
		taken := 0
		if err == nil {
			taken, err = add(tile)
		}
		if err == nil {
			err = a.out.settle()
		}
		if err != nil {
			return from, a.failed(err)
		}
		from += taken
	}
	a.rt.Counts.Late += int64(len(a.late))
	if len(a.late) > 0 && a.windows.late {
		slices.Sort(a.late)
		a.rt.Give(1, operators.Select(b, a.late))
	}
	return from, nil
}

// at returns the time of a row of the tile.
func (a *aggregating[K, T, Acc, Out]) at(i int, tile []T) (int64, error) {
	t := stream.Value[int64](a.times, a.b.Row(a.from+i))
	if !window.Covers(t) {
		return t, a.uncovered(&tile[i], t)
	}
	return t, nil
}

func (a *aggregating[K, T, Acc, Out]) uncovered(row *T, t int64) error {
	a.row = func() any { return *row }
	return fmt.Errorf("the event time is %d ms from 1970, beyond the times that windows cover", t)
}

// isLate notes a row of the tile for which nothing is kept any more.
func (a *aggregating[K, T, Acc, Out]) isLate(i int) {
	a.late = append(a.late, int32(a.b.Row(a.from+i)))
}

// closed tells whether event time has reached the last millisecond of a window.
func (a *aggregating[K, T, Acc, Out]) closed(end int64) bool { return end-1 <= a.watermark }

// gone tells whether a window is not kept any longer.
func (a *aggregating[K, T, Acc, Out]) gone(end int64) bool { return end-1+a.lateness <= a.watermark }

// giveAgain gives the result, of acc, of a window that is closed and has taken row i of the tile.
func (a *aggregating[K, T, Acc, Out]) giveAgain(i int, start, end int64) (err error) {
	if a.rowKeys == nil {
		if a.rowKeys, err = a.keysOfRows.Read(a.b, a.from, a.from+a.n); err != nil {
			return err
		}
	}
	return a.give(WindowOf[K]{Key: a.rowKeys[i], Start: timeOf(start), End: timeOf(end)})
}

// give gives the result, of acc, of a window.
func (a *aggregating[K, T, Acc, Out]) give(w WindowOf[K]) error {
	row, err := a.of.Result(w, &a.acc)
	if err == nil {
		a.out.Collect(row)
	}
	return err
}

// text shows a window of which the result is made.
func (w *WindowOf[K]) text() any {
	return fmt.Sprintf("of the window from %s of key %v", w.Start.Format(time.RFC3339Nano), w.Key)
}

// firedColumn tells of a window that it has given the result of all that it has. No field can have the name.
const firedColumn = "?fired"

var (
	flagType = types.Of(types.Boolean).NotNull()
	timeType = types.TimestampLTZOf(3).NotNull()
)
