package sim

import (
	"errors"
	"fmt"
	"strconv"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/internal/failure"
	"millrace/internal/mutant"
	"millrace/operators"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/taskmanager/task"
	"millrace/types"
)

// taskManager is one life of a task manager: the shell of package taskmanager without goroutines. It runs production tasks,
// readers, enumerators and committers.
type taskManager struct {
	*process
	index      int
	ops        *operators.Registry
	connectors *connectors.Registry
	backend    *columnar.Backend
	pool       *stream.Pool
	blob       blobs
	network    *end

	term     types.Term
	link     *link
	heard    int64 // of a job manager
	attempts map[types.RegionID]*attempt
	highest  map[types.RegionID]types.Attempt // ever deployed here
	objects  int
	lives    int
	doubt    func() // ends the call of a coordinator that is under way
}

func (w *world) startTaskManager(i, lives int) *taskManager {
	tm := &taskManager{
		process: &process{w: w, name: "tm" + strconv.Itoa(i), ahead: w.between(0, 100_000)}, index: i, lives: lives,
		backend: columnar.New(), pool: &stream.Pool{}, heard: w.now, attempts: make(map[types.RegionID]*attempt),
		highest: make(map[types.RegionID]types.Attempt), doubt: func() {},
	}
	tm.blob = blobs{w.blob, tm.process}
	tm.network = &end{wires: w.wires, p: tm.process, floor: make(map[types.RegionID]types.Attempt)}
	tm.ops, tm.connectors = tm.wiring()
	tm.onKill = func() {
		w.wires.lost(tm.process)
		if l := tm.link; l != nil {
			l.jm.after(w.between(5, 500), func() { l.jm.refused(l) })
		}
		w.after(w.between(100, 6_000), func() { w.tms[i] = w.startTaskManager(i, lives+1) })
	}
	tm.tell("starts")
	tm.redial()
	tm.beat()
	return tm
}

// unique makes a part of a key that no other object has.
func (tm *taskManager) unique(n int) string {
	tm.objects++
	return fmt.Sprintf("%s.%d.%d.%d", tm.name, tm.lives, tm.objects, n)
}

func (tm *taskManager) beat() {
	tm.after(heartbeatEvery, func() {
		if tm.link != nil {
			tm.link.beat()
		}
		if tm.w.now-tm.heard > orphanTimeout {
			tm.cancelAll("no job manager")
		}
		tm.beat()
	})
}

// redial looks for a leader while there is no stream to one.
func (tm *taskManager) redial() {
	tm.after(tm.w.between(redialEvery/2, redialEvery), func() {
		tm.dial()
		tm.redial()
	})
}

func (tm *taskManager) dial() {
	l := tm.link
	if l != nil && l.connected && !l.over && !l.jm.dead {
		return
	}
	if l != nil && !l.over && l.jm.leads(l.term) && tm.w.answers(tm.name, l.jm.name) && l.jm.paused <= tm.w.now {
		l.resume()
		return
	}
	for _, k := range tm.w.rng.Perm(len(tm.w.jms)) {
		jm := tm.w.jms[k]
		if jm.lead != nil && (jm.term > tm.term || jm.term == tm.term && (l == nil || l.over) || mutant.On(mutant.StaleTerm)) &&
			jm.paused <= tm.w.now && tm.w.answers(tm.name, jm.name) {
			tm.join(jm)
			return
		}
	}
}

// join begins a session: whatever ran for another one ends.
func (tm *taskManager) join(jm *jobManager) {
	tm.cancelAll("another session")
	if tm.link != nil {
		tm.link.over = true
	}
	tm.link, tm.heard = newLink(tm, jm), tm.w.now
	tm.term = max(tm.term, jm.term)
	tm.w.oracle.joins(tm, jm.term)
	tm.tell("joins %s in term %d", jm.name, jm.term)
	jm.joined(tm.link)
}

// send says something to the job manager.
func (tm *taskManager) send(m *controlv1.TaskManagerMessage) {
	if tm.link != nil {
		tm.link.toJobManager(m)
	}
}

// receive carries out a message of a job manager, unless its term is over.
func (tm *taskManager) receive(m *controlv1.JobManagerMessage) {
	if types.Term(m.Term) < tm.term && !mutant.On(mutant.StaleTerm) {
		return
	}
	tm.term = max(tm.term, types.Term(m.Term))
	switch m := m.Message.(type) {
	case *controlv1.JobManagerMessage_DeployCoordinators:
		tm.deployCoordinators(m.DeployCoordinators)
	case *controlv1.JobManagerMessage_Deploy:
		tm.deploy(m.Deploy)
	case *controlv1.JobManagerMessage_Cancel:
		if a := tm.attempt(m.Cancel.Attempt); a != nil {
			a.end("cancelled")
		}
	case *controlv1.JobManagerMessage_TriggerCheckpoint:
		tm.trigger(m.TriggerCheckpoint)
	case *controlv1.JobManagerMessage_CheckpointCompleted:
		c := m.CheckpointCompleted
		tm.post(c.Attempt, func(t *runningTask) bool {
			for _, v := range c.VertexIds {
				if v == string(t.id.Vertex) {
					return true
				}
			}
			return false
		}, task.Completed{ID: types.CheckpointID(c.CheckpointId)})
	case *controlv1.JobManagerMessage_CheckpointAborted:
		tm.post(m.CheckpointAborted.Attempt, nil, task.Aborted{ID: types.CheckpointID(m.CheckpointAborted.CheckpointId)})
	case *controlv1.JobManagerMessage_AssignSplits:
		tm.assign(m.AssignSplits)
	case *controlv1.JobManagerMessage_Commit:
		if a := tm.attempt(m.Commit.Attempt); a != nil {
			a.commit(types.VertexID(m.Commit.VertexId), types.CheckpointID(m.Commit.CheckpointId), m.Commit.Committables)
		}
	case *controlv1.JobManagerMessage_Drain:
		tm.post(m.Drain.Attempt, func(t *runningTask) bool { return t.source }, task.Drain{})
	case *controlv1.JobManagerMessage_Finish:
		tm.post(m.Finish.Attempt, nil, task.Finish{})
	}
}

func (tm *taskManager) trigger(c *controlv1.TriggerCheckpoint) {
	kind := stream.Periodic
	switch c.Kind {
	case checkpointv1.CheckpointKind_CHECKPOINT_KIND_SUSPEND:
		kind = stream.Suspend
	case checkpointv1.CheckpointKind_CHECKPOINT_KIND_FINAL:
		kind = stream.Final
	default: // periodic
	}
	tm.post(c.Attempt, func(t *runningTask) bool { return t.source }, task.Trigger{
		Barrier: stream.Barrier{ID: types.CheckpointID(c.CheckpointId), Kind: kind}, At: tm.Now(),
	})
}

func (tm *taskManager) assign(m *controlv1.AssignSplits) {
	c := task.Assign{NoMore: m.Assignment.NoMore}
	for _, s := range m.Assignment.Splits {
		c.Splits = append(c.Splits, task.SplitFromProto(s))
	}
	id := types.TaskID{Vertex: types.VertexID(m.VertexId), Subtask: m.Assignment.Subtask}
	tm.post(m.Attempt, func(t *runningTask) bool { return t.id == id }, c)
}

// post gives a command to the tasks of an attempt that match.
func (tm *taskManager) post(number uint64, match func(*runningTask) bool, c task.Command) {
	if a := tm.attempt(number); a != nil {
		for _, t := range a.tasks {
			if match == nil || match(t) {
				t.post(c)
			}
		}
	}
}

func (tm *taskManager) attempt(number uint64) *attempt {
	for _, a := range tm.attempts {
		if a.number == types.Attempt(number) {
			return a
		}
	}
	return nil
}

// enter returns the attempt to deploy to; a higher one of a region ends the lower, a lower one is nil.
func (tm *taskManager) enter(region int32, number uint64) *attempt {
	id, n := types.RegionID{Job: jobName, Index: region}, types.Attempt(number)
	old := tm.attempts[id]
	switch {
	case old != nil && old.number == n:
		return old
	case n < tm.highest[id]:
		return nil
	case old != nil:
		old.end("another attempt")
	}
	tm.highest[id] = max(tm.highest[id], n)
	a := &attempt{tm: tm, region: id, number: n, term: tm.link.term, committers: make(map[types.VertexID]*committer)}
	tm.attempts[id] = a
	return a
}

func (tm *taskManager) cancelAll(why string) {
	for i := range int32(len(tm.w.job.regions)) {
		if a := tm.attempts[types.RegionID{Job: jobName, Index: i}]; a != nil {
			a.end(why)
		}
	}
}

var domains = map[failure.Domain]controlv1.FailureDomain{
	failure.DomainUser: controlv1.FailureDomain_FAILURE_DOMAIN_USER, failure.DomainExternal: controlv1.FailureDomain_FAILURE_DOMAIN_EXTERNAL,
	failure.DomainInternal: controlv1.FailureDomain_FAILURE_DOMAIN_INTERNAL,
}

var retries = map[failure.Retry]controlv1.FailureRetry{
	failure.Never: controlv1.FailureRetry_FAILURE_RETRY_NEVER, failure.Backoff: controlv1.FailureRetry_FAILURE_RETRY_BACKOFF,
	failure.Restart: controlv1.FailureRetry_FAILURE_RETRY_RESTART,
}

func (tm *taskManager) failureOf(err error) *controlv1.Failure {
	if err == nil {
		return nil
	}
	c := failure.ClassOf(err)
	tm.w.oracle.failed(tm.name, c, err)
	return &controlv1.Failure{
		Domain: domains[c.Domain], Retry: retries[c.Retry], Message: err.Error(), CorruptCheckpoint: errors.Is(err, statebackend.ErrCorrupt),
		OutputAhead: errors.Is(err, connectors.ErrAhead), Consequence: errors.Is(err, exchange.ErrBroken),
	}
}

func isDoubt(err error) bool { return failure.ClassOf(err).Retry == failure.Backoff }
