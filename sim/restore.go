package sim

import (
	"context"
	"maps"
	"slices"
	"time"

	"millrace/checkpoint"
	"millrace/jobgraph"
	"millrace/jobmanager/lifecycle"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

func millisAgo(n int64) time.Duration { return -time.Duration(n) * time.Millisecond }

// leads is an error once another leader has begun.
func (s *jobStore) leads(context.Context) error { return s.etcd.Txn(s.etcd.p.w.ctx, s.term, nil, nil) }

// restored is what an attempt starts from.
type restored struct {
	from        checkpoint.Pointer // zero: from the beginning
	plan        *checkpoint.Plan
	latest      checkpoint.Pointer
	retained    []checkpoint.Pointer
	older       int
	enumerators map[types.VertexID][]byte
}

// readRestore reads the newest retained checkpoint below before, or the latest.
func (d *driver) readRestore(before types.CheckpointID) {
	p, widths := d.at.last, maps.Clone(d.at.widths)
	var r restored
	d.later(func() (err error) {
		r, err = d.restorePlan(before, widths)
		return err
	}, func(err error) {
		if d.at == nil || d.at.last != p {
			return
		}
		p.restored = r
		if err != nil {
			d.step(lifecycle.RestoreFailed{Attempt: p.attempt, Checkpoint: r.from.ID, Reason: err.Error(), Older: r.older})
			return
		}
		if d.at.cancelling || slices.ContainsFunc(p.regions, func(n int) bool { return slices.Contains(d.at.ending, n) }) {
			return
		}
		d.jm.tell("attempt %d restores from %d", p.attempt, r.from.ID)
		d.jm.w.oracle.restores(r.from.ID, before)
		p.awaited = make(map[coordinatorID]bool)
		for _, region := range p.regions {
			d.deployCoordinators(p, region)
		}
		if len(p.awaited) == 0 {
			d.step(lifecycle.CoordinatorsReady{Attempt: p.attempt})
		}
	})
}

func (d *driver) restorePlan(before types.CheckpointID, widths map[types.VertexID]int32) (r restored, err error) {
	l, _, err := d.store.latest()
	if err != nil {
		return r, err
	}
	if r.enumerators, err = d.store.enumerators(); err != nil {
		return r, err
	}
	if r.retained = retainedOf(l); len(r.retained) > 0 {
		r.latest = r.retained[len(r.retained)-1]
	}
	if r.from, r.older = choose(r.retained, before); r.from.ID == 0 && l != nil {
		return r, errNoCheckpoint
	}
	var m *checkpointv1.Manifest
	if r.from.ID != 0 {
		if m, err = d.store.manifest(r.from); err != nil {
			return r, err
		}
		if r.from.ID > d.confirmed {
			for f := range checkpoint.Objects(m) { // as jobmanager/verify.go, of which the presence is enough here
				if _, err := d.store.blob.ReadRange(d.jm.w.ctx, f.GetObject(), f.Bytes-1, 1); err != nil {
					return r, err
				}
			}
		}
	}
	r.plan, err = checkpoint.Restore(m, checkpoint.RestoreSpec{Parallelism: widths, MaxParallelism: d.jm.w.job.graph.KeyGroups()})
	return r, err
}

func (d *driver) deployCoordinators(p *deployment, region int) {
	byManager := make(map[types.TaskManagerID][]*controlv1.CoordinatorDeployment)
	for _, id := range d.jm.w.job.regions[region] {
		for _, c := range d.coordinators(p, d.jm.w.job.graph.Vertex(id)) {
			home := d.home(id)
			byManager[home] = append(byManager[home], c)
			p.awaited[coordinatorID{id, c.Role}] = true
		}
	}
	for _, id := range d.managers(region) {
		if len(byManager[id]) > 0 {
			d.jm.send(id, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_DeployCoordinators{DeployCoordinators: &controlv1.DeployCoordinators{
				JobId: string(jobName), Region: int32(region), Attempt: uint64(p.number(region)), Coordinators: byManager[id],
			}}})
		}
	}
}

func (d *driver) coordinators(of *deployment, v *jobgraph.Vertex) (out []*controlv1.CoordinatorDeployment) {
	p := of.restored.plan.Vertices[v.ID]
	make := func(role controlv1.CoordinatorRole) *controlv1.CoordinatorDeployment {
		return &controlv1.CoordinatorDeployment{
			VertexId: string(v.ID), Role: role, Parallelism: d.at.widths[v.ID], CheckpointId: uint64(of.restored.from.ID),
			LargestParallelism: p.LargestParallelism,
		}
	}
	if v.Source != nil {
		e := make(controlv1.CoordinatorRole_COORDINATOR_ROLE_ENUMERATOR)
		e.Enumerator, e.Splits = p.Enumerator, p.Splits
		if s, ok := of.restored.enumerators[v.ID]; ok {
			e.Enumerator = s
		}
		out = append(out, e)
	}
	if v.Sink != nil {
		k := make(controlv1.CoordinatorRole_COORDINATOR_ROLE_COMMITTER)
		k.Committables = p.Committables
		out = append(out, k)
	}
	return out
}

// deployTasks starts the tasks of the regions that were placed last, with the checkpoint coordinator.
func (d *driver) deployTasks() {
	a, p := d.at, d.at.last
	if len(p.regions) == len(a.of) {
		a.coordinator = checkpoint.New(checkpoint.Config{
			Job: jobName, Attempt: a.attempt, Term: d.store.term, MaxParallelism: d.jm.w.job.graph.KeyGroups(), Spec: d.jm.w.job.graph.Checkpoint,
			Latest: p.restored.latest, Retained: p.restored.retained, NextID: a.next, AllottedThrough: a.next + idsReserved - 1,
			Vertices: d.checkpointVertices(p),
		})
	} else {
		d.coordinate(checkpoint.RegionsRestored{From: p.restored.from.ID, Vertices: d.checkpointVertices(p)})
	}
	for _, region := range p.regions {
		d.deployRegion(p, region)
	}
	p.deployed = true
	d.coordinate(checkpoint.Tick{Now: d.jm.NowMillis()})
	early := p.early
	p.early = nil
	for _, e := range early {
		d.enumeratorStored(p, e)
	}
}

func (d *driver) deployRegion(p *deployment, region int) {
	byManager := make(map[types.TaskManagerID][]*controlv1.TaskDeployment)
	var placements []*controlv1.Placement
	for _, id := range d.tasksOf([]int{region}) {
		slot := d.at.slots[id]
		d.at.live[id] = true
		plan := p.restored.plan.Vertices[id.Vertex].Tasks[id.Subtask]
		t := &controlv1.TaskDeployment{
			VertexId: string(id.Vertex), Subtask: id.Subtask, Parallelism: d.at.widths[id.Vertex], Slot: slot.Index,
			RestoredCheckpointId: uint64(p.restored.from.ID), Watermarks: plan.Watermarks,
		}
		for _, c := range plan.Chains {
			t.Chains = append(t.Chains, &controlv1.StateChain{Files: c})
		}
		byManager[slot.TaskManager] = append(byManager[slot.TaskManager], t)
		placements = append(placements, &controlv1.Placement{VertexId: string(id.Vertex), Subtask: id.Subtask, TaskManagerId: string(slot.TaskManager)})
	}
	for _, id := range d.managers(region) {
		d.jm.send(id, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Deploy{Deploy: &controlv1.Deploy{
			JobId: string(jobName), Region: int32(region), Attempt: uint64(p.number(region)), Tasks: byManager[id], Placements: placements,
		}}})
	}
}

func (d *driver) checkpointVertices(of *deployment) (out []checkpoint.Vertex) {
	for _, region := range of.regions {
		for _, id := range d.jm.w.job.regions[region] {
			v, p := d.jm.w.job.graph.Vertex(id), of.restored.plan.Vertices[id]
			e := p.Enumerator
			if s, ok := of.restored.enumerators[id]; ok {
				e = s
			}
			out = append(out, checkpoint.Vertex{
				ID: id, Parallelism: d.at.widths[id], LargestParallelism: p.LargestParallelism, Source: v.Source != nil,
				Committer: v.Sink != nil, Enumerator: e, Splits: p.Splits,
			})
		}
	}
	return out
}
