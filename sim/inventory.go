package sim

import (
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// inventory says what runs here, as taskmanager/inventory.go does. A change of it and the message that tells it are one here
// anyway: nothing comes between.
func (tm *taskManager) inventory() *controlv1.Inventory {
	out := &controlv1.Inventory{}
	for _, a := range tm.inOrder() {
		r := &controlv1.RegionInventory{JobId: string(a.region.Job), Region: a.region.Index, Attempt: uint64(a.number)}
		for _, t := range a.tasks {
			r.Tasks = append(r.Tasks, t.inventory())
		}
		for _, k := range a.coordinators {
			r.Coordinators = append(r.Coordinators, k.inventory())
		}
		out.Regions = append(out.Regions, r)
	}
	return out
}

// told is what the job manager was told of a task.
type told struct {
	state       controlv1.TaskState
	failure     *controlv1.Failure
	first, last types.CheckpointID // whose barriers were passed on; 0 for none
}

// note keeps a task's state for inventories. How a task came to its end is told once.
func (t *told) note(s controlv1.TaskState, f *controlv1.Failure) {
	if t.state < controlv1.TaskState_TASK_STATE_FINISHED {
		t.state, t.failure = s, f
	}
}

func (t *runningTask) inventory() *controlv1.TaskInventory {
	return &controlv1.TaskInventory{
		VertexId: string(t.id.Vertex), Subtask: t.id.Subtask, Parallelism: t.d.Parallelism, Slot: t.d.Slot,
		State: t.told.state, Failure: t.told.failure, RestoredCheckpointId: t.d.RestoredCheckpointId,
		FirstCheckpointId: uint64(t.told.first), LastCheckpointId: uint64(t.told.last),
	}
}

// isNew tells whether a task was not given that assignment before.
func (t *runningTask) isNew(sequence uint64) bool {
	if sequence <= t.assigned {
		return false
	}
	t.assigned = sequence
	return true
}

func (k *coordinator) inventory() *controlv1.CoordinatorInventory {
	return &controlv1.CoordinatorInventory{
		Deployment: &controlv1.CoordinatorDeployment{
			VertexId: k.d.VertexId, Role: k.d.Role, Parallelism: k.d.Parallelism, Enumerator: k.d.Enumerator, Splits: k.d.Splits,
			CheckpointId: k.d.CheckpointId, LargestParallelism: k.d.LargestParallelism,
		},
		Ready: k.told.ready, Failure: k.told.failure, Assigned: k.told.assigned, CommittedCheckpointId: uint64(k.told.committed),
	}
}
