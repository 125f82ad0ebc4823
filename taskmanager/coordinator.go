package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"millrace/connectors"
	"millrace/failure"
	"millrace/internal/crash"
	"millrace/jobgraph"
	"millrace/operators"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/taskmanager/task"
	"millrace/types"
)

// commitRequest asks a committer task for a commit.
type commitRequest struct {
	id           types.CheckpointID
	committables [][]byte
}

// commitsMax bounds the commits that a committer has not carried out: there is
// one for each checkpoint completed since.
const commitsMax = 1024

// deployCoordinators starts the coordinator tasks of an attempt.
func (m *TaskManager) deployCoordinators(d *controlv1.DeployCoordinators) {
	a := m.enter(d.JobId, d.Region, d.Attempt)
	if a == nil {
		return
	}
	p, err := newPlan(d.Graph, nil)
	for _, c := range d.Coordinators {
		k := &coordinator{m: m, a: a, plan: p, d: c, vertex: types.VertexID(c.VertexId)}
		a.mu.Lock()
		a.mu.coordinators = append(a.mu.coordinators, k)
		a.mu.Unlock()
		if err != nil {
			k.failed(err)
			continue
		}
		run := k.enumerate
		if c.Role == controlv1.CoordinatorRole_COORDINATOR_ROLE_COMMITTER {
			requests := make(chan commitRequest, commitsMax)
			a.mu.Lock()
			a.mu.committers[k.vertex] = requests
			a.mu.Unlock()
			k.told.committed = types.CheckpointID(c.CheckpointId)
			run = func(ctx context.Context) error { return k.commit(ctx, requests) }
		}
		m.wait.Go(func() {
			if err := k.guarded(a.ctx, run); err != nil && a.ctx.Err() == nil {
				k.failed(err)
			}
		})
	}
}

// commit passes a request to a committer task.
func (a *attempt) commit(v types.VertexID, r commitRequest) {
	a.mu.Lock()
	requests := a.mu.committers[v]
	a.mu.Unlock()
	if requests == nil {
		return
	}
	select {
	case requests <- r:
	default:
		for _, k := range a.coordinators() {
			if k.vertex == v && k.d.Role == controlv1.CoordinatorRole_COORDINATOR_ROLE_COMMITTER {
				k.failed(failure.External(fmt.Errorf("%d commits are not carried out", commitsMax), failure.Restart))
			}
		}
	}
}

func (a *attempt) coordinators() []*coordinator {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.mu.coordinators)
}

// coordinator is an enumerator or a committer with its goroutine.
type coordinator struct {
	m      *TaskManager
	a      *attempt
	plan   *plan
	d      *controlv1.CoordinatorDeployment
	vertex types.VertexID

	// told is what the job manager was told, guarded by the task manager's said.
	told struct {
		ready    bool
		failure  *controlv1.Failure
		troubled string // what was said last
		// assigned is the enumerator's state with all assignments since it was deployed;
		// nil before the first. Its splits are those of readers, so they are as few.
		assigned  *controlv1.EnumeratorAssigned
		committed types.CheckpointID // by the committer, what it recovered included
	}
}

// guarded runs a part of a connector. What one of the job's program throws is the user's failure, and so is an error that it gave no class.
func (k *coordinator) guarded(ctx context.Context, run func(context.Context) error) (err error) {
	p, v := k.plan.graph.Program, k.plan.graph.Vertex(k.vertex)
	switch {
	case k.d.Role == controlv1.CoordinatorRole_COORDINATOR_ROLE_COMMITTER && p.HasSink(v.Sink.Connector):
		defer task.OwnFailure(&err, "sink", v.Sink.UID)
	case k.d.Role == controlv1.CoordinatorRole_COORDINATOR_ROLE_ENUMERATOR && p.HasSource(v.Source.Connector):
		defer task.OwnFailure(&err, "source", v.Source.UID)
	}
	return run(ctx)
}

func (k *coordinator) ready() {
	k.m.say(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_CoordinatorReady{
		CoordinatorReady: &controlv1.CoordinatorReady{
			JobId: string(k.a.region.Job), Attempt: uint64(k.a.number), VertexId: string(k.vertex), Role: k.d.Role,
		},
	}}, func() { k.told.ready = true })
}

func (k *coordinator) failed(err error) {
	f := failureToProto(err)
	k.m.say(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_CoordinatorFailed{
		CoordinatorFailed: &controlv1.CoordinatorFailed{
			JobId: string(k.a.region.Job), Attempt: uint64(k.a.number), VertexId: string(k.vertex), Role: k.d.Role,
			Failure: f,
		},
	}}, func() { k.told.failure = f })
}

// trouble tells people what is the matter; "" when all is well. It implements
// connectors.Trouble.
func (k *coordinator) trouble(message string) {
	message = short(message)
	k.m.said.Lock()
	defer k.m.said.Unlock() // the last message that is sent is the last that was said
	if message == k.told.troubled {
		return
	}
	k.told.troubled = message
	k.m.outbox.put(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_CoordinatorTrouble{
		CoordinatorTrouble: &controlv1.CoordinatorTrouble{
			JobId: string(k.a.region.Job), Attempt: uint64(k.a.number), VertexId: string(k.vertex), Message: message,
		},
	}})
}

// patiently calls f until it succeeds, fails in a way that waiting does not
// help, or the attempt ends.
func (k *coordinator) patiently(ctx context.Context, what string, f func(context.Context) error) error {
	for wait := coordinatorRetryMin; ; wait = min(2*wait, coordinatorRetryMax) {
		err := f(ctx)
		if err == nil || failure.ClassOf(err).Retry != failure.Backoff || ctx.Err() != nil {
			k.trouble("")
			return err
		}
		k.trouble(what + " is tried again: " + err.Error())
		k.m.Log.Warn(what+" is tried again", "job", k.a.region.Job, "vertex", k.vertex, "in", wait, "cause", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.m.Clock.After(wait):
		}
	}
}

// enumerate runs a source's enumerator.
func (k *coordinator) enumerate(ctx context.Context) error {
	spec := k.plan.graph.Vertex(k.vertex).Source
	src, err := k.m.Connectors.Source(spec.Connector, spec.Options, spec.Schema)
	if err != nil {
		return fmt.Errorf("source %s: %w", spec.UID, err)
	}
	e, err := src.Enumerator(connectors.EnumeratorContext{
		Identity: k.m.identity(k.a, spec.UID, 0, k.d.Parallelism), Clock: k.m.Clock,
		Restored: k.d.Enumerator, Splits: splitsFromProto(k.d.Splits),
	})
	if err != nil {
		return fmt.Errorf("source %s: %w", spec.UID, err)
	}
	defer func() { _ = e.Close() }()
	k.ready()
	if err := k.assign(ctx, "finding splits", e, e.Start); err != nil {
		return err
	}
	every := e.DiscoveryInterval()
	for every > 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-k.m.Clock.After(time.Duration(every) * time.Millisecond):
		}
		if err := k.assign(ctx, "looking for new splits", e, e.Discover); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// assign asks the enumerator for assignments and sends them with its state.
func (k *coordinator) assign(ctx context.Context, what string, e connectors.Enumerator, find func(context.Context) ([]connectors.Assignment, error)) error {
	var found []connectors.Assignment
	err := k.patiently(ctx, what, func(ctx context.Context) (err error) {
		found, err = find(ctx)
		return err
	})
	if err != nil || len(found) == 0 {
		return err
	}
	state, err := e.Snapshot()
	if err != nil {
		return fmt.Errorf("snapshot of enumerator: %w", err)
	}
	msg := &controlv1.EnumeratorAssigned{
		JobId: string(k.a.region.Job), Attempt: uint64(k.a.number), VertexId: string(k.vertex), State: state,
	}
	before := k.told.assigned.GetAssignments() // only this goroutine adds to them
	for _, f := range found {
		s := &controlv1.SplitAssignment{Subtask: f.Subtask, NoMore: f.NoMore, Sequence: uint64(len(before) + len(msg.Assignments) + 1)}
		for _, p := range f.Splits {
			s.Splits = append(s.Splits, task.SplitToProto(p))
		}
		msg.Assignments = append(msg.Assignments, s)
	}
	all := &controlv1.EnumeratorAssigned{
		JobId: msg.JobId, Attempt: msg.Attempt, VertexId: msg.VertexId, State: state, Assignments: slices.Concat(before, msg.Assignments),
	}
	k.m.say(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_EnumeratorAssigned{EnumeratorAssigned: msg}},
		func() { k.told.assigned = all })
	return nil
}

// commit runs a sink's committer: it recovers, then commits on request.
func (k *coordinator) commit(ctx context.Context, requests <-chan commitRequest) error {
	v := k.plan.graph.Vertex(k.vertex)
	c, err := k.committer(v)
	if err != nil {
		return fmt.Errorf("sink %s: %w", v.Sink.UID, err)
	}
	if c != nil {
		defer func() { _ = c.Close() }()
		err := k.patiently(ctx, "recovering the sink", func(ctx context.Context) error {
			return c.Recover(ctx, types.CheckpointID(k.d.CheckpointId), k.d.Committables)
		})
		if err != nil {
			return fmt.Errorf("recover sink %s: %w", v.Sink.UID, err)
		}
	}
	k.ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-requests:
			if err := k.commitOne(ctx, c, r); err != nil {
				return fmt.Errorf("commit checkpoint %d of sink %s: %w", r.id, v.Sink.UID, err)
			}
		}
	}
}

func (k *coordinator) committer(v *jobgraph.Vertex) (connectors.Committer, error) {
	schema := k.plan.flows[k.vertex].Output(v.Source, operators.MainPort)
	snk, err := k.m.Connectors.Sink(v.Sink, schema)
	if err != nil {
		return nil, err
	}
	return snk.Committer(connectors.CommitterContext{
		Identity: k.m.identity(k.a, v.Sink.UID, 0, k.d.Parallelism), Clock: k.m.Clock, MaxParallelism: k.d.LargestParallelism,
		Trouble: k.trouble,
	})
}

// commitOne commits, unless it has: a leader that takes over asks again for the last
// checkpoint's.
func (k *coordinator) commitOne(ctx context.Context, c connectors.Committer, r commitRequest) error {
	if r.id <= k.told.committed { // only this goroutine changes it
		r.committables = nil
	}
	if c != nil && len(r.committables) > 0 {
		crash.Here(crash.BeforeCommit)
		err := k.patiently(ctx, "committing", func(ctx context.Context) error { return c.Commit(ctx, r.id, r.committables) })
		if err != nil {
			return err
		}
		crash.Here(crash.AfterCommit)
	} else if len(r.committables) > 0 {
		return failure.Internal(errors.New("a sink without a committer has committables"))
	}
	k.m.say(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_Committed{
		Committed: &controlv1.Committed{
			JobId: string(k.a.region.Job), Attempt: uint64(k.a.number), VertexId: string(k.vertex), CheckpointId: uint64(r.id),
		},
	}}, func() { k.told.committed = max(k.told.committed, r.id) })
	return nil
}
