package taskmanager

import (
	"millrace/connectors"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/stream"
	"millrace/taskmanager/task"
	"millrace/types"
)

// handle carries one message of the job manager out. It does not block.
func (m *TaskManager) handle(msg *controlv1.JobManagerMessage) {
	switch r := msg.Message.(type) {
	case *controlv1.JobManagerMessage_DeployCoordinators:
		m.deployCoordinators(r.DeployCoordinators)
	case *controlv1.JobManagerMessage_Deploy:
		m.deploy(r.Deploy)
	case *controlv1.JobManagerMessage_Cancel:
		m.leave(r.Cancel.JobId, r.Cancel.Attempt)
	case *controlv1.JobManagerMessage_TriggerCheckpoint:
		m.trigger(r.TriggerCheckpoint)
	case *controlv1.JobManagerMessage_CheckpointCompleted:
		m.completed(r.CheckpointCompleted)
	case *controlv1.JobManagerMessage_CheckpointAborted:
		if a := m.attempt(r.CheckpointAborted.JobId, r.CheckpointAborted.Attempt); a != nil {
			a.post(nil, task.Aborted{ID: types.CheckpointID(r.CheckpointAborted.CheckpointId)})
		}
	case *controlv1.JobManagerMessage_RewriteState:
		if a := m.attempt(r.RewriteState.JobId, r.RewriteState.Attempt); a != nil {
			id := types.TaskID{Vertex: types.VertexID(r.RewriteState.VertexId), Subtask: r.RewriteState.Subtask}
			a.post(func(t *running) bool { return t.id == id }, task.Rewrite{})
		}
	case *controlv1.JobManagerMessage_CopyState:
		m.copyState(r.CopyState)
	case *controlv1.JobManagerMessage_AssignSplits:
		m.assign(r.AssignSplits)
	case *controlv1.JobManagerMessage_Commit:
		m.commit(r.Commit)
	case *controlv1.JobManagerMessage_Finish:
		if a := m.attempt(r.Finish.JobId, r.Finish.Attempt); a != nil {
			a.post(nil, task.Finish{})
		}
	case *controlv1.JobManagerMessage_Released:
		m.mu.Lock()
		if m.mu.leaving {
			m.mu.leaving = false
			close(m.released)
		}
		m.mu.Unlock()
	case *controlv1.JobManagerMessage_Drain:
		if a := m.attempt(r.Drain.JobId, r.Drain.Attempt); a != nil {
			a.post(func(t *running) bool { return t.source }, task.Drain{})
		}
	}
}

var barrierKinds = map[checkpointv1.CheckpointKind]stream.BarrierKind{
	checkpointv1.CheckpointKind_CHECKPOINT_KIND_PERIODIC:  stream.Periodic,
	checkpointv1.CheckpointKind_CHECKPOINT_KIND_SAVEPOINT: stream.Savepoint,
	checkpointv1.CheckpointKind_CHECKPOINT_KIND_SUSPEND:   stream.Suspend,
	checkpointv1.CheckpointKind_CHECKPOINT_KIND_FINAL:     stream.Final,
}

func (m *TaskManager) trigger(r *controlv1.TriggerCheckpoint) {
	a := m.attempt(r.JobId, r.Attempt)
	if a == nil {
		return
	}
	b := stream.Barrier{ID: types.CheckpointID(r.CheckpointId), Kind: barrierKinds[r.Kind]}
	a.post(func(t *running) bool { return t.source }, task.Trigger{Barrier: b, At: m.Clock.Now()})
}

func (m *TaskManager) completed(r *controlv1.CheckpointCompleted) {
	a := m.attempt(r.JobId, r.Attempt)
	if a == nil {
		return
	}
	of := make(map[types.VertexID]bool, len(r.VertexIds))
	for _, v := range r.VertexIds {
		of[types.VertexID(v)] = true
	}
	a.post(func(t *running) bool { return len(of) == 0 || of[t.id.Vertex] }, task.Completed{ID: types.CheckpointID(r.CheckpointId)})
}

func (m *TaskManager) assign(r *controlv1.AssignSplits) {
	a := m.attempt(r.JobId, r.Attempt)
	if a == nil {
		return
	}
	c := task.Assign{NoMore: r.Assignment.NoMore}
	for _, s := range r.Assignment.Splits {
		c.Splits = append(c.Splits, task.SplitFromProto(s))
	}
	id := types.TaskID{Vertex: types.VertexID(r.VertexId), Subtask: r.Assignment.Subtask}
	a.post(func(t *running) bool { return t.id == id && t.isNew(r.Assignment.Sequence) }, c)
}

// isNew tells whether a task was not given that assignment before. A leader that takes
// over can't know which its predecessor has passed on, and gives all of them again.
func (r *running) isNew(sequence uint64) bool {
	if sequence <= r.assigned {
		return false
	}
	r.assigned = sequence
	return true
}

func (m *TaskManager) commit(r *controlv1.Commit) {
	a := m.attempt(r.JobId, r.Attempt)
	if a == nil {
		return
	}
	a.commit(types.VertexID(r.VertexId), commitRequest{types.CheckpointID(r.CheckpointId), r.Committables})
}

func splitsFromProto(in []*checkpointv1.SplitState) []connectors.SplitState {
	out := make([]connectors.SplitState, len(in))
	for i, s := range in {
		out[i] = task.SplitFromProto(s)
	}
	return out
}
