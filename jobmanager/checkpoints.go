package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"millrace/blobstore"
	"millrace/checkpoint"
	checkpointcodec "millrace/checkpoint/codec"
	"millrace/failure"
	"millrace/internal/crash"
	"millrace/internal/events"
	"millrace/internal/mutant"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// coordinate feeds the checkpoint coordinator and carries its effects out.
func (d *driver) coordinate(e checkpoint.Event) {
	if d.at == nil || d.at.coordinator == nil {
		return
	}
	if _, tick := e.(checkpoint.Tick); !tick {
		d.coordinate(checkpoint.Tick{Now: d.l.jm.Clock.NowMillis()}) // so that durations are those of the event
		if d.at == nil || d.at.coordinator == nil {
			return
		}
	}
	d.see(e)
	for _, fx := range d.at.coordinator.Step(e) {
		d.see(fx)
		d.carryOutCheckpoint(fx)
		if d.at == nil {
			return
		}
	}
}

func (d *driver) carryOutCheckpoint(fx checkpoint.Effect) {
	switch fx := fx.(type) {
	case checkpoint.AllotIDs:
		d.allotIDs(fx.Through)
	case checkpoint.Trigger:
		d.trigger(fx)
	case checkpoint.Persist:
		d.audit(fx)
		n := d.at.number
		d.later(func() any { return persisted{n, d.persist(fx)} })
	case checkpoint.Commit:
		d.commit(fx.Permit)
	case checkpoint.NotifyComplete:
		d.notifyComplete(fx)
	case checkpoint.NotifyAborted:
		d.toAttempt(d.abortMessage(fx.ID))
	case checkpoint.Retire:
		d.delete(func() { d.retire(fx) })
	case checkpoint.Completed:
		d.checkpointCompleted(fx)
	case checkpoint.CommitsConfirmed:
		d.confirmed = max(d.confirmed, fx.ID)
		d.view.update(func(j *apiv1.DescribeJobResponse) {
			if j.LastCheckpoint.GetCheckpointId() == uint64(fx.ID) {
				j.LastCheckpoint.Committed = true
			}
		})
	case checkpoint.Failed:
		d.checkpointFailed(fx)
	case checkpoint.FailJob:
		d.step(lifecycle.CheckpointFailedTooOften{Attempt: d.at.number, Reason: fx.Reason})
	case checkpoint.StepDown:
		d.ok("complete a checkpoint", errors.New(fx.Reason))
	case checkpoint.FinalComplete:
		d.step(lifecycle.FinalComplete{Attempt: d.at.number, ID: fx.ID})
	case checkpoint.CopyState:
		d.copyState(fx)
	case checkpoint.PersistSavepoint:
		n := d.at.number
		unique := d.at.savepoint
		d.later(func() any { return persisted{n, d.persistSavepoint(fx, unique)} })
	case checkpoint.SavepointCompleted:
		d.savepointCompleted(fx)
	case checkpoint.SavepointFailed:
		d.savepointFailed(fx)
	case checkpoint.Quiet:
		d.at.quiet = true
		d.maybeGone()
	case checkpoint.Closed:
		d.at.closed = true
		d.maybeGone()
	}
}

// audit says what the rows of a checkpoint do not add up to. The checkpoint is as good as the ones before it, so the job goes
// on; somebody must look.
func (d *driver) audit(fx checkpoint.Persist) {
	found := checkpoint.Audit(d.view.graph, fx.Manifest)
	for _, text := range found {
		d.l.jm.Log.Error("rows are not accounted for", "job", d.store.job, "checkpoint", fx.ID, "discrepancy", text)
	}
	d.metrics.LedgerDiscrepancies.Add(int64(len(found)))
	d.view.update(func(j *apiv1.DescribeJobResponse) { j.LedgerDiscrepancies = found })
}

func (d *driver) allotIDs(through types.CheckpointID) {
	n := d.at.number
	d.later(func() any {
		return idsAllotted{n, through, d.patiently(func() error {
			return d.store.write(d.ctx, nil, d.store.keys.CheckpointNext(), numberValue(uint64(through)+1))
		})}
	})
}

func (d *driver) trigger(fx checkpoint.Trigger) {
	d.events.CheckpointTriggered(events.CheckpointTriggeredInfo{
		Job: string(d.store.job), Checkpoint: uint64(fx.ID), Kind: fx.Kind.String(), Tasks: len(d.at.slots),
	})
	d.toAttempt(d.triggerMessage(fx.ID, fx.Kind))
}

func (d *driver) triggerMessage(id types.CheckpointID, kind checkpoint.Kind) func(uint64) *controlv1.JobManagerMessage {
	return func(attempt uint64) *controlv1.JobManagerMessage {
		return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_TriggerCheckpoint{
			TriggerCheckpoint: &controlv1.TriggerCheckpoint{
				JobId: string(d.store.job), Attempt: attempt, CheckpointId: uint64(id), Kind: kind.Proto(),
			},
		}}
	}
}

func (d *driver) abortMessage(id types.CheckpointID) func(uint64) *controlv1.JobManagerMessage {
	return func(attempt uint64) *controlv1.JobManagerMessage {
		return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_CheckpointAborted{
			CheckpointAborted: &controlv1.CheckpointAborted{JobId: string(d.store.job), Attempt: attempt, CheckpointId: uint64(id)},
		}}
	}
}

// persist writes the manifest and then, by a fenced transaction, makes the
// checkpoint complete. It runs beside the driver and returns when the outcome
// is certain.
func (d *driver) persist(fx checkpoint.Persist) checkpoint.Event {
	failed := func(err error) checkpoint.Event {
		return checkpoint.PersistFailed{ID: fx.ID, Reason: err.Error(), Fenced: overruled(err) || d.ctx.Err() != nil}
	}
	crash.In(d.ctx, crash.BeforeManifest)
	data, sum, err := checkpointcodec.Encode(fx.Manifest)
	if err != nil {
		return failed(err)
	}
	key, err := blobstore.ManifestKey{
		Job: d.store.job, Checkpoint: fx.ID, Term: d.store.term, Unique: strconv.FormatUint(fx.Manifest.Attempt, 10),
	}.Path()
	if err != nil {
		return failed(err)
	}
	if mutant.On(mutant.ZombieCollects) {
		d.retire(checkpoint.Retire{Dropped: fx.Drop, Retained: fx.Retain})
	}
	if err := d.createManifest(key, data, fx.Deadline); err != nil {
		return failed(err)
	}
	l := latestOf(fx, checkpoint.Pointer{ID: fx.ID, ManifestKey: key, Sum: sum})
	// What is decided is attempted and answered, also where the leadership has ended since: the fence is in the transaction.
	decided := context.WithoutCancel(d.ctx)
	if err := d.patiently(func() error { return d.store.complete(decided, fx.Previous.ID, l, fx.Drop) }); err != nil {
		if overruled(err) {
			d.l.jm.Log.Warn("a decided checkpoint does not count: another job manager leads",
				"job", d.store.job, "checkpoint", fx.ID, "term", d.store.term, "cause", err)
			d.l.jm.Metrics.JobManager().RefusedCheckpoints.Add(1)
		}
		return failed(err)
	}
	crash.In(d.ctx, crash.AfterComplete)
	if checkpoint.KindOf(fx.Manifest.Kind) == checkpoint.Final {
		crash.In(d.ctx, crash.InFinalCheckpoint)
	}
	return checkpoint.Persisted{ID: fx.ID, ManifestKey: key, Sum: sum}
}

// createManifest writes a manifest, again and again until a deadline; 0 is none.
func (d *driver) createManifest(key string, data []byte, deadline int64) error {
	return d.patiently(func() error {
		err := blobstore.CreateOrVerify(d.ctx, d.store.blob, key, blobstore.Bytes(data))
		if err != nil && deadline > 0 && d.l.jm.Clock.NowMillis() > deadline {
			return fmt.Errorf("manifest was not written in time: %s", err) //nolint:errorlint // its class would ask for another try
		}
		return err
	})
}

// overruled tells whether a write was refused because another job manager leads: by the term, or because another checkpoint
// has become the latest, which only another leader's can.
func overruled(err error) bool {
	return errors.Is(err, coord.ErrFenced) || errors.Is(err, coord.ErrConflict)
}

func latestOf(fx checkpoint.Persist, p checkpoint.Pointer) *checkpointv1.LatestCheckpoint {
	l := &checkpointv1.LatestCheckpoint{
		FormatVersion: recordFormat, CheckpointId: uint64(p.ID), ManifestObject: p.ManifestKey, ManifestSha256: p.Sum.Bytes(),
	}
	for _, k := range append(slices.Clip(fx.Retain), p) {
		l.Retained = append(l.Retained, &checkpointv1.RetainedCheckpoint{
			CheckpointId: uint64(k.ID), ManifestObject: k.ManifestKey, ManifestSha256: k.Sum.Bytes(),
		})
	}
	return l
}

func (d *driver) commit(p checkpoint.CommitPermit) {
	d.l.registry.send(d.at.home(p.Vertex()), &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Commit{
		Commit: &controlv1.Commit{
			JobId: string(d.store.job), Attempt: uint64(d.at.numberOf(p.Vertex())), VertexId: string(p.Vertex()),
			CheckpointId: uint64(p.ID()), Committables: p.Committables(),
		},
	}})
}

func (d *driver) notifyComplete(fx checkpoint.NotifyComplete) {
	d.toAttempt(d.completeMessage(fx.ID, fx.Vertices))
}

func (d *driver) completeMessage(id types.CheckpointID, of []types.VertexID) func(uint64) *controlv1.JobManagerMessage {
	var vertices []string
	for _, v := range of {
		vertices = append(vertices, string(v))
	}
	return func(attempt uint64) *controlv1.JobManagerMessage {
		return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_CheckpointCompleted{
			CheckpointCompleted: &controlv1.CheckpointCompleted{
				JobId: string(d.store.job), Attempt: attempt, CheckpointId: uint64(id), VertexIds: vertices,
			},
		}}
	}
}

func (d *driver) checkpointCompleted(c checkpoint.Completed) {
	d.events.CheckpointCompleted(events.CheckpointCompletedInfo{
		Job: string(d.store.job), Checkpoint: uint64(c.ID), Duration: time.Duration(c.DurationMillis) * time.Millisecond,
		Bytes: c.WrittenBytes, FullBytes: c.StateBytes, UnalignedTasks: int(c.UnalignedTasks), InFlightBytes: c.InFlightBytes,
	})
	desc := &apiv1.CheckpointDescription{
		CheckpointId: uint64(c.ID), Triggered: timestamppb.New(time.UnixMilli(c.TriggeredAt)), DurationMillis: c.DurationMillis,
		WrittenBytes: c.WrittenBytes, StateBytes: c.StateBytes, Committed: !c.AwaitsCommits,
		UnalignedTasks: c.UnalignedTasks, InFlightBytes: c.InFlightBytes, AlignmentMillis: c.SlowestAlignMicro / 1000,
	}
	d.view.update(func(j *apiv1.DescribeJobResponse) {
		j.CheckpointsCompleted++
		j.LastCheckpoint = desc
	})
	d.view.tell(&apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_CheckpointCompleted{CheckpointCompleted: proto.CloneOf(desc)}})
	d.step(lifecycle.CheckpointCompleted{Attempt: d.at.number, ID: c.ID})
}

func (d *driver) checkpointFailed(f checkpoint.Failed) {
	d.events.CheckpointFailed(events.CheckpointFailedInfo{Job: string(d.store.job), Checkpoint: uint64(f.ID), Err: errors.New(f.Reason)})
	d.view.update(func(j *apiv1.DescribeJobResponse) {
		j.CheckpointsFailed++
		j.LastCheckpointFailure = fmt.Sprintf("checkpoint %d: %s", f.ID, f.Reason)
	})
	d.view.tell(&apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_CheckpointFailed{
		CheckpointFailed: &apiv1.CheckpointFailed{CheckpointId: uint64(f.ID), Reason: f.Reason},
	}})
}

// retire deletes what only the dropped checkpoints needed. The intent stands in
// the store; what fails here leaves garbage, never a hole.
func (d *driver) retire(fx checkpoint.Retire) {
	if err := d.deleteCheckpoints(fx.Dropped, fx.Retained); err != nil && d.ctx.Err() == nil {
		d.l.jm.Log.Warn("old checkpoints are not deleted yet", "job", d.store.job, "cause", err)
	}
}

// finishDeletions carries out the intents that another leader left.
func (d *driver) finishDeletions() {
	dropped, err := d.store.intents(d.ctx)
	if err == nil && len(dropped) > 0 {
		var l *checkpointv1.LatestCheckpoint
		if l, _, err = d.store.latest(d.ctx); err == nil {
			err = d.deleteCheckpoints(dropped, retainedOf(l))
		}
	}
	if err != nil && d.ctx.Err() == nil {
		d.l.jm.Log.Warn("old checkpoints are not deleted yet", "job", d.store.job, "cause", err)
	}
}

func (d *driver) deleteCheckpoints(dropped, retained []checkpoint.Pointer) error {
	gone, err := d.readManifests(dropped, isDamaged) // what it wrote can't be known: it stays as garbage
	if err != nil {
		return err
	}
	kept, err := d.readManifests(retained, func(error) bool { return false })
	if err != nil {
		return err
	}
	keys := slices.DeleteFunc(checkpoint.Unreferenced(gone, kept), func(key string) bool { return !d.store.owned(key) })
	for _, p := range dropped {
		keys = append(keys, p.ManifestKey)
	}
	for _, k := range keys {
		if err := d.store.blob.Delete(d.ctx, k); err != nil {
			return err
		}
	}
	return d.store.forgetIntents(d.ctx, dropped)
}

// isDamaged tells whether a manifest will never be readable.
func isDamaged(err error) bool { return failure.ClassOf(err).Retry == failure.Never }

// readManifests reads manifests, but those whose error may be skipped.
func (d *driver) readManifests(ps []checkpoint.Pointer, skip func(error) bool) ([]*checkpointv1.Manifest, error) {
	var out []*checkpointv1.Manifest
	for _, p := range ps {
		m, err := d.store.manifest(d.ctx, p)
		if err != nil && skip(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}
