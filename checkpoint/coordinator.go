package checkpoint

import (
	"cmp"
	"slices"
	"time"

	"millrace/internal/mutant"
	"millrace/types"
)

// Coordinator takes the checkpoints of a job, from when it is deployed as a whole to when that ends. Make it with New. It is owned by one goroutine.
type Coordinator struct {
	cfg   Config
	tasks int // of all vertices
	phase phase
	out   []Effect

	now     int64
	ticked  bool // nothing is triggered before the first Tick: nobody would know when it times out
	running bool
	stopped bool // tasks are gone, and those in their place do not run yet
	owes    bool // Quiet
	based   bool // the first interval has begun
	ended   map[types.TaskID]bool

	next, through, asked types.CheckpointID // asked: the last AllotIDs

	pending     *pending
	latest      Pointer
	retained    []Pointer // oldest first, latest last
	outstanding []unconfirmed
	failures    int // of periodic checkpoints, in a row

	lastTrigger, lastEnd int64
	periodicWanted       bool
	suspendWanted        bool
	retryAt, retryDelay  int64
	lastFailures         int            // of the last checkpoint
	last                 *FinalComplete // the last checkpoint is complete, its commits are awaited

	saving      *saving
	savesWanted []uint64 // requests whose checkpoint is not triggered yet
	savesYield  bool     // one has failed, and a periodic checkpoint is next
	savesLast   bool     // a savepoint is made of the job's last checkpoint
	unsaved     *pending // the last checkpoint, complete, while no savepoint of it is begun
}

// phase tells how far a coordinator's life has come.
type phase uint8

const (
	live phase = iota
	// halted: FailJob, StepDown or FinalComplete was said. Nothing is pending; only Close counts.
	halted
	// closing: Close came while a Persist was under way. Only its answer counts.
	closing
	closed
)

// unconfirmed is a completed checkpoint with the vertices whose committers have not confirmed it.
type unconfirmed struct {
	id      types.CheckpointID
	waiting map[types.VertexID]bool // never empty
}

// New returns a coordinator that waits for TasksRunning and a Tick.
func New(cfg Config) *Coordinator {
	c := &Coordinator{
		cfg: cfg, ended: make(map[types.TaskID]bool), next: max(cfg.NextID, cfg.Latest.ID+1),
		through: cfg.AllottedThrough, asked: cfg.AllottedThrough, latest: cfg.Latest, retained: slices.Clone(cfg.Retained),
		lastEnd: -1 << 62,
	}
	c.cfg.Vertices = slices.Clone(cfg.Vertices)
	slices.SortFunc(c.cfg.Vertices, func(a, b Vertex) int { return cmp.Compare(a.ID, b.ID) })
	for _, v := range c.cfg.Vertices {
		c.tasks += int(v.Parallelism)
	}
	c.cfg.Spec.Timeout = c.cfg.Spec.TimeoutOrDefault()
	if c.cfg.Spec.Retained <= 0 {
		c.cfg.Spec.Retained = DefaultRetained
	}
	if c.cfg.MaxParallelism == 0 {
		c.cfg.MaxParallelism = types.DefaultMaxParallelism
	}
	return c
}

// Step takes one event in and returns what is to be done, in order. It keeps no reference to the returned slice.
func (c *Coordinator) Step(ev Event) []Effect {
	switch c.phase {
	case live:
		c.take(ev)
		c.triggerDue()
	case halted:
		if _, ok := ev.(Close); ok {
			c.closed()
		}
	case closing:
		c.takeClosing(ev)
	case closed:
	}
	if r, ok := ev.(TriggerRequested); ok && r.Kind == Savepoint && c.phase != live {
		c.emit(SavepointFailed{Request: r.Request, Reason: "the job's attempt is ending"})
	}
	out := c.out
	c.out = nil
	return out
}

// take handles an event of a live coordinator.
func (c *Coordinator) take(ev Event) {
	switch ev := ev.(type) {
	case Tick:
		c.tick(ev)
	case TasksRunning:
		c.running, c.stopped = true, false
	case TaskEnded:
		if c.vertexOf(ev.Task) != nil {
			c.ended[ev.Task] = true
		}
	case TriggerRequested:
		c.triggerRequested(ev)
	case Acknowledged:
		c.acknowledged(ev)
	case Declined:
		c.declined(ev)
	case EnumeratorState:
		if v := c.vertex(ev.Vertex); v != nil {
			v.Enumerator, v.Splits = ev.State, nil
		}
	case Persisted:
		c.persisted(ev)
		c.quiet()
	case PersistFailed:
		c.persistFailed(ev)
		c.quiet()
	case RegionsStopped:
		c.regionsStopped(ev)
	case RegionsRestored:
		c.regionsRestored(ev)
	case Adopted:
		c.adopted(ev)
	case Committed:
		c.committed(ev)
	case StateCopied:
		c.stateCopied(ev)
	case SavepointPersisted:
		c.savepointPersisted(ev)
	case SavepointPersistFailed:
		c.savepointPersistFailed(ev)
	case IDsAllotted:
		c.through = max(c.through, ev.Through)
	case Close:
		c.close(ev)
	}
}

// takeClosing handles an event of a coordinator that awaits its last Persist.
func (c *Coordinator) takeClosing(ev Event) {
	switch ev := ev.(type) {
	case Tick:
		c.now = max(c.now, ev.Now)
	case Persisted:
		if p := c.taken(ev.ID); p != nil {
			// The attempt's committers are going: those of the next one commit when they recover.
			c.complete(p, ev)
			c.retire(p)
			c.closed()
		}
	case PersistFailed:
		if p := c.taken(ev.ID); p != nil {
			c.emit(Failed{ID: p.id, Kind: p.kind, Reason: ev.Reason})
			c.closed()
		}
	default:
	}
}

func (c *Coordinator) emit(e Effect) { c.out = append(c.out, e) }

func (c *Coordinator) closed() {
	c.phase = closed
	c.endSavings("the job's attempt has ended")
	c.emit(Closed{})
}

func (c *Coordinator) close(e Close) {
	p := c.pending
	switch {
	case p != nil && p.persisting:
		c.phase = closing
		return
	case p != nil:
		c.pending = nil
		c.emit(NotifyAborted{ID: p.id})
		c.emit(Failed{ID: p.id, Kind: p.kind, Reason: e.Reason})
	}
	c.closed()
}

func (c *Coordinator) tick(e Tick) {
	c.now, c.ticked = max(c.now, e.Now), true
	if p := c.pending; p != nil && !p.persisting && c.now >= p.deadline {
		c.fail(c.timeoutReason(p))
	}
	c.savingTick()
}

func (c *Coordinator) triggerRequested(e TriggerRequested) {
	switch e.Kind {
	case Periodic:
		c.periodicWanted = true
	case Savepoint:
		c.savepointRequested(e.Request)
	case Suspend:
		c.suspendWanted, c.savesLast = true, c.savesLast || e.Savepoint
	case Final:
		// It follows the end of all tasks, asked for or not.
		c.savesLast = c.savesLast || e.Savepoint
		c.saveLast()
	default:
	}
}

// triggerDue starts the checkpoint that is due, if any, and sees that ids do not run out.
func (c *Coordinator) triggerDue() {
	if c.phase != live || !c.ticked || c.stopped || c.last != nil || !c.running && !c.allEnded() {
		return
	}
	if !c.based {
		c.based, c.lastTrigger = true, c.now
	}
	if kind, due := c.due(); due && c.pending == nil && c.idLeft() {
		c.trigger(kind)
	}
	c.allot()
}

// due returns the kind of checkpoint that there should be now. The last one of a job waits for nothing but its back-off.
func (c *Coordinator) due() (Kind, bool) {
	switch {
	case c.allEnded():
		return Final, c.now >= c.retryAt && (!c.savesLast || c.saving == nil)
	case c.suspendWanted:
		return Suspend, c.now >= c.retryAt && (!c.savesLast || c.saving == nil)
	case len(c.savesWanted) > 0 && c.saving == nil && !c.savesYield:
		return Savepoint, true
	case c.periodicWanted:
		return Periodic, true
	case c.cfg.Spec.Interval <= 0 || len(c.outstanding) >= UnconfirmedMax:
		return 0, false
	default:
		return Periodic, c.now >= max(c.lastTrigger+millis(c.cfg.Spec.Interval), c.lastEnd+millis(c.cfg.Spec.MinPause))
	}
}

func (c *Coordinator) allEnded() bool { return c.tasks > 0 && len(c.ended) == c.tasks }

func (c *Coordinator) trigger(kind Kind) {
	c.pending = newPending(c.next, kind, c.now, c.now+millis(c.cfg.Spec.Timeout))
	for _, v := range c.cfg.Vertices {
		if len(v.Splits) > 0 && !mutant.On(mutant.UnassignedLeftOut) {
			c.pending.unassigned[v.ID] = v.Splits
		}
	}
	c.next++
	c.lastTrigger = c.now
	if kind == Periodic {
		c.periodicWanted, c.savesYield = false, false
	}
	c.beginSaving(c.pending.id, kind)
	c.emit(Trigger{ID: c.pending.id, Kind: kind})
}

func (c *Coordinator) idLeft() bool { return c.cfg.AllottedThrough == 0 || c.next <= c.through }

// allot asks for more ids while some are left, so that no trigger waits.
func (c *Coordinator) allot() {
	if c.cfg.AllottedThrough == 0 || c.asked > c.through || c.next+idsLow <= c.through+1 {
		return
	}
	c.asked = max(c.through, c.next-1) + idsBlock
	c.emit(AllotIDs{Through: c.asked})
}

// fail ends the pending checkpoint. Failures of savepoints are not counted: whoever wants one asks again. Periodic checkpoints
// have their turn in between, or somebody who asks often enough would keep a job from having any. Of the last checkpoint of a
// job more are borne: restarting the job brings it back to the same place, but for what its tasks hold.
func (c *Coordinator) fail(reason string) {
	p := c.pending
	c.pending, c.lastEnd = nil, c.now
	c.emit(NotifyAborted{ID: p.id})
	c.emit(Failed{ID: p.id, Kind: p.kind, Reason: reason})
	c.checkpointFailed(p.id, reason)
	switch p.kind {
	case Savepoint:
		c.savesYield = c.cfg.Spec.Interval > 0
	case Suspend, Final:
		c.retryDelay = min(max(2*c.retryDelay, retryMinMillis), retryMaxMillis)
		c.retryAt = c.now + c.retryDelay
		c.lastFailures++
		c.failAbove(c.lastFailures, lastFailuresMax, p.id, reason)
	case Periodic:
		c.failures++
		c.failAbove(c.failures, c.cfg.Spec.TolerableFailures, p.id, reason)
	}
}

func (c *Coordinator) failAbove(failures, most int, id types.CheckpointID, reason string) {
	if failures > most {
		c.phase = halted
		c.emit(FailJob{Reason: tooManyFailures(failures, id, reason)})
	}
}

func (c *Coordinator) vertex(id types.VertexID) *Vertex {
	i, ok := slices.BinarySearchFunc(c.cfg.Vertices, id, func(v Vertex, id types.VertexID) int { return cmp.Compare(v.ID, id) })
	if !ok {
		return nil
	}
	return &c.cfg.Vertices[i]
}

// vertexOf returns the vertex of a task of the job, nil if it is none.
func (c *Coordinator) vertexOf(t types.TaskID) *Vertex {
	if v := c.vertex(t.Vertex); v != nil && t.Subtask >= 0 && t.Subtask < v.Parallelism {
		return v
	}
	return nil
}

func millis(d time.Duration) int64 { return d.Milliseconds() }
