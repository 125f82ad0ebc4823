package jobmanager

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"millrace/internal/clock"
	"millrace/internal/delivery"
	"millrace/jobgraph"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// registry knows the task managers that this leader has taken in. It is safe for
// concurrent use. The lock of a member may be taken under the registry's, not the
// other way round.
type registry struct {
	term  types.Term
	clock clock.Clock
	// dial tries whether something listens at an address.
	dial func(ctx context.Context, address string) error
	// checked is when expire looked last; its caller's.
	checked time.Time
	mu      struct {
		sync.Mutex
		members map[types.TaskManagerID]*member
		slots   map[types.SlotID]tenant
	}
	// changed tells every driver that slots came or went.
	changed func()
	// lost tells every driver that a task manager is gone.
	lost func(types.TaskManagerID, string)
}

// tenant is the job that has a slot. One that is exclusive has its task managers for itself.
type tenant struct {
	job       types.JobID
	exclusive bool
}

// tenantOf returns what a job is to the slots that it has.
func tenantOf(job types.JobID, g *jobgraph.Graph) tenant { return tenant{job, g.Natives()} }

// member is a task manager that is connected, or may be in a moment.
type member struct {
	id          types.TaskManagerID
	incarnation string
	slots       int
	labels      map[string]string
	builds      []string // in order
	dataAddress string
	stateBytes  int64 // of a slot; 0 is no bound
	since       time.Time

	// session has what it is told and what it said, whatever connection carries it.
	session *delivery.Session[*controlv1.JobManagerMessage]
	gone    chan struct{} // closed when the member is lost

	mu struct {
		sync.Mutex
		// connection is the one that stands, nil while none does; broken is the last
		// one then, and trouble what ended it, or the member.
		connection, broken *connection
		trouble            string
		// own is what it says is the matter with itself.
		own  string
		beat time.Time
		// challenger is another process that came with this id, first when challenged.
		challenger string
		challenged time.Time
		ended      bool
		leaving    bool
		released   bool
		// told says that it has told what runs on it; before, its slots are not offered.
		told bool
	}
}

func (m *member) isLeaving() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.leaving
}

// depart notes that a task manager wants to leave: drivers move their tasks away.
func (r *registry) depart(m *member) {
	m.mu.Lock()
	m.mu.leaving = true
	m.mu.Unlock()
	r.changed()
	r.releaseLeaving()
}

// releaseLeaving lets those go that want to leave and have no tasks any more.
func (r *registry) releaseLeaving() {
	for _, m := range r.members() {
		if m.isLeaving() && r.idle(m.id) && m.letGo() {
			r.send(m.id, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Released{Released: &controlv1.Released{}}})
		}
	}
}

// letGo tells whether this is the first time that the member is let go.
func (m *member) letGo() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := !m.mu.released
	m.mu.released = true
	return first
}

// idle tells whether no job has a slot of a task manager.
func (r *registry) idle(id types.TaskManagerID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.mu.slots {
		if s.TaskManager == id {
			return false
		}
	}
	return true
}

func newRegistry(term types.Term, c clock.Clock, dial func(context.Context, string) error) *registry {
	r := &registry{term: term, clock: c, dial: dial}
	r.mu.members = make(map[types.TaskManagerID]*member)
	r.mu.slots = make(map[types.SlotID]tenant)
	return r
}

// leave forgets a member, once, and tells the drivers.
func (r *registry) leave(m *member, why string) { r.leaveIf(m, why, func() bool { return true }) }

// leaveIf is leave where that, asked under the member's lock, still holds.
func (r *registry) leaveIf(m *member, why string, still func() bool) {
	r.mu.Lock()
	m.mu.Lock()
	leaves := !m.mu.ended && still()
	if leaves {
		m.mu.ended, m.mu.trouble = true, why
		delete(r.mu.members, m.id)
		for s := range r.mu.slots {
			if s.TaskManager == m.id {
				delete(r.mu.slots, s)
			}
		}
	}
	m.mu.Unlock()
	r.mu.Unlock()
	if leaves {
		close(m.gone)
		r.lost(m.id, why)
	}
}

// send queues a message for a task manager; one that is not there, or takes
// nothing, gets nothing: whoever needed it there is told that it is lost.
func (r *registry) send(id types.TaskManagerID, msg *controlv1.JobManagerMessage) {
	r.mu.Lock()
	m := r.mu.members[id]
	r.mu.Unlock()
	if m != nil && !m.session.Put(msg) {
		r.leave(m, fmt.Sprintf("%d messages wait for it", sendQueueMax))
	}
}

// dataAddress returns where a task manager takes rows, "" if it is gone or shares
// the process with its peers.
func (r *registry) dataAddress(id types.TaskManagerID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.mu.members[id]; m != nil {
		return m.dataAddress
	}
	return ""
}

// beat notes a heartbeat.
func (m *member) beat(now time.Time) {
	m.mu.Lock()
	m.mu.beat = now
	m.mu.Unlock()
}

// expire drops the members whose last heartbeat is older than the timeout. It is called every HeartbeatInterval, by one
// goroutine. A process that slept meanwhile has heard nobody: what it slept through is no silence of theirs.
func (r *registry) expire(now time.Time) {
	var slept time.Duration
	if since := now.Sub(r.checked); !r.checked.IsZero() && since > 2*HeartbeatInterval {
		slept = since
	}
	r.checked = now
	for _, m := range r.members() {
		m.mu.Lock()
		if m.mu.beat = m.mu.beat.Add(slept); m.mu.beat.After(now) {
			m.mu.beat = now
		}
		late, why := now.Sub(m.mu.beat), m.mu.trouble
		m.mu.Unlock()
		if late > HeartbeatTimeout {
			if why != "" {
				why += "; "
			}
			r.leave(m, fmt.Sprintf("%sno heartbeat for %s", why, late.Round(time.Millisecond)))
		}
	}
}

// members returns the task managers in the order of their ids.
func (r *registry) members() []*member {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*member, 0, len(r.mu.members))
	for _, m := range r.mu.members {
		out = append(out, m)
	}
	sort.Slice(out, func(i, k int) bool { return out[i].id < out[k].id })
	return out
}

// take gives the slots to a job in place of those it has; false if one of them
// is another job's or gone, or beside those of a job with which it may not share.
func (r *registry) take(by tenant, slots []types.SlotID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	others := r.othersLocked(by.job)
	for _, s := range slots {
		owner, taken := r.mu.slots[s]
		beside := others[s.TaskManager]
		if r.mu.members[s.TaskManager] == nil || (taken && owner.job != by.job) || beside.exclusive != "" || (by.exclusive && beside.shared != "") {
			return false
		}
	}
	r.releaseLocked(by.job)
	for _, s := range slots {
		r.mu.slots[s] = by
	}
	return true
}

// beside says what other jobs a task manager runs, as scheduler.TaskManager has it.
type beside struct{ exclusive, shared types.JobID }

// othersLocked returns what every task manager runs of other jobs than one.
func (r *registry) othersLocked(job types.JobID) map[types.TaskManagerID]beside {
	out := make(map[types.TaskManagerID]beside)
	for s, owner := range r.mu.slots {
		if owner.job == job {
			continue
		}
		b := out[s.TaskManager]
		switch {
		case owner.exclusive:
			b.exclusive = owner.job
		case b.shared == "" || owner.job < b.shared:
			b.shared = owner.job
		}
		out[s.TaskManager] = b
	}
	return out
}

// release frees the slots of a job.
func (r *registry) release(job types.JobID) {
	r.mu.Lock()
	r.releaseLocked(job)
	r.mu.Unlock()
	r.changed()
	r.releaseLeaving()
}

// vacate frees the slots that a job has on task managers that are about to leave.
func (r *registry) vacate(job types.JobID) {
	leaving := make(map[types.TaskManagerID]bool)
	for _, m := range r.members() {
		leaving[m.id] = m.isLeaving()
	}
	r.mu.Lock()
	for s, owner := range r.mu.slots {
		if owner.job == job && leaving[s.TaskManager] {
			delete(r.mu.slots, s)
		}
	}
	r.mu.Unlock()
	r.releaseLeaving()
}

// inventory reserves the slots that jobs have on a member, so that nobody else takes them before it is decided what goes
// on there. From now on the others are offered.
func (r *registry) inventory(m *member, slots map[types.SlotID]tenant) {
	r.mu.Lock()
	for s, owner := range slots {
		if r.mu.members[m.id] == m {
			r.mu.slots[s] = owner
		}
	}
	m.mu.Lock()
	m.mu.told = true
	m.mu.Unlock()
	r.mu.Unlock()
}

func (m *member) hasTold() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.told
}

// keep frees the slots of a job but for some.
func (r *registry) keep(job types.JobID, slots []types.SlotID) {
	r.mu.Lock()
	freed := false
	for s, owner := range r.mu.slots {
		if owner.job == job && !slices.Contains(slots, s) {
			delete(r.mu.slots, s)
			freed = true
		}
	}
	r.mu.Unlock()
	if freed {
		r.changed()
		r.releaseLeaving()
	}
}

func (r *registry) releaseLocked(job types.JobID) {
	for s, owner := range r.mu.slots {
		if owner.job == job {
			delete(r.mu.slots, s)
		}
	}
}
