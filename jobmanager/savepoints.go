package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"millrace/blobstore"
	"millrace/checkpoint"
	checkpointcodec "millrace/checkpoint/codec"
	"millrace/failure"
	"millrace/internal/crash"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// savepoints are those that clients of a driver wait for.
type savepoints struct {
	last    uint64 // request
	waiting map[uint64]savepointAsked
}

// savepointAsked is a client's wish for a savepoint. What was made is written
// before the reply.
type savepointAsked struct {
	made  **apiv1.SavepointDescription
	reply chan error
}

// savepointAsked passes a wish on to the coordinator, which answers each.
func (d *driver) savepointAsked(e savepointAsked) {
	if d.at == nil || d.at.coordinator == nil || d.machine.State() != lifecycle.Running {
		e.reply <- failure.Userf("a savepoint is taken of a running job, this one is %s; try again when it runs", d.machine.State())
		return
	}
	d.saves.last++
	if d.saves.waiting == nil {
		d.saves.waiting = make(map[uint64]savepointAsked)
	}
	d.saves.waiting[d.saves.last] = e
	d.coordinate(checkpoint.TriggerRequested{Kind: checkpoint.Savepoint, Request: d.saves.last})
}

// copyState asks the task managers on which the tasks run.
func (d *driver) copyState(fx checkpoint.CopyState) {
	for _, c := range fx.Tasks {
		d.l.registry.send(d.at.slots[c.Task].TaskManager, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_CopyState{
			CopyState: &controlv1.CopyState{
				JobId: string(d.store.job), Attempt: uint64(d.at.numberOf(c.Task.Vertex)), CheckpointId: uint64(fx.ID),
				VertexId: string(c.Task.Vertex), Subtask: c.Task.Subtask, Files: c.Files, Savepoint: d.at.savepoint,
			},
		}})
	}
}

func stateCopied(c *controlv1.StateCopied) checkpoint.StateCopied {
	e := checkpoint.StateCopied{ID: types.CheckpointID(c.CheckpointId), Task: taskID(c.VertexId, c.Subtask), File: c.File}
	if c.Failure != nil {
		e.Reason = c.Failure.Message
	}
	return e
}

// persistSavepoint writes a savepoint's manifest and then, by a fenced
// transaction, its record. It runs beside the driver. Its checkpoint is complete:
// where the leadership ends here, a manifest without a record is as good a
// savepoint, but nobody was told of it.
func (d *driver) persistSavepoint(fx checkpoint.PersistSavepoint, unique string) checkpoint.Event {
	failed := func(err error) checkpoint.Event {
		return checkpoint.SavepointPersistFailed{ID: fx.ID, Reason: err.Error(), Fenced: overruled(err) || d.ctx.Err() != nil}
	}
	crash.In(d.ctx, crash.BeforeSavepointManifest)
	data, sum, err := checkpointcodec.Encode(fx.Manifest)
	if err != nil {
		return failed(err)
	}
	key, err := blobstore.SavepointKey{Job: d.store.job, Savepoint: uint64(fx.ID), Unique: unique}.Manifest()
	if err != nil {
		return failed(err)
	}
	if err := d.createManifest(key, data, fx.Deadline); err != nil {
		return failed(err)
	}
	crash.In(d.ctx, crash.BeforeSavepoint)
	rec := &checkpointv1.SavepointRecord{
		SavepointId: uint64(fx.ID), ManifestObject: key, ManifestSha256: sum.Bytes(), Kind: fx.Manifest.Kind,
		TriggeredUnixMillis: fx.Manifest.TriggeredUnixMillis, Bytes: fx.Bytes,
	}
	decided := context.WithoutCancel(d.ctx)
	if err := d.patiently(func() error { return d.store.addSavepoint(decided, rec) }); err != nil {
		return failed(err)
	}
	crash.In(d.ctx, crash.AfterSavepoint)
	return checkpoint.SavepointPersisted{ID: fx.ID, ManifestKey: key}
}

func (d *driver) savepointCompleted(fx checkpoint.SavepointCompleted) {
	made := d.l.jm.describeSavepoint(&checkpointv1.SavepointRecord{
		SavepointId: uint64(fx.ID), ManifestObject: fx.ManifestKey, Kind: fx.Kind.Proto(), Bytes: fx.Bytes,
		TriggeredUnixMillis: fx.TriggeredAt,
	})
	d.l.jm.Log.Info("savepoint is whole", "job", d.store.job, "savepoint", fx.ID, "at", made.Path, "bytes", fx.Bytes)
	d.view.update(func(j *apiv1.DescribeJobResponse) {
		j.Savepoints = append(j.Savepoints, made)
		j.Savepoints = j.Savepoints[max(0, len(j.Savepoints)-savepointsMax):]
	})
	d.answerSavepoint(fx.Request, made, nil)
}

func (d *driver) savepointFailed(fx checkpoint.SavepointFailed) {
	d.l.jm.Log.Warn("no savepoint", "job", d.store.job, "checkpoint", fx.ID, "cause", fx.Reason)
	if fx.Request == 0 {
		d.noteFailure("savepoint of the last checkpoint is tried again: " + fx.Reason)
		return
	}
	d.answerSavepoint(fx.Request, nil, failure.External(errors.New("no savepoint: "+fx.Reason), failure.Never))
}

func (d *driver) answerSavepoint(request uint64, made *apiv1.SavepointDescription, err error) {
	e, ok := d.saves.waiting[request]
	if !ok {
		return
	}
	delete(d.saves.waiting, request)
	*e.made = proto.CloneOf(made)
	e.reply <- err
}

// savepoints reads the list of savepoints; empty before the first.
func (s *jobStore) savepoints(ctx context.Context) (*checkpointv1.JobSavepoints, coord.Entry, error) {
	list := &checkpointv1.JobSavepoints{FormatVersion: recordFormat}
	e, err := s.coord.Get(ctx, s.keys.Savepoints())
	if errors.Is(err, coord.ErrNotFound) {
		return list, e, nil
	}
	if err != nil {
		return nil, e, err
	}
	if err := proto.Unmarshal(e.Value, list); err != nil {
		return nil, e, failure.Internal(fmt.Errorf("savepoints of job %s: %w", s.job, err))
	}
	return list, e, nil
}

// addSavepoint makes a savepoint whole. It may be repeated.
func (s *jobStore) addSavepoint(ctx context.Context, rec *checkpointv1.SavepointRecord) error {
	read, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	list, e, err := s.savepoints(read)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list.Savepoints, func(r *checkpointv1.SavepointRecord) bool { return r.ManifestObject == rec.ManifestObject }) {
		return nil // an earlier try whose answer was lost
	}
	list.Savepoints = append(list.Savepoints, rec)
	list.Savepoints = list.Savepoints[max(0, len(list.Savepoints)-savepointsMax):]
	value, err := marshal(list)
	if err != nil {
		return failure.Internal(err)
	}
	when := coord.Absent(s.keys.Savepoints())
	if e.Key != "" {
		when = coord.VersionIs(e.Key, e.Version)
	}
	return s.write(ctx, []coord.Compare{when}, s.keys.Savepoints(), value)
}

func (j *JobManager) describeSavepoints(list *checkpointv1.JobSavepoints) (out []*apiv1.SavepointDescription) {
	for _, r := range list.GetSavepoints() {
		out = append(out, j.describeSavepoint(r))
	}
	return out
}

// describeSavepoint shows a savepoint by its folder, where anybody finds it.
func (j *JobManager) describeSavepoint(r *checkpointv1.SavepointRecord) *apiv1.SavepointDescription {
	out := &apiv1.SavepointDescription{
		SavepointId: r.SavepointId, Triggered: timestamppb.New(time.UnixMilli(r.TriggeredUnixMillis)), Bytes: r.Bytes,
		Stopped: r.Kind != checkpointv1.CheckpointKind_CHECKPOINT_KIND_SAVEPOINT,
		Drained: r.Kind == checkpointv1.CheckpointKind_CHECKPOINT_KIND_FINAL,
	}
	out.Path = blobstore.Location(j.Place, r.ManifestObject)
	if k, err := blobstore.ParseSavepointManifest(r.ManifestObject); err == nil {
		if folder, err := k.Folder(); err == nil {
			out.Path = blobstore.Location(j.Place, folder[:len(folder)-1])
		}
	}
	return out
}

// TriggerSavepoint implements apiv1.JobServiceServer.
func (j *JobManager) TriggerSavepoint(ctx context.Context, r *apiv1.TriggerSavepointRequest) (*apiv1.TriggerSavepointResponse, error) {
	var made *apiv1.SavepointDescription
	if err := j.ask(ctx, r.JobId, func(reply chan error) any { return savepointAsked{&made, reply} }); err != nil {
		return nil, err
	}
	return &apiv1.TriggerSavepointResponse{Savepoint: made}, nil
}
