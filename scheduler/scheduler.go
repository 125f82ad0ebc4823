package scheduler

import (
	"maps"
	"slices"

	"millrace/types"
)

// Cluster is what there is to run on, as one job sees it.
type Cluster struct {
	TaskManagers []TaskManager // in any order; of one id the first counts
}

// TaskManager is a process with slots 0 to Slots-1.
type TaskManager struct {
	ID    types.TaskManagerID
	Slots int
	// Taken are the slots that this job can't have: other jobs'. Its own slots
	// are not among them.
	Taken  []int32
	Labels map[string]string
	// Builds are the programs that it carries, by ProgramSpec.Build.
	Builds []string
	// Exclusive is the other job that has the task manager for itself; "" if none has.
	Exclusive types.JobID
	// Shared is another job that runs there, the first by id; "" if none does.
	Shared types.JobID
	// Leaving task managers don't count.
	Leaving bool
}

// Policy is what an operator of the cluster decides. The zero value runs
// vertices that name no parallelism with one subtask, and never lowers any.
type Policy struct {
	// Adaptive gives vertices that name no parallelism, in graphs that name none,
	// as many subtasks as there are slots, up to the graph's max parallelism.
	Adaptive bool
	// DefaultParallelism is that of such vertices otherwise; 0 means 1.
	DefaultParallelism int
	// AllowLower runs a job for which there are too few slots at the parallelism
	// for which there are enough, if there is any slot.
	AllowLower bool
	// Labels must all be on a task manager, with these values, for it to count, beside
	// those that the graph wants.
	Labels map[string]string
}

// Assignment says where tasks run. The zero value has none. It is a value of
// the caller's; Schedule neither keeps nor changes what it is given.
type Assignment struct {
	Tasks map[types.TaskID]types.SlotID
	// Parallelism is that of every vertex, placed or not.
	Parallelism map[types.VertexID]int
}

// Coordinator returns the slot in which the coordinators of a vertex (split
// enumerator, committer) run: that of its subtask 0.
func (a Assignment) Coordinator(v types.VertexID) (types.SlotID, bool) {
	s, ok := a.Tasks[types.TaskID{Vertex: v}]
	return s, ok
}

// TaskIDs returns the placed tasks in order.
func (a Assignment) TaskIDs() []types.TaskID {
	return slices.SortedFunc(maps.Keys(a.Tasks), compareTasks)
}

// Slots returns the slots that the assignment uses, in order, each once.
func (a Assignment) Slots() []types.SlotID {
	used := make(map[types.SlotID]bool, len(a.Tasks))
	for _, s := range a.Tasks {
		used[s] = true
	}
	return slices.SortedFunc(maps.Keys(used), compareSlots)
}

func compareTasks(a, b types.TaskID) int {
	switch {
	case a.Less(b):
		return -1
	case b.Less(a):
		return 1
	default:
		return 0
	}
}

func compareSlots(a, b types.SlotID) int {
	switch {
	case a.TaskManager < b.TaskManager:
		return -1
	case a.TaskManager > b.TaskManager:
		return 1
	default:
		return int(a.Index) - int(b.Index)
	}
}
