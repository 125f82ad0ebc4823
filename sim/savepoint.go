package sim

import (
	"bytes"

	"millrace/blobstore"
	"millrace/internal/crash"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// stateCopy is a copy of a task's state into a savepoint, which a leader has asked for.
type stateCopy struct {
	a *attempt
	r *controlv1.CopyState
}

// copyState writes the state that a task had at a complete checkpoint into a savepoint, beside the task, as
// taskmanager/savepoint.go does: few at once.
func (tm *taskManager) copyState(r *controlv1.CopyState) {
	if a := tm.attempt(r.JobId, r.Attempt); a != nil {
		tm.copies = append(tm.copies, stateCopy{a, r})
		tm.nextCopy()
	}
}

func (tm *taskManager) nextCopy() {
	if tm.copying == copiesMax || len(tm.copies) == 0 {
		return
	}
	c := tm.copies[0]
	tm.copies = tm.copies[1:]
	tm.copying++
	tm.beside(func() {
		c.run()
		tm.copying--
		tm.nextCopy()
	})
}

func (c stateCopy) run() {
	if c.a.over {
		return
	}
	tm, r := c.a.tm, c.r
	tm.here(crash.BeforeCopy)
	f, err := c.copy()
	if c.a.over {
		return
	}
	tm.send(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_StateCopied{StateCopied: &controlv1.StateCopied{
		JobId: r.JobId, Attempt: r.Attempt, CheckpointId: r.CheckpointId, VertexId: r.VertexId, Subtask: r.Subtask, File: f,
		Failure: tm.failureOf(err), Savepoint: r.Savepoint,
	}}})
}

// copy folds the files into one. What can't be written is tried again, under another key each time.
func (c stateCopy) copy() (*checkpointv1.StateFile, error) {
	tm, r := c.a.tm, c.r
	groups := types.KeyGroupRange{First: types.KeyGroup(r.Files[0].FirstKeyGroup), Last: types.KeyGroup(r.Files[0].LastKeyGroup)}
	var data bytes.Buffer
	info, err := tm.backend.Merge(tm.w.ctx, upload.Files(tm.blob, nil, r.Files), groups, &data)
	if err != nil {
		return nil, err
	}
	f := fileOf(info)
	if data.Len() <= inlineMax {
		f.At = &checkpointv1.StateFile_Inline{Inline: data.Bytes()}
		return f, nil
	}
	if tm.w.chance(tm.w.faults.slow) || tm.slowDisk > tm.w.now {
		tm.w.sleep(tm.w.between(500, 6_000))
	}
	folder := blobstore.SavepointKey{Job: c.a.region.Job, Savepoint: r.CheckpointId, Unique: r.Savepoint}
	for n := 0; ; n++ {
		key, err := folder.Chunk(types.TaskID{Vertex: types.VertexID(r.VertexId), Subtask: r.Subtask}, tm.unique(n))
		must(err)
		f.At = &checkpointv1.StateFile_Object{Object: key}
		if err = tm.blob.Create(tm.w.ctx, key, blobstore.Bytes(data.Bytes())); err == nil || c.a.over {
			return f, err
		}
		tm.w.sleep(retryMin)
	}
}
