package jobmanager

import (
	"fmt"
	"slices"

	"millrace/jobgraph"
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
	others := r.othersLocked(job)
	for _, m := range members {
		if !m.hasTold() {
			continue
		}
		tm := scheduler.TaskManager{
			ID: m.id, Slots: m.slots, Labels: m.labels, Builds: m.builds, Leaving: m.isLeaving(),
			Exclusive: others[m.id].exclusive, Shared: others[m.id].shared,
		}
		for i := range int32(m.slots) {
			if owner, taken := r.mu.slots[types.SlotID{TaskManager: m.id, Index: i}]; taken && owner.job != job {
				tm.Taken = append(tm.Taken, i)
			}
		}
		c.TaskManagers = append(c.TaskManagers, tm)
	}
	return c
}

// schedule looks for slots for the regions that are to be deployed, and waits on where there are too few.
func (d *driver) schedule() {
	if d.at == nil || d.at.cancelling {
		return
	}
	p, policy := d.at.last, d.l.jm.Policy
	policy.AllowLower = policy.AllowLower && d.lower
	cluster := d.l.registry.cluster(d.store.job)
	a, report := scheduler.Schedule(cluster, d.pinned(p), d.previous, policy)
	missing := lifecycle.ResourcesMissing{Attempt: p.attempt, Reason: report.Waiting()}
	if !cluster.Carried(d.graph) {
		missing.Reason += "; " + d.l.jm.startProgram(d.graph.Program)
	}
	switch moved := d.moves(a); {
	case report.Unplaced() > 0:
	case moved != "":
		missing.Reason, missing.All = fmt.Sprintf("there are slots only where %s moves", moved), true
	case !d.l.registry.take(tenantOf(d.store.job, d.graph), a.Slots()):
		missing.Reason = "its slots were taken by another job"
	default:
		d.placed(p, a, report)
		return
	}
	d.l.registry.vacate(d.store.job)
	d.step(missing)
}

// pinned returns the graph with the parallelism that runs, of regions that stay as they are.
func (d *driver) pinned(p *deployment) *jobgraph.Graph {
	if d.at.whole(p) {
		return d.graph
	}
	g := *d.graph
	g.Vertices = slices.Clone(g.Vertices)
	for i := range g.Vertices {
		v := &g.Vertices[i]
		if !slices.Contains(p.regions, d.at.regionOf[v.ID]) {
			v.Parallelism = int(d.at.widths[v.ID])
		}
	}
	return &g
}

// moves names a task that runs and would not stay in its slot, "" if there is none.
func (d *driver) moves(a scheduler.Assignment) string {
	for _, t := range d.at.tasks(nil) {
		if a.Tasks[t] != d.at.slots[t] {
			return t.String()
		}
	}
	return ""
}

// placed goes on with the slots that regions got.
func (d *driver) placed(p *deployment, a scheduler.Assignment, report scheduler.Report) {
	d.l.registry.releaseLeaving()
	d.waiting = false
	d.previous = a
	var tasks []types.TaskID
	for _, t := range report.Tasks {
		if !d.at.has(p.regions, t.Task) {
			continue
		}
		tasks = append(tasks, t.Task)
		d.at.slots[t.Task], d.at.reasons[t.Task] = t.Slot, t.Reason
		d.at.widths[t.Task.Vertex] = int32(a.Parallelism[t.Task.Vertex])
	}
	d.at.placement++
	d.notePlacement()
	d.describeTasks(p)
	d.step(lifecycle.ResourcesAvailable{Attempt: p.attempt, Placement: d.at.placement, Tasks: tasks})
}

// notePlacement tells the next leader whom to wait for. Nobody waits until it is stored.
func (d *driver) notePlacement() {
	var on []types.TaskManagerID
	for _, s := range d.at.slots {
		on = append(on, s.TaskManager)
	}
	slices.Sort(on)
	on = slices.Compact(on)
	d.l.beside(func() {
		if err := d.store.storePlacement(d.ctx, on); err != nil && d.ctx.Err() == nil {
			d.l.jm.Log.Warn("the placement is not noted: another leader may wait longer for task managers", "job", d.store.job, "cause", err)
		}
	})
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
