package taskmanager

import (
	"errors"
	"fmt"
	"sync"

	"millrace/exchange"
	"millrace/failure"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// Addresses knows where other task managers take rows, as deployments say. The
// zero value knows nobody. It is safe for concurrent use, and shared by a task
// manager and its network.
type Addresses struct {
	mu struct {
		sync.Mutex
		of map[types.TaskManagerID]string
	}
}

// Resolve returns the address of a task manager; ok is false while it is not known.
func (a *Addresses) Resolve(id types.TaskManagerID) (address string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	address, ok = a.mu.of[id]
	return address, ok
}

// learn takes over what a deployment says; what it says is newer. Beyond
// addressesMax the others are forgotten: those that are needed are said again.
func (a *Addresses) learn(placements []*controlv1.Placement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.of == nil || len(a.mu.of) > addressesMax {
		a.mu.of = make(map[types.TaskManagerID]string)
	}
	for _, p := range placements {
		if p.DataAddress != "" {
			a.mu.of[types.TaskManagerID(p.TaskManagerId)] = p.DataAddress
		}
	}
}

// Broken ends an attempt here whose channels to or from a peer were lost: the tasks
// that produced into them have no other sign of it. It may be called from any
// goroutine.
func (m *TaskManager) Broken(job types.JobID, peer types.TaskManagerID, channels []exchange.ChannelID, cause error) {
	of := make(map[types.Attempt]int)
	for _, c := range channels {
		of[c.Attempt]++
	}
	for number, n := range of {
		a := m.attempt(string(job), uint64(number))
		if a == nil || errors.Is(cause, exchange.ErrFenced) {
			continue
		}
		if tasks := a.tasks(); len(tasks) > 0 { // one failure says it all: the job manager ends the attempt
			err := failure.External(fmt.Errorf("%d channels with task manager %s %w: %w", n, peer, exchange.ErrBroken, cause), failure.Restart)
			a.changed(tasks[0].id, controlv1.TaskState_TASK_STATE_FAILED, err)
		}
	}
}
