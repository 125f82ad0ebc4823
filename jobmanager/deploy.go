package jobmanager

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"millrace/checkpoint"
	"millrace/internal/mutant"
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
	n, widths, confirmed := d.at.last.attempt, maps.Clone(d.at.widths), d.confirmed
	d.later(func() any {
		r := restoreRead{attempt: n, before: before}
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
		if mutant.On(mutant.OldestRestored) && r.from.ID != 0 {
			break
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
			if err = verify(d.ctx, d.store.blob, m, d.l.reads); err != nil {
				return r, err
			}
		}
	}
	spec := checkpoint.RestoreSpec{
		Parallelism: widths, MaxParallelism: d.graph.KeyGroups(), Hears: checkpoint.Hears(d.graph),
		Lists: checkpoint.Lists(d.graph), BehindLists: checkpoint.BehindLists(d.graph),
	}
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
	p := d.at.last
	p.restored = r.restored
	if r.err != nil {
		d.step(lifecycle.RestoreFailed{
			Attempt: p.attempt, Checkpoint: r.from.ID, Reason: r.err.Error(), Older: r.older,
		})
		return
	}
	if d.at.cancelling || slices.ContainsFunc(p.regions, func(r int) bool { return slices.Contains(d.at.ending, r) }) {
		return
	}
	p.awaited = make(map[coordinatorID]bool)
	for _, region := range p.regions {
		d.deployCoordinators(p, region)
	}
	if len(p.awaited) == 0 {
		d.step(lifecycle.CoordinatorsReady{Attempt: p.attempt})
	}
}

// deployCoordinators starts the coordinator tasks of a region.
func (d *driver) deployCoordinators(p *deployment, region int) {
	byManager := make(map[types.TaskManagerID][]*controlv1.CoordinatorDeployment)
	for _, id := range d.regions[region] {
		for _, c := range d.coordinators(p, d.graph.Vertex(id)) {
			home := d.at.home(id)
			byManager[home] = append(byManager[home], c)
			p.awaited[coordinatorID{id, c.Role}] = true
		}
	}
	for _, id := range d.at.managers(region) {
		if len(byManager[id]) > 0 {
			d.l.registry.send(id, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_DeployCoordinators{
				DeployCoordinators: &controlv1.DeployCoordinators{
					JobId: string(d.store.job), Region: int32(region), Attempt: uint64(p.number(region)), Graph: d.proto, Coordinators: byManager[id],
				},
			}})
		}
	}
}

// coordinators describes the coordinator tasks of a vertex.
func (d *driver) coordinators(of *deployment, v *jobgraph.Vertex) []*controlv1.CoordinatorDeployment {
	var out []*controlv1.CoordinatorDeployment
	p := of.restored.plan.Vertices[v.ID]
	c := func(role controlv1.CoordinatorRole) *controlv1.CoordinatorDeployment {
		return &controlv1.CoordinatorDeployment{
			VertexId: string(v.ID), Role: role, Parallelism: d.at.widths[v.ID],
			CheckpointId: uint64(of.restored.from.ID), LargestParallelism: p.LargestParallelism,
		}
	}
	if v.Source != nil {
		e := c(controlv1.CoordinatorRole_COORDINATOR_ROLE_ENUMERATOR)
		// What the store has is never older than what the checkpoint has.
		e.Enumerator, e.Splits = p.Enumerator, p.Splits
		if s, ok := of.restored.enumerators[v.ID]; ok {
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

// deployTasks starts the tasks of the regions that were placed last. With all of the job it makes the checkpoint
// coordinator; otherwise it tells the one that there is.
func (d *driver) deployTasks() {
	a, p := d.at, d.at.last
	if a.whole(p) {
		a.coordinator = checkpoint.New(d.checkpointConfig(p))
	} else {
		d.coordinate(checkpoint.RegionsRestored{From: p.restored.from.ID, Vertices: d.checkpointVertices(p)})
	}
	for _, region := range p.regions {
		d.deployRegion(p, region)
	}
	p.deployed = true
	d.describeTasks(p)
	d.coordinate(checkpoint.Tick{Now: d.l.jm.Clock.NowMillis()})
	early := p.early
	p.early = nil
	for _, e := range early {
		d.enumeratorStored(p, e)
	}
}

// deployRegion starts the tasks of a region.
func (d *driver) deployRegion(p *deployment, region int) {
	byManager := make(map[types.TaskManagerID][]*controlv1.TaskDeployment)
	var placements []*controlv1.Placement
	for _, id := range d.at.tasks([]int{region}) {
		slot := d.at.slots[id]
		d.at.live[id] = true
		byManager[slot.TaskManager] = append(byManager[slot.TaskManager], d.taskDeployment(p, id, slot))
		placements = append(placements, &controlv1.Placement{
			VertexId: string(id.Vertex), Subtask: id.Subtask, TaskManagerId: string(slot.TaskManager),
			DataAddress: d.l.registry.dataAddress(slot.TaskManager),
		})
	}
	for _, id := range d.at.managers(region) {
		d.l.registry.send(id, &controlv1.JobManagerMessage{Message: &controlv1.JobManagerMessage_Deploy{Deploy: &controlv1.Deploy{
			JobId: string(d.store.job), Region: int32(region), Attempt: uint64(p.number(region)), Graph: d.proto,
			Tasks: byManager[id], Placements: placements,
		}}})
	}
}

func (d *driver) taskDeployment(of *deployment, id types.TaskID, slot types.SlotID) *controlv1.TaskDeployment {
	p := of.restored.plan.Vertices[id.Vertex].Tasks[id.Subtask]
	t := &controlv1.TaskDeployment{
		VertexId: string(id.Vertex), Subtask: id.Subtask, Parallelism: d.at.widths[id.Vertex], Slot: slot.Index,
		RestoredCheckpointId: uint64(of.restored.from.ID), Watermarks: p.Watermarks, Ledger: p.Ledger, Drained: of.drained,
	}
	for _, c := range p.Chains {
		t.Chains = append(t.Chains, &controlv1.StateChain{Files: c})
	}
	for _, f := range p.InFlight {
		t.InFlight = append(t.InFlight, &controlv1.InFlight{File: f.File, Subtask: f.Subtask, Parallelism: f.Parallelism})
	}
	return t
}

func (d *driver) checkpointConfig(p *deployment) checkpoint.Config {
	return checkpoint.Config{
		Job: d.store.job, Attempt: d.at.number, Term: d.store.term, MaxParallelism: d.graph.KeyGroups(), Spec: d.graph.Checkpoint,
		Latest: p.restored.latest, Retained: p.restored.retained, NextID: d.at.next, AllottedThrough: d.at.next + checkpointIDsReserved - 1,
		Vertices: d.checkpointVertices(p),
	}
}

// checkpointVertices describes the vertices of a deployment to the checkpoint coordinator.
func (d *driver) checkpointVertices(of *deployment) []checkpoint.Vertex {
	var out []checkpoint.Vertex
	for _, region := range of.regions {
		for _, id := range d.regions[region] {
			v, p := d.graph.Vertex(id), of.restored.plan.Vertices[id]
			e := p.Enumerator
			if s, ok := of.restored.enumerators[id]; ok {
				e = s
			}
			out = append(out, checkpoint.Vertex{
				ID: id, Parallelism: d.at.widths[id], LargestParallelism: p.LargestParallelism,
				Source: v.Source != nil, Committer: hasCommitter(v), Enumerator: e, Splits: p.Splits,
			})
		}
	}
	return out
}
