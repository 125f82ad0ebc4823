package keyed

import (
	"slices"
	"time"

	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
)

// Spec says what rows are kept and what is said of their changes.
type Spec struct {
	Name string // of the table
	Keys []int  // columns of the input
	TTL  time.Duration
	// UpdateBefore says -U in front of +U. Silent says nothing: rows are given by Final.
	UpdateBefore, Silent bool
	// Waits says that rows wait to be given by GiveOnce; meanwhile their time does not pass.
	Waits bool
}

// Rows is a table of at most one row a key. It is for one goroutine.
type Rows struct {
	spec   Spec
	ctx    *operators.Context
	ttl    int64
	layout layout
	reader *stream.KeyReader
	table  statebackend.ValueTable
	part   statebackend.Part
	ring   Ring
	swept  statebackend.Slot
	gone   []statebackend.Slot
	slots  []statebackend.Slot

	// Of the batch. Groups are its keys; Of has the position in Groups of each row that was looked up.
	Groups []Group
	Of     []int32
	keys   *stream.Keys
	some   stream.Keys
	index  index
	nth    []int32 // of each group: the round of its next row
	rounds [][]int32
	round  int           // the next
	dealt  *stream.Batch // whose rounds are under way

	old     []statebackend.Slot // rows of the table that are given
	writing []statebackend.Slot
	rows    []int32
	fill    []*stream.Builder
	pool    *stream.Batch
	changes []Change
	at      int
	writer  Writer
	final   statebackend.Slot
}

// Group is a key of a batch.
type Group struct {
	Slot statebackend.Slot
	// There is the state of the row: Absent where there is none.
	There int64
	// Winner is the physical row of the batch that becomes the key's; Keep at first.
	Winner int32
	key    int32 // position among the batch's keys
}

// States of a row. Operators may have others above There.
const (
	Absent = 0
	There  = 1
)

// Winners that are no row.
const (
	Keep   = -1 // leaves the key's row as it is
	Delete = -2 // deletes it
)

// Open declares the table.
func (t *Rows) Open(ctx *operators.Context, spec Spec) error {
	t.spec, t.ctx, t.ttl = spec, ctx, spec.TTL.Milliseconds()
	in := ctx.Inputs[0]
	t.layout = newLayout(in)
	var err error
	if t.reader, err = stream.NewKeyReader(in, spec.Keys); err != nil {
		return err
	}
	keys := Columns(in, spec.Keys)
	t.table, err = ctx.State.Value(statebackend.ValueSpec{
		ID: statebackend.TableID{Operator: ctx.Operator, Name: spec.Name}, Keys: keys, Columns: t.layout.columns,
	})
	if err != nil {
		return err
	}
	t.part = t.table.Part(0, true)
	t.slots = make([]statebackend.Slot, stream.RowsMax)
	t.fill = Builders(ctx.Pool, in)
	t.writer.Open(ctx)
	return t.ring.Open(ctx.Pool, keys)
}

// Read reads the keys of a batch, which Find, Lookup and Apply are about.
func (t *Rows) Read(b *stream.Batch) { t.keys = t.reader.Read(b) }

// Layout returns the layout of the keys.
func (t *Rows) Layout() stream.KeyLayout { return t.reader.Layout() }

// AppendKey appends the key of the i-th group to others.
func (t *Rows) AppendKey(to *stream.Keys, i int) { to.AppendRows(t.keys, []int32{t.Groups[i].key}) }

// Find returns the slot of each key, NoSlot where there is no row or its time has passed. It changes nothing; the slots are
// valid until the next call.
func (t *Rows) Find() []statebackend.Slot {
	slots := t.slots[:t.keys.Len()]
	t.part.Find(t.keys, slots)
	if t.ttl == 0 {
		return slots
	}
	rows, now := t.part.Rows(), t.ctx.Time.Now()
	for i, s := range slots {
		if s != statebackend.NoSlot && t.expired(rows.At(s), now) {
			slots[i] = statebackend.NoSlot
		}
	}
	return slots
}

// Word returns the first word of a column of a row: an integer or a time.
func (t *Rows) Word(s statebackend.Slot, column int) int64 {
	rows := t.part.Rows()
	return int64(rows.At(s)[t.layout.words[column]])
}

// Lookup makes groups of the rows with these ordinals, nil: all. A key without a row has one afterwards, which is Absent.
func (t *Rows) Lookup(ordinals []int32) error {
	slots, err := t.upsert(ordinals)
	if err != nil {
		return err
	}
	t.index.reset()
	rows, now := t.part.Rows(), t.ctx.Time.Now()
	for i, s := range slots {
		g := t.index.of(s, int32(len(t.Groups)))
		if int(g) == len(t.Groups) {
			t.group(rows.At(s), s, now, ordinals, i)
		}
		t.Of = append(t.Of, g)
	}
	return nil
}

// upsert returns the slots of the rows with these ordinals, and forgets the groups that there were.
func (t *Rows) upsert(ordinals []int32) ([]statebackend.Slot, error) {
	keys := t.keys
	if ordinals != nil {
		t.some.Reset(t.keys.Layout)
		t.some.AppendRows(t.keys, ordinals)
		keys = &t.some
	}
	t.Groups, t.Of = t.Groups[:0], t.Of[:0]
	slots := t.slots[:keys.Len()]
	_, err := t.part.Upsert(keys, slots)
	return slots, err
}

// group adds the group of a row that was looked up as the i-th.
func (t *Rows) group(words []uint64, s statebackend.Slot, now int64, ordinals []int32, i int) {
	there := int64(words[wordThere])
	if there != Absent && t.expired(words, now) {
		t.ctx.Counts.Expired++
		there, words[wordThere] = Absent, Absent
	}
	key := int32(i)
	if ordinals != nil {
		key = ordinals[i]
	}
	t.Groups = append(t.Groups, Group{Slot: s, There: there, Winner: Keep, key: key})
}

// Deal deals the rows of Of, which are those of a batch, out to rounds, if some have one key: each round has one row of a key at most, and a key's rows are
// in the order in which they came. It tells whether there are any; NextRound gives them then, and the batch is borrowed until it has given all.
func (t *Rows) Deal(b *stream.Batch) bool {
	if len(t.Groups) == len(t.Of) {
		return false
	}
	t.nth = slices.Grow(t.nth[:0], len(t.Groups))[:len(t.Groups)]
	clear(t.nth)
	rounds := t.rounds[:0]
	for i, g := range t.Of {
		r := int(t.nth[g])
		t.nth[g]++
		if r == len(rounds) {
			if rounds = rounds[:min(r+1, cap(rounds))]; r == len(rounds) {
				rounds = append(rounds, nil)
			}
			rounds[r] = rounds[r][:0]
		}
		rounds[r] = append(rounds[r], int32(i))
	}
	t.rounds, t.round, t.dealt = rounds, 0, b
	return true
}

// NextRound makes groups of the rows of the next round, the i-th of which is of group i, and returns their batch and ordinals: no batch where there is no round.
func (t *Rows) NextRound() (b *stream.Batch, ordinals []int32, err error) {
	if t.dealt == nil {
		return nil, nil, nil
	}
	b, ordinals = t.dealt, t.rounds[t.round]
	if t.round++; t.round == len(t.rounds) {
		t.dealt = nil
	}
	slots, err := t.upsert(ordinals)
	if err != nil {
		return nil, nil, err
	}
	rows, now := t.part.Rows(), t.ctx.Time.Now()
	for i, s := range slots {
		t.group(rows.At(s), s, now, ordinals, i)
		t.Of = append(t.Of, int32(i))
	}
	return b, ordinals, nil
}

// expired tells whether the time of a row has passed.
func (t *Rows) expired(words []uint64, now int64) bool {
	if t.spec.Waits && words[wordThere] == There {
		return false
	}
	return t.ttl > 0 && int64(words[wordWritten])+t.ttl <= now
}

// Apply makes the winners of a batch the rows of their keys. Next gives what that changes.
func (t *Rows) Apply(b *stream.Batch) error {
	rows, now := t.part.Rows(), t.ctx.Time.Now()
	t.old, t.writing, t.rows, t.gone, t.changes, t.at = t.old[:0], t.writing[:0], t.rows[:0], t.gone[:0], t.changes[:0], 0
	for i := range t.Groups {
		g := &t.Groups[i]
		words := rows.At(g.Slot)
		switch {
		case g.Winner >= 0:
			if g.There != Absent && t.ttl == 0 && t.layout.equal(t.part, g.Slot, b, int(g.Winner)) {
				continue
			}
			t.sayWritten(g)
			words[wordThere], words[wordWritten] = There, uint64(now)
			t.writing, t.rows = append(t.writing, g.Slot), append(t.rows, g.Winner)
		case g.There == Absent:
			t.gone = append(t.gone, g.Slot)
		case g.Winner == Delete:
			t.say(stream.Delete, int32(len(t.old)))
			t.old, t.gone = append(t.old, g.Slot), append(t.gone, g.Slot)
		}
	}
	t.makePool(b)
	err := t.layout.write(t.part, t.writing, b, t.rows)
	t.part.Delete(t.gone)
	return err
}

// sayWritten says what a new row of a key changes. New rows stand in the pool behind the old ones, which are not all known
// yet: they are counted down from -1.
func (t *Rows) sayWritten(g *Group) {
	is := int32(-1 - len(t.writing))
	if g.There == Absent {
		t.say(stream.Insert, is)
		return
	}
	if t.spec.UpdateBefore && !t.spec.Silent {
		t.say(stream.UpdateBefore, int32(len(t.old)))
		t.old = append(t.old, g.Slot)
	}
	t.say(stream.UpdateAfter, is)
}

func (t *Rows) say(kind stream.RowKind, row int32) {
	if !t.spec.Silent {
		t.changes = append(t.changes, Change{Row: row, Kind: kind})
	}
}

// makePool gathers the old rows, before they are written over, and the new ones.
func (t *Rows) makePool(b *stream.Batch) {
	if len(t.changes) == 0 {
		return
	}
	t.layout.append(t.part, t.old, t.fill)
	t.pool = t.ctx.Pool.NewBatch(t.ctx.Inputs[0], len(t.old)+len(t.rows))
	for c, builder := range t.fill {
		builder.AppendRows(&b.Columns[c], t.rows)
		t.pool.Columns[c] = builder.Finish()
	}
	for i, c := range t.changes {
		if c.Row < 0 {
			t.changes[i].Row = int32(len(t.old)) - 1 - c.Row
		}
	}
}

// Next returns the next of what Apply or Give changed, nil where all was given.
func (t *Rows) Next() *stream.Batch {
	if t.at == len(t.changes) {
		t.pool.Release()
		t.pool, t.changes, t.at = nil, t.changes[:0], 0
		return nil
	}
	to := min(t.at+t.writer.RowsMax(), len(t.changes))
	b := t.writer.Write(t.pool, t.changes[t.at:to])
	t.at = to
	return b
}

// RowsMax is how many rows the next batch may have.
func (t *Rows) RowsMax() int { return t.writer.RowsMax() }

// Give has Next give rows of the table as they are, as +I. Their slots must be those of rows that are there.
func (t *Rows) Give(slots []statebackend.Slot) {
	t.layout.append(t.part, slots, t.fill)
	t.pool = t.ctx.Pool.NewBatch(t.ctx.Inputs[0], len(slots))
	for c, builder := range t.fill {
		t.pool.Columns[c] = builder.Finish()
	}
	t.changes, t.at = t.changes[:0], 0
	for i := range slots {
		t.changes = append(t.changes, Change{Row: int32(i), Kind: stream.Insert})
	}
}

// GiveOnce has Next give the rows of keys that are There, and marks them as given: what their state is then.
func (t *Rows) GiveOnce(keys *stream.Keys, state int64) {
	slots := t.slots[:keys.Len()]
	t.part.Find(keys, slots)
	rows, now, n := t.part.Rows(), t.ctx.Time.Now(), 0
	for _, s := range slots {
		if s != statebackend.NoSlot && rows.At(s)[wordThere] == There {
			slots[n] = s
			n++
		}
	}
	t.Give(slots[:n])
	for _, s := range slots[:n] {
		words := rows.At(s)
		words[wordThere], words[wordWritten] = uint64(state), uint64(now)
	}
	t.part.Touch(slots[:n])
}

// Final has Next give some more of all rows, those first that were not given yet; false at the end.
func (t *Rows) Final() bool {
	slots := t.slots[:min(stream.RowsMax, t.writer.RowsMax())]
	n, next := t.part.Scan(t.final, slots)
	if n == 0 {
		return false
	}
	t.final = next
	t.Give(slots[:n])
	return true
}

// Sweep deletes some rows whose time has passed.
func (t *Rows) Sweep() {
	if t.ttl == 0 {
		return
	}
	slots := t.slots[:sweepRows]
	n, next := t.part.Scan(t.swept, slots)
	if t.swept = next; n == 0 {
		t.swept = 0
		return
	}
	rows, now := t.part.Rows(), t.ctx.Time.Now()
	t.gone = t.gone[:0]
	for _, s := range slots[:n] {
		if t.expired(rows.At(s), now) {
			t.gone = append(t.gone, s)
		}
	}
	t.ctx.Counts.Expired += int64(len(t.gone))
	t.part.Delete(t.gone)
}

// Close gives back what nobody took.
func (t *Rows) Close() {
	t.pool.Release()
	t.pool = nil
	for _, b := range t.fill {
		b.Close()
	}
	t.writer.Close()
	t.ring.Close()
}
