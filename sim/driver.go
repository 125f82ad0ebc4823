package sim

import (
	"fmt"
	"slices"
	"sort"

	"millrace/checkpoint"
	"millrace/internal/failure"
	"millrace/internal/mutant"
	"millrace/jobgraph"
	"millrace/jobmanager/lifecycle"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/scheduler"
	"millrace/types"
)

// driver is the shell of jobmanager/driver.go without its goroutine: it owns the job's cores, lifecycle.Machine and
// checkpoint.Coordinator, feeds them, and carries their effects out through the models.
type driver struct {
	jm      *jobManager
	store   *jobStore
	machine *lifecycle.Machine // nil until what is durable was read
	stopped bool               // the leadership is over

	allotted  allotment
	at        *deployed
	waiting   bool
	lower     bool
	previous  scheduler.Assignment
	confirmed types.CheckpointID
}

// deployed is what the driver knows of the job as it is deployed.
type deployed struct {
	allotment
	placement   uint64
	slots       map[types.TaskID]types.SlotID
	widths      map[types.VertexID]int32
	coordinator *checkpoint.Coordinator
	live        map[types.TaskID]bool
	cancelling  bool
	closed      bool

	of     []*deployment // by region; nil while it is gone
	last   *deployment
	ending []int
	quiet  bool
}

// deployment is the regions that were deployed together.
type deployment struct {
	attempt  types.Attempt
	regions  []int
	restored restored
	awaited  map[coordinatorID]bool
	deployed bool
	early    []*controlv1.EnumeratorAssigned
}

type coordinatorID struct {
	vertex types.VertexID
	role   controlv1.CoordinatorRole
}

func (p *deployment) number(region int) types.Attempt {
	return p.attempt + types.Attempt(slices.Index(p.regions, region))
}

func newDriver(jm *jobManager) *driver {
	return &driver{jm: jm, store: &jobStore{etcd: jm.store, blob: jm.blob, term: jm.term, keys: jobKeys()}}
}

// later has something done beside the driver, until it succeeds or waiting does not help.
func (d *driver) later(do func() error, then func(error)) {
	wait := int64(retryMin)
	var try func()
	try = func() {
		if d.stopped {
			return
		}
		err := do()
		if err != nil && isDoubt(err) {
			d.jm.after(wait, try)
			wait = min(2*wait, retryMax)
			return
		}
		then(err)
	}
	d.jm.after(1+d.jm.w.latency(), try)
}

// ok ends the driver's work for this term where a store has refused something for good.
func (d *driver) ok(what string, err error) bool {
	if err != nil {
		d.jm.tell("stands still: could not %s: %v", what, err)
		if d.jm.lead != nil && d.jm.isFenced() {
			d.jm.after(d.jm.w.between(0, 200), func() {
				if d.jm.lead != nil && d.jm.isFenced() {
					d.jm.stepDown("fenced")
				}
			})
		}
	}
	return err == nil
}

// begin reads what is durable and makes the machine.
func (d *driver) begin() {
	var rec *checkpointv1.JobRecord
	var last uint64
	d.later(func() (err error) {
		if rec, err = d.store.record(); err != nil {
			return err
		}
		last, _, err = d.store.number(d.store.keys.Attempt())
		if isNotFound(err) {
			err = nil
		}
		return err
	}, func(err error) {
		if !d.ok("read the job", err) {
			return
		}
		g := d.jm.w.job.graph
		d.machine = lifecycle.New(lifecycle.Config{Restart: g.Restart, Regions: d.jm.w.job.regions, Seed: d.jm.w.seed})
		d.tick()
		d.collect()
		if last == 0 && rec.Phase == checkpointv1.JobPhase_JOB_PHASE_ACTIVE {
			d.step(lifecycle.Start{})
			return
		}
		d.step(lifecycle.Recovered{Phase: rec.Phase, Attempt: types.Attempt(last), Failure: rec.Failure})
	})
}

func (d *driver) tick() {
	if d.machine == nil {
		return
	}
	d.step(lifecycle.Tick{Now: d.jm.NowMillis()})
	if d.at != nil {
		d.coordinate(checkpoint.Tick{Now: d.jm.NowMillis()})
	}
}

// step feeds the lifecycle and carries its effects out.
func (d *driver) step(e lifecycle.Event) {
	if _, tick := e.(lifecycle.Tick); !tick {
		d.jm.tell("%s", e)
	}
	for _, fx := range d.machine.Step(e) {
		d.jm.tell("  %s", fx)
		d.carryOut(fx)
	}
}

func (d *driver) carryOut(fx lifecycle.Effect) {
	switch fx := fx.(type) {
	case lifecycle.AllotAttempt:
		d.allot(fx.Regions)
	case lifecycle.RequestResources:
		d.requestResources(fx)
	case lifecycle.CancelRegions:
		d.cancelRegions(fx)
	case lifecycle.DeployCoordinators:
		d.readRestore(fx.Before)
	case lifecycle.DeployTasks:
		d.deployTasks()
	case lifecycle.StartCheckpointing:
		d.coordinate(checkpoint.TasksRunning{})
	case lifecycle.RequestCheckpoint:
		d.coordinate(checkpoint.TriggerRequested{Kind: checkpoint.Periodic})
	case lifecycle.RequestFinal:
		d.coordinate(checkpoint.TriggerRequested{Kind: fx.Kind})
	case lifecycle.DrainSources:
		d.toAttempt(func(a uint64) *controlv1.JobManagerMessage {
			return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Drain{Drain: &controlv1.Drain{JobId: string(jobName), Attempt: a}}}
		})
	case lifecycle.FinishTasks:
		d.toAttempt(func(a uint64) *controlv1.JobManagerMessage {
			return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Finish{Finish: &controlv1.Finish{JobId: string(jobName), Attempt: a}}}
		})
	case lifecycle.CancelAttempt:
		d.cancelAttempt(fx)
	case lifecycle.StoreTerminal:
		d.later(func() error { return d.store.phase(phaseOf[fx.State], fx.Reason) }, func(err error) {
			if d.ok("store the job's end", err) {
				d.step(lifecycle.TerminalStored{})
			}
		})
	case lifecycle.Report:
		if fx.State.Terminal() {
			d.toAttempt(cancelMessage)
			d.at = nil
		}
	case lifecycle.ScheduleRestart, lifecycle.FallBack, lifecycle.Rescale: // told to people only
	}
}

var phaseOf = map[lifecycle.State]checkpointv1.JobPhase{
	lifecycle.Finished: checkpointv1.JobPhase_JOB_PHASE_FINISHED, lifecycle.Canceled: checkpointv1.JobPhase_JOB_PHASE_CANCELED,
	lifecycle.Failed: checkpointv1.JobPhase_JOB_PHASE_FAILED, lifecycle.Stopped: checkpointv1.JobPhase_JOB_PHASE_STOPPED,
}

func (d *driver) allot(regions []int) {
	whole := len(regions) == len(d.jm.w.job.regions)
	var a allotment
	d.later(func() (err error) {
		if whole {
			a, err = d.store.allot(len(regions))
			return err
		}
		a.attempt, err = d.store.allotRegions(len(regions))
		return err
	}, func(err error) {
		if !d.ok("allot an attempt", err) {
			return
		}
		if whole {
			d.allotted = a
		}
		d.step(lifecycle.AttemptAllotted{Attempt: a.attempt, Regions: regions})
	})
}

func (d *driver) requestResources(fx lifecycle.RequestResources) {
	if d.at == nil {
		d.at = &deployed{
			allotment: d.allotted, slots: make(map[types.TaskID]types.SlotID), widths: make(map[types.VertexID]int32),
			live: make(map[types.TaskID]bool), of: make([]*deployment, len(d.jm.w.job.regions)),
		}
	}
	if d.at.last == nil || d.at.last.attempt != fx.Attempt {
		d.at.last = &deployment{attempt: fx.Attempt, regions: fx.Regions}
		for _, r := range fx.Regions {
			d.at.of[r] = d.at.last
		}
	}
	d.waiting, d.lower = true, fx.Lower
	d.schedule()
}

func (d *driver) slotsChanged() {
	if d.waiting && d.machine != nil {
		d.schedule()
	}
}

// schedule looks for slots for the regions that are to be deployed, and waits on where there are too few.
func (d *driver) schedule() {
	if d.at == nil || d.at.cancelling {
		return
	}
	p := d.at.last
	policy := scheduler.Policy{AllowLower: d.jm.w.faults.adaptive && d.lower}
	a, report := scheduler.Schedule(d.jm.cluster(), d.pinned(p), d.previous, policy)
	missing := lifecycle.ResourcesMissing{Attempt: p.attempt, Reason: report.Waiting()}
	for _, t := range d.tasksOf(nil) {
		if a.Tasks[t] != d.at.slots[t] {
			missing.Reason, missing.All = fmt.Sprintf("there are slots only where %s moves", t), true
		}
	}
	if report.Unplaced() > 0 || missing.All {
		d.step(missing)
		return
	}
	d.waiting, d.previous = false, a
	var tasks []types.TaskID
	for _, t := range report.Tasks {
		if d.has(p.regions, t.Task) {
			tasks = append(tasks, t.Task)
			d.at.slots[t.Task] = t.Slot
			d.at.widths[t.Task.Vertex] = int32(a.Parallelism[t.Task.Vertex])
		}
	}
	d.at.placement++
	d.step(lifecycle.ResourcesAvailable{Attempt: p.attempt, Placement: d.at.placement, Tasks: tasks})
}

// pinned returns the graph with the parallelism that runs, of regions that stay as they are.
func (d *driver) pinned(p *deployment) *jobgraph.Graph {
	g := *d.jm.w.job.graph
	if len(p.regions) == len(d.at.of) {
		return &g
	}
	g.Vertices = slices.Clone(g.Vertices)
	for i := range g.Vertices {
		if v := &g.Vertices[i]; !slices.Contains(p.regions, d.regionOf(v.ID)) {
			v.Parallelism = int(d.at.widths[v.ID])
		}
	}
	return &g
}

func (d *driver) regionOf(v types.VertexID) int {
	return slices.IndexFunc(d.jm.w.job.regions, func(r []types.VertexID) bool { return slices.Contains(r, v) })
}

func (d *driver) has(regions []int, t types.TaskID) bool {
	return slices.Contains(regions, d.regionOf(t.Vertex))
}

// tasksOf returns the tasks of some regions, of all for nil, in order.
func (d *driver) tasksOf(regions []int) (out []types.TaskID) {
	for t := range d.at.slots {
		if regions == nil || d.has(regions, t) {
			out = append(out, t)
		}
	}
	sort.Slice(out, func(i, k int) bool { return out[i].Less(out[k]) })
	return out
}

func (d *driver) managers(region int) (out []types.TaskManagerID) {
	for _, t := range d.tasksOf([]int{region}) {
		out = append(out, d.at.slots[t].TaskManager)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (d *driver) home(v types.VertexID) types.TaskManagerID {
	return d.at.slots[types.TaskID{Vertex: v}].TaskManager
}

func (d *driver) numberOf(v types.VertexID) types.Attempt {
	r := d.regionOf(v)
	if d.at.of[r] == nil {
		return 0
	}
	return d.at.of[r].number(r)
}

func (d *driver) toAttempt(msg func(attempt uint64) *controlv1.JobManagerMessage) {
	if d.at == nil {
		return
	}
	for region := range d.at.of {
		d.toRegion(region, msg)
	}
}

func (d *driver) toRegion(region int, msg func(attempt uint64) *controlv1.JobManagerMessage) {
	if p := d.at.of[region]; p != nil {
		for _, id := range d.managers(region) {
			d.jm.send(id, msg(uint64(p.number(region))))
		}
	}
}

func cancelMessage(a uint64) *controlv1.JobManagerMessage {
	return &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Cancel{Cancel: &controlv1.Cancel{JobId: string(jobName), Attempt: a}}}
}

func (d *driver) lost(id types.TaskManagerID) {
	if d.at == nil || d.machine == nil {
		return
	}
	var regions []int
	for _, t := range d.tasksOf(nil) {
		if d.at.slots[t].TaskManager == id {
			regions = append(regions, d.regionOf(t.Vertex))
			delete(d.at.live, t)
		}
	}
	if len(regions) > 0 {
		slices.Sort(regions)
		d.step(lifecycle.TaskManagerLost{Attempt: d.at.attempt, TaskManager: id, Regions: slices.Compact(regions)})
	}
	d.maybeGone()
}

func (d *driver) cancelAttempt(fx lifecycle.CancelAttempt) {
	d.waiting = false
	if d.at == nil {
		d.step(lifecycle.AttemptGone{Attempt: fx.Attempt})
		return
	}
	d.at.cancelling = true
	d.toAttempt(cancelMessage)
	if d.at.coordinator == nil {
		d.at.closed = true
	} else {
		d.coordinate(checkpoint.Close{Reason: fx.Reason})
	}
	d.maybeGone()
}

func (d *driver) cancelRegions(fx lifecycle.CancelRegions) {
	d.waiting = false
	var vertices []types.VertexID
	for _, r := range fx.Regions {
		d.toRegion(r, cancelMessage)
		vertices = append(vertices, d.jm.w.job.regions[r]...)
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
			d.step(lifecycle.AttemptGone{Attempt: a.attempt})
		}
	case len(a.ending) > 0 && a.quiet:
		for t := range a.live {
			if d.has(a.ending, t) {
				return
			}
		}
		d.regionsGone()
	}
}

func (d *driver) regionsGone() {
	a := d.at
	for _, t := range d.tasksOf(a.ending) {
		delete(a.slots, t)
	}
	for _, r := range a.ending {
		a.of[r] = nil
	}
	a.ending = nil
	d.step(lifecycle.RegionsGone{Attempt: a.attempt})
}

// deployment returns the one that an attempt of a vertex' region is of, nil if that is over.
func (d *driver) deployment(vertex string, attempt uint64) *deployment {
	v := types.VertexID(vertex)
	if d.at == nil || attempt == 0 || uint64(d.numberOf(v)) != attempt {
		return nil
	}
	return d.at.of[d.regionOf(v)]
}

func taskID(vertex string, subtask int32) types.TaskID {
	return types.TaskID{Vertex: types.VertexID(vertex), Subtask: subtask}
}

// message takes one message of a task manager.
func (d *driver) message(m *controlv1.TaskManagerMessage) {
	if d.machine == nil {
		return
	}
	switch r := m.Message.(type) {
	case *controlv1.TaskManagerMessage_TaskChanged:
		if p := d.deployment(r.TaskChanged.VertexId, r.TaskChanged.Attempt); p != nil {
			d.taskChanged(p, r.TaskChanged)
		}
	case *controlv1.TaskManagerMessage_TaskSnapshotted:
		if s := r.TaskSnapshotted; d.deployment(s.VertexId, s.Attempt) != nil {
			d.coordinate(checkpoint.Acknowledged{
				ID: types.CheckpointID(s.CheckpointId), Task: taskID(s.VertexId, s.Subtask), State: s.State,
				Figures: checkpoint.Figures{WrittenBytes: s.Figures.GetWrittenBytes(), StateBytes: s.Figures.GetStateBytes()},
			})
		}
	case *controlv1.TaskManagerMessage_CheckpointDeclined:
		if c := r.CheckpointDeclined; d.deployment(c.VertexId, c.Attempt) != nil {
			d.coordinate(checkpoint.Declined{ID: types.CheckpointID(c.CheckpointId), Task: taskID(c.VertexId, c.Subtask), Reason: c.Failure.GetMessage()})
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
	case *controlv1.TaskManagerMessage_CoordinatorFailed:
		if c := r.CoordinatorFailed; d.deployment(c.VertexId, c.Attempt) != nil {
			d.step(lifecycle.CoordinatorFailed{
				Attempt: types.Attempt(c.Attempt), Vertex: types.VertexID(c.VertexId), Failure: failureFrom(c.Failure), Ahead: c.Failure.GetOutputAhead(),
			})
		}
	}
}

func failureFrom(f *controlv1.Failure) lifecycle.Failure {
	out := lifecycle.Failure{Message: f.GetMessage(), Position: f.GetPosition(), Consequence: f.GetConsequence()}
	for domain, p := range domains {
		if p == f.GetDomain() {
			out.Class.Domain = domain
		}
	}
	for retry, p := range retries {
		if p == f.GetRetry() {
			out.Class.Retry = retry
		}
	}
	return out
}

func (d *driver) taskChanged(p *deployment, c *controlv1.TaskChanged) {
	id := taskID(c.VertexId, c.Subtask)
	switch c.State {
	case controlv1.TaskState_TASK_STATE_FINISHED, controlv1.TaskState_TASK_STATE_FAILED, controlv1.TaskState_TASK_STATE_CANCELED:
		delete(d.at.live, id)
	case controlv1.TaskState_TASK_STATE_ENDED:
		if !d.has(d.at.ending, id) {
			d.coordinate(checkpoint.TaskEnded{Task: id})
		}
	default: // on its way
	}
	if c.Failure.GetCorruptCheckpoint() {
		d.step(lifecycle.RestoreFailed{Attempt: p.attempt, Checkpoint: p.restored.from.ID, Reason: c.Failure.GetMessage(), Older: p.restored.older})
	} else {
		d.step(lifecycle.TaskChanged{Attempt: types.Attempt(c.Attempt), Task: id, State: lifecycle.TaskState(c.State), Failure: failureFrom(c.Failure)})
	}
	d.maybeGone()
}

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

// storeEnumerator makes what an enumerator found durable, before anybody reads it.
func (d *driver) storeEnumerator(e *controlv1.EnumeratorAssigned) {
	d.later(func() error { return d.store.storeEnumerator(types.VertexID(e.VertexId), e.State) }, func(err error) {
		if p := d.deployment(e.VertexId, e.Attempt); p != nil && d.ok("store found splits", err) {
			d.enumeratorStored(p, e)
		}
	})
}

func (d *driver) enumeratorStored(p *deployment, e *controlv1.EnumeratorAssigned) {
	if !p.deployed {
		p.early = append(p.early, e)
		return
	}
	for _, s := range e.Assignments {
		if slot, ok := d.at.slots[taskID(e.VertexId, s.Subtask)]; ok {
			d.jm.send(slot.TaskManager, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_AssignSplits{
				AssignSplits: &controlv1.AssignSplits{JobId: string(jobName), Attempt: e.Attempt, VertexId: e.VertexId, Assignment: s},
			}})
		}
	}
	// Behind the assignments, so that no barrier overtakes them.
	d.coordinate(checkpoint.EnumeratorState{Vertex: types.VertexID(e.VertexId), State: e.State})
}

// stopAsked is the user's wish.
func (d *driver) stopAsked() {
	if d.machine != nil && !d.stopped && !d.machine.State().Terminal() {
		d.step(lifecycle.StopRequested{Drain: true})
	}
}

var errNoCheckpoint = failure.Internalf("none of the retained checkpoints can be restored")

// choose tells which of the retained checkpoints a restore takes, and how many are older.
func choose(retained []checkpoint.Pointer, before types.CheckpointID) (p checkpoint.Pointer, older int) {
	for i, r := range retained {
		if before == 0 || r.ID < before {
			p, older = r, i
		}
		if mutant.On(mutant.OldestRestored) && p.ID != 0 {
			break
		}
	}
	return p, older
}
