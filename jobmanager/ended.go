package jobmanager

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"millrace/checkpoint"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// A job that has ended has no driver, but clients still see it: as its driver
// left it if it ended in this term, else as its record says.

// stateOf returns the state that clients see of a job that has ended.
var stateOf = map[checkpointv1.JobPhase]apiv1.JobState{
	checkpointv1.JobPhase_JOB_PHASE_FINISHED: apiv1.JobState_JOB_STATE_FINISHED,
	checkpointv1.JobPhase_JOB_PHASE_CANCELED: apiv1.JobState_JOB_STATE_CANCELED,
	checkpointv1.JobPhase_JOB_PHASE_FAILED:   apiv1.JobState_JOB_STATE_FAILED,
	checkpointv1.JobPhase_JOB_PHASE_STOPPED:  apiv1.JobState_JOB_STATE_STOPPED,
}

// settled puts what clients see of an ended job in the place of its driver, and
// has its garbage collected.
func (l *leadership) settled(d *driver) {
	l.mu.Lock()
	delete(l.mu.drivers, d.store.job)
	l.mu.ended[d.store.job] = d.view
	l.mu.Unlock()
	select {
	case l.garbage.ended <- d.store.job:
	default:
	}
}

// remember makes a job visible that had ended before this term.
func (l *leadership) remember(rec *checkpointv1.JobRecord) {
	v := newView(l.jm.Clock, rec)
	v.past = proto.CloneOf(rec)
	s := v.mu.job.Summary
	s.State, s.Failure = stateOf[rec.Phase], rec.Failure
	s.Ended = timestamppb.New(time.UnixMilli(rec.EndedUnixMillis))
	v.mu.ended = true
	l.mu.Lock()
	l.mu.ended[types.JobID(rec.JobId)] = v
	l.mu.Unlock()
}

// view returns what clients see of a job; nil if there is no such job.
func (l *leadership) view(id types.JobID) *view {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.mu.drivers[id]; d != nil {
		return d.view
	}
	return l.mu.ended[id]
}

// views returns what clients see of every job.
func (l *leadership) views() []*view {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*view, 0, len(l.mu.drivers)+len(l.mu.ended))
	for _, d := range l.mu.drivers {
		out = append(out, d.view)
	}
	for _, v := range l.mu.ended {
		out = append(out, v)
	}
	return out
}

// recall adds what is durable of a job that had ended before this term, beside
// its record. What was not stored, or can't be read now, is left out.
func (j *JobManager) recall(ctx context.Context, rec *checkpointv1.JobRecord, into *apiv1.DescribeJobResponse) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	s, err := newJobStore(j.Coord, j.Store, 0, types.JobID(rec.JobId)) // it only reads: no term
	if err != nil {
		return
	}
	if n, _, err := s.number(ctx, s.keys.Attempt()); err == nil {
		into.Attempt = n
	}
	if p, err := s.graph(ctx, rec); err == nil {
		if g, err := codec.FromProto(p); err == nil {
			into.Explanation, into.Program = jobgraph.Explain(g), describeProgram(g)
		}
	}
	into.RestoredFrom = rec.RestoredFrom
	if saved, _, err := s.savepoints(ctx); err == nil {
		into.Savepoints = j.describeSavepoints(saved)
	}
	if latest, _, err := s.latest(ctx); err == nil && latest != nil {
		into.LastCheckpoint = s.describeCheckpoint(ctx, rec, latest)
	}
}

// describeCheckpoint shows what is durable of a job's last checkpoint. A job
// that has finished or stopped has had everything committed before its end was
// stored; of others nobody knows any more.
func (s *jobStore) describeCheckpoint(ctx context.Context, rec *checkpointv1.JobRecord, l *checkpointv1.LatestCheckpoint) *apiv1.CheckpointDescription {
	d := &apiv1.CheckpointDescription{
		CheckpointId: l.CheckpointId,
		Committed: rec.Phase == checkpointv1.JobPhase_JOB_PHASE_FINISHED ||
			rec.Phase == checkpointv1.JobPhase_JOB_PHASE_STOPPED,
	}
	m, err := s.manifest(ctx, checkpoint.Pointer{
		ID: types.CheckpointID(l.CheckpointId), ManifestKey: l.ManifestObject, Sum: checkpoint.Sum(l.ManifestSha256),
	})
	if err == nil {
		d.Triggered = timestamppb.New(time.UnixMilli(m.TriggeredUnixMillis))
	}
	return d
}
