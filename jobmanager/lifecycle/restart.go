package lifecycle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"millrace/failure"
	"millrace/jobgraph"
)

// failed takes one failure of some regions in. The first one of an attempt cancels it, or those regions of it; what comes
// while it is cancelled may still be the cause (others see a broken channel first), so it may doom the job and is what people
// are told, but it is no further failure.
func (m *Machine) failed(f Failure, of []int) {
	if m.state != Failing && !slices.Contains(active, m.state) {
		return
	}
	reason, doomed := m.restarts.verdict(f)
	if m.state == Failing {
		if doomed && !m.doomed || m.unclear && !f.Consequence {
			m.doomed, m.unclear, m.reason = m.doomed || doomed, false, cut(reason)
			m.report(reason)
		}
		return
	}
	if !doomed && m.recovers(of) {
		m.failRegions(of, f, reason, false)
		return
	}
	m.doomed, m.uncounted = doomed, false
	if m.hasRun() {
		m.restarts.ran(m.now - m.since)
	}
	m.fail(reason)
	m.unclear = f.Consequence
}

func (m *Machine) hasRun() bool {
	return slices.Contains([]State{Running, Finishing, Stopping}, m.state)
}

// fail cancels the attempt, as a whole.
func (m *Machine) fail(reason string) {
	m.reason, m.recovery, m.unclear = cut(reason), nil, false
	m.move(Failing, reason)
	m.emit(CancelAttempt{Attempt: m.attempt, Reason: m.reason})
}

// restoreFailed makes the next attempt begin at an older checkpoint. It is not the job's failure, so no restart is
// counted; there are only so many checkpoints.
func (m *Machine) restoreFailed(e RestoreFailed) {
	if !slices.Contains(active, m.state) && m.state != Failing {
		return
	}
	reason := fmt.Sprintf("checkpoint %d cannot be restored: %s", e.Checkpoint, e.Reason)
	if m.before != 0 && e.Checkpoint >= m.before {
		// Another task said so already; or it is not what this attempt was to be restored from, which is a failure like others.
		m.failed(Failure{Message: reason}, m.restoring())
		return
	}
	doomed := e.Older <= 0
	if doomed {
		reason += "; no retained checkpoint before it is left"
	} else {
		m.before = e.Checkpoint
		m.emit(FallBack{From: e.Checkpoint, Reason: reason + "; the one before it is used"})
	}
	if !doomed && m.recovers(m.restoring()) {
		m.failRegions(m.restoring(), Failure{}, reason, true)
		return
	}
	m.uncounted = true
	m.doomed = m.doomed || doomed
	if m.state != Failing {
		m.fail(reason)
		return
	}
	if doomed {
		m.reason = cut(reason)
	}
}

// restoring returns the regions that were deployed last.
func (m *Machine) restoring() []int {
	if m.recovery != nil {
		return m.recovery.regions
	}
	return m.regions.all()
}

// coordinatorFailed makes the next attempt try the newest checkpoint again where falling back behind it would produce
// output twice: what is missing of it may be brought back.
func (m *Machine) coordinatorFailed(e CoordinatorFailed) {
	if e.Ahead && (m.state == Restoring || m.recovery != nil && m.recovery.state == Restoring) {
		m.before = 0
	}
	f := Failure{Class: e.Failure.Class, Position: e.Failure.Position, Message: fmt.Sprintf("coordinator of %s: %s", e.Vertex, e.Failure.Message)}
	m.failed(f, []int{m.regions.of[e.Vertex]})
}

// taskManagerLost is the cause of what tasks elsewhere report at the same time, whichever comes first.
func (m *Machine) taskManagerLost(e TaskManagerLost) {
	lost := fmt.Sprintf("task manager %s is lost: %s", e.TaskManager, e.Reason)
	if m.state == Failing && !m.doomed {
		if m.unclear {
			m.unclear, m.reason = false, cut(lost)
		} else {
			m.reason = cut(m.reason + "; " + lost)
		}
		m.report(m.reason)
		return
	}
	m.failed(Failure{Message: lost}, e.Regions)
}

// failingDone decides what follows an attempt that failed and is gone.
func (m *Machine) failingDone() {
	if m.doomed {
		m.store(Failed, m.reason)
		return
	}
	delay, doom := m.restarts.delayOf(m.uncounted)
	if doom != "" {
		m.store(Failed, doom+": "+m.reason)
		return
	}
	m.restartAt = m.now + delay.Milliseconds()
	m.move(Restarting, m.reason)
	m.emit(ScheduleRestart{
		At: m.restartAt, DelayMillis: delay.Milliseconds(), Restarts: m.restarts.count, Before: m.before, Regions: m.regions.all(), Reason: m.reason,
	})
}

// restarts knows the restart strategy and what has failed so far.
type restarts struct {
	spec   jobgraph.RestartSpec
	random *rand.Rand
	count  int // of all restarts
	used   int // of those that the strategy counts, since the last reset
	delay  time.Duration
	// failures at positions of sources; order has the positions, the oldest first.
	failures map[string]int
	order    []string
}

func newRestarts(cfg Config) restarts {
	s := cfg.Restart
	s.Delay = orDefault(s.Delay, DefaultDelay)
	s.MaxDelay = max(orDefault(s.MaxDelay, DefaultMaxDelay), s.Delay)
	s.ResetThreshold = orDefault(s.ResetThreshold, DefaultResetThreshold)
	s.Poison = orDefault(s.Poison, DefaultPoison)
	if s.Strategy == jobgraph.RestartFixedDelay {
		s.Attempts = orDefault(s.Attempts, DefaultFixedAttempts)
	}
	return restarts{
		spec: s, random: rand.New(rand.NewPCG(cfg.Seed, 0)), //nolint:gosec // jitter needs no secrecy
		delay: s.Delay, failures: make(map[string]int),
	}
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// verdict counts a failure at a position, and tells whether the job must not be restarted after it, and the reason for
// people. Of what is the user's only that may be restarted which says so: a function that panics may not do so again.
func (r *restarts) verdict(f Failure) (reason string, doomed bool) {
	if f.Position != "" {
		if n := r.failedAt(f.Position); n >= r.spec.Poison {
			return fmt.Sprintf("poison record at %s: %d failures there, the last: %s", f.Position, n, f.Message), true
		}
	}
	return f.Message, f.Class.Retry == failure.Never || f.Class == (failure.Class{Domain: failure.DomainUser, Retry: failure.Backoff})
}

func (r *restarts) failedAt(position string) int {
	if r.failures[position] == 0 {
		if len(r.order) >= positionsMax {
			delete(r.failures, r.order[0])
			r.order = r.order[1:]
		}
		r.order = append(r.order, position)
	}
	r.failures[position]++
	return r.failures[position]
}

// ran takes note of how long the job has run before it failed.
func (r *restarts) ran(millis int64) {
	if r.spec.Strategy == jobgraph.RestartExponentialDelay && millis >= r.spec.ResetThreshold.Milliseconds() {
		r.used, r.delay = 0, r.spec.Delay
	}
}

// delayOf counts a restart and returns the delay before it, or why there is none. One that is no failure of the job needs
// neither a delay nor the strategy's leave.
func (r *restarts) delayOf(uncounted bool) (delay time.Duration, doom string) {
	if !uncounted {
		if delay, doom = r.next(); doom != "" {
			return 0, doom
		}
	}
	r.count++
	return delay, ""
}

// next returns the delay before the next attempt, or why there is none.
func (r *restarts) next() (delay time.Duration, doom string) {
	switch r.spec.Strategy {
	case jobgraph.RestartNone:
		return 0, "the job has no restart strategy"
	case jobgraph.RestartFixedDelay:
		delay = r.spec.Delay
	default:
		jitter := 1 + jitterFraction*(2*r.random.Float64()-1)
		delay = min(time.Duration(float64(r.delay)*jitter), r.spec.MaxDelay)
		r.delay = min(time.Duration(float64(r.delay)*backoffMultiplier), r.spec.MaxDelay)
	}
	if r.spec.Attempts > 0 && r.used >= r.spec.Attempts {
		return 0, fmt.Sprintf("%d restarts are used up", r.spec.Attempts)
	}
	r.used++
	return delay, ""
}
