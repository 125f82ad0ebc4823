package jobmanager

import (
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/scheduler"
	"millrace/types"
)

// cluster returns what there is to run on, as a job sees it.
func (r *registry) cluster(job types.JobID) scheduler.Cluster {
	var c scheduler.Cluster
	members := r.members()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range members {
		tm := scheduler.TaskManager{ID: m.id, Slots: m.slots, Labels: m.labels, Leaving: m.isLeaving()}
		for i := range int32(m.slots) {
			if owner, taken := r.mu.slots[types.SlotID{TaskManager: m.id, Index: i}]; taken && owner != job {
				tm.Taken = append(tm.Taken, i)
			}
		}
		c.TaskManagers = append(c.TaskManagers, tm)
	}
	return c
}

// schedule looks for slots for the attempt, and waits on where there are too few.
func (d *driver) schedule() {
	if d.at == nil || d.at.cancelling {
		return
	}
	policy := d.l.jm.Policy
	policy.AllowLower = policy.AllowLower && d.lower
	a, report := scheduler.Schedule(d.l.registry.cluster(d.store.job), d.graph, d.previous, policy)
	if report.Unplaced() > 0 || !d.l.registry.take(d.store.job, a.Slots()) {
		why := report.Waiting()
		if why == "" {
			why = "its slots were taken by another job"
		}
		d.l.registry.vacate(d.store.job)
		d.step(lifecycle.ResourcesMissing{Attempt: d.at.number, Reason: why})
		return
	}
	d.l.registry.releaseLeaving()
	d.waiting = false
	d.previous = a
	d.at.slots = a.Tasks
	d.at.widths = make(map[types.VertexID]int32, len(a.Parallelism))
	for v, p := range a.Parallelism {
		d.at.widths[v] = int32(p)
	}
	d.at.reasons = make(map[types.TaskID]string, len(report.Tasks))
	for _, t := range report.Tasks {
		d.at.reasons[t.Task] = t.Reason
	}
	d.at.placement++
	d.describeTasks()
	d.step(lifecycle.ResourcesAvailable{Attempt: d.at.number, Placement: d.at.placement, Tasks: a.TaskIDs()})
}

// placementReasons tells a client what the scheduler would do.
func placementReasons(r scheduler.Report) []*apiv1.PlacementReason {
	out := make([]*apiv1.PlacementReason, 0, len(r.Tasks))
	for _, t := range r.Tasks {
		p := &apiv1.PlacementReason{VertexId: string(t.Task.Vertex), Subtask: t.Task.Subtask, Reason: t.Reason}
		if t.Placed {
			p.TaskManagerId, p.Slot = string(t.Slot.TaskManager), t.Slot.Index
		}
		out = append(out, p)
	}
	return out
}
