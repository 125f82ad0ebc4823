package jobmanager

import (
	"errors"
	"slices"
	"sort"

	"millrace/checkpoint"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// attempt is what the driver knows of the job as it is deployed. Its number is the first region's, when all of them were
// deployed; regions that restart alone get others.
type attempt struct {
	allotment
	number      types.Attempt
	placement   uint64
	slots       map[types.TaskID]types.SlotID // of regions that are not gone
	reasons     map[types.TaskID]string
	widths      map[types.VertexID]int32
	coordinator *checkpoint.Coordinator
	savepoint   string                // the part of savepoints' folders that is this coordinator's own
	live        map[types.TaskID]bool // deployed, and not known to have ended
	cancelling  bool
	closed      bool

	regionOf map[types.VertexID]int
	of       []*deployment // by region; nil while it is gone
	last     *deployment   // the one that was begun last
	ending   []int         // regions that are being cancelled while others run
	quiet    bool          // no checkpoint is under way that concerns them
}

// deployment is the regions that were deployed together, all of the job's as a rule.
type deployment struct {
	attempt  types.Attempt // of the first region; each has the next number
	regions  []int
	restored restored
	awaited  map[coordinatorID]bool // coordinators that are not ready
	deployed bool
	drained  bool                            // sources read nothing more than what the checkpoint has
	early    []*controlv1.EnumeratorAssigned // for tasks that are not deployed
}

// number returns the attempt of one of its regions.
func (p *deployment) number(region int) types.Attempt {
	return p.attempt + types.Attempt(slices.Index(p.regions, region))
}

// coordinatorID names a coordinator task.
type coordinatorID struct {
	vertex types.VertexID
	role   controlv1.CoordinatorRole
}

func newAttempt(a allotment, regions [][]types.VertexID, savepoint string) *attempt {
	out := &attempt{
		allotment: a, number: a.attempt, regionOf: make(map[types.VertexID]int), of: make([]*deployment, len(regions)),
		slots: make(map[types.TaskID]types.SlotID), reasons: make(map[types.TaskID]string), widths: make(map[types.VertexID]int32),
		live: make(map[types.TaskID]bool), savepoint: savepoint[:savepointUnique],
	}
	for i, vertices := range regions {
		for _, v := range vertices {
			out.regionOf[v] = i
		}
	}
	return out
}

// deploys begins a deployment of some regions.
func (a *attempt) deploys(first types.Attempt, regions []int) {
	a.last = &deployment{attempt: first, regions: regions}
	for _, r := range regions {
		a.of[r] = a.last
	}
}

// whole tells whether a deployment was of all regions.
func (a *attempt) whole(p *deployment) bool { return len(p.regions) == len(a.of) }

// has tells whether a task is of one of the regions.
func (a *attempt) has(regions []int, t types.TaskID) bool {
	return slices.Contains(regions, a.regionOf[t.Vertex])
}

// numberOf returns the attempt of a vertex' region; 0 while it is gone.
func (a *attempt) numberOf(v types.VertexID) types.Attempt {
	r := a.regionOf[v]
	if a.of[r] == nil {
		return 0
	}
	return a.of[r].number(r)
}

// managers returns the task managers of a region, in order.
func (a *attempt) managers(region int) []types.TaskManagerID {
	var out []types.TaskManagerID
	for t, s := range a.slots {
		if a.regionOf[t.Vertex] == region {
			out = append(out, s.TaskManager)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// uses tells whether a task of the attempt is on a task manager.
func (a *attempt) uses(id types.TaskManagerID) bool {
	for _, s := range a.slots {
		if s.TaskManager == id {
			return true
		}
	}
	return false
}

// tasks returns the tasks of some regions, of all that are not gone for nil, in order.
func (a *attempt) tasks(regions []int) []types.TaskID {
	var out []types.TaskID
	for id := range a.slots {
		if regions == nil || a.has(regions, id) {
			out = append(out, id)
		}
	}
	sort.Slice(out, func(i, k int) bool { return out[i].Less(out[k]) })
	return out
}

// home returns where the coordinator tasks of a vertex run: beside subtask 0.
func (a *attempt) home(v types.VertexID) types.TaskManagerID {
	return a.slots[types.TaskID{Vertex: v}].TaskManager
}

// toAttempt sends a message to every task manager of every region, with the region's attempt in it.
func (d *driver) toAttempt(msg func(attempt uint64) *controlv1.JobManagerMessage) {
	if d.at == nil {
		return
	}
	for region := range d.at.of {
		d.toRegion(region, msg)
	}
}

func (d *driver) toRegion(region int, msg func(attempt uint64) *controlv1.JobManagerMessage) {
	p := d.at.of[region]
	if p == nil {
		return
	}
	for _, id := range d.at.managers(region) {
		d.l.registry.send(id, msg(uint64(p.number(region))))
	}
}

// message takes one message of a task manager about this job.
func (d *driver) message(msg *controlv1.TaskManagerMessage) {
	switch r := msg.Message.(type) {
	case *controlv1.TaskManagerMessage_TaskChanged:
		if c := r.TaskChanged; d.deployment(c.VertexId, c.Attempt) != nil {
			d.taskChanged(c)
		}
	case *controlv1.TaskManagerMessage_TaskSnapshotted:
		if s := r.TaskSnapshotted; d.deployment(s.VertexId, s.Attempt) != nil {
			d.coordinate(checkpoint.Acknowledged{
				ID: types.CheckpointID(s.CheckpointId), Task: taskID(s.VertexId, s.Subtask), State: s.State, Figures: figures(s.Figures),
			})
		}
	case *controlv1.TaskManagerMessage_CheckpointDeclined:
		if c := r.CheckpointDeclined; d.deployment(c.VertexId, c.Attempt) != nil {
			d.coordinate(checkpoint.Declined{
				ID: types.CheckpointID(c.CheckpointId), Task: taskID(c.VertexId, c.Subtask), Reason: c.Failure.GetMessage(),
			})
		}
	case *controlv1.TaskManagerMessage_StateCopied:
		if c := r.StateCopied; d.deployment(c.VertexId, c.Attempt) != nil && c.Savepoint == d.at.savepoint {
			d.coordinate(stateCopied(c))
		}
	case *controlv1.TaskManagerMessage_CoordinatorReady:
		if c := r.CoordinatorReady; d.deployment(c.VertexId, c.Attempt) != nil {
			d.coordinatorReady(coordinatorID{types.VertexID(c.VertexId), c.Role})
		}
	case *controlv1.TaskManagerMessage_EnumeratorAssigned:
		if e := r.EnumeratorAssigned; d.deployment(e.VertexId, e.Attempt) != nil {
			d.storeEnumerator(e)
		}
	case *controlv1.TaskManagerMessage_Committed:
		if c := r.Committed; d.deployment(c.VertexId, c.Attempt) != nil {
			d.coordinate(checkpoint.Committed{Vertex: types.VertexID(c.VertexId), ID: types.CheckpointID(c.CheckpointId)})
		}
	case *controlv1.TaskManagerMessage_CoordinatorTrouble:
		if c := r.CoordinatorTrouble; d.deployment(c.VertexId, c.Attempt) != nil {
			d.view.setVertexTrouble(d.at.number, types.VertexID(c.VertexId), c.Message)
		}
	case *controlv1.TaskManagerMessage_CoordinatorFailed:
		if c := r.CoordinatorFailed; d.deployment(c.VertexId, c.Attempt) != nil {
			d.step(lifecycle.CoordinatorFailed{
				Attempt: types.Attempt(c.Attempt), Vertex: types.VertexID(c.VertexId), Failure: failureOf(c.Failure), Ahead: c.Failure.GetOutputAhead(),
			})
		}
	}
}

// deployment returns the one that an attempt of a vertex' region is of, nil if that is over.
func (d *driver) deployment(vertex string, attempt uint64) *deployment {
	v := types.VertexID(vertex)
	if d.at == nil || attempt == 0 || uint64(d.at.numberOf(v)) != attempt {
		return nil
	}
	return d.at.of[d.at.regionOf[v]]
}

func taskID(vertex string, subtask int32) types.TaskID {
	return types.TaskID{Vertex: types.VertexID(vertex), Subtask: subtask}
}

func figures(f *controlv1.SnapshotFigures) checkpoint.Figures {
	return checkpoint.Figures{
		AlignmentMicros: f.GetAlignmentMicros(), FreezeMicros: f.GetFreezeMicros(), UploadMicros: f.GetUploadMicros(),
		WrittenBytes: f.GetWrittenBytes(), StateBytes: f.GetStateBytes(),
		Unaligned: f.GetUnaligned(), InFlightBytes: f.GetInFlightBytes(),
	}
}

var (
	domainOf = map[controlv1.FailureDomain]failure.Domain{
		controlv1.FailureDomain_FAILURE_DOMAIN_USER: failure.DomainUser, controlv1.FailureDomain_FAILURE_DOMAIN_EXTERNAL: failure.DomainExternal,
		controlv1.FailureDomain_FAILURE_DOMAIN_INTERNAL: failure.DomainInternal,
	}
	retryOf = map[controlv1.FailureRetry]failure.Retry{
		controlv1.FailureRetry_FAILURE_RETRY_NEVER: failure.Never, controlv1.FailureRetry_FAILURE_RETRY_BACKOFF: failure.Backoff,
		controlv1.FailureRetry_FAILURE_RETRY_RESTART: failure.Restart,
	}
)

func failureOf(f *controlv1.Failure) lifecycle.Failure {
	return lifecycle.Failure{
		Class:   failure.Class{Domain: domainOf[f.GetDomain()], Retry: retryOf[f.GetRetry()]},
		Message: f.GetMessage(), Position: f.GetPosition(), Consequence: f.GetConsequence(),
	}
}

func (d *driver) taskChanged(c *controlv1.TaskChanged) {
	id, p := taskID(c.VertexId, c.Subtask), d.deployment(c.VertexId, c.Attempt)
	d.view.setTaskState(id, c.State)
	switch c.State {
	case controlv1.TaskState_TASK_STATE_FINISHED, controlv1.TaskState_TASK_STATE_FAILED, controlv1.TaskState_TASK_STATE_CANCELED:
		delete(d.at.live, id)
	case controlv1.TaskState_TASK_STATE_ENDED:
		if !d.at.has(d.at.ending, id) {
			d.coordinate(checkpoint.TaskEnded{Task: id})
		}
	default: // on its way
	}
	if c.Failure.GetCorruptCheckpoint() {
		d.step(lifecycle.RestoreFailed{
			Attempt: p.attempt, Checkpoint: p.restored.from.ID, Reason: c.Failure.GetMessage(), Older: p.restored.older,
		})
	} else {
		d.step(lifecycle.TaskChanged{Attempt: types.Attempt(c.Attempt), Task: id, State: lifecycle.TaskState(c.State), Failure: failureOf(c.Failure)})
	}
	d.maybeGone()
}

// lost tells the lifecycle of a task manager that had a part of the attempt.
func (d *driver) lost(id types.TaskManagerID, why string) {
	if d.at == nil {
		return
	}
	var regions []int
	for task, slot := range d.at.slots {
		if slot.TaskManager == id {
			regions = append(regions, d.at.regionOf[task.Vertex])
			delete(d.at.live, task)
		}
	}
	if len(regions) > 0 {
		slices.Sort(regions)
		d.step(lifecycle.TaskManagerLost{Attempt: d.at.number, TaskManager: id, Regions: slices.Compact(regions), Reason: why})
	}
	d.maybeGone()
}

// cancelAttempt ends what runs; maybeGone says when it has.
func (d *driver) cancelAttempt(fx lifecycle.CancelAttempt) {
	d.waiting = false
	if d.collecting != nil {
		d.stopCollecting()
	}
	if d.at == nil {
		d.step(lifecycle.AttemptGone{Attempt: fx.Attempt})
		return
	}
	d.at.cancelling = true
	d.toAttempt(d.cancelMessage)
	if d.at.coordinator == nil {
		d.at.closed = true
	} else {
		d.coordinate(checkpoint.Close{Reason: fx.Reason})
	}
	d.maybeGone()
}

// cancelRegions ends what runs of some regions; maybeGone says when it has.
func (d *driver) cancelRegions(fx lifecycle.CancelRegions) {
	d.waiting = false
	var vertices []types.VertexID
	for _, r := range fx.Regions {
		d.toRegion(r, d.cancelMessage)
		vertices = append(vertices, d.regions[r]...)
	}
	d.at.ending, d.at.quiet = append(d.at.ending, fx.Regions...), false
	d.coordinate(checkpoint.RegionsStopped{Vertices: vertices, Reason: fx.Reason})
	d.maybeGone()
}

// maybeGone tells the lifecycle when what is being cancelled has ended.
func (d *driver) maybeGone() {
	a := d.at
	switch {
	case a == nil:
	case a.cancelling:
		if a.closed && len(a.live) == 0 {
			d.at = nil
			d.step(lifecycle.AttemptGone{Attempt: a.number})
		}
	case len(a.ending) > 0 && a.quiet:
		for t := range a.live {
			if a.has(a.ending, t) {
				return
			}
		}
		d.regionsGone()
	}
}

// regionsGone forgets what is over of the attempt.
func (d *driver) regionsGone() {
	a := d.at
	for t := range a.slots {
		if a.has(a.ending, t) {
			delete(a.slots, t)
		}
	}
	for _, r := range a.ending {
		a.of[r] = nil
		for _, v := range d.regions[r] {
			d.view.setVertexTrouble(a.number, v, "")
		}
	}
	a.ending = nil
	d.step(lifecycle.RegionsGone{Attempt: a.number})
}

// coordinatorReady notes that a coordinator task runs; behind the last one
// tasks may be deployed.
func (d *driver) coordinatorReady(id coordinatorID) {
	p := d.at.last
	if !p.awaited[id] {
		return
	}
	delete(p.awaited, id)
	if len(p.awaited) == 0 {
		d.step(lifecycle.CoordinatorsReady{Attempt: p.attempt})
	}
}

// storeEnumerator makes what an enumerator found durable, before anybody reads it. One is stored at a time: a state that
// overtook a later one would forget splits, and so would assignments.
func (d *driver) storeEnumerator(e *controlv1.EnumeratorAssigned) {
	if d.findings = append(d.findings, e); len(d.findings) == 1 {
		d.storeFindings()
	}
}

func (d *driver) storeFindings() {
	e := d.findings[0]
	d.later(func() any {
		return enumeratorStored{e, d.patiently(func() error {
			return d.store.storeEnumerator(d.ctx, types.VertexID(e.VertexId), e.State)
		})}
	})
}

// findingsStored goes on with an enumerator's findings, and with those that waited.
func (d *driver) findingsStored(e enumeratorStored) {
	d.findings = d.findings[1:]
	if len(d.findings) > 0 {
		d.storeFindings()
	}
	if p := d.deployment(e.msg.VertexId, e.msg.Attempt); p != nil && d.ok("store found splits", e.err) {
		d.enumeratorStored(p, e.msg)
	}
}

func (d *driver) enumeratorStored(p *deployment, e *controlv1.EnumeratorAssigned) {
	if !p.deployed {
		p.early = append(p.early, e)
		return
	}
	d.assign(e)
	// Behind the assignments, so that no barrier overtakes them.
	d.coordinate(checkpoint.EnumeratorState{Vertex: types.VertexID(e.VertexId), State: e.State})
}

// assign passes an enumerator's assignments on.
func (d *driver) assign(e *controlv1.EnumeratorAssigned) {
	for _, s := range e.Assignments {
		slot, ok := d.at.slots[taskID(e.VertexId, s.Subtask)]
		if !ok {
			continue
		}
		d.l.registry.send(slot.TaskManager, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_AssignSplits{
			AssignSplits: &controlv1.AssignSplits{
				JobId: string(d.store.job), Attempt: e.Attempt, VertexId: e.VertexId, Assignment: s,
			},
		}})
	}
}

// describeTasks shows the tasks of some regions to clients.
func (d *driver) describeTasks(p *deployment) {
	tasks := make(map[types.TaskID]*apiv1.TaskDescription)
	for _, id := range d.at.tasks(p.regions) {
		slot := d.at.slots[id]
		tasks[id] = &apiv1.TaskDescription{
			VertexId: string(id.Vertex), VertexName: d.graph.Vertex(id.Vertex).Name, Subtask: id.Subtask,
			TaskManagerId: string(slot.TaskManager), Slot: slot.Index, PlacementReason: d.at.reasons[id],
			Attempt: uint64(d.at.numberOf(id.Vertex)),
		}
	}
	d.view.setTasks(func(id types.TaskID) bool { return d.at.has(p.regions, id) }, tasks)
	d.view.update(func(j *apiv1.DescribeJobResponse) { j.Attempt = uint64(d.at.number) })
}

func (d *driver) cancelMessage(attempt uint64) *controlv1.JobManagerMessage {
	return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Cancel{
		Cancel: &controlv1.Cancel{JobId: string(d.store.job), Attempt: attempt},
	}}
}

func (d *driver) finishMessage(attempt uint64) *controlv1.JobManagerMessage {
	return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Finish{
		Finish: &controlv1.Finish{JobId: string(d.store.job), Attempt: attempt},
	}}
}

func (d *driver) drainMessage(attempt uint64) *controlv1.JobManagerMessage {
	return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Drain{
		Drain: &controlv1.Drain{JobId: string(d.store.job), Attempt: attempt},
	}}
}

func isNotFound(err error) bool { return errors.Is(err, coord.ErrNotFound) }

// hasCommitter tells whether a vertex has a committer task: every sink has one,
// which answers at once where the connector has nothing to commit.
func hasCommitter(v *jobgraph.Vertex) bool { return v.Sink != nil }
