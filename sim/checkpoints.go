package sim

import (
	"errors"
	"fmt"
	"slices"

	"millrace/blobstore"
	"millrace/checkpoint"
	checkpointcodec "millrace/checkpoint/codec"
	"millrace/internal/crash"
	"millrace/internal/failure"
	"millrace/internal/mutant"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/garbage"
	"millrace/jobmanager/lifecycle"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

func isNotFound(err error) bool { return errors.Is(err, coord.ErrNotFound) }

// coordinate feeds the checkpoint coordinator and carries its effects out.
func (d *driver) coordinate(e checkpoint.Event) {
	if d.at == nil || d.at.coordinator == nil {
		return
	}
	if _, tick := e.(checkpoint.Tick); !tick {
		d.jm.tell("%s", e)
		d.coordinate(checkpoint.Tick{Now: d.jm.NowMillis()})
		if d.at == nil || d.at.coordinator == nil {
			return
		}
	}
	for _, fx := range d.at.coordinator.Step(e) {
		d.jm.tell("  %s", fx)
		d.carryOutCheckpoint(fx)
		if d.at == nil {
			return
		}
	}
}

func (d *driver) carryOutCheckpoint(fx checkpoint.Effect) {
	at := d.at
	switch fx := fx.(type) {
	case checkpoint.AllotIDs:
		d.later(func() error {
			return d.store.write(nil, d.store.keys.CheckpointNext(), numberValue(uint64(fx.Through)+1))
		}, func(err error) {
			if d.at == at && d.ok("allot checkpoint ids", err) {
				d.coordinate(checkpoint.IDsAllotted(fx))
			}
		})
	case checkpoint.Trigger:
		d.jm.w.oracle.triggered(fx.ID)
		d.toAttempt(func(a uint64) *controlv1.JobManagerMessage {
			return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_TriggerCheckpoint{TriggerCheckpoint: &controlv1.TriggerCheckpoint{
				JobId: string(jobName), Attempt: a, CheckpointId: uint64(fx.ID), Kind: fx.Kind.Proto(),
			}}}
		})
	case checkpoint.Persist:
		d.persist(fx, func(e checkpoint.Event) {
			if d.at == at {
				d.coordinate(e)
			}
		})
	case checkpoint.Commit:
		p := fx.Permit
		d.jm.send(d.home(p.Vertex()), &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Commit{Commit: &controlv1.Commit{
			JobId: string(jobName), Attempt: uint64(d.numberOf(p.Vertex())), VertexId: string(p.Vertex()), CheckpointId: uint64(p.ID()),
			Committables: p.Committables(),
		}}})
	case checkpoint.NotifyComplete:
		d.notifyComplete(fx)
	case checkpoint.NotifyAborted:
		d.toAttempt(func(a uint64) *controlv1.JobManagerMessage {
			return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_CheckpointAborted{CheckpointAborted: &controlv1.CheckpointAborted{
				JobId: string(jobName), Attempt: a, CheckpointId: uint64(fx.ID),
			}}}
		})
	case checkpoint.Retire:
		d.retire(fx.Dropped, fx.Retained)
	case checkpoint.Completed:
		d.step(lifecycle.CheckpointCompleted{Attempt: at.attempt, ID: fx.ID})
	case checkpoint.CommitsConfirmed:
		d.confirmed = max(d.confirmed, fx.ID)
	case checkpoint.FailJob:
		d.step(lifecycle.CheckpointFailedTooOften{Attempt: at.attempt, Reason: fx.Reason})
	case checkpoint.StepDown:
		d.ok("complete a checkpoint", errors.New(fx.Reason))
	case checkpoint.FinalComplete:
		d.step(lifecycle.FinalComplete{Attempt: at.attempt, ID: fx.ID})
	case checkpoint.Quiet:
		at.quiet = true
		d.maybeGone()
	case checkpoint.Closed:
		at.closed = true
		d.maybeGone()
	case checkpoint.Failed: // told to people only
	}
}

func (d *driver) notifyComplete(fx checkpoint.NotifyComplete) {
	var vertices []string
	for _, v := range fx.Vertices {
		vertices = append(vertices, string(v))
	}
	d.toAttempt(func(a uint64) *controlv1.JobManagerMessage {
		return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_CheckpointCompleted{CheckpointCompleted: &controlv1.CheckpointCompleted{
			JobId: string(jobName), Attempt: a, CheckpointId: uint64(fx.ID), VertexIds: vertices,
		}}}
	})
}

// persist writes the manifest and then, by a fenced transaction, makes the checkpoint complete.
func (d *driver) persist(fx checkpoint.Persist, then func(checkpoint.Event)) {
	failed := func(err error) {
		d.jm.tell("checkpoint %d is not persisted: %v", fx.ID, err)
		d.jm.w.oracle.notPersisted(fx.ID, err)
		then(checkpoint.PersistFailed{ID: fx.ID, Reason: err.Error(), Fenced: errors.Is(err, coord.ErrFenced)})
	}
	data, sum, err := checkpointcodec.Encode(fx.Manifest)
	if err != nil {
		failed(err)
		return
	}
	key, err := manifestKey(d.store.term, fx.Manifest)
	if err != nil {
		failed(err)
		return
	}
	if mutant.On(mutant.ZombieCollects) {
		d.retire(fx.Drop, fx.Retain)
	}
	first := true
	d.later(func() error {
		if first {
			first = false
			d.jm.here(crash.BeforeManifest)
		}
		err := blobstore.CreateOrVerify(d.jm.w.ctx, d.store.blob, key, blobstore.Bytes(data))
		if err != nil && fx.Deadline > 0 && d.jm.NowMillis() > fx.Deadline {
			return fmt.Errorf("manifest was not written in time: %s", err) //nolint:errorlint // its class would ask for another try
		}
		return err
	}, func(err error) {
		if err != nil {
			failed(err)
			return
		}
		d.complete(fx, latestOf(fx, checkpoint.Pointer{ID: fx.ID, ManifestKey: key, Sum: sum}), func(err error) {
			if err != nil {
				failed(err)
				return
			}
			d.jm.here(crash.AfterComplete)
			if checkpoint.KindOf(fx.Manifest.Kind) == checkpoint.Final {
				d.jm.here(crash.InFinalCheckpoint)
			}
			then(checkpoint.Persisted{ID: fx.ID, ManifestKey: key, Sum: sum})
		})
	})
}

// complete reads what is the latest and, a moment later, writes what is to be: everything may come between.
func (d *driver) complete(fx checkpoint.Persist, l *checkpointv1.LatestCheckpoint, then func(error)) {
	var now *checkpointv1.LatestCheckpoint
	var e coord.Entry
	d.later(func() (err error) {
		now, e, err = d.store.latest()
		return err
	}, func(err error) {
		switch {
		case err != nil:
			then(err)
		case now.GetCheckpointId() == l.CheckpointId && string(now.GetManifestSha256()) == string(l.ManifestSha256):
			then(nil) // an earlier try whose answer was lost
		case types.CheckpointID(now.GetCheckpointId()) != fx.Previous.ID:
			then(failure.Internal(fmt.Errorf("%w: the latest checkpoint is %d, not %d", coord.ErrConflict, now.GetCheckpointId(), fx.Previous.ID)))
		default:
			d.jm.here(crash.BeforeComplete)
			d.jm.after(d.jm.w.latency(), func() {
				if d.stopped {
					return
				}
				if err = d.store.complete(now, e, l, fx.Drop); err != nil && isDoubt(err) {
					d.complete(fx, l, then)
					return
				}
				then(err)
			})
		}
	})
}

// retire deletes what only the dropped checkpoints needed; what fails here leaves garbage, never a hole.
func (d *driver) retire(dropped, retained []checkpoint.Pointer) {
	if len(dropped) == 0 {
		return
	}
	tries := 0
	d.later(func() error {
		if tries++; tries > 3 {
			return errNotNow
		}
		return d.deleteCheckpoints(dropped, retained)
	}, func(err error) {
		if err != nil {
			d.jm.tell("old checkpoints are not deleted yet: %v", err)
		}
	})
}

var errNotNow = errors.New("not now")

func (d *driver) deleteCheckpoints(dropped, retained []checkpoint.Pointer) error {
	gone, err := d.readManifests(dropped, func(err error) bool { return failure.ClassOf(err).Retry == failure.Never })
	if err != nil {
		return err
	}
	kept, err := d.readManifests(retained, func(error) bool { return false })
	if err != nil {
		return err
	}
	keys := checkpoint.Unreferenced(gone, kept)
	for _, p := range dropped {
		keys = append(keys, p.ManifestKey)
	}
	for _, k := range keys {
		if err := d.store.blob.Delete(d.jm.w.ctx, k); err != nil {
			return err
		}
	}
	return d.store.forgetIntents(dropped)
}

func (d *driver) readManifests(ps []checkpoint.Pointer, skip func(error) bool) (out []*checkpointv1.Manifest, err error) {
	for _, p := range ps {
		m, err := d.store.manifest(p)
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

// collectEvery is how often a leader looks for garbage, collectAge how old that must be.
const (
	collectEvery = 7_000
	collectAge   = 4_000
)

// collect carries out the intents of leaders before, and looks for garbage now and then.
func (d *driver) collect() {
	var dropped []checkpoint.Pointer
	var l *checkpointv1.LatestCheckpoint
	d.later(func() (err error) {
		if dropped, err = d.store.intents(); err == nil {
			l, _, err = d.store.latest()
		}
		return err
	}, func(err error) {
		if err == nil {
			d.retire(dropped, retainedOf(l))
		}
	})
	d.jm.after(collectEvery, d.sweep)
}

func (d *driver) sweep() {
	if d.stopped {
		return
	}
	r, err := d.roots(collectAge)
	if err == nil {
		var swept garbage.Swept
		swept, err = garbage.Sweep(d.jm.w.ctx, d.store.blob, r, d.store.leads)
		d.jm.tell("collects %d objects: %v", swept.Deleted, err)
	}
	d.jm.after(collectEvery, d.sweep)
}

// roots reads what the job may still need.
func (d *driver) roots(ageMillis int64) (*garbage.Roots, error) {
	rec, err := d.store.record()
	if err != nil {
		return nil, err
	}
	r := &garbage.Roots{Job: jobName, Ended: terminal(rec.Phase), Needed: make(map[string]bool)}
	r.OldBefore = d.jm.w.clock.Now().Add(millisAgo(ageMillis))
	if r.Ended {
		r.OldBefore = d.jm.w.clock.Now().Add(millisAgo(-1))
	}
	n, _, err := d.store.number(d.store.keys.AttemptFloor())
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	r.Attempt = types.Attempt(n)
	l, _, err := d.store.latest()
	if err != nil {
		return nil, err
	}
	retained := retainedOf(l)
	switch rec.Phase {
	case checkpointv1.JobPhase_JOB_PHASE_FINISHED, checkpointv1.JobPhase_JOB_PHASE_CANCELED:
		retained = nil
	case checkpointv1.JobPhase_JOB_PHASE_STOPPED:
		retained = slices.Clone(retained[max(len(retained)-1, 0):])
	default: // all
	}
	for _, p := range retained {
		m, err := d.store.manifest(p)
		if err != nil {
			return nil, err
		}
		r.Needed[p.ManifestKey] = true
		for f := range checkpoint.Objects(m) {
			r.Needed[f.GetObject()] = true
		}
	}
	return r, nil
}
