package sdk

import (
	"fmt"
	"reflect"
	"time"
	"unsafe"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/jobgraph"
	groups "millrace/operators/aggregate"
	"millrace/sdk/rows"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// AggregateOf is an aggregate function for SQL. An Acc is what is kept of a group, as a state is (see NewValue); it begins as the zero Acc.
type AggregateOf[V, Acc, R any] struct {
	// Add adds a value.
	Add func(acc *Acc, v V) error
	// Retract takes back a value that was added. Without it, rows that may take others back are refused, and OVER frames that rows leave.
	Retract func(acc *Acc, v V) error
	// Merge adds what another part of the group has to acc. Without it each row goes to the task of its group as it is, and into each of its windows, and there are no SESSION windows.
	Merge func(acc, other *Acc) error
	// Result is what the group gives; of no value too. It changes nothing of acc.
	Result func(acc *Acc) (R, error)
}

// AggregateFunc has SQL call an aggregate function, in GROUP BY, in windows and OVER rows: SELECT NAME(a) ..., or NAME(DISTINCT a). A V that is a struct of the user's stands for as many arguments as it has columns. Where V
// takes no NULL, rows that have one count for nothing. Failures are as ScalarFunc's. Each task has its own, so functions need not be safe for concurrent use unless they share something.
func AggregateFunc[V, Acc, R any](e *Env, name string, of AggregateOf[V, Acc, R], options ...FuncOption) {
	if reflect.TypeFor[V]().Kind() == reflect.Pointer {
		aggregateFunc(e, name, unpacked(of), options)
		return
	}
	aggregateFunc(e, name, of, options)
}

// unpacked is the function of arguments that are no struct.
func unpacked[V, Acc, R any](of AggregateOf[V, Acc, R]) AggregateOf[one[V], Acc, R] {
	out := AggregateOf[one[V], Acc, R]{Merge: of.Merge, Result: of.Result}
	if of.Add != nil {
		out.Add = func(acc *Acc, v one[V]) error { return of.Add(acc, v.A) }
	}
	if of.Retract != nil {
		out.Retract = func(acc *Acc, v one[V]) error { return of.Retract(acc, v.A) }
	}
	return out
}

func aggregateFunc[V, Acc, R any](e *Env, name string, of AggregateOf[V, Acc, R], options []FuncOption) {
	in, out := signature[V](e, name), resultOf[R](e, name)
	acc, err := rows.StateOf(reflect.TypeFor[Acc]())
	if err != nil {
		e.Problemf("the accumulator of the function %s: %s", name, err)
	}
	if of.Add == nil || of.Result == nil {
		e.Problemf("the aggregate function %s needs Add and Result", name)
		return
	}
	if in == nil || out == nil || err != nil {
		return
	}
	cells := acc.Cells()
	spec := jobgraph.FunctionSpec{
		Name: name, Kind: jobgraph.AggregateFunction, Args: typesOf(in), Result: out.Schema.Fields[0].Type, Retracts: of.Retract != nil, Merges: of.Merge != nil,
	}
	for _, c := range cells.Columns {
		spec.Accumulator = append(spec.Accumulator, types.Field{Name: c.Name, Type: c.Type})
	}
	spec.Accumulator = append(spec.Accumulator, types.Field{Name: begun, Type: types.Of(types.Boolean).NotNull()})
	e.declareFunction(spec, func(*expr.Declared) any {
		return groups.NewFunction(func() groups.Function {
			c := &aggregateCall[V, Acc, R]{of: of, cells: cells, tile: rows.NewTile[V](in, nil), out: out, most: rows.TileRows}
			if refers(reflect.TypeFor[R]()) {
				c.most = 1
			}
			return c
		})
	}, options)
}

// begun is the column that tells a group from one of which nothing came, whose words are all 0: for an Acc that may not be its zero. No field has such a name.
const begun = "?"

// refers tells whether a value may refer to what an accumulator has, which changes behind its back.
func refers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	case reflect.Array:
		return refers(t.Elem())
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() { // whose zone nobody changes
			return false
		}
		for f := range t.Fields() {
			if refers(f.Type) {
				return true
			}
		}
		return false
	default:
		return false
	}
}

// aggregateCall implements groups.Function, Retracter, Merger and Stepper.
type aggregateCall[V, Acc, R any] struct {
	of    AggregateOf[V, Acc, R]
	cells *rows.Cells
	tile  *rows.Tile[V]
	out   *rows.Mapping

	at    statebackend.Slot // whose accumulator acc is; NoSlot: nobody's
	acc   Acc
	other Acc
	// results are n of those that are to be appended, most at once: where they may refer to the accumulator, each before there is another.
	results [rows.TileRows]value[R]
	n, most int
}

// give takes what the accumulator other gives.
func (c *aggregateCall[V, Acc, R]) give(to *stream.Builder) error {
	r, err := c.of.Result(&c.other)
	if err != nil {
		return err
	}
	c.results[c.n].Value = r
	if c.n++; c.n == c.most {
		return c.append(to)
	}
	return nil
}

// append appends the results that are there.
func (c *aggregateCall[V, Acc, R]) append(to *stream.Builder) error {
	n := c.n
	c.n = 0
	return rows.Append(c.out, c.results[:n], unsafe.Slice(to, 1))
}

// load has acc be that of a slot, after it has stored the one before.
func (c *aggregateCall[V, Acc, R]) load(of groups.Accumulators, s statebackend.Slot) error {
	if c.at == s {
		return nil
	}
	if err := c.store(of); err != nil {
		return err
	}
	c.at = s
	return c.read(of, s, &c.acc)
}

func (c *aggregateCall[V, Acc, R]) read(of groups.Accumulators, s statebackend.Slot, acc *Acc) error {
	if of.Rows().At(s)[c.cells.Words] == 0 {
		var zero Acc
		*acc = zero
		return nil
	}
	return c.cells.Load(of, s, pointer(acc))
}

// store puts acc back.
func (c *aggregateCall[V, Acc, R]) store(of groups.Accumulators) error {
	if c.at == statebackend.NoSlot {
		return nil
	}
	s := c.at
	c.at = statebackend.NoSlot
	of.Rows().At(s)[c.cells.Words] = 1
	return c.cells.Store(of, s, pointer(&c.acc))
}

// Accumulate implements groups.Function.
func (c *aggregateCall[V, Acc, R]) Accumulate(into groups.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	return c.each(into, slots, args, c.of.Add)
}

// Retract implements groups.Retracter.
func (c *aggregateCall[V, Acc, R]) Retract(from groups.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	return c.each(from, slots, args, c.of.Retract)
}

// each calls f for the values of a batch.
func (c *aggregateCall[V, Acc, R]) each(of groups.Accumulators, slots []statebackend.Slot, args *stream.Batch, f func(*Acc, V) error) (err error) {
	row := 0
	defer func() {
		if r := recover(); r != nil {
			err = &kernel.RowError{Row: row, Panic: kernel.Thrown(r)}
		}
	}()
	c.at = statebackend.NoSlot
	for from, n := 0, args.Rows(); from < n; from += rows.TileRows {
		tile, err := c.tile.Read(args, from, min(from+rows.TileRows, n))
		if err != nil {
			return err
		}
		for i := range tile {
			row = from + i
			if err := c.load(of, slots[row]); err != nil {
				return err
			}
			if err := f(&c.acc, tile[i]); err != nil {
				return &kernel.RowError{Row: row, Err: err}
			}
		}
	}
	return c.store(of)
}

// Merge implements groups.Merger.
func (c *aggregateCall[V, Acc, R]) Merge(into groups.Accumulators, slots []statebackend.Slot, parts groups.Accumulators, of []statebackend.Slot) error {
	c.at = statebackend.NoSlot
	for i, s := range slots {
		if parts.Rows().At(of[i])[c.cells.Words] == 0 {
			continue
		}
		if err := c.read(parts, of[i], &c.other); err != nil {
			return err
		}
		if err := c.load(into, s); err != nil {
			return err
		}
		if err := c.of.Merge(&c.acc, &c.other); err != nil {
			return fmt.Errorf("merge: %w", err)
		}
	}
	return c.store(into)
}

// Result implements groups.Function.
func (c *aggregateCall[V, Acc, R]) Result(of groups.Accumulators, slots []statebackend.Slot, out *stream.Builder) error {
	c.n = 0
	for _, s := range slots {
		if err := c.read(of, s, &c.other); err != nil {
			return err
		}
		if err := c.give(out); err != nil {
			return err
		}
	}
	err := c.append(out)
	clear(c.results[:min(len(slots), c.most)])
	return err
}

// Steps implements groups.Stepper. The accumulator of one slot is at hand, so that steps of the same one cost no more than the calls.
func (c *aggregateCall[V, Acc, R]) Steps(of groups.Accumulators, steps []groups.Step, args *stream.Batch, out *stream.Builder) (err error) {
	at := 0
	defer func() {
		if r := recover(); r != nil {
			err = &kernel.RowError{Row: at, Panic: kernel.Thrown(r)}
		}
	}()
	c.at, c.n = statebackend.NoSlot, 0
	var tile []V
	read := 0 // how many values there were in tiles
	for at = range steps {
		s := &steps[at]
		if err := c.load(of, s.Slot); err != nil {
			return err
		}
		var err error
		switch s.Do {
		case groups.Clear:
			var zero Acc
			c.acc = zero
		case groups.Give:
			c.other = c.acc
			err = c.give(out)
		default:
			if len(tile) == 0 {
				to := min(read+rows.TileRows, args.Rows())
				if tile, err = c.tile.Read(args, read, to); err != nil {
					return err
				}
				read = to
			}
			f := c.of.Add
			if s.Do == groups.TakeBack {
				f = c.of.Retract
			}
			err = f(&c.acc, tile[0])
			tile = tile[1:]
		}
		if err != nil {
			return &kernel.RowError{Row: at, Err: err}
		}
	}
	if err := c.append(out); err != nil {
		return err
	}
	clear(c.results[:])
	return c.store(of)
}
