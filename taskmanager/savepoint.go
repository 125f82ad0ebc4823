package taskmanager

import (
	"context"
	"errors"
	"fmt"

	"millrace/blobstore"
	"millrace/failure"
	"millrace/internal/crash"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// copyState writes the state that a task had at a complete checkpoint into a savepoint, beside the task, which knows
// nothing of it. Few are written at once: each reads and writes the whole of a task's state.
func (m *TaskManager) copyState(r *controlv1.CopyState) {
	a := m.attempt(r.JobId, r.Attempt)
	if a == nil {
		return
	}
	m.wait.Go(func() {
		select {
		case <-a.ctx.Done():
			return
		case m.copies <- struct{}{}:
		}
		defer func() { <-m.copies }()
		crash.Here(crash.BeforeCopy)
		f, err := m.copyFiles(a.ctx, a, r)
		if a.ctx.Err() != nil {
			return // nobody waits for it: the savepoint was given up with the attempt
		}
		if err != nil {
			m.Log.Warn("state is not copied into a savepoint", "job", r.JobId, "vertex", r.VertexId, "subtask", r.Subtask, "cause", err)
			f = nil
		}
		m.outbox.put(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_StateCopied{
			StateCopied: &controlv1.StateCopied{
				JobId: r.JobId, Attempt: r.Attempt, CheckpointId: r.CheckpointId, VertexId: r.VertexId, Subtask: r.Subtask,
				File: f, Failure: failureToProto(err), Savepoint: r.Savepoint,
			},
		}})
	})
}

func (m *TaskManager) copyFiles(ctx context.Context, a *attempt, r *controlv1.CopyState) (*checkpointv1.StateFile, error) {
	if len(r.Files) == 0 || r.Files[0] == nil {
		return nil, failure.Internal(errors.New("no files to copy"))
	}
	first, last := r.Files[0].FirstKeyGroup, r.Files[0].LastKeyGroup
	if first > last || last >= types.MaxMaxParallelism {
		return nil, failure.Internal(fmt.Errorf("copy key groups %d to %d", first, last))
	}
	return upload.Copy(ctx, upload.Options{
		Job: a.region.Job, Attempt: a.number, Task: types.TaskID{Vertex: types.VertexID(r.VertexId), Subtask: r.Subtask},
		KeyGroups: types.KeyGroupRange{First: types.KeyGroup(first), Last: types.KeyGroup(last)},
		Store:     m.Store, Backend: m.Backend, Clock: m.Clock, Dir: m.Dir, Cache: m.Cache,
		Savepoint: blobstore.SavepointKey{Job: a.region.Job, Savepoint: r.CheckpointId, Unique: r.Savepoint},
	}, r.Files)
}
