package over

import (
	"encoding/binary"
	"fmt"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/operators/ordering"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Sorted is the operator in an order that is neither time nor arrival.
type Sorted struct {
	spec *jobgraph.OverAggregateSpec
	ctx  *operators.Context

	plan    *aggregate.Plan
	reader  *stream.KeyReader
	encoder *ordering.Encoder
	// groups has by key the number of the next row.
	groups statebackend.ValueTable
	rows   statebackend.OrderedMapTable
	stored *types.Schema // of rows: the input's columns, and the number
	layout layout
	answer answerer

	// Of the batch under way.
	keys       *stream.Keys
	slots      []statebackend.Slot
	partitions partitions
	orders     statebackend.Orders // of each selected row, its number behind it
	changes    []change
	added      []int32 // selected rows that are not in the table yet
	taken      []int32 // those whose rows are not out of it yet
	some       struct {
		sel    []int32
		keys   stream.Keys
		orders statebackend.Orders
		slots  []statebackend.Slot
	}

	// Of the end.
	ending bool
	cursor statebackend.Slot
	owners *stream.KeyBuilder
}

// numberBytes is the length of what stands behind the bytes of an order.
const numberBytes = 8

var noNumber [numberBytes]byte

// change is a row that came or went.
type change struct {
	partition, row int32 // the row is a selected one of the batch
	adds           bool
	order          []byte // with the number of the row
}

func newSorted(uid types.OperatorUID, spec *jobgraph.OverAggregateSpec) (operators.Operator, error) {
	if spec.Frame.Bounded && spec.Frame.Range {
		return nil, failure.Userf("over aggregate %s: a range of time needs rows in the order of their time", uid)
	}
	return &Sorted{spec: spec}, nil
}

// Open declares the tables.
func (s *Sorted) Open(ctx *operators.Context) error {
	s.ctx = ctx
	if err := s.open(ctx.Inputs[0]); err != nil {
		return fmt.Errorf("over aggregate %s: %w", ctx.Operator, err)
	}
	return nil
}

func (s *Sorted) open(in *types.Schema) (err error) {
	keys, err := aggregate.KeyTypes(s.spec.Keys, in)
	if err != nil {
		return failure.User(err)
	}
	if s.plan, s.answer.sliders[0], err = newPlan(s.spec, in, s.ctx); err != nil {
		return failure.User(err)
	}
	for side := range s.answer.values {
		if s.answer.values[side], err = aggregate.NewRepeats(s.plan, in); err != nil {
			return failure.User(err)
		}
	}
	if s.reader, err = stream.NewKeyReader(in, s.spec.Keys); err != nil {
		return failure.User(err)
	}
	if s.encoder, err = ordering.NewEncoder(in, s.spec.Order); err != nil {
		return failure.User(err)
	}
	if err := s.declare(keys, in); err != nil {
		return err
	}
	s.owners = stream.NewKeyBuilder(s.ctx.Pool, keys, dueMax)
	s.layout.open(s)
	s.answer.open(s)
	return nil
}

func (s *Sorted) declare(keys []types.Type, in *types.Schema) (err error) {
	id := func(name string) statebackend.TableID {
		return statebackend.TableID{Operator: s.ctx.Operator, Name: name}
	}
	number := types.Of(types.BigInt).NotNull()
	s.groups, err = s.ctx.State.Value(statebackend.ValueSpec{ID: id("groups"), Keys: keys, Columns: []statebackend.ColumnSpec{{Name: "next", Type: number}}})
	if err != nil {
		return err
	}
	s.stored = types.NewSchema(append(append([]types.Field{}, in.Fields...), types.Field{Name: "$number", Type: number})...)
	columns := statebackend.ColumnsOf(s.stored.Fields)
	s.rows, err = s.ctx.State.OrderedMap(statebackend.OrderedMapSpec{ID: id("rows"), Keys: keys, Columns: columns})
	return err
}

// Process takes rows in and out. What that changes is given by Next.
func (s *Sorted) Process(_ int, b *stream.Batch) error {
	if err := s.process(b); err != nil {
		return fmt.Errorf("over aggregate %s: %w", s.ctx.Operator, err)
	}
	return nil
}

func (s *Sorted) process(b *stream.Batch) error {
	if !s.spec.Retract {
		if err := aggregate.AppendOnly(b); err != nil {
			return err
		}
	}
	s.ctx.Counts.Folded += int64(b.Rows())
	if err := s.take(b); err != nil {
		return err
	}
	if !s.spec.FinalOnly {
		if err := s.layout.lay(s, b); err != nil {
			return err
		}
		if err := s.answer.all(s); err != nil {
			return err
		}
	}
	return s.dropEmpty()
}

// take brings the table up to the rows of a batch, and notes what came and went.
func (s *Sorted) take(b *stream.Batch) error {
	s.keys = s.reader.Read(b)
	if cap(s.slots) < s.keys.Len() {
		s.slots = make([]statebackend.Slot, max(s.keys.Len(), stream.RowsMax))
	}
	s.slots = s.slots[:s.keys.Len()]
	part := s.groups.Part(0, true)
	if _, err := part.Upsert(s.keys, s.slots); err != nil {
		return err
	}
	s.partitions.find(s.slots, part.Slots())
	s.orders.Reset()
	s.encoder.Append(b, noNumber[:], &s.orders)
	s.changes, s.added, s.taken = s.changes[:0], s.added[:0], s.taken[:0]
	rows := part.Rows()
	for i, slot := range s.slots {
		p := &s.partitions.list[s.partitions.of[i]]
		if b.Kind(b.Row(i)).Retracts() {
			if p.adding {
				if err := s.write(b); err != nil {
					return err
				}
			}
			s.taken = append(s.taken, int32(i))
			continue
		}
		p.adding = true
		s.added = append(s.added, int32(i))
		next := &rows.At(slot)[0]
		order := s.orders.At(i)
		binary.BigEndian.PutUint64(order[len(order)-numberBytes:], *next)
		*next++
		s.changes = append(s.changes, change{partition: s.partitions.of[i], row: int32(i), adds: true, order: order})
	}
	return s.write(b)
}

// write takes rows out of the table, and puts others in: of one partition none that is to be taken out comes behind one that is put in.
func (s *Sorted) write(b *stream.Batch) error {
	if err := s.takeOut(b); err != nil {
		return err
	}
	for _, i := range s.added {
		s.partitions.list[s.partitions.of[i]].adding = false
	}
	if len(s.added) == 0 {
		return nil
	}
	part := s.pick(b, s.added, numberBytes)
	defer part.Release()
	out := s.ctx.Pool.NewBatch(s.stored, len(s.added))
	defer out.Release()
	for c := range part.Columns {
		builder := stream.NewBuilder(s.ctx.Pool, s.stored.Fields[c].Type, len(s.added))
		builder.AppendRows(&b.Columns[c], s.some.sel)
		out.Columns[c] = builder.Finish()
	}
	last := len(out.Columns) - 1
	out.Columns[last] = stream.NewFixed(s.ctx.Pool, s.stored.Fields[last].Type, len(s.added))
	for k := range s.added {
		order := s.some.orders.At(k)
		stream.Values[int64](&out.Columns[last])[k] = int64(binary.BigEndian.Uint64(order[len(order)-numberBytes:]))
	}
	s.added = s.added[:0]
	return s.rows.Put(&s.some.keys, &s.some.orders, out)
}

// takeOut takes rows out of the table: of equal ones the one that came first.
func (s *Sorted) takeOut(b *stream.Batch) error {
	if len(s.taken) == 0 {
		return nil
	}
	part := s.pick(b, s.taken, 0)
	defer part.Release()
	if cap(s.some.slots) < len(s.taken) {
		s.some.slots = make([]statebackend.Slot, max(len(s.taken), stream.RowsMax))
	}
	slots := s.some.slots[:len(s.taken)]
	if err := s.rows.TakeEqual(&s.some.keys, &s.some.orders, part, slots); err != nil {
		return err
	}
	rows := s.rows.Rows()
	for k, i := range s.taken {
		p := s.partitions.of[i]
		s.partitions.list[p].took = true
		if slots[k] == statebackend.NoSlot {
			s.ctx.Counts.Expired++
			continue
		}
		w := rows.At(slots[k])
		order := s.orders.At(int(i))
		binary.BigEndian.PutUint64(order[len(order)-numberBytes:], w[len(w)-1])
		s.changes = append(s.changes, change{partition: p, row: i, order: order})
	}
	s.taken = s.taken[:0]
	return nil
}

// pick returns some selected rows as a batch, and puts keys and orders of them into s.some: with their number, or what begins them.
func (s *Sorted) pick(b *stream.Batch, rows []int32, number int) *stream.Batch {
	some := &s.some
	some.sel = some.sel[:0]
	some.orders.Reset()
	for _, i := range rows {
		some.sel = append(some.sel, int32(b.Row(int(i))))
		order := s.orders.At(int(i))
		some.orders.Append(order[:len(order)-numberBytes+number])
	}
	some.keys.Reset(s.keys.Layout)
	some.keys.AppendRows(s.keys, rows)
	return operators.Select(b, some.sel)
}

// dropEmpty forgets the partitions that have no row left.
func (s *Sorted) dropEmpty() error {
	some := &s.some
	some.sel, some.slots = some.sel[:0], some.slots[:0]
	for _, p := range s.partitions.list {
		if p.took {
			some.sel = append(some.sel, p.first)
		}
	}
	if len(some.sel) == 0 {
		return nil
	}
	some.keys.Reset(s.keys.Layout)
	some.keys.AppendRows(s.keys, some.sel)
	counts := make([]int32, len(some.sel))
	s.rows.Count(&some.keys, counts)
	empty := some.sel[:0]
	for k, n := range counts {
		if n == 0 {
			empty = append(empty, some.sel[k])
		}
	}
	if len(empty) == 0 {
		return nil
	}
	some.keys.Reset(s.keys.Layout)
	some.keys.AppendRows(s.keys, empty)
	slots := make([]statebackend.Slot, len(empty))
	part := s.groups.Part(0, true)
	part.Find(&some.keys, slots)
	part.Delete(slots)
	return nil
}

// Advance does nothing: event time passes through.
func (s *Sorted) Advance(stream.Watermark) error { return nil }

// Flush does nothing: no row is held back.
func (s *Sorted) Flush() error { return nil }

// Finish begins to answer all rows, where they are answered at the end only.
func (s *Sorted) Finish() error {
	s.ending, s.cursor = s.spec.FinalOnly, 0
	return nil
}

// Next gives answers.
func (s *Sorted) Next() (operators.Output, error) {
	for len(s.answer.out) == 0 {
		if !s.ending {
			return operators.Output{}, nil
		}
		if err := s.answerNext(); err != nil {
			return operators.Output{}, fmt.Errorf("over aggregate %s: %w", s.ctx.Operator, err)
		}
	}
	b := s.answer.out[0]
	s.answer.out = s.answer.out[1:]
	return operators.Output{Batch: b}, nil
}

// answerNext answers the next partitions at the end.
func (s *Sorted) answerNext() error {
	var slots [dueMax]statebackend.Slot
	part := s.groups.Part(0, true)
	n, next := part.Scan(s.cursor, slots[:])
	if s.cursor = next; n == 0 {
		s.ending = false
		return nil
	}
	if err := part.AppendKeys(slots[:n], s.owners); err != nil {
		return err
	}
	owners := s.ctx.Pool.NewBatch(s.ctx.Inputs[0], n)
	defer owners.Release()
	for i, column := range s.spec.Keys {
		owners.Columns[column] = s.owners.Finish(i)
	}
	s.keys = s.reader.Read(owners)
	if err := s.layout.layWhole(s); err != nil {
		return err
	}
	return s.answer.all(s)
}

// Close releases what nobody took.
func (s *Sorted) Close() error {
	for _, b := range s.answer.out {
		b.Release()
	}
	s.answer.out = nil
	s.layout.close()
	s.answer.close()
	if s.owners != nil {
		s.owners.Close()
	}
	return nil
}

// partitions are those of which a batch has rows, in the order of their first ones.
type partitions struct {
	list []partition
	of   []int32 // of each selected row
	at   []int32 // by slot: one more than the position; 0 between calls
}

// partition is one of them.
type partition struct {
	first  int32 // a selected row of it
	slot   statebackend.Slot
	adding bool // there are rows of it that are not in the table yet
	took   bool // rows of it were taken back
}

// find collects the partitions of rows, whose slots are below end.
func (p *partitions) find(slots []statebackend.Slot, end statebackend.Slot) {
	p.list, p.of = p.list[:0], p.of[:0]
	if len(p.at) < int(end) {
		p.at = make([]int32, 2*end)
	}
	for i, slot := range slots {
		if p.at[slot] == 0 {
			p.list = append(p.list, partition{first: int32(i), slot: slot})
			p.at[slot] = int32(len(p.list))
		}
		p.of = append(p.of, p.at[slot]-1)
	}
	for i := range p.list {
		p.at[p.list[i].slot] = 0
	}
}
