package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/failure"
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
	tier       *tier
	blob       blobs
	network    *end

	term     types.Term // the highest
	joined   types.Term // that took it in last
	resumes  bool       // the session with that may go on
	link     *link
	heard    int64 // of a job manager
	attempts map[types.RegionID]*attempt
	highest  map[types.RegionID]types.Attempt // ever deployed here: for the oracle
	objects  int
	lives    int
	slowDisk int64       // until when
	copies   []stateCopy // that wait
	copying  int
}

func (w *world) startTaskManager(i, lives int) *taskManager {
	tm := &taskManager{
		process: &process{w: w, name: "tm" + strconv.Itoa(i), ahead: w.between(0, 100_000)}, index: i, lives: lives,
		backend: columnar.New(), pool: &stream.Pool{}, heard: w.now, attempts: make(map[types.RegionID]*attempt),
		highest: make(map[types.RegionID]types.Attempt),
	}
	tm.blob, tm.tier = blobs{w.blob, tm.process}, newTier(tm.process)
	tm.network = &end{wires: w.wires, p: tm.process, floor: make(map[types.RegionID]types.Attempt)}
	tm.ops, tm.connectors = tm.wiring()
	tm.onKill = func() {
		w.wires.lost(tm.process)
		if tm.link != nil {
			tm.link.died()
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

// beat sends heartbeats while there is a stream.
func (tm *taskManager) beat() {
	tm.after(heartbeatEvery, func() {
		if l := tm.link; l != nil && l.connected {
			tm.send(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_Heartbeat{Heartbeat: tm.figures()}})
		}
		if tm.w.now-tm.heard > orphanTimeout {
			tm.resumes = false
			tm.cancelAll("no job manager")
		}
		tm.beat()
	})
}

func (tm *taskManager) figures() *controlv1.Heartbeat {
	out := &controlv1.Heartbeat{}
	for _, a := range tm.inOrder() {
		for _, t := range a.tasks {
			out.Tasks = append(out.Tasks, &controlv1.TaskProgress{
				JobId: string(a.region.Job), Attempt: uint64(a.number), VertexId: string(t.id.Vertex), Subtask: t.id.Subtask,
			})
		}
	}
	return out
}

// redial looks for a leader while there is no stream to one, or the one that there is brings nothing.
func (tm *taskManager) redial() {
	tm.after(tm.w.between(redialEvery/2, redialEvery), func() {
		if l := tm.link; l != nil && l.connected && tm.w.now-tm.heard > heartbeatTimeout {
			tm.tell("%s is silent", l.jm.name)
			l.breaks()
		}
		tm.dial()
		tm.redial()
	})
}

func (tm *taskManager) dial() {
	if l := tm.link; l != nil && l.connected && !l.over {
		return
	}
	for _, k := range tm.w.rng.Perm(len(tm.w.jms)) {
		jm := tm.w.jms[k]
		if jm.serves() && (jm.term >= tm.term || mutant.On(mutant.StaleTerm)) && jm.paused <= tm.w.now && tm.w.answers(tm.name, jm.name) &&
			tm.connect(jm) == nil {
			return
		}
	}
}

// registration says who it is, and whether the session goes on.
func (tm *taskManager) registration() *controlv1.Register {
	r := &controlv1.Register{
		Cluster: "sim", TaskManagerId: tm.name, Incarnation: fmt.Sprintf("%s.%d", tm.name, tm.lives), Slots: slotsEach, DataAddress: tm.name,
		Term: uint64(tm.joined),
	}
	if l := tm.link; l != nil {
		tm.resumes = tm.resumes && !l.over
		r.Resumes, r.Received = tm.resumes, l.tmSide.Received()
	}
	return r
}

// begin begins a session with an inventory. What runs goes on under a leader of another term; the one of this term has
// given it up.
func (tm *taskManager) begin(jm *jobManager, l *link) {
	tm.term = max(tm.term, jm.term)
	tm.w.oracle.joins(tm, jm.term)
	if jm.term == tm.joined {
		tm.cancelAll("the session is over")
	}
	tm.link = l
	tm.joined, tm.resumes = jm.term, true
	jm.links[types.TaskManagerID(tm.name)] = l
	tm.tell("joins %s in term %d", jm.name, jm.term)
	tm.send(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_Inventory{Inventory: tm.inventory()}})
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
		if a := tm.attempt(m.Cancel.JobId, m.Cancel.Attempt); a != nil {
			a.end("cancelled")
		}
	case *controlv1.JobManagerMessage_TriggerCheckpoint:
		tm.trigger(m.TriggerCheckpoint)
	case *controlv1.JobManagerMessage_CheckpointCompleted:
		c := m.CheckpointCompleted
		tm.post(c.JobId, c.Attempt, func(t *runningTask) bool {
			return len(c.VertexIds) == 0 || slices.Contains(c.VertexIds, string(t.id.Vertex))
		}, task.Completed{ID: types.CheckpointID(c.CheckpointId)})
	case *controlv1.JobManagerMessage_CheckpointAborted:
		tm.tell("checkpoint %d is given up", m.CheckpointAborted.CheckpointId)
		tm.post(m.CheckpointAborted.JobId, m.CheckpointAborted.Attempt, nil, task.Aborted{ID: types.CheckpointID(m.CheckpointAborted.CheckpointId)})
	case *controlv1.JobManagerMessage_AssignSplits:
		tm.assign(m.AssignSplits)
	case *controlv1.JobManagerMessage_Commit:
		if a := tm.attempt(m.Commit.JobId, m.Commit.Attempt); a != nil {
			a.commit(types.VertexID(m.Commit.VertexId), types.CheckpointID(m.Commit.CheckpointId), m.Commit.Committables)
		}
	case *controlv1.JobManagerMessage_CopyState:
		tm.copyState(m.CopyState)
	case *controlv1.JobManagerMessage_Drain:
		tm.post(m.Drain.JobId, m.Drain.Attempt, func(t *runningTask) bool { return t.source }, task.Drain{})
	case *controlv1.JobManagerMessage_Finish:
		tm.post(m.Finish.JobId, m.Finish.Attempt, nil, task.Finish{})
	}
}

func (tm *taskManager) trigger(c *controlv1.TriggerCheckpoint) {
	kind := stream.Periodic
	switch c.Kind {
	case checkpointv1.CheckpointKind_CHECKPOINT_KIND_SUSPEND:
		kind = stream.Suspend
	case checkpointv1.CheckpointKind_CHECKPOINT_KIND_FINAL:
		kind = stream.Final
	case checkpointv1.CheckpointKind_CHECKPOINT_KIND_SAVEPOINT:
		kind = stream.Savepoint
	default: // periodic
	}
	tm.post(c.JobId, c.Attempt, func(t *runningTask) bool { return t.source }, task.Trigger{
		Barrier: stream.Barrier{ID: types.CheckpointID(c.CheckpointId), Kind: kind}, At: tm.Now(),
	})
}

func (tm *taskManager) assign(m *controlv1.AssignSplits) {
	c := task.Assign{NoMore: m.Assignment.NoMore}
	for _, s := range m.Assignment.Splits {
		c.Splits = append(c.Splits, task.SplitFromProto(s))
	}
	id := types.TaskID{Vertex: types.VertexID(m.VertexId), Subtask: m.Assignment.Subtask}
	tm.post(m.JobId, m.Attempt, func(t *runningTask) bool { return t.id == id && t.isNew(m.Assignment.Sequence) }, c)
}

// post gives a command to the tasks of an attempt that match.
func (tm *taskManager) post(of string, number uint64, match func(*runningTask) bool, c task.Command) {
	if a := tm.attempt(of, number); a != nil {
		for _, t := range a.tasks {
			if match == nil || match(t) {
				t.post(c)
			}
		}
	}
}

func (tm *taskManager) attempt(of string, number uint64) *attempt {
	for _, a := range tm.attempts {
		if a.number == types.Attempt(number) && a.region.Job == types.JobID(of) {
			return a
		}
	}
	return nil
}

// enter returns the attempt to deploy to; a higher one of a region ends the lower, for a lower one it is nil.
func (tm *taskManager) enter(of string, region int32, number uint64) *attempt {
	id, n := types.RegionID{Job: types.JobID(of), Index: region}, types.Attempt(number)
	old := tm.attempts[id]
	switch {
	case old != nil && old.number == n:
		return old
	case old != nil && old.number > n:
		return nil
	case old != nil:
		old.end("another attempt")
	}
	tm.w.oracle.deploys(tm, n)
	a := &attempt{tm: tm, job: tm.w.jobOf(id.Job), region: id, number: n, committers: make(map[types.VertexID]*committer)}
	tm.attempts[id] = a
	return a
}

// inOrder returns what runs, by job and region.
func (tm *taskManager) inOrder() (out []*attempt) {
	for _, j := range tm.w.jobs {
		for i := range int32(len(j.regions)) {
			if a := tm.attempts[types.RegionID{Job: j.id, Index: i}]; a != nil {
				out = append(out, a)
			}
		}
	}
	return out
}

func (tm *taskManager) cancelAll(why string) {
	for _, a := range tm.inOrder() {
		a.end(why)
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
