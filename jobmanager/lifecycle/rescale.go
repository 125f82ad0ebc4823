package lifecycle

import (
	"time"

	"millrace/types"
)

// RescaleSpec says how readily a job changes its placement by itself. Zero means at once.
type RescaleSpec struct {
	// Wait is how long a job waits for all the slots that it wants before it runs on fewer.
	Wait time.Duration
	// Settle is how long a better placement must have been there, and nothing changed, before a running job moves.
	Settle time.Duration
	// Cooldown is the least time from when the job runs to when it moves by itself.
	Cooldown time.Duration
}

// rescale is what the machine knows of a change of placement to come.
type rescale struct {
	spec RescaleSpec
	// wanted is why the running attempt is to end behind its next checkpoint; "" if it is not.
	wanted string
	by     int64 // when it ends without one
	better string
	since  int64 // when better was said first, or said anew
}

// acceptLower takes what slots there are once the job has waited long enough for all it wants.
func (m *Machine) acceptLower(attempt types.Attempt, of []int) {
	if m.waiting == 0 || attempt == 0 || m.now-m.waiting < m.rescale.spec.Wait.Milliseconds() {
		return
	}
	m.waiting = 0
	m.emit(RequestResources{Attempt: attempt, Regions: of, Lower: true})
}

// rescaleRequested moves a running job; one that is not placed yet is placed by the new wish anyway.
func (m *Machine) rescaleRequested(reason string) {
	switch m.state {
	case Running:
		if m.rescale.wanted == "" {
			m.beginRescale(reason)
		}
	case Restoring, Deploying, Recovering, Adopting:
		m.rescale.wanted = reason
	default:
	}
}

// beginRescale asks for the checkpoint behind which the attempt ends.
func (m *Machine) beginRescale(reason string) {
	m.rescale.wanted, m.rescale.by = cut(reason), m.now+rescalePatience.Milliseconds()
	m.emit(RequestCheckpoint{Attempt: m.attempt})
}

// placementChanged starts the settling time anew whenever the slots change.
func (m *Machine) placementChanged(e PlacementChanged) {
	m.rescale.better, m.rescale.since = e.Better, m.now
	m.rescaleTick()
}

func (m *Machine) rescaleTick() {
	if m.state != Running {
		return
	}
	r := &m.rescale
	switch {
	case r.wanted != "":
		if m.now >= r.by {
			m.rescaleDue()
		}
	case r.better != "" && m.now-r.since >= r.spec.Settle.Milliseconds() && m.now-m.since >= r.spec.Cooldown.Milliseconds():
		m.beginRescale(r.better)
	}
}

// rescaleDue ends the attempt where a rescale is wanted. It is no failure of the job.
func (m *Machine) rescaleDue() {
	if m.state != Running || m.rescale.wanted == "" {
		return
	}
	reason := m.rescale.wanted
	m.rescale.wanted, m.rescale.better = "", ""
	m.move(Rescaling, reason)
	m.emit(Rescale{Reason: reason})
	m.emit(CancelAttempt{Attempt: m.attempt, Reason: reason})
}
