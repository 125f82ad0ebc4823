package sim

import (
	"maps"
	"slices"
	"strconv"

	"millrace/jobmanager/coord"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/scheduler"
	"millrace/types"
)

// jobManager is one life of a job manager: it campaigns, and while it leads it has members and the driver of the job.
type jobManager struct {
	*process
	store   etcd
	blob    blobs
	lead    coord.Leadership
	term    types.Term
	renewed int64
	members map[types.TaskManagerID]*link
	driver  *driver
}

func (w *world) startJobManager(i int) *jobManager {
	jm := &jobManager{
		process: &process{w: w, name: "jm" + strconv.Itoa(i), ahead: w.between(0, 100_000)}, members: make(map[types.TaskManagerID]*link),
	}
	jm.store, jm.blob = etcd{w.etcd.Open(), jm.process}, blobs{w.blob, jm.process}
	jm.onKill = func() {
		jm.lead = nil
		for _, id := range jm.memberIDs() {
			l := jm.members[id]
			w.after(w.between(1, 50), func() {
				if l.connected && !l.over {
					l.breaks()
				}
			})
		}
		w.after(w.between(100, 12_000), func() { w.jms[i] = w.startJobManager(i) })
	}
	jm.tell("starts")
	jm.campaign()
	jm.keepAlive()
	jm.tick()
	return jm
}

// leads tells whether it leads, as far as it knows, in that term.
func (jm *jobManager) leads(term types.Term) bool {
	return !jm.dead && jm.lead != nil && jm.term == term
}

func (jm *jobManager) memberIDs() []types.TaskManagerID { return slices.Sorted(maps.Keys(jm.members)) }

// campaign enters for the leadership when nobody leads.
func (jm *jobManager) campaign() {
	jm.after(jm.w.between(campaignEvery/2, campaignEvery), func() {
		defer jm.campaign()
		if jm.lead != nil || !jm.w.answers(jm.name, "etcd") {
			return
		}
		if _, err := jm.store.Leader(jm.w.ctx); err == nil { // perhaps a life before of its own
			return
		}
		lead, err := jm.store.Campaign(jm.w.ctx, jm.name)
		if err != nil {
			return
		}
		jm.lead, jm.term, jm.renewed = lead, lead.Term(), jm.w.now
		jm.w.leases[jm.name] = jm.w.now
		jm.tell("leads in term %d", jm.term)
		jm.driver = newDriver(jm)
		jm.driver.begin()
	})
}

// keepAlive renews the lease, and finds out when it is over.
func (jm *jobManager) keepAlive() {
	jm.after(keepAliveEvery, func() {
		defer jm.keepAlive()
		if jm.lead == nil {
			return
		}
		if jm.w.answers(jm.name, "etcd") {
			jm.store.Notice()
			jm.renewed, jm.w.leases[jm.name] = jm.w.now, jm.w.now
		}
		deaf := jm.w.faults.deaf && !jm.w.healed
		if !deaf && (jm.isFenced() || jm.w.now-jm.renewed > leaseTTL) {
			jm.stepDown("its lease is over")
		}
	})
}

func (jm *jobManager) isFenced() bool {
	select {
	case <-jm.lead.Done():
		return true
	default:
		return false
	}
}

// expireLeases is etcd's side: a lease that nobody renewed ends.
func (w *world) expireLeases() {
	w.after(500, func() {
		for _, jm := range w.jms {
			if at, ok := w.leases[jm.name]; ok && w.now-at > leaseTTL {
				delete(w.leases, jm.name)
				if w.etcd.Expire(jm.name) {
					w.tell("etcd", "the lease of %s runs out", jm.name)
				}
			}
		}
		w.expireLeases()
	})
}

// stepDown ends the leadership: nothing more is done for the job.
func (jm *jobManager) stepDown(why string) {
	if jm.lead == nil {
		return
	}
	jm.tell("steps down: %s", why)
	if jm.w.answers(jm.name, "etcd") {
		_ = jm.lead.Resign(jm.w.ctx) // it ends either way
	}
	jm.store = etcd{jm.w.etcd.Open(), jm.process}
	delete(jm.w.leases, jm.name)
	jm.lead, jm.driver.stopped = nil, true
	for _, id := range jm.memberIDs() {
		if l := jm.members[id]; l.connected {
			l.breaks()
		}
	}
	clear(jm.members)
}

// tick tells the driver the time, and finds members that are silent.
func (jm *jobManager) tick() {
	jm.after(driverTick, func() {
		defer jm.tick()
		if jm.lead == nil {
			return
		}
		for _, id := range jm.memberIDs() {
			if l := jm.members[id]; l != nil && jm.w.now-l.heard > heartbeatTimeout {
				jm.lose(l, "silent")
			}
		}
		if jm.lead != nil {
			jm.driver.tick()
		}
	})
}

// joined takes a task manager in.
func (jm *jobManager) joined(l *link) {
	id := types.TaskManagerID(l.tm.name)
	if old := jm.members[id]; old != nil {
		jm.lose(old, "another session")
	}
	jm.members[id] = l
	jm.after(jm.w.latency(), func() {
		if jm.lead != nil {
			jm.driver.slotsChanged()
		}
	})
}

// refused says that the process behind a session is dead.
func (jm *jobManager) refused(l *link) {
	if jm.lead != nil && jm.members[types.TaskManagerID(l.tm.name)] == l {
		jm.lose(l, "refused")
	}
}

func (jm *jobManager) lose(l *link, why string) {
	id := types.TaskManagerID(l.tm.name)
	l.over = true
	delete(jm.members, id)
	jm.tell("%s is lost: %s", id, why)
	jm.driver.lost(id)
}

// receive passes a message to the driver.
func (jm *jobManager) receive(m *controlv1.TaskManagerMessage) {
	if jm.lead != nil {
		jm.driver.message(m)
	}
}

// send says something to a member.
func (jm *jobManager) send(id types.TaskManagerID, m *controlv1.JobManagerMessage) {
	if l := jm.members[id]; l != nil {
		l.toTaskManager(m)
	}
}

func (jm *jobManager) cluster() scheduler.Cluster {
	var c scheduler.Cluster
	for _, id := range jm.memberIDs() {
		c.TaskManagers = append(c.TaskManagers, scheduler.TaskManager{ID: id, Slots: slotsEach})
	}
	return c
}
