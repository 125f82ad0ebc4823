package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"millrace/checkpoint"
	"millrace/failure"
	"millrace/internal/events"
	"millrace/internal/metrics"
	"millrace/internal/mutant"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	jobv1 "millrace/proto/millrace/job/v1"
	"millrace/scheduler"
	"millrace/types"
)

// driver carries one job: it owns the job's cores, feeds them, and carries
// their effects out. Its methods run on its goroutine, post and the view aside.
type driver struct {
	l       *leadership
	store   *jobStore
	rec     *checkpointv1.JobRecord
	proto   *jobv1.JobGraph
	graph   *jobgraph.Graph
	regions [][]types.VertexID // of the graph
	asked   []any              // by clients, before the graph was there
	// unreadable is why the graph never will be.
	unreadable error
	machine    *lifecycle.Machine
	view       *view
	events     events.Listener
	metrics    *metrics.Job

	allotted allotment // the last
	at       *attempt  // nil before the first and between attempts
	waiting  bool      // for slots
	lower    bool      // fewer slots than wanted will do
	previous scheduler.Assignment
	restarts int32
	takeover bool               // another leader ran the job, and no attempt of this term has begun
	fallback types.CheckpointID // restored from next where the latest is not
	ticked   int64
	// collecting is what is found of a job that another leader left; nil when that is over. adopting is the same while the
	// lifecycle decides about it, floor the attempt that the job was deployed as.
	collecting, adopting *collecting
	floor                types.Attempt
	findings             []*controlv1.EnumeratorAssigned // that are not stored, in order
	saves                savepoints
	// confirmed is the newest checkpoint of which this leader knows that its output is committed.
	confirmed types.CheckpointID

	// deletions are those of superseded checkpoints that are under way.
	deletions sync.WaitGroup

	ctx   context.Context // of the leadership
	done  chan struct{}
	inbox inbox
}

// Events of the shell, beside the messages of task managers.
type (
	fromTaskManager struct {
		id  types.TaskManagerID
		msg *controlv1.TaskManagerMessage
	}
	progressReported struct {
		id types.TaskManagerID
		p  *controlv1.TaskProgress
	}
	slotsChanged    struct{}
	taskManagerLost struct {
		id  types.TaskManagerID
		why string
	}
	cancelAsked struct{ reply chan error }
	stopAsked   struct {
		how   lifecycle.StopRequested
		reply chan error
	}
	// graphRead, attemptAllotted, ... answer what the driver has set off.
	graphRead struct {
		proto *jobv1.JobGraph
		graph *jobgraph.Graph
		last  types.Attempt
		at    types.CheckpointID // the last complete one
		found collecting         // what is known of where the job ran

		savepoints *checkpointv1.JobSavepoints
		floor      types.Attempt
		err        error
	}
	stopStored struct {
		how   lifecycle.StopRequested
		reply chan error
		err   error
	}
	attemptAllotted struct {
		allotment
		regions []int
		err     error
	}
	cancelStored struct {
		reply chan error
		err   error
	}
	terminalStored   struct{ err error }
	enumeratorStored struct {
		msg *controlv1.EnumeratorAssigned
		err error
	}
	restoreRead struct {
		attempt types.Attempt
		before  types.CheckpointID
		restored
		err error
	}
	persisted struct {
		attempt types.Attempt
		event   checkpoint.Event
	}
	idsAllotted struct {
		attempt types.Attempt
		through types.CheckpointID
		err     error
	}
)

// inbox holds events for a driver. It never blocks a sender. Progress beyond
// inboxMax is dropped, since later progress says more; all else is bounded by
// the tasks, task managers and calls under way.
type inbox struct {
	mu struct {
		sync.Mutex
		events []any
	}
	ready chan struct{}
}

// post gives the driver an event. It may be called from any goroutine.
func (d *driver) post(e any) {
	d.inbox.mu.Lock()
	if _, progress := e.(progressReported); !progress || len(d.inbox.mu.events) < inboxMax {
		d.inbox.mu.events = append(d.inbox.mu.events, e)
	}
	d.inbox.mu.Unlock()
	select {
	case d.inbox.ready <- struct{}{}:
	default:
	}
}

func (d *driver) take() []any {
	d.inbox.mu.Lock()
	defer d.inbox.mu.Unlock()
	out := d.inbox.mu.events
	d.inbox.mu.events = nil
	return out
}

func newDriver(l *leadership, store *jobStore, rec *checkpointv1.JobRecord) (*driver, error) {
	d := &driver{l: l, store: store, rec: rec, ctx: l.ctx, done: make(chan struct{})}
	d.collecting = &collecting{found: make(inventories)}
	d.inbox.ready = make(chan struct{}, 1)
	d.metrics = l.jm.Metrics.Job(metrics.JobScope{Job: string(store.job), JobName: rec.Name})
	d.events = events.Tee(events.Log(l.jm.Log), d.metrics.Listener(string(store.job)))
	d.view = newView(l.jm.Clock, rec)
	return d, nil
}

// run is the driver's goroutine. It ends with the job or the leadership.
func (d *driver) run(ctx context.Context) {
	defer d.end()
	d.later(func() any { return d.readGraph() })
	// The next tick does not move: events that come faster than ticks would put it off for ever.
	next := d.l.jm.Clock.After(tickInterval)
	for !d.over() {
		select {
		case <-ctx.Done():
			return
		case <-d.inbox.ready:
			d.turn(ctx)
		case <-next:
			d.tick()
			next = d.l.jm.Clock.After(tickInterval)
		}
	}
}

// turn handles what waits.
func (d *driver) turn(ctx context.Context) {
	for _, e := range d.take() {
		if ctx.Err() != nil {
			return // whoever leads next goes on with what runs: that task managers go there is no loss
		}
		d.handle(e)
	}
}

// end tells those who watch that nothing follows.
func (d *driver) end() {
	d.view.end(d.l.jm.Clock.Now())
	if d.over() {
		d.l.jm.Metrics.RemoveJob(d.metrics)
	}
	close(d.done)
}

func (d *driver) over() bool { return d.machine != nil && d.machine.State().Terminal() && d.at == nil }

// later runs f beside the driver and posts what it returns.
func (d *driver) later(f func() any) {
	d.l.beside(func() { d.post(f()) })
}

// delete runs f beside the driver; the job has not ended before it.
func (d *driver) delete(f func()) {
	d.deletions.Add(1)
	d.l.beside(func() {
		defer d.deletions.Done()
		f()
	})
}

// see tells who watches the cores.
func (d *driver) see(what fmt.Stringer) {
	if d.l.saw != nil {
		d.l.saw(d.store.job, what)
	}
}

// patiently is the function of that name for this driver's stores.
func (d *driver) patiently(f func() error) error {
	return patiently(d.ctx, d.l.jm.Clock, d.view.setTrouble, f)
}

// worthWaiting tells whether a store's error may go away.
func worthWaiting(err error) bool { return failure.ClassOf(err).Retry == failure.Backoff }

func (d *driver) readGraph() graphRead {
	var r graphRead
	r.err = d.patiently(func() (err error) {
		r.proto, err = d.store.graph(d.ctx, d.rec)
		return err
	})
	if r.err != nil {
		return r
	}
	if r.graph, r.err = codec.FromProto(r.proto); r.err != nil {
		return r
	}
	r.err = d.patiently(func() error {
		n, _, err := d.store.number(d.ctx, d.store.keys.Attempt())
		if isNotFound(err) {
			return nil
		}
		r.last = types.Attempt(n)
		return err
	})
	if r.err == nil {
		r.err = d.patiently(func() error {
			l, _, err := d.store.latest(d.ctx)
			r.at = types.CheckpointID(l.GetCheckpointId())
			return err
		})
	}
	if r.err == nil && r.last != 0 {
		r.err = d.patiently(func() error { return d.readDeployment(&r) })
	}
	if r.err == nil {
		r.err = d.patiently(func() (err error) {
			r.savepoints, _, err = d.store.savepoints(d.ctx)
			return err
		})
	}
	return r
}

// readDeployment reads what is known of how the job was deployed last.
func (d *driver) readDeployment(r *graphRead) (err error) {
	floor, _, err := d.store.number(d.ctx, d.store.keys.AttemptFloor())
	if err != nil && !isNotFound(err) {
		return err
	}
	r.floor = types.Attempt(floor)
	if r.found.numbers, err = d.store.regionNumbers(d.ctx); err != nil {
		return err
	}
	r.found.placed, err = d.store.placement(d.ctx)
	return err
}

// begin makes the job's cores once its graph is there.
func (d *driver) begin(r graphRead) {
	if r.err != nil {
		if d.ctx.Err() == nil {
			d.l.jm.Log.Error("job can't be recovered", "job", d.store.job, "cause", r.err)
			d.view.setTrouble(r.err)
		}
		d.unreadable = r.err
		return
	}
	d.proto, d.graph, d.view.graph = r.proto, withParallelism(r.graph, d.rec), r.graph
	d.regions = r.graph.Regions()
	d.view.update(func(j *apiv1.DescribeJobResponse) {
		j.Explanation, j.Attempt, j.RestoredFrom = jobgraph.Explain(r.graph), uint64(r.last), d.rec.RestoredFrom
		j.Program = describeProgram(r.graph)
		j.Savepoints = d.l.jm.describeSavepoints(r.savepoints)
		if r.at != 0 {
			j.LastCheckpoint = &apiv1.CheckpointDescription{CheckpointId: uint64(r.at)}
		}
	})
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(d.store.job))
	d.machine = lifecycle.New(lifecycle.Config{Restart: r.graph.Restart, Rescale: d.l.jm.Rescale.RescaleSpec, Regions: d.regions, Seed: seed.Sum64()})
	d.tick()
	d.delete(d.finishDeletions)
	if r.last == 0 && d.rec.Phase == checkpointv1.JobPhase_JOB_PHASE_ACTIVE {
		d.stopCollecting()
		d.step(lifecycle.Start{})
	} else {
		d.recovered(r)
	}
	if d.rec.Stop != checkpointv1.JobStop_JOB_STOP_UNSPECIFIED {
		d.step(lifecycle.StopRequested{Drain: d.rec.Stop == checkpointv1.JobStop_JOB_STOP_DRAIN, Savepoint: d.rec.StopSavepoint})
	}
}

// recovered begins with what another leader left.
func (d *driver) recovered(r graphRead) {
	d.takeover = true
	known := r.floor != 0 && len(r.found.numbers) == len(d.regions) && !mutant.On(mutant.TakeoverRestarts)
	d.floor = r.last
	if known {
		d.floor, d.collecting.numbers, d.collecting.placed = r.floor, r.found.numbers, r.found.placed
	}
	d.step(lifecycle.Recovered{Phase: d.rec.Phase, Attempt: d.floor, Known: known, Failure: d.rec.Failure})
}

// tick tells the cores the time, and once a second the watchers the figures.
func (d *driver) tick() {
	if d.machine == nil {
		return
	}
	now := d.l.jm.Clock.NowMillis()
	d.step(lifecycle.Tick{Now: now})
	if d.at != nil {
		d.coordinate(checkpoint.Tick{Now: now})
	}
	if now-d.ticked >= time.Second.Milliseconds() {
		d.ticked = now
		d.view.tellProgress()
	}
}

// handle takes one event of the shell.
func (d *driver) handle(e any) {
	if d.collecting != nil && d.collect(e) {
		return
	}
	if r, ok := e.(graphRead); ok {
		d.begin(r)
		asked := d.asked
		d.asked = nil
		for _, e := range asked {
			d.handle(e)
		}
		return
	}
	if d.machine == nil {
		d.tooEarly(e)
		return
	}
	switch e := e.(type) {
	case fromTaskManager:
		d.message(e.msg)
	case inventoried:
		d.inventoried(e)
	case scrubbed:
		d.scrubbed(e)
	case progressReported:
		if d.deployment(e.p.VertexId, e.p.Attempt) != nil {
			d.view.setProgress(e.p)
		}
	case slotsChanged:
		if d.waiting {
			d.schedule()
		} else {
			d.reconsider()
		}
	case taskManagerLost:
		d.lost(e.id, e.why)
	case cancelAsked:
		d.later(func() any {
			return cancelStored{e.reply, d.store.phase(d.ctx, checkpointv1.JobPhase_JOB_PHASE_CANCELLING, "", d.l.jm.Clock.Now())}
		})
	case cancelStored:
		if e.err == nil {
			d.step(lifecycle.CancelRequested{})
		}
		e.reply <- e.err
	case savepointAsked:
		d.savepointAsked(e)
	case rescaleAsked:
		d.rescaleAsked(e)
	case rescaleStored:
		d.rescaleStored(e)
	case stopAsked:
		d.later(func() any { return stopStored{e.how, e.reply, d.store.stop(d.ctx, e.how)} })
	case stopStored:
		if e.err == nil {
			d.step(e.how)
		}
		e.reply <- e.err
	default:
		d.answer(e)
	}
}

// collect takes what concerns the search for what runs; false for all else.
func (d *driver) collect(e any) bool {
	switch e := e.(type) {
	case inventoried:
		d.inventoried(e)
	case taskManagerLost:
		d.lostInventory(e.id)
	case fromTaskManager:
		d.collecting.said = append(d.collecting.said, e)
	default:
		return false
	}
	return true
}

// tooEarly keeps what clients ask until the graph is there; a job whose graph
// can't be read says so.
func (d *driver) tooEarly(e any) {
	switch e := e.(type) {
	case cancelAsked:
		d.keep(e, e.reply)
	case stopAsked:
		d.keep(e, e.reply)
	case rescaleAsked:
		d.keep(e, e.reply)
	case savepointAsked:
		d.keep(e, e.reply)
	}
}

func (d *driver) keep(e any, reply chan error) {
	switch {
	case d.unreadable != nil:
		reply <- d.unreadable
	case len(d.asked) == askedMax:
		reply <- failure.External(errors.New("the job is being recovered"), failure.Backoff)
	default:
		d.asked = append(d.asked, e)
	}
}

// answer takes the outcome of something that the driver set off.
func (d *driver) answer(e any) {
	switch e := e.(type) {
	case attemptAllotted:
		if d.ok("allot an attempt", e.err) {
			if len(e.regions) == len(d.regions) {
				d.allotted = e.allotment
			}
			d.step(lifecycle.AttemptAllotted{Attempt: e.attempt, Regions: e.regions})
		}
	case terminalStored:
		if d.ok("store the job's end", e.err) {
			d.step(lifecycle.TerminalStored{})
		}
	case enumeratorStored:
		d.findingsStored(e)
	case adoptionRead:
		d.adoptionRead(e)
	case restoreRead:
		if d.at != nil && d.at.last.attempt == e.attempt {
			if e.err == nil {
				d.l.jm.Log.Info("restores", "job", d.store.job, "attempt", e.attempt, "checkpoint", e.from.ID)
				d.see(Restores{Attempt: e.attempt, From: e.from.ID, Before: e.before})
			}
			d.restoreRead(e)
		}
	case persisted:
		if d.current(e.attempt) {
			d.coordinate(e.event)
		}
	case idsAllotted:
		if d.current(e.attempt) && d.ok("allot checkpoint ids", e.err) {
			d.coordinate(checkpoint.IDsAllotted{Through: e.through})
		}
	}
}

func (d *driver) current(a types.Attempt) bool { return d.at != nil && d.at.number == a }

// ok ends the driver's work for this term where a store has refused something
// for good: somebody else leads, or something is broken that only people mend.
func (d *driver) ok(what string, err error) bool {
	if err == nil {
		return true
	}
	if d.ctx.Err() == nil {
		d.l.jm.Log.Error("job stands still: could not "+what, "job", d.store.job, "cause", err)
		d.view.setTrouble(err)
	}
	return false
}

// step feeds the lifecycle and carries its effects out.
func (d *driver) step(e lifecycle.Event) {
	d.see(e)
	for _, fx := range d.machine.Step(e) {
		d.see(fx)
		d.carryOut(fx)
	}
}

func (d *driver) carryOut(fx lifecycle.Effect) {
	switch fx := fx.(type) {
	case lifecycle.AllotAttempt:
		d.allot(fx.Regions)
	case lifecycle.RequestResources:
		if d.at == nil {
			d.at = newAttempt(d.allotted, d.regions, d.l.unique())
		}
		if d.at.last == nil || d.at.last.attempt != fx.Attempt {
			d.at.deploys(fx.Attempt, fx.Regions)
		}
		d.waiting, d.lower = true, fx.Lower
		d.schedule()
	case lifecycle.CollectTasks:
		d.collecting.asked = true
		d.judgeIfAll()
	case lifecycle.JudgeTasks:
		d.judge()
	case lifecycle.AdoptRegions:
		d.adoptRegions(fx)
	case lifecycle.CancelRegions:
		d.cancelRegions(fx)
	case lifecycle.DeployCoordinators:
		d.readRestore(fx.Before)
	case lifecycle.DeployTasks:
		d.at.last.drained = fx.Drained && d.at.last.restored.from.ID != 0 && !mutant.On(mutant.DrainReadsOn)
		d.deployTasks()
	case lifecycle.StartCheckpointing:
		d.coordinate(checkpoint.TasksRunning{})
	case lifecycle.RequestCheckpoint:
		d.coordinate(checkpoint.TriggerRequested{Kind: checkpoint.Periodic})
	case lifecycle.Rescale:
		d.noteRescale(fx.Reason)
	case lifecycle.RequestFinal:
		d.coordinate(checkpoint.TriggerRequested{Kind: fx.Kind, Savepoint: fx.Savepoint})
	case lifecycle.DrainSources:
		d.toAttempt(d.drainMessage)
	case lifecycle.FinishTasks:
		d.toAttempt(d.finishMessage)
	case lifecycle.CancelAttempt:
		d.cancelAttempt(fx)
	case lifecycle.StoreTerminal:
		phase := phaseOf[fx.State]
		d.later(func() any {
			return terminalStored{d.patiently(func() error { return d.store.phase(d.ctx, phase, fx.Reason, d.l.jm.Clock.Now()) })}
		})
	case lifecycle.ScheduleRestart:
		d.restarting(fx)
	case lifecycle.FallBack:
		d.fallBack(fx)
	case lifecycle.Report:
		d.report(fx)
	}
}

// allot asks for numbers for regions, and for all of the job with checkpoint ids.
func (d *driver) allot(regions []int) {
	d.later(func() any {
		a := attemptAllotted{regions: regions}
		a.err = d.patiently(func() (err error) {
			if len(regions) == len(d.regions) {
				a.allotment, err = d.store.allot(d.ctx, len(regions))
				return err
			}
			a.attempt, err = d.store.allotRegions(d.ctx, regions)
			return err
		})
		return a
	})
}

var phaseOf = map[lifecycle.State]checkpointv1.JobPhase{
	lifecycle.Finished: checkpointv1.JobPhase_JOB_PHASE_FINISHED, lifecycle.Canceled: checkpointv1.JobPhase_JOB_PHASE_CANCELED,
	lifecycle.Failed: checkpointv1.JobPhase_JOB_PHASE_FAILED, lifecycle.Stopped: checkpointv1.JobPhase_JOB_PHASE_STOPPED,
}

// restarting tells of the next attempt. The one with which a leader takes a job
// over is no restart of the job: nothing of it has failed.
func (d *driver) restarting(fx lifecycle.ScheduleRestart) {
	d.noteFailure(fx.Reason)
	if d.takeover {
		d.l.jm.Log.Info("job taken over", "job", d.store.job, "term", d.l.term)
	} else {
		d.countRestart(fx)
	}
	d.takeover = false
	d.view.tell(&apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_Restarted{Restarted: &apiv1.Restarted{Reason: fx.Reason}}})
}

func (d *driver) countRestart(fx lifecycle.ScheduleRestart) {
	d.restarts++
	last := d.view.describe()
	from := types.CheckpointID(last.LastCheckpoint.GetCheckpointId())
	if fx.Before != 0 {
		from = d.fallback
	}
	d.events.Restart(events.RestartInfo{
		Job: string(d.store.job), Attempt: int64(last.Attempt) + 1, Tasks: d.tasksOf(last, fx.Regions), Checkpoint: uint64(from),
		Delay: time.Duration(fx.DelayMillis) * time.Millisecond, Reason: errors.New(fx.Reason),
	})
	d.view.update(func(j *apiv1.DescribeJobResponse) { j.Summary.Restarts = d.restarts })
}

// tasksOf counts the tasks that some regions had.
func (d *driver) tasksOf(j *apiv1.DescribeJobResponse, regions []int) int {
	n := 0
	for _, t := range j.Tasks {
		if slices.ContainsFunc(regions, func(r int) bool { return slices.Contains(d.regions[r], types.VertexID(t.VertexId)) }) {
			n++
		}
	}
	return n
}

// fallBack notes which checkpoint the next attempt is restored from.
func (d *driver) fallBack(fx lifecycle.FallBack) {
	d.noteFailure(fx.Reason)
	if d.at == nil {
		return
	}
	for _, p := range d.at.last.restored.retained {
		if p.ID < fx.From {
			d.fallback = p.ID
		}
	}
}

func (d *driver) noteFailure(reason string) {
	d.view.update(func(j *apiv1.DescribeJobResponse) {
		j.RecentFailures = append(j.RecentFailures, d.l.jm.Clock.Now().UTC().Format(time.RFC3339)+" "+reason)
		if n := len(j.RecentFailures); n > recentFailuresMax {
			j.RecentFailures = j.RecentFailures[n-recentFailuresMax:]
		}
	})
}

func (d *driver) report(r lifecycle.Report) {
	state := apiv1.JobState(r.State)
	var from apiv1.JobState
	d.view.update(func(j *apiv1.DescribeJobResponse) {
		from = j.Summary.State
		j.Summary.State = state
		j.WaitingFor = ""
		if slices.Contains([]lifecycle.State{lifecycle.WaitingForResources, lifecycle.Restarting, lifecycle.Recovering, lifecycle.Adopting}, r.State) {
			j.WaitingFor = r.Reason
		}
		if r.State == lifecycle.Failed {
			j.Summary.Failure = r.Reason
		}
	})
	var why error
	if slices.Contains([]lifecycle.State{lifecycle.Failed, lifecycle.Failing, lifecycle.Recovering}, r.State) {
		why = errors.New(r.Reason)
	}
	d.events.JobState(events.JobStateInfo{Job: string(d.store.job), From: from.String(), To: state.String(), Err: why})
	if r.State.Terminal() {
		d.view.tellProgress() // the last figures
	}
	d.view.tellState(state, r.Reason)
	if r.State.Terminal() {
		// What still runs are coordinators and task managers' memory of the attempt.
		d.toAttempt(d.cancelMessage)
		d.at = nil
		d.l.registry.release(d.store.job)
	}
}
