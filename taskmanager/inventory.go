package taskmanager

import (
	"cmp"
	"maps"
	"slices"

	controlv1 "millrace/proto/millrace/control/v1"
)

// say makes a change of what inventories tell and puts the message that tells it, in
// one: whatever moment a session begins at, the job manager learns of it once.
func (m *TaskManager) say(msg *controlv1.TaskManagerMessage, change func()) {
	m.said.Lock()
	defer m.said.Unlock()
	change()
	m.outbox.put(msg)
}

// beginSession forgets what an earlier job manager was to be told, and says what runs
// here instead. It returns how many tasks that are.
func (m *TaskManager) beginSession() (tasks int) {
	m.said.Lock()
	defer m.said.Unlock()
	m.outbox.Reset()
	inventory := m.inventory()
	m.outbox.put(&controlv1.TaskManagerMessage{Message: &controlv1.TaskManagerMessage_Inventory{Inventory: inventory}})
	for _, r := range inventory.Regions {
		tasks += len(r.Tasks)
	}
	return tasks
}

// inventory says what runs here. It needs said.
func (m *TaskManager) inventory() *controlv1.Inventory {
	m.mu.Lock()
	attempts := slices.Collect(maps.Values(m.mu.attempts))
	m.mu.Unlock()
	slices.SortFunc(attempts, func(a, b *attempt) int {
		return cmp.Or(cmp.Compare(a.region.Job, b.region.Job), cmp.Compare(a.region.Index, b.region.Index))
	})
	out := &controlv1.Inventory{}
	for _, a := range attempts {
		out.Regions = append(out.Regions, a.inventory())
	}
	return out
}

func (a *attempt) inventory() *controlv1.RegionInventory {
	out := &controlv1.RegionInventory{JobId: string(a.region.Job), Region: a.region.Index, Attempt: uint64(a.number), Exclusive: a.exclusive.Load()}
	for _, r := range a.tasks() {
		out.Tasks = append(out.Tasks, r.inventory())
	}
	for _, k := range a.coordinators() {
		out.Coordinators = append(out.Coordinators, k.inventory())
	}
	return out
}

func (r *running) inventory() *controlv1.TaskInventory {
	return &controlv1.TaskInventory{
		VertexId: string(r.id.Vertex), Subtask: r.id.Subtask, Parallelism: r.parallelism, Slot: r.slot,
		State: r.told.state, Failure: r.told.failure, RestoredCheckpointId: r.restored,
		FirstCheckpointId: uint64(r.told.first), LastCheckpointId: uint64(r.told.last),
	}
}

func (k *coordinator) inventory() *controlv1.CoordinatorInventory {
	deployed := &controlv1.CoordinatorDeployment{
		VertexId: k.d.VertexId, Role: k.d.Role, Parallelism: k.d.Parallelism, Enumerator: k.d.Enumerator, Splits: k.d.Splits,
		CheckpointId: k.d.CheckpointId, LargestParallelism: k.d.LargestParallelism,
	}
	return &controlv1.CoordinatorInventory{
		Deployment: deployed, Ready: k.told.ready, Failure: k.told.failure, Trouble: k.told.troubled,
		Assigned: k.told.assigned, CommittedCheckpointId: uint64(k.told.committed),
	}
}
