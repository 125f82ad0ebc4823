package taskmanager

import (
	"fmt"
	"strings"

	"millrace/failure"
	"millrace/internal/stack"
	"millrace/types"
)

// runsTasks is below whatever a task does, as the runtime calls it.
const runsTasks = "millrace/taskmanager.(*attempt).runTask"

// watch waits for the tasks of an attempt that was cancelled. Those that are in a function that doesn't return keep their slots and their memory, and the job from going on: nothing but the
// end of the process ends them. Who ends it is told once.
func (m *TaskManager) watch(a *attempt) {
	if m.CancellationTimeout <= 0 {
		return
	}
	late := m.Clock.NewTimer(m.CancellationTimeout)
	defer late.Stop()
	for _, r := range a.tasks() {
		select {
		case <-r.ended:
		case <-late.C():
			err := m.stuck(a)
			if err == nil { // the last one ended just now
				return
			}
			m.Log.Error("tasks don't end", "job", a.region.Job, "attempt", a.number, "cause", err)
			if m.Stuck != nil {
				m.Stuck(err)
			}
			return
		}
	}
}

// stuck says which tasks of a cancelled attempt still run, and where they are in code of the user's; nil: none does.
func (m *TaskManager) stuck(a *attempt) error {
	var which []types.TaskID
	for _, r := range a.tasks() {
		select {
		case <-r.ended:
		default:
			which = append(which, r.id)
		}
	}
	if len(which) == 0 {
		return nil
	}
	where := "in none of the program's functions"
	if in := stack.Running(runsTasks); len(in) > 0 {
		where = "in\n" + strings.Join(in, "\n\n")
	}
	return failure.Internal(failure.Message{
		Primary: fmt.Sprintf("tasks %v of job %s have not ended within %s of being cancelled", which, a.region.Job, m.CancellationTimeout),
		Detail:  "they are " + where,
		Hint:    "have functions return; sdk.Async is for what waits",
	})
}
