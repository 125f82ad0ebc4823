package jobmanager

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"millrace/jobgraph"
	"millrace/jobmanager/lifecycle"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// inventories is what task managers say runs of a job, deployed by another leader.
type inventories map[types.TaskManagerID][]*controlv1.RegionInventory

// foundRegion is what is there of a region under the attempt that it was allotted last.
type foundRegion struct {
	number types.Attempt
	// missing is what keeps it from going on; "" if it is whole.
	missing    string
	tasks      map[types.TaskID]foundTask
	widths     map[types.VertexID]int32
	enumerator map[types.VertexID]*controlv1.CoordinatorInventory
	committer  map[types.VertexID]*controlv1.CoordinatorInventory
}

type foundTask struct {
	on types.SlotID
	*controlv1.TaskInventory
}

// judge finds out which regions of a job are whole: every task of one parallelism a vertex is there and runs or has
// ended, and every coordinator task is ready, beside subtask 0. It is pure.
func judge(g *jobgraph.Graph, regions [][]types.VertexID, numbers []types.Attempt, found inventories) []*foundRegion {
	out := make([]*foundRegion, len(regions))
	for i, vertices := range regions {
		r := &foundRegion{
			number: numbers[i], tasks: make(map[types.TaskID]foundTask), widths: make(map[types.VertexID]int32),
			enumerator: make(map[types.VertexID]*controlv1.CoordinatorInventory),
			committer:  make(map[types.VertexID]*controlv1.CoordinatorInventory),
		}
		out[i] = r
		homes := make(map[*controlv1.CoordinatorInventory]types.TaskManagerID)
		for _, tm := range slices.Sorted(maps.Keys(found)) {
			for _, inv := range found[tm] {
				if int(inv.Region) == i && types.Attempt(inv.Attempt) == r.number {
					r.add(tm, inv, homes)
				}
			}
		}
		for _, v := range vertices {
			r.checkVertex(g.Vertex(v), homes)
		}
	}
	return out
}

// lacks notes the first thing that speaks against the region.
func (r *foundRegion) lacks(format string, args ...any) {
	if r.missing == "" {
		r.missing = fmt.Sprintf(format, args...)
	}
}

// add takes in what one task manager has of the region.
func (r *foundRegion) add(tm types.TaskManagerID, inv *controlv1.RegionInventory, homes map[*controlv1.CoordinatorInventory]types.TaskManagerID) {
	for _, t := range inv.Tasks {
		id := taskID(t.VertexId, t.Subtask)
		if other, twice := r.tasks[id]; twice {
			r.lacks("task %s is on %s and on %s", id, other.on.TaskManager, tm)
		}
		if w, known := r.widths[id.Vertex]; known && w != t.Parallelism {
			r.lacks("task %s is one of %d, others are of %d", id, t.Parallelism, w)
		}
		r.widths[id.Vertex] = t.Parallelism
		r.tasks[id] = foundTask{types.SlotID{TaskManager: tm, Index: t.Slot}, t}
	}
	for _, c := range inv.Coordinators {
		homes[c] = tm
		of := r.enumerator
		if c.Deployment.GetRole() == controlv1.CoordinatorRole_COORDINATOR_ROLE_COMMITTER {
			of = r.committer
		}
		of[types.VertexID(c.Deployment.GetVertexId())] = c
	}
}

// checkVertex looks for what a vertex lacks.
func (r *foundRegion) checkVertex(v *jobgraph.Vertex, homes map[*controlv1.CoordinatorInventory]types.TaskManagerID) {
	width := r.widths[v.ID]
	if width < 1 {
		r.lacks("nothing runs of vertex %s", v.ID)
		return
	}
	for i := range width {
		id := types.TaskID{Vertex: v.ID, Subtask: i}
		t, there := r.tasks[id]
		switch {
		case !there:
			r.lacks("task %s runs nowhere", id)
		case t.Failure != nil:
			r.lacks("task %s failed meanwhile: %s", id, t.Failure.Message)
		case t.State != controlv1.TaskState_TASK_STATE_RUNNING && t.State != controlv1.TaskState_TASK_STATE_ENDED:
			r.lacks("task %s is %s", id, lifecycle.TaskState(t.State))
		}
	}
	if v.Source != nil {
		r.checkCoordinator("enumerator", v.ID, r.enumerator[v.ID], homes)
	}
	if hasCommitter(v) {
		r.checkCoordinator("committer", v.ID, r.committer[v.ID], homes)
	}
}

func (r *foundRegion) checkCoordinator(what string, v types.VertexID, c *controlv1.CoordinatorInventory, homes map[*controlv1.CoordinatorInventory]types.TaskManagerID) {
	switch {
	case c == nil:
		r.lacks("the %s of vertex %s runs nowhere", what, v)
	case c.Failure != nil:
		r.lacks("the %s of vertex %s failed meanwhile: %s", what, v, c.Failure.Message)
	case !c.Ready:
		r.lacks("the %s of vertex %s is not ready", what, v)
	case homes[c] != r.tasks[types.TaskID{Vertex: v}].on.TaskManager:
		r.lacks("the %s of vertex %s is not beside its task 0", what, v)
	}
}

// tookPart tells whether the tasks, as they run now, were in a complete checkpoint: what was deployed again behind it has
// committed, or given up, what there was of it.
func (r *foundRegion) tookPart(id types.CheckpointID) bool {
	for _, t := range r.tasks {
		if t.FirstCheckpointId == 0 || types.CheckpointID(t.FirstCheckpointId) > id {
			return false
		}
	}
	return id != 0
}

// open returns the checkpoints behind a complete one whose barriers tasks have passed on, in order.
func (r *foundRegion) open(complete types.CheckpointID) (ids []types.CheckpointID) {
	for _, t := range r.tasks {
		if id := types.CheckpointID(t.LastCheckpointId); id > complete {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// ids returns the tasks that are there, in order.
func (r *foundRegion) ids() []types.TaskID {
	return slices.SortedFunc(maps.Keys(r.tasks), func(a, b types.TaskID) int {
		return cmp.Or(cmp.Compare(a.Vertex, b.Vertex), cmp.Compare(a.Subtask, b.Subtask))
	})
}

// states returns the tasks with their states.
func (r *foundRegion) states() map[types.TaskID]lifecycle.TaskState {
	out := make(map[types.TaskID]lifecycle.TaskState, len(r.tasks))
	for id, t := range r.tasks {
		out[id] = lifecycle.TaskState(t.State)
	}
	return out
}
