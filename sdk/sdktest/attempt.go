package sdktest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"millrace/blobstore"
	"millrace/checkpoint"
	"millrace/checkpoint/codec"
	"millrace/connectors"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/operators/native"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/taskmanager/task"
	"millrace/types"
)

// attempt is the tasks of a job that were made together, and what watches over their checkpoints.
type attempt struct {
	p           *Pipeline
	number      types.Attempt
	tasks       []*running // in the order of the graph
	coordinator *checkpoint.Coordinator
	events      []checkpoint.Event // that tasks have told
	failed      string             // why a checkpoint was not taken
	done        types.CheckpointID // the last that is complete
	woken       chan struct{}      // a call has returned
}

// running is a task and what steps it.
type running struct {
	a       *attempt
	id      types.TaskID
	groups  types.KeyGroupRange
	source  bool
	box     *task.Mailbox
	task    *task.Task
	awake   atomic.Bool // functions that wait for others may wake a task from outside
	due     int64       // when it wants to be stepped; 0: never
	chain   []*checkpointv1.StateFile
	written int
}

// jobID is the job's, of which there is one.
const jobID = types.JobID("test")

// region is the one that all tasks are in: they live and die together.
var region = types.RegionID{Job: jobID}

// deploy makes the tasks of a new attempt, restored from the latest checkpoint.
func (p *Pipeline) deploy() error {
	plan, err := checkpoint.Restore(p.latest.manifest, p.program.restoreSpec())
	if err != nil {
		return err
	}
	p.number++
	p.attempt = &attempt{p: p, number: p.number, done: p.latest.ID, woken: make(chan struct{}, 1)}
	p.recover(plan)
	if err := p.attempt.build(plan); err != nil {
		return err
	}
	p.attempt.watch(plan)
	p.attempt.assign(plan)
	return p.attempt.settle()
}

// restart deploys the job and makes what came in behind the checkpoint come in again.
func (p *Pipeline) restart() {
	p.t.Helper()
	for _, s := range p.sinks {
		s.drop()
	}
	p.rewind(p.latest.moments)
	if !p.check(p.deploy()) {
		return
	}
	for _, m := range p.moments[p.latest.moments:] {
		m.release()
		if !p.check(p.attempt.settle()) {
			return
		}
	}
}

// recover commits what the checkpoint has, as committers do before any task starts.
func (p *Pipeline) recover(plan *checkpoint.Plan) {
	for i := range p.program.graph.Vertices {
		if v := &p.program.graph.Vertices[i]; v.Sink != nil {
			p.sinks[string(v.Sink.UID)].commit(plan.Vertices[v.ID].Committables)
		}
	}
}

// watch makes what decides on the checkpoints of the attempt.
func (a *attempt) watch(plan *checkpoint.Plan) {
	p := a.p
	cfg := checkpoint.Config{
		Job: jobID, Attempt: a.number, MaxParallelism: p.program.graph.KeyGroups(), Latest: p.latest.Pointer,
		NextID: p.checkpoints + 1,
	}
	if p.latest.ID != 0 {
		cfg.Retained = []checkpoint.Pointer{p.latest.Pointer}
	}
	for i := range p.program.graph.Vertices {
		v := &p.program.graph.Vertices[i]
		cfg.Vertices = append(cfg.Vertices, checkpoint.Vertex{
			ID: v.ID, Parallelism: int32(p.program.width(v)), LargestParallelism: plan.Vertices[v.ID].LargestParallelism,
			Source: v.Source != nil, Committer: v.Sink != nil,
		})
	}
	a.coordinator = checkpoint.New(cfg)
	a.tell(checkpoint.Tick{Now: p.clock.NowMillis()})
	a.tell(checkpoint.TasksRunning{})
}

// assign gives readers their splits.
func (a *attempt) assign(plan *checkpoint.Plan) {
	for i := range a.p.program.graph.Vertices {
		v := &a.p.program.graph.Vertices[i]
		if v.Source == nil {
			continue
		}
		var restored []connectors.SplitState
		for _, s := range plan.Vertices[v.ID].Splits {
			restored = append(restored, task.SplitFromProto(s))
		}
		all := a.p.sources[string(v.Source.UID)].assignments(restored, a.p.program.width(v))
		for _, t := range a.tasks {
			if t.id.Vertex == v.ID {
				t.post(task.Assign{Splits: all[t.id.Subtask], NoMore: true})
			}
		}
	}
}

// halt ends the tasks where they are.
func (p *Pipeline) halt() {
	if p.attempt == nil {
		return
	}
	a := p.attempt
	p.attempt = nil
	for _, t := range a.tasks {
		if t.task != nil {
			if err := t.task.Close(); err != nil {
				p.t.Errorf("%v", err)
			}
		}
	}
	p.network.Forget(region, a.number)
}

// close ends the pipeline and looks for what was not given back.
func (p *Pipeline) close() {
	p.halt()
	for _, s := range p.sources {
		s.close()
	}
	for _, s := range p.sinks {
		s.close()
	}
	if n := p.pool.Live(); n != 0 {
		p.t.Errorf("%d buffers of rows were not given back", n)
	}
}

// Wake implements exchange.Waker.
func (t *running) Wake() { t.awake.Store(true) }

// wakeLater wakes the task from another goroutine, that of a call.
func (t *running) wakeLater() {
	t.awake.Store(true)
	select {
	case t.a.woken <- struct{}{}:
	default: // somebody else's is there, and settle looks at all tasks
	}
}

// awaits returns how many calls are under way.
func (a *attempt) awaits() (n int) {
	for _, t := range a.tasks {
		for _, link := range t.task.Chain {
			if of, ok := link.Operator.(native.Awaiter); ok {
				n += of.Awaits()
			}
		}
	}
	return n
}

// callsLimit is how long calls of async functions may take, in real time.
const callsLimit = 30 * time.Second

// returned waits until some call has returned; false: none is under way.
func (a *attempt) returned() (bool, error) {
	n := a.awaits()
	if n == 0 {
		return false, nil
	}
	limit := clock.System().NewTimer(callsLimit)
	defer limit.Stop()
	select {
	case <-a.woken:
		return true, nil
	case <-limit.C():
		return false, failure.Userf("%d calls of async functions have not returned within %s: in a test they are waited for, whatever their timeout", n, callsLimit)
	}
}

func (t *running) post(c task.Command) {
	if err := t.box.Post(c); err != nil {
		t.a.failed = err.Error()
	}
	t.Wake()
}

// settle steps tasks until nothing moves.
func (a *attempt) settle() error {
	for range a.p.steps {
		if len(a.events) > 0 {
			e := a.events[0]
			a.events = a.events[1:]
			a.tell(e)
			continue
		}
		t := a.next()
		if t == nil {
			if some, err := a.returned(); !some || err != nil {
				return err
			}
			continue
		}
		if err := t.step(a.p.clock.NowMillis()); err != nil {
			return fmt.Errorf("task %s: %w", t.id, err)
		}
	}
	return failure.Userf("the job does not come to rest: its tasks took %d steps, and there is more to do; does a timer set itself again for a time that has come?", a.p.steps)
}

// next returns the task whose turn it is; nil: nothing is to be done.
func (a *attempt) next() *running {
	var awake []*running
	for _, t := range a.tasks {
		if !t.awake.Load() {
			continue
		}
		if a.p.chance == nil {
			return t
		}
		awake = append(awake, t)
	}
	if len(awake) == 0 {
		return nil
	}
	return awake[a.p.chance.IntN(len(awake))]
}

func (t *running) step(now int64) error {
	t.awake.Store(false)
	progress, wakeAt, err := t.task.Step(now)
	if err != nil {
		return err
	}
	t.due = wakeAt
	if progress == task.Worked || wakeAt != 0 && wakeAt <= now {
		t.Wake()
	}
	return nil
}

// advance lets time pass.
func (a *attempt) advance(to int64) error {
	for {
		at := to
		for _, t := range a.tasks {
			if t.due != 0 {
				at = min(at, t.due)
			}
		}
		now := a.p.clock.NowMillis()
		a.p.clock.Advance(millis(max(at-now, 0)))
		now = max(at, now)
		for _, t := range a.tasks {
			if t.due != 0 && t.due <= now {
				t.Wake()
			}
		}
		if err := a.settle(); err != nil || now >= to {
			return err
		}
	}
}

// checkpoint takes one.
func (a *attempt) checkpoint(kind checkpoint.Kind) error {
	before := a.done
	a.tell(checkpoint.Tick{Now: a.p.clock.NowMillis()})
	a.tell(checkpoint.TriggerRequested{Kind: kind})
	if err := a.settle(); err != nil {
		return err
	}
	if a.failed != "" || a.done == before {
		return failure.Internalf("the checkpoint failed: %s", a.failed)
	}
	return nil
}

// tell tells the coordinator what has happened, and does what it says.
func (a *attempt) tell(e checkpoint.Event) {
	for _, effect := range a.coordinator.Step(e) {
		a.carryOut(effect)
	}
}

func (a *attempt) carryOut(e checkpoint.Effect) {
	p := a.p
	switch e := e.(type) {
	case checkpoint.Trigger:
		p.checkpoints = max(p.checkpoints, e.ID)
		a.post(func(t *running) bool { return t.source }, task.Trigger{Barrier: stream.Barrier{ID: e.ID}, At: p.clock.Now()})
	case checkpoint.Persist:
		a.persist(e)
	case checkpoint.Completed:
		a.done = e.ID
	case checkpoint.Commit:
		v := p.program.graph.Vertex(e.Permit.Vertex())
		p.sinks[string(v.Sink.UID)].commit(e.Permit.Committables())
		a.events = append(a.events, checkpoint.Committed{Vertex: v.ID, ID: e.Permit.ID()})
	case checkpoint.NotifyComplete:
		for _, id := range e.Vertices {
			a.post(func(t *running) bool { return t.id.Vertex == id }, task.Completed{ID: e.ID})
		}
	case checkpoint.NotifyAborted:
		a.post(func(*running) bool { return true }, task.Aborted{ID: e.ID})
	case checkpoint.Failed:
		a.failed = e.Reason
	case checkpoint.FailJob:
		a.failed = e.Reason
	case checkpoint.FinalComplete:
		p.ended = true
	default: // of other leaders and regions, savepoints, ids, retention
	}
}

func (a *attempt) post(to func(*running) bool, c task.Command) {
	for _, t := range a.tasks {
		if to(t) {
			t.post(c)
		}
	}
}

// persist keeps the manifest, as its bytes have it.
func (a *attempt) persist(e checkpoint.Persist) {
	data, sum, err := codec.Encode(e.Manifest)
	if err == nil {
		var m *checkpointv1.Manifest
		if m, err = codec.DecodeVerified(data, sum); err == nil {
			key := fmt.Sprintf("manifest-%d", e.ID)
			a.p.latest = complete{Pointer: checkpoint.Pointer{ID: e.ID, ManifestKey: key, Sum: sum}, manifest: m, moments: len(a.p.moments)}
			a.events = append(a.events, checkpoint.Persisted{ID: e.ID, ManifestKey: key, Sum: sum})
			return
		}
	}
	a.events = append(a.events, checkpoint.PersistFailed{ID: e.ID, Reason: err.Error()})
}

// Ended implements task.Reporter.
func (t *running) Ended() { t.a.events = append(t.a.events, checkpoint.TaskEnded{Task: t.id}) }

// Passed implements task.Reporter.
func (*running) Passed(types.CheckpointID) {}

// Snapshotted implements task.Reporter.
func (t *running) Snapshotted(id types.CheckpointID, s *checkpointv1.TaskState, _ *controlv1.SnapshotFigures) {
	t.a.events = append(t.a.events, checkpoint.Acknowledged{ID: id, Task: t.id, State: s})
}

// Declined implements task.Reporter.
func (t *running) Declined(id types.CheckpointID, reason error) {
	t.a.events = append(t.a.events, checkpoint.Declined{ID: id, Task: t.id, Reason: reason.Error()})
}

// Submit implements task.Uploads: the file is safe when it returns.
func (t *running) Submit(id types.CheckpointID, s statebackend.Snapshot) {
	defer s.Release()
	if s.Empty() && len(t.chain) > 0 {
		t.post(task.Uploaded{ID: id, Files: t.chain})
		return
	}
	f, err := t.upload(id, s)
	if err != nil {
		t.post(task.Uploaded{ID: id, Err: err})
		return
	}
	if f.Kind == uint32(statebackend.Base) {
		t.chain = nil
	}
	t.chain = append(slices.Clip(t.chain), f)
	if len(t.chain) >= chainMax {
		t.post(task.Rewrite{})
	}
	t.post(task.Uploaded{ID: id, Files: t.chain, Bytes: f.Bytes})
}

func (t *running) upload(id types.CheckpointID, s statebackend.Snapshot) (*checkpointv1.StateFile, error) {
	var data bytes.Buffer
	info, err := s.Write(&data)
	if err != nil {
		return nil, err
	}
	t.written++
	key, err := blobstore.ChunkKey{Job: jobID, Attempt: t.a.number, Checkpoint: id, Task: t.id, Unique: fmt.Sprint(t.written)}.Path()
	if err != nil {
		return nil, err
	}
	return &checkpointv1.StateFile{
		Sha256: info.Sum[:], Bytes: info.Bytes, Rows: info.Rows, Kind: uint32(info.Kind),
		FirstKeyGroup: uint32(info.Groups.First), LastKeyGroup: uint32(info.Groups.Last), At: &checkpointv1.StateFile_Object{Object: key},
	}, t.a.p.store.Create(context.Background(), key, blobstore.Bytes(data.Bytes()))
}
