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
	"millrace/internal/clock"
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

	Operators  *operators.Registry
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
	// StateBytes bounds the state of all slots, which share it evenly; 0 is no bound.
	StateBytes int64
}

// TaskManager runs tasks. Make one with New.
type TaskManager struct {
	Options
	outbox  outbox
	figures sync.Mutex // from taking them to the outbox; taken before mu
	mu      struct {
		sync.Mutex
		term     types.Term
		attempts map[types.RegionID]*attempt
		leaving  bool
	}
	released chan struct{} // closed when the job manager lets the task manager go
	wait     sync.WaitGroup
}

// New returns a task manager; Run makes it work.
func New(o Options) *TaskManager {
	if o.RowsMax == 0 {
		o.RowsMax = stream.RowsMax
	}
	m := &TaskManager{Options: o, released: make(chan struct{})}
	m.outbox.ready = make(chan struct{}, 1)
	m.mu.attempts = make(map[types.RegionID]*attempt)
	return m
}

// Run serves job managers until the context ends, then cancels every task and
// waits for all of them. It returns early only with the error of a job manager
// that refuses this task manager for good.
func (m *TaskManager) Run(ctx context.Context) error {
	defer m.wait.Wait()
	defer m.cancelAll("task manager stops")
	wait := redialMin
	lost := m.Clock.Now()
	for ctx.Err() == nil {
		registered, err := m.serve(ctx)
		if refused, ok := errors.AsType[*refusedError](err); ok {
			return refused
		}
		now := m.Clock.Now()
		if registered {
			wait, lost = redialMin, now
			m.Log.Warn("lost the job manager", "task manager", m.ID, "cause", err)
		}
		if now.Sub(lost) >= OrphanTimeout {
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := m.JobManager.Connect(ctx)
	if err != nil {
		return false, err
	}
	m.outbox.reset()
	if err := s.Send(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_Register{Register: m.registration()}}); err != nil {
		return false, err
	}
	var side sync.WaitGroup
	defer side.Wait()
	defer cancel()
	for {
		msg, err := s.Recv()
		if err != nil {
			return registered, err
		}
		switch r := msg.Message.(type) {
		case *controlv1.JobManagerMessage_Refused:
			return registered, &refusedError{r.Refused.Reason}
		case *controlv1.JobManagerMessage_Registered:
			registered = true
			m.cancelAll("a job manager took over")
			m.raiseTerm(types.Term(msg.Term))
			side.Go(func() { m.send(ctx, s, cancel) })
			side.Go(func() { m.beat(ctx, time.Duration(r.Registered.HeartbeatIntervalMillis)*time.Millisecond) })
			m.sayLeaving()
			m.Log.Info("registered", "task manager", m.ID, "term", msg.Term)
		default:
			if m.raiseTerm(types.Term(msg.Term)) {
				m.handle(msg)
			}
		}
	}
}

func (m *TaskManager) registration() *controlv1.Register {
	return &controlv1.Register{
		Cluster: m.Cluster, TaskManagerId: string(m.ID), Incarnation: m.Incarnation, Slots: int32(m.Slots),
		DataAddress: m.DataAddress, Labels: m.Labels, Version: m.Version,
		SlotStateBytes: m.SlotStateBytes(),
	}
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
		for _, msg := range m.outbox.take() {
			if err := s.Send(msg); err != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-m.outbox.ready:
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
	m.outbox.put(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_Heartbeat{Heartbeat: take()}})
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

// outbox holds messages for the job manager.
type outbox struct {
	mu struct {
		sync.Mutex
		messages []*controlv1.TaskManagerMessage
	}
	ready chan struct{}
}

// put adds a message; what doesn't fit is dropped, and the job manager finds out
// by the heartbeats that don't come either.
func (o *outbox) put(m *controlv1.TaskManagerMessage) {
	o.mu.Lock()
	if len(o.mu.messages) < outboxMax {
		o.mu.messages = append(o.mu.messages, m)
	}
	o.mu.Unlock()
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

func (o *outbox) take() []*controlv1.TaskManagerMessage {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := o.mu.messages
	o.mu.messages = nil
	return out
}

// reset forgets what was meant for another job manager.
func (o *outbox) reset() { o.take() }

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
