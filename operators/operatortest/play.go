package operatortest

import (
	"math/rand/v2"
	"slices"
	"strings"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// TB is what a run needs of a test.
type TB = streamtest.TB

// Outcome is what a run gave.
type Outcome struct {
	Schema *types.Schema
	Rows   [2][]string // of the main output and side output 1, in order
	Counts operators.Counts
	// In counts the rows given, raw ones where the operator takes partial rows.
	In int64
	// Freezes counts them, MidDrain those in the middle of a drain.
	Freezes, MidDrain int
}

// maxParallelism is small, so that few keys meet in every key group.
const maxParallelism = 8

// player runs a case in one variant.
type player struct {
	TB
	c    *Case
	v    Variant
	r    *rand.Rand
	pool stream.Pool

	tasks     []*task
	watermark stream.Watermark
	time      operators.Time
	woken     chan struct{} // one place: an operator wants to be asked for its WakeAt
	sides     []*types.Schema
	out       Outcome
}

// Play runs the case in a variant and returns what came out. What breaks the
// contract, leaks or does not balance ends the test.
func Play(t TB, c *Case, v Variant) *Outcome {
	t.Helper()
	p := &player{TB: t, c: c, v: v, r: rand.New(rand.NewPCG(v.Seed, 1)), watermark: stream.NoWatermark, woken: make(chan struct{}, 1)}
	schema, err := jobgraph.OutputSchema(c.Spec, c.Inputs)
	if err != nil {
		t.Fatalf("output schema: %v", err)
	}
	p.out.Schema, p.sides = schema, jobgraph.SideSchemas(c.Spec, c.Inputs)
	events, err := parseScript(c.Script)
	if err != nil {
		t.Fatalf("script: %v", err)
	}
	p.open(1, nil)
	p.drain(false)
	for _, e := range events {
		p.play(e)
	}
	p.close()
	p.balance()
	return &p.out
}

func (p *player) play(e event) {
	switch e.kind {
	case rowsEvent:
		n := p.v.BatchRows
		if n == 0 {
			n = len(e.rows)
		}
		for from := 0; from < len(e.rows); from += n {
			p.rows(e.input, e.rows[from:min(from+n, len(e.rows))])
			p.maybeFreeze()
		}
	case watermarkEvent:
		p.watermark = e.watermark
		p.each("advance", func(t *task) error { return t.op.Advance(e.watermark) })
		p.drain(true)
		p.each("hold", func(t *task) error { t.op.Hold(stream.WatermarkOf(e.watermark)); return nil })
		p.maybeFreeze()
	case timeEvent:
		p.time.Pass(e.time)
		p.wake()
		p.maybeFreeze()
		p.wake()
	case flushEvent:
		p.each("flush", func(t *task) error { return t.op.Flush() })
		p.drain(false)
	case endEvent:
		p.each("finish", func(t *task) error { return t.op.Finish() })
		p.drain(false)
		p.each("hold", func(t *task) error { t.ending = t.op.Hold(stream.End()); return nil })
		p.await()
	}
}

// wakeUp has the player wake the operators. They call it, in whatever goroutine.
func (p *player) wakeUp() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// await wakes the operators, whenever they ask for it, until the end has left all of them.
func (p *player) await() {
	for {
		p.wake()
		if !slices.ContainsFunc(p.tasks, func(t *task) bool { return t.ending }) {
			return
		}
		<-p.woken
	}
}

// wake wakes the operators whose time has come, until none is left.
func (p *player) wake() {
	for _, t := range p.tasks {
		for at, ok := t.op.WakeAt(); ok && at <= p.time.Now(); at, ok = t.op.WakeAt() {
			if err := t.op.Wake(p.time.Now()); err != nil {
				p.Fatalf("wake: %v", err)
			}
			p.drainTask(t)
		}
	}
}

func (p *player) each(what string, call func(*task) error) {
	for _, t := range p.tasks {
		if err := call(t); err != nil {
			p.Fatalf("%s: %v", what, err)
		}
	}
}

// rows gives rows to the tasks that their keys belong to.
func (p *player) rows(input int, rows []string) {
	b := streamtest.Batch(p.TB, &p.pool, p.c.Inputs[input], strings.Join(rows, "\n"))
	if p.v.Reencode {
		plain := b
		b = streamtest.Reencode(p.r, plain)
		plain.Release()
	}
	p.out.In += p.weight(b)
	for i, part := range p.deal(input, b) {
		if part == nil {
			continue
		}
		if err := p.tasks[i].op.Process(input, part); err != nil {
			p.Fatalf("process: %v", err)
		}
		p.drainTask(p.tasks[i])
		part.Release()
	}
	b.Release()
}

// weight returns how many raw rows stand behind a batch.
func (p *player) weight(b *stream.Batch) int64 {
	partial := false
	switch body := p.c.Spec.Body.(type) {
	case *jobgraph.WindowAggregateSpec:
		partial = body.Partial
	case *jobgraph.GroupAggregateSpec:
		partial = body.Partial
	}
	if !partial {
		return int64(b.Rows())
	}
	n := int64(0)
	for i := range b.Rows() {
		n += stream.Value[int64](&b.Columns[b.Schema.Len()-1], b.Row(i))
	}
	return n
}

// deal returns the part of a batch for each task, nil for none.
func (p *player) deal(input int, b *stream.Batch) []*stream.Batch {
	parts := make([]*stream.Batch, len(p.tasks))
	if len(p.tasks) == 1 {
		parts[0] = b.Retain()
		return parts
	}
	reader, err := stream.NewKeyReader(b.Schema, p.c.Keys[input])
	if err != nil {
		p.Fatalf("keys: %v", err)
	}
	sels := make([][]int32, len(p.tasks))
	for i, h := range reader.Read(b).Hashes {
		task := types.SubtaskOf(types.KeyGroupOf(h, maxParallelism), len(p.tasks), maxParallelism)
		sels[task] = append(sels[task], int32(b.Row(i)))
	}
	for i, sel := range sels {
		if len(sel) > 0 {
			parts[i] = operators.Select(b, sel)
		}
	}
	return parts
}

// drain takes the output of all tasks, a batch at a time in turn. In the drain
// of a watermark it may freeze between any two.
func (p *player) drain(advance bool) {
	for pending := true; pending; {
		pending = false
		for _, t := range p.tasks {
			pending = p.next(t) || pending
		}
		if pending && advance && p.resumable() && p.v.Freeze != NoFreeze && p.r.IntN(2) == 0 {
			p.out.MidDrain++
			p.freeze()
		}
	}
}

func (p *player) resumable() bool {
	for _, t := range p.tasks {
		if !t.op.ResumesAdvance() {
			return false
		}
	}
	return true
}

func (p *player) drainTask(t *task) {
	for p.next(t) {
	}
}

// next takes one batch of a task's output.
func (p *player) next(t *task) bool {
	out, err := t.op.Next()
	if err != nil {
		p.Fatalf("next: %v", err)
	}
	switch {
	case out.Drained():
		return false
	case out.Batch == nil:
		t.ending = t.ending && out.Signal.Kind != stream.EndElement
		return true
	}
	p.out.Rows[out.Port] = append(p.out.Rows[out.Port], streamtest.Rows(out.Batch)...)
	out.Batch.Release()
	return true
}

// balance checks that every row went somewhere and all memory came back.
func (p *player) balance() {
	c, out := p.out.Counts, int64(len(p.out.Rows[0]))
	if comesFromState(p.c.Spec.Body) {
		out = 0
	}
	switch p.c.Spec.Kind() {
	case jobgraph.KindWindowAggregate:
		out = 0 // its rows come from state
	case jobgraph.KindNative:
		out = p.out.In - c.Filtered - c.Folded - c.Late // what a user's function makes of rows, it alone knows
	case jobgraph.KindExpand:
		out /= int64(len(p.c.Spec.Body.(*jobgraph.ExpandSpec).Sets))
	case jobgraph.KindOverAggregate:
		if !p.c.Spec.Body.(*jobgraph.OverAggregateSpec).Arrival {
			out = 0 // its rows come from state
		}
	case jobgraph.KindWindowAssign:
		if w := p.c.Spec.Body.(*jobgraph.WindowAssignSpec).Window; w.Kind == jobgraph.Cumulating {
			out = p.out.In - c.Filtered // in how many windows a row is, its time decides
		} else {
			out /= w.Parts()
		}
	case jobgraph.KindGroupAggregate:
		out = c.Expired // there, rows that take back what is not there
	}
	if p.out.In != out+c.Filtered+c.Folded+c.Late {
		p.Fatalf("%d rows went in, %d came out, counted are %+v", p.out.In, out, c)
	}
	if n := p.pool.Live(); n != 0 {
		p.Fatalf("%d buffers and batches leak", n)
	}
}

// comesFromState tells whether what an operator gives is no row that went in.
func comesFromState(body jobgraph.OperatorBody) bool {
	switch body.(type) {
	case *jobgraph.WindowAggregateSpec, *jobgraph.RankSpec, *jobgraph.DeduplicateSpec, *jobgraph.ChangelogNormalizeSpec,
		*jobgraph.SinkMaterializeSpec, *jobgraph.SortSpec,
		*jobgraph.JoinSpec, *jobgraph.IntervalJoinSpec, *jobgraph.WindowJoinSpec, *jobgraph.TemporalJoinSpec, *jobgraph.LookupJoinSpec, *jobgraph.CorrelateSpec:
		return true
	default:
		return false
	}
}

// noState is the store of an operator that has none.
type noState struct{ statebackend.Store }
