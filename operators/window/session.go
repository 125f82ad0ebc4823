package window

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Sessions aggregates rows by key and session: a session is as long as rows come
// less than the gap after each other, and ends a gap behind the last. Rows that come
// between two sessions make one of them.
//
// An OrderedMap has the sessions of a key by their ends, each with its start and
// its accumulators as those of a partial row; timers say when each ends. A batch is
// taken a tile at a time: its rows and the sessions that they may touch are laid out
// along time, key by key, and what touches becomes one row of a scratch table, into
// which sessions and rows are folded and out of which the new sessions are written.
// What DISTINCT calls need besides is in sessionValues.
type Sessions struct {
	spec *jobgraph.WindowAggregateSpec
	ctx  *operators.Context
	gap  int64

	splitter splitter // of which only the times are asked
	reader   *stream.KeyReader
	plan     *aggregate.Plan
	folder   aggregate.Folder
	merge    aggregate.Folder // of sessions, but for what values has
	values   *sessionValues   // nil: no call is DISTINCT
	scratch  *aggregate.Table
	table    statebackend.OrderedMapTable
	timers   statebackend.TimerTable
	stored   *types.Schema // of the columns of table: start, accumulators, rows, with DISTINCT the birth
	found    statebackend.OrderedRows
	due      statebackend.Due

	watermark stream.Watermark // local
	late      *stream.Batch
	lateAt    int

	// Of the tile under way.
	keys  *stream.Keys
	times []int64
	order []int32 // its rows by key and time
	old   *stream.Batch
	ends  []int64 // of old
	spans []span
	slots []statebackend.Slot // of each row; NoSlot: late
	into  []statebackend.Slot // of each row of old; NoSlot: it stays as it is
	sel   []int32
	some  []statebackend.Slot
}

// span is a session that has rows of the tile.
type span struct {
	key        int32 // a row that has its key
	start, end int64
}

// newSessions makes a session aggregate.
func newSessions(spec *jobgraph.WindowAggregateSpec) operators.Operator {
	s := &Sessions{spec: spec, gap: spec.Window.Size.Milliseconds(), watermark: stream.NoWatermark}
	if spec.Window.Processing {
		return &clockedSessions{s, stream.NoWatermark}
	}
	return s
}

// Open declares the tables.
func (s *Sessions) Open(ctx *operators.Context) error {
	s.ctx = ctx
	if err := s.bind(ctx.Inputs[0]); err != nil {
		return failure.Userf("window aggregate %s: %w", ctx.Operator, err)
	}
	if err := s.declare(); err != nil {
		return fmt.Errorf("window aggregate %s: %w", ctx.Operator, err)
	}
	if !s.spec.Window.Processing {
		s.watermark = s.splitter.zone.passed(ctx.Watermark)
	}
	return nil
}

func (s *Sessions) bind(in *types.Schema) (err error) {
	if err := checkTime(s.spec, in); err != nil {
		return err
	}
	if s.splitter, err = newSplitter(&s.spec.Window, s.spec.Time, in, s.ctx.Time); err != nil {
		return err
	}
	if s.plan, err = aggregate.NewPlan(aggregate.Input{Calls: s.spec.Aggregates, Raw: in, Functions: s.ctx.Functions}); err != nil {
		return err
	}
	merge, err := aggregate.NewPlan(aggregate.Input{Calls: s.spec.Aggregates, Raw: in, Merge: true, MergeFrom: 1, Disjoint: true, Functions: s.ctx.Functions})
	if err != nil {
		return err
	}
	if len(s.plan.Counted) > 0 {
		s.values = newSessionValues(s, in)
		merge = s.values.use(merge)
	}
	s.folder.Use(s.plan)
	s.merge.Use(merge)
	s.reader, err = stream.NewKeyReader(in, s.spec.Keys)
	if err == nil {
		s.scratch = aggregate.NewTable(s.reader.Layout(), s.plan)
	}
	return err
}

func (s *Sessions) declare() error {
	keys, err := aggregate.KeyTypes(s.spec.Keys, s.ctx.Inputs[0])
	if err != nil {
		return failure.User(err)
	}
	partial, err := jobgraph.PartialSchema(s.spec, s.ctx.Inputs[0])
	if err != nil {
		return failure.User(err)
	}
	s.stored = types.NewSchema(types.Field{Name: jobgraph.WindowStart, Type: types.Of(types.BigInt).NotNull()})
	s.stored.Fields = append(s.stored.Fields, partial.Fields[len(keys)+1:]...)
	if s.values != nil {
		s.stored.Fields = append(s.stored.Fields, birthField)
	}
	columns := statebackend.ColumnsOf(s.stored.Fields)
	for _, f := range s.stored.Fields {
		s.found.Columns = append(s.found.Columns, stream.NewBuilder(s.ctx.Pool, f.Type, aggregate.TileRows))
	}
	id := func(name string) statebackend.TableID {
		return statebackend.TableID{Operator: s.ctx.Operator, Name: name}
	}
	s.table, err = s.ctx.State.OrderedMap(statebackend.OrderedMapSpec{ID: id("sessions"), Keys: keys, Columns: columns})
	if err != nil {
		return err
	}
	s.due.Keys = stream.NewKeyBuilder(s.ctx.Pool, keys, aggregate.TileRows)
	if s.timers, err = s.ctx.State.Timers(statebackend.TimerSpec{ID: id("ends"), Keys: keys}); err != nil || s.values == nil {
		return err
	}
	return s.values.open()
}

// Process brings the rows of a batch into their sessions.
func (s *Sessions) Process(_ int, b *stream.Batch) error {
	err := aggregate.AppendOnly(b)
	for from := 0; err == nil && from < b.Rows(); from += aggregate.TileRows {
		part := operators.Slice(b, from, min(from+aggregate.TileRows, b.Rows()))
		err = s.take(part)
		part.Release()
	}
	if err != nil {
		return fmt.Errorf("window aggregate %s: %w", s.ctx.Operator, err)
	}
	return nil
}

// take brings a tile in.
func (s *Sessions) take(b *stream.Batch) (err error) {
	if s.times, err = s.splitter.read(b); err != nil {
		return err
	}
	for _, t := range s.times {
		if !Covers(t) {
			return failure.Userf("time column %s has a value beyond the times that windows cover", s.splitter.name)
		}
	}
	s.keys = s.reader.Read(b)
	s.sort()
	if err := s.fetch(); err != nil {
		return err
	}
	defer func() {
		s.old.Release()
		s.old = nil
	}()
	s.lay()
	late := s.setAside(b)
	s.ctx.Counts.Late += int64(late)
	s.ctx.Counts.Folded += int64(b.Rows() - late)
	if len(s.spans) == 0 {
		return nil
	}
	return s.write(b, late > 0)
}

// sort puts the rows in the order of key and time; equal ones stay as they came.
func (s *Sessions) sort() {
	s.order = slices.Grow(s.order[:0], len(s.times))[:len(s.times)]
	for i := range s.order {
		s.order[i] = int32(i)
	}
	slices.SortStableFunc(s.order, func(i, j int32) int {
		if c := s.compareKeys(int(i), int(j)); c != 0 {
			return c
		}
		return cmp.Compare(s.times[i], s.times[j])
	})
}

func (s *Sessions) compareKeys(i, j int) int { return aggregate.CompareKeys(s.keys, i, j) }

// fetch reads the sessions that the rows may touch: of each key those that end at
// or behind its first time. Their positions are those of the first rows of the keys
// in the order.
func (s *Sessions) fetch() error {
	var at []int
	var from statebackend.Orders
	for k, i := range s.order {
		if k == 0 || s.compareKeys(int(s.order[k-1]), int(i)) != 0 {
			at = append(at, int(i))
			from.Append(endOrder(s.times[i]))
		}
	}
	keys := aggregate.PickKeys(s.keys, at)
	return s.scan(&statebackend.OrderedScan{Keys: &keys, From: from})
}

// scan reads sessions into s.old and s.ends.
func (s *Sessions) scan(scan *statebackend.OrderedScan) error {
	s.found.Positions = s.found.Positions[:0]
	s.found.Orders.Reset()
	for {
		before := len(s.found.Positions)
		if err := s.table.Next(scan, aggregate.TileRows, &s.found); err != nil {
			return err
		}
		if len(s.found.Positions)-before < aggregate.TileRows {
			break
		}
	}
	n := len(s.found.Positions)
	s.old, s.ends = s.ctx.Pool.NewBatch(s.stored, n), s.ends[:0]
	for i, builder := range s.found.Columns {
		s.old.Columns[i] = builder.Finish()
	}
	for i := range n {
		s.ends = append(s.ends, int64(binary.BigEndian.Uint64(s.found.Orders.At(i))^1<<63))
	}
	return nil
}

// endOrder is the order of a session that ends then.
func endOrder(end int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(end)^1<<63)
}

// lay finds the sessions that there are now.
func (s *Sessions) lay() {
	s.spans = s.spans[:0]
	s.slots = slices.Grow(s.slots[:0], len(s.times))[:len(s.times)]
	s.into = slices.Grow(s.into[:0], len(s.ends))[:len(s.ends)]
	for i := range s.into {
		s.into[i] = statebackend.NoSlot
	}
	old, key := 0, int32(-1)
	for from := 0; from < len(s.order); {
		to := from + 1
		for to < len(s.order) && s.compareKeys(int(s.order[from]), int(s.order[to])) == 0 {
			to++
		}
		key++
		last := old
		for last < len(s.ends) && s.found.Positions[last] == key {
			last++
		}
		s.layKey(s.order[from:to], old, last)
		from, old = to, last
	}
}

// layKey does so for the rows of a key, by time, and its sessions from, ..., to-1.
func (s *Sessions) layKey(rows []int32, from, to int) {
	starts := stream.Values[int64](&s.old.Columns[0])
	for len(rows) > 0 {
		x := span{key: rows[0], start: s.times[rows[0]], end: s.times[rows[0]] + s.gap}
		for from < to && s.ends[from] < x.start {
			from++ // it ended before
		}
		n, first := 0, from
		for {
			if from < to && starts[from] <= x.end {
				x.start, x.end = min(x.start, starts[from]), max(x.end, s.ends[from])
				from++
				continue
			}
			if n < len(rows) && s.times[rows[n]] <= x.end {
				x.end = max(x.end, s.times[rows[n]]+s.gap)
				n++
				continue
			}
			break
		}
		slot := statebackend.NoSlot
		if stream.Watermark(x.end-1) > s.watermark {
			slot = statebackend.Slot(len(s.spans))
			s.spans = append(s.spans, x)
		}
		for _, i := range rows[:n] {
			s.slots[i] = slot
		}
		for i := first; i < from; i++ {
			s.into[i] = slot
		}
		rows = rows[n:]
	}
}

// setAside counts the late rows, and keeps them for LatePort.
func (s *Sessions) setAside(b *stream.Batch) int {
	s.sel = s.sel[:0]
	for i, slot := range s.slots {
		if slot == statebackend.NoSlot {
			s.sel = append(s.sel, int32(b.Row(i)))
		}
	}
	if len(s.sel) == 0 || !s.spec.LateOutput {
		return len(s.sel)
	}
	all := s.sel
	if s.late != nil {
		all = append(slices.Clone(s.late.Sel()), all...)
		s.late.Release()
	}
	s.late, s.lateAt = operators.Select(b, all), 0
	return len(s.sel)
}

// write folds what touches into one, and replaces the sessions that there were.
func (s *Sessions) write(b *stream.Batch, late bool) error {
	at := make([]int, len(s.spans))
	for i, x := range s.spans {
		at[i] = int(x.key)
	}
	keys := aggregate.PickKeys(s.keys, at)
	slots := slices.Grow(s.some[:0], len(s.spans))[:len(s.spans)]
	s.some = slots
	s.scratch.Clear()
	s.scratch.Append(&keys, 0, slots)
	if s.values != nil {
		s.values.begin()
	}
	if err := s.replace(&keys); err != nil {
		return err
	}
	if err := s.fold(b, late); err != nil {
		return err
	}
	out := s.ctx.Pool.NewBatch(s.stored, len(s.spans))
	defer out.Release()
	out.Columns[0] = stream.NewFixed(s.ctx.Pool, s.stored.Fields[0].Type, len(s.spans))
	var orders statebackend.Orders
	ends := make([]int64, len(s.spans))
	for i, x := range s.spans {
		stream.Values[int64](&out.Columns[0])[i], ends[i] = x.start, x.end
		orders.Append(endOrder(x.end))
	}
	for i := range s.plan.Partial {
		var err error
		if out.Columns[i+1], err = s.plan.Partial[i].Result(s.ctx.Pool, s.scratch, slots); err != nil {
			return err
		}
	}
	if s.values != nil {
		out.Columns[len(out.Columns)-1] = s.values.column()
	}
	if err := s.table.Put(&keys, &orders, out); err != nil {
		return err
	}
	return s.timers.Register(&keys, make([]int64, len(ends)), ends)
}

// replace folds the sessions that were touched, and takes them out of the tables.
func (s *Sessions) replace(keys *stream.Keys) error {
	s.sel = s.sel[:0]
	var at []int
	var ends []int64
	var orders statebackend.Orders
	var slots []statebackend.Slot
	for i, slot := range s.into {
		if slot != statebackend.NoSlot {
			s.sel, at, ends, slots = append(s.sel, int32(i)), append(at, int(slot)), append(ends, s.ends[i]), append(slots, slot)
			orders.Append(endOrder(s.ends[i]))
		}
	}
	if len(at) == 0 {
		return nil
	}
	touched := aggregate.PickKeys(keys, at)
	s.table.Delete(&touched, &orders, nil)
	s.timers.Unregister(&touched, make([]int64, len(ends)), ends)
	part := operators.Select(s.old, s.sel)
	defer part.Release()
	for from := 0; from < len(slots); from += aggregate.TileRows {
		if err := s.merge.Fold(s.scratch, part, from, slots[from:min(from+aggregate.TileRows, len(slots))]); err != nil {
			return err
		}
	}
	if s.values != nil {
		return s.values.merge(&touched, slots)
	}
	return nil
}

// fold takes the rows that are not late.
func (s *Sessions) fold(b *stream.Batch, late bool) error {
	if !late {
		return s.foldRows(b, s.slots)
	}
	s.sel = s.sel[:0]
	n := 0
	for i, slot := range s.slots {
		if slot != statebackend.NoSlot {
			s.sel = append(s.sel, int32(b.Row(i)))
			s.slots[n] = slot
			n++
		}
	}
	part := operators.Select(b, s.sel)
	defer part.Release()
	return s.foldRows(part, s.slots[:n])
}

// foldRows folds all rows of a batch, of sessions that are given.
func (s *Sessions) foldRows(b *stream.Batch, slots []statebackend.Slot) error {
	if s.values != nil {
		return s.values.fold(b, slots)
	}
	return s.folder.Fold(s.scratch, b, 0, slots)
}

// Advance fires the sessions whose last millisecond is at or before w.
func (s *Sessions) Advance(w stream.Watermark) error {
	s.watermark = max(s.watermark, s.splitter.zone.passed(w))
	return nil
}

// Flush does nothing: all rows are in the tables.
func (s *Sessions) Flush() error { return nil }

// Next gives late rows first, then the sessions that are due.
func (s *Sessions) Next() (operators.Output, error) {
	if s.late != nil {
		to := min(s.lateAt+s.ctx.RowsMax, s.late.Rows())
		b := operators.Slice(s.late, s.lateAt, to)
		if s.lateAt = to; to == s.late.Rows() {
			s.late.Release()
			s.late = nil
		}
		return operators.Output{Port: LatePort, Batch: b}, nil
	}
	b, err := s.fire()
	if err != nil {
		return operators.Output{}, fmt.Errorf("window aggregate %s: %w", s.ctx.Operator, err)
	}
	return operators.Output{Batch: b}, nil
}

// fire returns the next sessions that are due; they leave the tables.
func (s *Sessions) fire() (*stream.Batch, error) {
	s.due.Raw = stream.Keys{}
	s.due.Namespaces, s.due.Times = s.due.Namespaces[:0], s.due.Times[:0]
	upTo := int64(s.watermark)
	if s.watermark < timeMax {
		upTo++ // the end, of which it is the last millisecond
	}
	n, err := s.timers.Pop(upTo, min(s.ctx.RowsMax, aggregate.TileRows), &s.due)
	if err != nil || n == 0 {
		return nil, err
	}
	var from, to statebackend.Orders
	for _, end := range s.due.Times {
		from.Append(endOrder(end))
		to.Append(endOrder(end + 1))
	}
	err = s.scan(&statebackend.OrderedScan{Keys: &s.due.Raw, From: from, To: to})
	defer func() {
		s.old.Release()
		s.old = nil
	}()
	if err != nil {
		return nil, err
	}
	if s.old.Rows() != n {
		return nil, failure.Internalf("%d sessions are due, the table has %d of them", n, s.old.Rows())
	}
	slots := slices.Grow(s.some[:0], n)[:n]
	s.some = slots
	s.scratch.Clear()
	s.scratch.Append(&s.due.Raw, 0, slots)
	if err := s.merge.Fold(s.scratch, s.old, 0, slots); err != nil {
		return nil, err
	}
	if s.values != nil {
		if err := s.values.fire(slots); err != nil {
			return nil, err
		}
	}
	s.table.Delete(&s.due.Raw, &from, nil)
	return s.rows(slots)
}

// rows returns final rows: keys, window_start, window_end, aggregates.
func (s *Sessions) rows(slots []statebackend.Slot) (b *stream.Batch, err error) {
	b = s.ctx.Pool.NewBatch(s.ctx.Output, len(slots))
	at := len(s.spec.Keys)
	for i := range at {
		b.Columns[i] = s.due.Keys.Finish(i)
	}
	for i := range 2 {
		b.Columns[at+i] = stream.NewFixed(s.ctx.Pool, s.ctx.Output.Fields[at+i].Type, len(slots))
	}
	copy(stream.Values[int64](&b.Columns[at]), stream.Values[int64](&s.old.Columns[0]))
	copy(stream.Values[int64](&b.Columns[at+1]), s.due.Times)
	for i := range s.plan.Final {
		if b.Columns[at+2+i], err = s.plan.Final[i].Result(s.ctx.Pool, s.scratch, slots); err != nil {
			b.Release()
			return nil, err
		}
	}
	return b, nil
}

// ResumesAdvance is true: the sessions that are due are in the tables until their
// rows leave.
func (s *Sessions) ResumesAdvance() bool { return true }

// Close releases what nobody took.
func (s *Sessions) Close() error {
	s.late.Release()
	s.late = nil
	for _, builder := range s.found.Columns {
		builder.Close()
	}
	if s.due.Keys != nil {
		s.due.Keys.Close()
	}
	if s.values != nil {
		s.values.close()
	}
	return nil
}

// clockedSessions are sessions in processing time.
type clockedSessions struct {
	*Sessions
	woken stream.Watermark
}

// Advance does nothing.
func (c *clockedSessions) Advance(stream.Watermark) error { return nil }

// WakeAt returns when the first session ends.
func (c *clockedSessions) WakeAt() (at int64, ok bool) {
	end, ok := c.timers.Next()
	if at = c.splitter.zone.until(end); ok && stream.Watermark(at) <= c.woken {
		at = int64(c.woken) + retryMillis
	}
	return at, ok
}

// Wake fires the sessions that have ended.
func (c *clockedSessions) Wake(now int64) error {
	c.woken = stream.Watermark(now)
	c.watermark = max(c.watermark, c.splitter.zone.passed(stream.Watermark(now-1)))
	return nil
}
