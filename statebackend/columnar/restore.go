package columnar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"millrace/failure"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// indexRowsHint bounds what is believed of a header about the rows to come, over
// all its tables.
const indexRowsHint = 4 << 20

// restorer fills a new store from chains of files.
type restorer struct {
	spec   statebackend.OpenSpec
	chains [][]statebackend.File
	// keepLists leaves lists as they were instead of dealing them out.
	keepLists      bool
	memory, frozen *memory // nil: new ones

	store *store
	lists []formerLists // by chain
	whole bool          // the one chain is of these key groups exactly
}

// formerLists are the lists of a former task.
type formerLists struct {
	subtask     int32
	parallelism int
	entries     map[statebackend.TableID][][]byte
	infos       []tableInfo
}

// rebase says that a chain begins later than believed: at this file.
type rebase struct{ chain, file int }

func (r *rebase) Error() string { return "a base in the middle of a chain" }

func (r *restorer) run(ctx context.Context) (*store, error) {
	starts := make([]int, len(r.chains))
	for {
		err := r.apply(ctx, starts)
		var again *rebase
		switch {
		case errors.As(err, &again):
			starts[again.chain] = again.file
			continue
		case err == nil:
			err = cmp.Or(r.store.tier.failed, r.dealLists())
		}
		if err != nil {
			r.drop()
			return nil, err
		}
		r.settle()
		return r.store, nil
	}
}

// drop gives back what the store that is being filled holds.
func (r *restorer) drop() {
	if r.store == nil {
		return
	}
	r.store.release()
	if r.memory == nil {
		r.store.memory.close()
	}
	r.store = nil
}

// apply reads every chain from its start on into a new store.
func (r *restorer) apply(ctx context.Context, starts []int) error {
	r.drop()
	r.store, r.lists = newStore(r.spec), nil
	r.store.tier.restoring = true
	if r.memory != nil {
		r.store.memory, r.store.frozen = r.memory, r.frozen
	}
	for i, chain := range r.chains {
		var first *fileHeader
		for j, file := range chain[starts[i]:] {
			h, err := r.file(ctx, file, first, j == 0)
			if _, ok := errors.AsType[*rebase](err); ok {
				return &rebase{i, starts[i] + j}
			}
			if err != nil {
				return err
			}
			first = h
		}
		r.whole = len(r.chains) == 1 && first.groups() == r.spec.KeyGroups
	}
	return nil
}

// file applies a file; before is the header of the one before it.
func (r *restorer) file(ctx context.Context, file statebackend.File, before *fileHeader, begins bool) (*fileHeader, error) {
	in, err := file.Open(ctx)
	if err != nil {
		return nil, named(file.Name(), err)
	}
	defer func() { _ = in.Close() }() // only read from
	f, err := openFile(in)
	if err != nil {
		return nil, named(file.Name(), err)
	}
	h := f.header
	switch {
	case begins && h.Kind != statebackend.Base:
		return nil, named(file.Name(), damaged("it is a delta, and there is no file before it"))
	case !begins && h.Kind == statebackend.Base:
		return nil, &rebase{}
	case before != nil && (before.groups() != h.groups() || before.Subtask != h.Subtask):
		return nil, named(file.Name(), damaged("it is of key groups %s, the file before it of %s", h.groups(), before.groups()))
	case h.MaxParallelism != r.spec.MaxParallelism:
		return nil, failure.Userf("state snapshot %s has %d key groups, the job has %d: max parallelism can't change", file.Name(), h.MaxParallelism, r.spec.MaxParallelism)
	}
	if err := r.sections(ctx, f, begins); err != nil {
		if failure.ClassOf(err).Domain != failure.DomainInternal {
			return nil, fmt.Errorf("restore %s: %w", file.Name(), err)
		}
		return nil, named(file.Name(), err)
	}
	return h, nil
}

// sections applies what stands in a file, in its order.
func (r *restorer) sections(ctx context.Context, f *fileReader, begins bool) error {
	tables, err := r.tables(f.header)
	if err != nil {
		return err
	}
	if begins {
		r.lists = append(r.lists, formerLists{subtask: f.header.Subtask, parallelism: f.header.Parallelism})
	}
	lists := &r.lists[len(r.lists)-1]
	lists.entries, lists.infos = make(map[statebackend.TableID][][]byte), f.header.Tables
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, payload, ok, err := f.next()
		if err != nil || !ok {
			return err
		}
		info := &f.header.Tables[h.table]
		if !r.wants(info, h) {
			continue
		}
		d := decoder{restorer: r, info: info, table: tables[h.table], file: f.header}
		if err := d.section(h, payload, lists); err != nil {
			return err
		}
	}
}

// wants tells whether a section of the chain at hand has anything for the task. A
// broadcast map comes from the first chain alone: every former task had the same.
func (r *restorer) wants(info *tableInfo, h sectionHeader) bool {
	switch {
	case info.Shape == shapeBroadcast:
		return len(r.lists) == 1
	case info.Shape == shapeList || h.op == opDrop:
		return true
	default:
		return h.groups.Overlaps(r.spec.KeyGroups)
	}
}

// tables returns the store's table for each of a file's, made where it is new.
func (r *restorer) tables(h *fileHeader) ([]*table, error) {
	out := make([]*table, len(h.Tables))
	hint := indexRowsHint
	for i := range h.Tables {
		info := &h.Tables[i]
		t, err := r.table(info)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out[:i], t) {
			return nil, damaged("table %s of %s is there twice", info.Name, info.Operator)
		}
		out[i] = t
		if h.Kind == statebackend.Base && !r.store.tier.on() && t.shape == shapeValue && !info.Namespaced && info.Rows > 0 {
			share := float64(r.spec.KeyGroups.Len()) / float64(h.groups().Len())
			n := int(min(float64(info.Rows)*min(share*1.1, 1), float64(hint)))
			hint -= n
			if p := t.value.part(0, true); p.live == 0 {
				if err := p.index.reserve(n); err != nil {
					return nil, err
				}
			}
		}
	}
	return out, nil
}

func (r *restorer) table(info *tableInfo) (*table, error) {
	s, id := r.store, info.id()
	if t := s.find(id); t != nil {
		return t, r.same(t, info)
	}
	t := &table{id: id, shape: info.Shape, entries: info.entries(), orders: info.orders()}
	var err error
	switch info.Shape {
	case shapeValue:
		t.value, err = newValueTable(s, info.valueSpec())
	case shapeTimers:
		t.timers, err = newTimerTable(s, statebackend.TimerSpec{ID: id, Keys: typesOf(info.Keys)})
	case shapeMultimap, shapeOrderedMap:
		t.sorted, err = newSortedTable(s, info.Shape, id, typesOf(info.Keys), info.columns())
	case shapeBroadcast:
		if err = fits(broadcastSpec(id), info.valueSpec()); err == nil {
			t.broadcast, err = newBroadcastTable(s, id)
		}
		if err == nil {
			t.value = t.broadcast.rows
		}
	default:
		t.list = &listTable{spec: statebackend.ListSpec{ID: id, Redistribution: info.Redistribution}, store: s}
	}
	if err != nil {
		return nil, damaged("%v", err)
	}
	s.add(t)
	return t, nil
}

// same tells whether a further file describes a table as those before it.
func (r *restorer) same(t *table, info *tableInfo) error {
	var err error
	switch {
	case t.shape != info.Shape:
		err = mismatch(t.id, "it is a %s in one file and a %s in another", t.shape, info.Shape)
	case t.shape == shapeValue:
		err = fits(t.value.spec, info.valueSpec())
	case t.shape == shapeTimers:
		err = keysFit(t.id, t.timers.spec.Keys, typesOf(info.Keys))
	case t.shape.sorted():
		err = cmp.Or(keysFit(t.id, t.sorted.keys, typesOf(info.Keys)), columnsFit(t.id, t.sorted.columns, info.columns()))
	case t.shape == shapeBroadcast:
		err = fits(t.value.spec, info.valueSpec())
	}
	if err == nil && t.entries != nil && info.Entries != nil {
		err = columnsFit(t.id, t.entries, info.entries())
	}
	if err == nil {
		err = ordersFit(t, "order", info.orders())
	}
	if err != nil {
		return damaged("%v", err)
	}
	t.addDescription(info)
	return nil
}

// addDescription takes over what only a later file says of a table.
func (t *table) addDescription(info *tableInfo) {
	if t.entries == nil {
		t.entries = info.entries()
	}
	if t.orders == nil {
		t.orders = info.orders()
	}
	switch {
	case t.shape == shapeValue:
		describeNulls(t.value.spec.Columns, info.Columns)
	case t.shape.sorted():
		describeNulls(t.sorted.columns, info.Columns)
	}
}

// describeNulls takes over which columns tell of NULL, where only a later file says it.
func describeNulls(columns []statebackend.ColumnSpec, later []columnInfo) {
	for i, c := range later {
		if columns[i].NullOf == "" {
			columns[i].NullOf = c.NullOf
		}
	}
}

// settle makes the restored rows the state of the last checkpoint: nothing changed since.
func (r *restorer) settle() {
	s := r.store
	s.tier.restoring = false
	for _, t := range s.tables {
		switch t.shape {
		case shapeMultimap, shapeOrderedMap:
			clear(t.sorted.dirty)
			t.sorted.removed.release()
		case shapeValue, shapeBroadcast:
			for _, p := range t.value.parts {
				clear(p.dirty)
				p.persisted, p.removals = true, 0
			}
			t.value.removed.release()
			t.value.dropped = nil
		case shapeTimers:
			clear(t.timers.dirty)
			t.timers.removed.release()
		case shapeList: // marks nothing: every file has all of its entries
		}
	}
	s.chained = r.whole
}

// dealLists gives this task its part of the former tasks' lists.
func (r *restorer) dealLists() error {
	slices.SortStableFunc(r.lists, func(a, b formerLists) int { return int(a.subtask) - int(b.subtask) })
	for _, t := range r.store.tables {
		if t.shape != shapeList {
			continue
		}
		entries, err := r.deal(t)
		if err != nil {
			return err
		}
		if err := t.list.Set(entries); err != nil {
			return err
		}
	}
	return nil
}

func (r *restorer) deal(t *table) ([][]byte, error) {
	former, p := r.lists[0].parallelism, r.spec.Parallelism
	split := t.list.spec.Redistribution == statebackend.SplitEven
	switch {
	case r.keepLists:
		return r.lists[0].entries[t.id], nil
	case split && former == p && p > 0:
		return r.ownList(t.id)
	case former > 0 && len(r.lists) != former:
		return nil, failure.Internalf("list %s of operator %s: files of %d former tasks, there were %d", t.id.Name, t.id.Operator, len(r.lists), former)
	}
	var all [][]byte
	for i := range r.lists {
		all = append(all, r.lists[i].entries[t.id]...)
	}
	switch {
	case !split || len(all) == 0 || p == 1 || p == 0 && len(r.lists) == 1:
		return all, nil
	case p == 0:
		return nil, failure.Internalf("list %s of operator %s: the parallelism is needed to deal it out", t.id.Name, t.id.Operator)
	}
	var mine [][]byte
	for i := int(r.spec.Task.Subtask); i < len(all); i += p {
		mine = append(mine, all[i])
	}
	return mine, nil
}

// ownList returns the list of the former task of the same number.
func (r *restorer) ownList(id statebackend.TableID) ([][]byte, error) {
	for i := range r.lists {
		if r.lists[i].subtask == r.spec.Task.Subtask {
			return r.lists[i].entries[id], nil
		}
	}
	return nil, failure.Internalf("list %s of operator %s: the files of task %s are missing", id.Name, id.Operator, r.spec.Task)
}

// dropGroups deletes the rows of a namespace that lie in some key groups.
func dropGroups(t *valueTable, namespace int64, groups types.KeyGroupRange, maxParallelism int) {
	p := t.part(namespace, false)
	if p == nil {
		return
	}
	gone := func(slots []Slot) {
		p.Delete(slices.DeleteFunc(slots, func(s Slot) bool {
			return !groups.Contains(types.KeyGroupOf(p.hash(s), maxParallelism))
		}))
	}
	var slots [tileRows]Slot
	for from := Slot(0); ; {
		n, next := p.scan(from, slots[:])
		if n == 0 {
			break
		}
		gone(slots[:n])
		from = next
	}
	if t.store.tier.on() { // behind those in memory, which may leave it meanwhile
		t.store.tier.keep(p.eachAway(gone))
	}
}

// release gives the memory of the tables back for reuse.
func (s *store) release() {
	for _, t := range s.tables {
		switch t.shape {
		case shapeMultimap, shapeOrderedMap:
			t.sorted.release()
		case shapeValue, shapeBroadcast:
			for _, p := range t.value.parts {
				p.release()
			}
			t.value.removed.release()
		case shapeTimers:
			t.timers.release()
			t.timers.bytes.release()
			t.timers.removed.release()
		case shapeList: // keeps no blocks
		}
	}
	s.tables = nil
}

// emptyKeyHash is the hash of the key of no columns.
var emptyKeyHash = func() uint64 {
	var pool stream.Pool
	b := pool.NewBatch(types.NewSchema(), 1)
	defer b.Release()
	r, err := stream.NewKeyReader(b.Schema, nil)
	if err != nil {
		panic(err) // a key of no columns always has a layout
	}
	return r.Read(b).Hashes[0]
}()
