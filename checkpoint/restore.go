package checkpoint

import (
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// RestoreSpec says for which tasks a manifest is dealt out.
type RestoreSpec struct {
	// Parallelism of every vertex of the graph.
	Parallelism    map[types.VertexID]int32
	MaxParallelism int
	// Lists names the vertices with operator lists: after a rescale each of their tasks is given the files of every former
	// task, whatever its key groups.
	Lists map[types.VertexID]bool
}

// Plan is what a manifest means for the tasks and coordinator tasks of an attempt. It shares memory with the manifest.
type Plan struct {
	Checkpoint types.CheckpointID
	Vertices   map[types.VertexID]*VertexPlan // every vertex of the spec
}

// VertexPlan is the part of one vertex.
type VertexPlan struct {
	// Enumerator and Splits (of every reader, ordered by id) are for the source's enumerator, which assigns them anew.
	Enumerator []byte
	Splits     []*checkpointv1.SplitState
	// Committables are for the sink's committer, which recovers before any task starts.
	Committables [][]byte
	// LargestParallelism is the largest at which the vertex ever ran, this attempt included.
	LargestParallelism int32
	// Tasks has an entry a subtask, in order.
	Tasks []TaskPlan
}

// TaskPlan is the part of one task.
type TaskPlan struct {
	// Chains has the files of every former task that held key groups of this one, in the order of former subtasks.
	Chains [][]*checkpointv1.StateFile
	// Watermarks has for each operator the least event time of all former tasks of the vertex, ordered by uid.
	Watermarks []*checkpointv1.OperatorWatermark
}

// Restore deals a valid manifest out to the tasks of spec. A nil manifest is a new job: nothing is restored. A
// manifest that does not pass Validate is an internal error; one that does not fit the graph (other key groups, state
// of a vertex that the graph lacks) is the user's.
func Restore(m *checkpointv1.Manifest, spec RestoreSpec) (*Plan, error) { return nil, nil }
