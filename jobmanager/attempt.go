package jobmanager

import (
	"errors"
	"slices"
	"sort"

	"millrace/checkpoint"
	"millrace/internal/failure"
	"millrace/jobgraph"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// attempt is what the driver knows of the attempt under way.
type attempt struct {
	allotment
	number      types.Attempt
	placement   uint64
	slots       map[types.TaskID]types.SlotID
	reasons     map[types.TaskID]string
	widths      map[types.VertexID]int32
	restored    restored
	coordinator *checkpoint.Coordinator
	awaited     map[coordinatorID]bool // coordinators that are not ready
	live        map[types.TaskID]bool  // deployed, and not known to have ended
	deployed    bool
	early       []*controlv1.EnumeratorAssigned // for tasks that are not deployed
	cancelling  bool
	closed      bool
}

// coordinatorID names a coordinator task.
type coordinatorID struct {
	vertex types.VertexID
	role   controlv1.CoordinatorRole
}

func newAttempt(a allotment) *attempt {
	return &attempt{allotment: a, number: a.attempt}
}

// managers returns the task managers of the attempt, in order.
func (a *attempt) managers() []types.TaskManagerID {
	seen := make(map[types.TaskManagerID]bool)
	var out []types.TaskManagerID
	for _, s := range a.slots {
		if !seen[s.TaskManager] {
			seen[s.TaskManager] = true
			out = append(out, s.TaskManager)
		}
	}
	slices.Sort(out)
	return out
}

// tasks returns the tasks of the attempt, in order.
func (a *attempt) tasks() []types.TaskID {
	out := make([]types.TaskID, 0, len(a.slots))
	for id := range a.slots {
		out = append(out, id)
	}
	sort.Slice(out, func(i, k int) bool { return out[i].Less(out[k]) })
	return out
}

// home returns where the coordinator tasks of a vertex run: beside subtask 0.
func (a *attempt) home(v types.VertexID) types.TaskManagerID {
	return a.slots[types.TaskID{Vertex: v}].TaskManager
}

// toAttempt sends a message to every task manager of the attempt.
func (d *driver) toAttempt(msg func() *controlv1.JobManagerMessage) {
	if d.at == nil {
		return
	}
	for _, id := range d.at.managers() {
		d.l.registry.send(id, msg())
	}
}

// message takes one message of a task manager about this job.
func (d *driver) message(from types.TaskManagerID, msg *controlv1.TaskManagerMessage) {
	switch r := msg.Message.(type) {
	case *controlv1.TaskManagerMessage_TaskChanged:
		if d.current(types.Attempt(r.TaskChanged.Attempt)) {
			d.taskChanged(r.TaskChanged)
		}
	case *controlv1.TaskManagerMessage_TaskSnapshotted:
		if s := r.TaskSnapshotted; d.current(types.Attempt(s.Attempt)) {
			d.coordinate(checkpoint.Acknowledged{
				ID: types.CheckpointID(s.CheckpointId), Task: taskID(s.VertexId, s.Subtask), State: s.State, Figures: figures(s.Figures),
			})
		}
	case *controlv1.TaskManagerMessage_CheckpointDeclined:
		if c := r.CheckpointDeclined; d.current(types.Attempt(c.Attempt)) {
			d.coordinate(checkpoint.Declined{
				ID: types.CheckpointID(c.CheckpointId), Task: taskID(c.VertexId, c.Subtask), Reason: c.Failure.GetMessage(),
			})
		}
	case *controlv1.TaskManagerMessage_CoordinatorReady:
		if c := r.CoordinatorReady; d.current(types.Attempt(c.Attempt)) {
			d.coordinatorReady(coordinatorID{types.VertexID(c.VertexId), c.Role})
		}
	case *controlv1.TaskManagerMessage_EnumeratorAssigned:
		if e := r.EnumeratorAssigned; d.current(types.Attempt(e.Attempt)) {
			d.storeEnumerator(e)
		}
	case *controlv1.TaskManagerMessage_Committed:
		if c := r.Committed; d.current(types.Attempt(c.Attempt)) {
			d.coordinate(checkpoint.Committed{Vertex: types.VertexID(c.VertexId), ID: types.CheckpointID(c.CheckpointId)})
		}
	case *controlv1.TaskManagerMessage_CoordinatorTrouble:
		if c := r.CoordinatorTrouble; d.current(types.Attempt(c.Attempt)) {
			d.view.setVertexTrouble(d.at.number, types.VertexID(c.VertexId), c.Message)
		}
	case *controlv1.TaskManagerMessage_CoordinatorFailed:
		if c := r.CoordinatorFailed; d.current(types.Attempt(c.Attempt)) {
			d.step(lifecycle.CoordinatorFailed{
				Attempt: d.at.number, Vertex: types.VertexID(c.VertexId), Failure: failureOf(c.Failure), Ahead: c.Failure.GetOutputAhead(),
			})
		}
	}
}

func taskID(vertex string, subtask int32) types.TaskID {
	return types.TaskID{Vertex: types.VertexID(vertex), Subtask: subtask}
}

func figures(f *controlv1.SnapshotFigures) checkpoint.Figures {
	return checkpoint.Figures{
		AlignmentMicros: f.GetAlignmentMicros(), FreezeMicros: f.GetFreezeMicros(), UploadMicros: f.GetUploadMicros(),
		WrittenBytes: f.GetWrittenBytes(), StateBytes: f.GetStateBytes(),
	}
}

var (
	domainOf = map[controlv1.FailureDomain]failure.Domain{
		controlv1.FailureDomain_FAILURE_DOMAIN_USER: failure.DomainUser, controlv1.FailureDomain_FAILURE_DOMAIN_EXTERNAL: failure.DomainExternal,
		controlv1.FailureDomain_FAILURE_DOMAIN_INTERNAL: failure.DomainInternal,
	}
	retryOf = map[controlv1.FailureRetry]failure.Retry{
		controlv1.FailureRetry_FAILURE_RETRY_NEVER: failure.Never, controlv1.FailureRetry_FAILURE_RETRY_BACKOFF: failure.Backoff,
		controlv1.FailureRetry_FAILURE_RETRY_RESTART: failure.Restart,
	}
)

func failureOf(f *controlv1.Failure) lifecycle.Failure {
	return lifecycle.Failure{
		Class:   failure.Class{Domain: domainOf[f.GetDomain()], Retry: retryOf[f.GetRetry()]},
		Message: f.GetMessage(), Position: f.GetPosition(),
	}
}

func (d *driver) taskChanged(c *controlv1.TaskChanged) {
	id := taskID(c.VertexId, c.Subtask)
	d.view.setTaskState(id, c.State)
	switch c.State {
	case controlv1.TaskState_TASK_STATE_FINISHED, controlv1.TaskState_TASK_STATE_FAILED, controlv1.TaskState_TASK_STATE_CANCELED:
		delete(d.at.live, id)
	case controlv1.TaskState_TASK_STATE_ENDED:
		d.coordinate(checkpoint.TaskEnded{Task: id})
	default: // on its way
	}
	if c.Failure.GetCorruptCheckpoint() {
		d.step(lifecycle.RestoreFailed{
			Attempt: d.at.number, Checkpoint: d.at.restored.from.ID, Reason: c.Failure.GetMessage(), Older: d.at.restored.older,
		})
	} else {
		d.step(lifecycle.TaskChanged{Attempt: d.at.number, Task: id, State: lifecycle.TaskState(c.State), Failure: failureOf(c.Failure)})
	}
	d.maybeGone()
}

// lost tells the lifecycle of a task manager that had a part of the attempt.
func (d *driver) lost(id types.TaskManagerID) {
	if d.at == nil {
		return
	}
	had := false
	for task, slot := range d.at.slots {
		if slot.TaskManager == id {
			had = true
			delete(d.at.live, task)
		}
	}
	if had {
		d.step(lifecycle.TaskManagerLost{Attempt: d.at.number, TaskManager: id})
	}
	d.maybeGone()
}

// cancelAttempt ends what runs; maybeGone says when it has.
func (d *driver) cancelAttempt(fx lifecycle.CancelAttempt) {
	d.waiting = false
	if d.at == nil {
		d.step(lifecycle.AttemptGone{Attempt: fx.Attempt})
		return
	}
	d.at.cancelling = true
	d.toAttempt(func() *controlv1.JobManagerMessage { return d.cancelMessage() })
	if d.at.coordinator == nil {
		d.at.closed = true
	} else {
		d.coordinate(checkpoint.Close{Reason: fx.Reason})
	}
	d.maybeGone()
}

func (d *driver) maybeGone() {
	a := d.at
	if a == nil || !a.cancelling || !a.closed || len(a.live) > 0 {
		return
	}
	d.at = nil
	d.step(lifecycle.AttemptGone{Attempt: a.number})
}

// coordinatorReady notes that a coordinator task runs; behind the last one
// tasks may be deployed.
func (d *driver) coordinatorReady(id coordinatorID) {
	if !d.at.awaited[id] {
		return
	}
	delete(d.at.awaited, id)
	if len(d.at.awaited) == 0 {
		d.step(lifecycle.CoordinatorsReady{Attempt: d.at.number})
	}
}

// storeEnumerator makes what an enumerator found durable, before anybody reads it.
func (d *driver) storeEnumerator(e *controlv1.EnumeratorAssigned) {
	n := d.at.number
	d.later(func() any {
		return enumeratorStored{n, e, d.patiently(func() error {
			return d.store.storeEnumerator(d.ctx, types.VertexID(e.VertexId), e.State)
		})}
	})
}

func (d *driver) enumeratorStored(e *controlv1.EnumeratorAssigned) {
	if !d.at.deployed {
		d.at.early = append(d.at.early, e)
		return
	}
	d.coordinate(checkpoint.EnumeratorState{Vertex: types.VertexID(e.VertexId), State: e.State})
	for _, s := range e.Assignments {
		slot, ok := d.at.slots[taskID(e.VertexId, s.Subtask)]
		if !ok {
			continue
		}
		d.l.registry.send(slot.TaskManager, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_AssignSplits{
			AssignSplits: &controlv1.AssignSplits{
				JobId: string(d.store.job), Attempt: uint64(d.at.number), VertexId: e.VertexId, Assignment: s,
			},
		}})
	}
}

// describeTasks shows the attempt to clients.
func (d *driver) describeTasks() {
	tasks := make(map[types.TaskID]*apiv1.TaskDescription, len(d.at.slots))
	for id, slot := range d.at.slots {
		tasks[id] = &apiv1.TaskDescription{
			VertexId: string(id.Vertex), VertexName: d.graph.Vertex(id.Vertex).Name, Subtask: id.Subtask,
			TaskManagerId: string(slot.TaskManager), Slot: slot.Index, PlacementReason: d.at.reasons[id],
		}
	}
	d.view.setTasks(tasks)
	d.view.update(func(j *apiv1.DescribeJobResponse) { j.Attempt = uint64(d.at.number) })
}

func (d *driver) cancelMessage() *controlv1.JobManagerMessage {
	return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Cancel{
		Cancel: &controlv1.Cancel{JobId: string(d.store.job), Attempt: uint64(d.at.number)},
	}}
}

func (d *driver) finishMessage() *controlv1.JobManagerMessage {
	return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Finish{
		Finish: &controlv1.Finish{JobId: string(d.store.job), Attempt: uint64(d.at.number)},
	}}
}

func (d *driver) drainMessage() *controlv1.JobManagerMessage {
	return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Drain{
		Drain: &controlv1.Drain{JobId: string(d.store.job), Attempt: uint64(d.at.number)},
	}}
}

func isNotFound(err error) bool { return errors.Is(err, coord.ErrNotFound) }

// hasCommitter tells whether a vertex has a committer task: every sink has one,
// which answers at once where the connector has nothing to commit.
func hasCommitter(v *jobgraph.Vertex) bool { return v.Sink != nil }
