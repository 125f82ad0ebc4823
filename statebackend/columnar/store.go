package columnar

import (
	"cmp"
	"fmt"
	"slices"

	"millrace/failure"
	"millrace/internal/invariant"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// store is statebackend.Store.
type store struct {
	spec   statebackend.OpenSpec
	memory *memory // of tables, bounded
	frozen *memory // of snapshots and of what waits for the next one
	tables []*table
	// chained says that a chain of files stands behind the store, so that a
	// delta may follow.
	chained bool
	closed  bool
	tier    tiering
}

// shape is the kind of a table. The numbers are durable.
type shape uint8

const (
	shapeValue  shape = 1
	shapeTimers shape = 2
	shapeList   shape = 3
	// Since format version 2.
	shapeMultimap   shape = 4
	shapeOrderedMap shape = 5
	shapeBroadcast  shape = 6
)

func (s shape) String() string {
	switch s {
	case shapeValue:
		return "value table"
	case shapeTimers:
		return "timer table"
	case shapeList:
		return "list"
	case shapeMultimap:
		return "multimap"
	case shapeOrderedMap:
		return "ordered map"
	case shapeBroadcast:
		return "broadcast map"
	default:
		return fmt.Sprintf("shape %d", uint8(s))
	}
}

// sorted tells whether rows stand in an order below their key.
func (s shape) sorted() bool { return s == shapeMultimap || s == shapeOrderedMap }

// table is a table of any shape: of value (whose a broadcast map is too), timers,
// list and sorted, the one that shape names is set.
type table struct {
	id       statebackend.TableID
	shape    shape
	declared bool
	value    *valueTable
	timers   *timerTable
	list     *listTable
	sorted   *sortedTable
	// broadcast is around value.
	broadcast *broadcastTable
	// entries says what is in the entries of a list or broadcast map; nil: nobody said it.
	entries []statebackend.ColumnSpec
	// orders says what is in the orders of an ordered map, or in the keys of a broadcast map; nil: nobody said it.
	orders []statebackend.ColumnSpec
	// evolved is how the declaration differs from what was restored, nil where it does not.
	evolved *statebackend.Evolution
}

func newStore(spec statebackend.OpenSpec) *store {
	s := &store{spec: spec, memory: newMemory(spec.Budget), frozen: newMemory(nil)}
	s.tier.init(spec)
	return s
}

func (s *store) find(id statebackend.TableID) *table {
	for _, t := range s.tables {
		if t.id == id {
			return t
		}
	}
	return nil
}

// declare returns the restored table under an id, nil where there is none.
func (s *store) declare(id statebackend.TableID, sh shape) (*table, error) {
	t := s.find(id)
	switch {
	case s.closed:
		return nil, invariant.Failedf("table %s of %s declared in a closed store", id.Name, id.Operator)
	case t == nil:
		return nil, nil
	case t.declared:
		return nil, invariant.Failedf("table %s of operator %s is declared twice", id.Name, id.Operator)
	case t.shape != sh:
		return nil, mismatch(id, "it is a %s, the snapshot has a %s", sh, t.shape)
	}
	return t, nil
}

// mismatch is the error of a job that was changed so that its state does not fit.
func mismatch(id statebackend.TableID, format string, args ...any) error {
	return failure.Userf("state of table %s of operator %s does not fit the snapshot: %s", id.Name, id.Operator, fmt.Sprintf(format, args...))
}

// add puts a table among those of the store, in the order of their ids.
func (s *store) add(t *table) {
	i, _ := slices.BinarySearchFunc(s.tables, t, func(a, b *table) int {
		return cmp.Or(cmp.Compare(a.id.Operator, b.id.Operator), cmp.Compare(a.id.Name, b.id.Name))
	})
	s.tables = slices.Insert(s.tables, i, t)
}

// Value implements statebackend.Store.
func (s *store) Value(spec statebackend.ValueSpec) (statebackend.ValueTable, error) {
	t, err := s.declare(spec.ID, shapeValue)
	if err != nil {
		return nil, err
	}
	if t != nil {
		if err := s.declareValue(t, spec); err != nil {
			return nil, err
		}
		return t.value, nil
	}
	if err := checkFlags(spec.ID, spec.Columns, spec.Evolves); err != nil {
		return nil, err
	}
	v, err := newValueTable(s, spec)
	if err != nil {
		return nil, err
	}
	s.add(&table{id: spec.ID, shape: shapeValue, declared: true, value: v})
	return v, nil
}

// fits tells whether a declared table has the layout of the restored one.
func fits(have, want statebackend.ValueSpec) error {
	if err := keysFit(want.ID, have.Keys, want.Keys); err != nil {
		return err
	}
	if have.Namespaced != want.Namespaced {
		return mismatch(want.ID, "namespaced is %v, the snapshot's %v", want.Namespaced, have.Namespaced)
	}
	return columnsFit(want.ID, have.Columns, want.Columns)
}

func keysFit(id statebackend.TableID, have, want []types.Type) error {
	if len(have) != len(want) {
		return mismatch(id, "its key has %d columns, the snapshot's %d", len(want), len(have))
	}
	for i := range have {
		if !have[i].EqualIgnoringNull(want[i]) {
			return mismatch(id, "key column %d is %s, in the snapshot %s", i, want[i], have[i])
		}
	}
	return nil
}

// checkSpec returns the layout of the keys, or what is wrong with a declaration.
func checkSpec(id statebackend.TableID, keys []types.Type, columns []statebackend.ColumnSpec) (stream.KeyLayout, error) {
	layout, err := stream.KeyLayoutOf(keys)
	if err != nil {
		return 0, failure.Userf("table %s of operator %s: %w", id.Name, id.Operator, err)
	}
	if len(columns)+len(keys) > columnsMax {
		return 0, failure.Userf("table %s of operator %s has %d columns, at most %d", id.Name, id.Operator, len(columns)+len(keys), columnsMax)
	}
	for _, c := range columns {
		switch c.Type.Layout() {
		case types.LayoutNone, types.LayoutList, types.LayoutStruct:
			return 0, failure.Userf("column %s of table %s of operator %s: state can't hold a value of type %s", c.Name, id.Name, id.Operator, c.Type)
		}
	}
	return layout, nil
}

// Timers implements statebackend.Store.
func (s *store) Timers(spec statebackend.TimerSpec) (statebackend.TimerTable, error) {
	t, err := s.declare(spec.ID, shapeTimers)
	if err != nil {
		return nil, err
	}
	if t != nil {
		if err := keysFit(spec.ID, t.timers.spec.Keys, spec.Keys); err != nil {
			return nil, err
		}
		t.declared = true
		return t.timers, nil
	}
	v, err := newTimerTable(s, spec)
	if err != nil {
		return nil, err
	}
	s.add(&table{id: spec.ID, shape: shapeTimers, declared: true, timers: v})
	return v, nil
}

// List implements statebackend.Store.
func (s *store) List(spec statebackend.ListSpec) (statebackend.ListTable, error) {
	t, err := s.declare(spec.ID, shapeList)
	if err != nil {
		return nil, err
	}
	if r := spec.Redistribution; r != statebackend.SplitEven && r != statebackend.Union {
		return nil, invariant.Failedf("list %s of operator %s: redistribution %d", spec.ID.Name, spec.ID.Operator, r)
	}
	if t != nil {
		if t.list.spec.Redistribution != spec.Redistribution {
			return nil, mismatch(spec.ID, "redistribution %d, in the snapshot %d", spec.Redistribution, t.list.spec.Redistribution)
		}
		if err := s.declareEntries(t, spec.Entries, spec.Evolves); err != nil {
			return nil, err
		}
		return t.list, nil
	}
	if err := checkEntries(spec.ID, spec.Entries, spec.Evolves); err != nil {
		return nil, err
	}
	v := &listTable{spec: spec, store: s}
	s.add(&table{id: spec.ID, shape: shapeList, declared: true, list: v, entries: spec.Entries})
	return v, nil
}

// Multimap implements statebackend.Store.
func (s *store) Multimap(spec statebackend.MultimapSpec) (statebackend.MultimapTable, error) {
	t, err := s.sorted(shapeMultimap, spec.ID, spec.Keys, nil, declared{spec.Columns, spec.Evolves, true})
	if err != nil {
		return nil, err
	}
	return multimapTable{t}, nil
}

// OrderedMap implements statebackend.Store.
func (s *store) OrderedMap(spec statebackend.OrderedMapSpec) (statebackend.OrderedMapTable, error) {
	t, err := s.sorted(shapeOrderedMap, spec.ID, spec.Keys, spec.Orders, declared{spec.Columns, spec.Evolves, true})
	if err != nil {
		return nil, err
	}
	return orderedMapTable{t}, nil
}

func (s *store) sorted(sh shape, id statebackend.TableID, keys []types.Type, orders []statebackend.ColumnSpec, d declared) (*sortedTable, error) {
	t, err := s.declare(id, sh)
	if err != nil {
		return nil, err
	}
	if t != nil {
		if err := s.declareOrders(t, "order", orders); err != nil {
			return nil, err
		}
		if err := s.declareSorted(t, keys, d); err != nil {
			return nil, err
		}
		return t.sorted, nil
	}
	if err := cmp.Or(checkEntries(id, orders, false), checkFlags(id, d.columns, d.evolves)); err != nil {
		return nil, err
	}
	v, err := newSortedTable(s, sh, id, keys, d.columns)
	if err != nil {
		return nil, err
	}
	s.add(&table{id: id, shape: sh, declared: true, sorted: v, orders: orders})
	return v, nil
}

// Broadcast implements statebackend.Store.
func (s *store) Broadcast(spec statebackend.BroadcastSpec) (statebackend.BroadcastTable, error) {
	t, err := s.declare(spec.ID, shapeBroadcast)
	if err != nil {
		return nil, err
	}
	if t != nil {
		if err := s.declareOrders(t, "key", spec.Keys); err != nil {
			return nil, err
		}
		if err := s.declareEntries(t, spec.Entries, spec.Evolves); err != nil {
			return nil, err
		}
		return t.broadcast, nil
	}
	if err := cmp.Or(checkEntries(spec.ID, spec.Keys, false), checkEntries(spec.ID, spec.Entries, spec.Evolves)); err != nil {
		return nil, err
	}
	b, err := newBroadcastTable(s, spec.ID)
	if err != nil {
		return nil, err
	}
	s.add(&table{id: spec.ID, shape: shapeBroadcast, declared: true, value: b.rows, broadcast: b, entries: spec.Entries, orders: spec.Keys})
	return b, nil
}

// Undeclared implements statebackend.Store.
func (s *store) Undeclared() []statebackend.TableID {
	var ids []statebackend.TableID
	for _, t := range s.tables {
		if !t.declared {
			ids = append(ids, t.id)
		}
	}
	return ids
}

// SizeBytes implements statebackend.Store. It counts what snapshots hold and
// what is kept for reuse, too.
func (s *store) SizeBytes() int64 { return s.memory.used() + s.frozen.used() }

// Close implements statebackend.Store. Snapshots stay usable.
func (s *store) Close() error {
	s.closed = true
	for _, t := range s.tables {
		t.forgetAway()
	}
	s.tables = nil
	err := s.tier.blocks.drain()
	s.memory.close()
	s.memory = newMemory(nil)
	return err
}
