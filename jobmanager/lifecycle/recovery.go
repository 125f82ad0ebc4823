package lifecycle

import (
	"fmt"
	"slices"
	"strings"

	"millrace/types"
)

// regions are the parts of a job that fail and restart apart from each other.
type regions struct {
	vertices [][]types.VertexID // of each, for people
	of       map[types.VertexID]int
	numbers  []types.Attempt // the attempt of each; 0 for none
}

func newRegions(vertices [][]types.VertexID) regions {
	r := regions{vertices: vertices, of: make(map[types.VertexID]int), numbers: make([]types.Attempt, max(len(vertices), 1))}
	for i, ids := range vertices {
		for _, id := range ids {
			r.of[id] = i
		}
	}
	return r
}

// all returns every region.
func (r *regions) all() []int {
	out := make([]int, len(r.numbers))
	for i := range out {
		out[i] = i
	}
	return out
}

// current tells whether an event about a vertex is of the attempt that its region is in.
func (r *regions) current(v types.VertexID, a types.Attempt) bool {
	return a != 0 && r.numbers[r.of[v]] == a
}

// allotted numbers regions from a first attempt on.
func (r *regions) allotted(of []int, first types.Attempt) {
	for i, region := range of {
		r.numbers[region] = first + types.Attempt(i)
	}
}

// names lists the vertices of some regions.
func (r *regions) names(of []int) string {
	var out []string
	for _, region := range of {
		for _, v := range r.vertices[region] {
			out = append(out, string(v))
		}
	}
	return strings.Join(out, ", ")
}

// recovery is what a machine in Recovering knows of the regions that restart. They go the way of a job: from Failing over
// Restarting, WaitingForResources and Restoring to Deploying. A region that fails in the meantime joins them.
type recovery struct {
	regions   []int // in order; never all
	state     State
	attempt   types.Attempt // of the first region; 0 before it is allotted
	placement uint64
	reason    string
	unclear   bool // as of Machine
	uncounted bool // the same
	restartAt int64
}

// recovers tells whether a failure of some regions leaves others running.
func (m *Machine) recovers(failed []int) bool {
	switch m.state {
	case Running:
		return len(failed) > 0 && len(failed) < len(m.regions.numbers)
	case Recovering:
		return len(failed) > 0 && len(union(m.recovery.regions, failed)) < len(m.regions.numbers)
	default:
		return false
	}
}

// failRegions restarts some regions, together with those that recover already.
func (m *Machine) failRegions(failed []int, f Failure, reason string, uncounted bool) {
	r := m.recovery
	cancel := failed
	switch {
	case r == nil:
		m.restarts.ran(m.now - m.since)
		r = &recovery{}
		m.recovery = r
	case r.state == Failing || r.state == Restarting: // nothing runs of those that recover, or it is being cancelled
		cancel = without(failed, r.regions)
		if len(cancel) == 0 {
			m.explainRegions(f, reason)
			return
		}
		uncounted = uncounted && r.uncounted
	default:
		cancel = union(r.regions, failed)
	}
	r.regions, r.uncounted, r.reason, r.unclear = union(r.regions, failed), uncounted, cut(reason), f.Consequence
	r.state, m.waiting = Failing, 0
	if m.state == Running {
		m.move(Recovering, m.recoveryReason())
	} else {
		m.report(m.recoveryReason())
	}
	m.emit(CancelRegions{Attempt: m.attempt, Regions: cancel, Reason: r.reason})
}

// explainRegions takes the cause of what is being cancelled already: others see a broken channel first.
func (m *Machine) explainRegions(f Failure, reason string) {
	if r := m.recovery; r.unclear && !f.Consequence {
		r.unclear, r.reason = false, cut(reason)
		m.report(m.recoveryReason())
	}
}

func (m *Machine) recoveryReason() string {
	return fmt.Sprintf("vertices %s restart: %s", m.regions.names(m.recovery.regions), m.recovery.reason)
}

// regionsGone decides what follows for regions that failed and are gone.
func (m *Machine) regionsGone(e RegionsGone) {
	r := m.recovery
	if r == nil || e.Attempt != m.attempt || r.state != Failing {
		return
	}
	r.attempt = 0
	for _, region := range r.regions {
		m.regions.numbers[region] = 0
	}
	delay, doom := m.restarts.delayOf(r.uncounted)
	if doom != "" {
		m.doomed = true
		m.fail(doom + ": " + r.reason)
		return
	}
	r.state, r.restartAt = Restarting, m.now+delay.Milliseconds()
	m.emit(ScheduleRestart{
		At: r.restartAt, DelayMillis: delay.Milliseconds(), Restarts: m.restarts.count, Before: m.before, Regions: r.regions, Reason: r.reason,
	})
}

// recoveryTick restarts regions whose back-off is over, and has those that wait for slots take fewer.
func (m *Machine) recoveryTick() {
	r := m.recovery
	switch {
	case r.state == Restarting && m.now >= r.restartAt:
		r.state = WaitingForResources
		m.allot(r.regions)
	case r.state == WaitingForResources && r.attempt != 0:
		m.acceptLower(r.attempt, r.regions)
	default:
	}
}

func (m *Machine) recoveryAllotted(e AttemptAllotted) {
	r := m.recovery
	if r.state != WaitingForResources || r.attempt != 0 || !slices.Equal(e.Regions, r.regions) {
		return // it was for what has changed since
	}
	r.attempt = e.Attempt
	m.regions.allotted(r.regions, e.Attempt)
	m.requestResources(r.attempt, r.regions)
}

// takeOfRecovery handles what concerns the attempt of the regions that recover.
func (m *Machine) takeOfRecovery(ev Event) {
	r := m.recovery
	switch ev := ev.(type) {
	case ResourcesAvailable:
		if r.state == WaitingForResources && len(ev.Tasks) > 0 {
			r.state, r.placement = Restoring, ev.Placement
			m.placed(r.regions, ev.Tasks)
			m.emit(DeployCoordinators{Attempt: r.attempt, Placement: r.placement, Before: m.before})
		}
	case ResourcesMissing:
		m.recoveryLacks(ev)
	case CoordinatorsReady:
		if r.state == Restoring {
			r.state = Deploying
			m.deployTasks(r.attempt, r.placement)
		}
	case RestoreFailed:
		m.restoreFailed(ev)
	default:
	}
}

// recoveryLacks waits on, or, where waiting can't help, places the whole job anew. That is no failure of the job.
func (m *Machine) recoveryLacks(e ResourcesMissing) {
	switch {
	case m.recovery.state != WaitingForResources:
	case e.All:
		m.doomed, m.uncounted = false, true
		m.fail(e.Reason)
	default:
		m.report(m.recoveryReason() + "; " + e.Reason)
	}
}

// recoveryAdvanced goes on with the whole job once all tasks run.
func (m *Machine) recoveryAdvanced() {
	r := m.recovery
	if r.state != Deploying || !m.allTasks(TaskRunning) {
		return
	}
	m.recovery = nil
	m.runs()
}

// placed notes which tasks some regions consist of from now on.
func (m *Machine) placed(of []int, tasks []types.TaskID) {
	m.waiting = 0
	for id := range m.tasks {
		if slices.Contains(of, m.regions.of[id.Vertex]) {
			delete(m.tasks, id)
		}
	}
	for _, t := range tasks {
		m.tasks[t] = 0
	}
}

// union returns what is in either, in order.
func union(a, b []int) []int {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// without returns what is in a and not in b.
func without(a, b []int) []int {
	return slices.DeleteFunc(slices.Clone(a), func(region int) bool { return slices.Contains(b, region) })
}
