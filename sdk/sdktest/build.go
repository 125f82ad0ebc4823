package sdktest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"millrace/checkpoint"
	"millrace/connectors"
	"millrace/internal/metrics"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/watermark"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/taskmanager/channels"
	"millrace/taskmanager/task"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// builder makes a task, as a task manager does, with the pipeline's readers and writers.
type builder struct {
	a      *attempt
	p      *Pipeline
	t      *running
	vertex *jobgraph.Vertex
	flow   *jobgraph.Flow
	width  int
	plan   checkpoint.TaskPlan
	parts  task.Parts
	closes []func()
}

// build makes all tasks.
func (a *attempt) build(plan *checkpoint.Plan) error {
	g := a.p.program.graph
	for i := range g.Vertices {
		v := &g.Vertices[i]
		width := a.p.program.width(v)
		for subtask := range width {
			t := &running{
				a: a, id: types.TaskID{Vertex: v.ID, Subtask: int32(subtask)}, source: v.Source != nil, box: task.NewMailbox(),
				groups: types.KeyGroupRangeOf(subtask, width, g.KeyGroups()),
			}
			t.Wake()
			b := &builder{
				a: a, p: a.p, t: t, vertex: v, flow: a.p.program.flows[v.ID], width: width, plan: plan.Vertices[v.ID].Tasks[subtask],
			}
			if err := b.build(); err != nil {
				return fmt.Errorf("task %s: %w", t.id, err)
			}
			a.tasks = append(a.tasks, t)
		}
	}
	return nil
}

func (b *builder) build() (err error) {
	defer func() {
		if err != nil {
			for _, undo := range slices.Backward(b.closes) {
				undo()
			}
		}
	}()
	b.parts = task.Parts{
		ID: b.t.id, Report: b.t, Uploads: b.t, Metrics: &metrics.Task{}, Clock: b.p.clock, Time: new(operators.Time), FullSnapshot: true,
		Watermarks: make(map[types.OperatorUID]stream.Watermark), Ledger: b.plan.Ledger,
		// Without a buffer timeout nothing is held back for company: a row goes as far as it can at once.
		BufferTimeout: 0,
	}
	b.parts.Time.Pass(b.p.clock.NowMillis())
	for _, w := range b.plan.Watermarks {
		b.parts.Watermarks[types.OperatorUID(w.Uid)] = stream.Watermark(w.Watermark)
	}
	for _, step := range []func() error{b.state, b.head, b.chain, b.tail} {
		if err := step(); err != nil {
			return err
		}
	}
	b.t.task = task.New(b.parts, b.t.box)
	return nil
}

func (b *builder) onFailure(undo func()) { b.closes = append(b.closes, undo) }

func (b *builder) state() (err error) {
	spec := statebackend.OpenSpec{
		Task: b.t.id, Parallelism: b.width, KeyGroups: b.t.groups, MaxParallelism: b.p.program.graph.KeyGroups(), Pool: &b.p.pool,
	}
	for _, files := range b.plan.Chains {
		spec.Restore = append(spec.Restore, upload.Files(b.p.store, nil, files))
	}
	if b.parts.Store, err = b.p.backend.Open(context.Background(), spec); err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	b.onFailure(func() { _ = b.parts.Store.Close() })
	return nil
}

// head makes the source, or the gate.
func (b *builder) head() (err error) {
	if b.vertex.Source != nil {
		return b.source()
	}
	if b.parts.Gate, err = b.a.channels().Gate(b.t.id, b.t); err != nil {
		return err
	}
	b.onFailure(b.parts.Gate.Close)
	return nil
}

func (a *attempt) channels() *channels.Channels {
	p := a.p.program
	c := &channels.Channels{
		Graph: p.graph, Flows: p.flows, Widths: make(map[types.VertexID]int), Region: region, Attempt: a.number, Network: a.p.network, Pool: &a.p.pool,
	}
	for i := range p.graph.Vertices {
		c.Widths[p.graph.Vertices[i].ID] = p.width(&p.graph.Vertices[i])
	}
	if a.p.chance != nil {
		c.CreditBytes = seededCredit
	}
	return c
}

func (b *builder) source() (err error) {
	spec := b.vertex.Source
	s := b.p.sources[string(spec.UID)]
	r := &reader{source: s, pool: &b.p.pool, waker: b.t}
	s.readers = append(s.readers, r)
	of, column := connectors.Reader(r), 0
	ctx := &operators.Context{Task: b.t.id, Operator: spec.UID, Time: b.parts.Time, Zone: b.p.program.zone, Functions: b.p.program.callable, Pool: &b.p.pool}
	if of, err = task.Computed(of, spec, ctx); err != nil {
		return err
	}
	// Watermarks come whenever there is nothing to read, and a split is idle at its time: there is nothing to look for in between.
	const interval = time.Hour
	if w := spec.Watermark; w != nil {
		if r.generator, err = watermark.New(w, spec.Output()); err != nil {
			return err
		}
		column = w.Column
	}
	b.parts.Source = task.NewSource(of, r.generator, column, interval.Milliseconds())
	b.parts.Dead = task.NewDeadLetters(&b.p.pool, b.parts.Metrics)
	return nil
}

// chain opens the operators.
func (b *builder) chain() error {
	common := operators.Context{
		Task: b.t.id, Parallelism: b.width, MaxParallelism: b.p.program.graph.KeyGroups(), KeyGroups: b.t.groups, Pool: &b.p.pool,
		State: b.parts.Store, Time: b.parts.Time, Zone: b.p.program.zone, Functions: b.p.program.callable, RowsMax: b.p.rowsMax(), Wake: b.t.wakeLater,
	}
	for spec, ctx := range operators.Contexts(b.vertex, b.flow, common, b.parts.Watermarks) {
		op, err := b.operator(spec)
		if err != nil {
			return err
		}
		b.onFailure(func() { _ = op.Close() })
		if err := op.Open(ctx); err != nil {
			return fmt.Errorf("open operator %s: %w", spec.UID, err)
		}
		b.parts.Chain = append(b.parts.Chain, task.Link{UID: spec.UID, Operator: op, Counts: ctx.Counts, Native: spec.Kind() == jobgraph.KindNative})
	}
	return nil
}

func (b *builder) operator(spec *jobgraph.OperatorSpec) (operators.Operator, error) {
	if spec.Kind() == jobgraph.KindNative {
		return b.p.program.functions.Native(spec)
	}
	return b.p.wiring.Operators.New(spec)
}

// tail makes the sink, or the outlets.
func (b *builder) tail() error {
	if b.vertex.Sink != nil {
		b.parts.Sink = &writer{sink: b.p.sinks[string(b.vertex.Sink.UID)], subtask: b.t.id.Subtask}
	}
	out, err := b.a.channels().Outlets(b.t.id, b.t)
	if err != nil {
		return err
	}
	b.onFailure(out.Close)
	b.parts.Outlets, b.parts.DeadOutlets = out.Ports, out.Dead
	return nil
}
