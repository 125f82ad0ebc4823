package taskmanager

import (
	"context"
	"fmt"
	"slices"
	"time"

	"millrace/blobstore"
	"millrace/connectors"
	"millrace/expr"
	"millrace/failure"
	"millrace/internal/metrics"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	"millrace/operators"
	"millrace/operators/watermark"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	jobv1 "millrace/proto/millrace/job/v1"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/taskmanager/channels"
	"millrace/taskmanager/task"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// plan is what all tasks of a deployment share.
type plan struct {
	graph      *jobgraph.Graph
	flows      map[types.VertexID]*jobgraph.Flow
	placements map[types.TaskID]types.TaskManagerID
	widths     map[types.VertexID]int // parallelism
	zone       *time.Location         // of expressions; nil is UTC
}

// deploy starts tasks. What can't be built fails as that task's failure.
func (m *TaskManager) deploy(d *controlv1.Deploy) {
	a := m.enter(d.JobId, d.Region, d.Attempt)
	if a == nil {
		return
	}
	if m.Addresses != nil {
		m.Addresses.learn(d.Placements)
	}
	p, err := newPlan(d.Graph, d.Placements)
	if err == nil && p.graph.Natives() {
		a.exclusive.Store(true)
	}
	for _, td := range d.Tasks {
		id := types.TaskID{Vertex: types.VertexID(td.VertexId), Subtask: td.Subtask}
		if err == nil && (td.Slot < 0 || int(td.Slot) >= m.Slots) {
			err = failure.Internalf("slot %d of %d does not exist", td.Slot, m.Slots)
		}
		if err != nil {
			a.changed(id, controlv1.TaskState_TASK_STATE_FAILED, fmt.Errorf("deploy: %w", err))
			continue
		}
		m.start(a, p, td, id)
	}
}

func newPlan(g *jobv1.JobGraph, placements []*controlv1.Placement) (*plan, error) {
	graph, err := codec.FromProto(g)
	if err != nil {
		return nil, err
	}
	flows, err := jobgraph.Derive(graph)
	if err != nil {
		return nil, err
	}
	p := &plan{graph: graph, flows: flows, placements: make(map[types.TaskID]types.TaskManagerID), widths: make(map[types.VertexID]int)}
	if graph.Zone != "" {
		if p.zone, err = types.LoadZone(graph.Zone); err != nil {
			return nil, failure.User(err)
		}
	}
	for _, pl := range placements {
		id := types.TaskID{Vertex: types.VertexID(pl.VertexId), Subtask: pl.Subtask}
		p.placements[id] = types.TaskManagerID(pl.TaskManagerId)
		p.widths[id.Vertex] = max(p.widths[id.Vertex], int(pl.Subtask)+1)
	}
	return p, nil
}

// start gives a task its goroutine.
func (m *TaskManager) start(a *attempt, p *plan, d *controlv1.TaskDeployment, id types.TaskID) {
	v := p.graph.Vertex(id.Vertex)
	if v == nil {
		a.changed(id, controlv1.TaskState_TASK_STATE_FAILED, failure.Internal(errNoSuchVertex))
		return
	}
	r := &running{id: id, parallelism: d.Parallelism, slot: d.Slot, restored: d.RestoredCheckpointId, source: v.Source != nil, box: task.NewMailbox(), ended: make(chan struct{})}
	r.metrics = m.Metrics.Task(metrics.TaskScope{
		Job: string(a.region.Job), JobName: p.graph.Name, Vertex: string(v.ID), Subtask: int(id.Subtask),
	})
	if d.Drained && r.source {
		_ = r.box.Post(task.Drain{}) // it is empty
	}
	if !a.add(r) {
		return
	}
	m.wait.Go(func() {
		b := &builder{m: m, a: a, plan: p, d: d, id: id, vertex: v, flow: p.flows[id.Vertex], running: r}
		a.runTask(r, b.build)
	})
}

// builder makes one task of its deployment. What it has opened it closes again
// when a later part can't be made.
type builder struct {
	m       *TaskManager
	a       *attempt
	plan    *plan
	d       *controlv1.TaskDeployment
	id      types.TaskID
	vertex  *jobgraph.Vertex
	flow    *jobgraph.Flow
	running *running

	functions *expr.Registry // what expressions of the job may call
	parts     task.Parts
	closes    []func()
}

func (b *builder) build(ctx context.Context) (t *task.Task, err error) {
	defer func() {
		if err != nil {
			for _, undo := range slices.Backward(b.closes) {
				undo()
			}
		}
	}()
	b.parts = task.Parts{
		ID: b.id, Report: reporter{b.a, b.running}, Metrics: b.running.metrics, Clock: b.m.Clock,
		Time: new(operators.Time), BufferTimeout: b.plan.graph.BufferTimeout, Watermarks: watermarks(b.d.Watermarks), Ledger: b.d.Ledger,
	}
	if c := b.plan.graph.Checkpoint; c.Unaligned {
		b.parts.Unaligned = task.Unaligned{Enabled: true, After: c.AlignedTimeout}
	}
	b.parts.Time.Pass(b.m.Clock.NowMillis())
	if b.parts.BufferTimeout == 0 {
		b.parts.BufferTimeout = jobgraph.DefaultBufferTimeout
	}
	for _, step := range []func(context.Context) error{b.body, b.state, b.head, b.replayed, b.chain, b.tail} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return task.New(b.parts, b.running.box), nil
}

func watermarks(in []*checkpointv1.OperatorWatermark) map[types.OperatorUID]stream.Watermark {
	out := make(map[types.OperatorUID]stream.Watermark, len(in))
	for _, w := range in {
		out[types.OperatorUID(w.Uid)] = stream.Watermark(w.Watermark)
	}
	return out
}

func (b *builder) parallelism() int { return int(b.d.Parallelism) }

func (b *builder) keyGroups() types.KeyGroupRange {
	return types.KeyGroupRangeOf(int(b.id.Subtask), b.parallelism(), b.plan.graph.KeyGroups())
}

// body finds the functions of the job's program, also for a task that calls none: what the program would do otherwise is known before
// anything runs.
func (b *builder) body(context.Context) error {
	functions, err := b.a.functions(b.plan.graph)
	if err != nil {
		return err
	}
	b.functions, err = callable(b.m.Functions, b.plan.graph.Program, functions)
	return err
}

// state opens the store, restored, and the uploader that goes on with its chain.
func (b *builder) state(ctx context.Context) error {
	groups := b.keyGroups()
	spec := statebackend.OpenSpec{
		Task: b.id, Parallelism: b.parallelism(), KeyGroups: groups, MaxParallelism: b.plan.graph.KeyGroups(),
		Pool: b.m.Pool, Budget: b.a.budget(b.d.Slot),
	}
	if b.m.Tier != nil {
		spec.Tier, spec.Home, spec.TierCounts = b.m.Tier, b.m.TierIsHome, &b.m.tierCounts
	}
	for _, c := range b.d.Chains {
		spec.Restore = append(spec.Restore, upload.Files(b.m.Store, b.m.Cache, c.Files))
	}
	store, err := b.m.Backend.Open(ctx, spec)
	if err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	b.closes = append(b.closes, func() { _ = store.Close() })
	b.parts.Store = store
	var chain []*checkpointv1.StateFile
	if len(b.d.Chains) == 1 && ownChain(b.a.region.Job, b.d.Chains[0].Files, groups) {
		chain = b.d.Chains[0].Files
	}
	b.parts.FullSnapshot = len(chain) == 0
	box := b.running.box
	b.running.upload = upload.New(upload.Options{
		Job: b.a.region.Job, Attempt: b.a.number, Task: b.id, KeyGroups: groups, Store: b.m.Store, Backend: b.m.Backend,
		Clock: b.m.Clock, Dir: b.m.Dir, Cache: b.m.Cache, Chain: chain, Pool: b.m.Pool, Post: func(c task.Command) { _ = box.Post(c) },
	})
	b.parts.Uploads, b.parts.InFlights = b.running.upload, b.running.upload
	return nil
}

// ownChain tells whether the files are of exactly these groups, so that deltas
// may follow them, and the job's own: a savepoint is the user's and may be gone
// tomorrow, another job's checkpoint is that job's, so no checkpoint of this one
// builds on them.
func ownChain(job types.JobID, files []*checkpointv1.StateFile, groups types.KeyGroupRange) bool {
	for _, f := range files {
		if f.FirstKeyGroup != uint32(groups.First) || f.LastKeyGroup != uint32(groups.Last) {
			return false
		}
		if f.GetObject() == "" {
			continue
		}
		if k, err := blobstore.ParseChunkKey(f.GetObject()); err != nil || k.Job != job {
			return false
		}
	}
	return len(files) > 0
}

// head makes the source, or the gate.
func (b *builder) head(context.Context) error {
	if b.vertex.Source != nil {
		return b.source()
	}
	g, err := b.channels().Gate(b.id, b.running.box)
	if err != nil {
		return err
	}
	b.closes = append(b.closes, g.Close)
	b.parts.Gate = g
	return nil
}

func (b *builder) channels() *channels.Channels {
	return &channels.Channels{
		Graph: b.plan.graph, Flows: b.plan.flows, Widths: b.plan.widths, Placements: b.plan.placements, Region: b.a.region, Attempt: b.a.number,
		Network: b.m.Network, Pool: b.m.Pool, CreditBytes: b.m.CreditBytes,
	}
}

func (b *builder) source() (err error) {
	spec := b.vertex.Source
	own := b.plan.graph.Program.HasSource(spec.Connector)
	if own {
		defer task.OwnFailure(&err, "source", spec.UID)
	}
	src, err := b.m.Connectors.Source(spec.Connector, spec.Options, spec.Schema)
	if err != nil {
		return fmt.Errorf("source %s: %w", spec.UID, err)
	}
	dead := task.NewDeadLetters(b.m.Pool, b.running.metrics)
	reader, err := src.Reader(connectors.ReaderContext{
		Identity: b.m.identity(b.a, spec.UID, b.id.Subtask, b.d.Parallelism), Schema: spec.Schema, Pool: b.m.Pool,
		Clock: b.m.Clock, Waker: b.running.box, Dead: dead, RowsMax: b.m.RowsMax, Metrics: b.running.metrics,
		Trouble: b.running.reader.set,
	})
	if err != nil {
		return fmt.Errorf("source %s: %w", spec.UID, err)
	}
	if own {
		reader = task.OwnReader(reader, spec.UID)
	}
	b.closes = append(b.closes, func() { _ = reader.Close() })
	ctx := &operators.Context{Task: b.id, Operator: spec.UID, Time: b.parts.Time, Zone: b.plan.zone, Functions: b.functions, Pool: b.m.Pool}
	if reader, err = task.Computed(reader, spec, ctx); err != nil {
		return fmt.Errorf("source %s: %w", spec.UID, err)
	}
	var g *watermark.Generator
	column := 0
	if w := spec.Watermark; w != nil {
		if g, err = watermark.New(w, spec.Output()); err != nil {
			return fmt.Errorf("source %s: %w", spec.UID, err)
		}
		column = w.Column
	}
	interval := b.plan.graph.WatermarkInterval
	if interval == 0 {
		interval = jobgraph.DefaultWatermarkInterval
	}
	b.parts.Source = task.NewSource(reader, g, column, interval.Milliseconds())
	b.parts.Dead = dead
	return nil
}

// chain opens the operators.
func (b *builder) chain(context.Context) error {
	common := operators.Context{
		Task: b.id, Parallelism: b.parallelism(), MaxParallelism: b.plan.graph.KeyGroups(), KeyGroups: b.keyGroups(), Pool: b.m.Pool,
		State: b.parts.Store, Time: b.parts.Time, Zone: b.plan.zone, RowsMax: b.m.RowsMax, Functions: b.functions, Wake: b.running.box.Wake,
	}
	for spec, ctx := range operators.Contexts(b.vertex, b.flow, common, b.parts.Watermarks) {
		op, err := b.operator(spec)
		if err != nil {
			return err
		}
		if err := b.open(spec, op, ctx); err != nil {
			return fmt.Errorf("open operator %s: %w", spec.UID, err)
		}
		b.closes = append(b.closes, func() { _ = op.Close() })
		b.parts.Chain = append(b.parts.Chain, task.Link{UID: spec.UID, Operator: op, Counts: ctx.Counts, Native: spec.Kind() == jobgraph.KindNative})
	}
	return nil
}

func (b *builder) operator(spec *jobgraph.OperatorSpec) (operators.Operator, error) {
	if spec.Kind() == jobgraph.KindNative {
		return b.native(spec)
	}
	return b.m.Operators.New(spec)
}

// tail makes the sink, or the outlets.
func (b *builder) tail(context.Context) error {
	if b.vertex.Sink != nil {
		if err := b.sink(); err != nil {
			return err
		}
	}
	out, err := b.channels().Outlets(b.id, b.running.box)
	if err != nil {
		return err
	}
	b.closes = append(b.closes, out.Close)
	b.parts.Outlets, b.parts.DeadOutlets = out.Ports, out.Dead
	return nil
}

func (b *builder) sink() (err error) {
	spec, schema := b.vertex.Sink, b.flow.Output(b.vertex.Source, operators.MainPort)
	own := b.plan.graph.Program.HasSink(spec.Connector)
	if own {
		defer task.OwnFailure(&err, "sink", spec.UID)
	}
	snk, err := b.m.Connectors.Sink(spec, schema)
	if err != nil {
		return fmt.Errorf("sink %s: %w", spec.UID, err)
	}
	w, err := snk.Writer(connectors.WriterContext{
		Identity: b.m.identity(b.a, spec.UID, b.id.Subtask, b.d.Parallelism), Schema: schema, Pool: b.m.Pool, Clock: b.m.Clock,
		Waker: b.running.box, Restored: types.CheckpointID(b.d.RestoredCheckpointId), Metrics: b.running.metrics,
		Trouble: b.running.writer.set,
	})
	if err != nil {
		return fmt.Errorf("sink %s: %w", spec.UID, err)
	}
	if own {
		w = task.OwnWriter(w, spec.UID)
	}
	b.closes = append(b.closes, func() { _ = w.Close() })
	b.parts.Sink = w
	return nil
}
