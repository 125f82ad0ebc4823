package lifecycle

import (
	"fmt"
	"maps"

	"millrace/types"
)

// takenOver is why a job restarts of which nothing could be adopted.
const takenOver = "another job manager leads now"

// beginCollecting leaves what runs alone, and asks for it.
func (m *Machine) beginCollecting() {
	m.judgeAt = m.now + m.collect.Milliseconds()
	m.move(Adopting, takenOver+"; it looks for what runs of the job")
	m.emit(CollectTasks{Attempt: m.attempt})
}

// collectingTick ends the waiting for task managers.
func (m *Machine) collectingTick() {
	if m.judgeAt != 0 && m.now >= m.judgeAt {
		m.judgeAt = 0
		m.emit(JudgeTasks{Attempt: m.attempt})
	}
}

// collected goes on with the regions that are whole, and restarts the others. That is no failure of the job.
func (m *Machine) collected(e Collected) {
	if m.state != Adopting || e.Attempt != m.attempt || len(e.Regions) != len(m.regions.numbers) {
		return
	}
	var whole, rest []int
	reason := ""
	m.tasks = make(map[types.TaskID]TaskState)
	for i, r := range e.Regions {
		if r.Missing != "" || len(r.Tasks) == 0 {
			rest = append(rest, i)
			if reason == "" {
				reason = fmt.Sprintf("%s; %s", takenOver, r.Missing)
			}
			continue
		}
		whole = append(whole, i)
		m.regions.numbers[i] = r.Number
		maps.Copy(m.tasks, r.Tasks)
	}
	if len(whole) == 0 {
		m.uncounted = true
		m.fail(reason)
		return
	}
	m.since, m.takeover = m.now, true
	m.emit(AdoptRegions{Attempt: m.attempt, Regions: whole})
	if len(rest) == 0 {
		m.runs()
		m.tasksAdvanced()
		return
	}
	m.recovery = &recovery{regions: rest, state: Failing, reason: cut(reason), uncounted: true}
	m.move(Recovering, m.recoveryReason())
	m.emit(CancelRegions{Attempt: m.attempt, Regions: rest, Reason: m.recovery.reason})
}
