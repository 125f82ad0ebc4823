package jobmanager

import (
	"errors"
	"fmt"

	"millrace/checkpoint"
	"millrace/jobgraph"
	"millrace/jobmanager/lifecycle"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// restored is what an attempt starts from.
type restored struct {
	from        checkpoint.Pointer // zero: from the beginning
	plan        *checkpoint.Plan
	latest      checkpoint.Pointer
	retained    []checkpoint.Pointer
	older       int // retained checkpoints before from
	enumerators map[types.VertexID][]byte
}

// readRestore reads the newest retained checkpoint below before, or the latest.
func (d *driver) readRestore(before types.CheckpointID) {
	n, widths, confirmed := d.at.number, d.at.widths, d.confirmed
	d.later(func() any {
		r := restoreRead{attempt: n}
		r.err = d.patiently(func() (err error) {
			r.restored, err = d.restorePlan(before, widths, confirmed)
			return err
		})
		return r
	})
}

// restorePlan runs beside the driver and reads only what never changes of it. A
// checkpoint whose output may not be committed yet is verified before it is.
func (d *driver) restorePlan(before types.CheckpointID, widths map[types.VertexID]int32, confirmed types.CheckpointID) (restored, error) {
	var r restored
	l, _, err := d.store.latest(d.ctx)
	if err != nil {
		return r, err
	}
	if r.enumerators, err = d.store.enumerators(d.ctx); err != nil {
		return r, err
	}
	r.retained = retainedOf(l)
	if len(r.retained) > 0 {
		r.latest = r.retained[len(r.retained)-1]
	}
	for i, p := range r.retained {
		if before == 0 || p.ID < before {
			r.from, r.older = p, i
		}
	}
	if r.from.ID == 0 && l != nil {
		return r, fmt.Errorf("%w: none of the retained checkpoints can be restored", errNoCheckpoint)
	}
	var m *checkpointv1.Manifest
	if r.from.ID != 0 {
		if m, err = d.store.manifest(d.ctx, r.from); err != nil {
			return r, err
		}
		if r.from.ID > confirmed && commits(m) {
			if err = verify(d.ctx, d.store.blob, m); err != nil {
				return r, err
			}
		}
	}
	spec := checkpoint.RestoreSpec{Parallelism: widths, MaxParallelism: d.graph.KeyGroups()}
	r.plan, err = checkpoint.Restore(m, spec)
	return r, err
}

func retainedOf(l *checkpointv1.LatestCheckpoint) []checkpoint.Pointer {
	var out []checkpoint.Pointer
	for _, k := range l.GetRetained() {
		out = append(out, checkpoint.Pointer{
			ID: types.CheckpointID(k.CheckpointId), ManifestKey: k.ManifestObject, Sum: checkpoint.Sum(k.ManifestSha256),
		})
	}
	return out
}

var errNoCheckpoint = errors.New("no checkpoint")

// restoreRead goes on with the deployment of coordinators, or reports a
// checkpoint that can't be used.
func (d *driver) restoreRead(r restoreRead) {
	d.at.restored = r.restored
	if r.err != nil {
		d.step(lifecycle.RestoreFailed{
			Attempt: d.at.number, Checkpoint: r.from.ID, Reason: r.err.Error(), Older: r.older,
		})
		return
	}
	if d.at.cancelling {
		return
	}
	byManager := make(map[types.TaskManagerID][]*controlv1.CoordinatorDeployment)
	d.at.awaited = make(map[coordinatorID]bool)
	for i := range d.graph.Vertices {
		v := &d.graph.Vertices[i]
		for _, c := range d.coordinators(v) {
			home := d.at.home(v.ID)
			byManager[home] = append(byManager[home], c)
			d.at.awaited[coordinatorID{v.ID, c.Role}] = true
		}
	}
	for _, id := range d.at.managers() {
		if len(byManager[id]) > 0 {
			d.l.registry.send(id, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_DeployCoordinators{
				DeployCoordinators: &controlv1.DeployCoordinators{
					JobId: string(d.store.job), Attempt: uint64(d.at.number), Graph: d.proto, Coordinators: byManager[id],
				},
			}})
		}
	}
	if len(d.at.awaited) == 0 {
		d.step(lifecycle.CoordinatorsReady{Attempt: d.at.number})
	}
}

// coordinators describes the coordinator tasks of a vertex.
func (d *driver) coordinators(v *jobgraph.Vertex) []*controlv1.CoordinatorDeployment {
	var out []*controlv1.CoordinatorDeployment
	p := d.at.restored.plan.Vertices[v.ID]
	c := func(role controlv1.CoordinatorRole) *controlv1.CoordinatorDeployment {
		return &controlv1.CoordinatorDeployment{
			VertexId: string(v.ID), Role: role, Parallelism: d.at.widths[v.ID],
			CheckpointId: uint64(d.at.restored.from.ID), LargestParallelism: p.LargestParallelism,
		}
	}
	if v.Source != nil {
		e := c(controlv1.CoordinatorRole_COORDINATOR_ROLE_ENUMERATOR)
		// What the store has is never older than what the checkpoint has.
		e.Enumerator, e.Splits = p.Enumerator, p.Splits
		if s, ok := d.at.restored.enumerators[v.ID]; ok {
			e.Enumerator = s
		}
		out = append(out, e)
	}
	if hasCommitter(v) {
		k := c(controlv1.CoordinatorRole_COORDINATOR_ROLE_COMMITTER)
		k.Committables = p.Committables
		out = append(out, k)
	}
	return out
}

// deployTasks starts the tasks of the attempt and makes its checkpoint coordinator.
func (d *driver) deployTasks() {
	a := d.at
	a.coordinator = checkpoint.New(d.checkpointConfig())
	a.live = make(map[types.TaskID]bool, len(a.slots))
	byManager := make(map[types.TaskManagerID][]*controlv1.TaskDeployment)
	var placements []*controlv1.Placement
	for _, id := range a.tasks() {
		slot := a.slots[id]
		a.live[id] = true
		byManager[slot.TaskManager] = append(byManager[slot.TaskManager], d.taskDeployment(id, slot))
		placements = append(placements, &controlv1.Placement{
			VertexId: string(id.Vertex), Subtask: id.Subtask, TaskManagerId: string(slot.TaskManager),
			DataAddress: d.l.registry.dataAddress(slot.TaskManager),
		})
	}
	for _, id := range a.managers() {
		d.l.registry.send(id, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Deploy{Deploy: &controlv1.Deploy{
			JobId: string(d.store.job), Attempt: uint64(a.number), Graph: d.proto, Tasks: byManager[id], Placements: placements,
		}}})
	}
	a.deployed = true
	d.describeTasks()
	d.coordinate(checkpoint.Tick{Now: d.l.jm.Clock.NowMillis()})
	early := a.early
	a.early = nil
	for _, e := range early {
		d.enumeratorStored(e)
	}
}

func (d *driver) taskDeployment(id types.TaskID, slot types.SlotID) *controlv1.TaskDeployment {
	p := d.at.restored.plan.Vertices[id.Vertex].Tasks[id.Subtask]
	t := &controlv1.TaskDeployment{
		VertexId: string(id.Vertex), Subtask: id.Subtask, Parallelism: d.at.widths[id.Vertex], Slot: slot.Index,
		RestoredCheckpointId: uint64(d.at.restored.from.ID), Watermarks: p.Watermarks,
	}
	for _, c := range p.Chains {
		t.Chains = append(t.Chains, &controlv1.StateChain{Files: c})
	}
	return t
}

func (d *driver) checkpointConfig() checkpoint.Config {
	r := &d.at.restored
	c := checkpoint.Config{
		Job: d.store.job, Attempt: d.at.number, Term: d.store.term, MaxParallelism: d.graph.KeyGroups(), Spec: d.graph.Checkpoint,
		Latest: r.latest, Retained: r.retained, NextID: d.at.next, AllottedThrough: d.at.next + checkpointIDsReserved - 1,
	}
	for i := range d.graph.Vertices {
		v := &d.graph.Vertices[i]
		p := r.plan.Vertices[v.ID]
		e := p.Enumerator
		if s, ok := r.enumerators[v.ID]; ok {
			e = s
		}
		c.Vertices = append(c.Vertices, checkpoint.Vertex{
			ID: v.ID, Parallelism: d.at.widths[v.ID], LargestParallelism: p.LargestParallelism,
			Source: v.Source != nil, Committer: hasCommitter(v), Enumerator: e,
		})
	}
	return c
}
