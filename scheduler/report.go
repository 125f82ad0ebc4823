package scheduler

import (
	"fmt"
	"strings"

	"millrace/types"
)

// Report says why an Assignment is as it is.
type Report struct {
	// SlotsNeeded is the number of slots for the parallelism that is wanted,
	// SlotsFree the number that the job can have.
	SlotsNeeded, SlotsFree int
	// Vertices in the order of the graph.
	Vertices []VertexReport
	// Tasks by vertex in the order of the graph, then subtask: every task once,
	// placed or not.
	Tasks []TaskReport
}

// VertexReport says why a vertex has its parallelism.
type VertexReport struct {
	Vertex      types.VertexID
	Wanted      int
	Parallelism int
	Reason      string
}

// TaskReport says where a task is and why, or why it is nowhere.
type TaskReport struct {
	Task   types.TaskID
	Placed bool
	Slot   types.SlotID // where Placed
	// Moved tells that the task ran in another slot before.
	Moved  bool
	Reason string
}

// Unplaced returns how many tasks have no slot: a job starts only if there are none.
func (r Report) Unplaced() int {
	n := 0
	for _, t := range r.Tasks {
		if !t.Placed {
			n++
		}
	}
	return n
}

// Lowered tells whether a vertex has fewer subtasks than it wants.
func (r Report) Lowered() bool {
	for _, v := range r.Vertices {
		if v.Parallelism < v.Wanted {
			return true
		}
	}
	return false
}

// Waiting says in one line what the unplaced tasks wait for; it is empty where
// there are none.
func (r Report) Waiting() string {
	for _, t := range r.Tasks {
		if !t.Placed {
			return fmt.Sprintf("%d of %d tasks have no slot: %s", r.Unplaced(), len(r.Tasks), t.Reason)
		}
	}
	return ""
}

// String prints a line a vertex and a line a task.
func (r Report) String() string {
	var sb strings.Builder
	fmt.Fprintf(&sb, "slots: %d needed, %d free\n", r.SlotsNeeded, r.SlotsFree)
	for _, v := range r.Vertices {
		fmt.Fprintf(&sb, "%s: parallelism %d, %s\n", v.Vertex, v.Parallelism, v.Reason)
	}
	for _, t := range r.Tasks {
		at := "nowhere"
		if t.Placed {
			at = t.Slot.String()
		}
		fmt.Fprintf(&sb, "%s -> %s: %s\n", t.Task, at, t.Reason)
	}
	return sb.String()
}
