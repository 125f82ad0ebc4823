package lifecycle

import (
	"fmt"
	"slices"
	"time"

	"millrace/checkpoint"
	"millrace/internal/invariant"
	"millrace/jobgraph"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// Config says for which job a Machine works.
type Config struct {
	Restart jobgraph.RestartSpec
	Rescale RescaleSpec
	// Collect is how long task managers that another leader had are waited for; 0 means DefaultCollect.
	Collect time.Duration
	// Regions are the vertices that fail and restart together, as of jobgraph.Graph.Regions; nil for one region.
	Regions [][]types.VertexID
	// Seed makes the jitter of delays; give each job another.
	Seed uint64
}

// Machine is the lifecycle of one job. Make it with New. It is owned by one goroutine.
type Machine struct {
	state State
	on    string // the event that is being taken
	out   []Effect
	now   int64

	attempt   types.Attempt // of the first region, as the whole job was deployed; 0 for none: it is gone, or not allotted yet
	regions   regions
	recovery  *recovery // in Recovering; nil otherwise
	placement uint64
	tasks     map[types.TaskID]TaskState
	since     int64 // when all tasks came to run; meaningful in Running, Finishing, Stopping

	collect  time.Duration
	judgeAt  int64 // in Adopting; 0: what is there counts already
	takeover bool  // tasks were adopted, and no checkpoint was asked for since

	waiting int64 // since when the attempt, or that of the recovery, waits for slots; 0: it has them, or may have fewer

	stop      *StopRequested // asked for and not done
	rescale   rescale
	before    types.CheckpointID // restore from an older one than this; 0: from the latest
	restarts  restarts
	restartAt int64
	reason    string // why the attempt fails, or the job ends
	unclear   bool   // the reason is a consequence only; the cause may follow
	doomed    bool   // the job fails once the attempt is gone
	uncounted bool   // the restart to come is no failure of the job, and needs no delay
	storing   State  // StoreTerminal is under way; 0: no

	allotting bool // AllotAttempt is under way
	outdated  bool // and what it was for has changed since
}

// New returns a machine in state Created. Its first event is Start or Recovered.
func New(cfg Config) *Machine {
	return &Machine{state: Created, regions: newRegions(cfg.Regions), restarts: newRestarts(cfg), rescale: rescale{spec: cfg.Rescale}, collect: orDefault(cfg.Collect, DefaultCollect)}
}

// State returns where the job stands.
func (m *Machine) State() State { return m.state }

// Step takes one event in and returns what is to be done, in order. It keeps no reference to the returned slice.
func (m *Machine) Step(ev Event) []Effect {
	if m.state.Terminal() {
		return nil
	}
	m.on = name(ev)
	m.take(ev)
	out := m.out
	m.out = nil
	return out
}

func (m *Machine) take(ev Event) {
	if t, ok := ev.(Tick); ok {
		m.tick(t)
		return
	}
	if m.storing != 0 {
		// The end is decided: only its being stored counts.
		if _, ok := ev.(TerminalStored); ok {
			m.terminalStored()
		}
		return
	}
	switch ev := ev.(type) {
	case Start:
		m.start()
	case Recovered:
		m.recovered(ev)
	case Collected:
		m.collected(ev)
	case CancelRequested:
		m.cancelRequested()
	case StopRequested:
		m.stopRequested(ev)
	case RescaleRequested:
		m.rescaleRequested(ev.Reason)
	case AttemptAllotted:
		m.attemptAllotted(ev)
	case AttemptGone:
		m.attemptGone(ev)
	case RegionsGone:
		m.regionsGone(ev)
	case TaskChanged:
		if m.regions.current(ev.Task.Vertex, ev.Attempt) {
			m.taskChanged(ev)
		}
	case CoordinatorFailed:
		if m.regions.current(ev.Vertex, ev.Attempt) {
			m.coordinatorFailed(ev)
		}
	default:
		switch of := attemptOf(ev); {
		case of == 0:
		case m.recovery != nil && of == m.recovery.attempt:
			m.takeOfRecovery(ev)
		case of == m.attempt:
			m.takeOfAttempt(ev)
		}
	}
}

// takeOfAttempt handles what concerns the current attempt of the whole job.
func (m *Machine) takeOfAttempt(ev Event) {
	switch ev := ev.(type) {
	case ResourcesAvailable:
		m.resourcesAvailable(ev)
	case ResourcesMissing:
		if m.state == WaitingForResources {
			m.report(ev.Reason)
		}
	case CoordinatorsReady:
		if m.state == Restoring {
			m.move(Deploying, "")
			m.deployTasks(m.attempt, m.placement)
		}
	case TaskManagerLost:
		m.taskManagerLost(ev)
	case RestoreFailed:
		m.restoreFailed(ev)
	case CheckpointCompleted:
		m.before = 0
		m.rescaleDue()
	case PlacementChanged:
		m.placementChanged(ev)
	case CheckpointFailedTooOften:
		m.failed(Failure{Message: ev.Reason}, m.regions.all())
	case FinalComplete:
		m.finalComplete()
	default:
	}
}

// attemptOf returns the attempt that an event is about, of those that a job or a recovery has as a whole; 0 for others.
func attemptOf(ev Event) types.Attempt {
	switch ev := ev.(type) {
	case ResourcesAvailable:
		return ev.Attempt
	case ResourcesMissing:
		return ev.Attempt
	case CoordinatorsReady:
		return ev.Attempt
	case TaskManagerLost:
		return ev.Attempt
	case RestoreFailed:
		return ev.Attempt
	case CheckpointCompleted:
		return ev.Attempt
	case CheckpointFailedTooOften:
		return ev.Attempt
	case PlacementChanged:
		return ev.Attempt
	case FinalComplete:
		return ev.Attempt
	default:
		return 0
	}
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

// move goes along an edge of the table and reports it. A move that is not in the table is a bug; the job stays where it is.
func (m *Machine) move(to State, reason string) {
	if !edgeSet[Edge{m.state, m.on, to}] {
		_ = invariant.Failedf("lifecycle: %s may not go to %s on %s", m.state, to, m.on)
		return
	}
	m.state = to
	m.report(reason)
}

func (m *Machine) report(reason string) { m.emit(Report{State: m.state, Reason: cut(reason)}) }

func (m *Machine) start() {
	if m.state == Created {
		m.begin()
	}
}

// begin starts a new attempt.
func (m *Machine) begin() {
	m.move(WaitingForResources, "")
	m.rescale.wanted = "" // the next placement is a new one anyway
	m.allot(m.regions.all())
}

// allot asks for numbers, one request at a time: of two, the one that nobody waits for any more might be carried out last, and
// what runs would not be what was allotted last.
func (m *Machine) allot(regions []int) {
	if m.allotting {
		m.outdated = true
		return
	}
	m.allotting = true
	m.emit(AllotAttempt{Regions: regions})
}

// allotAgain asks for the numbers that are waited for.
func (m *Machine) allotAgain() {
	switch r := m.recovery; {
	case r != nil && r.state == WaitingForResources && r.attempt == 0:
		m.allot(r.regions)
	case r == nil && m.state == WaitingForResources && m.attempt == 0:
		m.allot(m.regions.all())
	}
}

// recovered takes over what another leader left.
func (m *Machine) recovered(e Recovered) {
	if m.state != Created {
		return
	}
	m.attempt = e.Attempt
	switch e.Phase {
	case checkpointv1.JobPhase_JOB_PHASE_FINISHED:
		m.move(Finished, "")
	case checkpointv1.JobPhase_JOB_PHASE_CANCELED:
		m.move(Canceled, "")
	case checkpointv1.JobPhase_JOB_PHASE_FAILED:
		m.move(Failed, e.Failure)
	case checkpointv1.JobPhase_JOB_PHASE_STOPPED:
		m.move(Stopped, "")
	case checkpointv1.JobPhase_JOB_PHASE_CANCELLING:
		m.cancelRequested()
	default:
		if e.Attempt == 0 {
			m.begin()
			return
		}
		if e.Known {
			m.beginCollecting()
			return
		}
		m.uncounted = true
		m.fail(takenOver)
	}
}

func (m *Machine) tick(t Tick) {
	m.now = max(m.now, t.Now)
	if m.storing != 0 {
		return
	}
	switch m.state {
	case Restarting:
		if m.now >= m.restartAt {
			m.begin()
		}
	case WaitingForResources:
		m.acceptLower(m.attempt, m.regions.all())
	case Running:
		m.rescaleTick()
	case Recovering:
		m.recoveryTick()
	case Adopting:
		m.collectingTick()
	default:
	}
}

func (m *Machine) attemptAllotted(e AttemptAllotted) {
	outdated := m.outdated
	m.allotting, m.outdated = false, false
	if outdated {
		m.allotAgain()
		return
	}
	if m.recovery != nil {
		m.recoveryAllotted(e)
		return
	}
	if m.state != WaitingForResources || m.attempt != 0 || !slices.Equal(e.Regions, m.regions.all()) {
		return
	}
	m.attempt = e.Attempt
	m.regions.allotted(e.Regions, e.Attempt)
	m.requestResources(e.Attempt, e.Regions)
}

// requestResources asks for all slots that are wanted, and where waiting is not wanted for what there is.
func (m *Machine) requestResources(attempt types.Attempt, of []int) {
	m.waiting = max(m.now, 1)
	m.emit(RequestResources{Attempt: attempt, Regions: of})
	m.acceptLower(attempt, of)
}

func (m *Machine) resourcesAvailable(e ResourcesAvailable) {
	if m.state != WaitingForResources || len(e.Tasks) == 0 {
		return
	}
	m.placement, m.tasks = e.Placement, make(map[types.TaskID]TaskState, len(e.Tasks))
	m.placed(nil, e.Tasks)
	m.move(Restoring, "")
	m.emit(DeployCoordinators{Attempt: m.attempt, Placement: m.placement, Before: m.before})
}

func (m *Machine) deployTasks(attempt types.Attempt, placement uint64) {
	m.emit(DeployTasks{Attempt: attempt, Placement: placement, Drained: m.stop != nil && m.stop.Drain})
}

func (m *Machine) taskChanged(e TaskChanged) {
	was, known := m.tasks[e.Task]
	if !known {
		return
	}
	of := []int{m.regions.of[e.Task.Vertex]}
	switch e.State {
	case TaskFailed:
		m.failed(e.Failure, of)
	case TaskCanceled, TaskFinished:
		m.failed(Failure{Message: fmt.Sprintf("task %s is %s, and nobody asked for that", e.Task, e.State), Consequence: true}, of)
	default:
		m.tasks[e.Task] = max(was, e.State)
		m.tasksAdvanced()
	}
}

// tasksAdvanced moves the job on when the last of its tasks has got so far.
func (m *Machine) tasksAdvanced() {
	switch {
	case m.state == Deploying && m.allTasks(TaskRunning):
		m.runs()
	case m.state == Recovering:
		m.recoveryAdvanced()
	}
	if m.state == Running && m.allTasks(TaskEnded) {
		m.move(Finishing, "")
		m.emit(RequestFinal{Attempt: m.attempt, Kind: checkpoint.Final})
	}
}

// runs goes on with a job of which all tasks run, and with what it was asked for before they did.
func (m *Machine) runs() {
	m.since = m.now
	m.move(Running, "")
	m.emit(StartCheckpointing{Attempt: m.attempt})
	switch {
	case m.stop != nil:
		m.beginStop()
	case m.rescale.wanted != "":
		m.beginRescale(m.rescale.wanted)
	case m.takeover:
		m.emit(RequestCheckpoint{Attempt: m.attempt})
	}
	m.takeover = false
}

func (m *Machine) allTasks(least TaskState) bool {
	for _, s := range m.tasks {
		if s < least {
			return false
		}
	}
	return len(m.tasks) > 0
}

// stopRequested remembers the wish, so that it outlives restarts; a job that finishes or ends otherwise has no use for it.
func (m *Machine) stopRequested(e StopRequested) {
	if m.stop != nil || slices.Contains([]State{Finishing, Cancelling}, m.state) {
		return
	}
	m.stop = &e
	if m.state == Running {
		m.beginStop()
	}
}

// beginStop ends the job behind a checkpoint. Sources that drain end all tasks, and the final checkpoint follows that.
func (m *Machine) beginStop() {
	m.move(Stopping, "")
	if m.stop.Drain {
		if m.stop.Savepoint {
			m.emit(RequestFinal{Attempt: m.attempt, Kind: checkpoint.Final, Savepoint: true}) // it comes when all tasks have ended
		}
		m.emit(DrainSources{Attempt: m.attempt})
		return
	}
	m.emit(RequestFinal{Attempt: m.attempt, Kind: checkpoint.Suspend, Savepoint: m.stop.Savepoint})
}

// finalComplete ends the job: all of its work is committed, whatever becomes of its tasks now.
func (m *Machine) finalComplete() {
	if m.state == Running {
		m.move(Finishing, "")
	}
	to := Finished
	switch m.state {
	case Finishing:
	case Stopping:
		to = Stopped
	default:
		return
	}
	m.emit(FinishTasks{Attempt: m.attempt})
	m.store(to, "")
}

func (m *Machine) cancelRequested() {
	if m.state == Cancelling {
		return
	}
	asked := m.state == Failing || m.state == Rescaling // the attempt is being cancelled already
	m.recovery = nil
	m.move(Cancelling, "")
	switch {
	case m.attempt == 0:
		m.store(Canceled, "")
	case !asked:
		m.emit(CancelAttempt{Attempt: m.attempt, Reason: "the job is cancelled"})
	}
}

func (m *Machine) attemptGone(e AttemptGone) {
	if e.Attempt == 0 || e.Attempt != m.attempt {
		return
	}
	if !slices.Contains([]State{Cancelling, Failing, Rescaling}, m.state) {
		return // nobody asked for it
	}
	m.attempt = 0
	clear(m.regions.numbers)
	switch m.state {
	case Cancelling:
		m.store(Canceled, "")
	case Failing:
		m.failingDone()
	default:
		m.begin()
	}
}

// store ends the job; nobody is told before it is durable.
func (m *Machine) store(to State, reason string) {
	m.storing, m.reason = to, cut(reason)
	m.emit(StoreTerminal{State: to, Reason: m.reason})
}

func (m *Machine) terminalStored() { m.move(m.storing, m.reason) }

func cut(reason string) string {
	if len(reason) > reasonBytesMax {
		return reason[:reasonBytesMax]
	}
	return reason
}
