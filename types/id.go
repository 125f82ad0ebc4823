package types

import "fmt"

// JobID names a job in a cluster; it is unique for ever.
type JobID string

// VertexID names a vertex of a job graph; it is stable over restarts and
// rescales and, where the user gave a uid, over changes of the job.
type VertexID string

// OperatorUID names an operator whose state outlives the graph around it.
type OperatorUID string

// TaskID names one parallel instance of a vertex.
type TaskID struct {
	Vertex  VertexID
	Subtask int32
}

// String prints vertex/subtask.
func (t TaskID) String() string { return fmt.Sprintf("%s/%d", t.Vertex, t.Subtask) }

// Less orders tasks by vertex, then subtask.
func (t TaskID) Less(o TaskID) bool {
	if t.Vertex != o.Vertex {
		return t.Vertex < o.Vertex
	}
	return t.Subtask < o.Subtask
}

// TaskManagerID names a task manager process.
type TaskManagerID string

// SlotID names a slot of a task manager.
type SlotID struct {
	TaskManager TaskManagerID
	Index       int32
}

// String prints taskmanager#index.
func (s SlotID) String() string { return fmt.Sprintf("%s#%d", s.TaskManager, s.Index) }

// Term is a job manager's leadership: the create revision of its election key.
// It fences control messages and coordination writes. 0 is no term.
type Term uint64

// RegionID names a region of a job: vertices that edges connect, by which a job
// is deployed and restarted. Index is its position in jobgraph.Graph.Regions.
type RegionID struct {
	Job   JobID
	Index int32
}

// String prints job.index.
func (r RegionID) String() string { return fmt.Sprintf("%s.%d", r.Job, r.Index) }

// Attempt numbers the executions of a job's regions: no two of a job have the
// same. It is allotted by a fenced transaction, never reused, and fences frames,
// object keys and markers.
type Attempt uint64

// CheckpointID numbers the checkpoints of a job from 1; no id is used twice,
// not even that of a failed checkpoint. 0 is no checkpoint.
type CheckpointID uint64
