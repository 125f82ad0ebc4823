package changelog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/keyed"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

const (
	// sweepRows is how many primary keys, for each batch, are looked at for those whose time has passed.
	sweepRows = 256
	// hashedRows is how many rows of a primary key are compared column by column; of more, the hashes are compared first.
	hashedRows = 16
)

// Materialize keeps the rows of each primary key by their arrival and gives the last one.
type Materialize struct {
	spec *jobgraph.SinkMaterializeSpec
	ctx  *operators.Context
	ttl  int64

	reader *stream.KeyReader
	unique *stream.KeyReader // of the upsert key, or of all columns
	rows   statebackend.OrderedMapTable
	heads  statebackend.ValueTable // of each primary key: its rows, the next arrival, the time of its last change
	ring   keyed.Ring
	swept  statebackend.Slot
	slots  []statebackend.Slot

	// Of the batch.
	keys    *stream.Keys
	pairs   []uint64
	groups  []group
	firsts  stream.Keys // the groups' keys
	scan    statebackend.OrderedScan
	scanned statebackend.OrderedRows
	pool    *stream.Batch // what was scanned, and behind it the batch
	stored  int           // of the pool
	ids     *stream.Keys  // what tells the pool's rows apart; nil: their columns do
	list    []int32       // of a group: rows of the pool, by arrival
	put     puts
	gone    puts
	changes []keyed.Change
	at      int
	writer  keyed.Writer
}

// group is a primary key of a batch.
type group struct {
	from, to int32 // of pairs
	lo, hi   int32 // its rows of the table, in the pool
	key      int32 // position among the batch's keys
	rows     int64
	next     uint64
}

// puts are rows to be put or deleted: ordinals of the batch that have the keys, and orders.
type puts struct {
	of     []int32
	orders statebackend.Orders
	keys   stream.Keys
}

const wordRows, wordNext, wordWritten = 0, 1, 2

// NewMaterialize makes a sink-materialize. It is an operators.Factory.
func NewMaterialize(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	spec := o.Body.(*jobgraph.SinkMaterializeSpec)
	if len(spec.Keys) == 0 {
		return nil, failure.Userf("sink materialize %s has no primary key", o.UID)
	}
	return &Materialize{spec: spec, ttl: spec.TTL.Milliseconds()}, nil
}

// Open declares the tables.
func (m *Materialize) Open(ctx *operators.Context) error {
	m.ctx = ctx
	if err := m.open(ctx.Inputs[0]); err != nil {
		return fmt.Errorf("sink materialize %s: %w", ctx.Operator, err)
	}
	m.slots = make([]statebackend.Slot, stream.RowsMax)
	m.scanned.Columns = keyed.Builders(ctx.Pool, ctx.Inputs[0])
	m.writer.Open(ctx)
	return nil
}

func (m *Materialize) open(in *types.Schema) (err error) {
	if m.reader, err = stream.NewKeyReader(in, m.spec.Keys); err != nil {
		return err
	}
	columns := m.spec.UpsertKey
	if len(columns) == 0 {
		for i := range in.Fields {
			columns = append(columns, i)
		}
	}
	if m.unique, err = stream.NewKeyReader(in, columns); err != nil {
		return err
	}
	keys, number := keyed.Columns(in, m.spec.Keys), types.Of(types.BigInt)
	m.heads, err = m.ctx.State.Value(statebackend.ValueSpec{
		ID: statebackend.TableID{Operator: m.ctx.Operator, Name: "keys"}, Keys: keys,
		Columns: []statebackend.ColumnSpec{{Name: "rows", Type: number}, {Name: "next", Type: number}, {Name: "written", Type: number}},
	})
	if err != nil {
		return err
	}
	specs := statebackend.ColumnsOf(in.Fields)
	m.rows, err = m.ctx.State.OrderedMap(statebackend.OrderedMapSpec{
		ID: statebackend.TableID{Operator: m.ctx.Operator, Name: "rows"}, Keys: keys, Columns: specs,
	})
	if err != nil {
		return err
	}
	return m.ring.Open(m.ctx.Pool, keys)
}

// Process changes the rows of the batch's primary keys and says which are the last then.
func (m *Materialize) Process(_ int, b *stream.Batch) error {
	if err := m.process(b); err != nil {
		return fmt.Errorf("sink materialize %s: %w", m.ctx.Operator, err)
	}
	return nil
}

func (m *Materialize) process(b *stream.Batch) error {
	m.ctx.Counts.Folded += int64(b.Rows())
	if err := m.sweep(); err != nil {
		return err
	}
	m.keys = m.reader.Read(b)
	if err := m.group(); err != nil {
		return err
	}
	if err := m.read(b); err != nil {
		return err
	}
	for i := range m.groups {
		m.change(b, &m.groups[i])
	}
	return m.apply(b)
}

// group deals the rows of the batch out to their primary keys.
func (m *Materialize) group() error {
	slots := m.slots[:m.keys.Len()]
	part := m.heads.Part(0, true)
	if _, err := part.Upsert(m.keys, slots); err != nil {
		return err
	}
	m.pairs = m.pairs[:0]
	for i, s := range slots {
		m.pairs = append(m.pairs, uint64(s)<<32|uint64(i))
	}
	slices.Sort(m.pairs)
	rows, now := part.Rows(), m.ctx.Time.Now()
	m.groups = m.groups[:0]
	m.firsts.Reset(m.keys.Layout)
	for i, p := range m.pairs {
		if i == 0 || p>>32 != m.pairs[i-1]>>32 {
			words := rows.At(statebackend.Slot(p >> 32))
			g := group{from: int32(i), to: int32(i), key: int32(uint32(p)), rows: int64(words[wordRows]), next: words[wordNext]}
			m.firsts.AppendRows(m.keys, []int32{g.key})
			if g.rows > 0 && m.expired(words, now) {
				m.ctx.Counts.Expired += g.rows
				m.gone.keys.Reset(m.keys.Layout)
				m.gone.keys.AppendRows(m.keys, []int32{g.key})
				m.rows.DeleteAll(&m.gone.keys)
				g.rows = 0
			}
			m.groups = append(m.groups, g)
		}
		m.groups[len(m.groups)-1].to++
	}
	return nil
}

func (m *Materialize) expired(words []uint64, now int64) bool {
	return m.ttl > 0 && int64(words[wordWritten])+m.ttl <= now
}

// read reads the rows of the primary keys, and makes the pool of them and the batch.
func (m *Materialize) read(b *stream.Batch) error {
	m.scan = statebackend.OrderedScan{Keys: &m.firsts, Last: m.scan.Last[:0]}
	for {
		n := m.scanned.Orders.Len()
		if err := m.rows.Next(&m.scan, stream.RowsMax, &m.scanned); err != nil {
			return err
		}
		if m.scanned.Orders.Len()-n < stream.RowsMax {
			break
		}
	}
	m.stored = m.scanned.Orders.Len()
	at, longest := int32(0), int32(0)
	for i := range m.groups {
		g := &m.groups[i]
		g.lo = at
		for int(at) < m.stored && int(m.scanned.Positions[at]) == i {
			at++
		}
		g.hi = at
		longest = max(longest, g.hi-g.lo)
	}
	m.list = m.list[:0]
	for i := range b.Rows() {
		m.list = append(m.list, int32(b.Row(i)))
	}
	m.pool = m.ctx.Pool.NewBatch(m.ctx.Inputs[0], m.stored+b.Rows())
	for c, builder := range m.scanned.Columns {
		builder.AppendRows(&b.Columns[c], m.list)
		m.pool.Columns[c] = builder.Finish()
	}
	if m.ids = nil; m.upserts() || longest > hashedRows {
		m.ids = m.unique.Read(m.pool)
	}
	return nil
}

// change applies the rows of the batch to those of a primary key.
func (m *Materialize) change(b *stream.Batch, g *group) {
	list := m.list[:0]
	for row := g.lo; row < g.hi; row++ {
		list = append(list, row)
	}
	last := int32(-1)
	if len(list) > 0 {
		last = list[len(list)-1]
	}
	for _, p := range m.pairs[g.from:g.to] {
		ordinal := int32(uint32(p))
		row := int32(m.stored) + ordinal
		retracts := b.Kind(b.Row(int(ordinal))).Retracts()
		if retracts || m.upserts() {
			if k := slices.IndexFunc(list, func(x int32) bool { return m.same(x, row) }); k >= 0 {
				m.drop(g, list[k])
				list = slices.Delete(list, k, k+1)
			} else if retracts {
				m.ctx.Counts.Expired++
			}
		}
		if !retracts {
			list = append(list, row)
		}
	}
	m.list = list
	m.say(last, list)
	g.rows = int64(len(list))
	for _, row := range list {
		if int(row) >= m.stored {
			m.put.add(row-int32(m.stored), g.next)
			g.next++
		}
	}
}

// drop deletes a row of the table; one of the batch was never put there.
func (m *Materialize) drop(g *group, row int32) {
	if int(row) < m.stored {
		m.gone.of = append(m.gone.of, g.key)
		m.gone.orders.Append(m.scanned.Orders.At(int(row)))
	}
}

func (p *puts) add(ordinal int32, arrival uint64) {
	var order [8]byte
	binary.BigEndian.PutUint64(order[:], arrival)
	p.of = append(p.of, ordinal)
	p.orders.Append(order[:])
}

// say gives the last row of a primary key, where it is another one than before.
func (m *Materialize) say(last int32, list []int32) {
	switch {
	case len(list) == 0 && last < 0:
	case len(list) == 0:
		m.changes = append(m.changes, keyed.Change{Row: last, Kind: stream.Delete})
	case last < 0:
		m.changes = append(m.changes, keyed.Change{Row: list[len(list)-1], Kind: stream.Insert})
	default:
		is := list[len(list)-1]
		if is == last || m.ttl == 0 && stream.EqualRows(m.pool.Columns, int(last), m.pool.Columns, int(is)) {
			return
		}
		m.changes = append(m.changes, keyed.Change{Row: is, Kind: stream.UpdateAfter})
	}
}

// upserts tells whether a row takes the place of another version of it.
func (m *Materialize) upserts() bool { return len(m.spec.UpsertKey) > 0 }

// same tells whether two rows of the pool are versions of one, or equal where there is no upsert key.
func (m *Materialize) same(x, y int32) bool {
	if m.ids == nil {
		return stream.EqualRows(m.pool.Columns, int(x), m.pool.Columns, int(y))
	}
	if m.ids.Hashes[x] != m.ids.Hashes[y] {
		return false
	}
	if m.ids.Layout == stream.Key64 {
		return m.ids.Fixed[x] == m.ids.Fixed[y] && m.ids.IsNull(int(x)) == m.ids.IsNull(int(y))
	}
	return bytes.Equal(m.ids.Bytes(int(x)), m.ids.Bytes(int(y)))
}

// apply writes what has changed to the tables.
func (m *Materialize) apply(b *stream.Batch) error {
	if len(m.gone.of) > 0 {
		m.gone.keys.Reset(m.keys.Layout)
		m.gone.keys.AppendRows(m.keys, m.gone.of)
		m.rows.Delete(&m.gone.keys, &m.gone.orders, nil)
	}
	m.gone.of = m.gone.of[:0]
	m.gone.orders.Reset()
	if err := m.putAll(); err != nil {
		return err
	}
	slots := m.slots[:len(m.groups)]
	part := m.heads.Part(0, true)
	if _, err := part.Upsert(&m.firsts, slots); err != nil {
		return err
	}
	rows, now, n := part.Rows(), m.ctx.Time.Now(), 0
	for i, s := range slots {
		if g := &m.groups[i]; g.rows > 0 {
			words := rows.At(s)
			words[wordRows], words[wordNext], words[wordWritten] = uint64(g.rows), g.next, uint64(now)
			continue
		}
		slots[n] = s
		n++
	}
	part.Delete(slots[:n])
	m.scanned.Positions = m.scanned.Positions[:0]
	m.scanned.Orders.Reset()
	return nil
}

// putAll puts rows of the pool, gathered in the order of their groups.
func (m *Materialize) putAll() error {
	if len(m.put.of) == 0 {
		return nil
	}
	m.put.keys.Reset(m.keys.Layout)
	m.put.keys.AppendRows(m.keys, m.put.of)
	for i := range m.put.of {
		m.put.of[i] += int32(m.stored)
	}
	rows := m.ctx.Pool.NewBatch(m.ctx.Inputs[0], len(m.put.of))
	for c, builder := range m.scanned.Columns {
		builder.AppendRows(&m.pool.Columns[c], m.put.of)
		rows.Columns[c] = builder.Finish()
	}
	err := m.rows.Put(&m.put.keys, &m.put.orders, rows)
	rows.Release()
	m.put.of = m.put.of[:0]
	m.put.orders.Reset()
	return err
}

// sweep forgets some primary keys whose time has passed.
func (m *Materialize) sweep() error {
	if m.ttl == 0 {
		return nil
	}
	part := m.heads.Part(0, true)
	slots := m.slots[:sweepRows]
	n, next := part.Scan(m.swept, slots)
	if m.swept = next; n == 0 {
		m.swept = 0
		return nil
	}
	rows, now, gone := part.Rows(), m.ctx.Time.Now(), 0
	for _, s := range slots[:n] {
		if words := rows.At(s); m.expired(words, now) {
			m.ctx.Counts.Expired += int64(words[wordRows])
			slots[gone] = s
			gone++
		}
	}
	if gone == 0 {
		return nil
	}
	keys, err := m.ring.Keys(part, slots[:gone])
	if err != nil {
		return err
	}
	m.rows.DeleteAll(keys)
	part.Delete(slots[:gone])
	return nil
}

// Advance does nothing: event time passes through.
func (m *Materialize) Advance(stream.Watermark) error { return nil }

// Flush does nothing: all rows are in the table.
func (m *Materialize) Flush() error { return nil }

// Next gives what has changed.
func (m *Materialize) Next() (operators.Output, error) {
	if m.at == len(m.changes) {
		m.pool.Release()
		m.pool, m.changes, m.at = nil, m.changes[:0], 0
		return operators.Output{}, nil
	}
	to := min(m.at+m.writer.RowsMax(), len(m.changes))
	b := m.writer.Write(m.pool, m.changes[m.at:to])
	m.at = to
	return operators.Output{Batch: b}, nil
}

// Close gives back what nobody took.
func (m *Materialize) Close() error {
	m.pool.Release()
	m.pool = nil
	for _, b := range m.scanned.Columns {
		b.Close()
	}
	m.writer.Close()
	m.ring.Close()
	return nil
}
