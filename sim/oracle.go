package sim

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"millrace/blobstore"
	"millrace/connectors/kafka"
	"millrace/exchange"
	"millrace/failure"
	"millrace/jobmanager/coord"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/stream"
	"millrace/types"
)

// Violation is a property that did not hold.
type Violation struct {
	Property string
	Detail   string
}

// oracle watches from outside: what Kafka has, what etcd and the blob store have. It asks no part of the engine.
type oracle struct {
	w      *world
	broken []Violation
	model  model
	jobs   []*watched // that exist, in the order of their beginning
	terms  map[*process]types.Term
	ran    []*runningTask

	// unaccounted is what the engine's own audit of checkpoints has found last, "" for nothing.
	unaccounted string

	replayed, moved int // rows that were in flight; to tasks of another parallelism

	recreated bool // the input topic: a job that knew the first one must fail, and name it
	timedOut  bool // a transaction: the job may fail, and must name what is lost

	firstInput kafka.TopicID // of the input topic that is there at the beginning
	firstKnown bool          // an enumerator's state that names it was durable
}

func newOracle(w *world) *oracle {
	return &oracle{w: w, model: make(model), terms: make(map[*process]types.Term)}
}

func (o *oracle) violated() bool { return len(o.broken) > 0 }

func (o *oracle) violate(property, format string, args ...any) {
	v := Violation{property, fmt.Sprintf(format, args...)}
	o.broken = append(o.broken, v)
	o.w.tell("!!!!", "%s: %s", v.Property, v.Detail)
}

// recreates takes in that the input topic was deleted and created again. Of the first one's bids nothing can be expected where
// no job knew it: to whoever finds a topic for the first time it is the one that there is.
func (o *oracle) recreates() {
	o.recreated = true
	if !o.firstKnown {
		clear(o.model)
	}
}

// readsOn holds: no job that knew the first input topic comes to its end with another one of that name.
func (o *oracle) readsOn(j *watched) {
	if o.recreated && o.firstKnown && j.stopped() {
		o.violate("output", "%s has read on, and its input was deleted and created again", j.id)
	}
}

// of returns what is known of a job; nil before it exists.
func (o *oracle) of(id types.JobID) *watched {
	for _, j := range o.jobs {
		if j.id == id {
			return j
		}
	}
	return nil
}

// failed holds: nothing fails that only a bug makes fail.
func (o *oracle) failed(who string, c failure.Class, err error) {
	if c.Domain == failure.DomainInternal {
		o.violate("no-internal-failure", "%s: %v", who, err)
	}
}

// runs holds: what begins to run on a task manager is of no attempt older than those that it has had.
func (o *oracle) runs(t *runningTask) {
	j := o.of(t.a.region.Job)
	if o.w.faults.takeover && j.latest != nil {
		o.violate("takeover", "%s runs %s again, of attempt %d, and only leaders have ended", t.tm.name, t.id, t.a.number)
	}
	o.ran = append(o.ran, t)
	j.newest[t.a.region] = max(j.newest[t.a.region], t.a.number)
	if t.a.number < t.tm.highest[t.a.region] {
		o.violate("one-attempt", "%s runs %s of attempt %d, and has had %d", t.tm.name, t.id, t.a.number, t.tm.highest[t.a.region])
	}
}

// deploys holds: no leader deploys on a task manager that has had a later one. What runs of an earlier one may go on.
func (o *oracle) deploys(tm *taskManager, attempt types.Attempt) {
	if tm.link.term < o.terms[tm.process] {
		o.violate("one-attempt", "%s takes attempt %d in term %d, and has had %d", tm.name, attempt, tm.link.term, o.terms[tm.process])
	}
}

// noGap holds, where only leaders have ended: every record was read by the one life of its reader, once.
func (o *oracle) noGap() {
	read := make(map[types.RegionID]int64)
	for _, t := range o.ran {
		if t.source {
			read[t.a.region] += t.metrics.RecordsIn.Load()
		}
	}
	written := int64(-o.w.unread)
	for _, p := range o.w.kafka.topics[inputTopic].partitions {
		written += int64(len(p.records))
	}
	for region := range o.w.faults.regions {
		if n := read[types.RegionID{Job: firstJob, Index: int32(region)}]; n != written {
			o.violate("takeover", "tasks of region %d have read %d records, and there are %d", region, n, written)
		}
	}
}

// isZombie tells whether a transactional id is of an attempt after which another ran. What such a one opens late stays open
// until it times out (docs/design/0002-kafka-transactions.md): consumers wait, nothing is lost.
func (o *oracle) isZombie(id string) bool {
	for _, j := range o.jobs {
		var region, subtask, k int
		var attempt uint64
		if _, err := fmt.Sscanf(id, sinkPrefix+"."+string(j.id)+".sink-%d.%d.%d.%d", &region, &subtask, &k, &attempt); err == nil {
			return types.Attempt(attempt) < j.newest[types.RegionID{Job: j.id, Index: int32(region)}]
		}
	}
	return false
}

// joins holds: the leaders that a task manager serves have rising terms.
func (o *oracle) joins(tm *taskManager, term types.Term) {
	if term < o.terms[tm.process] {
		o.violate("terms-rise", "%s serves a leader of term %d, and has served one of term %d", tm.name, term, o.terms[tm.process])
	}
	o.terms[tm.process] = max(o.terms[tm.process], term)
}

// written sees every transaction that succeeded.
func (o *oracle) written(ops []coord.Op) {
	for _, op := range ops {
		k, err := coord.ParseJobKey(op.Key)
		if err == nil && k.Field == coord.FieldState {
			o.recorded(k.Job, op.Value)
		}
		j := o.of(k.Job)
		if err != nil || j == nil {
			continue
		}
		switch k.Field {
		case coord.FieldCheckpointLatest:
			l := &checkpointv1.LatestCheckpoint{}
			if err := proto.Unmarshal(op.Value, l); err != nil {
				o.violate("manifest-complete", "%v", err)
				return
			}
			j.completed(l)
		case coord.FieldEnumerator:
			o.firstKnown = o.firstKnown || bytes.Contains(op.Value, []byte(o.firstInput.String()))
		case coord.FieldSavepoints:
			list := &checkpointv1.JobSavepoints{}
			if err := proto.Unmarshal(op.Value, list); err != nil {
				o.violate("savepoint", "%v", err)
				return
			}
			j.saved(list)
		default: // nothing to judge by itself
		}
	}
}

// recorded sees the record of a job, which begins with the first one.
func (o *oracle) recorded(id types.JobID, value []byte) {
	rec := &checkpointv1.JobRecord{}
	if proto.Unmarshal(value, rec) != nil {
		return // it is deleted
	}
	j := o.of(id)
	if j == nil && len(o.jobs) < len(o.w.jobs) {
		j = o.begins(id, rec)
	}
	if j == nil {
		return // of a test
	}
	if hasEnded(rec.Phase) {
		j.end = rec
		o.w.over = o.w.user.content() && o.allEnded()
	}
}

func hasEnded(p checkpointv1.JobPhase) bool {
	switch p {
	case checkpointv1.JobPhase_JOB_PHASE_FINISHED, checkpointv1.JobPhase_JOB_PHASE_CANCELED,
		checkpointv1.JobPhase_JOB_PHASE_FAILED, checkpointv1.JobPhase_JOB_PHASE_STOPPED:
		return true
	default:
		return false
	}
}

func (o *oracle) allEnded() bool {
	for _, j := range o.jobs {
		if j.end == nil {
			return false
		}
	}
	return true
}

// watch looks again and again at what must hold at any time.
func (o *oracle) watch() {
	o.w.after(500, func() {
		for _, j := range o.jobs {
			if j.end == nil {
				j.present()
			}
			j.savepointsPresent()
		}
		if !o.w.over {
			o.watch()
		}
	})
}

// replays counts rows that were in flight and came to a task again.
func (o *oracle) replays(files []*controlv1.InFlight, parallelism int32, r *exchange.Replay) {
	for _, e := range r.Elements {
		if e.Element.Kind == stream.RowsElement {
			o.replayed += e.Element.Batch.Rows()
			if files[0].Parallelism != parallelism {
				o.moved += e.Element.Batch.Rows()
			}
		}
	}
}

// neededAtEnd returns the objects that jobs need which have ended: of one that was stopped the last checkpoint, of one that
// failed all that are retained; and savepoints.
func (o *oracle) neededAtEnd() (map[string]bool, error) {
	out := make(map[string]bool)
	for _, j := range o.jobs {
		out[j.graph] = true
		for _, s := range j.savepoints {
			for _, key := range s.objects {
				out[key] = true
			}
		}
		if err := j.neededAtEnd(out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// isUsers tells whether an object is in a savepoint's folder, which nobody but its user empties.
func isUsers(key string) bool {
	_, err := blobstore.ParseSavepointManifest(key)
	_, _, _, chunk := blobstore.ParseSavepointChunk(key)
	return err == nil || chunk == nil
}
