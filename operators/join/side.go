package join

import (
	"encoding/binary"
	"slices"
	"time"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// identity says how a row is found again that is taken back.
type identity uint8

const (
	// never: rows only come. A Multimap.
	never identity = iota
	// byKey: the join's key has a unique key in it, so that a key has one row.
	byKey
	// byUnique: rows of a join key differ in their unique key, which is their order.
	byUnique
	// byValue: by a hash of the whole row, which begins its order, and comparison.
	byValue
)

func identityOf(spec *jobgraph.JoinSide, keys []int) identity {
	switch {
	case len(spec.Unique) > 0 && !slices.ContainsFunc(spec.Unique, func(c int) bool { return !slices.Contains(keys, c) }):
		return byKey
	case len(spec.Unique) > 0:
		return byUnique
	case spec.Changelog == jobgraph.AppendChangelog:
		return never
	default:
		return byValue
	}
}

// side is the rows of one input, by join key. Rows whose key can have no match are not in it.
type side struct {
	ctx        *operators.Context
	identity   identity
	appendOnly bool
	unkeyed    []int // key columns in which NULL meets nothing

	reader  *stream.KeyReader // of join keys
	unique  *stream.KeyReader // of what identifies a row; nil where nothing does
	orders  statebackend.Orders
	multi   statebackend.MultimapTable // of never
	ordered statebackend.OrderedMapTable
	table   statebackend.SlotRows // either of them

	in     *types.Schema // of the input
	schema *types.Schema // of the table: the input's columns, then matches and written, where they are kept
	// The words of a row with the number of its matches and the time of its last write, in milliseconds; negative: not kept.
	matches, written int
	ttl              int64
	next             statebackend.Slot // where the sweep goes on

	// Scratch of a call.
	keys  stream.Keys
	nulls stream.Bitmap
	run   statebackend.Orders
	swept []statebackend.Slot
	order [9]byte
}

// tableSpec is what a side's table is made of.
type tableSpec struct {
	name    string
	input   int
	keys    *jobgraph.JoinKeys
	spec    *jobgraph.JoinSide
	matches bool // the number of matches is kept
}

func newSide(ctx *operators.Context, t tableSpec) (*side, error) {
	in, columns := ctx.Inputs[t.input], t.keys.Of(t.input)
	s := &side{
		ctx: ctx, identity: identityOf(t.spec, columns), appendOnly: t.spec.Changelog == jobgraph.AppendChangelog,
		matches: -1, written: -1, ttl: int64(t.spec.TTL / time.Millisecond), in: in,
	}
	for i, c := range columns {
		if !t.keys.NullMeets(i) {
			s.unkeyed = append(s.unkeyed, c)
		}
	}
	var err error
	if s.reader, err = stream.NewKeyReader(in, columns); err != nil {
		return nil, err
	}
	switch s.identity {
	case byUnique:
		s.unique, err = stream.NewKeyReader(in, t.spec.Unique)
	case byValue:
		s.unique, err = stream.NewKeyReader(in, count(in.Len()))
	default: // the key tells them apart, or nothing does
	}
	if err != nil {
		return nil, err
	}
	return s, s.open(t, in, columns)
}

// open declares the table.
func (s *side) open(t tableSpec, in *types.Schema, columns []int) error {
	fields := slices.Clone(in.Fields)
	if t.matches {
		fields = append(fields, types.Field{Name: "$matches", Type: types.Of(types.BigInt)})
	}
	if s.ttl > 0 {
		fields = append(fields, types.Field{Name: "$written", Type: types.Of(types.BigInt)})
	}
	s.schema = types.NewSchema(fields...)
	specs := statebackend.ColumnsOf(fields)
	words, _ := statebackend.WordOf(specs)
	if t.matches {
		s.matches = words[in.Len()]
	}
	if s.ttl > 0 {
		s.written = words[len(fields)-1]
	}
	id := statebackend.TableID{Operator: s.ctx.Operator, Name: t.name}
	keys := keyTypes(in, columns)
	var err error
	if s.identity == never {
		s.multi, err = s.ctx.State.Multimap(statebackend.MultimapSpec{ID: id, Keys: keys, Columns: specs})
		s.table = s.multi
		return err
	}
	s.ordered, err = s.ctx.State.OrderedMap(statebackend.OrderedMapSpec{ID: id, Keys: keys, Columns: specs})
	s.table = s.ordered
	return err
}

func keyTypes(in *types.Schema, columns []int) []types.Type {
	ts := make([]types.Type, len(columns))
	for i, c := range columns {
		ts[i] = in.Fields[c].Type
	}
	return ts
}

// stored returns the rows of a batch as the table has them, new: without matches, written now.
func (s *side) stored(b *stream.Batch, now int64) *stream.Batch {
	out := s.ctx.Pool.NewBatch(s.schema, b.Len())
	for i := range b.Columns {
		b.Columns[i].Retain()
		out.Columns[i] = b.Columns[i]
	}
	for i := len(b.Columns); i < s.schema.Len(); i++ {
		v := stream.NewFixed(s.ctx.Pool, s.schema.Fields[i].Type, b.Len())
		value := int64(0)
		if i == s.schema.Len()-1 && s.ttl > 0 {
			value = now
		}
		xs := stream.Values[int64](&v)
		for k := range xs {
			xs[k] = value
		}
		out.Columns[i] = v
	}
	return out
}

// keyed tells whether a row's key can have a match.
func (s *side) keyed(b *stream.Batch, row int) bool {
	for _, c := range s.unkeyed {
		if b.Columns[c].IsNull(row) {
			return false
		}
	}
	return true
}

// mayBeUnkeyed tells whether any row's key might have none.
func (s *side) mayBeUnkeyed(b *stream.Batch) bool {
	for _, c := range s.unkeyed {
		if v := &b.Columns[c]; v.HasNulls() || v.Encoding == stream.Dictionary {
			return true
		}
	}
	return false
}

// unkeyedSlot stands for a row that the table does not take, since its key has no match.
const unkeyedSlot statebackend.Slot = -2

// take brings the rows of a batch into the table, in their order: those that come are added, those that
// are taken back removed. It puts into slots for each the row's slot (of a removed row: the one that it had), NoSlot for one that
// was to be taken back and isn't there, or unkeyedSlot.
func (s *side) take(b *stream.Batch, keys *stream.Keys, slots []statebackend.Slot) error {
	stored := s.stored(b, s.ctx.Time.Now())
	defer stored.Release()
	s.readOrders(b, keys)
	check := s.mayBeUnkeyed(b)
	for from := 0; from < len(slots); {
		if check && !s.keyed(b, b.Row(from)) {
			slots[from] = unkeyedSlot
			from++
			continue
		}
		retracts := b.Kind(b.Row(from)).Retracts()
		to := from + 1
		if b.Kinds() == nil && !check {
			to = len(slots)
		}
		for to < len(slots) && b.Kind(b.Row(to)).Retracts() == retracts && (!check || s.keyed(b, b.Row(to))) {
			to++
		}
		if err := s.takeRun(b, stored, keys, from, to, retracts, slots[from:to]); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// readOrders reads what identifies the rows of a batch.
func (s *side) readOrders(b *stream.Batch, keys *stream.Keys) {
	s.orders.Reset()
	switch s.identity {
	case byKey:
		for range keys.Len() {
			s.orders.Append(nil)
		}
	case byUnique:
		identities := s.unique.Read(b)
		for i := range identities.Len() {
			if identities.Layout == stream.KeyBytes {
				s.orders.Append(identities.Bytes(i))
			} else {
				s.orders.Append(s.fixedOrder(identities, i))
			}
		}
	case byValue:
		for _, h := range s.unique.Read(b).Hashes {
			binary.BigEndian.PutUint64(s.order[:], h)
			s.orders.Append(s.order[:8])
		}
	default: // they have none
	}
}

// fixedOrder returns the order of a Key64: a byte that tells NULL, and the value. It is valid until the next call.
func (s *side) fixedOrder(keys *stream.Keys, i int) []byte {
	s.order = [9]byte{}
	if !keys.IsNull(i) {
		s.order[0] = 1
		binary.BigEndian.PutUint64(s.order[1:], uint64(keys.Fixed[i]))
	}
	return s.order[:]
}

// takeRun brings rows in that all come, or are all taken back.
func (s *side) takeRun(b, stored *stream.Batch, keys *stream.Keys, from, to int, retracts bool, slots []statebackend.Slot) error {
	s.run = s.orders
	if to-from == b.Rows() {
		b.ShareRows(stored)
	} else {
		keys = keysOf(keys, from, to, &s.keys, &s.nulls)
		s.selectRun(b, stored, from, to)
		if s.identity != never {
			s.run = statebackend.Orders{Offsets: s.orders.Offsets[from : to+1], Data: s.orders.Data}
		}
	}
	switch {
	case retracts && s.appendOnly:
		return failure.Internalf("a row of kind %s came where only +I can", b.Kind(b.Row(from)))
	case retracts:
		return s.takeBack(keys, stored, slots)
	case s.identity == never:
		return s.multi.AppendSlots(keys, stored, slots)
	case s.identity == byValue:
		return s.ordered.AddSlots(keys, &s.run, stored, slots)
	default:
		return s.ordered.PutSlots(keys, &s.run, stored, slots)
	}
}

// selectRun makes stored mean the rows from, ..., to-1 of the batch.
func (s *side) selectRun(b, stored *stream.Batch, from, to int) {
	buf := s.ctx.Pool.Get(4 * (to - from))
	sel := stream.Int32s(buf)
	for i := from; i < to; i++ {
		sel[i-from] = int32(b.Row(i))
	}
	stored.SetSel(buf, to-from)
}

// takeBack removes a run of rows. What has expired was not there.
func (s *side) takeBack(keys *stream.Keys, stored *stream.Batch, slots []statebackend.Slot) error {
	if s.identity == byValue {
		rows := s.ctx.Pool.NewBatch(s.in, stored.Len()) // without the table's own columns
		defer rows.Release()
		for c := range rows.Columns {
			stored.Columns[c].Retain()
			rows.Columns[c] = stored.Columns[c]
		}
		stored.ShareRows(rows)
		if err := s.ordered.TakeEqual(keys, &s.run, rows, slots); err != nil {
			return err
		}
	} else {
		s.ordered.TakeSlots(keys, &s.run, slots)
	}
	r, now := s.table.Rows(), s.ctx.Time.Now()
	for i, slot := range slots {
		if slot != statebackend.NoSlot && s.expired(&r, slot, now) {
			slots[i] = statebackend.NoSlot
		}
		if slots[i] == statebackend.NoSlot {
			s.ctx.Counts.Expired++
		}
	}
	return nil
}

// expired tells whether a row counts as absent for its age.
func (s *side) expired(r *statebackend.Rows, slot statebackend.Slot, now int64) bool {
	return s.ttl > 0 && int64(r.At(slot)[s.written])+s.ttl <= now
}

// sweep removes rows that have expired, among the next n of the table.
func (s *side) sweep(n int) {
	if s.ttl == 0 {
		return
	}
	s.swept = slices.Grow(s.swept[:0], n)[:n]
	found, next := s.table.Scan(s.next, s.swept)
	if s.next = next; found < n {
		s.next = 0
	}
	r, now := s.table.Rows(), s.ctx.Time.Now()
	gone := s.swept[:0]
	for _, slot := range s.swept[:found] {
		if s.expired(&r, slot, now) {
			gone = append(gone, slot)
		}
	}
	s.table.Remove(gone)
	s.ctx.Counts.Expired += int64(len(gone))
}

// live leaves out the candidates that have expired.
func (s *side) live(slots []statebackend.Slot, positions []int32) ([]statebackend.Slot, []int32) {
	if s.ttl == 0 {
		return slots, positions
	}
	r, now, n := s.table.Rows(), s.ctx.Time.Now(), 0
	for i, slot := range slots {
		if !s.expired(&r, slot, now) {
			slots[n], positions[n] = slot, positions[i]
			n++
		}
	}
	return slots[:n], positions[:n]
}

// matched adds to the number of a row's matches, which counts as a write, and returns what it was.
func (s *side) matched(r *statebackend.Rows, slot statebackend.Slot, by int64) int64 {
	row := r.At(slot)
	n := int64(row[s.matches])
	row[s.matches] = uint64(n + by)
	if s.ttl > 0 {
		row[s.written] = uint64(s.ctx.Time.Now())
	}
	return n
}
