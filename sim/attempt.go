package sim

import (
	"fmt"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/exchange/inflight"
	"millrace/failure"
	"millrace/internal/metrics"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/watermark"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/taskmanager/task"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// attempt is what a task manager runs of one attempt of a region.
type attempt struct {
	tm           *taskManager
	job          *job
	region       types.RegionID
	number       types.Attempt
	tasks        []*runningTask // in the order of their ids
	coordinators []*coordinator
	committers   map[types.VertexID]*committer
	over         bool
}

// end ends everything of the attempt; tasks report that they are cancelled.
func (a *attempt) end(why string) {
	if a.over {
		return
	}
	a.over = true
	a.tm.tell("attempt %d of region %d ends: %s", a.number, a.region.Index, why)
	a.tm.network.Forget(a.region, a.number)
	delete(a.tm.attempts, a.region)
	for _, t := range a.tasks {
		if !t.done {
			t.close()
			t.changed(controlv1.TaskState_TASK_STATE_CANCELED, nil)
		}
	}
}

func (t *runningTask) changed(s controlv1.TaskState, err error) {
	a, id, f := t.a, t.id, t.tm.failureOf(err)
	a.tm.tell("task %s of attempt %d: %s %v", id, a.number, s, err)
	t.told.note(s, f)
	a.tm.send(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_TaskChanged{TaskChanged: &controlv1.TaskChanged{
		JobId: string(a.region.Job), Attempt: uint64(a.number), VertexId: string(id.Vertex), Subtask: id.Subtask, State: s,
		Failure: f,
	}}})
}

func (a *attempt) identity(op types.OperatorUID, subtask, parallelism int32) connectors.Identity {
	return connectors.Identity{
		Cluster: "sim", Job: a.region.Job, Attempt: a.number, Operator: op, Subtask: subtask, Parallelism: parallelism,
	}
}

// runningTask is a production task and what steps it.
type runningTask struct {
	a       *attempt
	tm      *taskManager
	id      types.TaskID
	d       *controlv1.TaskDeployment
	source  bool
	groups  types.KeyGroupRange
	box     *task.Mailbox
	task    *task.Task // nil until it is built
	uploads *uploads
	awake   bool
	done    bool

	told     told
	assigned uint64 // assignments that it was given
	metrics  *metrics.Task
}

func (t *runningTask) after(millis int64, do func()) {
	t.tm.after(millis, func() {
		if !t.done {
			do()
		}
	})
}

func (t *runningTask) post(c task.Command) {
	if t.done {
		return
	}
	if err := t.box.Post(c); err != nil {
		t.fail(err)
	}
	t.Wake()
}

// Wake implements exchange.Waker: the task is stepped soon, somewhere among all that happens.
func (t *runningTask) Wake() {
	if t.awake || t.done || t.task == nil {
		return
	}
	t.awake = true
	t.after(t.tm.w.between(0, 3), t.step)
}

func (t *runningTask) step() {
	t.awake = false
	now := t.tm.NowMillis()
	p, wakeAt, err := t.task.Step(now)
	switch {
	case err != nil:
		t.fail(fmt.Errorf("task %s: %w", t.id, err))
	case p == task.Finished:
		t.close()
		t.changed(controlv1.TaskState_TASK_STATE_FINISHED, nil)
	case p == task.Worked:
		t.Wake()
	case wakeAt > 0:
		t.after(max(wakeAt-now, 1), t.Wake)
	}
}

func (t *runningTask) fail(err error) {
	t.close()
	t.changed(controlv1.TaskState_TASK_STATE_FAILED, err)
}

func (t *runningTask) close() {
	t.done = true
	if t.task != nil {
		_ = t.task.Close() // it ends either way
	}
}

// Ended implements task.Reporter.
func (t *runningTask) Ended() { t.changed(controlv1.TaskState_TASK_STATE_ENDED, nil) }

// Snapshotted implements task.Reporter.
func (t *runningTask) Snapshotted(id types.CheckpointID, s *checkpointv1.TaskState, f *controlv1.SnapshotFigures) {
	t.tm.tell("task %s acknowledges %d", t.id, id)
	t.tm.send(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_TaskSnapshotted{TaskSnapshotted: &controlv1.TaskSnapshotted{
		JobId: string(t.a.region.Job), Attempt: uint64(t.a.number), CheckpointId: uint64(id), VertexId: string(t.id.Vertex), Subtask: t.id.Subtask,
		State: s, Figures: f,
	}}})
}

// Declined implements task.Reporter.
func (t *runningTask) Declined(id types.CheckpointID, reason error) {
	t.tm.send(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_CheckpointDeclined{CheckpointDeclined: &controlv1.CheckpointDeclined{
		JobId: string(t.a.region.Job), Attempt: uint64(t.a.number), CheckpointId: uint64(id), VertexId: string(t.id.Vertex), Subtask: t.id.Subtask,
		Failure: t.tm.failureOf(reason),
	}}})
}

// Passed implements task.Reporter: a new leader asks for it.
func (t *runningTask) Passed(id types.CheckpointID) {
	if t.told.first == 0 {
		t.told.first = id
	}
	t.told.last = id
}

// deploy starts tasks.
func (tm *taskManager) deploy(d *controlv1.Deploy) {
	a := tm.enter(d.JobId, d.Region, d.Attempt)
	if a == nil {
		return
	}
	b := &builder{tm: tm, a: a, graph: a.job.graph, placements: make(map[types.TaskID]types.TaskManagerID), widths: make(map[types.VertexID]int)}
	var err error
	b.flows, err = jobgraph.Derive(b.graph)
	for _, p := range d.Placements {
		id := types.TaskID{Vertex: types.VertexID(p.VertexId), Subtask: p.Subtask}
		b.placements[id] = types.TaskManagerID(p.TaskManagerId)
		b.widths[id.Vertex] = max(b.widths[id.Vertex], int(p.Subtask)+1)
	}
	for _, td := range d.Tasks {
		v := b.graph.Vertex(types.VertexID(td.VertexId))
		t := &runningTask{a: a, tm: tm, id: types.TaskID{Vertex: v.ID, Subtask: td.Subtask}, d: td, metrics: &metrics.Task{}, source: v.Source != nil, box: task.NewMailbox()}
		t.groups = types.KeyGroupRangeOf(int(td.Subtask), int(td.Parallelism), b.graph.KeyGroups())
		a.tasks = append(a.tasks, t)
		if td.Drained && t.source {
			t.post(task.Drain{})
		}
		t.changed(controlv1.TaskState_TASK_STATE_DEPLOYING, err)
		t.after(tm.w.between(1, 40), func() { b.start(t, td) })
	}
}

// builder makes the tasks of a deployment as taskmanager/deploy.go does.
type builder struct {
	tm         *taskManager
	a          *attempt
	graph      *jobgraph.Graph
	flows      map[types.VertexID]*jobgraph.Flow
	placements map[types.TaskID]types.TaskManagerID
	widths     map[types.VertexID]int
}

func (b *builder) start(t *runningTask, d *controlv1.TaskDeployment) {
	p, err := b.parts(t, d)
	if err != nil {
		t.fail(fmt.Errorf("task %s: %w", t.id, err))
		return
	}
	t.task = task.New(*p, t.box)
	t.changed(controlv1.TaskState_TASK_STATE_RUNNING, nil)
	b.tm.w.oracle.runs(t)
	b.tm.highest[b.a.region] = max(b.tm.highest[b.a.region], b.a.number)
	t.Wake()
}

func (b *builder) parts(t *runningTask, d *controlv1.TaskDeployment) (*task.Parts, error) {
	v := b.graph.Vertex(t.id.Vertex)
	p := &task.Parts{
		ID: t.id, Report: t, Clock: b.tm, BufferTimeout: jobgraph.DefaultBufferTimeout,
		Time: new(operators.Time), Metrics: t.metrics, Ledger: d.Ledger,
		Watermarks: make(map[types.OperatorUID]stream.Watermark),
	}
	p.Time.Pass(b.tm.NowMillis())
	for _, w := range d.Watermarks {
		p.Watermarks[types.OperatorUID(w.Uid)] = stream.Watermark(w.Watermark)
	}
	if err := b.state(t, d, p); err != nil {
		return nil, err
	}
	head := b.gate
	if v.Source != nil {
		head = b.source
	}
	if err := head(t, v, d, p); err != nil {
		return nil, err
	}
	if err := b.replayed(t, d, p); err != nil {
		return nil, err
	}
	if err := b.chain(t, v, d, p); err != nil {
		return nil, err
	}
	return p, b.tail(t, v, d, p)
}

func (b *builder) state(t *runningTask, d *controlv1.TaskDeployment, p *task.Parts) error {
	spec := statebackend.OpenSpec{
		Task: t.id, Parallelism: int(d.Parallelism), KeyGroups: t.groups, MaxParallelism: b.graph.KeyGroups(), Pool: b.tm.pool,
	}
	for _, c := range d.Chains {
		spec.Restore = append(spec.Restore, upload.Files(b.tm.blob, nil, c.Files))
	}
	b.tm.tiered(&spec)
	var err error
	if p.Store, err = b.tm.backend.Open(b.tm.w.ctx, spec); err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	t.uploads = &uploads{t: t}
	if len(d.Chains) == 1 && ownChain(d.Chains[0].Files, t.groups) {
		t.uploads.chain = d.Chains[0].Files
	}
	p.Uploads, p.InFlights, p.FullSnapshot = t.uploads, t.uploads, len(t.uploads.chain) == 0
	return nil
}

func (b *builder) replayed(t *runningTask, d *controlv1.TaskDeployment, p *task.Parts) (err error) {
	if c := b.graph.Checkpoint; c.Unaligned {
		p.Unaligned = task.Unaligned{Enabled: true, After: c.AlignedTimeout}
	}
	if len(d.InFlight) == 0 {
		return nil
	}
	r := &task.Replays{
		Graph: b.graph, Task: t.id, Parallelism: int(d.Parallelism), Pool: b.tm.pool,
		Read: func(f *controlv1.InFlight) ([]inflight.Channel, error) {
			return upload.InFlight(b.tm.w.ctx, b.tm.blob, nil, f.File)
		},
	}
	if p.Replay, err = r.Of(d.InFlight); err != nil {
		return fmt.Errorf("restore what was in flight: %w", err)
	}
	b.tm.w.oracle.replays(d.InFlight, d.Parallelism, p.Replay)
	return nil
}

func ownChain(files []*checkpointv1.StateFile, groups types.KeyGroupRange) bool {
	for _, f := range files {
		if f.FirstKeyGroup != uint32(groups.First) || f.LastKeyGroup != uint32(groups.Last) {
			return false
		}
	}
	return len(files) > 0
}

func (b *builder) channel(edge int, from, to int32) exchange.ChannelID {
	return exchange.ChannelID{Region: b.a.region, Attempt: b.a.number, Edge: int32(edge), From: from, To: to}
}

func (b *builder) gate(t *runningTask, v *jobgraph.Vertex, _ *controlv1.TaskDeployment, p *task.Parts) error {
	var channels []exchange.GateChannel
	for i, e := range b.graph.Edges {
		if e.To != v.ID {
			continue
		}
		for from := range b.widths[e.From] {
			channels = append(channels, exchange.GateChannel{
				Input: e.Input, ID: b.channel(i, int32(from), t.id.Subtask),
				Producer: b.placements[types.TaskID{Vertex: e.From, Subtask: int32(from)}], CreditBytes: creditBytes, InOrder: exchange.InOrder(e.Kind),
			})
		}
	}
	var err error
	p.Gate, err = exchange.OpenGate(b.tm.network, channels, t)
	return err
}

// creditBytes is small, so that credit runs out.
const creditBytes = 2_000

func (b *builder) source(t *runningTask, v *jobgraph.Vertex, d *controlv1.TaskDeployment, p *task.Parts) error {
	spec := v.Source
	src, err := b.tm.connectors.Source(spec.Connector, spec.Options, spec.Schema)
	if err != nil {
		return err
	}
	p.Dead = task.NewDeadLetters(b.tm.pool, p.Metrics)
	reader, err := src.Reader(connectors.ReaderContext{
		Identity: b.a.identity(spec.UID, t.id.Subtask, d.Parallelism), Schema: spec.Schema, Pool: b.tm.pool, Clock: b.tm, Waker: t,
		Dead: p.Dead, RowsMax: rowsMax, Metrics: p.Metrics,
	})
	if err != nil {
		return err
	}
	g, err := watermark.New(spec.Watermark, spec.Schema)
	if err != nil {
		return err
	}
	p.Source = task.NewSource(reader, g, spec.Watermark.Column, jobgraph.DefaultWatermarkInterval.Milliseconds())
	return nil
}

// rowsMax is the largest batch.
const rowsMax = 16

func (b *builder) chain(t *runningTask, v *jobgraph.Vertex, d *controlv1.TaskDeployment, p *task.Parts) error {
	flow := b.flows[v.ID]
	in := flow.Inputs
	if v.Source != nil {
		in = []*types.Schema{v.Source.Output()}
	}
	for i := range v.Operators {
		spec := &v.Operators[i]
		op, err := b.tm.ops.New(spec)
		if err != nil {
			return err
		}
		ctx := &operators.Context{
			Task: t.id, Operator: spec.UID, Parallelism: int(d.Parallelism), MaxParallelism: b.graph.KeyGroups(), KeyGroups: t.groups,
			Inputs: in, Output: flow.Operators[i], Pool: b.tm.pool, State: p.Store, Watermark: stream.NoWatermark, Time: p.Time, RowsMax: rowsMax,
			Counts: &operators.Counts{},
		}
		if w, ok := p.Watermarks[spec.UID]; ok {
			ctx.Watermark = w
		}
		if i == len(v.Operators)-1 {
			ctx.Sides = flow.Sides
		}
		if err := op.Open(ctx); err != nil {
			return fmt.Errorf("open operator %s: %w", spec.UID, err)
		}
		p.Chain = append(p.Chain, task.Link{UID: spec.UID, Operator: op, Counts: ctx.Counts})
		in = []*types.Schema{flow.Operators[i]}
	}
	return nil
}

func (b *builder) tail(t *runningTask, v *jobgraph.Vertex, d *controlv1.TaskDeployment, p *task.Parts) error {
	flow := b.flows[v.ID]
	if v.Sink != nil {
		schema := flow.Output(v.Source, operators.MainPort)
		s, err := b.tm.connectors.Sink(v.Sink, schema)
		if err != nil {
			return err
		}
		p.Sink, err = s.Writer(connectors.WriterContext{
			Identity: b.a.identity(v.Sink.UID, t.id.Subtask, d.Parallelism), Schema: schema, Pool: b.tm.pool, Clock: b.tm, Waker: t,
			Restored: types.CheckpointID(d.RestoredCheckpointId), Metrics: p.Metrics,
		})
		return err
	}
	for i, e := range b.graph.Edges {
		if e.From != v.ID {
			continue
		}
		var senders []exchange.Sender
		for to := range b.widths[e.To] {
			s, err := b.tm.network.Sender(b.channel(i, t.id.Subtask, int32(to)), b.placements[types.TaskID{Vertex: e.To, Subtask: int32(to)}], creditBytes, t)
			if err != nil {
				return failure.External(err, failure.Restart)
			}
			senders = append(senders, s)
		}
		o, err := exchange.NewOutlet(e.Partitioning, flow.Output(v.Source, e.Port), senders, b.tm.pool, b.graph.KeyGroups(), exchange.OutletOptions{})
		if err != nil {
			return err
		}
		p.Outlets = append(p.Outlets, []exchange.Outlet{o})
	}
	return nil
}
