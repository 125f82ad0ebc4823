package sdk

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/native"
	"millrace/operators/window"
	"millrace/sdk/rows"
	"millrace/statebackend"
	"millrace/stream"
)

// Aggregator aggregates the rows of a key and window into an Acc, which is kept as a state is (see NewValue) and begins as the zero Acc.
type Aggregator[K, T, Acc, Out any] struct {
	// Add adds a row, which it borrows.
	Add func(acc *Acc, row *T) error
	// Result makes the row that the window gives when it closes.
	Result func(w WindowOf[K], acc *Acc) (Out, error)
}

// WindowOf is a window of a key.
type WindowOf[K any] struct {
	Key        K
	Start, End time.Time // rows are at or behind Start and before End
}

// Aggregate aggregates the rows of each key and window by functions in Go. Windows are tumbling, hopping or cumulating; sessions are a KeyedProcess with a
// timer, or AggregateColumns.
func Aggregate[K, T, Acc, Out any](w *Windowed[K, T], uid string, of Aggregator[K, T, Acc, Out], options ...Option) *Stream[Out] {
	if !w.ok() {
		return broken[Out](w.env)
	}
	m := mappingOf[Out](w.env)
	acc, err := rows.StateOf(reflect.TypeFor[Acc]())
	if err != nil {
		w.env.Problemf("the accumulator %s", err)
	}
	if w.window.spec.Kind == jobgraph.Session {
		w.env.Problemf("windows that are sessions have no row-level aggregate: use AggregateColumns, or KeyedProcess with a timer")
	}
	if err := window.Check(&w.window.spec); err != nil {
		w.env.Problemf("%s", err)
		return broken[Out](w.env)
	}
	if m == nil || acc == nil {
		return broken[Out](w.env)
	}
	cells := acc.Cells()
	spec := &jobgraph.NativeSpec{
		Inputs: []jobgraph.NativeInput{w.keyedInput()}, Output: m.Schema,
		Tables: []jobgraph.NativeTable{{Name: windowsTable, Shape: jobgraph.NativeValue, Namespaced: true, Columns: cells.Columns}},
	}
	if w.late {
		spec.Sides = append(spec.Sides, w.schema)
	}
	n := w.env.stateful("aggregate", uid, options, w.hash())
	n.native(spec, func() native.Function {
		return &aggregate[K, T, Acc, Out]{
			guard: guardOf(n), windows: w, shape: window.ShapeOf(&w.window.spec), of: of, cells: cells, tile: w.tile(), keys: rows.NewTile[K](w.keys, nil), out: newCollector[Out](m),
		}
	})
	w.keepLate(n)
	return streamOf[Out](n, 0, m)
}

// windowsTable has the accumulators, by window and key.
const windowsTable = "windows"

// aggregate implements native.Function and native.Firer.
type aggregate[K, T, Acc, Out any] struct {
	guard
	windows *Windowed[K, T]
	shape   window.Shape
	of      Aggregator[K, T, Acc, Out]
	cells   *rows.Cells
	tile    *rows.Tile[T]
	keys    *rows.Tile[K]
	out     *Collector[Out]

	rt        *native.Runtime
	table     statebackend.ValueTable
	reader    *stream.KeyReader
	builder   *stream.KeyBuilder
	all       *stream.Keys // of the batch
	watermark int64

	blank  bool // a blank row is the zero Acc
	zero   Acc
	former []statebackend.Slot

	firsts    []int64 // the ends of the first windows of the rows of a tile
	lasts     []int64 // of the last ones
	distinct  []int64 // of the former
	positions []int32 // of the rows of a tile in one window
	some      stream.Keys
	slots     []statebackend.Slot
	late      []int32
	acc       Acc

	firing  int64 // the window under way
	part    statebackend.Part
	scanned statebackend.Slot
	vectors []stream.Vector
	due     []int64
}

func (a *aggregate[K, T, Acc, Out]) Open(rt *native.Runtime) (err error) {
	a.rt, a.table, a.watermark = rt, rt.Tables.Values[windowsTable], int64(rt.Watermark)
	a.open(rt.Context)
	a.out.out = rt.Out(operators.MainPort)
	a.slots, a.former = make([]statebackend.Slot, rows.TileRows), make([]statebackend.Slot, rows.TileRows)
	a.firsts, a.lasts, a.blank = make([]int64, rows.TileRows), make([]int64, rows.TileRows), a.cells.BlankIsZero()
	types := rt.Spec.KeyTypes()
	a.builder = stream.NewKeyBuilder(rt.Pool, types, rows.TileRows)
	a.vectors = make([]stream.Vector, len(types))
	a.reader, err = stream.NewKeyReader(a.windows.schema, a.windows.by)
	return err
}

// Rows adds rows to their windows.
func (a *aggregate[K, T, Acc, Out]) Rows(_ int, b *stream.Batch, from int) (to int, err error) {
	defer a.recovered(&err)
	if from == 0 {
		a.all = a.reader.Read(b)
	}
	a.late = a.late[:0]
	for n := b.Rows(); from < n; from += rows.TileRows {
		tile, err := a.tile.Read(b, from, min(from+rows.TileRows, n))
		if err == nil {
			err = a.add(b, tile, from)
		}
		if err != nil {
			return from, a.failed(err)
		}
	}
	a.rt.Counts.Late += int64(len(a.late))
	if len(a.late) > 0 && a.windows.late {
		slices.Sort(a.late)
		a.rt.Give(1, operators.Select(b, a.late))
	}
	return b.Rows(), nil
}

// add adds a tile to the windows that its rows are in, one window after the other, each with its rows in their order.
func (a *aggregate[K, T, Acc, Out]) add(b *stream.Batch, tile []T, from int) error {
	times := &b.Columns[a.windows.rowtime()]
	firsts, lasts := a.firsts[:len(tile)], a.lasts[:len(tile)]
	a.distinct = a.distinct[:0]
	for i := range firsts {
		firsts[i] = a.shape.End(stream.Value[int64](times, b.Row(from+i)))
		lasts[i] = a.shape.Last(firsts[i])
		if lasts[i]-1 <= a.watermark {
			a.late = append(a.late, int32(b.Row(from+i)))
			continue
		}
		a.rt.Counts.Folded++
		if !slices.Contains(a.distinct, firsts[i]) {
			a.distinct = append(a.distinct, firsts[i])
		}
	}
	slices.Sort(a.distinct)
	next := int64(math.MinInt64)
	for _, first := range a.distinct {
		for end := max(first, next); end <= a.shape.Last(first); end = next {
			next = end + a.shape.Pane()
			if end-1 <= a.watermark {
				continue
			}
			if err := a.addTo(end, tile, from); err != nil {
				return err
			}
		}
	}
	return nil
}

// addTo adds the rows of a tile that are in a window, which is open.
func (a *aggregate[K, T, Acc, Out]) addTo(end int64, tile []T, from int) error {
	a.positions = a.positions[:0]
	for i, last := range a.lasts[:len(tile)] {
		if a.firsts[i] <= end && end <= last {
			a.positions = append(a.positions, int32(from+i))
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
		at = int(a.positions[i]) - from
		if err := a.cells.Load(part, s, pointer(&a.acc)); err != nil {
			return err
		}
		if err := a.of.Add(&a.acc, &tile[at]); err != nil {
			return err
		}
		if err := a.cells.Store(part, s, pointer(&a.acc)); err != nil {
			return err
		}
	}
	a.row = nil
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

// Fire gives the windows that event time closes, the earliest first.
func (a *aggregate[K, T, Acc, Out]) Fire(w stream.Watermark) (done bool, err error) {
	defer a.recovered(&err)
	a.watermark = int64(w)
	for !a.rt.Enough() {
		if a.part == nil && !a.nextWindow() {
			return true, nil
		}
		slots := a.slots[:rows.TileRows]
		n, next := a.part.Scan(a.scanned, slots)
		if a.scanned = next; n == 0 {
			a.table.Drop(a.firing)
			a.part = nil
			continue
		}
		if err := a.results(slots[:n]); err != nil {
			return true, a.failed(err)
		}
	}
	return false, nil
}

// nextWindow takes the earliest window that is closed.
func (a *aggregate[K, T, Acc, Out]) nextWindow() bool {
	a.due = a.table.Namespaces(a.due[:0])
	if len(a.due) == 0 || a.due[0]-1 > a.watermark {
		return false
	}
	a.firing, a.scanned = a.due[0], 0
	a.part = a.table.Part(a.firing, false)
	return true
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
	a.row = func() any {
		return fmt.Sprintf("of the window from %s of key %v", w.Start.Format(time.RFC3339Nano), w.Key)
	}
	for i, s := range slots {
		if err := a.cells.Load(a.part, s, pointer(&a.acc)); err != nil {
			return err
		}
		w.Key = keys[i]
		row, err := a.of.Result(w, &a.acc)
		if err != nil {
			return err
		}
		a.out.Collect(row)
	}
	a.row = nil
	return a.out.settle()
}

func (a *aggregate[K, T, Acc, Out]) Close() error {
	a.builder.Close()
	return nil
}
