package sim

import (
	"context"
	"fmt"
	"slices"

	"millrace/connectors"
	"millrace/internal/crash"
	"millrace/internal/mutant"
	"millrace/jobgraph"
	"millrace/operators"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/taskmanager/task"
	"millrace/types"
)

// deployCoordinators starts the coordinator tasks of an attempt.
func (tm *taskManager) deployCoordinators(d *controlv1.DeployCoordinators) {
	a := tm.enter(d.JobId, d.Region, d.Attempt)
	if a == nil {
		return
	}
	for _, c := range d.Coordinators {
		k := &coordinator{tm: tm, a: a, d: c, vertex: a.job.graph.Vertex(types.VertexID(c.VertexId))}
		a.coordinators = append(a.coordinators, k)
		run := k.enumerate
		if c.Role == controlv1.CoordinatorRole_COORDINATOR_ROLE_COMMITTER {
			k.told.committed = types.CheckpointID(c.CheckpointId)
			run = (&committer{coordinator: k}).run
		}
		k.after(tm.w.between(0, 20), run)
	}
}

// coordinator is an enumerator or a committer: the shell of taskmanager/coordinator.go without its goroutine.
type coordinator struct {
	tm     *taskManager
	a      *attempt
	d      *controlv1.CoordinatorDeployment
	vertex *jobgraph.Vertex
	// told is what the job manager was told.
	told struct {
		ready     bool
		failure   *controlv1.Failure
		assigned  *controlv1.EnumeratorAssigned
		committed types.CheckpointID
	}
}

func (k *coordinator) after(millis int64, do func()) {
	k.tm.after(millis, func() {
		if !k.a.over {
			do()
		}
	})
}

// patiently makes a call until it succeeds, or fails in a way that waiting does not help. A call is over as soon as an
// answer is in doubt: what waits in it waits by the real clock.
func (k *coordinator) patiently(call func(context.Context) error, then func()) {
	k.tm.beside(func() {
		ctx, cancel := context.WithCancel(k.tm.w.ctx)
		k.tm.w.current.doubt = cancel
		err := call(ctx)
		cancel()
		switch {
		case k.a.over:
		case err == nil:
			then()
		case isDoubt(err):
			k.after(k.tm.w.between(retryMin, 5*retryMin), func() { k.patiently(call, then) })
		default:
			k.failed(err)
		}
	})
}

func (k *coordinator) ready() {
	k.told.ready = true
	k.tm.send(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_CoordinatorReady{CoordinatorReady: &controlv1.CoordinatorReady{
		JobId: string(k.a.region.Job), Attempt: uint64(k.a.number), VertexId: string(k.vertex.ID), Role: k.d.Role,
	}}})
}

func (k *coordinator) failed(err error) {
	k.tm.tell("coordinator of %s fails: %v", k.vertex.ID, err)
	k.told.failure = k.tm.failureOf(err)
	k.tm.send(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_CoordinatorFailed{CoordinatorFailed: &controlv1.CoordinatorFailed{
		JobId: string(k.a.region.Job), Attempt: uint64(k.a.number), VertexId: string(k.vertex.ID), Role: k.d.Role, Failure: k.told.failure,
	}}})
}

// enumerate runs a source's enumerator.
func (k *coordinator) enumerate() {
	spec := k.vertex.Source
	src, err := k.tm.connectors.Source(spec.Connector, spec.Options, spec.Schema)
	if err != nil {
		k.failed(err)
		return
	}
	ctx := connectors.EnumeratorContext{
		Identity: k.a.identity(spec.UID, 0, k.d.Parallelism), Clock: k.tm, Restored: k.d.Enumerator,
	}
	for _, s := range k.d.Splits {
		ctx.Splits = append(ctx.Splits, task.SplitFromProto(s))
	}
	e, err := src.Enumerator(ctx)
	if err != nil {
		k.failed(err)
		return
	}
	k.ready()
	k.after(k.tm.w.latency(), func() { k.find(e, e.Start) })
}

// find asks for assignments, sends them with the enumerator's state, and looks again later.
func (k *coordinator) find(e connectors.Enumerator, ask func(context.Context) ([]connectors.Assignment, error)) {
	var found []connectors.Assignment
	k.patiently(func(ctx context.Context) (err error) {
		found, err = ask(ctx)
		return err
	}, func() {
		if len(found) > 0 {
			k.assign(e, found)
		}
		if every := e.DiscoveryInterval(); every > 0 {
			k.after(every, func() { k.find(e, e.Discover) })
		}
	})
}

func (k *coordinator) assign(e connectors.Enumerator, found []connectors.Assignment) {
	state, err := e.Snapshot()
	if err != nil {
		k.failed(err)
		return
	}
	m := &controlv1.EnumeratorAssigned{JobId: string(k.a.region.Job), Attempt: uint64(k.a.number), VertexId: string(k.vertex.ID), State: state}
	before := k.told.assigned.GetAssignments()
	for _, f := range found {
		s := &controlv1.SplitAssignment{Subtask: f.Subtask, NoMore: f.NoMore, Sequence: uint64(len(before) + len(m.Assignments) + 1)}
		for _, p := range f.Splits {
			s.Splits = append(s.Splits, task.SplitToProto(p))
		}
		m.Assignments = append(m.Assignments, s)
	}
	k.told.assigned = &controlv1.EnumeratorAssigned{
		JobId: m.JobId, Attempt: m.Attempt, VertexId: m.VertexId, State: state, Assignments: slices.Concat(before, m.Assignments),
	}
	k.tm.send(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_EnumeratorAssigned{EnumeratorAssigned: m}})
}

// committer carries out commits, one after the other, behind its recovery.
type committer struct {
	*coordinator
	production connectors.Committer
	queue      []commitRequest
	busy       bool
}

type commitRequest struct {
	id           types.CheckpointID
	committables [][]byte
}

func (c *committer) run() {
	c.a.committers[c.vertex.ID] = c
	flows, err := jobgraph.Derive(c.a.job.graph)
	if err != nil {
		c.failed(err)
		return
	}
	spec := c.vertex.Sink
	s, err := c.tm.connectors.Sink(spec, flows[c.vertex.ID].Output(c.vertex.Source, operators.MainPort))
	if err == nil {
		c.production, err = s.Committer(connectors.CommitterContext{
			Identity: c.a.identity(spec.UID, 0, c.d.Parallelism), Clock: c.tm, MaxParallelism: c.d.LargestParallelism,
		})
	}
	if err != nil {
		c.failed(err)
		return
	}
	if mutant.On(mutant.CommitterNoRecovery) {
		c.ready()
		return
	}
	c.busy = true
	c.patiently(func(ctx context.Context) error {
		return c.production.Recover(ctx, types.CheckpointID(c.d.CheckpointId), c.d.Committables)
	}, func() {
		c.busy = false
		c.ready()
		c.next()
	})
}

// commit passes a request to the committer of a vertex.
func (a *attempt) commit(v types.VertexID, id types.CheckpointID, committables [][]byte) {
	if c := a.committers[v]; c != nil {
		c.queue = append(c.queue, commitRequest{id, committables})
		c.next()
	}
}

func (c *committer) next() {
	if c.busy || len(c.queue) == 0 {
		return
	}
	r := c.queue[0]
	c.queue = c.queue[1:]
	c.busy = true
	c.after(c.tm.w.latency(), func() { c.carryOut(r) })
}

func (c *committer) carryOut(r commitRequest) {
	if r.id <= c.told.committed {
		r.committables = nil
	}
	done := func() {
		c.told.committed = max(c.told.committed, r.id)
		c.tm.tell("%s committed %d", c.vertex.ID, r.id)
		c.tm.send(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_Committed{Committed: &controlv1.Committed{
			JobId: string(c.a.region.Job), Attempt: uint64(c.a.number), VertexId: string(c.vertex.ID), CheckpointId: uint64(r.id),
		}}})
		c.busy = false
		c.next()
	}
	if len(r.committables) == 0 {
		done()
		return
	}
	c.tm.here(crash.BeforeCommit)
	c.patiently(func(ctx context.Context) error {
		if err := c.production.Commit(ctx, r.id, r.committables); err != nil {
			return fmt.Errorf("commit checkpoint %d: %w", r.id, err)
		}
		return nil
	}, func() {
		c.tm.here(crash.AfterCommit)
		done()
	})
}
