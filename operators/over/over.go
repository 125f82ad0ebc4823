// Package over adds aggregates over the rows before it to each row.
//
// # In the order of time, or of arrival
//
// In event time rows wait, in an OrderedMap by key, time and arrival, until the
// watermark passes them; timers say when. They leave in the order of time, as Flink's
// do, a row that comes behind the watermark is dropped and counted as late. In the
// order of arrival a row is answered at once.
//
// Ranks and LAG are running accumulators of such frames too, and so go by the order of rows: ranks are told which rows begin peers, LAG has a queue
// of the values that later rows will give.
//
// A frame that begins with the first row has running accumulators by key, of which a
// copy is taken for each row. A bounded frame is folded anew for each row, out of
// the rows that the map keeps: that costs as many values as the frame has, is exact
// whatever the function, and takes nothing back. Longer frames of what can be taken
// back are made of the frame before, by a slider. Rows that no later frame reaches
// leave the map: beyond so many rows at once, beyond a range by a timer. A frame that begins with the first row counts the values of DISTINCT
// calls by key, once each. Of bounded frames, whose rows lie before the operator one behind the other, it is known which row is the first
// and which the last to have a value.
//
// Functions of a program go step by step beside that: what comes, what leaves and where a row is answered is collected, and done for
// many rows in one call of each. Running accumulators are by key with the others; those of bounded frames are in memory alone.
//
// # In another order
//
// Sorted answers rows in any order at once, also of input that takes rows back, as Flink's OVER that goes by no time does. All rows
// stay in the map, by their order and arrival. What a batch changes in a partition is laid out once as it was and once as it is: the rows that
// came or went, those behind them whose frames have them, and those before that their frames reach. Both are aggregated, and what
// differs leaves. So state has no results that could be wrong, and of frames of n rows a change costs n rows behind it and n before.
package over

import (
	"encoding/binary"
	"fmt"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Register adds the operator of this folder.
func Register(r *operators.Registry) { r.Register(jobgraph.KindOverAggregate, New) }

// dueMax bounds the keys and times that are answered at once.
const dueMax = 256

// Namespaces of timers.
const (
	dueRows  = 0 // rows of the time are due
	deadRows = 1 // no later frame reaches rows as far before the time as a frame
)

// Over is the operator.
type Over struct {
	spec *jobgraph.OverAggregateSpec
	ctx  *operators.Context

	plan    *aggregate.Plan
	folder  aggregate.Folder
	slider  *slider          // nil: frames are made anew
	steps   *aggregate.Steps // of functions of the program
	given   []int            // of each of the plan's results: which of the steps' it is; -1: none of them
	scratch *aggregate.Table // a row for each answer
	reader  *stream.KeyReader
	// groups has by key the number of the next row, and the accumulators of a frame
	// that is not bounded.
	groups statebackend.ValueTable
	next   int // the word of the number
	// counted has by key the values of DISTINCT calls over a frame that is not bounded, values where those of bounded frames repeat.
	counted []*aggregate.Counted
	values  *aggregate.Repeats
	rows    statebackend.OrderedMapTable
	timers  statebackend.TimerTable

	watermark stream.Watermark
	due       statebackend.Due
	frames    frames
	answers   answers
	peers     stream.Bitmap   // of rows that are due: those that begin peers
	out       []*stream.Batch // to go
	slots     []statebackend.Slot
	sel       []int32
}

// New makes it. It is an operators.Factory.
func New(o *jobgraph.OperatorSpec) (operators.Operator, error) {
	spec := o.Body.(*jobgraph.OverAggregateSpec)
	if spec.Frame.Bounded && spec.Frame.Preceding < 0 {
		return nil, failure.Userf("over aggregate %s: a frame that begins %d preceding", o.UID, spec.Frame.Preceding)
	}
	if len(spec.Order) > 0 {
		return newSorted(o.UID, spec)
	}
	return &Over{spec: spec, watermark: stream.NoWatermark}, nil
}

// Open declares the tables.
func (o *Over) Open(ctx *operators.Context) error {
	o.ctx, o.watermark = ctx, ctx.Watermark
	if err := o.open(ctx.Inputs[0]); err != nil {
		return fmt.Errorf("over aggregate %s: %w", ctx.Operator, err)
	}
	return nil
}

func (o *Over) open(in *types.Schema) (err error) {
	keys, err := aggregate.KeyTypes(o.spec.Keys, in)
	if err != nil {
		return failure.User(err)
	}
	if !o.spec.Arrival {
		if err := checkTime(o.spec.Time, in); err != nil {
			return failure.User(err)
		}
	}
	if o.plan, o.slider, err = newPlan(o.spec, in, o.ctx); err != nil {
		return failure.User(err)
	}
	if o.spec.Frame.Bounded {
		if o.values, err = aggregate.NewRepeats(o.plan, in); err != nil {
			return failure.User(err)
		}
	}
	if o.reader, err = stream.NewKeyReader(in, o.spec.Keys); err != nil {
		return failure.User(err)
	}
	o.folder.Use(o.plan)
	o.steps, o.given = aggregate.NewSteps(o.ctx.Pool, o.plan, long(o.spec)), givenOf(o.plan)
	o.scratch = aggregate.NewTable(o.reader.Layout(), o.plan)
	if o.slider != nil {
		o.slider.open(o.reader.Layout(), o.values)
	}
	return o.declare(keys, in)
}

// givenOf tells of each result of a plan which of the steps' it is; -1: none of them.
func givenOf(p *aggregate.Plan) []int {
	out := make([]int, len(p.Final))
	for i := range p.Final {
		out[i] = -1
		if at, ok := p.Stepped(&p.Final[i]); ok {
			out[i] = at
		}
	}
	return out
}

func checkTime(column int, in *types.Schema) error {
	if column < 0 || column >= in.Len() {
		return fmt.Errorf("the input has no column %d for the time", column)
	}
	t := in.Fields[column].Type
	if t.Kind != types.Timestamp && t.Kind != types.TimestampLTZ || t.Unit() != types.Millis {
		return fmt.Errorf("time column %s must be a TIMESTAMP of precision 0 to 3, not %s", in.Fields[column].Name, t)
	}
	return nil
}

func (o *Over) declare(keys []types.Type, in *types.Schema) (err error) {
	id := func(name string) statebackend.TableID {
		return statebackend.TableID{Operator: o.ctx.Operator, Name: name}
	}
	var columns []statebackend.ColumnSpec
	if !o.spec.Frame.Bounded {
		columns = append(columns, o.plan.Columns...)
		if o.counted, err = aggregate.OpenCounted(o.ctx, o.plan.Counted, aggregate.CountedInput{Keys: o.spec.Keys}); err != nil {
			return err
		}
	}
	_, o.next = statebackend.WordOf(columns)
	columns = append(columns, statebackend.ColumnSpec{Name: "next", Type: types.Of(types.BigInt)})
	if o.groups, err = o.ctx.State.Value(statebackend.ValueSpec{ID: id("groups"), Keys: keys, Columns: columns}); err != nil {
		return err
	}
	stored := statebackend.ColumnsOf(in.Fields)
	if o.rows, err = o.ctx.State.OrderedMap(statebackend.OrderedMapSpec{ID: id("rows"), Keys: keys, Columns: stored}); err != nil {
		return err
	}
	o.timers, err = o.ctx.State.Timers(statebackend.TimerSpec{ID: id("times"), Keys: keys})
	return err
}

// orderOf appends where a row stands among those of its key.
func orderOf(dst []byte, time int64, number uint64) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(time)^1<<63)
	return binary.BigEndian.AppendUint64(dst, number)
}

// Process takes rows in: they wait, or are answered at once.
func (o *Over) Process(_ int, b *stream.Batch) error {
	err := aggregate.AppendOnly(b)
	switch {
	case err != nil:
	case !o.spec.Arrival:
		err = o.wait(b)
	case o.spec.Frame.Bounded:
		err = o.arrive(b)
	default:
		err = o.running(b)
	}
	if err != nil {
		return fmt.Errorf("over aggregate %s: %w", o.ctx.Operator, err)
	}
	return nil
}

// wait keeps the rows that are not late until their time has come.
func (o *Over) wait(b *stream.Batch) error {
	v := &b.Columns[o.spec.Time]
	o.sel = o.sel[:0]
	var times []int64
	for i := range b.Rows() {
		row := b.Row(i)
		if v.IsNull(row) {
			return failure.Userf("time column %s is NULL in a row; an aggregate over rows needs it, filter such rows out before", b.Schema.Fields[o.spec.Time].Name)
		}
		if t := stream.Value[int64](v, row); stream.Watermark(t) > o.watermark {
			o.sel, times = append(o.sel, int32(row)), append(times, t)
		}
	}
	o.ctx.Counts.Late += int64(b.Rows() - len(o.sel))
	o.ctx.Counts.Folded += int64(len(o.sel))
	if len(o.sel) == 0 {
		return nil
	}
	part := operators.Select(b, o.sel)
	defer part.Release()
	keys := o.reader.Read(part)
	if _, err := o.keep(part, keys, times); err != nil {
		return err
	}
	return o.timers.Register(keys, make([]int64, len(times)), times)
}

// keep puts rows into the map, and returns the number of each.
func (o *Over) keep(b *stream.Batch, keys *stream.Keys, times []int64) ([]uint64, error) {
	part, err := o.groupsOf(keys)
	if err != nil {
		return nil, err
	}
	rows := part.Rows()
	numbers := make([]uint64, len(times))
	var orders statebackend.Orders
	var text []byte
	for i, s := range o.slots {
		w := rows.At(s)
		numbers[i] = w[o.next]
		w[o.next]++
		text = orderOf(text[:0], times[i], numbers[i])
		orders.Append(text)
	}
	return numbers, o.rows.Put(keys, &orders, b)
}

// groupsOf finds the slots of keys.
func (o *Over) groupsOf(keys *stream.Keys) (statebackend.Part, error) {
	if cap(o.slots) < keys.Len() {
		o.slots = make([]statebackend.Slot, max(keys.Len(), stream.RowsMax))
	}
	o.slots = o.slots[:keys.Len()]
	part := o.groups.Part(0, true)
	_, err := part.Upsert(keys, o.slots)
	return part, err
}

// count counts the values of rows, in their order, for frames that are not bounded.
func (o *Over) count(b *stream.Batch) error {
	for _, c := range o.counted {
		if err := c.Count(b, 0, nil); err != nil {
			return err
		}
	}
	o.folder.Weigh(nil, o.counted)
	return nil
}

// running answers rows by their arrival, over all before.
func (o *Over) running(b *stream.Batch) error {
	if err := o.count(b); err != nil {
		return err
	}
	part, err := o.groupsOf(o.reader.Read(b))
	if err != nil {
		return err
	}
	a := o.begin(b)
	o.steps.Lay(&o.folder, b, part, nil)
	defer o.steps.Drop()
	for i, s := range o.slots {
		if err := a.run(part, s, b, i); err != nil {
			return err
		}
	}
	return a.flush()
}

// arrive answers rows by their arrival, over a bounded frame.
func (o *Over) arrive(b *stream.Batch) error {
	now := o.ctx.Time.Now()
	times := make([]int64, b.Rows())
	for i := range times {
		times[i] = now
		if !o.spec.Frame.Range {
			times[i] = 0 // the number is the order
		}
	}
	keys := o.reader.Read(b)
	numbers, err := o.keep(b, keys, times)
	if err != nil {
		return err
	}
	// Each key once, with its first row.
	seen := make(stream.Bitmap, stream.Words(int(o.groups.Part(0, true).Slots())))
	var at []int
	d := &o.frames
	d.reset()
	for i, s := range o.slots {
		if !seen.Get(int(s)) {
			seen.Set(int(s))
			at = append(at, i)
			d.add(o.spec, times[i], numbers[i], false)
		}
	}
	d.keys = aggregate.PickKeys(keys, at)
	if o.spec.Frame.Range {
		if err := o.mourn(&d.keys, now); err != nil {
			return err
		}
	}
	return o.answer(d)
}

// mourn makes sure that rows of a time leave when no frame reaches them.
func (o *Over) mourn(keys *stream.Keys, time int64) error {
	dead, at := make([]int64, keys.Len()), make([]int64, keys.Len())
	for i := range dead {
		dead[i], at[i] = deadRows, time+o.spec.Frame.Preceding+1
	}
	return o.timers.Register(keys, dead, at)
}

// Advance makes the rows due whose time is at or before w.
func (o *Over) Advance(w stream.Watermark) error {
	if !o.spec.Arrival {
		o.watermark = max(o.watermark, w)
	}
	return nil
}

// WakeAt returns when rows by arrival are dead.
func (o *Over) WakeAt() (at int64, ok bool) {
	if !o.spec.Arrival {
		return 0, false
	}
	return o.timers.Next()
}

// Wake lets dead rows go.
func (o *Over) Wake(now int64) error {
	o.watermark = max(o.watermark, stream.Watermark(now))
	return nil
}

// Flush does nothing: what waits is in the tables.
func (o *Over) Flush() error { return nil }

// Next gives answers.
func (o *Over) Next() (operators.Output, error) {
	for len(o.out) == 0 {
		more, err := o.pop()
		if err != nil {
			return operators.Output{}, fmt.Errorf("over aggregate %s: %w", o.ctx.Operator, err)
		}
		if !more {
			return operators.Output{}, nil
		}
	}
	b := o.out[0]
	o.out = o.out[1:]
	return operators.Output{Batch: b}, nil
}

// pop answers the rows that are due next, and tells whether there were any.
func (o *Over) pop() (bool, error) {
	o.due.Raw = stream.Keys{}
	o.due.Namespaces, o.due.Times = o.due.Namespaces[:0], o.due.Times[:0]
	n, err := o.timers.Pop(int64(o.watermark), dueMax, &o.due)
	if err != nil || n == 0 {
		return false, err
	}
	d := &o.frames
	d.reset()
	var at, dead []int
	for i, of := range o.due.Namespaces {
		if of == deadRows {
			dead = append(dead, i)
			continue
		}
		at = append(at, i)
		d.add(o.spec, o.due.Times[i], 0, true)
	}
	if len(at) > 0 {
		d.keys = aggregate.PickKeys(&o.due.Raw, at)
		if err := o.answer(d); err != nil {
			return false, err
		}
		for k, i := range at {
			if o.spec.Frame.Bounded && o.spec.Frame.Range {
				one := aggregate.PickKeys(&d.keys, []int{k})
				if err := o.mourn(&one, o.due.Times[i]); err != nil {
					return false, err
				}
			}
		}
	}
	return true, o.bury(dead)
}

// bury removes dead rows, and keys that have none left.
func (o *Over) bury(dead []int) error {
	if len(dead) == 0 {
		return nil
	}
	keys := aggregate.PickKeys(&o.due.Raw, dead)
	var to statebackend.Orders
	for _, i := range dead {
		to.Append(orderOf(nil, o.due.Times[i]-o.spec.Frame.Preceding, 0))
	}
	found := newFound(o.ctx.Pool, o.ctx.Inputs[0])
	defer found.close()
	scan := statebackend.OrderedScan{Keys: &keys, To: to}
	b, err := found.scan(o, &scan)
	b.Release()
	if err != nil {
		return err
	}
	o.remove(&keys, found.rows.Positions, &found.rows.Orders)
	counts := make([]int32, keys.Len())
	o.rows.Count(&keys, counts)
	var empty []int
	for i, n := range counts {
		if n == 0 {
			empty = append(empty, i)
		}
	}
	if len(empty) == 0 {
		return nil
	}
	gone := aggregate.PickKeys(&keys, empty)
	slots := make([]statebackend.Slot, len(empty))
	part := o.groups.Part(0, true)
	part.Find(&gone, slots)
	part.Delete(slots)
	return nil
}

// remove takes rows of keys out of the map.
func (o *Over) remove(keys *stream.Keys, positions []int32, orders *statebackend.Orders) {
	if len(positions) == 0 {
		return
	}
	at := make([]int, len(positions))
	for i, p := range positions {
		at[i] = int(p)
	}
	of := aggregate.PickKeys(keys, at)
	o.rows.Delete(&of, orders, nil)
}

// Close releases what nobody took.
func (o *Over) Close() error {
	for _, b := range o.out {
		b.Release()
	}
	o.out = nil
	for _, c := range o.counted {
		c.Close()
	}
	o.steps.Close()
	return nil
}
