package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"millrace/blobstore"
	"millrace/connectors"
	"millrace/exchange"
	"millrace/expr"
	"millrace/internal/clock"
	"millrace/internal/delivery"
	"millrace/internal/metrics"
	"millrace/operators"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/taskmanager/cache"
	"millrace/types"
)

// Options say what a task manager is and what it can run.
type Options struct {
	Cluster string
	ID      types.TaskManagerID
	// Incarnation is unique to this process.
	Incarnation string
	Slots       int
	// DataAddress is where other processes' task managers reach this one's network;
	// empty where all are in one process.
	DataAddress string
	// Addresses is what Network finds peers by; nil where all are in one process.
	Addresses *Addresses
	Labels    map[string]string
	Version   string
	// JobManager is a client whose Connect reaches the job manager that leads.
	JobManager controlv1.ControlServiceClient

	// Program is the executable of this process, with the functions of its jobs; nil: there is none.
	Program Program

	Operators  *operators.Registry
	Functions  *expr.Registry // for what sources compute
	Connectors *connectors.Registry
	Backend    statebackend.Backend
	Network    exchange.Network
	Store      blobstore.Store
	Pool       *stream.Pool
	Metrics    *metrics.Registry
	Clock      clock.Clock
	Log        *slog.Logger
	// Dir is for files that need not outlive the process.
	Dir string
	// Cache keeps state files on local disk; nil keeps none.
	Cache *cache.Cache
	// RowsMax is the largest batch; 0 means stream.RowsMax.
	RowsMax int
	// CreditBytes is how much may be under way on a channel: more than one batch never is where it is less than
	// that takes. 0 means exchange.DefaultCreditBytes.
	CreditBytes int
	// StateBytes bounds the state of all slots in memory, which share it evenly; 0 is no bound.
	StateBytes int64
	// Tier takes state that has no room in memory; nil: there is none. Its memory is not
	// of StateBytes. Whoever made the task manager closes it, after Run.
	Tier StateTier
	// TierIsHome has all state that may leave memory live in the tier.
	TierIsHome bool
	// CancellationTimeout is how long tasks may take to end when they are cancelled; 0: for ever.
	CancellationTimeout time.Duration
	// Stuck is told, with a reason for people, that tasks took longer. They go on: only the end of the process ends them, and it is asked for by no other way. It is called by a
	// goroutine of the task manager's, once for each attempt; nil: the log alone is told.
	Stuck func(error)
}

// StateTier is a tier that says what is the matter with it.
type StateTier interface {
	statebackend.Tier
	// Trouble returns why it takes nothing, "" while it does.
	Trouble() string
}

// TaskManager runs tasks. Make one with New.
type TaskManager struct {
	Options
	outbox outbox
	// resumes tells that the session with the term that took this task manager in
	// last may go on; Run's goroutine owns both.
	resumes bool
	joined  types.Term
	figures sync.Mutex // from taking them to the outbox; taken before mu
	// said is held from a change of what an inventory tells to the message that tells
	// it: a session's inventory has the change, or the message follows. It is taken
	// before every other lock.
	said sync.Mutex
	mu   struct {
		sync.Mutex
		term     types.Term
		attempts map[types.RegionID]*attempt
		leaving  bool
	}
	released   chan struct{} // closed when the job manager lets the task manager go
	copies     chan struct{} // has one for each copy of state that is under way
	wait       sync.WaitGroup
	tierCounts statebackend.TierCounts
}

// New returns a task manager; Run makes it work.
func New(o Options) *TaskManager {
	if o.RowsMax == 0 {
		o.RowsMax = stream.RowsMax
	}
	m := &TaskManager{Options: o, released: make(chan struct{}), copies: make(chan struct{}, copiesMax)}
	m.mu.attempts = make(map[types.RegionID]*attempt)
	m.outbox.Session = delivery.New[*controlv1.TaskManagerMessage](outboxMax)
	return m
}

// Run serves job managers until the context ends, then cancels every task and
// waits for all of them. It returns early only with the error of a job manager
// that refuses this task manager for good.
func (m *TaskManager) Run(ctx context.Context) error {
	defer m.wait.Wait()
	defer m.cancelAll("task manager stops")
	wait := redialMin
	lost, said := m.Clock.Now(), time.Time{}
	for ctx.Err() == nil {
		registered, err := m.serve(ctx)
		if refused, ok := errors.AsType[*refusedError](err); ok {
			return refused
		}
		now := m.Clock.Now()
		switch {
		case registered:
			wait, lost = redialMin, now
			m.Log.Warn("lost the job manager", "task manager", m.ID, "cause", err)
		case now.Sub(lost) >= sayAfter && now.Sub(said) >= sayEvery && ctx.Err() == nil:
			said = now
			m.Log.Warn("no job manager takes this task manager in; it tries again", "task manager", m.ID,
				"for", now.Sub(lost).Round(time.Second), "cause", err)
		}
		if now.Sub(lost) >= OrphanTimeout {
			m.resumes = false
			m.cancelAll("no job manager for " + OrphanTimeout.String())
		}
		select {
		case <-ctx.Done():
		case <-m.Clock.After(wait):
		}
		wait = min(2*wait, redialMax)
	}
	return nil
}

// refusedError is a job manager's no.
type refusedError struct{ reason string }

func (e *refusedError) Error() string {
	return "the job manager refuses this task manager: " + e.reason
}

// serve keeps one stream until it breaks. registered tells that the job manager
// took this task manager in.
func (m *TaskManager) serve(ctx context.Context) (registered bool, err error) {
	ctx, end := context.WithCancelCause(ctx)
	cancel := func() { end(nil) }
	defer cancel()
	s, err := m.JobManager.Connect(ctx)
	if err != nil {
		return false, err
	}
	if err := s.Send(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_Register{Register: m.registration()}}); err != nil {
		return false, err
	}
	var side sync.WaitGroup
	defer side.Wait()
	defer cancel()
	heard := make(chan struct{}, 1)
	for {
		msg, err := s.Recv()
		if err != nil {
			return registered, err
		}
		select {
		case heard <- struct{}{}:
		default:
		}
		switch r := msg.Message.(type) {
		case *controlv1.JobManagerMessage_Refused:
			return registered, &refusedError{r.Refused.Reason}
		case *controlv1.JobManagerMessage_Registered:
			if err := m.begin(r.Registered, types.Term(msg.Term)); err != nil {
				return registered, err
			}
			registered = true
			side.Go(func() { m.send(ctx, s, cancel) })
			side.Go(func() { m.beat(ctx, time.Duration(r.Registered.HeartbeatIntervalMillis)*time.Millisecond) })
			side.Go(func() { m.listen(ctx, heard, time.Duration(r.Registered.HeartbeatTimeoutMillis)*time.Millisecond, end) })
		default:
			if err := m.receive(msg); err != nil {
				return registered, err
			}
		}
	}
}

func (m *TaskManager) registration() *controlv1.Register {
	m.resumes = m.resumes && !m.outbox.Over()
	return &controlv1.Register{
		Cluster: m.Cluster, TaskManagerId: string(m.ID), Incarnation: m.Incarnation, Slots: int32(m.Slots),
		DataAddress: m.DataAddress, Labels: m.Labels, Version: m.Version,
		SlotStateBytes: m.SlotStateBytes(), Builds: m.builds(),
		Term: uint64(m.joined), Resumes: m.resumes, Received: m.outbox.Received(), ClockUnixMillis: m.Clock.NowMillis(),
	}
}

// begin goes on with the session where both sides still have it. A new one begins
// with what runs here: a leader of another term goes on with that. The one of this
// term has given up what its session knew of, and it ends.
func (m *TaskManager) begin(r *controlv1.Registered, term types.Term) error {
	if r.Resumed {
		m.Log.Info("connected again; tasks go on", "task manager", m.ID, "term", term)
		return m.overIf(m.outbox.Resume(r.Received))
	}
	if !m.raiseTerm(term) {
		return fmt.Errorf("a job manager of term %d welcomes a task manager of term %d", term, m.joined)
	}
	if term == m.joined {
		m.cancelAll("the session with the job manager is over")
	}
	tasks := m.beginSession()
	m.joined, m.resumes = term, true
	m.sayLeaving()
	m.Log.Info("registered", "task manager", m.ID, "term", term, "running tasks", tasks)
	return nil
}

// listen ends a stream over which nothing comes: a job manager acknowledges every
// heartbeat. One that is paused, or behind a network that lets nothing through, would
// otherwise keep this task manager from the one that leads meanwhile. The cause tells
// whoever finds job managers to look elsewhere.
func (m *TaskManager) listen(ctx context.Context, heard <-chan struct{}, timeout time.Duration, end context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-heard:
		case <-m.Clock.After(timeout):
			m.Log.Warn("the job manager is silent; another is looked for", "task manager", m.ID, "for", timeout)
			end(context.DeadlineExceeded)
			return
		}
	}
}

// receive carries one message of the session out.
func (m *TaskManager) receive(msg *controlv1.JobManagerMessage) error {
	fresh, err := m.outbox.Receive(msg.Sequence, msg.Acknowledged)
	if fresh && m.raiseTerm(types.Term(msg.Term)) {
		m.handle(msg)
	}
	return m.overIf(err)
}

// overIf ends the session where an error speaks against it.
func (m *TaskManager) overIf(err error) error {
	m.resumes = m.resumes && err == nil
	return err
}

// raiseTerm keeps the highest term; false for a lower one.
func (m *TaskManager) raiseTerm(t types.Term) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t < m.mu.term {
		return false
	}
	m.mu.term = t
	return true
}

// Leave asks the job manager to move every task elsewhere, and returns when
// nothing runs here any more or the context ends. Run goes on until its own
// context ends. It is called once.
func (m *TaskManager) Leave(ctx context.Context) error {
	m.mu.Lock()
	m.mu.leaving = true
	m.mu.Unlock()
	m.sayLeaving()
	select {
	case <-m.released:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("tasks are still here: %w", context.Cause(ctx))
	}
}

// sayLeaving tells the job manager, each that there is, once.
func (m *TaskManager) sayLeaving() {
	m.mu.Lock()
	leaving := m.mu.leaving
	m.mu.Unlock()
	if leaving {
		m.outbox.put(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_Leaving{Leaving: &controlv1.Leaving{}}})
	}
}

// send carries the outbox to the job manager.
func (m *TaskManager) send(ctx context.Context, s controlv1.ControlService_ConnectClient, broken context.CancelFunc) {
	defer broken()
	for {
		frames, err := m.outbox.Take()
		if err != nil {
			m.Log.Error("the session with the job manager is over", "task manager", m.ID, "cause", err)
			return
		}
		for _, f := range frames {
			msg := &controlv1.TaskManagerMessage{Sequence: f.Sequence, Acknowledged: f.Acknowledged, Message: f.Message.GetMessage()}
			if err := s.Send(msg); err != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-m.outbox.Ready():
		}
	}
}

// beat sends a heartbeat with every task's figures at the interval.
func (m *TaskManager) beat(ctx context.Context, every time.Duration) {
	for seq := uint64(1); ; seq++ {
		m.putFigures(func() *controlv1.Heartbeat { return &controlv1.Heartbeat{Sequence: seq, Tasks: m.progress()} })
		select {
		case <-ctx.Done():
			return
		case <-m.Clock.After(every):
		}
	}
}

// putFigures takes figures and sends them, in one: older ones never follow newer.
func (m *TaskManager) putFigures(take func() *controlv1.Heartbeat) {
	m.figures.Lock()
	defer m.figures.Unlock()
	h := take()
	h.Trouble = m.tierTrouble()
	m.outbox.put(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_Heartbeat{Heartbeat: h}})
}

func (m *TaskManager) progress() []*controlv1.TaskProgress {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*controlv1.TaskProgress
	for _, a := range m.mu.attempts {
		out = a.appendProgress(out)
	}
	return out
}

// outbox is the session with the job manager.
type outbox struct {
	*delivery.Session[*controlv1.TaskManagerMessage]
}

// put adds a message for the job manager, which must not be changed afterwards. With
// more than outboxMax the session is over: send finds out.
func (o outbox) put(m *controlv1.TaskManagerMessage) { o.Put(m) }

// cancelAll ends every attempt.
func (m *TaskManager) cancelAll(why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, a := range m.mu.attempts {
		m.Log.Info("cancel", "job", id.Job, "region", id.Index, "attempt", a.number, "why", why)
		m.endLocked(a)
	}
}

// endLocked ends an attempt and forgets it.
func (m *TaskManager) endLocked(a *attempt) {
	a.cancel()
	go m.watch(a) // not waited for: what it watches is, unless the process ends
	m.Network.Forget(a.region, a.number)
	delete(m.mu.attempts, a.region)
}

// attempt returns the attempt of that number of a region of the job, nil if none
// of it runs here.
func (m *TaskManager) attempt(job string, number uint64) *attempt {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.attemptLocked(job, number)
}

func (m *TaskManager) attemptLocked(job string, number uint64) *attempt {
	for id, a := range m.mu.attempts { // a few: those of all jobs here
		if id.Job == types.JobID(job) && a.number == types.Attempt(number) {
			return a
		}
	}
	return nil
}

// enter returns the attempt to deploy to, made if it is new; a higher attempt of
// a region cancels the lower, and for a lower one enter returns nil.
func (m *TaskManager) enter(job string, region int32, number uint64) *attempt {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := types.RegionID{Job: types.JobID(job), Index: region}
	old := m.mu.attempts[id]
	if old != nil && old.number >= types.Attempt(number) {
		if old.number == types.Attempt(number) {
			return old
		}
		return nil
	}
	if old != nil {
		m.endLocked(old)
	}
	a := newAttempt(m, id, types.Attempt(number))
	m.mu.attempts[id] = a
	return a
}

// leave ends an attempt that is over.
func (m *TaskManager) leave(job string, number uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.attemptLocked(job, number); a != nil {
		m.endLocked(a)
	}
}

func (m *TaskManager) identity(a *attempt, op types.OperatorUID, subtask, parallelism int32) connectors.Identity {
	return connectors.Identity{
		Cluster: m.Cluster, Job: a.region.Job, Attempt: a.number, Operator: op, Subtask: subtask, Parallelism: parallelism,
	}
}

var errNoSuchVertex = fmt.Errorf("the job graph has no such vertex")
