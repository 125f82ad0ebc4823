package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/failure"
	"millrace/internal/metrics"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/taskmanager/task"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// attempt is what this task manager runs of one attempt of a region.
type attempt struct {
	tm     *TaskManager
	region types.RegionID
	number types.Attempt
	ctx    context.Context
	cancel context.CancelFunc
	body   body
	// exclusive tells that the job calls functions of its program.
	exclusive atomic.Bool
	mu        struct {
		sync.Mutex
		tasks        map[types.TaskID]*running
		coordinators []*coordinator
		committers   map[types.VertexID]chan commitRequest
		budgets      map[int32]*statebackend.Budget // by slot
	}
}

// running is a task with what others may touch of it.
type running struct {
	id types.TaskID
	// As it was deployed.
	parallelism, slot int32
	restored          uint64
	source            bool
	box               *task.Mailbox
	ended             chan struct{} // closed when it is over
	metrics           *metrics.Task
	upload            *upload.Uploader
	reader            trouble
	writer            trouble
	// assigned counts the assignments of splits that the task was given; Run's
	// goroutine owns it.
	assigned uint64
	// told is what the job manager was told, guarded by the task manager's said.
	told struct {
		state       controlv1.TaskState
		failure     *controlv1.Failure
		first, last types.CheckpointID // whose barriers were passed on; 0 for none
	}
}

// trouble is what a connector said last of the system that it talks to.
type trouble struct{ text atomic.Pointer[string] }

// set implements connectors.Trouble.
func (t *trouble) set(message string) {
	message = short(message)
	t.text.Store(&message)
}

// short cuts a connector's text to what may travel to the job manager.
func short(message string) string {
	return strings.ToValidUTF8(message[:min(len(message), troubleBytesMax)], "")
}

func (t *trouble) get() string {
	if s := t.text.Load(); s != nil {
		return *s
	}
	return ""
}

// newAttempt returns an attempt that nothing runs of yet. Its context ends with
// cancel: a task's life is not that of the call that deployed it.
func newAttempt(m *TaskManager, region types.RegionID, number types.Attempt) *attempt {
	a := &attempt{tm: m, region: region, number: number}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.mu.tasks = make(map[types.TaskID]*running)
	a.mu.committers = make(map[types.VertexID]chan commitRequest)
	a.mu.budgets = make(map[int32]*statebackend.Budget)
	return a
}

// add enters a task before it runs; false if it is there already or the
// attempt is over.
func (a *attempt) add(r *running) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx.Err() != nil || a.mu.tasks[r.id] != nil {
		return false
	}
	a.mu.tasks[r.id] = r
	return true
}

// post gives a command to the tasks that match; a nil match means all. A full
// mailbox is a bug and ends the attempt here.
func (a *attempt) post(match func(*running) bool, c task.Command) {
	for _, r := range a.tasks() {
		if match != nil && !match(r) {
			continue
		}
		if err := r.box.Post(c); err != nil {
			a.changed(r.id, controlv1.TaskState_TASK_STATE_FAILED, err)
		}
	}
}

// tasks returns the tasks in the order of their ids.
func (a *attempt) tasks() []*running {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]*running, 0, len(a.mu.tasks))
	for _, r := range a.mu.tasks {
		out = append(out, r)
	}
	sort.Slice(out, func(i, k int) bool { return out[i].id.Less(out[k].id) })
	return out
}

func (a *attempt) appendProgress(out []*controlv1.TaskProgress) []*controlv1.TaskProgress {
	for _, r := range a.tasks() {
		out = append(out, r.progress(a))
	}
	return out
}

func (r *running) progress(a *attempt) *controlv1.TaskProgress {
	m := r.metrics
	p := &controlv1.TaskProgress{
		JobId: string(a.region.Job), Attempt: uint64(a.number), VertexId: string(r.id.Vertex), Subtask: r.id.Subtask,
		RecordsIn: m.RecordsIn.Load(), RecordsOut: m.RecordsOut.Load(), BytesIn: m.BytesIn.Load(), BytesOut: m.BytesOut.Load(),
		Late: m.LateDropped.Load(), Skipped: m.Skipped.Load(), DeadLetters: m.DeadLetters.Load(),
		Filtered: m.Filtered.Load(), Folded: m.Folded.Load(), Expired: m.Expired.Load(),
		BusyMillis: m.BusyNanos.Load() / 1e6, BackpressuredMillis: m.BackPressuredNanos.Load() / 1e6,
	}
	p.Watermark = int64(stream.NoWatermark)
	if w, ok := m.InputWatermark.Load(); ok {
		p.Watermark = w
	}
	p.Trouble = r.trouble(a.tm.tierTrouble())
	return p
}

// trouble says what the systems outside refuse at the moment, "" when all is well.
func (r *running) trouble(ofTier string) string {
	said := []string{short(ofTier)}
	if r.upload != nil {
		said = append(said, r.upload.Trouble())
	}
	said = append(said, r.reader.get(), r.writer.get())
	return strings.Join(slices.DeleteFunc(said, func(s string) bool { return s == "" }), "; ")
}

// changed reports a task's new state.
func (a *attempt) changed(id types.TaskID, s controlv1.TaskState, err error) {
	f := failureToProto(err)
	a.tm.say(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_TaskChanged{
		TaskChanged: &controlv1.TaskChanged{
			JobId: string(a.region.Job), Attempt: uint64(a.number), VertexId: string(id.Vertex), Subtask: id.Subtask,
			State: s, Failure: f,
		},
	}}, func() { a.note(id, s, f) })
}

// note keeps a task's state for inventories. How a task came to its end is told once.
func (a *attempt) note(id types.TaskID, s controlv1.TaskState, f *controlv1.Failure) {
	a.mu.Lock()
	r := a.mu.tasks[id]
	a.mu.Unlock()
	if r != nil && r.told.state < controlv1.TaskState_TASK_STATE_FINISHED {
		r.told.state, r.told.failure = s, f
	}
}

// reporter implements task.Reporter for one task.
type reporter struct {
	a *attempt
	*running
}

// Ended reports the figures first: the job may be over before the task is.
func (r reporter) Ended() {
	r.a.lastFigures(r.running)
	r.a.changed(r.id, controlv1.TaskState_TASK_STATE_ENDED, nil)
}

// Passed says nothing: what no inventory has, the job manager need not know.
func (r reporter) Passed(id types.CheckpointID) {
	r.a.tm.said.Lock()
	defer r.a.tm.said.Unlock()
	if r.told.first == 0 {
		r.told.first = id
	}
	r.told.last = id
}

func (r reporter) Snapshotted(id types.CheckpointID, s *checkpointv1.TaskState, f *controlv1.SnapshotFigures) {
	r.a.tm.outbox.put(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_TaskSnapshotted{
		TaskSnapshotted: &controlv1.TaskSnapshotted{
			JobId: string(r.a.region.Job), Attempt: uint64(r.a.number), CheckpointId: uint64(id),
			VertexId: string(r.id.Vertex), Subtask: r.id.Subtask, State: s, Figures: f,
		},
	}})
}

func (r reporter) Declined(id types.CheckpointID, reason error) {
	r.a.tm.outbox.put(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_CheckpointDeclined{
		CheckpointDeclined: &controlv1.CheckpointDeclined{
			JobId: string(r.a.region.Job), Attempt: uint64(r.a.number), CheckpointId: uint64(id),
			VertexId: string(r.id.Vertex), Subtask: r.id.Subtask, Failure: failureToProto(reason),
		},
	}})
}

var (
	domainToProto = map[failure.Domain]controlv1.FailureDomain{
		failure.DomainUser: controlv1.FailureDomain_FAILURE_DOMAIN_USER, failure.DomainExternal: controlv1.FailureDomain_FAILURE_DOMAIN_EXTERNAL,
		failure.DomainInternal: controlv1.FailureDomain_FAILURE_DOMAIN_INTERNAL,
	}
	retryToProto = map[failure.Retry]controlv1.FailureRetry{
		failure.Never: controlv1.FailureRetry_FAILURE_RETRY_NEVER, failure.Backoff: controlv1.FailureRetry_FAILURE_RETRY_BACKOFF,
		failure.Restart: controlv1.FailureRetry_FAILURE_RETRY_RESTART,
	}
)

// failureToProto says to the job manager what class an error has; nil for nil.
func failureToProto(err error) *controlv1.Failure {
	if err == nil {
		return nil
	}
	c := failure.ClassOf(err)
	f := &controlv1.Failure{
		Domain: domainToProto[c.Domain], Retry: retryToProto[c.Retry], Message: err.Error(),
		CorruptCheckpoint: errors.Is(err, statebackend.ErrCorrupt), OutputAhead: errors.Is(err, connectors.ErrAhead),
		Consequence: errors.Is(err, exchange.ErrBroken),
	}
	var at interface{ SourcePosition() string }
	if errors.As(err, &at) {
		f.Position = at.SourcePosition()
	}
	return f
}

// lastFigures reports what a task came to: the next heartbeat may be too late.
func (a *attempt) lastFigures(r *running) {
	a.tm.putFigures(func() *controlv1.Heartbeat {
		return &controlv1.Heartbeat{Tasks: []*controlv1.TaskProgress{r.progress(a)}}
	})
}

// runTask builds a task, runs it to its end and reports how that was.
func (a *attempt) runTask(r *running, build func(context.Context) (*task.Task, error)) {
	defer close(r.ended)
	a.changed(r.id, controlv1.TaskState_TASK_STATE_DEPLOYING, nil)
	t, err := build(a.ctx)
	if err == nil {
		a.changed(r.id, controlv1.TaskState_TASK_STATE_RUNNING, nil)
		err = t.Run(a.ctx)
	}
	if r.upload != nil {
		r.upload.Close()
	}
	a.lastFigures(r)
	a.tm.Metrics.RemoveTask(r.metrics)
	switch {
	case a.ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)): // what failed before is the cause, not the cancel
		a.changed(r.id, controlv1.TaskState_TASK_STATE_CANCELED, nil)
	case err != nil:
		a.changed(r.id, controlv1.TaskState_TASK_STATE_FAILED, fmt.Errorf("task %s: %w", r.id, err))
	default:
		a.changed(r.id, controlv1.TaskState_TASK_STATE_FINISHED, nil)
	}
}

var _ exchange.Waker = (*task.Mailbox)(nil)
