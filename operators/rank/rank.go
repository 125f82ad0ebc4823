package rank

import (
	"fmt"
	"slices"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/keyed"
	"millrace/operators/ordering"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Register adds the operators of this folder.
func Register(r *operators.Registry) {
	r.Register(jobgraph.KindRank, New)
	r.Register(jobgraph.KindDeduplicate, NewDeduplicate)
}

// Rank keeps the rows of each partition that have a rank in the range.
type Rank struct {
	spec *jobgraph.RankSpec
	ctx  *operators.Context
	// latest ranks what arrived later before what arrived earlier, where the ORDER BY does not tell rows apart.
	latest bool
	// Of the spec: whether the last rank is a column's, whether windows or the end of input give the rows, whether the ranks
	// of a change are needed or only which rows are in the range.
	variable, windowed, silent, byRank bool

	reader     *stream.KeyReader
	encoder    *ordering.Encoder
	unique     *stream.KeyReader // of UpdateFast
	rows       statebackend.OrderedMapTable
	partitions statebackend.ValueTable
	slots      []statebackend.Slot
	tail       [arrivalBytes]byte
	sweeper    sweeper

	// The batch being worked on: its keys and orders by ordinal, i.e. by position among the selected rows.
	batch   *stream.Batch
	keys    *stream.Keys
	orders  statebackend.Orders
	skip    int     // bytes of the orders that the window takes
	members []int32 // ordinals of rows that may change something, by group and within it by arrival
	pairs   []uint64
	groups  []group
	chunk   []group // the first of groups, being worked on
	keysOf  stream.Keys
	firsts  []int32
	parts   []partition

	scan    statebackend.OrderedScan
	scanned statebackend.OrderedRows // rows of the table
	pool    *stream.Batch            // they, and behind them the chunk's members
	rowsOf  []int32                  // physical rows of the members
	ids     *stream.Keys             // unique keys of the pool
	one     stream.Keys              // of a single look-up, or of a part of the chunk
	above   []byte                   // a bound
	prefix  []byte                   // of a window's orders
	search
	places  places
	putting stream.Bitmap // ordinals of rows to be put
	puts    []int32
	gone    statebackend.Orders // orders of rows to be deleted
	goneOf  []int32             // and ordinals that have their keys
	lists   lists

	changes []keyed.Change
	at      int // the first one that has not left
	output  keyed.Writer
	closing closing
	finish  finish
}

// group is the rows of a batch that belong to one partition, in a window or none.
type group struct {
	window   int64
	from, to int32 // of members
}

// New makes a rank. It is an operators.Factory.
func New(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	spec := o.Body.(*jobgraph.RankSpec)
	if err := checkSpec(spec); err != nil {
		return nil, failure.Userf("rank %s: %w", o.UID, err)
	}
	return newRank(spec, false), nil
}

func newRank(spec *jobgraph.RankSpec, latest bool) *Rank {
	r := &Rank{spec: spec, latest: latest, variable: spec.ToColumn != jobgraph.NoColumn, windowed: spec.WindowEnd != jobgraph.NoColumn}
	r.silent = r.windowed || spec.FinalOnly
	r.byRank = spec.RankNumber != ""
	return r
}

func checkSpec(s *jobgraph.RankSpec) error {
	switch {
	case s.Strategy < jobgraph.AppendFast || s.Strategy > jobgraph.Retract:
		return fmt.Errorf("unknown strategy %d", s.Strategy)
	case s.ToColumn == jobgraph.NoColumn && (s.From < 1 || s.To < s.From):
		return fmt.Errorf("ranks %d to %d are no range that begins at 1 or behind it", s.From, s.To)
	case s.Strategy == jobgraph.UpdateFast && len(s.UniqueKey) == 0:
		return fmt.Errorf("strategy %s needs a unique key", s.Strategy)
	case s.WindowEnd != jobgraph.NoColumn && s.Strategy != jobgraph.AppendFast:
		return fmt.Errorf("within windows only strategy %s ranks", jobgraph.AppendFast)
	default:
		return nil
	}
}

// Open declares the tables.
func (r *Rank) Open(ctx *operators.Context) error {
	r.ctx = ctx
	in := ctx.Inputs[0]
	if err := r.bind(in); err != nil {
		return failure.Userf("rank %s: %w", ctx.Operator, err)
	}
	keys := keyed.Columns(in, r.spec.Keys)
	var err error
	r.partitions, err = ctx.State.Value(statebackend.ValueSpec{
		ID: statebackend.TableID{Operator: ctx.Operator, Name: "partitions"}, Keys: keys, Namespaced: r.windowed, Columns: partitionColumns(),
	})
	if err == nil {
		r.rows, err = ctx.State.OrderedMap(statebackend.OrderedMapSpec{
			ID: statebackend.TableID{Operator: ctx.Operator, Name: "rows"}, Keys: keys, Columns: statebackend.ColumnsOf(in.Fields),
		})
	}
	if err != nil {
		return fmt.Errorf("rank %s: %w", ctx.Operator, err)
	}
	r.slots, r.putting = make([]statebackend.Slot, stream.RowsMax), make(stream.Bitmap, stream.Words(stream.RowsMax))
	r.scanned.Columns = keyed.Builders(ctx.Pool, in)
	if r.spec.Strategy == jobgraph.Retract {
		r.found.Columns, r.further.Columns = keyed.Builders(ctx.Pool, in), keyed.Builders(ctx.Pool, in)
		if err := r.places.open(ctx, keys); err != nil {
			return fmt.Errorf("rank %s: %w", ctx.Operator, err)
		}
	}
	r.output.Open(ctx)
	if err := r.sweeper.open(ctx.Pool, keys, r.spec.TTL.Milliseconds()); err != nil {
		return err
	}
	if r.closing.watermark = ctx.Watermark; r.windowed {
		r.arm()
	}
	return nil
}

func (r *Rank) bind(in *types.Schema) (err error) {
	by := r.spec.Order
	if r.windowed {
		by = append([]jobgraph.SortColumn{{Column: r.spec.WindowEnd}}, by...)
	}
	if r.encoder, err = ordering.NewEncoder(in, by); err != nil {
		return err
	}
	if r.spec.Strategy == jobgraph.UpdateFast {
		if r.unique, err = stream.NewKeyReader(in, r.spec.UniqueKey); err != nil {
			return err
		}
	}
	// Of equal order, a new row of an append is behind those that are there; where it may be another version of one of
	// them, or goes to the front, it must be looked at.
	if r.spec.Strategy == jobgraph.AppendFast && !r.latest {
		for i := range r.tail {
			r.tail[i] = 0xFF
		}
	}
	r.reader, err = stream.NewKeyReader(in, r.spec.Keys)
	return err
}

// Process finds out which rows may change a rank and groups them by partition. What they change is worked out by Next.
func (r *Rank) Process(_ int, b *stream.Batch) error {
	if err := r.process(b); err != nil {
		return fmt.Errorf("rank %s: %w", r.ctx.Operator, err)
	}
	return nil
}

func (r *Rank) process(b *stream.Batch) error {
	if err := r.legal(b); err != nil {
		return err
	}
	if err := r.sweep(); err != nil {
		return err
	}
	r.keys = r.reader.Read(b)
	if r.places.table != nil {
		r.places.hashes = r.places.reader.Read(b).Hashes
	}
	r.orders.Reset()
	r.encoder.Append(b, r.tail[:], &r.orders)
	r.batch, r.members, r.groups = b, r.members[:0], r.groups[:0]
	r.ctx.Counts.Folded += int64(b.Rows())
	var err error
	if r.windowed {
		err = r.splitWindows(b)
	} else {
		err = r.group(0, r.ordinals(b.Rows()))
	}
	if err != nil || len(r.groups) == 0 {
		r.batch = nil
		return err
	}
	b.Retain()
	return nil
}

// legal reports rows that the strategy can't have.
func (r *Rank) legal(b *stream.Batch) error {
	if b.Kinds() == nil || r.spec.Strategy == jobgraph.Retract {
		return nil
	}
	for i := range b.Rows() {
		k := b.Kind(b.Row(i))
		if k.Retracts() || k == stream.UpdateAfter && r.spec.Strategy == jobgraph.AppendFast {
			return failure.Internalf("a row of kind %s came, which strategy %s can't take", k, r.spec.Strategy)
		}
	}
	return nil
}

// ordinals returns 0, 1, ... n-1.
func (r *Rank) ordinals(n int) []int32 {
	for i := len(r.firsts); i < n; i++ {
		r.firsts = append(r.firsts, int32(i))
	}
	for i := range n {
		r.firsts[i] = int32(i)
	}
	return r.firsts[:n]
}

// group deals those of the rows that may change something out to their partitions in a window.
func (r *Rank) group(window int64, ordinals []int32) error {
	if r.spec.Strategy != jobgraph.Retract {
		ordinals = r.reject(window, ordinals)
	}
	if len(ordinals) == 0 {
		return nil
	}
	keys := r.keys
	if len(ordinals) < r.batch.Rows() {
		r.keysOf.Reset(r.keys.Layout)
		r.keysOf.AppendRows(r.keys, ordinals)
		keys = &r.keysOf
	}
	// A key's slot is all that is asked for: it names the group.
	slots := r.slots[:len(ordinals)]
	if _, err := r.partitions.Part(window, true).Upsert(keys, slots); err != nil {
		return err
	}
	r.pairs = r.pairs[:0]
	for i, s := range slots {
		r.pairs = append(r.pairs, uint64(s)<<32|uint64(ordinals[i]))
	}
	slices.Sort(r.pairs)
	last := uint64(1) << 63
	for _, p := range r.pairs {
		if p>>32 != last {
			at := int32(len(r.members))
			r.groups, last = append(r.groups, group{window, at, at}), p>>32
		}
		r.members = append(r.members, int32(uint32(p)))
		r.groups[len(r.groups)-1].to++
	}
	return nil
}

// reject returns the rows that are not behind the last rank of a full partition; the others change nothing.
func (r *Rank) reject(window int64, ordinals []int32) []int32 {
	part := r.partitions.Part(window, false)
	if part == nil || part.Len() == 0 {
		return ordinals
	}
	keys := r.keys
	if len(ordinals) < r.batch.Rows() {
		r.keysOf.Reset(r.keys.Layout)
		r.keysOf.AppendRows(r.keys, ordinals)
		keys = &r.keysOf
	}
	slots := r.slots[:len(ordinals)]
	part.Find(keys, slots)
	rows, now, end, n := part.Rows(), r.ctx.Time.Now(), r.spec.To, 0
	for i, s := range slots {
		if s != statebackend.NoSlot {
			words := rows.At(s)
			if r.variable {
				end = int64(words[wordEnd])
			}
			if int64(words[wordRows]) >= end && beginning(r.orders.At(int(ordinals[i]))[r.skip:]) > words[wordWorst] && !r.expired(int64(words[wordWritten]), now) {
				continue
			}
		}
		ordinals[n] = ordinals[i]
		n++
	}
	return ordinals[:n]
}

// Flush does nothing: all rows are in the tables when a batch is drained.
func (r *Rank) Flush() error { return nil }

// Next gives what the batch changes, a chunk of its partitions at a time, and then what time has closed.
func (r *Rank) Next() (operators.Output, error) {
	b, err := r.next()
	if err != nil {
		return operators.Output{}, fmt.Errorf("rank %s: %w", r.ctx.Operator, err)
	}
	return operators.Output{Batch: b}, nil
}

func (r *Rank) next() (*stream.Batch, error) {
	for {
		if r.at < len(r.changes) {
			return r.give(), nil
		}
		r.forget()
		switch {
		case len(r.groups) > 0:
			if err := r.work(); err != nil {
				return nil, err
			}
		case r.batch != nil:
			r.batch.Release()
			r.batch = nil
		case r.finish.on:
			return r.nextFinal()
		default:
			return r.nextClosed()
		}
	}
}

// forget gives back what the changes that have left were made of.
func (r *Rank) forget() {
	r.changes, r.at = r.changes[:0], 0
	r.pool.Release()
	r.pool = nil
}

// work changes the tables for the next chunk of groups and says what that gives.
func (r *Rank) work() error {
	r.take()
	if err := r.load(); err != nil {
		return err
	}
	var err error
	switch {
	case r.spec.Strategy == jobgraph.Retract:
		err = r.retract()
	case r.spec.Strategy == jobgraph.UpdateFast:
		err = r.update()
	case r.byRank && !r.silent || r.spec.From > 1 && !r.silent:
		err = r.insert()
	default:
		err = r.insertTail()
	}
	if err != nil {
		return err
	}
	r.seal()
	return r.save()
}

// take moves as many groups to the chunk as are worked on at once.
func (r *Rank) take() {
	n, cost := 0, int64(0)
	for _, g := range r.groups {
		if n > 0 && (cost > chunkRows || g.window != r.groups[0].window) {
			break
		}
		cost += int64(g.to-g.from) + min(max(r.spec.To, 1), chunkRows)
		n++
	}
	r.chunk, r.groups = r.groups[:n], r.groups[n:]
	if r.windowed {
		r.skip = r.encoder.Columns(r.orders.At(int(r.members[r.chunk[0].from])), 1)
	}
}

// apply deletes rows of the table and puts others there.
func (r *Rank) apply() error {
	if n := len(r.goneOf); n > 0 {
		r.keysOf.Reset(r.keys.Layout)
		r.keysOf.AppendRows(r.keys, r.goneOf)
		r.rows.Delete(&r.keysOf, &r.gone, nil)
	}
	r.gone.Reset()
	r.goneOf = r.goneOf[:0]
	if err := r.putAll(); err != nil {
		return err
	}
	// The keys of the chunk's partitions are needed again.
	r.firsts = r.firsts[:0]
	for _, g := range r.chunk {
		r.firsts = append(r.firsts, r.members[g.from])
	}
	r.keysOf.Reset(r.keys.Layout)
	r.keysOf.AppendRows(r.keys, r.firsts)
	return nil
}

// putAll puts the rows of puts, in the order in which the batch has them.
func (r *Rank) putAll() error {
	if r.puts = r.putting.AppendSet(r.puts[:0], r.batch.Rows()); len(r.puts) == 0 {
		return nil
	}
	r.putting.Fill(false)
	r.keysOf.Reset(r.keys.Layout)
	r.keysOf.AppendRows(r.keys, r.puts)
	for i, p := range r.puts {
		r.gone.Append(r.orders.At(int(p)))
		if r.places.table != nil {
			r.places.appendPlace(&r.places.orders, p, r.orders.At(int(p)))
		}
		r.puts[i] = int32(r.batch.Row(int(p)))
	}
	rows := operators.Select(r.batch, r.puts)
	err := r.rows.Put(&r.keysOf, &r.gone, rows)
	rows.Release()
	r.gone.Reset()
	if err == nil && r.places.table != nil {
		err = r.places.put(r.ctx.Pool, &r.keysOf)
	}
	return err
}

// Close gives back what nobody took.
func (r *Rank) Close() error {
	r.batch.Release()
	r.batch = nil
	r.forget()
	r.dropFound()
	for _, rows := range []*statebackend.OrderedRows{&r.scanned, &r.found, &r.further} {
		for _, b := range rows.Columns {
			b.Close()
		}
	}
	r.output.Close()
	r.sweeper.close()
	return nil
}
